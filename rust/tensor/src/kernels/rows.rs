//! Rows: elements that lie together in both tensors. Copied, written past the caches, combined as α·op(A) + β·C,
//! summed.

use crate::simd::{Isa, Simd, Task, Vector};
use crate::{DType, Scalar};

/// Copies rows of `bytes` bytes, `pitch` bytes apart, to `c + to` for each of the offsets `to`.
///
/// # Safety
/// All rows can be read and written, and those of A do not overlap those of C.
pub(super) unsafe fn copy(a: *const u8, pitch: usize, c: *mut u8, rows: &[isize], bytes: usize) {
    for (k, &to) in rows.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(a.add(k * pitch), c.offset(to), bytes) };
    }
}

/// What comes after some rows, to be fetched meanwhile, so that computing and writing do not wait for it. The addresses
/// need not be valid.
#[derive(Clone, Copy)]
pub(super) struct Next<'a> {
    /// Where in A, and the cache lines from there. Without lines, a single row comes next.
    pub(super) a: *const u8,
    pub(super) lines: &'a [isize],
    /// Where in C.
    pub(super) c: *const u8,
}

/// Bytes of a long row that are fetched ahead: further than processors look by themselves, across the border of a page.
const AHEAD: usize = 2048;

impl Next<'_> {
    /// What lies [`AHEAD`] of byte `at` of a row, there or in the next row of as many bytes.
    #[inline(always)]
    fn ahead(self, row: *const u8, at: usize, bytes: usize) -> *const u8 {
        let at = at + AHEAD.min(bytes);
        if at < bytes {
            row.wrapping_add(at)
        } else {
            self.a.wrapping_add(at - bytes)
        }
    }
}

/// As [`copy`], past the caches: whole cache lines are not read before they are written. For what is not read again
/// soon. After the last row, [`fence`] has to be called before others are told. What comes next is fetched, a few lines
/// with each row.
///
/// # Safety
/// As [`copy`]; the processor has the instruction set.
pub(super) unsafe fn stream(
    isa: Isa,
    (a, pitch): (*const u8, usize),
    (c, rows): (*mut u8, &[isize]),
    bytes: usize,
    next: Next<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match isa {
            #[cfg(all(target_arch = "x86_64", tensoroxide_avx512))]
            Isa::Avx512 => x86::stream_by_64(a, pitch, c, rows, bytes, next),
            #[cfg(target_arch = "x86_64")]
            _ => x86::stream_by_16(a, pitch, c, rows, bytes, next),
            #[cfg(not(target_arch = "x86_64"))]
            _ => {
                let _ = next.c; // nothing is fetched ahead here
                copy(a, pitch, c, rows, bytes);
            }
        }
    }
}

/// Makes what was streamed visible before anything that is written later.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, which touches no memory of ours.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Next;

    /// A row as what lies before the first line of C, whole lines, and the rest. What is not a whole line passes
    /// through the caches; its line is fetched a tile before, since all later stores wait for one that misses.
    macro_rules! stream {
        ($name:ident, $features:literal, $line:ident) => {
            #[target_feature(enable = $features)]
            pub(in crate::kernels) unsafe fn $name(
                a: *const u8,
                pitch: usize,
                c: *mut u8,
                rows: &[isize],
                bytes: usize,
                next: Next<'_>,
            ) {
                let mut lines = next.lines.chunks(next.lines.len().div_ceil(rows.len().max(1)).max(1));
                for (k, &to) in rows.iter().enumerate() {
                    for &line in lines.next().unwrap_or_default() {
                        // Into the second cache: the first one holds the rows.
                        _mm_prefetch::<_MM_HINT_T1>(next.a.wrapping_offset(line).cast());
                    }
                    let (first, end) = (next.c.wrapping_offset(to), next.c.wrapping_offset(to).wrapping_add(bytes));
                    for part in [first, end] {
                        if part as usize % 64 != 0 && !next.lines.is_empty() {
                            _mm_prefetch::<_MM_HINT_ET0>(part.cast());
                        }
                    }
                    // SAFETY: the caller's promise: the three parts make up the row.
                    unsafe {
                        let (mut a, mut c) = (a.add(k * pitch), c.offset(to));
                        let head = (c as usize).wrapping_neg() % 64;
                        if head >= bytes {
                            std::ptr::copy_nonoverlapping(a, c, bytes);
                            continue;
                        }
                        if head > 0 {
                            std::ptr::copy_nonoverlapping(a, c, head);
                            (a, c) = (a.add(head), c.add(head));
                        }
                        for line in 0..(bytes - head) / 64 {
                            if next.lines.is_empty() {
                                _mm_prefetch::<_MM_HINT_T0>(next.ahead(a, 64 * line, bytes).cast());
                            }
                            $line(a.add(64 * line), c.add(64 * line));
                        }
                        (a, c) = (a.add((bytes - head) / 64 * 64), c.add((bytes - head) / 64 * 64));
                        let tail = (bytes - head) % 64;
                        if tail > 0 {
                            std::ptr::copy_nonoverlapping(a, c, tail);
                        }
                    }
                }
            }
        };
    }

    /// # Safety
    /// 64 bytes can be read; a cache line can be written.
    #[inline(always)]
    unsafe fn line_by_16(a: *const u8, c: *mut u8) {
        for k in 0..4 {
            // SAFETY: the caller's promise.
            unsafe { _mm_stream_si128(c.cast::<__m128i>().add(k), _mm_loadu_si128(a.cast::<__m128i>().add(k))) };
        }
    }

    stream!(stream_by_16, "sse2", line_by_16);

    #[cfg(tensoroxide_avx512)]
    pub(in crate::kernels) use wide::stream_by_64;

    #[cfg(tensoroxide_avx512)]
    #[allow(clippy::incompatible_msrv)] // compiled only where the compiler has it
    mod wide {
        use super::*;

        /// # Safety
        /// As [`line_by_16`].
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn line_by_64(a: *const u8, c: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe { _mm512_stream_si512(c.cast(), _mm512_loadu_si512(a.cast())) };
        }

        stream!(stream_by_64, "avx512f", line_by_64);
    }
}

/// C ← α·op(A) + β·C over rows of `n` elements: those of A `pitch` bytes apart, those of C at the offsets. Without β, C
/// is not read. A and C may be the same rows.
pub(super) struct Combine<'a, T> {
    pub(super) alpha: T,
    pub(super) conj: bool,
    pub(super) beta: Option<T>,
    pub(super) a: *const u8,
    pub(super) pitch: usize,
    pub(super) c: *mut u8,
    pub(super) rows: &'a [isize],
    pub(super) n: usize,
    pub(super) next: Next<'a>,
}

impl<T: Scalar> Combine<'_, T> {
    /// # Safety
    /// All rows can be read and written; but for A's that are C's, they do not overlap.
    pub(super) unsafe fn run(self, isa: Isa) {
        isa.run(self);
    }
}

impl<T: Scalar> Task for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: the promise made to `Combine::run`, which alone makes a task of it. Lanes are the real numbers that
        // the elements consist of.
        unsafe {
            match T::DTYPE {
                DType::F32 | DType::C32 => combine::<S, S::F32, T>(self, |x| x as f32),
                DType::F64 | DType::C64 => combine::<S, S::F64, T>(self, |x| x),
            }
        }
    }
}

/// Rows of C that are fetched before they are read.
const SOON: usize = 4;

/// # Safety
/// As [`Combine::run`]; `V` holds parts of `T`.
#[inline(always)]
unsafe fn combine<S: Simd, V: Vector, T: Scalar>(job: Combine<'_, T>, lane: impl Fn(f64) -> V::Lane) {
    let (alpha, beta) = (job.alpha.to_c64(), job.beta.map(Scalar::to_c64));
    let read = beta.is_some();
    let beta = beta.unwrap_or_default();
    let parts = size_of::<T>() / size_of::<V::Lane>();
    let sign = if job.conj { -1.0 } else { 1.0 };
    let (bytes, next) = (job.n * size_of::<T>(), job.next);
    let mut lines = next.lines.chunks(next.lines.len().div_ceil(job.rows.len().max(1)).max(1));
    // With row `k`: lines of what comes next, and the row of C that will be read soon.
    let mut fetch = |k: usize| {
        if !next.lines.is_empty() {
            lines.next().unwrap_or_default().iter().for_each(|&line| S::prefetch(next.a.wrapping_offset(line)));
            if let Some(&soon) = job.rows.get(k + SOON).filter(|_| read) {
                (0..bytes).step_by(64).for_each(|at| S::prefetch(job.c.wrapping_offset(soon).wrapping_add(at)));
            }
        }
    };
    // SAFETY: the caller's promise; every access lies within the n elements of a row.
    unsafe {
        if alpha.im == 0.0 && beta.im == 0.0 {
            // Real factors: the parts are numbers of their own, and those of imaginary parts may change sign.
            let n = job.n * parts;
            let pattern: [V::Lane; crate::simd::MAX_LANES] =
                std::array::from_fn(|i| lane(if i % parts == 1 { sign * alpha.re } else { alpha.re }));
            let (alpha, beta) = (V::load(pattern.as_ptr()), V::splat(lane(beta.re)));
            for (k, &to) in job.rows.iter().enumerate() {
                fetch(k);
                let (a, c) = (job.a.add(k * job.pitch).cast::<V::Lane>(), job.c.offset(to).cast::<V::Lane>());
                let whole = n - n % V::LANES;
                for i in (0..whole).step_by(V::LANES) {
                    if next.lines.is_empty() {
                        S::prefetch(next.ahead(a.cast(), i * size_of::<V::Lane>(), bytes));
                    }
                    let x = V::load(a.add(i));
                    let y = if read { x.mul_add(alpha, V::load(c.add(i)).mul(beta)) } else { x.mul(alpha) };
                    y.store(c.add(i));
                }
                let rest = n - whole;
                if rest > 0 {
                    let (a, c) = (a.add(whole), c.add(whole));
                    let x = V::load_first(a, rest);
                    let y = if read { x.mul_add(alpha, V::load_first(c, rest).mul(beta)) } else { x.mul(alpha) };
                    y.store_first(c, rest);
                }
            }
            return;
        }
        // Complex factors: real and imaginary parts in registers of their own.
        let (ar, ai) = (V::splat(lane(alpha.re)), V::splat(lane(alpha.im)));
        let (br, bi) = (V::splat(lane(beta.re)), V::splat(lane(beta.im)));
        let sign = V::splat(lane(sign));
        let times = |(x, y): (V, V), (r, i): (V, V)| (x.mul(r).sub(y.mul(i)), x.mul(i).add(y.mul(r)));
        for (k, &to) in job.rows.iter().enumerate() {
            fetch(k);
            let (a, c) = (job.a.add(k * job.pitch).cast::<V::Lane>(), job.c.offset(to).cast::<V::Lane>());
            for i in (0..2 * job.n).step_by(2 * V::LANES) {
                let left = 2 * job.n - i;
                let (first, second) = (left.min(V::LANES), left.saturating_sub(V::LANES).min(V::LANES));
                let load =
                    |p: *const V::Lane| V::load_first(p, first).deinterleave(V::load_first(p.add(first), second));
                let (re, im) = load(a.add(i));
                let (mut re, mut im) = times((re, im.mul(sign)), (ar, ai));
                if read {
                    let (old_re, old_im) = times(load(c.add(i)), (br, bi));
                    (re, im) = (re.add(old_re), im.add(old_im));
                }
                let (low, high) = re.interleave(im);
                low.store_first(c.add(i), first);
                high.store_first(c.add(i + first), second);
            }
        }
    }
}

/// The sum of `n` elements that lie together.
pub(super) struct Sum<'a, T> {
    pub(super) a: *const T,
    pub(super) n: usize,
    pub(super) next: Next<'a>,
}

impl<T: Scalar> Sum<'_, T> {
    /// # Safety
    /// The elements can be read.
    pub(super) unsafe fn run(self, isa: Isa) -> T {
        isa.run(self)
    }
}

impl<T: Scalar> Task for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self) -> T {
        // SAFETY: the promise made to `Sum::run`, which alone makes a task of it.
        let [re, im] = unsafe {
            match T::DTYPE {
                DType::F32 | DType::C32 => sum::<S, S::F32, T>(self).map(f64::from),
                DType::F64 | DType::C64 => sum::<S, S::F64, T>(self),
            }
        };
        T::from_c64(crate::Complex64::new(re, im))
    }
}

/// The sums of the real and the imaginary parts. Several registers of partial sums break the chain of dependent
/// additions, and lose less to rounding than one.
///
/// # Safety
/// As [`Sum::run`]; `V` holds parts of `T`.
#[inline(always)]
unsafe fn sum<S: Simd, V: Vector, T: Scalar>(job: Sum<'_, T>) -> [V::Lane; 2] {
    const REGISTERS: usize = 8;
    let parts = size_of::<T>() / size_of::<V::Lane>();
    let (a, n) = (job.a.cast::<V::Lane>(), job.n * parts);
    let block = REGISTERS * V::LANES;
    // SAFETY: the caller's promise; every access lies within the n parts.
    unsafe {
        let mut sums = [V::zero(); REGISTERS];
        let mut at = 0;
        while at + block <= n {
            for (k, sum) in sums.iter_mut().enumerate() {
                let byte = (at + k * V::LANES) * size_of::<V::Lane>();
                S::prefetch(job.next.ahead(a.cast(), byte, n * size_of::<V::Lane>()));
                *sum = sum.add(V::load(a.add(at + k * V::LANES)));
            }
            at += block;
        }
        while at < n {
            let some = (n - at).min(V::LANES);
            sums[0] = sums[0].add(V::load_first(a.add(at), some));
            at += some;
        }
        let mut half = REGISTERS / 2;
        while half > 0 {
            for k in 0..half {
                sums[k] = sums[k].add(sums[k + half]);
            }
            half /= 2;
        }
        if parts == 1 {
            return [sums[0].sum(), V::zero().sum()];
        }
        let (re, im) = sums[0].deinterleave(V::zero());
        [re.sum(), im.sum()]
    }
}
