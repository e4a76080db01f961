//! The QR decomposition: thin, full, and what of the full one is new.

use tensoroxide_dense::{qr, qr_full as full, Element, MatRef, Matrix, Qr, Resources};
use tensoroxide_tensor::{View, ViewMut};

use crate::gauge::{fix_qr, fix_vector};
use crate::stack::{each, Run, Stack, StackMut};
use crate::Error;

/// A = Q·R, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), Q is m×k with orthonormal columns, and R is k×n and zero below the diagonal, which
/// is real and not negative. If the first k columns of A are linearly independent, Q and R are so fixed up to rounding.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{qr_compact, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [-3.0, 4.0];
/// let (mut q, mut r) = ([0.0f64; 2], [0.0f64; 1]);
/// qr_compact(
///     View::new(&a, &[2, 1], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut q, &[2, 1], &[1, 2], 0)?,
///     ViewMut::new(&mut r, &[1, 1], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((r[0] - 5.0).abs() < 1e-14 && (q[0] + 0.6).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn qr_compact<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    q: ViewMut<'_, T>,
    r: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let k = m.min(n);
    let q = StackMut::new(q, "Q", &[(m, m), (k, k)], a.batch())?;
    let r = StackMut::new(r, "R", &[(k, k), (n, n)], a.batch())?;
    each(a.batch(), 2.0 * (m * n * k) as f64, run, (q, r), |i, (q, r), with| {
        let Qr { q: left, r: right } = compact(a.at(i), conj_a, with)?;
        q.copy_from(left.as_ref())?;
        Ok(r.copy_from(right.as_ref())?)
    })
}

/// The thin decomposition with its gauge.
pub(crate) fn compact<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Qr<'w, T>, Error> {
    let mut qr = qr(a, conj, with)?;
    fix_qr(&mut qr.q, &mut qr.r, with)?;
    Ok(qr)
}

/// The first k columns of Q with R, and the further columns, each with its gauge.
pub(crate) fn parts<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    with: Resources<'w>,
) -> Result<(Qr<'w, T>, Matrix<'w, T>), Error> {
    let (m, k) = (a.rows(), a.rows().min(a.cols()));
    let Qr { q, mut r } = full(a, conj, with)?;
    let mut first = Matrix::copy_of(q.as_ref().block(0, 0, m, k)?, false, with.workspace)?;
    let mut further = Matrix::copy_of(q.as_ref().block(0, k, m, m - k)?, false, with.workspace)?;
    fix_qr(&mut first, &mut r, with)?;
    (0..m - k).for_each(|j| _ = fix_vector(further.col_mut(j)));
    Ok((Qr { q: first, r }, further))
}

/// [`qr_compact`] with a square, unitary Q: Q is m×m, R is m×n, and zero below the k-th row.
///
/// The first k = min(m, n) columns of Q and rows of R are those of [`qr_compact`]. In each further column of Q the
/// entry of largest modulus, the first of equals, is real and positive; they span the orthogonal complement of the
/// first k columns and are free beyond that.
///
/// # Errors
/// As [`qr_compact`].
///
/// ```
/// use tensoroxide_linalg::{qr_full, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut q, mut r) = ([3.0, 4.0], [0.0f64; 4], [9.0f64; 2]);
/// qr_full(
///     View::new(&a, &[2, 1], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut q, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut r, &[2, 1], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((q[2] - 0.8).abs() < 1e-15 && (q[3] + 0.6).abs() < 1e-15 && r[1] == 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn qr_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    q: ViewMut<'_, T>,
    r: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let k = m.min(n);
    let q = StackMut::new(q, "Q", &[(m, m), (m, m)], a.batch())?;
    let r = StackMut::new(r, "R", &[(m, m), (n, n)], a.batch())?;
    each(a.batch(), 2.0 * (m * m * n) as f64, run, (q, r), |i, (mut q, mut r), with| {
        let (qr, further) = parts(a.at(i), conj_a, with)?;
        q.reborrow().block(0, 0, m, k)?.copy_from(qr.q.as_ref())?;
        q.block(0, k, m, m - k)?.copy_from(further.as_ref())?;
        r.reborrow().block(0, 0, k, n)?.copy_from(qr.r.as_ref())?;
        Ok(r.block(k, 0, m - k, n)?.copy_from(with.matrix(m - k, n)?.as_ref())?)
    })
}

/// An orthonormal basis of what the first k = min(m, n) columns of Q leave: the further columns of [`qr_full`], m×(m −
/// k).
///
/// If the columns of A are linearly independent, that is the null space of Aᴴ; of less than full rank, it is a part of
/// it.
///
/// # Errors
/// As [`qr_compact`].
///
/// ```
/// use tensoroxide_linalg::{qr_null, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut n) = ([3.0, 4.0], [0.0f64; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// qr_null(View::new(&a, &[2, 1], &[1, 2], 0)?, false, ViewMut::new(&mut n, &[2, 1], &[1, 2], 0)?, run)?;
/// assert!((n[0] - 0.8).abs() < 1e-15 && (n[1] + 0.6).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn qr_null<T: Element>(a: View<'_, T>, conj_a: bool, n: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (rows, columns) = a.extents();
    let left = rows - rows.min(columns);
    let n = StackMut::new(n, "N", &[(rows, rows), (left, left)], a.batch())?;
    each(a.batch(), 2.0 * (rows * rows * columns) as f64, run, n, |i, n, with| {
        Ok(n.copy_from(parts(a.at(i), conj_a, with)?.1.as_ref())?)
    })
}
