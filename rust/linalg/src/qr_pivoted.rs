//! The QR decomposition with column pivoting, which tells the rank.

use tensoroxide_dense::{qr_pivoted as dense, Element};
use tensoroxide_tensor::{Real, View, ViewMut};

use crate::gauge::fix_qr;
use crate::stack::{each, Chunks, Run, Stack, StackMut};
use crate::Error;

/// A[:, p] = Q·R, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), Q is m×k with orthonormal columns, and R is k×n and zero below the diagonal, which
/// is real, not negative, and does not increase but for rounding. `p` gets n numbers for each matrix: column j of Q·R
/// is column p\[j\] of A, counted from 0; of columns of which equally much is left, the first is taken. `rank` gets for
/// each matrix the number of diagonal elements of R above both `atol` and `rtol` times the first of them; `rtol` is
/// max(m, n)·eps if it is `None`.
///
/// # Errors
/// As [`crate::qr_compact`], and [`Error::Tolerance`].
///
/// ```
/// use tensoroxide_linalg::{qr_pivoted, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [1.0, 1.0, 2.0, 2.0]; // rank 1
/// let (mut q, mut r, mut p, mut rank) = ([0.0f64; 4], [0.0f64; 4], [0; 2], [0]);
/// qr_pivoted(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     (0.0, None),
///     ViewMut::new(&mut q, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut r, &[2, 2], &[1, 2], 0)?,
///     &mut p,
///     &mut rank,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!((p, rank), ([1, 0], [1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::too_many_arguments)] // what goes in and what comes out
pub fn qr_pivoted<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    (atol, rtol): (f64, Option<f64>),
    q: ViewMut<'_, T>,
    r: ViewMut<'_, T>,
    p: &mut [i64],
    rank: &mut [i64],
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let (m, n) = a.extents();
    let k = m.min(n);
    let rtol = rtol.unwrap_or(m.max(n) as f64 * T::Real::EPSILON.to_f64());
    for (name, value) in [("atol", atol), ("rtol", rtol)] {
        if !(0.0..).contains(&value) {
            return Err(Error::Tolerance { name, value });
        }
    }
    let q = StackMut::new(q, "Q", &[(m, m), (k, k)], a.batch())?;
    let r = StackMut::new(r, "R", &[(k, k), (n, n)], a.batch())?;
    let p = Chunks::new(p, "p", n, a.batch())?;
    let rank = Chunks::new(rank, "rank", 1, a.batch())?;
    each(a.batch(), 6.0 * (m * n * k) as f64, run, (q, r, p, rank), |i, (q, r, p, rank), with| {
        let found = dense(a.at(i), conj_a, with)?;
        let (mut left, mut right) = (found.q, found.r);
        fix_qr(&mut left, &mut right, with)?;
        let diagonal = |i: usize| right.col(i)[i].re().to_f64();
        rank[0] = (0..k).filter(|&i| diagonal(i) > atol.max(rtol * diagonal(0))).count() as i64;
        p.copy_from_slice(&found.p);
        q.copy_from(left.as_ref())?;
        Ok(r.copy_from(right.as_ref())?)
    })
}
