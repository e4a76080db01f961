//! Products of a batch whose axis lies along the registers: each lane computes a product of its own.
//!
//! Where the batch is the innermost axis, this is its natural layout (that of "compact" BLAS: Kim et al., SC '17): what
//! is a number in a common matrix product is a register here, nothing is ever broadcast, and A, B and C are read and
//! written by whole registers. Neighbours of the batch lie together, but the matrices' elements do not: a block of them
//! would fill few sets of the cache and many pages. So blocks are copied, register by register, to where the tiles read
//! them one after the other.

use tensoroxide_tensor::simd::{Simd, Vector, MAX_LANES};
use tensoroxide_tensor::Real;

use super::panel::{Summed, Terms};
use super::write::{Apart, Scale};
use super::{Axis, Part, Places};

/// Most terms, rows and columns (counted in registers of B) of a block: of A 16 KiB, which stay in the first cache, and
/// of B 96 KiB.
pub(super) const DEEP: usize = 32;
const HIGH: usize = 8;
pub(super) const WIDE: usize = 48;
/// Registers of the buffer: both blocks, and a tile of C.
pub(super) const ROOM: usize = DEEP * (HIGH + WIDE) + 4 * 6;

#[derive(Clone, Debug)]
pub(super) struct Interleaved {
    /// Numbers along the axis of the registers.
    pub(super) along: usize,
    /// How these lie in C, A and B; `None` if one after the other.
    pub(super) places: [Option<Apart>; 3],
    /// In C and A.
    pub(super) rows: Axis,
    /// In C and B.
    pub(super) columns: Axis,
    /// Of at most [`DEEP`] steps, or one long loop.
    pub(super) summed: Summed,
}

/// A register's worth of the batch.
struct Chunk<'a, S: Simd, L: Real> {
    form: &'a Interleaved,
    /// The first number, and how many there are.
    at: usize,
    count: usize,
    a: *const L,
    b: *const L,
    c: *mut L,
    scale: &'a Scale<L::Register<S>>,
    of_a: *mut L,
    of_b: *mut L,
    of_c: *mut L,
}

/// Elements of an axis that go into a tile: from where on, and how many.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    have: usize,
}

/// Rows of the next tile where `left` are left, for 32 registers or for 16.
#[inline(always)]
fn rows_of<S: Simd>(left: usize) -> usize {
    if S::REGISTERS >= 32 && left > 2 {
        4
    } else {
        2
    }
}

/// Registers of B of the next tile, likewise. Odd ones are filled up.
#[inline(always)]
fn columns_of(left: usize) -> usize {
    match left {
        0..=2 => 2,
        3 | 4 | 7 | 8 => 4,
        _ => 6,
    }
}

impl Interleaved {
    /// One product for each number of the part's piece of the batch, of the columns that are the part's.
    ///
    /// # Safety
    /// Within a task; the pointers of `start` are those that this was made for; `buffer` has [`ROOM`] registers.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, L: Real, const COMPLEX: bool>(
        &self,
        start: Places<L>,
        scales: [&Scale<L::Register<S>>; 2],
        part: &Part,
        buffer: *mut L,
    ) {
        let width = 1 + usize::from(COMPLEX);
        let lanes = L::Register::<S>::LANES;
        let end = part.first.end * width;
        for at in (part.first.start * width..end).step_by(lanes) {
            let mut column = part.second.start;
            while column < part.second.end {
                let left = part.second.end - column;
                let wide = left.div_ceil((left * width).div_ceil(WIDE)); // blocks of nearly equal widths
                let (mut done, mut scale) = (0, scales[0]);
                loop {
                    let (mut terms, [to_a, to_b], steps) = self.summed.part(done, DEEP);
                    if start.idle {
                        terms.count = 0;
                    }
                    // SAFETY: the caller's promise; a block has no more registers than the buffer.
                    unsafe {
                        let chunk = Chunk::<S, L> {
                            form: self,
                            at,
                            count: (end - at).min(lanes),
                            a: start.a.wrapping_offset(to_a),
                            b: start.b.wrapping_offset(to_b),
                            c: start.c,
                            scale,
                            of_a: buffer,
                            of_b: buffer.add(HIGH * DEEP * lanes),
                            of_c: buffer.add((HIGH + WIDE) * DEEP * lanes),
                        };
                        chunk.block::<COMPLEX>(&terms, column, wide);
                    }
                    (done, scale) = (done + steps, scales[1]);
                    if done >= self.summed.steps() || start.idle {
                        break;
                    }
                }
                column += wide;
            }
        }
    }
}

/// How a register's numbers are read from an axis.
trait Read<L: Real>: Copy {
    /// # Safety
    /// Within a task; `count` numbers from number `at` of the axis on can be read.
    unsafe fn read<V: Vector<Lane = L>>(self, from: *const L, at: usize, count: usize) -> V;
}

/// A whole register.
#[derive(Clone, Copy)]
struct Dense;

/// The first numbers of a register.
#[derive(Clone, Copy)]
struct Partial;

impl<L: Real> Read<L> for Dense {
    #[inline(always)]
    unsafe fn read<V: Vector<Lane = L>>(self, from: *const L, at: usize, _: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(from.wrapping_add(at)) }
    }
}

impl<L: Real> Read<L> for Partial {
    #[inline(always)]
    unsafe fn read<V: Vector<Lane = L>>(self, from: *const L, at: usize, count: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load_first(from.wrapping_add(at), count) }
    }
}

impl<L: Real> Read<L> for &Apart {
    #[inline(always)]
    unsafe fn read<V: Vector<Lane = L>>(self, from: *const L, at: usize, count: usize) -> V {
        let mut x = [L::ZERO; MAX_LANES];
        // SAFETY: the caller's promise.
        unsafe {
            self.gather(from, x.as_mut_ptr(), at, count);
            V::load(x.as_ptr())
        }
    }
}

impl<S: Simd, L: Real> Chunk<'_, S, L> {
    /// All rows of some columns, for a part of the sum.
    #[inline(always)]
    unsafe fn block<const COMPLEX: bool>(&self, terms: &Terms<'_>, column: usize, wide: usize) {
        let width = 1 + usize::from(COMPLEX);
        let lanes = L::Register::<S>::LANES;
        let depth = terms.count * terms.table.len();
        let form = self.form;
        // SAFETY: the caller's promise; groups fill the block one after the other.
        unsafe {
            let mut first = 0;
            while first < wide {
                let size = columns_of((wide - first) * width);
                let have = (wide - first).min(size / width);
                let group = Group { first: column + first, have };
                let to = self.of_b.add(first * width * depth * lanes);
                let axis = &form.columns;
                match size {
                    6 => self.copy::<COMPLEX, true, 6>(self.b, axis, group, terms, to),
                    4 => self.copy::<COMPLEX, true, 4>(self.b, axis, group, terms, to),
                    _ => self.copy::<COMPLEX, true, 2>(self.b, axis, group, terms, to),
                }
                first += have;
            }
            let rows = form.rows.count;
            for top in (0..rows).step_by(HIGH) {
                let high = (rows - top).min(HIGH);
                let mut row = 0;
                while row < high {
                    let size = rows_of::<S>(high - row);
                    let group = Group { first: top + row, have: (high - row).min(size) };
                    let to = self.of_a.add(row * depth * lanes);
                    match size {
                        4 => self.copy::<COMPLEX, false, 4>(self.a, &form.rows, group, terms, to),
                        _ => self.copy::<COMPLEX, false, 2>(self.a, &form.rows, group, terms, to),
                    }
                    row += group.have;
                }
                let mut first = 0;
                while first < wide {
                    let size = columns_of((wide - first) * width);
                    let have = (wide - first).min(size / width);
                    let of_b = self.of_b.add(first * width * depth * lanes).cast_const();
                    let mut row = 0;
                    while row < high {
                        let size_of_rows = rows_of::<S>(high - row);
                        let down = Group { first: top + row, have: (high - row).min(size_of_rows) };
                        let right = Group { first: column + first, have };
                        let of_a = self.of_a.add(row * depth * lanes).cast_const();
                        match (size_of_rows, size) {
                            (4, 6) if S::REGISTERS >= 32 => self.tile::<COMPLEX, 4, 6>(of_a, of_b, depth, down, right),
                            (4, 4) if S::REGISTERS >= 32 => self.tile::<COMPLEX, 4, 4>(of_a, of_b, depth, down, right),
                            (4, _) if S::REGISTERS >= 32 => self.tile::<COMPLEX, 4, 2>(of_a, of_b, depth, down, right),
                            (_, 6) => self.tile::<COMPLEX, 2, 6>(of_a, of_b, depth, down, right),
                            (_, 4) => self.tile::<COMPLEX, 2, 4>(of_a, of_b, depth, down, right),
                            _ => self.tile::<COMPLEX, 2, 2>(of_a, of_b, depth, down, right),
                        }
                        row += down.have;
                    }
                    first += have;
                }
            }
        }
    }

    /// Copies a group's registers, term by term, `N` for each; B's complex ones as real and as imaginary parts.
    #[inline(always)]
    unsafe fn copy<const COMPLEX: bool, const OF_B: bool, const N: usize>(
        &self,
        from: *const L,
        axis: &Axis,
        group: Group,
        terms: &Terms<'_>,
        to: *mut L,
    ) {
        let apart = self.form.places[1 + usize::from(OF_B)].as_ref();
        // SAFETY: the caller's promise.
        unsafe {
            match apart {
                None if self.count == L::Register::<S>::LANES => {
                    self.copy_by::<COMPLEX, OF_B, N>(Dense, from, axis, group, terms, to);
                }
                None => self.copy_by::<COMPLEX, OF_B, N>(Partial, from, axis, group, terms, to),
                Some(apart) => self.copy_by::<COMPLEX, OF_B, N>(apart, from, axis, group, terms, to),
            }
        }
    }

    #[inline(always)]
    unsafe fn copy_by<const COMPLEX: bool, const OF_B: bool, const N: usize>(
        &self,
        how: impl Read<L>,
        from: *const L,
        axis: &Axis,
        group: Group,
        terms: &Terms<'_>,
        mut to: *mut L,
    ) {
        let lanes = L::Register::<S>::LANES;
        let each = if COMPLEX && OF_B { 2 } else { 1 };
        let mut places = [0; N];
        for j in 0..N / each {
            places[j] = axis.at(group.first + j.min(group.have - 1))[1];
        }
        let which = usize::from(OF_B);
        // SAFETY: the caller's promise; of what the group lacks the last is copied once more.
        unsafe {
            for place in terms.table {
                let mut from = from.wrapping_offset(place[which]);
                for _ in 0..terms.count {
                    for j in 0..N / each {
                        let from = from.wrapping_offset(places[j]);
                        let x: L::Register<S> = how.read(from, self.at, self.count);
                        if each == 2 {
                            x.repeat_even().store(to.add(2 * j * lanes));
                            x.repeat_odd().store(to.add((2 * j + 1) * lanes));
                        } else {
                            x.store(to.add(j * lanes));
                        }
                    }
                    to = to.add(N * lanes);
                    from = from.wrapping_offset(terms.strides[which]);
                }
            }
        }
    }

    /// `M` rows times `N` registers of B.
    #[inline(always)]
    unsafe fn tile<const COMPLEX: bool, const M: usize, const N: usize>(
        &self,
        mut a: *const L,
        mut b: *const L,
        depth: usize,
        down: Group,
        right: Group,
    ) {
        let lanes = L::Register::<S>::LANES;
        let width = 1 + usize::from(COMPLEX);
        // SAFETY: the caller's promise.
        unsafe {
            let (mut of_rows, mut of_columns) = ([0; M], [0; N]);
            for i in 0..M {
                of_rows[i] = self.form.rows.at(down.first + i.min(down.have - 1))[0];
            }
            for j in 0..N / width {
                of_columns[j] = self.form.columns.at(right.first + j.min(right.have - 1))[0];
            }
            for i in 0..M {
                for j in 0..N / width {
                    S::prefetch(self.c.wrapping_offset(of_rows[i] + of_columns[j]).wrapping_add(self.at));
                }
            }
            let mut sums = [[L::Register::<S>::zero(); N]; M];
            for _ in 0..depth {
                let mut x = [L::Register::<S>::zero(); M];
                for i in 0..M {
                    x[i] = L::Register::<S>::load(a.add(i * lanes));
                }
                for j in 0..N {
                    let y = L::Register::<S>::load(b.add(j * lanes));
                    for i in 0..M {
                        sums[i][j] = x[i].mul_add(y, sums[i][j]);
                    }
                }
                (a, b) = (a.add(M * lanes), b.add(N * lanes));
            }
            // Constant bounds where the sums are indexed: otherwise they would be summed in memory.
            if self.form.places[0].is_none() && self.count == lanes && (down.have, right.have) == (M, N / width) {
                for i in 0..M {
                    for j in 0..N / width {
                        let x = self.scale.finish::<COMPLEX>(sums[i][j * width], sums[i][j * width + width - 1]);
                        self.scale.write::<COMPLEX>(x, self.c.offset(of_rows[i] + of_columns[j]).add(self.at));
                    }
                }
                return;
            }
            for i in 0..M {
                for j in 0..N / width {
                    let x = self.scale.finish::<COMPLEX>(sums[i][j * width], sums[i][j * width + width - 1]);
                    x.store(self.of_c.add((i * N + j) * lanes));
                }
            }
            for i in 0..down.have {
                for j in 0..right.have {
                    let c = self.c.offset(of_rows[i] + of_columns[j]);
                    self.write_apart::<COMPLEX>(self.of_c.add((i * N + j) * lanes), c);
                }
            }
        }
    }

    /// An element of C in all products of the chunk, from a register's worth of memory.
    #[inline(always)]
    unsafe fn write_apart<const COMPLEX: bool>(&self, from: *const L, c: *mut L) {
        // SAFETY: the caller's promise.
        unsafe {
            match &self.form.places[0] {
                None => self.scale.write_first::<COMPLEX>(L::Register::<S>::load(from), c.add(self.at), self.count),
                Some(apart) => self.scale.scatter::<COMPLEX>(from, c, apart, self.at, self.count),
            }
        }
    }
}
