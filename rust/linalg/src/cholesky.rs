//! Cholesky's factor of positive definite matrices.

use tensoroxide_dense::{cholesky as factor, Element};
use tensoroxide_tensor::{View, ViewMut};

use crate::stack::{each, Run, Stack, StackMut};
use crate::Error;

/// A = L·Lᴴ for a positive definite Hermitian A, where `conj_a` has the elements of A conjugated first. L is zero
/// above its diagonal, which is real and positive: it is unique. Only the elements of A below the diagonal and the
/// real parts of those on it are read.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`], [`Error::NotPositiveDefinite`], [`Error::NotFinite`], [`Error::OutOfMemory`].
/// The outputs are then as they were.
///
/// ```
/// use tensoroxide_linalg::{cholesky, Run, Workspaces};
/// use tensoroxide_tensor::{View, ViewMut};
/// let (a, mut l) = ([4.0, 2.0, f64::NAN, 10.0], [0.0; 4]);
/// cholesky(
///     View::new(&a, &[2, 2], &[1, 2], 0)?,
///     false,
///     ViewMut::new(&mut l, &[2, 2], &[1, 2], 0)?,
///     Run::on(&Workspaces::default()),
/// )?;
/// assert_eq!(l, [2.0, 1.0, 0.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cholesky<T: Element>(a: View<'_, T>, conj_a: bool, l: ViewMut<'_, T>, run: Run<'_>) -> Result<(), Error> {
    let a = Stack::new(a, "A")?;
    let n = a.square("A")?;
    let l = StackMut::new(l, "L", &[(n, n), (n, n)], a.batch())?;
    each(a.batch(), (n * n * n) as f64 / 2.0, run, l, |i, l, with| {
        Ok(l.copy_from(factor(a.at(i), conj_a, with)?.as_ref())?)
    })
}
