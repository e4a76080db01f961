//! Singular values and vectors: the thin decomposition, whole and truncated, the full one, and the values alone.

use tensoroxide_dense::{
    qr_full, svd, svd_partial, svd_values, Element, MatMut, MatRef, Matrix, Partial, Plain, Resources, Svd,
};
use tensoroxide_tensor::{Real, Scalar, View, ViewMut};

use crate::gauge::fix_vector;
use crate::method::complete;
use crate::stack::{column, each, write_adjoint, Chunks, Run, Stack, StackMut};
use crate::{Error, Method, Truncation};

/// A = U·Diagonal(S)·Vᴴ, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), U is m×k with orthonormal columns, S has k real values in descending order, and Vᴴ
/// is k×n with orthonormal rows. In each column of U the entry of largest modulus, the first of equals, is real and
/// positive; entries whose moduli differ by at most 10·m·eps of the largest are equals. The vectors of a singular value
/// that occurs once are so fixed up to rounding.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::Exhausted`], [`Error::OutOfMemory`]. The
/// outputs are then as they were.
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
    each(a.batch(), work(&a), run, outputs, |i, to, with| write(&mut svd(a.at(i), conj_a, with)?, k, to, with))
}

/// [`svd_compact`] with square, unitary factors: U is m×m, S has k = min(m, n) values, Vᴴ is n×n.
///
/// The first k columns of U and rows of Vᴴ are those of [`svd_compact`]. In each further one the entry of largest
/// modulus, the first of equals, is real and positive; they span the right space and are free beyond that.
///
/// # Errors
/// As [`svd_compact`].
///
/// ```
/// use tensoroxide_linalg::{svd_full, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [3.0, 4.0];
/// let (mut u, mut s, mut vh) = ([0.0; 4], [0.0], [0.0]);
/// svd_full(
///     View::new(&a, &[2, 1], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut u, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[1], &[1], 0)?,
///     ViewMut::new(&mut vh, &[1, 1], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// let expected = [0.6, 0.8, 0.8, -0.6];
/// assert!(u.iter().zip(expected).all(|(x, y): (&f64, f64)| (x - y).abs() < 1e-15));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let ((m, n), batch) = (a.extents(), a.batch());
    let k = m.min(n);
    let u = StackMut::new(u, "U", &[(m, m), (m, m)], batch)?;
    let s = StackMut::new(s, "S", &[(k, k)], batch)?;
    let vh = StackMut::new(vh, "Vᴴ", &[(n, n), (n, n)], batch)?;
    each(batch, work(&a), run, (u, s, vh), |i, (mut u, s, mut vh), with| {
        let mut svd = svd(a.at(i), conj_a, with)?;
        // At most one of the factors has further vectors.
        let mut further = if m > n {
            complement(&svd.u, with)?
        } else {
            complement(&Matrix::copy_of(svd.vh.as_ref().t(), true, with.workspace)?, with)?
        };
        if m > n {
            u.reborrow().block(0, k, m, m - k)?.copy_from(further.as_ref())?;
        } else {
            write_adjoint(vh.reborrow().block(k, 0, n - k, n)?, &mut further)?;
        }
        write(&mut svd, k, (u, s, vh), with)
    })
}

/// What completes k orthonormal columns to a basis, each with its gauge.
fn complement<'w, T: Element>(columns: &Matrix<'_, T>, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
    let (m, k) = (columns.rows(), columns.cols());
    let q = qr_full(columns.as_ref(), false, with)?.q;
    let mut further = Matrix::copy_of(q.as_ref().block(0, k, m, m - k)?, false, with.workspace)?;
    (0..m - k).for_each(|j| _ = fix_vector(further.col_mut(j)));
    Ok(further)
}

/// The k = min(m, n) singular values of A, descending.
///
/// # Errors
/// As [`svd_compact`].
///
/// ```
/// use tensoroxide_linalg::{svd_vals, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut s) = ([0.0, -2.0, 3.0, 0.0], [0.0f64; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// svd_vals(View::new(&a, &[2, 2], &[1, 2], 0)?, false, ViewMut::new(&mut s, &[2], &[1], 0)?, run)?;
/// assert!((s[0] - 3.0).abs() < 1e-15 && (s[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd_vals<T: Element>(a: View<'_, T>, conj_a: bool, s: ViewMut<'_, T::Real>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let k = a.extents().0.min(a.extents().1);
    let s = StackMut::new(s, "S", &[(k, k)], a.batch())?;
    each(a.batch(), work(&a) / 4.0, run, s, |i, s, with| {
        Ok(s.copy_from(column(&svd_values(a.at(i), conj_a, with)?))?)
    })
}

/// The largest singular values and their vectors, as many as the [`Truncation`] keeps: [`svd_compact`] otherwise.
///
/// U, S and Vᴴ have room for `truncation.ceiling(k)` columns, entries and rows, or for more, up to k; of these, the
/// first `rank`, which is returned, are written and the others left as they were. `errors` gets the 2-norm of the
/// values that were cut off, one for each matrix of the batch, the first axis fastest.
///
/// A stack is cut to one rank: the largest that one of its matrices needs. Of a stack more columns than `rank` may be
/// written.
///
/// [`Method`] says whether the whole decomposition is computed for that. A matrix done by the randomised method has as its
/// error ‖A − U·Diagonal(S)·Vᴴ‖, computed as it is written here.
///
/// # Errors
/// Those of [`svd_compact`], and [`Error::Tolerance`].
///
/// ```
/// use tensoroxide_linalg::{svd_trunc, Method, Run, Truncation, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [0.0, 2.0, 3.0, 0.0];
/// let (mut u, mut s, mut vh) = ([0.0; 2], [0.0], [0.0; 2]);
/// let mut error = [0.0];
/// let rank = svd_trunc(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     &Truncation { maxrank: Some(1), ..Default::default() },
///     Method::Full,
///     ViewMut::new(&mut u, &[2, 1], &[1, 2], 0)?,
///     ViewMut::new(&mut s, &[1], &[1], 0)?,
///     ViewMut::new(&mut vh, &[1, 2], &[1, 1], 0)?,
///     &mut error,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(rank, 1);
/// assert!((error[0] - 2.0).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::too_many_arguments)] // what goes in and what comes out
pub fn svd_trunc<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    truncation: &Truncation,
    method: Method,
    u: ViewMut<'_, T>,
    s: ViewMut<'_, T::Real>,
    vh: ViewMut<'_, T>,
    errors: &mut [f64],
    run: Run<'_>,
) -> Result<usize, Error> {
    method.check()?;
    let a = Stack::new(a, "A")?;
    let k = a.extents().0.min(a.extents().1);
    let room = truncation.ceiling(k);
    let outputs = outputs(&a, (room, k), u, s, vh)?;
    let partial = method.partial(room, k, a.batch(), run);
    truncated(a.batch(), k, truncation, errors, run, |values, run| {
        each(a.batch(), work(&a), run, (outputs, values), |i, (to, values), with| {
            let leading = match partial {
                Some(wanted) => leading(a.at(i), conj_a, wanted, truncation, values, with)?,
                None => None,
            };
            let mut svd = match leading {
                Some(svd) => svd,
                None => {
                    let svd = svd(a.at(i), conj_a, with)?;
                    values.copy_from_slice(&svd.s);
                    svd
                }
            };
            // The rank of a stack is known only when all are done.
            let rank = if a.batch().is_empty() { truncation.apply(&svd.s)?.rank } else { room };
            write(&mut svd, rank, to, with)
        })
    })
}

/// The leading part of one matrix and all of its `values`, as far as they are known, if the rules can be sure of them.
fn leading<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    wanted: Partial,
    truncation: &Truncation,
    values: &mut [T::Real],
    with: Resources<'w>,
) -> Result<Option<Svd<'w, T>>, Error> {
    let Some(svd) = svd_partial(a, conj, wanted, with)? else {
        return Ok(None);
    };
    let certain = complete(values, &svd.s, svd.rest, svd.residual, truncation, with)?;
    Ok(certain.then_some(Svd { u: svd.u, s: svd.s, vh: svd.vh }))
}

/// The rank of a batch that is decomposed by `decompose`, which writes the `k` values of each matrix, and the errors.
pub(crate) fn truncated<R: Real + Plain>(
    batch: &[usize],
    k: usize,
    truncation: &Truncation,
    errors: &mut [f64],
    run: Run<'_>,
    decompose: impl FnOnce(Chunks<'_, R>, Run<'_>) -> Result<(), Error>,
) -> Result<usize, Error> {
    truncation.check()?;
    let count: usize = batch.iter().product();
    if errors.len() != count {
        return Err(Error::Shape { operand: "the errors", expected: vec![(count, count)], found: vec![errors.len()] });
    }
    let workspace = run.workspaces.take().unwrap_or_default();
    let result = workspace.zeros::<R>(k * count).map_err(Error::from).and_then(|mut values| {
        decompose(Chunks::new(&mut values, "the values", k, batch)?, run)?;
        let values = |i: usize| &values[i * k..][..k];
        let mut ranks = (0..count).map(|i| truncation.apply(values(i)).map(|t| t.rank));
        let rank = ranks.try_fold(0, |most, rank| rank.map(|rank| most.max(rank)))?;
        let kept = Truncation { maxrank: Some(rank), minrank: rank, ..Default::default() };
        for (i, error) in errors.iter_mut().enumerate() {
            *error = kept.apply(values(i))?.error;
        }
        Ok(rank)
    });
    // In this order, so that the same call finds each workspace, with what it has in it, in the same part again.
    let other = run.workspaces.take();
    run.workspaces.give(workspace);
    if let Some(other) = other {
        run.workspaces.give(other);
    }
    result
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
    with: Resources<'_>,
) -> Result<(), Error> {
    let (m, n) = (left.rows(), right.cols());
    // U·D and Dᴴ·Vᴴ, with the phases D, have the same product.
    let mut phases = with.zeros::<T>(rank)?;
    phases.iter_mut().enumerate().for_each(|(l, phase)| *phase = fix_vector(left.col_mut(l)));
    for j in 0..n {
        right.col_mut(j).iter_mut().zip(&phases[..]).for_each(|(x, &phase)| *x *= phase);
    }
    u.block(0, 0, m, rank)?.copy_from(left.as_ref().block(0, 0, m, rank)?)?;
    vh.block(0, 0, rank, n)?.copy_from(right.as_ref().block(0, 0, rank, n)?)?;
    Ok(s.block(0, 0, rank, 1)?.copy_from(column(&values[..rank]))?)
}
