//! Registers as arrays, for processors that no other set is for: the compiler makes of them what the architecture has.

use super::{Simd, Task, Vector};
use crate::Scalar;

/// Plain arrays.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    type F32 = Array<f32, 4>;
    type F64 = Array<f64, 2>;
    const REGISTERS: usize = 16;

    #[inline(never)]
    unsafe fn apart<T: Task>(task: T) -> T::Output {
        task.run::<Portable>()
    }
}

#[derive(Clone, Copy)]
pub(super) struct Array<T, const N: usize>([T; N]);

macro_rules! array {
    ($t:ident * $n:literal) => {
        // SAFETY: an array of `$t` is what the trait describes; no instruction set is supposed.
        unsafe impl Vector for Array<$t, $n> {
            type Lane = $t;
            const LANES: usize = $n;

            #[inline(always)]
            unsafe fn zero() -> Self {
                Array([<$t>::ZERO; $n])
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                Array([x; $n])
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller's promise.
                Array(unsafe { from.cast::<[$t; $n]>().read() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<[$t; $n]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $t, count: usize) -> Self {
                // SAFETY: the caller's promise.
                Array(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, count: usize) {
                // SAFETY: the caller's promise.
                (0..count).for_each(|i| unsafe { *to.add(i) = self.0[i] });
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Array(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                Array(std::array::from_fn(|i| self.0[i] - other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                Array(std::array::from_fn(|i| self.0[i] * other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                Array(std::array::from_fn(|i| self.0[i] * factor.0[i] + term.0[i]))
            }
            #[inline(always)]
            unsafe fn neg_mul_add(self, factor: Self, term: Self) -> Self {
                Array(std::array::from_fn(|i| term.0[i] - self.0[i] * factor.0[i]))
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                Array(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                Array(std::array::from_fn(|i| if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            unsafe fn deinterleave(self, other: Self) -> (Self, Self) {
                let both = |i: usize| if i < $n { self.0[i] } else { other.0[i - $n] };
                (Array(std::array::from_fn(|i| both(2 * i))), Array(std::array::from_fn(|i| both(2 * i + 1))))
            }
            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let both = |i: usize| if i % 2 == 0 { self.0[i / 2] } else { other.0[i / 2] };
                (Array(std::array::from_fn(both)), Array(std::array::from_fn(|i| both(i + $n))))
            }
        }
    };
}

array!(f32 * 4);
array!(f64 * 2);
