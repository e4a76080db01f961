//! Small systems of linear equations, eliminated on the stack in columns whose length the compiler knows.

use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Real, Scalar};

use crate::own::divide;
use crate::scaling::moderate_shift;
use crate::{MatMut, MatRef};

/// Writes the X with op(A)·X = op(B), for at most 8 unknowns and right-hand sides, as partial pivoting computes it;
/// where that is not the whole story (more of either; entries that are not finite, or near an end of the range; a
/// singular A) it writes nothing and says `false`. The operands fit together.
pub(crate) fn solve<T: Scalar>(a: MatRef<T>, conj_a: bool, b: MatRef<T>, conj_b: bool, x: &mut MatMut<'_, T>) -> bool {
    match a.rows().max(b.cols()) {
        0 => false,
        1..=4 => Isa::best().run(Elimination::<T, 4, 8> { a, conj_a, b, conj_b, x }),
        5..=8 => Isa::best().run(Elimination::<T, 8, 16> { a, conj_a, b, conj_b, x }),
        _ => false,
    }
}

/// In columns of `N` numbers, with zeros below the last row, of which there are at most `COLUMNS` = 2·`N`.
struct Elimination<'a, 'x, T, const N: usize, const COLUMNS: usize> {
    a: MatRef<'a, T>,
    conj_a: bool,
    b: MatRef<'a, T>,
    conj_b: bool,
    x: &'a mut MatMut<'x, T>,
}

impl<T: Scalar, const N: usize, const COLUMNS: usize> Task for Elimination<'_, '_, T, N, COLUMNS> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        let Elimination { a, conj_a, b, conj_b, x } = self;
        let (n, k) = (a.rows().min(N), b.cols().min(N));
        let mut columns = [[T::ZERO; N]; COLUMNS];
        let (left, right) = columns.split_at_mut(n);
        if !(read(a, conj_a, left) && read(b, conj_b, &mut right[..k])) {
            return false;
        }
        // Rows stay where they are, since a wide register is loaded late from where single numbers were just stored:
        // the order in which they become pivots is kept instead, and which of them are left, as ones.
        let mut order: [usize; N] = std::array::from_fn(|i| i);
        let mut left_over = [<T::Real as Scalar>::ONE; N];
        for j in 0..n {
            let at = largest(&columns[j], &order[..n], j);
            order.swap(j, at);
            let row = order[j];
            let pivot = columns[j][row];
            if pivot == T::ZERO {
                return false;
            }
            left_over[row] = <T::Real as Scalar>::ZERO;
            let (before, after) = columns.split_at_mut(j + 1);
            let mut factors = before[j];
            divide(&mut factors, pivot);
            (0..N).for_each(|i| factors[i] = factors[i].scale(left_over[i]));
            for other in &mut after[..n + k - j - 1] {
                let factor = other[row];
                (0..N).for_each(|i| other[i] -= factor * factors[i]);
            }
        }
        let (left, right) = columns.split_at_mut(n);
        let mut finite = true;
        let mut solutions = [[T::ZERO; N]; N];
        for (rest, solution) in right[..k].iter_mut().zip(&mut solutions) {
            for (j, column) in left.iter().enumerate().rev() {
                let row = order[j];
                let mut x = [rest[row]];
                divide(&mut x, column[row]);
                finite &= x[0].is_finite();
                solution[j] = x[0];
                // Rows of later pivots get numbers that are not looked at.
                (0..N).for_each(|i| rest[i] -= x[0] * column[i]);
            }
        }
        finite
            && MatRef::from_slice(solutions.as_flattened(), n, k, 1, N as isize)
                .and_then(|solutions| x.reborrow().copy_from(solutions))
                .is_ok()
    }
}

/// Fills columns with op(A), unless elimination would have to scale it first.
#[inline(always)]
fn read<T: Scalar, const N: usize>(a: MatRef<T>, conj: bool, columns: &mut [[T; N]]) -> bool {
    let mut largest = 0;
    let bits = |x: T::Real| x.to_f64().to_bits() & (u64::MAX >> 1);
    let rows = a.rows().min(N);
    for (j, column) in columns.iter_mut().enumerate() {
        for (i, place) in column[..rows].iter_mut().enumerate() {
            // SAFETY: the caller has a place for each element, and no more columns than there are.
            let x = unsafe { a.get_unchecked(i, j) };
            // Ordered as the absolute values are, with NaN last.
            largest = largest.max(bits(x.re())).max(bits(x.im()));
            *place = if conj { x.conj() } else { x };
        }
    }
    moderate_shift::<T::Real>(f64::from_bits(largest)) == 0
}

/// Where in the order of rows, from `j` on, the largest |re| + |im| is, the first of equals.
#[inline(always)]
fn largest<T: Scalar, const N: usize>(column: &[T; N], order: &[usize], j: usize) -> usize {
    let size = |row: usize| column[row].re().abs() + column[row].im().abs();
    let (mut at, mut most) = (j, size(order[j]));
    for (i, &row) in order.iter().enumerate().skip(j + 1) {
        if size(row) > most {
            (at, most) = (i, size(row));
        }
    }
    at
}
