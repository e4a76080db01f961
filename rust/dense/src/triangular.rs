//! Systems with a triangular matrix: LAPACK's trtrs if it was lent, own kernels otherwise and for small matrices.

use crate::element::Kernels;
use crate::lu::{by_lent, regular_diagonal};
use crate::scaling::{moderate_copy, scale_back, Triangle};
use crate::{Element, Error, MatRef, Matrix, Provider, Resources};

/// The solution of op(A)·X = op(B), where A is the upper or the lower triangle of the given matrix, with its diagonal
/// or with ones there; each op conjugates the elements if asked to. No other element of the matrix is read.
///
/// # Errors
/// [`Error::Shape`]; [`Error::Singular`] for a zero on the diagonal; [`Error::NotFinite`] if what is read holds NaN
/// or infinity, or if an element of X is too large for the type; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{solve_triangular, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let (a, b) = ([2.0, f64::NAN, 1.0, 4.0], [4.0, 8.0]);
/// let (a, b) = (MatRef::from_slice(&a, 2, 2, 1, 2)?, MatRef::from_slice(&b, 2, 1, 1, 2)?);
/// let x = solve_triangular(a, false, true, false, b, false, Resources::of(&workspace))?;
/// assert_eq!(x.col(0), [1.0, 2.0]);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn solve_triangular<'w, T: Element>(
    a: MatRef<T>,
    conj_a: bool,
    upper: bool,
    unit_diagonal: bool,
    b: MatRef<T>,
    conj_b: bool,
    with: Resources<'w>,
) -> Result<Matrix<'w, T>, Error> {
    let (m, n) = (a.rows(), a.cols());
    if m != n {
        return Err(Error::Shape { operand: "A", expected: (m, m), found: (m, n) });
    }
    if b.rows() != n {
        return Err(Error::Shape { operand: "B", expected: (n, b.cols()), found: (b.rows(), b.cols()) });
    }
    let triangle = match (upper, unit_diagonal) {
        (false, false) => Triangle::Lower,
        (false, true) => Triangle::UnitLower,
        (true, false) => Triangle::Upper,
        (true, true) => Triangle::UnitUpper,
    };
    let (a, mut e) = moderate_copy(a, conj_a, triangle, with.workspace)?;
    let (mut x, f) = moderate_copy(b, conj_b, Triangle::Both, with.workspace)?;
    if unit_diagonal {
        e = 0;
    } else {
        regular_diagonal(&a)?;
    }
    solve_in_place(&a, triangle, &mut x, with.provider);
    scale_back(x.elements_mut(), f - e)?;
    Ok(x)
}

/// B becomes the solution X of A·X = B, for a triangle without zeros on its diagonal.
pub(crate) fn solve_in_place<T: Kernels>(a: &Matrix<'_, T>, triangle: Triangle, b: &mut Matrix<'_, T>, by: Provider) {
    if a.rows() == 0 || b.cols() == 0 {
        return;
    }
    if !by_lent(a.rows(), by) || T::lent_triangular(a, triangle, b).is_none() {
        T::own_triangular(a, triangle, b);
    }
}
