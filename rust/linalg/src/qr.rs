//! The thin QR decomposition.

use tensoroxide_dense::{qr, Element};
use tensoroxide_tensor::{View, ViewMut};

use crate::gauge::fix_qr;
use crate::stack::{each, Run, Stack, StackMut};
use crate::Error;

/// A = Q·R, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), Q is m×k with orthonormal columns, and R is k×n and zero below the diagonal, which is
/// real and not negative. If the first k columns of A are linearly independent, Q and R are so fixed up to rounding.
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
        let mut qr = qr(a.at(i), conj_a, with)?;
        fix_qr(&mut qr.q, &mut qr.r);
        q.copy_from(qr.q.as_ref())?;
        Ok(r.copy_from(qr.r.as_ref())?)
    })
}
