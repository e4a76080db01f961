//! Products by plain loops: what is too small, or of too odd a form, for a matrix product.

use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::Scalar;

/// Loops over C, A and B, in this order.
pub(crate) type Loops = [Loop<3>];

/// C ← C + α·op(A)·op(B) over the loops, the first innermost.
///
/// # Safety
/// From the three pointers, every element that the loops reach is valid (C's to write, and reached by nothing else).
pub(crate) unsafe fn accumulate<T: Scalar>(
    loops: &Loops,
    alpha: T,
    (a, conj_a): (*const T, bool),
    (b, conj_b): (*const T, bool),
    c: *mut T,
) {
    // Not even C may be touched: the loop that is left of an empty nest need not be one that moves it.
    if loops.iter().any(|l| l.extent == 0) {
        return;
    }
    let complex = T::DTYPE.is_complex();
    // SAFETY: the caller's promise.
    unsafe {
        match (complex && conj_a, complex && conj_b) {
            (false, false) => run(loops, alpha, (a, |x| x), (b, |x| x), c),
            (true, false) => run(loops, alpha, (a, T::conj), (b, |x| x), c),
            (false, true) => run(loops, alpha, (a, |x| x), (b, T::conj), c),
            (true, true) => run(loops, alpha, (a, T::conj), (b, T::conj), c),
        }
    }
}

/// # Safety
/// As [`accumulate`].
unsafe fn run<T: Scalar>(
    loops: &Loops,
    alpha: T,
    (a, op_a): (*const T, impl Fn(T) -> T + Copy),
    (b, op_b): (*const T, impl Fn(T) -> T + Copy),
    c: *mut T,
) {
    // SAFETY: each step stays within the loops, which the caller vouches for.
    unsafe {
        match loops {
            [] => *c += alpha * (op_a(*a) * op_b(*b)),
            [inner] => row(*inner, alpha, (a, op_a), (b, op_b), c),
            [rest @ .., outer] => {
                for i in 0..outer.extent as isize {
                    let [to_c, to_a, to_b] = outer.strides.map(|stride| i * stride);
                    run(rest, alpha, (a.offset(to_a), op_a), (b.offset(to_b), op_b), c.offset(to_c));
                }
            }
        }
    }
}

/// # Safety
/// As [`accumulate`].
#[inline]
unsafe fn row<T: Scalar>(
    l: Loop<3>,
    alpha: T,
    (a, op_a): (*const T, impl Fn(T) -> T + Copy),
    (b, op_b): (*const T, impl Fn(T) -> T + Copy),
    c: *mut T,
) {
    let n = l.extent;
    // SAFETY: i < extent throughout; C overlaps neither A nor B, so slices of them may exist at once.
    unsafe {
        match l.strides {
            [0, step_a, step_b] => {
                // Four partial sums: a chain of dependent additions would wait for each one.
                let mut sums = [T::ZERO; 4];
                for i in 0..n {
                    let (x, y) = (*a.offset(i as isize * step_a), *b.offset(i as isize * step_b));
                    sums[i % 4] += op_a(x) * op_b(y);
                }
                *c += alpha * ((sums[0] + sums[2]) + (sums[1] + sums[3]));
            }
            [1, 1, 0] => {
                let y = alpha * op_b(*b);
                let (a, c) = (std::slice::from_raw_parts(a, n), std::slice::from_raw_parts_mut(c, n));
                c.iter_mut().zip(a).for_each(|(c, &x)| *c += op_a(x) * y);
            }
            [1, 0, 1] => {
                let x = alpha * op_a(*a);
                let (b, c) = (std::slice::from_raw_parts(b, n), std::slice::from_raw_parts_mut(c, n));
                c.iter_mut().zip(b).for_each(|(c, &y)| *c += x * op_b(y));
            }
            [step_c, step_a, step_b] => {
                for i in 0..n as isize {
                    let (x, y) = (*a.offset(i * step_a), *b.offset(i * step_b));
                    *c.offset(i * step_c) += alpha * (op_a(x) * op_b(y));
                }
            }
        }
    }
}
