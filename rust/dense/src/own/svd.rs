//! The singular value decomposition by faer.

use faer::diag::DiagMut;
use faer::linalg::svd::{svd as faer_svd, svd_scratch, ComputeSvdVectors, SvdParams};
use faer::traits::ComplexField;
use faer::{Auto, Par};
use tensoroxide_tensor::Scalar;

use super::{faer_mut, faer_ref, scratch};
use crate::owned::zeros;
use crate::{Error, MatRef, Matrix, Svd};

/// The decomposition of a matrix that is not empty, finite, and scaled to about 1.
pub(crate) fn svd<T: ComplexField + Scalar>(a: MatRef<T>) -> Result<Svd<T>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let (mut u, mut v, mut s) = (Matrix::zeros(m, k)?, Matrix::zeros(n, k)?, zeros::<T>(k)?);
    let thin = ComputeSvdVectors::Thin;
    // Never through faer's QR, which drops digits.
    let params = SvdParams { qr_ratio_threshold: f64::INFINITY, ..<SvdParams as Auto<T>>::auto() };
    scratch(svd_scratch::<T>(m, n, thin, thin, Par::Seq, params.into()), |stack| {
        let (u, v, s) = (faer_mut(u.as_mut()), faer_mut(v.as_mut()), DiagMut::from_slice_mut(&mut s));
        faer_svd(faer_ref(a), s, Some(u), Some(v), Par::Seq, stack, params.into())
    })?
    .map_err(|_| Error::NoConvergence)?;
    let mut real = zeros(k)?;
    real.iter_mut().zip(&s[..]).for_each(|(x, s)| *x = s.re());
    Ok(Svd { u, s: real, vh: Matrix::copy_of(v.as_ref().t(), true)? })
}
