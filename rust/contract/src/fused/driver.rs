//! The loops around the microkernel: blocks of C and of the sums, sized for the caches, and the tiles of a block.
//! What is not worth packing is read where it lies.
//!
//! The blocking is that of BLIS (Van Zee and van de Geijn, ACM TOMS 41, 14 (2015)). A block of B, packed, stays in the
//! last cache while the rows go by; a block of A, packed, stays in the second one while it meets each panel of B's
//! block, and that panel stays in the first one. The depth of a block depends on the sums alone, so that the result
//! does not depend on who computes which part of C.

use std::ops::Range;

use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
use tensoroxide_tensor::{DType, Real, Scalar};

use super::kernel::{update, Source, Tile, Update};
use super::offsets::{Offsets, Walk, MOST};
use super::pack::{parts, Lines, Pack};

/// Most rows of a tile are those of four registers.
const MOST_COLUMNS: usize = 8;

/// Extents of the blocks. Tests choose small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocking {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
}

impl Blocking {
    /// For a first cache of at least 32 KB, of which a panel of B takes half, a second one of 512 KB and more (with
    /// 256 KB some of A is read from the third), and 4 MB of the last one.
    pub(super) const fn of(dtype: DType) -> Blocking {
        match dtype {
            DType::F32 => Blocking { rows: 288, columns: 2400, depth: 384 },
            DType::F64 => Blocking { rows: 192, columns: 1920, depth: 256 },
            DType::C32 => Blocking { rows: 192, columns: 1920, depth: 256 },
            DType::C64 => Blocking { rows: 128, columns: 1200, depth: 192 },
        }
    }
}

/// Rows and columns of a whole tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grain {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// What is read where it lies rather than packed. It changes no bit of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InPlace {
    /// Of A only the tiles whose rows lie one after another.
    pub(super) a: bool,
    pub(super) b: bool,
}

/// The step as a matrix product with axes of many indices each.
#[derive(Clone, Debug)]
pub(super) struct Matrices {
    /// Over C and A.
    pub(super) rows: Walk,
    /// Over C and B.
    pub(super) columns: Walk,
    /// Over A and B.
    pub(super) sums: Walk,
    /// Over C, A and B, the first fastest.
    pub(super) batch: Box<[Loop<3>]>,
}

/// What one thread computes, with the memory for its panels.
pub(super) struct Part<'a, T: Scalar> {
    pub(super) matrices: &'a Matrices,
    /// As [`blocks`] finds it.
    pub(super) blocking: Blocking,
    pub(super) in_place: InPlace,
    pub(super) batch: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) a: (*const T, bool),
    pub(super) b: (*const T, bool),
    pub(super) c: *mut T,
    pub(super) alpha: T,
    pub(super) beta: T,
    /// Room for [`room`] elements.
    pub(super) panels: *mut T,
}

/// The blocks of parts with at most so many rows, columns and sums: of equal extents.
pub(super) fn blocks(grain: Grain, most: Blocking, [rows, columns, depth]: [usize; 3]) -> Blocking {
    Blocking {
        rows: block(rows, most.rows, grain.rows),
        columns: block(columns, most.columns, grain.columns),
        depth: block(depth, most.depth, 4),
    }
}

/// Elements of the panels of a block, and of a tile that is written from memory.
pub(super) fn room(dtype: DType, grain: Grain, blocking: Blocking, in_place: InPlace) -> usize {
    let Blocking { rows, columns, depth } = blocking;
    let line = ALIGNMENT / dtype.size();
    // Each of the three may start up to a line later than what is before it ends.
    rows * depth + of_columns(columns, in_place) * depth + grain.rows * grain.columns + 3 * line
}

/// Of so many columns, those that are packed.
fn of_columns(columns: usize, in_place: InPlace) -> usize {
    match in_place.b {
        true => 0,
        false => columns,
    }
}

/// Bytes that panels start at multiples of.
const ALIGNMENT: usize = 64;

/// The extent of equal blocks: not larger than `most` but for rounding up to a multiple of `grain`.
fn block(extent: usize, most: usize, grain: usize) -> usize {
    let count = extent.div_ceil(most).max(1);
    extent.div_ceil(count).next_multiple_of(grain)
}

/// Asks for the tiles of an instruction set.
pub(super) fn grain(isa: Isa, dtype: DType) -> Grain {
    struct Question(DType);
    impl Task for Question {
        type Output = Grain;
        #[inline(always)]
        fn run<S: Simd>(self) -> Grain {
            let lanes = match self.0 {
                DType::F32 | DType::C32 => S::F32::LANES,
                DType::F64 | DType::C64 => S::F64::LANES,
            };
            let (registers, columns) = tile::<S>(self.0.is_complex());
            Grain { rows: registers * lanes, columns }
        }
    }
    isa.run(Question(dtype))
}

/// Registers of rows, and columns, of a tile: as many sums as there are registers for beside the factors.
const fn tile<S: Simd>(complex: bool) -> (usize, usize) {
    match (complex, S::REGISTERS >= 32, S::F64::LANES) {
        (false, true, 4..) => (3, 8),
        (false, true, _) => (4, 6),
        (false, false, 4..) => (2, 6),
        (false, false, _) => (2, 4),
        (true, true, _) => (2, 6),
        (true, false, 4..) => (1, 6),
        (true, false, _) => (1, 4),
    }
}

/// Which tiles an element type has with an instruction set. As constants, so that no other tiles are compiled.
struct Shape<T, S>(std::marker::PhantomData<(T, S)>);

impl<T: Scalar, S: Simd> Shape<T, S> {
    const REAL_3_8: bool = Self::is(false, 3, 8);
    const REAL_4_6: bool = Self::is(false, 4, 6);
    const REAL_2_6: bool = Self::is(false, 2, 6);
    const REAL_2_4: bool = Self::is(false, 2, 4);
    const COMPLEX_2_6: bool = Self::is(true, 2, 6);
    const COMPLEX_1_6: bool = Self::is(true, 1, 6);

    const fn is(complex: bool, registers: usize, columns: usize) -> bool {
        let (m, n) = tile::<S>(complex);
        complex == T::DTYPE.is_complex() && m == registers && n == columns
    }
}

impl<T: Scalar> Task for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: within a task; who makes a part vouches for the pointers. A real type's parts are never complex.
        unsafe {
            if Shape::<T, S>::REAL_3_8 {
                self.all::<S, false, 3, 8>();
            } else if Shape::<T, S>::REAL_4_6 {
                self.all::<S, false, 4, 6>();
            } else if Shape::<T, S>::REAL_2_6 {
                self.all::<S, false, 2, 6>();
            } else if Shape::<T, S>::REAL_2_4 {
                self.all::<S, false, 2, 4>();
            } else if Shape::<T, S>::COMPLEX_2_6 {
                self.all::<S, true, 2, 6>();
            } else if Shape::<T, S>::COMPLEX_1_6 {
                self.all::<S, true, 1, 6>();
            } else {
                self.all::<S, true, 1, 4>();
            }
        }
    }
}

/// The offsets of a part of a walk, found anew only when another part is asked for.
struct Table<'a> {
    walk: &'a Walk,
    offsets: [Offsets; 2],
    filled: Range<usize>,
}

impl<'a> Table<'a> {
    fn new(walk: &'a Walk) -> Table<'a> {
        Table { walk, offsets: [Offsets::new(), Offsets::new()], filled: 0..0 }
    }

    /// Where in the table position `start` is; the `count` ≤ [`MOST`] positions from there on are filled.
    #[inline(always)]
    fn find(&mut self, start: usize, count: usize) -> usize {
        if start < self.filled.start || start + count > self.filled.end {
            self.refill(start);
        }
        start - self.filled.start
    }

    #[inline(never)]
    fn refill(&mut self, start: usize) {
        let count = MOST.min(self.walk.extent - start);
        let [x, y] = &mut self.offsets;
        self.walk.fill(start, count, [x, y]);
        self.filled = start..start + count;
    }
}

/// Steps through a batch: how far each tensor is moved.
struct Steps<'a> {
    loops: &'a [Loop<3>],
    next: usize,
    end: usize,
}

impl Iterator for Steps<'_> {
    type Item = [isize; 3];

    #[inline(always)]
    fn next(&mut self) -> Option<[isize; 3]> {
        if self.next == self.end {
            return None;
        }
        let mut rest = self.next;
        self.next += 1;
        let mut at = [0; 3];
        if let [l] = self.loops {
            return Some(l.strides.map(|stride| rest as isize * stride));
        }
        for l in self.loops {
            let index = (rest % l.extent) as isize;
            rest /= l.extent;
            (0..3).for_each(|t| at[t] += index * l.strides[t]);
        }
        Some(at)
    }
}

impl<T: Scalar> Part<'_, T> {
    #[inline(always)]
    unsafe fn all<S: Simd, const COMPLEX: bool, const M: usize, const N: usize>(&self) {
        let numbers = parts::<COMPLEX>();
        let (height, width) = (M * <T::Real as Real>::Register::<S>::LANES, N);
        let sums = self.matrices.sums.extent;
        let Blocking { rows, columns, depth } = self.blocking;
        let aligned = |from: *mut T::Real| from.wrapping_byte_add(from.cast::<u8>().align_offset(ALIGNMENT));
        let of_b = aligned(self.panels.cast());
        let of_a = aligned(of_b.wrapping_add(of_columns(columns, self.in_place) * depth * numbers));
        let buffer = aligned(of_a.wrapping_add(rows * depth * numbers));
        let mut tables = [&self.matrices.rows, &self.matrices.columns, &self.matrices.sums].map(Table::new);
        let [row_table, column_table, sum_table] = &mut tables;
        // Where summed positions and columns lie in the panels.
        let mut packed = [Offsets::new(), Offsets::new()];
        packed[0].steps(depth, 0, height as isize);
        packed[1].steps(depth, 0, width as isize);
        let places: [isize; MOST_COLUMNS] = std::array::from_fn(|j| j as isize);
        let alpha = [self.alpha.re(), self.alpha.im()];
        let one = [T::Real::ONE, T::Real::ZERO];
        let beta = (self.beta != T::ZERO).then(|| [self.beta.re(), self.beta.im()]);
        let steps = Steps { loops: &self.matrices.batch, next: self.batch.start, end: self.batch.end };
        for [to_c, to_a, to_b] in steps {
            let (a, b) = (self.a.0.wrapping_offset(to_a), self.b.0.wrapping_offset(to_b));
            let c = self.c.wrapping_offset(to_c);
            for j in self.columns.clone().step_by(columns) {
                let columns = columns.min(self.columns.end - j);
                for p in (0..sums).step_by(depth) {
                    let depth = depth.min(sums - p);
                    let sums = sum_table.find(p, depth);
                    debug_assert!(sums + depth <= MOST);
                    let block = Block::<T, COMPLEX, M, N> {
                        panels: [of_a, of_b],
                        tensors: [a.cast(), b.cast()],
                        in_place: self.in_place,
                        packed: packed.each_ref().map(|steps| steps.from(0)),
                        places: places.as_ptr(),
                        sums: [0, 1].map(|t| sum_table.offsets[t].from(sums)),
                        buffer,
                        depth,
                        update: Update { alpha, beta: if p == 0 { beta } else { Some(one) } },
                        c,
                    };
                    // As many panels at a time as a table has places for.
                    let strip = MOST / width * width;
                    let to_pack = of_columns(columns, self.in_place);
                    for first in (0..to_pack).step_by(strip) {
                        let count = strip.min(columns - first);
                        let at = column_table.find(j + first, count);
                        let lines = Lines {
                            from: b.cast(),
                            lines: &column_table.offsets[1],
                            first: at,
                            count,
                            sums: &sum_table.offsets[1],
                            skip: sums,
                            depth,
                            conj: self.b.1,
                        };
                        let to = of_b.wrapping_add(first * depth * numbers);
                        // SAFETY: the elements are B's; a panel has room for `width` lines of this depth.
                        unsafe { S::apart(Pack::<_, COMPLEX> { lines, width, to }) };
                    }
                    for i in self.rows.clone().step_by(rows) {
                        let rows = rows.min(self.rows.end - i);
                        let at = row_table.find(i, rows);
                        let reads =
                            |first: usize| block.reads_a(&row_table.offsets[1], at + first, height.min(rows - first));
                        let mut first = 0;
                        while first < rows {
                            // Neighbouring tiles that are not read in place.
                            let mut next = first;
                            while next < rows && !reads(next) {
                                next += height;
                            }
                            if next > first {
                                let lines = Lines {
                                    from: a.cast(),
                                    lines: &row_table.offsets[1],
                                    first: at + first,
                                    count: next.min(rows) - first,
                                    sums: &sum_table.offsets[0],
                                    skip: sums,
                                    depth,
                                    conj: self.a.1,
                                };
                                let to = of_a.wrapping_add(first * depth * numbers);
                                // SAFETY: the elements are A's; a panel has room for `height` lines of this depth.
                                unsafe { S::apart(Pack::<_, COMPLEX> { lines, width: height, to }) };
                            }
                            first = next + height;
                        }
                        for first in (0..columns).step_by(width) {
                            let count = width.min(columns - first);
                            let column = column_table.find(j + first, count);
                            // SAFETY: what is not read in place is packed; C's elements are ours.
                            unsafe {
                                block.column::<S>(
                                    first,
                                    (&column_table.offsets, column, count),
                                    (&row_table.offsets, at, rows),
                                )
                            };
                        }
                    }
                }
            }
        }
    }
}

/// A block, and the part of C that it adds to. Of A and B: the panels, and the tensors' first elements.
struct Block<T: Scalar, const COMPLEX: bool, const M: usize, const N: usize> {
    panels: [*mut T::Real; 2],
    tensors: [*const T::Real; 2],
    in_place: InPlace,
    /// How far the summed positions are apart in the panels, and in the tensors; and a panel's columns.
    packed: [*const isize; 2],
    sums: [*const isize; 2],
    places: *const isize,
    /// For a tile whose rows do not lie one after another.
    buffer: *mut T::Real,
    depth: usize,
    update: Update<T::Real>,
    c: *mut T,
}

impl<T: Scalar, const COMPLEX: bool, const M: usize, const N: usize> Block<T, COMPLEX, M, N> {
    // As constants, so that no other tiles are compiled.
    const ROWS_2: bool = M >= 2;
    const ROWS_3: bool = M >= 3;
    const ROWS_4: bool = M >= 4;
    const COLUMNS_5: bool = N >= 6;
    const COLUMNS_7: bool = N >= 8;

    /// Whether some rows of A are read where they lie.
    #[inline(always)]
    fn reads_a(&self, rows: &Offsets, row: usize, count: usize) -> bool {
        !COMPLEX && self.in_place.a && rows.run(row, count) == count
    }

    /// All tiles of some columns, which start at column `first` of the block. Of the columns and the rows: the offsets
    /// in C and in the operand, which of them comes first, and how many there are.
    #[inline(always)]
    unsafe fn column<S: Simd>(
        &self,
        first: usize,
        ([columns, columns_of_b], column, width): (&[Offsets; 2], usize, usize),
        ([rows, rows_of_a], row, height): (&[Offsets; 2], usize, usize),
    ) {
        let lanes = <T::Real as Real>::Register::<S>::LANES;
        let numbers = parts::<COMPLEX>();
        let (b, sums_of_b, places) = match self.in_place.b {
            true => (self.tensors[1], self.sums[1], columns_of_b.from(column)),
            false => {
                let panel = self.panels[1].wrapping_add(first * self.depth * numbers);
                (panel.cast_const(), self.packed[1], self.places)
            }
        };
        for i in (0..height).step_by(M * lanes) {
            let count = (M * lanes).min(height - i);
            let in_place = self.reads_a(rows_of_a, row + i, count);
            let (a, sums_of_a) = match in_place {
                true => (self.tensors[0].wrapping_offset(rows_of_a.at(row + i)), self.sums[0]),
                false => (self.panels[0].wrapping_add(i * self.depth * numbers).cast_const(), self.packed[0]),
            };
            let source = Source {
                a,
                b,
                sums: [sums_of_a, sums_of_b],
                places,
                whole: !in_place,
                packed: !(in_place || self.in_place.b),
            };
            let c = self.c.wrapping_offset(rows.at(row + i)).cast::<T::Real>();
            // SAFETY: the caller's promise.
            unsafe {
                if rows.run(row + i, count) == count {
                    self.multiply::<S>(source, (c, columns.from(column)), [count, width], self.update);
                } else {
                    let own: [isize; MOST_COLUMNS] = std::array::from_fn(|j| (j * M * lanes) as isize);
                    let plain = Update { alpha: [T::Real::ONE, T::Real::ZERO], beta: None };
                    self.multiply::<S>(source, (self.buffer, own.as_ptr()), [count, width], plain);
                    self.write::<S>((columns, column, width), (rows, row + i, count));
                }
            }
        }
    }

    /// Updates C by the tile in the buffer.
    #[inline(always)]
    unsafe fn write<S: Simd>(
        &self,
        (columns, column, width): (&Offsets, usize, usize),
        (rows, row, height): (&Offsets, usize, usize),
    ) {
        let lanes = <T::Real as Real>::Register::<S>::LANES;
        for j in 0..width {
            let column = self.c.wrapping_offset(columns.at(column + j));
            let mut i = 0;
            while i < height {
                let run = rows.run(row + i, lanes.min(height - i));
                let products = self.buffer.wrapping_add((j * M * lanes + i) * parts::<COMPLEX>());
                let c = column.wrapping_offset(rows.at(row + i)).cast();
                // SAFETY: the caller's promise; a run lies one after another.
                unsafe { update::<<T::Real as Real>::Register<S>, COMPLEX>(products, c, run, &self.update) };
                i += run;
            }
        }
    }

    /// One tile, by the microkernel for its extents.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        &self,
        source: Source<T::Real>,
        c: (*mut T::Real, *const isize),
        [rows, columns]: [usize; 2],
        update: Update<T::Real>,
    ) {
        let lanes = <T::Real as Real>::Register::<S>::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            match rows.div_ceil(lanes) {
                1 => self.narrow::<S, 1>(source, c, rows, columns, update),
                2 if Self::ROWS_2 => self.narrow::<S, 2>(source, c, rows, columns, update),
                3 if Self::ROWS_3 => self.narrow::<S, 3>(source, c, rows, columns, update),
                _ if Self::ROWS_4 => self.narrow::<S, 4>(source, c, rows, columns, update),
                _ => {}
            }
        }
    }

    #[inline(always)]
    unsafe fn narrow<S: Simd, const ROWS: usize>(
        &self,
        source: Source<T::Real>,
        (c, offsets): (*mut T::Real, *const isize),
        rows: usize,
        columns: usize,
        update: Update<T::Real>,
    ) {
        macro_rules! tile {
            ($columns:literal) => {{
                let tile = Tile::<T::Real, COMPLEX, ROWS, $columns, M, N> {
                    depth: self.depth,
                    source,
                    c,
                    columns: offsets,
                    rows,
                    update,
                };
                // SAFETY: within a task.
                unsafe { S::apart(tile) }
            }};
        }
        match columns {
            1 => tile!(1),
            2 => tile!(2),
            3 => tile!(3),
            4 => tile!(4),
            5 if Self::COLUMNS_5 => tile!(5),
            6 if Self::COLUMNS_5 => tile!(6),
            7 if Self::COLUMNS_7 => tile!(7),
            8 if Self::COLUMNS_7 => tile!(8),
            _ => {}
        }
    }
}
