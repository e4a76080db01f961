//! Gaussian elimination with partial and with complete pivoting.
//!
//! Partial pivoting halves the columns (S. Toledo, SIAM J. Matrix Anal. Appl. 18, 1065 (1997)): the left half is
//! factored, its swaps and its triangle are applied to the right half, a matrix product removes the left half's rows
//! from the rest of it, and that is factored in turn. A few columns are eliminated one by one, which is all that
//! happens to small matrices. faer's own decomposition is not used: a zero pivot makes it fill the factors with NaN.

use faer::traits::ComplexField;
use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::Scalar;

use super::triangular::{block, divide, eliminate, solve_block, subtract};
use crate::scaling::Triangle;
use crate::workspace::Plain;
use crate::Matrix;

/// Columns that are not halved, in a matrix that the first cache does not hold, and in one that it does.
const BASE: usize = 8;
const SMALL: usize = 16;

/// A becomes L and U; `swaps[i]` is the row that changed places with row `i`, counted from 0.
pub(crate) fn lu<T: ComplexField + Plain + Scalar>(a: &mut Matrix<'_, T>, swaps: &mut [i64]) {
    let (m, n) = (a.rows(), a.cols());
    factor(a.elements_mut(), m, m, n, &mut swaps[..m.min(n)]);
}

fn factor<T: ComplexField + Scalar>(a: &mut [T], lda: usize, m: usize, n: usize, swaps: &mut [i64]) {
    let k = swaps.len();
    if k <= BASE || m.max(k) <= SMALL {
        return Isa::best().run(Base { a, lda, m, n, swaps });
    }
    let half = (k / 2).next_multiple_of(BASE).min(k - 1);
    let (left, right) = a.split_at_mut(half * lda);
    let (first, second) = swaps.split_at_mut(half);
    factor(left, lda, m, half, first);
    swap_rows(right, lda, n - half, first);
    solve_block(left, lda, half, Triangle::UnitLower, right, lda, n - half);
    eliminate(block(&left[half..], lda, m - half, half), right, lda, n - half, 0, half);
    factor(&mut right[half..], lda, m - half, n - half, second);
    swap_rows(&mut left[half..], lda, half, second);
    second.iter_mut().for_each(|row| *row += half as i64);
}

/// Exchanges row `i` with row `swaps[i]` for one i after another, column by column.
pub(super) fn swap_rows<T>(a: &mut [T], lda: usize, columns: usize, swaps: &[i64]) {
    for j in 0..columns {
        let column = &mut a[j * lda..];
        swaps.iter().enumerate().for_each(|(i, &row)| column.swap(i, row as usize));
    }
}

/// |re| + |im|, which needs no root and orders pivots as LAPACK does.
#[inline(always)]
fn size<T: Scalar>(x: T) -> T::Real {
    x.re().abs() + x.im().abs()
}

/// Where the largest element is, the first of equals, and its size.
#[inline(always)]
fn largest<T: Scalar>(x: &[T]) -> (usize, T::Real) {
    x.iter().enumerate().fold(
        (0, <T::Real as Scalar>::ZERO),
        |(at, most), (i, &x)| {
            if size(x) > most {
                (i, size(x))
            } else {
                (at, most)
            }
        },
    )
}

/// Columns `j` and `l` > `j`, from row `row` to row `m`.
#[inline(always)]
fn two_columns<T>(a: &mut [T], lda: usize, (j, l): (usize, usize), row: usize, m: usize) -> (&[T], &mut [T]) {
    let (left, right) = a.split_at_mut(l * lda);
    (&left[j * lda + row..j * lda + m], &mut right[row..m])
}

/// Elimination column by column.
struct Base<'a, T> {
    a: &'a mut [T],
    lda: usize,
    m: usize,
    n: usize,
    swaps: &'a mut [i64],
}

impl<T: Scalar> Task for Base<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Base { a, lda, m, n, swaps } = self;
        for (j, swap) in swaps.iter_mut().enumerate() {
            let column = &mut a[j * lda..j * lda + m];
            let row = j + largest(&column[j..]).0;
            *swap = row as i64;
            if row != j {
                (0..n).for_each(|l| a.swap(l * lda + j, l * lda + row));
            }
            let pivot = a[j * lda + j];
            if pivot == T::ZERO {
                continue; // the column is zero from here on: nothing is to be eliminated
            }
            divide(&mut a[j * lda + j + 1..j * lda + m], pivot);
            for l in j + 1..n {
                let factor = a[l * lda + j];
                let (column, other) = two_columns(a, lda, (j, l), j + 1, m);
                subtract(other, factor, column);
            }
        }
    }
}

/// A becomes L and U, with both rows and columns exchanged so that each pivot is the largest element that is left.
pub(crate) fn lu_complete<T: Plain + Scalar>(a: &mut Matrix<'_, T>, row_swaps: &mut [i64], column_swaps: &mut [i64]) {
    let (m, n) = (a.rows(), a.cols());
    Isa::best().run(Complete { a: a.elements_mut(), m, n, row_swaps, column_swaps });
}

struct Complete<'a, T> {
    a: &'a mut [T],
    m: usize,
    n: usize,
    row_swaps: &'a mut [i64],
    column_swaps: &'a mut [i64],
}

impl<T: Scalar> Task for Complete<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Complete { a, m, n, row_swaps, column_swaps } = self;
        for j in 0..row_swaps.len() {
            let (mut row, mut col, mut most) = (j, j, <T::Real as Scalar>::ZERO);
            for l in j..n {
                let (at, size) = largest(&a[l * m + j..(l + 1) * m]);
                if size > most {
                    (row, col, most) = (j + at, l, size);
                }
            }
            (row_swaps[j], column_swaps[j]) = (row as i64, col as i64);
            if row != j {
                (0..n).for_each(|l| a.swap(l * m + j, l * m + row));
            }
            if col != j {
                (0..m).for_each(|i| a.swap(j * m + i, col * m + i));
            }
            let pivot = a[j * m + j];
            if pivot == T::ZERO {
                continue; // all that is left is zero
            }
            divide(&mut a[j * m + j + 1..(j + 1) * m], pivot);
            for l in j + 1..n {
                let factor = a[l * m + j];
                let (column, other) = two_columns(a, m, (j, l), j + 1, m);
                subtract(other, factor, column);
            }
        }
    }
}
