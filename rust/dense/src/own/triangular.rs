//! Solution of triangular systems, in place, and division that is safe over the whole range.
//!
//! Blocks of at most [`BASE`] rows are solved element by element; larger systems are halved, and what one half
//! contributes to the other is a matrix product (Elmroth, Gustavson, Jonsson and Kågström, SIAM Rev. 46, 3 (2004)).
//! Matrices are slices, column after column, with a leading dimension.

use faer::traits::ComplexField;
use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Real, Scalar};

use super::gemm;
use crate::scaling::{exponent, factors, Triangle};
use crate::workspace::Plain;
use crate::{MatMut, MatRef, Matrix};

/// Rows of a system that is not halved.
const BASE: usize = 24;

/// B becomes the solution X of A·X = B. A's diagonal has no zero.
pub(crate) fn solve<T: ComplexField + Plain + Scalar>(a: &Matrix<'_, T>, triangle: Triangle, b: &mut Matrix<'_, T>) {
    let (n, columns) = (a.rows(), b.cols());
    if n > 0 && columns > 0 {
        solve_block(a.elements(), n, n, triangle, b.elements_mut(), n, columns);
    }
}

/// [`solve`] for an n×n triangle and as many rows of `columns` columns, both parts of larger matrices.
pub(super) fn solve_block<T: ComplexField + Scalar>(
    a: &[T],
    lda: usize,
    n: usize,
    triangle: Triangle,
    b: &mut [T],
    ldb: usize,
    columns: usize,
) {
    if n <= BASE {
        return Isa::best().run(Base { a, lda, n, triangle, b, ldb, columns });
    }
    let half = (n / 2).next_multiple_of(8);
    let rest = n - half;
    let corner = &a[half * (lda + 1)..];
    if triangle.is_upper() {
        solve_block(corner, lda, rest, triangle, &mut b[half..], ldb, columns);
        eliminate(block(&a[half * lda..], lda, half, rest), b, ldb, columns, half, 0);
        solve_block(a, lda, half, triangle, b, ldb, columns);
    } else {
        solve_block(a, lda, half, triangle, b, ldb, columns);
        eliminate(block(&a[half..], lda, rest, half), b, ldb, columns, 0, half);
        solve_block(corner, lda, rest, triangle, &mut b[half..], ldb, columns);
    }
}

/// An m×n block that starts with a slice.
pub(super) fn block<T>(a: &[T], lda: usize, m: usize, n: usize) -> MatRef<'_, T> {
    assert!(m <= lda && (n == 0 || (n - 1) * lda + m <= a.len()), "the block lies within the slice");
    // SAFETY: as was just checked.
    unsafe { MatRef::from_raw_parts(a.as_ptr(), m, n, 1, lda as isize) }
}

/// Subtracts A times the rows of B from `from` on, from the rows of B from `to` on.
pub(super) fn eliminate<T: ComplexField + Scalar>(
    a: MatRef<T>,
    b: &mut [T],
    ldb: usize,
    columns: usize,
    from: usize,
    to: usize,
) {
    let (m, k) = (a.rows(), a.cols());
    if m == 0 || columns == 0 {
        return;
    }
    assert!(from + k <= to || to + m <= from, "no row is both read and written");
    assert!((columns - 1) * ldb + (from + k).max(to + m) <= b.len() && from.max(to) < ldb, "the rows are there");
    let start = b.as_mut_ptr();
    // SAFETY: both blocks lie within B and have no row in common, as was just checked; `b` is borrowed exclusively.
    let (x, y) = unsafe {
        (
            MatRef::from_raw_parts(start.add(from), k, columns, 1, ldb as isize),
            MatMut::from_raw_parts(start.add(to), m, columns, 1, ldb as isize),
        )
    };
    gemm(-<T as Scalar>::ONE, a, false, x, false, true, y);
}

/// The system whose rows fit into the first cache.
struct Base<'a, 'b, T> {
    a: &'a [T],
    lda: usize,
    n: usize,
    triangle: Triangle,
    b: &'b mut [T],
    ldb: usize,
    columns: usize,
}

impl<T: Scalar> Task for Base<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Base { a, lda, n, triangle, b, ldb, columns } = self;
        for column in 0..columns {
            let x = &mut b[column * ldb..][..n];
            for step in 0..n {
                let j = if triangle.is_upper() { n - 1 - step } else { step };
                if !triangle.is_unit() {
                    divide(&mut x[j..=j], a[j * lda + j]);
                }
                let rows = if triangle.is_upper() { 0..j } else { j + 1..n };
                let factor = x[j];
                subtract(&mut x[rows.clone()], factor, &a[j * lda..][rows]);
            }
        }
    }
}

/// y − factor·x.
#[inline(always)]
pub(super) fn subtract<T: Scalar>(y: &mut [T], factor: T, x: &[T]) {
    if factor != T::ZERO {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y -= factor * x);
    }
}

/// Divides by a number that is not 0. For complex ones, 1/d would leave the range long before the quotients do, so d
/// is brought near to 1 by a power of two first.
#[inline(always)]
pub(crate) fn divide<T: Scalar>(elements: &mut [T], d: T) {
    if !T::DTYPE.is_complex() {
        elements.iter_mut().for_each(|x| *x = *x / d);
        return;
    }
    let (first, second) = factors::<T::Real>(-exponent(d.re().abs().max(d.im().abs()).to_f64()));
    let d = d.scale(first).scale(second);
    let inverse = d.conj().scale(<T::Real as Scalar>::ONE / d.abs_sqr());
    elements.iter_mut().for_each(|x| *x = (*x * inverse).scale(first).scale(second));
}
