//! The Hermitian eigenvalue decomposition by faer.

use faer::diag::DiagMut;
use faer::linalg::evd::{self_adjoint_evd, self_adjoint_evd_scratch, ComputeEigenvectors};
use faer::traits::ComplexField;
use faer::Par;
use tensoroxide_tensor::Scalar;

use super::{faer_mut, faer_ref, scratch};
use crate::workspace::Plain;
use crate::{Eigh, Error, MatRef, Matrix, Workspace};

/// The decomposition of a matrix, given by its lower triangle, that is not empty, finite, and scaled to about 1.
pub(crate) fn eigh<'w, T: ComplexField + Plain + Scalar<Real: Plain>>(
    a: MatRef<T>,
    vectors: bool,
    workspace: &'w Workspace,
) -> Result<Eigh<'w, T>, Error> {
    let n = a.rows();
    let columns = if vectors { n } else { 0 };
    let (mut v, mut w) = (Matrix::zeros(columns, columns, workspace)?, workspace.zeros::<T>(n)?);
    let wanted = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let need = self_adjoint_evd_scratch::<T>(n, wanted, Par::Seq, Default::default());
    scratch(need, workspace, |stack| {
        let (v, w) = (faer_mut(v.as_mut()), DiagMut::from_slice_mut(&mut w));
        self_adjoint_evd(faer_ref(a), w, vectors.then_some(v), Par::Seq, stack, Default::default())
    })?
    .map_err(|_| Error::NoConvergence)?;
    let mut real = workspace.zeros(n)?;
    real.iter_mut().zip(&w[..]).for_each(|(x, w)| *x = w.re());
    Ok(Eigh { w: real, v })
}
