//! The QR decomposition by faer.

use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::traits::ComplexField;
use faer::{Conj, Par};
use tensoroxide_tensor::Scalar;

use super::{faer_mut, faer_ref, scratch};
use crate::{Error, MatRef, Matrix, Qr};

/// The decomposition of a matrix that is not empty and finite.
pub(crate) fn qr<T: ComplexField + Scalar>(a: MatRef<T>) -> Result<Qr<T>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let mut a = Matrix::copy_of(a, false)?;
    let block = recommended_block_size::<T>(m, n);
    let mut coefficients = Matrix::zeros(block, k)?;
    scratch(qr_in_place_scratch::<T>(m, n, block, Par::Seq, Default::default()), |stack| {
        qr_in_place(faer_mut(a.as_mut()), faer_mut(coefficients.as_mut()), Par::Seq, stack, Default::default());
    })?;
    let r = Qr::upper(&a)?;
    // The thin Q: the reflections, which lie below the diagonal, applied to the first k columns of the identity.
    let mut q = Matrix::zeros(m, k)?;
    (0..k).for_each(|j| q.col_mut(j)[j] = <T as Scalar>::ONE);
    scratch(apply_scratch::<T>(m, block, k), |stack| {
        let basis = faer_ref(a.as_ref()).subcols(0, k);
        apply(basis, faer_ref(coefficients.as_ref()), Conj::No, faer_mut(q.as_mut()), Par::Seq, stack);
    })?;
    Ok(Qr { q, r })
}
