//! The thin singular value decomposition, whole and truncated.

use std::sync::{Mutex, PoisonError};

use tensoroxide_dense::{svd, Element, MatMut, Svd};
use tensoroxide_tensor::{Scalar, View, ViewMut};

use crate::gauge::fix_vector;
use crate::stack::{column, each, Run, Stack, StackMut};
use crate::{Error, Truncated, Truncation};

/// A = U·Diagonal(S)·Vᴴ, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), U is m×k with orthonormal columns, S has k real values in descending order, and Vᴴ
/// is k×n with orthonormal rows. In each column of U the entry of largest modulus, the first of equals, is real and
/// positive; entries whose moduli differ by at most 10·m·eps of the largest are equals. The vectors of a singular value
/// that occurs once are so fixed up to rounding.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::NoConvergence`], [`Error::OutOfMemory`]. The outputs
/// are then as they were.
///
/// ```
/// use tensoroxide_linalg::{svd_compact, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, -2.0, 3.0, 0.0]; // column-major
/// let (mut u, mut s, mut vh) = ([0.0; 4], [0.0; 2], [0.0; 4]);
/// svd_compact(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut u, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[2], &[1], 0)?,
///     ViewMut::new(&mut vh, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((s[0] - 3.0f64).abs() < 1e-14 && (s[1] - 2.0f64).abs() < 1e-14);
/// assert_eq!(u.map(f64::round), [1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(vh.map(f64::round), [0.0, -1.0, 1.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_compact<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let k = a.extents().0.min(a.extents().1);
    let outputs = outputs(&a, (k, k), u, s, vh)?;
    each(a.batch(), work(&a), run, outputs, |i, to, with| write(&mut svd(a.at(i), conj_a, with)?, k, to))
}

/// The largest singular values and their vectors, as many as the [`Truncation`] keeps: [`svd_compact`] otherwise.
///
/// U, S and Vᴴ have room for `truncation.ceiling(k)` columns, entries and rows, or for more, up to k; of these, the first
/// `rank` are written and the others left as they were.
///
/// # Errors
/// Those of [`svd_compact`], and [`Error::Tolerance`].
///
/// ```
/// use tensoroxide_linalg::{svd_trunc, Run, Truncation, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, 2.0, 3.0, 0.0];
/// let (mut u, mut s, mut vh) = ([0.0; 2], [0.0], [0.0; 2]);
/// let truncated = svd_trunc(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     &Truncation { maxrank: Some(1), ..Default::default() },
///     ViewMut::new(&mut u, &[2, 1], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[1], &[1], 0)?,
///     ViewMut::new(&mut vh, &[1, 2], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(truncated.rank, 1);
/// assert!((truncated.error - 2.0).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_trunc<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    truncation: &Truncation,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<Truncated, Error> {
    truncation.check()?;
    let a = Stack::new(a, "A")?;
    let k = a.extents().0.min(a.extents().1);
    let outputs = outputs(&a, (truncation.ceiling(k), k), u, s, vh)?;
    let result = Mutex::new(Truncated { rank: 0, error: 0.0 });
    each(a.batch(), work(&a), run, outputs, |i, to, with| {
        let mut svd = svd(a.at(i), conj_a, with)?;
        let truncated = truncation.apply(&svd.s)?;
        *result.lock().unwrap_or_else(PoisonError::into_inner) = truncated;
        write(&mut svd, truncated.rank, to)
    })?;
    Ok(result.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Floating-point operations of each decomposition, roughly.
fn work<T: Element>(a: &Stack<'_, T>) -> f64 {
    let (m, n) = a.extents();
    20.0 * (m * n * m.min(n)) as f64
}

type Factors<'a, T> = (StackMut<'a, T>, StackMut<'a, <T as Scalar>::Real>, StackMut<'a, T>);

/// U, S and Vᴴ, with room for at least and at most so many singular values of each matrix of `a`.
fn outputs<'a, T: Element>(
    a: &Stack<'_, T>,
    room: (usize, usize),
    u: ViewMut<'a, T>,
    s: ViewMut<'a, T::Real>,
    vh: ViewMut<'a, T>,
) -> Result<Factors<'a, T>, Error> {
    let ((m, n), batch) = (a.extents(), a.batch());
    let u = StackMut::new(u, "U", &[(m, m), room], batch)?;
    let s = StackMut::new(s, "S", &[room], batch)?;
    Ok((u, s, StackMut::new(vh, "Vᴴ", &[room, (n, n)], batch)?))
}

/// Fixes the gauge of the first `rank` vectors and writes them. The outputs have room for them.
fn write<T: Element>(
    Svd { u: left, s: values, vh: right }: &mut Svd<'_, T>,
    rank: usize,
    (u, s, vh): (MatMut<'_, T>, MatMut<'_, T::Real>, MatMut<'_, T>),
) -> Result<(), Error> {
    let (m, n) = (left.rows(), right.cols());
    // U·D and Dᴴ·Vᴴ, with the phases D, have the same product.
    for l in 0..rank {
        let phase = fix_vector(left.col_mut(l));
        (0..n).for_each(|j| right.col_mut(j)[l] *= phase);
    }
    u.block(0, 0, m, rank)?.copy_from(left.as_ref().block(0, 0, m, rank)?)?;
    vh.block(0, 0, rank, n)?.copy_from(right.as_ref().block(0, 0, rank, n)?)?;
    Ok(s.block(0, 0, rank, 1)?.copy_from(column(&values[..rank]))?)
}
