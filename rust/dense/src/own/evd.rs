//! Eigenvalues and eigenvectors of a matrix that need not be Hermitian by faer: for large ones, where its iteration
//! with many shifts at a time is the faster one. It does not say whether it has converged: the caller looks at the
//! residual.

use faer::diag::DiagMut;
use faer::linalg::evd::{evd_cplx, evd_real, evd_scratch, ComputeEigenvectors};
use faer::Par;
use tensoroxide_tensor::Complex64;

use super::nonsymmetric::Values;
use super::{faer_mut, faer_ref, scratch};
use crate::{Error, Matrix, Workspace};

/// Of a real matrix that is not empty, finite, and scaled to about 1. The vectors of a pair become two columns, real
/// and imaginary part of the first.
pub(super) fn real<'w>(a: &Matrix<'_, f64>, workspace: &'w Workspace) -> Result<Values<'w, f64>, Error> {
    let n = a.rows();
    let (mut re, mut im) = (workspace.zeros(n)?, workspace.zeros(n)?);
    let mut v = Matrix::zeros(n, n, workspace)?;
    let (no, yes) = (ComputeEigenvectors::No, ComputeEigenvectors::Yes);
    scratch(evd_scratch::<f64>(n, no, yes, Par::Seq, Default::default()), workspace, |stack| {
        let (re, im) = (DiagMut::from_slice_mut(&mut re), DiagMut::from_slice_mut(&mut im));
        let v = Some(faer_mut(v.as_mut()));
        evd_real(faer_ref(a.as_ref()), re, im, None, v, Par::Seq, stack, Default::default())
    })?
    .map_err(|_| Error::NoConvergence)?;
    let mut w = workspace.zeros(n)?;
    for ((w, &re), &im) in w.iter_mut().zip(&re[..]).zip(&im[..]) {
        *w = Complex64::new(re, im);
    }
    Ok(Values { w, t: Matrix::zeros(0, 0, workspace)?, v })
}

/// Of a complex one.
pub(super) fn complex<'w>(a: &Matrix<'_, Complex64>, workspace: &'w Workspace) -> Result<Values<'w, Complex64>, Error> {
    let n = a.rows();
    let mut w = workspace.zeros(n)?;
    let mut v = Matrix::zeros(n, n, workspace)?;
    let (no, yes) = (ComputeEigenvectors::No, ComputeEigenvectors::Yes);
    scratch(evd_scratch::<Complex64>(n, no, yes, Par::Seq, Default::default()), workspace, |stack| {
        let v = Some(faer_mut(v.as_mut()));
        let w = DiagMut::from_slice_mut(&mut w);
        evd_cplx(faer_ref(a.as_ref()), w, None, v, Par::Seq, stack, Default::default())
    })?
    .map_err(|_| Error::NoConvergence)?;
    Ok(Values { w, t: Matrix::zeros(0, 0, workspace)?, v })
}
