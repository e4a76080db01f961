//! Registers of several numbers, and the instruction set that is chosen at run time.
//!
//! A kernel is written once, over [`Simd`], as a [`Task`]; [`Isa::run`] compiles it for each instruction set and calls
//! the one that was asked for, usually the processor's [best](Isa::best). Within the task all is inlined, so that the
//! whole kernel uses that set's registers:
//!
//! ```
//! use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
//! struct Sum<'a>(&'a [f64]);
//! impl Task for Sum<'_> {
//!     type Output = f64;
//!     #[inline(always)]
//!     fn run<S: Simd>(self) -> f64 {
//!         let chunks = self.0.chunks_exact(S::F64::LANES);
//!         let rest: f64 = chunks.remainder().iter().sum();
//!         // SAFETY: a task runs only where its instruction set is; every chunk has as many elements as the register.
//!         unsafe { chunks.fold(S::F64::zero(), |sum, chunk| sum.add(S::F64::load(chunk.as_ptr()))).sum() + rest }
//!     }
//! }
//! let numbers: Vec<f64> = (1..=100).map(f64::from).collect();
//! for &isa in Isa::available() {
//!     assert_eq!(isa.run(Sum(&numbers)), 5050.0);
//! }
//! ```

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use crate::{Real, Scalar};

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What every processor of the architecture has.
    Portable,
    /// 128-bit registers of 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// 256-bit registers of x86-64, with fused multiplication and addition.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit registers of x86-64 (F, DQ, BW and VL).
    #[cfg(all(target_arch = "x86_64", tensoroxide_avx512))]
    Avx512,
}

/// Work to be done with the registers of an instruction set. `run` is to be marked `#[inline(always)]`, and so is all
/// that it calls with `S`: what is not inlined is compiled for the portable set.
pub trait Task {
    /// What comes out.
    type Output;
    /// Does the work. Called only where the processor has the instruction set of `S`.
    fn run<S: Simd>(self) -> Self::Output;
}

/// The registers of an instruction set.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Single precision.
    type F32: Vector<Lane = f32>;
    /// Double precision; half as many lanes.
    type F64: Vector<Lane = f64>;
    /// How many registers there are: what a kernel may keep in them.
    const REGISTERS: usize;

    /// Runs a task as a function of its own, compiled for this set: a kernel that shall have all registers for itself.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn apart<T: Task>(task: T) -> T::Output;

    /// Asks for the cache line at an address, which need not be valid.
    #[inline(always)]
    fn prefetch<T>(_: *const T) {}
}

/// A register of real numbers.
///
/// # Safety
/// All methods but `load`, `store` and their relatives are unsafe for one reason only: the processor must have the
/// instruction set, as it has within a [`Task`]. `LANES` elements lie in memory as an array of `Lane`.
pub unsafe trait Vector: Copy + Send + Sync + 'static {
    /// An element.
    type Lane: Real;
    /// Elements of a register: a power of two, at most [`MAX_LANES`].
    const LANES: usize;

    /// Zeros.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn zero() -> Self;
    /// One number in all lanes.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn splat(x: Self::Lane) -> Self;
    /// Reads `LANES` elements, aligned as an element is.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be read.
    unsafe fn load(from: *const Self::Lane) -> Self;
    /// Writes `LANES` elements, aligned as an element is.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be written.
    unsafe fn store(self, to: *mut Self::Lane);
    /// Reads `count` ≤ `LANES` elements and touches no others; the other lanes are 0.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be read.
    unsafe fn load_first(from: *const Self::Lane, count: usize) -> Self;
    /// Writes the first `count` ≤ `LANES` elements and touches no others.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be written.
    unsafe fn store_first(self, to: *mut Self::Lane, count: usize);
    /// `self + other`.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self · other`.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self · factor + term`, rounded once, but for the portable set, which rounds twice.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `term - self · factor`, rounded as [`Vector::mul_add`] is.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn neg_mul_add(self, factor: Self, term: Self) -> Self;
    /// The larger of each pair; which one if a lane has a NaN depends on the instruction set.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller of each pair; which one if a lane has a NaN depends on the instruction set.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn min(self, other: Self) -> Self;
    /// Elements 0, 2, 4, … and 1, 3, 5, … of `self` followed by `other`: the real and the imaginary parts of complex
    /// numbers.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn deinterleave(self, other: Self) -> (Self, Self);
    /// The inverse of [`Vector::deinterleave`].
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn interleave(self, other: Self) -> (Self, Self);

    /// Neighbours exchanged: elements 1, 0, 3, 2, … The real and the imaginary parts of complex numbers change places.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, odd) = self.deinterleave(self);
            odd.interleave(even).0
        }
    }

    /// Elements 0, 0, 2, 2, …: the real parts of complex numbers, each twice.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn repeat_even(self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, _) = self.deinterleave(self);
            even.interleave(even).0
        }
    }

    /// Elements 1, 1, 3, 3, …: the imaginary parts of complex numbers, each twice.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn repeat_odd(self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let (_, odd) = self.deinterleave(self);
            odd.interleave(odd).0
        }
    }

    /// Reads `count` ≤ `LANES` elements that are `stride` elements apart; the other lanes are 0.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be read.
    #[inline(always)]
    unsafe fn gather(from: *const Self::Lane, stride: isize, count: usize) -> Self {
        let mut lanes = [Self::Lane::ZERO; MAX_LANES];
        // SAFETY: the caller's promise; `LANES` ≤ MAX_LANES.
        unsafe {
            (0..count).for_each(|i| lanes[i] = *from.offset(i as isize * stride));
            Self::load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` ≤ `LANES` elements, `stride` elements apart.
    ///
    /// # Safety
    /// The processor has the instruction set; the elements can be written.
    #[inline(always)]
    unsafe fn scatter(self, to: *mut Self::Lane, stride: isize, count: usize) {
        let mut lanes = [Self::Lane::ZERO; MAX_LANES];
        // SAFETY: the caller's promise; `LANES` ≤ MAX_LANES.
        unsafe {
            self.store(lanes.as_mut_ptr());
            (0..count).for_each(|i| *to.offset(i as isize * stride) = lanes[i]);
        }
    }

    /// The sum of all lanes: halves are added to each other until one number is left.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn sum(self) -> Self::Lane {
        let mut lanes = [Self::Lane::ZERO; MAX_LANES];
        // SAFETY: the caller's promise; `LANES` ≤ MAX_LANES.
        unsafe { self.store(lanes.as_mut_ptr()) };
        let mut half = Self::LANES / 2;
        while half > 0 {
            (0..half).for_each(|i| lanes[i] += lanes[i + half]);
            half /= 2;
        }
        lanes[0]
    }
}

/// Most elements of any register.
pub const MAX_LANES: usize = 16;

impl Isa {
    /// The instruction sets that this processor has, the best one last.
    pub fn available() -> &'static [Isa] {
        static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            let mut available = vec![Isa::Portable];
            #[cfg(target_arch = "aarch64")]
            available.push(Isa::Neon); // part of the architecture as Rust knows it
            #[cfg(target_arch = "x86_64")]
            x86::detect(&mut available);
            available
        })
    }

    /// The best instruction set of this processor.
    #[inline]
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Isa::available().last().copied().unwrap_or(Isa::Portable))
    }

    /// Runs a task with the registers of this instruction set; with the portable one if the processor does not have it.
    #[inline]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => task.run::<neon::Neon>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if Isa::best() >= Isa::Avx2 => x86::avx2(task),
            #[cfg(all(target_arch = "x86_64", tensoroxide_avx512))]
            Isa::Avx512 if Isa::best() >= Isa::Avx512 => x86::avx512(task),
            _ => task.run::<portable::Portable>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method of a register against the same on single numbers.
    struct Check;

    #[inline(always)]
    fn check<V: Vector>() {
        let number = |i: usize| V::Lane::from_f64(i as f64 * 1.5 - 4.0);
        let a: Vec<V::Lane> = (0..MAX_LANES).map(number).collect();
        let b: Vec<V::Lane> = (0..MAX_LANES).map(|i| number((7 * i + 3) % 11)).collect();
        let n = V::LANES;
        let list = |v: V| -> Vec<V::Lane> {
            let mut out = vec![V::Lane::from_f64(77.0); n];
            // SAFETY: as in the test as a whole: the task runs where its set is, and the memory has n elements.
            unsafe { v.store(out.as_mut_ptr()) };
            out
        };
        let by = |f: &dyn Fn(V::Lane, V::Lane) -> V::Lane| -> Vec<V::Lane> { (0..n).map(|i| f(a[i], b[i])).collect() };
        // SAFETY: within a task; every pointer leads to at least as many elements as are read or written.
        unsafe {
            let (x, y) = (V::load(a.as_ptr()), V::load(b.as_ptr()));
            assert_eq!(list(V::zero()), vec![V::Lane::ZERO; n]);
            assert_eq!(list(V::splat(a[1])), vec![a[1]; n]);
            assert_eq!(list(x), a[..n]);
            assert_eq!(list(x.add(y)), by(&|a, b| a + b));
            assert_eq!(list(x.sub(y)), by(&|a, b| a - b));
            assert_eq!(list(x.mul(y)), by(&|a, b| a * b));
            // Small multiples of 1/4: exact, rounded once or twice.
            assert_eq!(list(x.mul_add(y, x)), by(&|a, b| a * b + a));
            assert_eq!(list(x.neg_mul_add(y, x)), by(&|a, b| a - a * b));
            assert_eq!(list(x.max(y)), by(&|a, b| if a > b { a } else { b }));
            assert_eq!(list(x.min(y)), by(&|a, b| if a < b { a } else { b }));
            assert_eq!(list(x.swap_pairs()), (0..n).map(|i| a[i ^ 1]).collect::<Vec<_>>());
            assert_eq!(list(x.repeat_even()), (0..n).map(|i| a[i & !1]).collect::<Vec<_>>());
            assert_eq!(list(x.repeat_odd()), (0..n).map(|i| a[i | 1]).collect::<Vec<_>>());
            assert_eq!(x.sum(), a[..n].iter().copied().sum());
            let (even, odd) = x.deinterleave(y);
            let both = [&a[..n], &b[..n]].concat();
            assert_eq!(list(even), both.iter().copied().step_by(2).collect::<Vec<_>>());
            assert_eq!(list(odd), both.iter().copied().skip(1).step_by(2).collect::<Vec<_>>());
            let (x, y) = even.interleave(odd);
            assert_eq!([list(x), list(y)].concat(), both);
            for count in 0..=n {
                let mut expected = a[..count].to_vec();
                expected.resize(n, V::Lane::ZERO);
                // Of exactly this many elements, so that a memory checker sees a read beyond them.
                let few: Box<[V::Lane]> = a[..count].into();
                assert_eq!(list(V::load_first(few.as_ptr(), count)), expected);
                let reversed = a.as_ptr().add(count.max(1) - 1);
                assert_eq!(
                    list(V::gather(reversed, -1, count))[..count],
                    *few.iter().rev().copied().collect::<Vec<_>>()
                );
                let seven = V::Lane::from_f64(7.0);
                let mut out = vec![seven; n];
                V::load(b.as_ptr()).store_first(out.as_mut_ptr(), count);
                assert_eq!(out, [&b[..count], &vec![seven; n - count]].concat());
                let mut out = vec![seven; 2 * n];
                V::load(b.as_ptr()).scatter(out.as_mut_ptr(), 2, count);
                let spread = |i: usize| if i % 2 == 0 && i / 2 < count { b[i / 2] } else { seven };
                assert_eq!(out, (0..2 * n).map(spread).collect::<Vec<_>>());
            }
        }
    }

    struct Outer;

    impl Task for Outer {
        type Output = (usize, usize);
        #[inline(always)]
        fn run<S: Simd>(self) -> (usize, usize) {
            S::prefetch(std::ptr::null::<f64>());
            // SAFETY: within a task.
            unsafe { S::apart(Check) }
        }
    }

    impl Task for Check {
        type Output = (usize, usize);
        #[inline(always)]
        fn run<S: Simd>(self) -> (usize, usize) {
            check::<S::F32>();
            check::<S::F64>();
            (S::F32::LANES, S::F64::LANES)
        }
    }

    #[test]
    fn registers_compute_what_single_numbers_do() {
        for &isa in Isa::available() {
            let (of_f32, of_f64) = isa.run(Check);
            assert_eq!(isa.run(Outer), (of_f32, of_f64));
            assert!(of_f32 == 2 * of_f64 && of_f32 <= MAX_LANES, "{isa:?}");
        }
    }

    #[test]
    fn the_best_set_is_available() {
        assert!(Isa::available().contains(&Isa::Portable));
        assert_eq!(Isa::available().last(), Some(&Isa::best()));
    }
}
