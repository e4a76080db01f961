//! The QR decomposition by reflections, with faer's kernels.
//!
//! faer's own decomposition is not used: it takes a column for dependent on those before it if less than 16·m·eps of it
//! is left, drops the rest, and returns R in echelon form. That error is thousands of times larger than rounding for tall
//! matrices (for m = 4096 in single precision, 1 % of the column), and the triangle is then not one that a gauge can fix.
//!
//! Here is the recursion of Elmroth and Gustavson (IBM J. Res. Dev. 44, 605 (2000)) in panels: one half of the columns
//! is factored, its reflections are applied to the other half, which is factored in turn. A block of reflections
//! I − v·vᴴ/τ is kept as faer does: the vectors V below the diagonal of A, and the upper triangle T with τ on its diagonal
//! and VᴴV above, so that the block is I − V·T⁻¹·Vᴴ.

use faer::dyn_stack::MemStack;
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as apply_adjoint, make_householder_in_place,
};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{matmul as triangular_matmul, BlockStructure};
use faer::traits::math_utils::from_real;
use faer::traits::ComplexField;
use faer::{Accum, Conj, MatMut, Par};
use tensoroxide_tensor::Scalar;

use super::{faer_mut, faer_ref, scratch};
use crate::workspace::Plain;
use crate::{Error, MatRef, Matrix, Qr, Workspace};

/// Columns of a panel: as many reflections are applied to the rest of the matrix at once.
const PANEL: usize = 32;

/// The decomposition of a matrix that is not empty and finite, with so many columns of Q, at most m.
pub(crate) fn qr<'w, T: ComplexField + Plain + Scalar<Real: Plain>>(
    a: MatRef<T>,
    columns: usize,
    workspace: &'w Workspace,
) -> Result<Qr<'w, T>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let panel = PANEL.min(k);
    let (mut a, mut t) = (Matrix::copy_of(a, false, workspace)?, Matrix::zeros(panel, k, workspace)?);
    scratch(apply_scratch::<T>(m, panel, n), workspace, |stack| {
        for j in (0..k).step_by(panel) {
            let width = panel.min(k - j);
            let (mut left, right) = faer_mut(a.as_mut()).get_mut(j.., j..).split_at_col_mut(width);
            let mut t = faer_mut(t.as_mut()).get_mut(..width, j..j + width);
            factor(left.as_mut(), t.as_mut(), stack);
            apply_adjoint(left.as_ref(), t.as_ref(), Conj::Yes, right, Par::Seq, stack);
        }
    })?;
    let r = Qr::upper(&a, workspace)?;
    // Q: the reflections, applied to the first columns of the identity.
    let mut q = Matrix::zeros(m, columns, workspace)?;
    if columns == 0 {
        return Ok(Qr { q, r });
    }
    (0..columns).for_each(|j| q.col_mut(j)[j] = <T as Scalar>::ONE);
    scratch(apply_scratch::<T>(m, panel, columns), workspace, |stack| {
        let basis = faer_ref(a.as_ref()).subcols(0, k);
        apply(basis, faer_ref(t.as_ref()), Conj::No, faer_mut(q.as_mut()), Par::Seq, stack);
    })?;
    Ok(Qr { q, r })
}

/// Factors a panel with at least as many rows as columns, in place, and writes its T.
fn factor<T: ComplexField + Scalar>(mut a: MatMut<T>, t: MatMut<T>, stack: &mut MemStack) {
    let (m, n) = (a.nrows(), a.ncols());
    let mut t = t;
    if n == 1 {
        let (head, tail) = a.col_mut(0).split_at_row_mut(1);
        let info = make_householder_in_place(&mut { head }[0], tail);
        t[(0, 0)] = from_real(&info.tau);
        return;
    }
    let half = n / 2;
    let (mut left, mut right) = a.as_mut().split_at_col_mut(half);
    let (mut t00, mut t01, _, mut t11) = t.as_mut().split_at_mut(half, half);
    factor(left.as_mut(), t00.as_mut(), stack);
    apply_adjoint(left.as_ref(), t00.as_ref(), Conj::Yes, right.as_mut(), Par::Seq, stack);
    factor(right.as_mut().get_mut(half.., ..), t11.as_mut(), stack);
    // V₀ᴴ·V₁, where V₁ starts `half` rows below V₀ with a triangle.
    let (v0, v1) = (left.as_ref().get(half.., ..), right.as_ref().get(half.., ..));
    let (top, one) = (n - half, <T as Scalar>::ONE);
    triangular_matmul(
        t01.as_mut(),
        BlockStructure::Rectangular,
        Accum::Replace,
        v0.get(..top, ..).adjoint(),
        BlockStructure::Rectangular,
        v1.get(..top, ..),
        BlockStructure::UnitTriangularLower,
        one,
        Par::Seq,
    );
    if m > n {
        matmul(t01, Accum::Add, v0.get(top.., ..).adjoint(), v1.get(top.., ..), one, Par::Seq);
    }
}
