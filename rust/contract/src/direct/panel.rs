//! Registers along an axis that A and C have, single numbers of B: the form of a matrix product.

use tensoroxide_tensor::simd::{Simd, Vector};
use tensoroxide_tensor::Real;

use super::write::{Apart, Scale};
use super::{Axis, Part, Places};

/// Numbers of the buffer: a part of A, then a tile of C, 32 KiB and 8 KiB in double precision.
pub(super) const PACKED: usize = 4096;
pub(super) const BUFFER: usize = PACKED + 1024;

#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Numbers along the axis of the registers.
    pub(super) rows: usize,
    /// Places of these in C and in A; `None` if they lie one after the other.
    pub(super) places: [Option<Apart>; 2],
    /// In C and B.
    pub(super) columns: Axis,
    pub(super) summed: Summed,
    /// Rows, and steps of the sum, that are worked on together.
    pub(super) block: [usize; 2],
}

/// What is summed over: a loop for each place of a table.
#[derive(Clone, Debug)]
pub(super) struct Summed {
    pub(super) count: usize,
    /// In A and B.
    pub(super) strides: [isize; 2],
    pub(super) table: Box<[[isize; 2]]>,
}

/// A part of the sum.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) count: usize,
    pub(super) strides: [isize; 2],
    pub(super) table: &'a [[isize; 2]],
    /// A lies in the buffer, the steps of all places one after the other.
    pub(super) packed: bool,
}

impl Summed {
    /// The terms from step `done` on, `most` at most, where they begin in A and B, and how many steps they are. A step
    /// is one of the loop where there is but one loop, else a whole loop.
    #[inline(always)]
    pub(super) fn part(&self, done: usize, most: usize) -> (Terms<'_>, [isize; 2], usize) {
        let strides = self.strides;
        if self.table.len() == 1 {
            let steps = (self.count - done).min(most);
            let begin = strides.map(|stride| done as isize * stride);
            (Terms { count: steps, strides, table: &self.table, packed: false }, begin, steps)
        } else {
            let steps = (self.table.len() - done).min((most / self.count.max(1)).max(1));
            let table = &self.table[done..done + steps];
            (Terms { count: self.count, strides, table, packed: false }, [0; 2], steps)
        }
    }

    #[inline(always)]
    pub(super) fn steps(&self) -> usize {
        if self.table.len() == 1 {
            self.count
        } else {
            self.table.len()
        }
    }
}

impl Panel {
    /// One product, of those rows and columns that are the part's.
    ///
    /// # Safety
    /// Within a task; the pointers of `start` are those that the panel was made for; `buffer` has [`BUFFER`] numbers if
    /// something lies apart.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, L: Real, const COMPLEX: bool>(
        &self,
        start: Places<L>,
        scales: [&Scale<L::Register<S>>; 2],
        part: &Part,
        buffer: *mut L,
    ) {
        let width = 1 + usize::from(COMPLEX);
        let (mut row, end) = (part.first.start * width, part.first.end * width);
        let [c_apart, a_apart] = &self.places;
        // SAFETY: the caller's promise; blocks stay within rows, columns and terms.
        unsafe {
            while row < end {
                let height = (end - row).min(self.block[0]);
                let (mut done, mut scale) = (0, scales[0]);
                loop {
                    let (mut terms, [to_a, to_b], steps) = self.summed.part(done, self.block[1]);
                    let mut a = start.a.wrapping_offset(to_a);
                    if start.idle {
                        terms.count = 0;
                    }
                    match a_apart {
                        None => a = a.wrapping_add(row),
                        Some(apart) => {
                            pack(apart, a, &terms, row, height, buffer);
                            a = buffer;
                            (terms.packed, terms.strides[0]) = (true, height as isize);
                        }
                    }
                    let tiles = Tiles::<S, L> {
                        a,
                        b: start.b.wrapping_offset(to_b),
                        c: if c_apart.is_some() { start.c } else { start.c.add(row) },
                        apart: c_apart.as_ref(),
                        buffer: buffer.wrapping_add(PACKED),
                        row,
                        height,
                        terms,
                        scale,
                    };
                    let mut column = part.second.start;
                    while column < part.second.end {
                        column += tiles.some_columns::<COMPLEX>(&self.columns, column, part.second.end - column);
                    }
                    (done, scale) = (done + steps, scales[1]);
                    if done >= self.summed.steps() || start.idle {
                        break;
                    }
                }
                row += height;
            }
        }
    }
}

/// Copies rows of A, for all terms, into a dense buffer.
#[inline(always)]
unsafe fn pack<L: Copy>(apart: &Apart, a: *const L, terms: &Terms<'_>, row: usize, height: usize, buffer: *mut L) {
    let mut to = buffer;
    for &[place, _] in terms.table {
        // SAFETY: the callers' promise; a block's rows times its terms fit the buffer.
        unsafe {
            let mut from = a.offset(place);
            for _ in 0..terms.count {
                apart.gather(from, to, row, height);
                (from, to) = (from.wrapping_offset(terms.strides[0]), to.add(height));
            }
        }
    }
}

/// A block of rows, to be gone through tile by tile.
struct Tiles<'a, S: Simd, L: Real> {
    a: *const L,
    b: *const L,
    c: *mut L,
    /// Where the rows lie in C, if apart.
    apart: Option<&'a Apart>,
    buffer: *mut L,
    /// The first row.
    row: usize,
    height: usize,
    terms: Terms<'a>,
    scale: &'a Scale<L::Register<S>>,
}

impl<S: Simd, L: Real> Tiles<'_, S, L> {
    /// As many columns as fit a tile; how many these were.
    #[inline(always)]
    unsafe fn some_columns<const COMPLEX: bool>(&self, axis: &Axis, column: usize, left: usize) -> usize {
        // Few sizes, since each is compiled for every type and instruction set.
        let (many, few) = (S::REGISTERS >= 32, Self::few());
        // SAFETY: the caller's promise.
        unsafe {
            match (COMPLEX, left) {
                (true, 4..) if many => self.columns::<COMPLEX, 8, 4>(axis, column),
                (true, 3..) if !few => self.columns::<COMPLEX, 6, 3>(axis, column),
                (true, 2..) => self.columns::<COMPLEX, 4, 2>(axis, column),
                (true, _) => self.columns::<COMPLEX, 2, 1>(axis, column),
                // A single column waits for its own sums, so none should be left over: 9 are 6 and 3, 5 are 3 and 2.
                (false, 8 | 10..) if many => self.columns::<COMPLEX, 8, 8>(axis, column),
                (false, 6 | 8..) if !few => self.columns::<COMPLEX, 6, 6>(axis, column),
                (false, 3 | 5) if many => self.columns::<COMPLEX, 3, 3>(axis, column),
                (false, 4..) => self.columns::<COMPLEX, 4, 4>(axis, column),
                (false, 2..) if !few => self.columns::<COMPLEX, 2, 2>(axis, column),
                (false, _) => self.columns::<COMPLEX, 1, 1>(axis, column),
            }
        }
    }

    /// A processor of x86 without AVX2 is rare: the fewest sizes will do.
    #[inline(always)]
    const fn few() -> bool {
        S::REGISTERS < 32 && size_of::<L::Register<S>>() <= 16
    }

    /// `N` columns in numbers, `E` in elements.
    #[inline(always)]
    unsafe fn columns<const COMPLEX: bool, const N: usize, const E: usize>(&self, axis: &Axis, first: usize) -> usize {
        let (mut of_b, mut of_c) = ([0; N], [0; E]);
        for j in 0..E {
            let [to_c, to_b] = axis.at(first + j);
            of_c[j] = to_c;
            if COMPLEX {
                (of_b[2 * j], of_b[2 * j + 1]) = (to_b, to_b + 1);
            } else {
                of_b[j] = to_b;
            }
        }
        let highest = match (S::REGISTERS >= 32, N) {
            (true, 8) => 3,
            (true, _) => 4,
            (false, 1 | 2) if !Self::few() => 4,
            _ => 2,
        };
        let lanes = L::Register::<S>::LANES;
        let mut at = 0;
        // SAFETY: the caller's promise; tiles stay within the block.
        unsafe {
            while at < self.height {
                let left = self.height - at;
                let registers = if Self::masks() { left.div_ceil(lanes) } else { left / lanes };
                at += lanes
                    * match registers {
                        4.. if highest == 4 => self.registers::<COMPLEX, 4, N, E>(&of_b, &of_c, at),
                        3 | 5.. if highest >= 3 && (highest == 3 || Self::masks()) => {
                            self.registers::<COMPLEX, 3, N, E>(&of_b, &of_c, at)
                        }
                        2.. if highest >= 2 => self.registers::<COMPLEX, 2, N, E>(&of_b, &of_c, at),
                        0 => self.tail::<COMPLEX, N, E>(&of_b, &of_c, at),
                        _ => self.registers::<COMPLEX, 1, N, E>(&of_b, &of_c, at),
                    };
            }
        }
        E
    }

    /// Whether a register that is filled in part costs no more than another one: where there are masks.
    #[inline(always)]
    const fn masks() -> bool {
        size_of::<L::Register<S>>() == 64
    }

    /// A tile of `R` registers of rows; how many these were.
    #[inline(always)]
    unsafe fn registers<const COMPLEX: bool, const R: usize, const N: usize, const E: usize>(
        &self,
        of_b: &[isize; N],
        of_c: &[isize; E],
        at: usize,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match Self::masks() {
                true => self.tile::<COMPLEX, R, N, E, true>(of_b, of_c, at),
                false => self.tile::<COMPLEX, R, N, E, false>(of_b, of_c, at),
            }
        }
        R
    }

    /// Rows that do not fill a register, where there are no masks.
    #[inline(always)]
    unsafe fn tail<const COMPLEX: bool, const N: usize, const E: usize>(
        &self,
        of_b: &[isize; N],
        of_c: &[isize; E],
        at: usize,
    ) -> usize {
        if !Self::masks() {
            // SAFETY: the caller's promise.
            unsafe { self.tile::<COMPLEX, 1, N, E, true>(of_b, of_c, at) };
        }
        1
    }

    /// `R` registers of rows from row `at` on times `N` columns; with `TAIL`, the block may not fill the last one.
    #[inline(always)]
    unsafe fn tile<const COMPLEX: bool, const R: usize, const N: usize, const E: usize, const TAIL: bool>(
        &self,
        of_b: &[isize; N],
        of_c: &[isize; E],
        at: usize,
    ) {
        let lanes = L::Register::<S>::LANES;
        // What the last register holds.
        let last = (self.height - at - (R - 1) * lanes).min(lanes);
        // The last column of the next tile, which may lie in a cache line that no earlier column has brought.
        let ahead = 2 * of_b[N - 1] - of_b[0] + (of_b[N - 1] - of_b[0]) / (N as isize - 1).max(1);
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[L::Register::<S>::zero(); N]; R];
            let mut a = self.a.wrapping_add(at);
            for &[to_a, to_b] in self.terms.table {
                if !self.terms.packed {
                    a = self.a.wrapping_add(at).wrapping_offset(to_a);
                }
                let mut b = self.b.wrapping_offset(to_b);
                for _ in 0..self.terms.count {
                    let mut x = [L::Register::<S>::zero(); R];
                    for r in 0..R {
                        x[r] = if TAIL && r == R - 1 {
                            L::Register::<S>::load_first(a.add(r * lanes), last)
                        } else {
                            L::Register::<S>::load(a.add(r * lanes))
                        };
                    }
                    if R > 1 && N >= 6 {
                        for r in 0..R {
                            S::prefetch(a.wrapping_add((R + r) * lanes));
                        }
                    }
                    if N >= 4 {
                        S::prefetch(b.wrapping_offset(ahead));
                    }
                    for j in 0..N {
                        let y = L::Register::<S>::splat(*b.offset(of_b[j]));
                        for r in 0..R {
                            sums[r][j] = x[r].mul_add(y, sums[r][j]);
                        }
                    }
                    a = a.wrapping_offset(self.terms.strides[0]);
                    b = b.wrapping_offset(self.terms.strides[1]);
                }
            }
            for j in 0..E {
                let (p, q) = if COMPLEX { (2 * j, 2 * j + 1) } else { (j, j) };
                match self.apart {
                    None => {
                        let c = self.c.offset(of_c[j]).add(at);
                        for r in 0..R {
                            let x = self.scale.finish::<COMPLEX>(sums[r][p], sums[r][q]);
                            if TAIL && r == R - 1 {
                                self.scale.write_first::<COMPLEX>(x, c.add(r * lanes), last);
                            } else {
                                self.scale.write::<COMPLEX>(x, c.add(r * lanes));
                            }
                        }
                    }
                    Some(_) => {
                        for r in 0..R {
                            let x = self.scale.finish::<COMPLEX>(sums[r][p], sums[r][q]);
                            x.store(self.buffer.add((j * R + r) * lanes));
                        }
                    }
                }
            }
            if let Some(apart) = self.apart {
                let count = (R - 1) * lanes + last;
                for j in 0..E {
                    let (from, c) = (self.buffer.add(j * R * lanes), self.c.offset(of_c[j]));
                    self.scale.scatter::<COMPLEX>(from, c, apart, self.row + at, count);
                }
            }
        }
    }
}
