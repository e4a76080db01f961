//! Eigenvalues and eigenvectors of Hermitian matrices.

use tensoroxide_dense::{eigh, Element};
use tensoroxide_tensor::{View, ViewMut};

use crate::gauge::fix_vector;
use crate::stack::{column, each, Run, Stack, StackMut};
use crate::Error;

/// A = V·Diagonal(w)·Vᴴ for Hermitian A, where `conj_a` has the elements of A conjugated first.
///
/// With A of n×n, w has n real values in ascending order, and V is n×n with orthonormal columns, each with the gauge of
/// the columns of U in [`crate::svd_compact`]. Only the elements below the diagonal and the real parts of those on it are
/// read: that the others fit them is for the caller to know.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotFinite`], [`Error::NoConvergence`], [`Error::OutOfMemory`]. The outputs
/// are then as they were.
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
