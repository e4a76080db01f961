//! The 256-bit and 512-bit registers of x86-64.

use std::arch::x86_64::*;

use super::{Isa, Simd, Task, Vector};

/// Adds what this processor has to the list, the best one last.
pub(super) fn detect(available: &mut Vec<Isa>) {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return;
    }
    available.push(Isa::Avx2);
    #[cfg(tensoroxide_avx512)]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
    {
        available.push(Isa::Avx512);
    }
}

/// 16 registers of 256 bits.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

impl Simd for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn apart<T: Task>(task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn run<T: Task>(task: T) -> T::Output {
            task.run::<Avx2>()
        }
        // SAFETY: the caller's promise.
        unsafe { run(task) }
    }

    #[inline(always)]
    fn prefetch<T>(at: *const T) {
        // SAFETY: part of x86-64; an address that is not valid is ignored.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

/// Runs a task, compiled for AVX2.
#[inline]
pub(super) fn avx2<T: Task>(task: T) -> T::Output {
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run<T: Task>(task: T) -> T::Output {
        task.run::<Avx2>()
    }
    // SAFETY: called by `Isa::run` alone, after detection.
    unsafe { run(task) }
}

/// A register type and what its instructions are called. `$first` makes of a number of lanes the mask of the first
/// ones.
macro_rules! register {
    (
        $name:ident: $register:ident of $t:ident * $n:literal;
        $zero:ident $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $fma:ident $fnma:ident
        $max:ident $min:ident;
        load_first($from:ident, $count:ident) $load_first:expr;
        store_first($self:ident, $to:ident, $counts:ident) $store_first:expr;
        deinterleave($a:ident, $b:ident) $deinterleave:expr;
        interleave($re:ident, $im:ident) $interleave:expr;
    ) => {
        #[derive(Clone, Copy)]
        pub(in crate::simd) struct $name($register);

        // SAFETY: the register holds `$n` elements, in the order of memory.
        unsafe impl Vector for $name {
            type Lane = $t;
            const LANES: usize = $n;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($zero()) }
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                // SAFETY: the caller's promise.
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
            unsafe fn load_first($from: *const $t, $count: usize) -> Self {
                // SAFETY: the caller's promise; masked elements are not touched.
                unsafe { $name($load_first) }
            }
            #[inline(always)]
            unsafe fn store_first(self, $to: *mut $t, $counts: usize) {
                let $self = self.0;
                // SAFETY: the caller's promise; masked elements are not touched.
                unsafe { $store_first }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($add(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($sub(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($mul(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($fma(self.0, factor.0, term.0)) }
            }
            #[inline(always)]
            unsafe fn neg_mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($fnma(self.0, factor.0, term.0)) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($max(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name($min(self.0, other.0)) }
            }
            #[inline(always)]
            unsafe fn deinterleave(self, other: Self) -> (Self, Self) {
                let ($a, $b) = (self.0, other.0);
                // SAFETY: the caller's promise.
                let (even, odd) = unsafe { $deinterleave };
                ($name(even), $name(odd))
            }
            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let ($re, $im) = (self.0, other.0);
                // SAFETY: the caller's promise.
                let (first, second) = unsafe { $interleave };
                ($name(first), $name(second))
            }
        }
    };
}

/// The mask of the first `count` lanes, all bits of a lane set: a window that slides over ones and zeros.
#[inline(always)]
unsafe fn first_of_4(count: usize) -> __m256i {
    const WINDOW: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
    debug_assert!(count <= 4);
    // SAFETY: count ≤ 4, so that four elements are read within the window.
    unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(4 - count).cast()) }
}

/// As [`first_of_4`].
#[inline(always)]
unsafe fn first_of_8(count: usize) -> __m256i {
    const WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    debug_assert!(count <= 8);
    // SAFETY: count ≤ 8, so that eight elements are read within the window.
    unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(8 - count).cast()) }
}

register! {
    F64x4: __m256d of f64 * 4;
    _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd
    _mm256_fmadd_pd _mm256_fnmadd_pd _mm256_max_pd _mm256_min_pd;
    load_first(from, count) _mm256_maskload_pd(from, first_of_4(count));
    store_first(x, to, count) _mm256_maskstore_pd(to, first_of_4(count), x);
    deinterleave(a, b) {
        // Lanes are halves of 128 bits: a0 a1 b0 b1 and a2 a3 b2 b3.
        let (low, high) = (_mm256_permute2f128_pd::<0x20>(a, b), _mm256_permute2f128_pd::<0x31>(a, b));
        (_mm256_unpacklo_pd(low, high), _mm256_unpackhi_pd(low, high))
    };
    interleave(re, im) {
        let (even, odd) = (_mm256_unpacklo_pd(re, im), _mm256_unpackhi_pd(re, im));
        (_mm256_permute2f128_pd::<0x20>(even, odd), _mm256_permute2f128_pd::<0x31>(even, odd))
    };
}

register! {
    F32x8: __m256 of f32 * 8;
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps
    _mm256_fmadd_ps _mm256_fnmadd_ps _mm256_max_ps _mm256_min_ps;
    load_first(from, count) _mm256_maskload_ps(from, first_of_8(count));
    store_first(x, to, count) _mm256_maskstore_ps(to, first_of_8(count), x);
    deinterleave(a, b) {
        let (low, high) = (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
        (_mm256_shuffle_ps::<0b10_00_10_00>(low, high), _mm256_shuffle_ps::<0b11_01_11_01>(low, high))
    };
    interleave(re, im) {
        let (low, high) = (_mm256_unpacklo_ps(re, im), _mm256_unpackhi_ps(re, im));
        (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
    };
}

#[cfg(tensoroxide_avx512)]
pub(super) use wide::avx512;

/// What needs Rust 1.89.
#[cfg(tensoroxide_avx512)]
#[allow(clippy::incompatible_msrv)] // compiled only where the compiler has it
mod wide {
    use super::*;

    /// 32 registers of 512 bits.
    #[derive(Clone, Copy)]
    pub(in crate::simd) struct Avx512;

    impl Simd for Avx512 {
        type F32 = F32x16;
        type F64 = F64x8;
        const REGISTERS: usize = 32;

        #[inline(always)]
        unsafe fn apart<T: Task>(task: T) -> T::Output {
            #[inline(never)]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn run<T: Task>(task: T) -> T::Output {
                task.run::<Avx512>()
            }
            // SAFETY: the caller's promise.
            unsafe { run(task) }
        }

        #[inline(always)]
        fn prefetch<T>(at: *const T) {
            Avx2::prefetch(at);
        }
    }

    /// Runs a task, compiled for AVX-512.
    #[inline]
    pub(in crate::simd) fn avx512<T: Task>(task: T) -> T::Output {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        unsafe fn run<T: Task>(task: T) -> T::Output {
            task.run::<Avx512>()
        }
        // SAFETY: called by `Isa::run` alone, after detection.
        unsafe { run(task) }
    }

    register! {
        F64x8: __m512d of f64 * 8;
        _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd
        _mm512_fmadd_pd _mm512_fnmadd_pd _mm512_max_pd _mm512_min_pd;
        load_first(from, count) _mm512_maskz_loadu_pd(((1u32 << count) - 1) as __mmask8, from);
        store_first(x, to, count) _mm512_mask_storeu_pd(to, ((1u32 << count) - 1) as __mmask8, x);
        deinterleave(a, b) {
            let (even, odd) = (_mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15));
            (_mm512_permutex2var_pd(a, even, b), _mm512_permutex2var_pd(a, odd, b))
        };
        interleave(re, im) {
            let (low, high) = (_mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15));
            (_mm512_permutex2var_pd(re, low, im), _mm512_permutex2var_pd(re, high, im))
        };
    }

    register! {
        F32x16: __m512 of f32 * 16;
        _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps
        _mm512_fmadd_ps _mm512_fnmadd_ps _mm512_max_ps _mm512_min_ps;
        load_first(from, count) _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from);
        store_first(x, to, count) _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, x);
        deinterleave(a, b) {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
        };
        interleave(re, im) {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(re, low, im), _mm512_permutex2var_ps(re, high, im))
        };
    }
}
