//! The LQ decomposition, through the QR decomposition of Aᴴ = Q·R: A = Rᴴ·Qᴴ. Strides and a flag make Aᴴ, no copy.

use tensoroxide_dense::{Element, Qr};
use tensoroxide_tensor::{View, ViewMut};

use crate::qr::{compact, parts};
use crate::stack::{each, write_adjoint, Run, Stack, StackMut};
use crate::Error;

/// A = L·Q, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), L is m×k and zero above the diagonal, which is real and not negative, and Q is k×n
/// with orthonormal rows. If the first k rows of A are linearly independent, L and Q are so fixed up to rounding.
///
/// # Errors
/// As [`crate::qr_compact`].
///
/// ```
/// use tensoroxide_linalg::{lq_compact, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut l, mut q) = ([-3.0, 4.0], [0.0f64], [0.0f64; 2]);
/// lq_compact(
///     View::new(&a, &[1, 2], &[1, 1], 0)?,
///     false,
///     ViewMut::new(&mut l, &[1, 1], &[1, 1], 0)?,
///     ViewMut::new(&mut q, &[1, 2], &[1, 1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((l[0] - 5.0).abs() < 1e-14 && (q[0] + 0.6).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lq_compact<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    l: ViewMut<'_, T>,
    q: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let k = m.min(n);
    let l = StackMut::new(l, "L", &[(m, m), (k, k)], a.batch())?;
    let q = StackMut::new(q, "Q", &[(k, k), (n, n)], a.batch())?;
    each(a.batch(), 2.0 * (m * n * k) as f64, run, (l, q), |i, (l, q), with| {
        let Qr { q: mut left, r: mut right } = compact(a.at(i).t(), !conj_a, with)?;
        write_adjoint(l, &mut right)?;
        write_adjoint(q, &mut left)
    })
}

/// [`lq_compact`] with a square, unitary Q: L is m×n and zero beyond the k-th column, Q is n×n.
///
/// The first k = min(m, n) columns of L and rows of Q are those of [`lq_compact`]. Each further row of Q is the adjoint
/// of a vector whose entry of largest modulus, the first of equals, is real and positive.
///
/// # Errors
/// As [`crate::qr_compact`].
///
/// ```
/// use tensoroxide_linalg::{lq_full, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut l, mut q) = ([3.0, 4.0], [9.0f64; 2], [0.0f64; 4]);
/// lq_full(
///     View::new(&a, &[1, 2], &[1, 1], 0)?,
///     false,
///     ViewMut::new(&mut l, &[1, 2], &[1, 1], 0)?,
///     ViewMut::new(&mut q, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((q[1] - 0.8).abs() < 1e-15 && (q[3] + 0.6).abs() < 1e-15 && l[1] == 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lq_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    l: ViewMut<'_, T>,
    q: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let k = m.min(n);
    let l = StackMut::new(l, "L", &[(m, m), (n, n)], a.batch())?;
    let q = StackMut::new(q, "Q", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 2.0 * (m * n * n) as f64, run, (l, q), |i, (mut l, mut q), with| {
        let (mut qr, mut further) = parts(a.at(i).t(), !conj_a, with)?;
        write_adjoint(l.reborrow().block(0, 0, m, k)?, &mut qr.r)?;
        l.block(0, k, m, n - k)?.copy_from(with.matrix(m, n - k)?.as_ref())?;
        write_adjoint(q.reborrow().block(0, 0, k, n)?, &mut qr.q)?;
        write_adjoint(q.block(k, 0, n - k, n)?, &mut further)
    })
}

/// An orthonormal basis of what the first k = min(m, n) rows of Q leave: the further rows of [`lq_full`], (n − k)×n.
///
/// If the rows of A are linearly independent, these are the adjoints of a basis of the null space of A; of less than
/// full rank, of a part of it.
///
/// # Errors
/// As [`crate::qr_compact`].
///
/// ```
/// use tensoroxide_linalg::{lq_null, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut n) = ([3.0, 4.0], [0.0f64; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// lq_null(View::new(&a, &[1, 2], &[1, 1], 0)?, false, ViewMut::new(&mut n, &[1, 2], &[1, 1], 0)?, run)?;
/// assert!((n[0] - 0.8).abs() < 1e-15 && (n[1] + 0.6).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lq_null<T: Element>(a: View<'_, T>, conj_a: bool, n: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (rows, columns) = a.extents();
    let left = columns - rows.min(columns);
    let n = StackMut::new(n, "N", &[(left, left), (columns, columns)], a.batch())?;
    each(a.batch(), 2.0 * (rows * columns * columns) as f64, run, n, |i, n, with| {
        write_adjoint(n, &mut parts(a.at(i).t(), !conj_a, with)?.1)
    })
}
