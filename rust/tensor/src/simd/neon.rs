//! The 128-bit registers of 64-bit Arm.

use std::arch::aarch64::*;

use super::{Simd, Task, Vector};

/// 32 registers of 128 bits.
#[derive(Clone, Copy)]
pub(super) struct Neon;

impl Simd for Neon {
    type F32 = F32x4;
    type F64 = F64x2;
    const REGISTERS: usize = 32;

    #[inline(never)]
    unsafe fn apart<T: Task>(task: T) -> T::Output {
        task.run::<Neon>()
    }
}

macro_rules! register {
    (
        $name:ident: $register:ident of $t:ident * $n:literal;
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $fma:ident $fms:ident $max:ident $min:ident
        $even:ident $odd:ident $low:ident $high:ident
    ) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name($register);

        // SAFETY: the register holds `$n` elements, in the order of memory. NEON is part of the architecture as Rust
        // knows it.
        unsafe impl Vector for $name {
            type Lane = $t;
            const LANES: usize = $n;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($splat(0.0)) }
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($splat(x)) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($load(from)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $t, count: usize) -> Self {
                let mut lanes = [0.0; $n];
                // SAFETY: the caller's promise.
                unsafe {
                    (0..count).for_each(|i| lanes[i] = *from.add(i));
                    Self::load(lanes.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, count: usize) {
                let mut lanes = [0.0; $n];
                // SAFETY: the caller's promise.
                unsafe {
                    self.store(lanes.as_mut_ptr());
                    (0..count).for_each(|i| *to.add(i) = lanes[i]);
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($add(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($sub(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($mul(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($fma(term.0, self.0, factor.0)) }
            }
            #[inline(always)]
            unsafe fn neg_mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($fms(term.0, self.0, factor.0)) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($max(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                // SAFETY: NEON is there.
                unsafe { $name($min(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn deinterleave(self, other: Self) -> (Self, Self) {
                // SAFETY: NEON is there.
                unsafe { ($name($even(self.0, other.0)), $name($odd(self.0, other.0))) }
            }
            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                // SAFETY: NEON is there.
                unsafe { ($name($low(self.0, other.0)), $name($high(self.0, other.0))) }
            }
        }
    };
}

register! {
    F32x4: float32x4_t of f32 * 4;
    vdupq_n_f32 vld1q_f32 vst1q_f32 vaddq_f32 vsubq_f32 vmulq_f32 vfmaq_f32 vfmsq_f32 vmaxq_f32 vminq_f32
    vuzp1q_f32 vuzp2q_f32 vzip1q_f32 vzip2q_f32
}
register! {
    F64x2: float64x2_t of f64 * 2;
    vdupq_n_f64 vld1q_f64 vst1q_f64 vaddq_f64 vsubq_f64 vmulq_f64 vfmaq_f64 vfmsq_f64 vmaxq_f64 vminq_f64
    vuzp1q_f64 vuzp2q_f64 vzip1q_f64 vzip2q_f64
}
