//! Systems of linear equations, A·X = B, by elimination with partial pivoting.

use crate::{lu, small, Element, Error, MatMut, MatRef, Provider, Resources};

/// Writes the X with op(A)·X = op(B) for a square A, as [`lu`](crate::lu()) and [`Lu::solve`](crate::Lu::solve) compute
/// it; each op conjugates the elements if asked to.
///
/// # Errors
/// [`Error::Shape`]; [`Error::Singular`] for a zero pivot; [`Error::NotFinite`] if A or B holds NaN or infinity, or if
/// an element of X is too large for the type; [`Error::OutOfMemory`]. X is then as it was.
///
/// ```
/// use tensoroxide_dense::{solve, MatMut, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let (a, b, mut x) = ([0.0, 2.0, 4.0, 0.0], [8.0, 6.0], [0.0; 2]);
/// let (a, b) = (MatRef::from_slice(&a, 2, 2, 1, 2)?, MatRef::from_slice(&b, 2, 1, 1, 2)?);
/// solve(a, false, b, false, MatMut::from_slice(&mut x, 2, 1, 1, 2)?, Resources::of(&workspace))?;
/// assert_eq!(x, [3.0, 2.0]);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn solve<T: Element>(
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    mut x: MatMut<'_, T>,
    with: Resources<'_>,
) -> Result<(), Error> {
    let (n, k) = (a.rows(), b.cols());
    let fits = [("A", (n, n), (n, a.cols())), ("B", (n, k), (b.rows(), k)), ("X", (n, k), (x.rows(), x.cols()))];
    if let Some(&(operand, expected, found)) = fits.iter().find(|(_, expected, found)| expected != found) {
        return Err(Error::Shape { operand, expected, found });
    }
    if with.provider != Provider::Lent && small::solve(a, conj_a, b, conj_b, &mut x) {
        return Ok(());
    }
    x.copy_from(lu(a, conj_a, with)?.solve(b, conj_b, with)?.as_ref())
}
