//! The thin QR decomposition, A = Q·R: LAPACK's geqrf and orgqr (ungqr) if both were lent, faer otherwise.

use tensoroxide_tensor::Scalar;

use crate::scaling::{scale_back, scaled_copy, Part};
use crate::{provider, Element, Error, MatRef, Matrix, Provider};

/// The factors of A = Q·R for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct Qr<T: Scalar> {
    /// m×k, orthonormal columns.
    pub q: Matrix<T>,
    /// k×n, zero below the diagonal. The diagonal may have any sign, and with faer any phase.
    pub r: Matrix<T>,
}

impl<T: Scalar> Qr<T> {
    /// R from a factored matrix, which holds it on and above the diagonal.
    pub(crate) fn upper(factored: &Matrix<T>) -> Result<Matrix<T>, Error> {
        let mut r = Matrix::zeros(factored.rows().min(factored.cols()), factored.cols())?;
        for j in 0..r.cols() {
            let len = r.rows().min(j + 1);
            r.col_mut(j)[..len].copy_from_slice(&factored.col(j)[..len]);
        }
        Ok(r)
    }
}

/// The thin QR decomposition of op(A), where op conjugates the elements if asked to.
///
/// # Errors
/// [`Error::NotFinite`] if A holds NaN or infinity, or if an element of R is too large for the type;
/// [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{qr, MatRef};
/// let a = [3.0f64, 4.0];
/// let qr = qr(MatRef::from_slice(&a, 2, 1, 1, 2)?, false)?;
/// assert!((qr.r.col(0)[0].abs() - 5.0).abs() < 1e-14);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn qr<T: Element>(a: MatRef<T>, conj: bool) -> Result<Qr<T>, Error> {
    let (a, e) = scaled_copy(a, conj, Part::Full)?;
    let (m, n) = (a.rows(), a.cols());
    if a.elements().is_empty() {
        return Ok(Qr { q: Matrix::zeros(m, 0)?, r: Matrix::zeros(0, n)? });
    }
    let lent = if provider() != Provider::Own { T::lent_qr(&a) } else { None };
    let mut qr = match lent {
        None | Some(Err(Error::NoConvergence)) => T::own_qr(&a),
        Some(result) => result,
    }?;
    (0..n).try_for_each(|j| scale_back(qr.r.col_mut(j), e))?;
    Ok(qr)
}
