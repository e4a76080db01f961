//! Cholesky's factor of a positive definite matrix, A = L·Lᴴ: LAPACK's potrf if it was lent, own kernels otherwise
//! and for small matrices.

use crate::lu::by_lent;
use crate::scaling::{largest, moderate_copy, scale_back, Triangle};
use crate::{Element, Error, MatRef, Matrix, Resources};

/// L of op(A) = L·Lᴴ, lower triangular with a positive diagonal, where op conjugates the elements if asked to. Only
/// the elements below the diagonal and the real parts of those on it are read.
///
/// # Errors
/// [`Error::Shape`] if A is not square; [`Error::NotPositiveDefinite`]; [`Error::NotFinite`] if what is read holds
/// NaN or infinity; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{cholesky, Error, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [4.0, 2.0, f64::NAN, 10.0];
/// let l = cholesky(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert_eq!(l.elements(), [2.0, 1.0, 0.0, 3.0]);
/// let a = [1.0, 2.0, 2.0, 4.0];
/// let failed = cholesky(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace));
/// assert_eq!(failed.err(), Some(Error::NotPositiveDefinite { index: 1 }));
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn cholesky<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
    let n = a.rows();
    if a.cols() != n {
        return Err(Error::Shape { operand: "A", expected: (n, n), found: (n, a.cols()) });
    }
    let copy = || {
        let (mut l, e) = moderate_copy(a, conj, Triangle::Lower, with.workspace)?;
        (0..n).for_each(|j| l.col_mut(j)[j] = T::from_real(l.col(j)[j].re()));
        Ok((l, e))
    };
    let (mut l, e) = copy()?;
    if n == 0 {
        return Ok(l);
    }
    let lent = if by_lent(n, with.provider) { T::lent_cholesky(&mut l) } else { None };
    match lent {
        Some(Err(index)) => return Err(Error::NotPositiveDefinite { index }),
        Some(Ok(())) if largest(l.elements()).is_ok() => {}
        _ => {
            if lent.is_some() {
                l = copy()?.0;
            }
            T::own_cholesky(&mut l).map_err(|index| Error::NotPositiveDefinite { index })?;
        }
    }
    scale_back(l.elements_mut(), e / 2)?;
    Ok(l)
}
