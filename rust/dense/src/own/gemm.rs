//! The matrix product by faer.

use faer::linalg::matmul::matmul_with_conj;
use faer::traits::ComplexField;
use faer::{Accum, Conj, Par};

use super::{faer_mut, faer_ref};
use crate::{MatMut, MatRef};

pub(crate) fn gemm<T: ComplexField>(
    alpha: T,
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    add: bool,
    c: MatMut<T>,
) {
    let conj = |yes| if yes { Conj::Yes } else { Conj::No };
    let accum = if add { Accum::Add } else { Accum::Replace };
    matmul_with_conj(faer_mut(c), accum, faer_ref(a), conj(conj_a), faer_ref(b), conj(conj_b), alpha, Par::Seq);
}
