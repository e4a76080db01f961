//! The QR decomposition by reflections, with faer's kernels.
//!
//! faer's own decomposition is not used: it takes a column for dependent on those before it if less than 16·m·eps of it
//! is left, drops the rest, and returns R in echelon form. That error is thousands of times larger than rounding for
//! tall matrices (for m = 4096 in single precision, 1 % of the column), and the triangle is then not one that a gauge
//! can fix.
//!
//! Here is the recursion of Elmroth and Gustavson (IBM J. Res. Dev. 44, 605 (2000)) in panels: one half of the columns
//! is factored, its reflections are applied to the other half, which is factored in turn; a few columns are factored
//! one by one, since a product of such narrow blocks costs more to begin than to do. A block of reflections I − v·vᴴ/τ
//! is kept as faer does: the vectors V below the diagonal of A, and the upper triangle T with τ on its diagonal and VᴴV
//! above, so that the block is I − V·T⁻¹·Vᴴ.

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
use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::Scalar;

use super::triangular::subtract;
use super::{faer_mut, faer_ref, scratch};
use crate::workspace::Plain;
use crate::{Error, MatRef, Matrix, Qr, Workspace};

/// Columns of a panel: as many reflections are applied to the rest of the matrix at once.
const PANEL: usize = 32;
/// Columns that are factored one by one.
const FEW: usize = 8;

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
    if n <= FEW {
        return Isa::best().run(Few { a, t });
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

/// A few columns, and room for their T.
struct Few<'a, 'b, T> {
    a: MatMut<'a, T>,
    t: MatMut<'b, T>,
}

impl<T: ComplexField + Scalar> Task for Few<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Few { mut a, mut t } = self;
        for j in 0..a.ncols() {
            let (done, mut rest) = a.as_mut().split_at_col_mut(j);
            let (mut column, mut behind) = rest.as_mut().split_at_col_mut(1);
            let (head, tail) = column.as_mut().col_mut(0).split_at_row_mut(j + 1);
            let tau = make_householder_in_place(&mut { head }[j], tail).tau;
            t[(j, j)] = from_real(&tau);
            let v = below(column.as_ref(), 0, j);
            // Where nothing was to be reflected, τ is infinite.
            let tau = Scalar::re(t[(j, j)]);
            let factor = <T as Scalar>::from_real(<<T as Scalar>::Real as Scalar>::ONE / tau);
            for l in 0..behind.ncols() {
                let lead = behind[(j, l)];
                let product = (lead + dot(v, below(behind.as_ref(), l, j))) * factor;
                behind[(j, l)] = lead - product;
                subtract(below_mut(behind.as_mut(), l, j), product, v);
            }
            for i in 0..j {
                t[(i, j)] = Scalar::conj(done[(j, i)]) + dot(below(done.as_ref(), i, j), v);
            }
        }
    }
}

/// What lies below row `j` in a column without gaps.
#[inline(always)]
fn below<T>(a: faer::MatRef<'_, T>, column: usize, j: usize) -> &[T] {
    a.col(column).split_at_row(j + 1).1.try_as_col_major().map_or(&[], |x| x.as_slice())
}

#[inline(always)]
fn below_mut<T>(a: MatMut<'_, T>, column: usize, j: usize) -> &mut [T] {
    a.col_mut(column).split_at_row_mut(j + 1).1.try_as_col_major_mut().map_or(&mut [], |x| x.as_slice_mut())
}

/// xᴴ·y, in several sums, so that one addition need not wait for the other.
#[inline(always)]
fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; 16];
    let (xs, ys) = (x.chunks_exact(sums.len()), y.chunks_exact(sums.len()));
    let rest = xs.remainder().iter().zip(ys.remainder());
    let rest = rest.fold(T::ZERO, |sum, (x, &y)| sum + x.conj() * y);
    for (xs, ys) in xs.zip(ys) {
        sums.iter_mut().zip(xs.iter().zip(ys)).for_each(|(sum, (x, &y))| *sum += x.conj() * y);
    }
    let mut half = sums.len() / 2;
    while half > 0 {
        (0..half).for_each(|i| sums[i] += sums[i + half]);
        half /= 2;
    }
    sums[0] + rest
}
