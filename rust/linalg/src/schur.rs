//! The Schur decomposition.

use tensoroxide_dense::{schur, schur_values, Element, Matrix};
use tensoroxide_tensor::{View, ViewMut};

use crate::gauge::fix_vector;
use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// A = Z·T·Zᴴ with unitary Z, where `conj_a` has the elements of A conjugated first.
///
/// With A of n×n, all three of n rows. T is upper triangular for complex A. For real A it is quasi-triangular: blocks
/// of 1×1 and 2×2 stand on its diagonal, and a block (a, b; c, d) of 2×2 has a = d and b·c < 0, that is the
/// eigenvalues a ± i·√(−b·c). w holds the eigenvalues in the order of the diagonal, of a pair that with the positive
/// imaginary part first. That order is the driver's. The columns of Z have the gauge of those of U in
/// [`crate::svd_compact`], but for the second column of a block of 2×2, whose sign goes with that of the first.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::Exhausted`], [`Error::OutOfMemory`]. The outputs
/// are then as they were.
///
/// ```
/// use tensoroxide_linalg::{schur_full, Run, Workspaces};
/// use tensoroxide_tensor::{Complex64, View, ViewMut};
/// let a = [2.0, 0.0, 1.0, 3.0];
/// let (mut t, mut z, mut w) = ([f64::NAN; 4], [f64::NAN; 4], [Complex64::ZERO; 2]);
/// schur_full(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut t, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut z, &[2, 2], &[1, 2], 0)?,
///     ViewMut::new(&mut w, &[2], &[1], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!((t, z), (a, [1.0, 0.0, 0.0, 1.0]));
/// assert_eq!(w, [Complex64::from(2.0), Complex64::from(3.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn schur_full<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    t: ViewMut<'_, T>,
    z: ViewMut<'_, T>,
    w: ViewMut<'_, T::Complex>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let t = StackMut::new(t, "T", &[(n, n), (n, n)], a.batch())?;
    let z = StackMut::new(z, "Z", &[(n, n), (n, n)], a.batch())?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    each(a.batch(), 25.0 * (n * n * n) as f64, run, (t, z, w), |i, (t, z, w), with| {
        let mut schur = schur(a.at(i), conj_a, with)?;
        let mut phases = with.zeros::<T>(n)?;
        fix_schur(&mut schur.t, &mut schur.z, &mut phases);
        t.copy_from(schur.t.as_ref())?;
        z.copy_from(schur.z.as_ref())?;
        Ok(w.copy_from(column(&schur.w))?)
    })
}

/// The n eigenvalues of A: those of [`schur_full`] up to rounding and order, which is the driver's here too. The two
/// of a pair are neighbours.
///
/// # Errors
/// As [`schur_full`].
///
/// ```
/// use tensoroxide_linalg::{schur_vals, Run, Workspaces};
/// use tensoroxide_tensor::{Complex64, View, ViewMut};
/// let (a, mut w) = ([2.0, 0.0, 1.0, 3.0], [Complex64::ZERO; 2]);
/// let workspaces = Workspaces::default();
/// let run = Run::on(&workspaces);
/// schur_vals(View::new(&a, &[2, 2], &[1, 2], 0)?, false, ViewMut::new(&mut w, &[2], &[1], 0)?, run)?;
/// assert!((w[0] * w[1] - 6.0).norm() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn schur_vals<T: Element>(
    a: View<'_, T>,
    conj_a: bool,
    w: ViewMut<'_, T::Complex>,
    run: Run<'_>,
) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let w = StackMut::new(w, "w", &[(n, n)], a.batch())?;
    each(a.batch(), 10.0 * (n * n * n) as f64, run, w, |i, w, with| {
        Ok(w.copy_from(column(&schur_values(a.at(i), conj_a, with)?))?)
    })
}

/// Gives the columns of Z their gauge, and T the opposite phases.
fn fix_schur<T: Element>(t: &mut Matrix<'_, T>, z: &mut Matrix<'_, T>, phases: &mut [T]) {
    let n = t.rows();
    for j in 0..n {
        // The second column of a block.
        if j > 0 && t.col(j - 1)[j] != T::ZERO {
            phases[j] = phases[j - 1];
            z.col_mut(j).iter_mut().for_each(|x| *x *= phases[j].conj());
        } else {
            phases[j] = fix_vector(z.col_mut(j));
        }
    }
    for j in 0..n {
        for (i, x) in t.col_mut(j).iter_mut().take((j + 2).min(n)).enumerate() {
            // The blocks on the diagonal stay as they are; rounding would spoil them.
            if phases[i] != phases[j] {
                *x *= phases[i] * phases[j].conj();
            }
        }
    }
}
