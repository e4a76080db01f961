//! The singular value decomposition by faer.

use faer::diag::DiagMut;
use faer::linalg::svd::{svd as faer_svd, svd_scratch, ComputeSvdVectors, SvdParams};
use faer::traits::ComplexField;
use faer::{Auto, Par};
use tensoroxide_tensor::Scalar;

use super::{faer_mut, faer_ref, scratch};
use crate::workspace::Plain;
use crate::{Error, MatRef, Matrix, Svd, Workspace};

/// The decomposition of a matrix that is not empty, finite, and scaled to about 1.
pub(crate) fn svd<'w, T: ComplexField + Plain + Scalar<Real: Plain>>(
    a: MatRef<T>,
    vectors: bool,
    workspace: &'w Workspace,
) -> Result<Svd<'w, T>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let room = |rows, cols| if vectors { Matrix::zeros(rows, cols, workspace) } else { Matrix::zeros(0, 0, workspace) };
    let (mut u, mut v, mut s) = (room(m, k)?, room(n, k)?, workspace.zeros::<T>(k)?);
    let wanted = if vectors { ComputeSvdVectors::Thin } else { ComputeSvdVectors::No };
    // Never through faer's QR, which drops digits.
    let params = SvdParams { qr_ratio_threshold: f64::INFINITY, ..<SvdParams as Auto<T>>::auto() };
    scratch(svd_scratch::<T>(m, n, wanted, wanted, Par::Seq, params.into()), workspace, |stack| {
        let (u, v, s) = (faer_mut(u.as_mut()), faer_mut(v.as_mut()), DiagMut::from_slice_mut(&mut s));
        faer_svd(faer_ref(a), s, vectors.then_some(u), vectors.then_some(v), Par::Seq, stack, params.into())
    })?
    .map_err(|_| Error::NoConvergence)?;
    let mut real = workspace.zeros(k)?;
    real.iter_mut().zip(&s[..]).for_each(|(x, s)| *x = s.re());
    Ok(Svd { u, s: real, vh: Matrix::copy_of(v.as_ref().t(), true, workspace)? })
}
