//! Eigenvalues and eigenvectors of Hermitian matrices.

use tensoroxide_dense::{eigh, eigh_part, eigh_partial, eigh_values, Element, MatRef, Partial, PartialEigh, Resources};
use tensoroxide_tensor::{Real, View, ViewMut};

use crate::gauge::fix_vector;
use crate::method::{complete, moduli as moduli_of};
use crate::stack::{column, each, Run, Stack, StackMut};
use crate::svd::truncated;
use crate::{Error, Method, Truncation};

/// A = V·Diagonal(w)·Vᴴ for Hermitian A, where `conj_a` has the elements of A conjugated first.
///
/// With A of n×n, w has n real values in ascending order, and V is n×n with orthonormal columns, each with the gauge of
/// the columns of U in [`crate::svd_compact`]. Only the elements below the diagonal and the real parts of those on it
/// are read: that the others fit them is for the caller to know.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::Exhausted`], [`Error::OutOfMemory`]. The
/// outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{eigh_full, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, 1.0, f64::NAN, 0.0]; // above the diagonal, anything
/// let (mut w, mut v) = ([0.0; 2], [0.0; 4]);
/// eigh_full(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut w, &[2], &[1], 0)?,
///     ViewMut::new(&mut v, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// let root = 0.5f64.sqrt();
/// assert!(w.iter().zip([-1.0, 1.0]).all(|(x, y)| (x - y).abs() < 1e-15));
/// assert!(v.iter().zip([root, -root, root, root]).all(|(x, y)| (x - y).abs() < 1e-15));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eigh_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    w: ViewMut<'_, T::Real>,
    v: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    let v = StackMut::new(v, "V", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 9.0 * (n * n * n) as f64, run, (w, v), |i, (w, v), with| {
        let mut eigh = eigh(a.at(i), conj_a, with)?;
        (0..n).for_each(|j| _ = fix_vector(eigh.v.col_mut(j)));
        v.copy_from(eigh.v.as_ref())?;
        Ok(w.copy_from(column(&eigh.w))?)
    })
}

/// The n eigenvalues of Hermitian A, ascending; A is read as by [`eigh_full`].
///
/// # Errors
/// As [`eigh_full`].
///
/// ```
/// use tensoroxide_linalg::{eigh_vals, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut w) = ([0.0, 1.0, f64::NAN, 0.0], [0.0f64; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// eigh_vals(View::new(&a, &[2, 2], &[1, 2], 0)?, false, ViewMut::new(&mut w, &[2], &[1], 0)?, run)?;
/// assert!((w[0] + 1.0).abs() < 1e-15 && (w[1] - 1.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eigh_vals<T: Element>(a: View<'_, T>, conj_a: bool, w: ViewMut<'_, T::Real>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    each(a.batch(), 2.0 * (n * n * n) as f64, run, w, |i, w, with| {
        Ok(w.copy_from(column(&eigh_values(a.at(i), conj_a, with)?))?)
    })
}

/// Some neighbours of the ascending eigenvalues and their vectors: as many as `w` has room for, from the one with the
/// number `first`, counted from 0, on. As by [`eigh_full`] up to rounding: few of many may come from a driver that
/// finds no others.
///
/// # Errors
/// As [`eigh_full`], and [`Error::Range`].
///
/// ```
/// use tensoroxide_linalg::{eigh_range, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut w, mut v) = ([0.0, 1.0, f64::NAN, 0.0], [0.0f64], [0.0; 2]);
/// eigh_range(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     1,
///     ViewMut::new(&mut w, &[1], &[1], 0)?,
///     ViewMut::new(&mut v, &[2, 1], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((w[0] - 1.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eigh_range<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    first: usize,
    w: ViewMut<'_, T::Real>,
    v: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let count = w.shape().first().copied().unwrap_or(0);
    if first.saturating_add(count) > n {
        return Err(Error::Range { asked: (first, count), available: n });
    }
    let w = StackMut::new(w, "w", &[(0, n)], a.batch())?;
    let v = StackMut::new(v, "V", &[(n, n), (count, count)], a.batch())?;
    each(a.batch(), 9.0 * (n * n * n) as f64, run, (w, v), |i, (w, v), with| {
        let mut eigh = eigh_part(a.at(i), conj_a, first..first + count, with)?;
        (0..count).for_each(|j| _ = fix_vector(eigh.v.col_mut(j)));
        v.copy_from(eigh.v.as_ref())?;
        Ok(w.copy_from(column(&eigh.w))?)
    })
}

/// The eigenvalues of largest modulus, in the order of descending modulus, and their vectors: as many as the
/// [`Truncation`] of these moduli keeps. Of equal moduli, the order is free.
///
/// `w` and `v` have room for `truncation.ceiling(n)` values and columns, or for more, up to n; of these, the first
/// `rank`, which is returned, are written. `errors` gets the 2-norm of the values that were cut off, one for each
/// matrix of the batch. A stack is cut to the largest rank that one of its matrices needs, and more than `rank` may
/// then be written. [`Method`] is as for [`crate::svd_trunc`].
///
/// # Errors
/// As [`eigh_full`], and [`Error::Tolerance`].
///
/// ```
/// use tensoroxide_linalg::{eigh_trunc, Method, Run, Truncation, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut w, mut v, mut error) = ([2.0, 0.0, 0.0, -3.0], [0.0f64], [0.0; 2], [0.0]);
/// let rank = eigh_trunc(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     &Truncation { maxrank: Some(1), ..Default::default() },
///     Method::Full,
///     ViewMut::new(&mut w, &[1], &[1], 0)?,
///     ViewMut::new(&mut v, &[2, 1], &[1, 2], 0)?,
///     &mut error,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!((rank, w[0].round(), error[0].round()), (1, -3.0, 2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::too_many_arguments)] // what goes in and what comes out
pub fn eigh_trunc<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    truncation: &Truncation,
    method: Method,
    w: ViewMut<'_, T::Real>,
    v: ViewMut<'_, T>,
    errors: &mut [f64],
    run: Run<'_>,
) -> Result<usize, Error> {
    method.check()?;
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let room = truncation.ceiling(n);
    let w = StackMut::new(w, "w", &[(room, n)], a.batch())?;
    let v = StackMut::new(v, "V", &[(n, n), (room, n)], a.batch())?;
    let partial = method.partial(room, n, a.batch(), run);
    truncated(a.batch(), n, truncation, errors, run, |moduli, run| {
        each(a.batch(), 9.0 * (n * n * n) as f64, run, (w, v, moduli), |i, (mut w, mut v, moduli), with| {
            let leading = match partial {
                Some(wanted) => leading(a.at(i), conj_a, wanted, truncation, moduli, with)?,
                None => None,
            };
            let mut order = with.zeros::<usize>(n)?;
            let (values, mut vectors) = match leading {
                Some(PartialEigh { w, v, .. }) => {
                    order.iter_mut().enumerate().for_each(|(l, at)| *at = l);
                    (w, v)
                }
                None => {
                    let eigh = eigh(a.at(i), conj_a, with)?;
                    by_modulus(&eigh.w, &mut order, moduli);
                    (eigh.w, eigh.v)
                }
            };
            // The rank of a stack is known only when all are done.
            let rank = if a.batch().is_empty() { truncation.apply(moduli)?.rank } else { room };
            for (l, &from) in order[..rank].iter().enumerate() {
                fix_vector(vectors.col_mut(from));
                v.reborrow().block(0, l, n, 1)?.copy_from(column(vectors.col(from)))?;
                w.reborrow().block(l, 0, 1, 1)?.copy_from(column(&[values[from]]))?;
            }
            Ok(())
        })
    })
}

/// The order of ascending values by descending modulus, and these moduli: the largest one is at one of the ends.
fn by_modulus<R: Real>(w: &[R], order: &mut [usize], moduli: &mut [R]) {
    let (mut low, mut high) = (0, w.len());
    for (at, modulus) in order.iter_mut().zip(moduli) {
        let (least, most) = (w[low].abs(), w[high - 1].abs());
        if most >= least {
            high -= 1;
            (*at, *modulus) = (high, most);
        } else {
            (*at, *modulus) = (low, least);
            low += 1;
        }
    }
}

/// The leading part of one matrix and all of its `moduli`, as far as they are known, if the rules can be sure of them.
fn leading<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    wanted: Partial,
    truncation: &Truncation,
    moduli: &mut [T::Real],
    with: Resources<'w>,
) -> Result<Option<PartialEigh<'w, T>>, Error> {
    let Some(eigh) = eigh_partial(a, conj, wanted, with)? else {
        return Ok(None);
    };
    let known = moduli_of(&eigh.w, with)?;
    let certain = complete(moduli, &known, eigh.rest, eigh.residual, truncation, with)?;
    Ok(certain.then_some(eigh))
}
