//! Packing: a block of an operand copied into panels, in the order in which the microkernel reads it.
//!
//! A panel holds `width` lines (rows of A or columns of B). For each summed position it has the lines' elements one
//! after another; of complex numbers first the real parts, then the imaginary ones, so that the microkernel multiplies
//! whole registers. Places of lines that a last panel lacks are left as they are: what the microkernel makes of them is
//! never written.

use tensoroxide_tensor::simd::{Simd, Task, Vector, MAX_LANES};
use tensoroxide_tensor::{Real, Scalar};

use super::offsets::Offsets;

/// What goes into panels.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a, R> {
    /// Where the offsets count from; numbers, of which a complex element has two.
    pub(super) from: *const R,
    /// Offsets of the lines in elements, and which of them are meant.
    pub(super) lines: &'a Offsets,
    pub(super) first: usize,
    pub(super) count: usize,
    /// Offsets of the summed positions, and which of them are meant.
    pub(super) sums: &'a Offsets,
    pub(super) skip: usize,
    pub(super) depth: usize,
    /// Whether imaginary parts change their sign.
    pub(super) conj: bool,
}

/// Lines to be packed into panels of `width` lines, the last of which may have fewer.
pub(super) struct Pack<'a, R, const COMPLEX: bool> {
    pub(super) lines: Lines<'a, R>,
    pub(super) width: usize,
    pub(super) to: *mut R,
}

impl<R: Real, const COMPLEX: bool> Task for Pack<'_, R, COMPLEX> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: within a task; who asks for it vouches for the pointers.
        unsafe { self.lines.pack::<R::Register<S>, COMPLEX>(self.width, self.to) }
    }
}

impl<R: Scalar> Lines<'_, R> {
    /// Packs panels of `width` lines.
    ///
    /// # Safety
    /// Within a task with registers of `V`. The elements can be read, and `to` written for `depth` elements of so many
    /// whole panels.
    #[inline(always)]
    unsafe fn pack<V: Vector<Lane = R>, const COMPLEX: bool>(&self, width: usize, to: *mut R) {
        // SAFETY: the caller's promise.
        unsafe {
            let dense = 2 * self.lines.pieces(self.first, self.count, V::LANES) <= self.count;
            // Memory is read best in the order in which it lies: past all panels before the next summed position, if
            // that is farther away than the next panel.
            if dense && self.lines.distance(self.first, width.min(self.count)) <= self.sums.step(self.skip, self.depth)
            {
                return self.along_lines::<V, COMPLEX>(width, to);
            }
            for first in (0..self.count).step_by(width) {
                let panel = Lines { first: self.first + first, count: width.min(self.count - first), ..*self };
                let to = to.add(first * self.depth * parts::<COMPLEX>());
                if dense || 2 * self.lines.pieces(panel.first, panel.count, V::LANES) <= panel.count {
                    panel.along_lines::<V, COMPLEX>(width, to);
                } else if panel.count > 2 && 2 * self.sums.pieces(self.skip, self.depth, V::LANES) <= self.depth {
                    panel.along_sums::<V, COMPLEX>(width, to);
                } else {
                    panel.one_by_one::<COMPLEX>(width, to);
                }
            }
        }
    }

    /// Where the element of a line and a summed position lies.
    #[inline(always)]
    fn element<const COMPLEX: bool>(&self, line: usize, sum: usize) -> *const R {
        let offset = self.lines.at(self.first + line) + self.sums.at(self.skip + sum);
        self.from.wrapping_offset(if COMPLEX { 2 * offset } else { offset })
    }

    /// Reads what lies densely along the lines, of all panels for each summed position.
    #[inline(always)]
    unsafe fn along_lines<V: Vector<Lane = R>, const COMPLEX: bool>(&self, width: usize, to: *mut R) {
        let run = self.lines.run(self.first, self.count);
        // SAFETY: the caller's promise; a run's elements lie one after another.
        unsafe {
            if run == self.count && self.count % width == 0 && width % V::LANES == 0 {
                return match width / V::LANES {
                    1 => self.dense_lines::<V, COMPLEX, 1>(to),
                    2 => self.dense_lines::<V, COMPLEX, 2>(to),
                    3 => self.dense_lines::<V, COMPLEX, 3>(to),
                    _ => self.dense_lines::<V, COMPLEX, 4>(to),
                };
            }
            let sign = self.sign::<V>();
            for sum in 0..self.depth {
                let mut to = to.add(sum * width * parts::<COMPLEX>());
                for first in (0..self.count).step_by(width) {
                    let end = (first + width).min(self.count);
                    let mut line = first;
                    while line < end {
                        let count = self.lines.run(self.first + line, V::LANES.min(end - line));
                        let registers = load::<V, COMPLEX>(self.element::<COMPLEX>(line, sum), count, sign);
                        store_part::<V, COMPLEX>(registers, to.add(line - first), width, count);
                        line += count;
                    }
                    to = to.wrapping_add(self.depth * width * parts::<COMPLEX>());
                }
            }
        }
    }

    /// Whole panels of `M` registers that lie one after another.
    #[inline(always)]
    unsafe fn dense_lines<V: Vector<Lane = R>, const COMPLEX: bool, const M: usize>(&self, to: *mut R) {
        let width = M * V::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let sign = self.sign::<V>();
            for sum in 0..self.depth {
                let mut from = self.element::<COMPLEX>(0, sum);
                let mut to = to.add(sum * width * parts::<COMPLEX>());
                for _ in 0..self.count / width {
                    for i in 0..M {
                        let [re, im] = load_full::<V, COMPLEX>(from.add(i * V::LANES * parts::<COMPLEX>()), sign);
                        re.store(to.add(i * V::LANES));
                        if COMPLEX {
                            im.store(to.add((M + i) * V::LANES));
                        }
                    }
                    from = from.wrapping_add(width * parts::<COMPLEX>());
                    to = to.wrapping_add(self.depth * width * parts::<COMPLEX>());
                }
            }
        }
    }

    /// Reads what lies densely along the summed positions, a register of them in each line, and turns it in registers.
    #[inline(always)]
    unsafe fn along_sums<V: Vector<Lane = R>, const COMPLEX: bool>(&self, width: usize, to: *mut R) {
        // SAFETY: the caller's promise.
        unsafe {
            let sign = self.sign::<V>();
            let mut sum = 0;
            while sum < self.depth {
                let run = self.sums.run(self.skip + sum, V::LANES.min(self.depth - sum));
                for line in (0..self.count).step_by(V::LANES) {
                    let lines = V::LANES.min(self.count - line);
                    let mut re = [V::zero(); MAX_LANES];
                    let mut im = [V::zero(); MAX_LANES];
                    if lines == V::LANES && run == V::LANES {
                        for i in 0..V::LANES {
                            [re[i], im[i]] = load_full::<V, COMPLEX>(self.element::<COMPLEX>(line + i, sum), sign);
                        }
                    } else {
                        for i in 0..lines {
                            [re[i], im[i]] = load::<V, COMPLEX>(self.element::<COMPLEX>(line + i, sum), run, sign);
                        }
                    }
                    turn(&mut re);
                    if COMPLEX {
                        turn(&mut im);
                    }
                    let to = to.add(sum * width * parts::<COMPLEX>() + line);
                    for i in 0..run {
                        let to = to.add(i * width * parts::<COMPLEX>());
                        store_part::<V, COMPLEX>([re[i], im[i]], to, width, lines);
                    }
                }
                sum += run;
            }
        }
    }

    /// Element by element, in the order in which the operand is nearest to being walked through.
    #[inline(always)]
    unsafe fn one_by_one<const COMPLEX: bool>(&self, width: usize, to: *mut R) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.lines.step(self.first, self.count) <= self.sums.step(self.skip, self.depth) {
                for sum in 0..self.depth {
                    for line in 0..self.count {
                        self.copy::<COMPLEX>(line, sum, width, to);
                    }
                }
            } else {
                for line in 0..self.count {
                    for sum in 0..self.depth {
                        self.copy::<COMPLEX>(line, sum, width, to);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn copy<const COMPLEX: bool>(&self, line: usize, sum: usize, width: usize, to: *mut R) {
        // SAFETY: the caller's promise.
        unsafe {
            let from = self.element::<COMPLEX>(line, sum);
            let to = to.add(sum * width * parts::<COMPLEX>() + line);
            *to = *from;
            if COMPLEX {
                *to.add(width) = if self.conj { -*from.add(1) } else { *from.add(1) };
            }
        }
    }

    /// What imaginary parts are multiplied by.
    #[inline(always)]
    unsafe fn sign<V: Vector<Lane = R>>(&self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::splat(if self.conj { -R::ONE } else { R::ONE }) }
    }
}

/// Numbers of an element.
#[inline(always)]
pub(super) const fn parts<const COMPLEX: bool>() -> usize {
    1 + COMPLEX as usize
}

/// A register of real parts, and one of imaginary parts.
///
/// # Safety
/// Within a task; the elements can be read.
#[inline(always)]
unsafe fn load_full<V: Vector, const COMPLEX: bool>(from: *const V::Lane, sign: V) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        if COMPLEX {
            let (re, im) = V::load(from).deinterleave(V::load(from.add(V::LANES)));
            [re, im.mul(sign)]
        } else {
            [V::load(from), V::zero()]
        }
    }
}

/// As [`load_full`], of `count` elements.
///
/// # Safety
/// Within a task; `count` elements can be read.
#[inline(always)]
unsafe fn load<V: Vector, const COMPLEX: bool>(from: *const V::Lane, count: usize, sign: V) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        if count == V::LANES {
            load_full::<V, COMPLEX>(from, sign)
        } else if COMPLEX {
            let first = (2 * count).min(V::LANES);
            let rest = V::load_first(from.wrapping_add(first), 2 * count - first);
            let (re, im) = V::load_first(from, first).deinterleave(rest);
            [re, im.mul(sign)]
        } else {
            [V::load_first(from, count), V::zero()]
        }
    }
}

/// Writes `count` lines of one summed position; `to` leads to the first of them within a panel of `width` lines.
///
/// # Safety
/// Within a task; the elements can be written.
#[inline(always)]
unsafe fn store_part<V: Vector, const COMPLEX: bool>([re, im]: [V; 2], to: *mut V::Lane, width: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count == V::LANES {
            re.store(to);
            if COMPLEX {
                im.store(to.add(width));
            }
        } else {
            re.store_first(to, count);
            if COMPLEX {
                im.store_first(to.add(width), count);
            }
        }
    }
}

/// Transposes the square of the first `LANES` registers. Each pass moves the highest bit of a register's number to the
/// lowest place of the lane's, and the highest bit of the lane's to the lowest place of the register's.
///
/// # Safety
/// Within a task.
#[inline(always)]
unsafe fn turn<V: Vector>(square: &mut [V; MAX_LANES]) {
    let mut pass = 1;
    while pass < V::LANES {
        let from = *square;
        for i in 0..V::LANES / 2 {
            // SAFETY: the caller's promise.
            (square[2 * i], square[2 * i + 1]) = unsafe { from[i].interleave(from[i + V::LANES / 2]) };
        }
        pass *= 2;
    }
}
