//! Registers of both A and B: elementwise products, where C has their axis too, and sums along an axis that is dense in
//! both.

use std::ops::Range;

use tensoroxide_tensor::simd::Vector;

use super::panel::Summed;
use super::write::Scale;
use super::{Axis, Part, Places};

/// Numbers of the register axis that are worked on together, so that they stay in the cache from one row to the next.
pub(super) const CHUNK: usize = 512;

#[derive(Clone, Debug)]
pub(super) struct Lanes {
    /// Numbers along the axis of the registers: it is dense in A and B, and in C unless it is summed.
    pub(super) along: usize,
    /// In C and A.
    pub(super) rows: Axis,
    /// In C and B.
    pub(super) columns: Axis,
    /// What is summed over, without the axis of the registers.
    pub(super) summed: Summed,
}

/// Sums that a single sum is made of, of real numbers; half as many of complex ones.
const PARTS: usize = 8;

/// The sum of all parts.
#[inline(always)]
unsafe fn total<V: Vector, const COMPLEX: bool>(x: [V; PARTS]) -> V {
    // Written out, so that nothing needs an address.
    // SAFETY: the caller's promise, that the instruction set is there.
    unsafe {
        let half = x[0].add(x[1]).add(x[2].add(x[3]));
        if COMPLEX {
            half
        } else {
            half.add(x[4].add(x[5]).add(x[6].add(x[7])))
        }
    }
}

/// What tiles work on.
struct Tiles<'a, V: Vector> {
    lanes: &'a Lanes,
    a: *const V::Lane,
    b: *const V::Lane,
    c: *mut V::Lane,
    /// Steps of the sum's loop.
    count: usize,
    scale: &'a Scale<V>,
}

/// x ← x + a·Re b, y ← y + a·Im b of complex numbers; x ← x + a·b of real ones.
#[inline(always)]
unsafe fn add<V: Vector, const COMPLEX: bool>(x: &mut V, y: &mut V, a: V, b: [V; 2]) {
    // SAFETY: the caller's promise, that the instruction set is there.
    unsafe {
        *x = a.mul_add(b[0], *x);
        if COMPLEX {
            *y = a.mul_add(b[1], *y);
        }
    }
}

/// The factors of [`add`].
#[inline(always)]
unsafe fn factors<V: Vector, const COMPLEX: bool>(b: V) -> [V; 2] {
    // SAFETY: the caller's promise, that the instruction set is there.
    unsafe {
        if COMPLEX {
            [b.repeat_even(), b.repeat_odd()]
        } else {
            [b, b]
        }
    }
}

impl Lanes {
    /// An elementwise product: the part's elements of the register axis, and its columns.
    ///
    /// # Safety
    /// Within a task; the pointers of `start` are those that this was made for.
    #[inline(always)]
    pub(super) unsafe fn elementwise<V: Vector, const COMPLEX: bool>(
        &self,
        start: Places<V::Lane>,
        scale: &Scale<V>,
        part: &Part,
    ) {
        let width = 1 + usize::from(COMPLEX);
        let (mut at, end) = (part.first.start * width, part.first.end * width);
        let steps = if start.idle { 0 } else { self.summed.count };
        // One product a place: nothing is kept in the cache for later.
        let chunk = if self.rows.count == 1 && part.second.len() == 1 { end } else { CHUNK };
        // SAFETY: the caller's promise; tiles stay within the axes.
        unsafe {
            while at < end {
                let count = (end - at).min(chunk);
                let tiles = Tiles {
                    lanes: self,
                    a: start.a.wrapping_add(at),
                    b: start.b.wrapping_add(at),
                    c: start.c.add(at),
                    count: steps,
                    scale,
                };
                let (mut column, end_column) = (part.second.start, part.second.end);
                while column < end_column {
                    column += match end_column - column {
                        2.. => tiles.down::<COMPLEX, 2>(column, count),
                        _ => tiles.down::<COMPLEX, 1>(column, count),
                    };
                }
                at += count;
            }
        }
    }

    /// Sums along the register axis, for the part's rows and columns.
    ///
    /// # Safety
    /// As [`Lanes::elementwise`].
    #[inline(always)]
    pub(super) unsafe fn sums<V: Vector, const COMPLEX: bool>(
        &self,
        start: Places<V::Lane>,
        scale: &Scale<V>,
        part: &Part,
    ) {
        let steps = if start.idle { 0 } else { self.summed.count };
        let tiles = Tiles { lanes: self, a: start.a, b: start.b, c: start.c, count: steps, scale };
        // SAFETY: the caller's promise.
        unsafe {
            if part.first.len() == 1 && part.second.len() == 1 {
                return tiles.dot::<COMPLEX>(part.first.start, part.second.start, &part.along);
            }
            let (mut column, end_column) = (part.second.start, part.second.end);
            while column < end_column {
                column += match end_column - column {
                    2.. => tiles.along::<COMPLEX, 2>(column, &part.first),
                    _ => tiles.along::<COMPLEX, 1>(column, &part.first),
                };
            }
        }
    }
}

impl<V: Vector> Tiles<'_, V> {
    /// All rows of `N` columns of an elementwise product.
    #[inline(always)]
    unsafe fn down<const COMPLEX: bool, const N: usize>(&self, column: usize, count: usize) -> usize {
        let rows = self.lanes.rows.count;
        let mut row = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while row < rows {
                row += match rows - row {
                    4.. => self.block::<COMPLEX, 4, N>(row, column, count),
                    2.. => self.block::<COMPLEX, 2, N>(row, column, count),
                    _ => self.block::<COMPLEX, 1, N>(row, column, count),
                };
            }
        }
        N
    }

    /// `M` rows of `N` columns, register by register.
    #[inline(always)]
    unsafe fn block<const COMPLEX: bool, const M: usize, const N: usize>(
        &self,
        row: usize,
        column: usize,
        count: usize,
    ) -> usize {
        let (of_a, of_b, of_c) = self.places::<M, N>(row, column);
        let mut at = 0;
        // SAFETY: the caller's promise.
        unsafe {
            if M == 1 && N == 1 {
                while at + 4 * V::LANES <= count {
                    self.tile::<COMPLEX, M, N, 4, false>(&of_a, &of_b, &of_c, at, 0);
                    at += 4 * V::LANES;
                }
            }
            while at + V::LANES <= count {
                self.tile::<COMPLEX, M, N, 1, false>(&of_a, &of_b, &of_c, at, 0);
                at += V::LANES;
            }
            if at < count {
                self.tile::<COMPLEX, M, N, 1, true>(&of_a, &of_b, &of_c, at, count - at);
            }
        }
        M
    }

    /// Places of rows in A, of columns in B, and of both in C.
    #[inline(always)]
    fn places<const M: usize, const N: usize>(
        &self,
        row: usize,
        column: usize,
    ) -> ([isize; M], [isize; N], [[isize; N]; M]) {
        let (mut of_a, mut of_b, mut of_c) = ([0; M], [0; N], [[0; N]; M]);
        for i in 0..M {
            let [down, to_a] = self.lanes.rows.at(row + i);
            of_a[i] = to_a;
            for j in 0..N {
                let [right, to_b] = self.lanes.columns.at(column + j);
                of_b[j] = to_b;
                of_c[i][j] = down + right;
            }
        }
        (of_a, of_b, of_c)
    }

    /// `U` registers of each of M·N products.
    #[inline(always)]
    unsafe fn tile<const COMPLEX: bool, const M: usize, const N: usize, const U: usize, const TAIL: bool>(
        &self,
        of_a: &[isize; M],
        of_b: &[isize; N],
        of_c: &[[isize; N]; M],
        at: usize,
        count: usize,
    ) {
        let summed = &self.lanes.summed;
        // SAFETY: the caller's promise.
        unsafe {
            let (mut p, mut q) = ([[[V::zero(); U]; N]; M], [[[V::zero(); U]; N]; M]);
            for &[to_a, to_b] in &summed.table {
                let (mut a, mut b) =
                    (self.a.wrapping_add(at).wrapping_offset(to_a), self.b.wrapping_add(at).wrapping_offset(to_b));
                for _ in 0..self.count {
                    for u in 0..U {
                        let mut y = [[V::zero(); 2]; N];
                        for j in 0..N {
                            let b = b.offset(of_b[j]).add(u * V::LANES);
                            y[j] = factors::<V, COMPLEX>(if TAIL { V::load_first(b, count) } else { V::load(b) });
                        }
                        for i in 0..M {
                            let a = a.offset(of_a[i]).add(u * V::LANES);
                            let x = if TAIL { V::load_first(a, count) } else { V::load(a) };
                            for j in 0..N {
                                add::<V, COMPLEX>(&mut p[i][j][u], &mut q[i][j][u], x, y[j]);
                            }
                        }
                    }
                    a = a.wrapping_offset(summed.strides[0]);
                    b = b.wrapping_offset(summed.strides[1]);
                }
            }
            for i in 0..M {
                for j in 0..N {
                    let c = self.c.add(at).offset(of_c[i][j]);
                    for u in 0..U {
                        let x = self.scale.finish::<COMPLEX>(p[i][j][u], q[i][j][u]);
                        if TAIL {
                            self.scale.write_first::<COMPLEX>(x, c, count);
                        } else {
                            self.scale.write::<COMPLEX>(x, c.add(u * V::LANES));
                        }
                    }
                }
            }
        }
    }

    /// `N` columns of sums.
    #[inline(always)]
    unsafe fn along<const COMPLEX: bool, const N: usize>(&self, column: usize, rows: &Range<usize>) -> usize {
        let mut row = rows.start;
        // SAFETY: the caller's promise.
        unsafe {
            while row < rows.end {
                row += match rows.end - row {
                    8.. if !COMPLEX && N == 1 => self.sum::<COMPLEX, 8, N>(row, column),
                    4.. => self.sum::<COMPLEX, 4, N>(row, column),
                    2.. => self.sum::<COMPLEX, 2, N>(row, column),
                    _ => self.sum::<COMPLEX, 1, N>(row, column),
                };
            }
        }
        N
    }

    /// M·N sums.
    #[inline(always)]
    unsafe fn sum<const COMPLEX: bool, const M: usize, const N: usize>(&self, row: usize, column: usize) -> usize {
        let (of_a, of_b, of_c) = self.places::<M, N>(row, column);
        let (summed, along) = (&self.lanes.summed, self.lanes.along);
        // SAFETY: the caller's promise.
        unsafe {
            let (mut p, mut q) = ([[V::zero(); N]; M], [[V::zero(); N]; M]);
            for &[to_a, to_b] in &summed.table {
                let (mut a, mut b) = (self.a.wrapping_offset(to_a), self.b.wrapping_offset(to_b));
                for _ in 0..self.count {
                    let mut at = 0;
                    while at + V::LANES <= along {
                        let mut y = [[V::zero(); 2]; N];
                        for j in 0..N {
                            y[j] = factors::<V, COMPLEX>(V::load(b.offset(of_b[j]).add(at)));
                        }
                        for i in 0..M {
                            let x = V::load(a.offset(of_a[i]).add(at));
                            for j in 0..N {
                                add::<V, COMPLEX>(&mut p[i][j], &mut q[i][j], x, y[j]);
                            }
                        }
                        at += V::LANES;
                    }
                    let left = along - at;
                    if left > 0 {
                        let mut y = [[V::zero(); 2]; N];
                        for j in 0..N {
                            y[j] = factors::<V, COMPLEX>(V::load_first(b.offset(of_b[j]).add(at), left));
                        }
                        for i in 0..M {
                            let x = V::load_first(a.offset(of_a[i]).add(at), left);
                            for j in 0..N {
                                add::<V, COMPLEX>(&mut p[i][j], &mut q[i][j], x, y[j]);
                            }
                        }
                    }
                    a = a.wrapping_offset(summed.strides[0]);
                    b = b.wrapping_offset(summed.strides[1]);
                }
            }
            for i in 0..M {
                for j in 0..N {
                    self.scale.write_sum::<COMPLEX>(p[i][j], q[i][j], self.c.offset(of_c[i][j]));
                }
            }
        }
        M
    }

    /// One sum of a range of the register axis, in so many parts that no addition waits for the one before.
    #[inline(always)]
    unsafe fn dot<const COMPLEX: bool>(&self, row: usize, column: usize, along: &Range<usize>) {
        let ([to_a], [to_b], [[to_c]]) = self.places::<1, 1>(row, column);
        let summed = &self.lanes.summed;
        let parts = if COMPLEX { PARTS / 2 } else { PARTS };
        // SAFETY: the caller's promise.
        unsafe {
            let (mut p, mut q) = ([V::zero(); PARTS], [V::zero(); PARTS]);
            for &[in_a, in_b] in &summed.table {
                let (mut a, mut b) = (self.a.wrapping_offset(to_a + in_a), self.b.wrapping_offset(to_b + in_b));
                for _ in 0..self.count {
                    let mut at = along.start;
                    while at + parts * V::LANES <= along.end {
                        for u in 0..parts {
                            let y = factors::<V, COMPLEX>(V::load(b.add(at + u * V::LANES)));
                            add::<V, COMPLEX>(&mut p[u], &mut q[u], V::load(a.add(at + u * V::LANES)), y);
                        }
                        at += parts * V::LANES;
                    }
                    while at < along.end {
                        let count = (along.end - at).min(V::LANES);
                        let y = factors::<V, COMPLEX>(V::load_first(b.add(at), count));
                        add::<V, COMPLEX>(&mut p[0], &mut q[0], V::load_first(a.add(at), count), y);
                        at += count;
                    }
                    a = a.wrapping_offset(summed.strides[0]);
                    b = b.wrapping_offset(summed.strides[1]);
                }
            }
            let p = total::<V, COMPLEX>(p);
            let q = if COMPLEX { total::<V, COMPLEX>(q) } else { p };
            self.scale.write_sum::<COMPLEX>(p, q, self.c.offset(to_c));
        }
    }
}
