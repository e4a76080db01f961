//! Cholesky's factor of a positive definite matrix, by halves as in [`super::triangular`].

use std::cmp::Ordering;

use faer::linalg::matmul::triangular::{matmul_with_conj, BlockStructure};
use faer::traits::ComplexField;
use faer::{Accum, Conj, Par};
use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Real, Scalar};

use super::triangular::{block, subtract};
use super::{faer_mut, faer_ref, gemm};
use crate::workspace::Plain;
use crate::{MatMut, Matrix};

/// Rows of a matrix that is not halved.
const BASE: usize = 16;

/// The lower triangle of A becomes L; otherwise, the row where that ended. What is above the diagonal is neither read
/// nor kept.
pub(crate) fn cholesky<T: ComplexField + Plain + Scalar>(a: &mut Matrix<'_, T>) -> Result<(), usize> {
    let n = a.rows();
    factor(a.elements_mut(), n, n)
}

fn factor<T: ComplexField + Scalar>(a: &mut [T], lda: usize, n: usize) -> Result<(), usize> {
    if n <= BASE {
        return Isa::best().run(Base { a, lda, n });
    }
    let half = (n / 2).next_multiple_of(8);
    let rest = n - half;
    factor(a, lda, half)?;
    let (left, right) = a.split_at_mut(half * lda);
    solve_right(left, lda, half, rest);
    let below = block(&left[half..], lda, rest, half);
    // SAFETY: the corner lies within the columns on the right, which are borrowed exclusively.
    let corner = unsafe { MatMut::from_raw_parts(right[half..].as_mut_ptr(), rest, rest, 1, lda as isize) };
    matmul_with_conj(
        faer_mut(corner),
        BlockStructure::TriangularLower,
        Accum::Add,
        faer_ref(below),
        BlockStructure::Rectangular,
        Conj::No,
        faer_ref(below.t()),
        BlockStructure::Rectangular,
        Conj::Yes,
        -<T as Scalar>::ONE,
        Par::Seq,
    );
    factor(&mut right[half..], lda, rest).map_err(|row| row + half)
}

/// The `rows` rows below the n×n triangle L at the start of `a`: X becomes X·L⁻ᴴ.
fn solve_right<T: ComplexField + Scalar>(a: &mut [T], lda: usize, n: usize, rows: usize) {
    solve_right_block(a, lda, n, n, rows);
}

/// As above, for X `down` rows below the start.
fn solve_right_block<T: ComplexField + Scalar>(a: &mut [T], lda: usize, n: usize, down: usize, rows: usize) {
    if n <= BASE {
        return Isa::best().run(Right { a, lda, n, down, rows });
    }
    let half = (n / 2).next_multiple_of(8);
    solve_right_block(a, lda, half, down, rows);
    let (left, right) = a.split_at_mut(half * lda);
    let (x, l) = (block(&left[down..], lda, rows, half), block(&left[half..], lda, n - half, half));
    // SAFETY: the rows lie within the columns on the right, which are borrowed exclusively.
    let y = unsafe { MatMut::from_raw_parts(right[down..].as_mut_ptr(), rows, n - half, 1, lda as isize) };
    gemm(-<T as Scalar>::ONE, x, false, l.t(), true, true, y);
    solve_right_block(&mut right[half..], lda, n - half, down - half, rows);
}

struct Base<'a, T> {
    a: &'a mut [T],
    lda: usize,
    n: usize,
}

impl<T: Scalar> Task for Base<'_, T> {
    type Output = Result<(), usize>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Result<(), usize> {
        let Base { a, lda, n } = self;
        for j in 0..n {
            let pivot = a[j * lda + j].re();
            // Also if it is NaN, as after a difference of infinities, which only a matrix that is not definite leads
            // to.
            if pivot.partial_cmp(&<T::Real as Scalar>::ZERO) != Some(Ordering::Greater) {
                return Err(j);
            }
            let root = pivot.sqrt();
            a[j * lda + j] = T::from_real(root);
            let inverse = <T::Real as Scalar>::ONE / root;
            a[j * lda + j + 1..j * lda + n].iter_mut().for_each(|x| *x = x.scale(inverse));
            for l in j + 1..n {
                let (left, right) = a.split_at_mut(l * lda);
                let column = &left[j * lda + l..j * lda + n];
                subtract(&mut right[l..n], column[0].conj(), column);
            }
        }
        Ok(())
    }
}

struct Right<'a, T> {
    a: &'a mut [T],
    lda: usize,
    n: usize,
    down: usize,
    rows: usize,
}

impl<T: Scalar> Task for Right<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Right { a, lda, n, down, rows } = self;
        for j in 0..n {
            let (left, right) = a.split_at_mut(j * lda);
            let diagonal = right[j].re();
            let y = &mut right[down..down + rows];
            for i in 0..j {
                subtract(y, left[i * lda + j].conj(), &left[i * lda + down..i * lda + down + rows]);
            }
            let inverse = <T::Real as Scalar>::ONE / diagonal;
            y.iter_mut().for_each(|x| *x = x.scale(inverse));
        }
    }
}
