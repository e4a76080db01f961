//! Small systems of linear equations, eliminated on the stack in columns whose length the compiler knows.

use tensoroxide_tensor::{Real, Scalar};

use crate::own::divide;
use crate::scaling::moderate_shift;
use crate::{MatMut, MatRef};

/// Writes the X with op(A)·X = op(B), for at most 8 unknowns and right-hand sides, as partial pivoting computes it; where
/// that is not the whole story (more of either; entries that are not finite, or near an end of the range; a singular A) it
/// writes nothing and says `false`. The operands fit together.
pub(crate) fn solve<T: Scalar>(a: MatRef<T>, conj_a: bool, b: MatRef<T>, conj_b: bool, x: &mut MatMut<'_, T>) -> bool {
    match a.rows().max(b.cols()) {
        0 => false,
        1..=2 => eliminate::<T, 2, 4>(a, conj_a, b, conj_b, x),
        3..=4 => eliminate::<T, 4, 8>(a, conj_a, b, conj_b, x),
        5..=8 => eliminate::<T, 8, 16>(a, conj_a, b, conj_b, x),
        _ => false,
    }
}

/// The same in columns of `N` numbers, with zeros below the last row, and at most `COLUMNS` = 2·`N` of them.
#[inline(always)]
fn eliminate<T: Scalar, const N: usize, const COLUMNS: usize>(
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    x: &mut MatMut<'_, T>,
) -> bool {
    let (n, k) = (a.rows(), b.cols());
    let mut columns = [[T::ZERO; N]; COLUMNS];
    let (left, right) = columns.split_at_mut(n);
    if !(read(a, conj_a, left) && read(b, conj_b, right)) {
        return false;
    }
    for j in 0..n {
        let row = largest(&columns[j], j, n);
        let pivot = columns[j][row];
        if pivot == T::ZERO {
            return false;
        }
        let (before, after) = columns.split_at_mut(j + 1);
        let column = &mut before[j];
        column.swap(j, row);
        let mut factors = [T::ZERO; N];
        factors[j + 1..].copy_from_slice(&column[j + 1..]);
        divide(&mut factors, pivot);
        for other in &mut after[..n + k - j - 1] {
            other.swap(j, row);
            let factor = other[j];
            (0..N).for_each(|i| other[i] -= factor * factors[i]);
        }
    }
    let (left, right) = columns.split_at_mut(n);
    let mut finite = true;
    for solution in &mut right[..k] {
        for (j, column) in left.iter().enumerate().rev() {
            divide(&mut solution[j..=j], column[j]);
            let factor = solution[j];
            finite &= factor.is_finite();
            (0..j).for_each(|i| solution[i] -= factor * column[i]);
        }
    }
    finite
        && MatRef::from_slice(right.as_flattened(), n, k, 1, N as isize)
            .and_then(|solutions| x.reborrow().copy_from(solutions))
            .is_ok()
}

/// Fills the first columns with op(A), unless elimination had to scale it first.
#[inline(always)]
fn read<T: Scalar, const N: usize>(a: MatRef<T>, conj: bool, columns: &mut [[T; N]]) -> bool {
    let mut largest = 0;
    let bits = |x: T::Real| x.to_f64().to_bits() & (u64::MAX >> 1);
    for (j, column) in columns.iter_mut().enumerate().take(a.cols()) {
        for (i, place) in column.iter_mut().enumerate().take(a.rows()) {
            // SAFETY: the indices are in bounds.
            let x = unsafe { a.get_unchecked(i, j) };
            // Ordered as the absolute values are, with NaN last.
            largest = largest.max(bits(x.re())).max(bits(x.im()));
            *place = if conj { x.conj() } else { x };
        }
    }
    moderate_shift::<T::Real>(f64::from_bits(largest)) == 0
}

/// The row of the largest |re| + |im| from row `j` to row `n`, the first of equals.
#[inline(always)]
fn largest<T: Scalar, const N: usize>(column: &[T; N], j: usize, n: usize) -> usize {
    let size = |x: T| x.re().abs() + x.im().abs();
    let (mut row, mut most) = (j, size(column[j]));
    for (i, &x) in column.iter().enumerate().take(n).skip(j + 1) {
        if size(x) > most {
            (row, most) = (i, size(x));
        }
    }
    row
}
