//! From sums to C: conjugation, α and β, and elements that lie apart.

use tensoroxide_tensor::simd::Vector;
use tensoroxide_tensor::Scalar;

/// What becomes of a sum before it is written, in registers and as single numbers.
///
/// Complex products are not formed while they are summed. With A's elements a in a register, real and imaginary parts
/// in turn, the sums p = Σ a·Re b and q = Σ a·Im b need no rearrangement of anything, whatever is conjugated; what
/// belongs together is joined here, once an element of C: op(a)·op(b) has the parts p.re ∓ q.im and ±p.im ± q.re.
#[derive(Clone, Copy)]
pub(super) struct Scale<V: Vector> {
    /// Signs of p and of q with its parts exchanged.
    signs: [V; 2],
    signs_of_parts: [[V::Lane; 2]; 2],
    alpha: Factor<V>,
    beta: Factor<V>,
    /// β = 0: C is not read.
    overwrite: bool,
}

/// A number that registers are multiplied with.
#[derive(Clone, Copy)]
struct Factor<V: Vector> {
    re: V,
    /// The imaginary part, negative where it meets an imaginary part.
    im: V,
    parts: [V::Lane; 2],
    real: bool,
}

/// Two numbers in turn.
#[inline(always)]
unsafe fn alternate<V: Vector>(even: V::Lane, odd: V::Lane) -> V {
    // SAFETY: the caller's promise, that the instruction set is there.
    unsafe { V::splat(even).interleave(V::splat(odd)).0 }
}

impl<V: Vector> Factor<V> {
    #[inline(always)]
    unsafe fn new<const COMPLEX: bool>(parts: [V::Lane; 2]) -> Self {
        let [re, im] = parts;
        let real = !COMPLEX || im == V::Lane::ZERO;
        // SAFETY: the caller's promise, that the instruction set is there.
        unsafe { Factor { re: V::splat(re), im: if real { V::zero() } else { alternate::<V>(-im, im) }, parts, real } }
    }

    /// x·factor + y
    #[inline(always)]
    unsafe fn mul_add<const COMPLEX: bool>(&self, x: V, y: V) -> V {
        // SAFETY: the caller's promise, that the instruction set is there.
        unsafe {
            let y = x.mul_add(self.re, y);
            if !COMPLEX || self.real {
                y
            } else {
                x.swap_pairs().mul_add(self.im, y)
            }
        }
    }

    /// As [`Factor::mul_add`], of single numbers.
    #[inline(always)]
    fn of_parts<const COMPLEX: bool>(&self, x: [V::Lane; 2], y: [V::Lane; 2]) -> [V::Lane; 2] {
        let [re, im] = self.parts;
        if !COMPLEX || self.real {
            [x[0] * re + y[0], x[1] * re + y[1]]
        } else {
            [x[0] * re - x[1] * im + y[0], x[0] * im + x[1] * re + y[1]]
        }
    }
}

impl<V: Vector> Scale<V> {
    /// # Safety
    /// Within a task.
    #[inline(always)]
    pub(super) unsafe fn new<const COMPLEX: bool>(
        alpha: [V::Lane; 2],
        beta: [V::Lane; 2],
        [conj_a, conj_b]: [bool; 2],
    ) -> Self {
        let (plus, minus) = (V::Lane::ONE, -V::Lane::ONE);
        let sign = |negative: bool| if negative { minus } else { plus };
        let of_p = [plus, sign(conj_a)];
        let of_q = [sign(conj_a == conj_b), sign(conj_b)];
        // SAFETY: the caller's promise.
        unsafe {
            let signs = match COMPLEX {
                true => [alternate::<V>(of_p[0], of_p[1]), alternate::<V>(of_q[0], of_q[1])],
                false => [V::zero(); 2],
            };
            Scale {
                signs,
                signs_of_parts: [of_p, of_q],
                alpha: Factor::new::<COMPLEX>(alpha),
                beta: Factor::new::<COMPLEX>(beta),
                overwrite: beta == [V::Lane::ZERO; 2],
            }
        }
    }

    /// α times the product whose sums are p and q (of real numbers: p alone).
    #[inline(always)]
    pub(super) unsafe fn finish<const COMPLEX: bool>(&self, p: V, q: V) -> V {
        // SAFETY: the caller's promise, that the instruction set is there.
        unsafe {
            if !COMPLEX {
                return p.mul(self.alpha.re);
            }
            let x = q.swap_pairs().mul_add(self.signs[1], p.mul(self.signs[0]));
            let scaled = x.mul(self.alpha.re);
            if self.alpha.real {
                scaled
            } else {
                x.swap_pairs().mul_add(self.alpha.im, scaled)
            }
        }
    }

    /// C's elements ← x + β·C.
    #[inline(always)]
    pub(super) unsafe fn write<const COMPLEX: bool>(&self, x: V, c: *mut V::Lane) {
        // SAFETY: the caller's promise, that the elements are C's.
        unsafe {
            let x = if self.overwrite { x } else { self.beta.mul_add::<COMPLEX>(V::load(c), x) };
            x.store(c);
        }
    }

    /// The same for the first `count` lanes.
    #[inline(always)]
    pub(super) unsafe fn write_first<const COMPLEX: bool>(&self, x: V, c: *mut V::Lane, count: usize) {
        // SAFETY: the caller's promise, that the elements are C's.
        unsafe {
            let x = if self.overwrite { x } else { self.beta.mul_add::<COMPLEX>(V::load_first(c, count), x) };
            x.store_first(c, count);
        }
    }

    /// The same for one element of C whose sums are spread over the lanes of registers.
    #[inline(always)]
    pub(super) unsafe fn write_sum<const COMPLEX: bool>(&self, p: V, q: V, c: *mut V::Lane) {
        let none = V::Lane::ZERO;
        // SAFETY: the caller's promise, that the element is C's and the instruction set is there.
        unsafe {
            let x = if COMPLEX {
                let ([p_re, p_im], [q_re, q_im]) = (sum_of_parts(p), sum_of_parts(q));
                let [of_p, of_q] = self.signs_of_parts;
                [p_re * of_p[0] + q_im * of_q[0], p_im * of_p[1] + q_re * of_q[1]]
            } else {
                [p.sum(), none]
            };
            self.write_parts::<COMPLEX>(self.alpha.of_parts::<COMPLEX>(x, [none; 2]), c);
        }
    }

    #[inline(always)]
    unsafe fn write_parts<const COMPLEX: bool>(&self, x: [V::Lane; 2], c: *mut V::Lane) {
        // SAFETY: the caller's promise, that the element is C's.
        unsafe {
            let old = match (self.overwrite, COMPLEX) {
                (true, _) => [V::Lane::ZERO; 2],
                (false, false) => [*c, V::Lane::ZERO],
                (false, true) => [*c, *c.add(1)],
            };
            let x = if self.overwrite { x } else { self.beta.of_parts::<COMPLEX>(old, x) };
            *c = x[0];
            if COMPLEX {
                *c.add(1) = x[1];
            }
        }
    }

    /// C's elements, in runs that begin at `c` plus what `apart` says, ← x + β·C.
    ///
    /// # Safety
    /// `from` leads to `count` numbers, and the elements are C's.
    #[inline(always)]
    pub(super) unsafe fn scatter<const COMPLEX: bool>(
        &self,
        from: *const V::Lane,
        c: *mut V::Lane,
        apart: &Apart,
        start: usize,
        count: usize,
    ) {
        // SAFETY: the caller's promise; runs divide `start` and `count`, and complex elements divide runs.
        unsafe {
            if self.overwrite {
                apart.copy(count, start, |at, to| (from.add(at), c.offset(to)));
                return;
            }
            let width = 1 + usize::from(COMPLEX);
            for run in 0..count / apart.run {
                let (from, c) = (from.add(run * apart.run), c.offset(apart.at(start / apart.run + run)));
                for i in (0..apart.run).step_by(width) {
                    let x = [*from.add(i), if COMPLEX { *from.add(i + 1) } else { V::Lane::ZERO }];
                    self.write_parts::<COMPLEX>(x, c.add(i));
                }
            }
        }
    }
}

/// The sums of the even and of the odd lanes.
#[inline(always)]
unsafe fn sum_of_parts<V: Vector>(x: V) -> [V::Lane; 2] {
    // SAFETY: the caller's promise, that the instruction set is there.
    unsafe {
        let (even, odd) = x.deinterleave(V::zero());
        [even.sum(), odd.sum()]
    }
}

/// Where the elements of an axis lie that are not one dense run: numbers in runs of 2ⁿ, each run with its place.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    /// Numbers (not elements: a complex one counts two) that lie one after the other.
    pub(super) run: usize,
    /// Between runs, if there is no table.
    pub(super) stride: isize,
    /// Of each run.
    pub(super) table: Box<[isize]>,
}

impl Apart {
    #[inline(always)]
    pub(super) fn at(&self, run: usize) -> isize {
        match self.table.is_empty() {
            true => run as isize * self.stride,
            false => self.table[run],
        }
    }

    /// Copies `count` numbers from the axis into a dense buffer.
    ///
    /// # Safety
    /// `from`, moved to any number from `start` to `start + count` of the axis, can be read; `to` has room for them.
    #[inline(always)]
    pub(super) unsafe fn gather<L: Copy>(&self, from: *const L, to: *mut L, start: usize, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.copy(count, start, |at, apart| (from.offset(apart), to.add(at))) }
    }

    /// Copies runs; `ends` gives both ends of one from its place in the dense buffer and that on the axis.
    #[inline(always)]
    unsafe fn copy<L: Copy>(&self, count: usize, start: usize, ends: impl Fn(usize, isize) -> (*const L, *mut L)) {
        // SAFETY: the callers' promise.
        unsafe {
            match self.run {
                1 => self.copy_runs::<L, 1>(count, start, ends),
                2 => self.copy_runs::<L, 2>(count, start, ends),
                4 => self.copy_runs::<L, 4>(count, start, ends),
                8 => self.copy_runs::<L, 8>(count, start, ends),
                _ => self.copy_runs::<L, 16>(count, start, ends),
            }
        }
    }

    #[inline(always)]
    unsafe fn copy_runs<L: Copy, const RUN: usize>(
        &self,
        count: usize,
        start: usize,
        ends: impl Fn(usize, isize) -> (*const L, *mut L),
    ) {
        let (first, runs) = (start / RUN, count / RUN);
        let copy = |i: usize, place: isize| {
            let (from, to) = ends(i * RUN, place);
            // SAFETY: the callers' promise.
            unsafe { to.cast::<[L; RUN]>().write(from.cast::<[L; RUN]>().read()) }
        };
        match self.table.is_empty() {
            true => (0..runs).for_each(|i| copy(i, (first + i) as isize * self.stride)),
            false => self.table[first..first + runs].iter().enumerate().for_each(|(i, &place)| copy(i, place)),
        }
    }
}
