//! Gaussian elimination with partial and with complete pivoting; the inverse and the determinant by it.

use tensoroxide_dense::{lu as factor, lu_complete as factor_complete, Element};
use tensoroxide_tensor::{Complex64, Real, Scalar, View, ViewMut};

use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// Floating-point operations of each elimination.
fn work<T: Element>(a: &Stack<'_, T>) -> f64 {
    let (m, n) = a.extents();
    (m * n * m.min(n)) as f64
}

/// A[p, :] = L·U, where `conj_a` has the elements of A conjugated first.
///
/// With A of m×n and k = min(m, n), L is m×k, zero above the diagonal and 1 on it, and U is k×n and zero below the
/// diagonal; p has m indices, counted from 0. The pivot of a column is the entry with the largest |re| + |im| that is
/// left in it, the first of equals, so that this size of an entry of L is at most √2, and at most 1 for real
/// matrices. A zero pivot is no error: U then has a zero on its diagonal. Where sizes are equal up to rounding,
/// drivers may choose different pivots.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{lu, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [1.0, 2.0, 3.0, 4.0]; // column-major
/// let (mut l, mut u, mut p) = ([0.0; 4], [0.0; 4], [0; 2]);
/// lu(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut l, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut u, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut p, &[2], &[1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!((l, u, p), ([1.0, 0.5, 0.0, 1.0], [2.0, 0.0, 4.0, 1.0], [1, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lu<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    l: ViewMut<'_, T>,
    u: ViewMut<'_, T>,
    p: ViewMut<'_, i64>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let ((m, n), k) = (a.extents(), a.extents().0.min(a.extents().1));
    let l = StackMut::new(l, "L", &[(m, m), (k, k)], a.batch())?;
    let u = StackMut::new(u, "U", &[(k, k), (n, n)], a.batch())?;
    let p = StackMut::new(p, "p", &[(m, m)], a.batch())?;
    each(a.batch(), work(&a), run, (l, u, p), |i, (l, u, p), with| {
        let lu = factor(a.at(i), conj_a, with)?;
        let (left, right, rows) = (lu.l(with)?, lu.u(with)?, lu.rows(with)?);
        l.copy_from(left.as_ref())?;
        u.copy_from(right.as_ref())?;
        Ok(p.copy_from(column(&rows))?)
    })
}

/// A[p, q] = L·U: [`lu`] with complete pivoting. The pivot is the entry with the largest |re| + |im| in all that is
/// left, the first of equals column by column. Up to rounding, the number of pivots that are not zero is the rank of
/// A.
///
/// # Errors
/// As [`lu`].
///
/// ```
/// use tensoroxide_linalg::{lu_complete, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let a = [1.0, 2.0, 2.0, 4.0];
/// let (mut l, mut u, mut p, mut q) = ([0.0; 4], [0.0; 4], [0; 2], [0; 2]);
/// lu_complete(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut l, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut u, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut p, &[2], &[1], 0)?,
///     ViewMut::new(&mut q, &[2], &[1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!((l, u, p, q), ([1.0, 0.5, 0.0, 1.0], [4.0, 0.0, 2.0, 0.0], [1, 0], [1, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lu_complete<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    l: ViewMut<'_, T>,
    u: ViewMut<'_, T>,
    p: ViewMut<'_, i64>,
    q: ViewMut<'_, i64>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let ((m, n), k) = (a.extents(), a.extents().0.min(a.extents().1));
    let l = StackMut::new(l, "L", &[(m, m), (k, k)], a.batch())?;
    let u = StackMut::new(u, "U", &[(k, k), (n, n)], a.batch())?;
    let p = StackMut::new(p, "p", &[(m, m)], a.batch())?;
    let q = StackMut::new(q, "q", &[(n, n)], a.batch())?;
    each(a.batch(), 2.0 * work(&a), run, (l, u, p, q), |i, (l, u, p, q), with| {
        let lu = factor_complete(a.at(i), conj_a, with)?;
        let (left, right) = (lu.l(with)?, lu.u(with)?);
        let (rows, columns) = (lu.rows(with)?, lu.columns(with)?);
        l.copy_from(left.as_ref())?;
        u.copy_from(right.as_ref())?;
        p.copy_from(column(&rows))?;
        Ok(q.copy_from(column(&columns))?)
    })
}

/// X = A⁻¹, where `conj_a` has the elements of A conjugated first.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::Singular`] for a zero pivot, [`Error::NotFinite`],
/// [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{inv, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut x) = ([0.0, 2.0, 4.0, 0.0], [0.0; 4]);
/// inv(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut x, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(x, [0.0, 0.25, 0.5, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inv<T: Element>(a: View<'_, T>, conj_a: bool, x: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let x = StackMut::new(x, "X", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), 3.0 * work(&a), run, x, |i, x, with| {
        let inverse = factor(a.at(i), conj_a, with)?.inverse(with)?;
        Ok(x.copy_from(inverse.as_ref())?)
    })
}

/// The determinant of each matrix, where `conj_a` has the elements of A conjugated first: 0 for a singular one, 1 for
/// an empty one, and 0 or infinite where it is beyond the range of the type, which [`logabsdet`] is not. `d` has the
/// axes of the batch.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::OutOfMemory`]. The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{det, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut d) = ([0.0, 2.0, 4.0, 0.0], [0.0]);
/// let (a, d_view) = (View::new(&a, &[2, 2], &[1, 2], 0)?, ViewMut::new(&mut d, &[], &[], 0)?);
/// det(a, false, d_view, Run::on(&Workspaces::default()))?;
/// assert_eq!(d, [-8.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn det<T: Element>(a: View<'_, T>, conj_a: bool, d: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    a.square("A")?;
    let d = StackMut::new(d, "d", &[], a.batch())?;
    each(a.batch(), work(&a), run, d, |i, d, with| {
        let (z, e) = factor(a.at(i), conj_a, with)?.det();
        Ok(d.copy_from(column(&[T::from_c64(times_power_of_two(z, e))]))?)
    })
}

/// log|det A| and det A/|det A| of each matrix, where `conj_a` has the elements of A conjugated first: −∞ and 0 for a
/// singular one, 0 and 1 for an empty one. Both outputs have the axes of the batch.
///
/// # Errors
/// As [`det`].
///
/// ```
/// use tensoroxide_linalg::{logabsdet, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut log, mut phase) = ([0.0, 2.0, 4.0, 0.0], [0.0], [0.0]);
/// logabsdet(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut log, &[], &[], 0)?,
///     ViewMut::new(&mut phase, &[], &[], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert!((log[0] - 8f64.ln()).abs() < 1e-15);
/// assert_eq!(phase, [-1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn logabsdet<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    log: ViewMut<'_, T::Real>,
    phase: ViewMut<'_, T>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    a.square("A")?;
    let log = StackMut::new(log, "log", &[], a.batch())?;
    let phase = StackMut::new(phase, "phase", &[], a.batch())?;
    each(a.batch(), work(&a), run, (log, phase), |i, (log, phase), with| {
        let (z, e) = factor(a.at(i), conj_a, with)?.det();
        let (modulus, direction) = match z.norm() {
            0.0 => (f64::NEG_INFINITY, Complex64::ZERO),
            modulus => (modulus.ln() + e as f64 * std::f64::consts::LN_2, z / modulus),
        };
        log.copy_from(column(&[T::Real::from_f64(modulus)]))?;
        Ok(phase.copy_from(column(&[T::from_c64(direction)]))?)
    })
}

/// z·2^e, step by step: a factor that is infinite would make NaN of a part that is zero.
fn times_power_of_two(mut z: Complex64, e: i64) -> Complex64 {
    let mut e = e.clamp(-4000, 4000);
    while e != 0 {
        let step = e.clamp(-1000, 1000);
        z = z.scale(f64::exp2i(step as i32));
        e -= step;
    }
    z
}
