//! What a fused product is expected to take: its tiles, what is packed, and what is brought in from memory for that.
//!
//! The constants were fitted to the steps of eight networks of others, computed by every kernel that can compute them;
//! the sum over a network comes out right to a quarter, single steps to a factor of two.

use tensoroxide_tensor::nest::Loop;

use super::{Fused, Walk, MOST};
use crate::groups::{A, B, C};
use crate::pair::rate;
use crate::traffic::{first, footprint, sweep};

/// Nanoseconds of a run before anything is done, of each product of a batch, and of a tile.
const CALL: f64 = 150.0;
const ITEM: f64 = 12.0;
const TILE: f64 = 6.0;
/// Products of registers that could be done while one waits for its result.
const LATENCY: f64 = 8.0;
/// Nanoseconds to pack a piece of at least four elements that lie together; an element of a long one; one that is
/// turned in registers; one that lies alone; and to write a piece that is no whole tile.
const PIECE: f64 = 1.4;
const MOVED: f64 = 0.1;
const TURNED: f64 = 0.25;
const SINGLE: f64 = 1.6;
const WRITTEN: f64 = 1.0;
/// Nanoseconds to read an element in place, beside what it costs to bring it in.
const READ: f64 = 0.05;
/// Bytes of the operands of a small product.
const SMALL: f64 = 2e5;
/// Bytes from which on what is written costs what is read, too, and half as much again.
const STREAMED: f64 = 8e6;

/// Two groups of indices in a tensor, the one or the other of whose strides are meant.
type Side<'a> = [(&'a Walk, usize); 2];

/// The first loops of a group in a tensor, of at most so many steps.
fn loops((walk, t): (&Walk, usize), most: usize) -> impl Iterator<Item = Loop<1>> + '_ {
    first(walk.loops(), most).map(move |l| Loop { extent: l.extent, strides: [l.strides[t]] })
}

/// Elements that lie together along a group.
fn run((walk, t): (&Walk, usize)) -> f64 {
    let inner = walk.innermost();
    match inner.strides[t] == 1 || inner.extent == 1 {
        true => inner.extent as f64,
        false => 1.0,
    }
}

/// Nanoseconds to pack an element.
fn packing([lines, sums]: Side<'_>) -> f64 {
    match (run(lines), run(sums)) {
        (along, _) if along >= 4.0 => (PIECE / along).max(MOVED),
        (along, _) if along >= 2.0 => 2.0 * SINGLE / along,
        (_, along) if along >= 2.0 => (PIECE / along).max(TURNED),
        _ => SINGLE,
    }
}

impl Fused {
    /// Nanoseconds on one thread, roughly.
    pub(crate) fn time(&self) -> f64 {
        CALL + self.items() * (ITEM + self.tiles() + self.moving())
    }

    fn items(&self) -> f64 {
        self.matrices.batch.iter().map(|l| l.extent as f64).product()
    }

    /// Rows, columns and summed values.
    fn extents(&self) -> [f64; 3] {
        let matrices = &self.matrices;
        [&matrices.rows, &matrices.columns, &matrices.sums].map(|walk| walk.extent as f64)
    }

    /// The arithmetic of a product. A tile with few sums waits for them.
    fn tiles(&self) -> f64 {
        let [m, n, k] = self.extents();
        let complex = self.dtype.is_complex();
        let registers = if complex { 2.0 } else { 3.0 };
        let lanes = (self.grain.rows as f64 / registers).max(1.0);
        let product = lanes / rate(self.dtype);
        let least = product * if complex { LATENCY / 2.0 } else { LATENCY };
        let depths = (k / self.blocks[0].depth as f64).ceil();
        let cut = |extent: f64, whole: f64| [((extent / whole).floor(), whole), (1.0, extent % whole)];
        let mut time = 0.0;
        for (down, height) in cut((m / lanes).ceil(), registers) {
            for (across, width) in cut(n, self.grain.columns as f64) {
                if height * width > 0.0 {
                    time += down * across * (k * (height * width * product).max(least) + depths * TILE);
                }
            }
        }
        time
    }

    /// What a product packs, reads and writes.
    fn moving(&self) -> f64 {
        let (matrices, block) = (&self.matrices, self.blocks[0]);
        let (rows, columns, sums) = (&matrices.rows, &matrices.columns, &matrices.sums);
        let [m, n, k] = self.extents();
        let (high, deep) = (block.rows.min(rows.extent), block.depth.min(sums.extent));
        let (strips, depths) = ((n / block.columns as f64).ceil(), (k / block.depth as f64).ceil());
        let (of_c, of_a, of_b) = ([(rows, 0), (columns, 0)], [(rows, 1), (sums, 0)], [(columns, 1), (sums, 1)]);

        // Small products of a batch find in the cache what those before them have brought in.
        let reach =
            |[x, y]: Side<'_>| footprint(loops(x, usize::MAX).chain(loops(y, usize::MAX)), 0, self.dtype.size());
        let small = reach(of_c) + reach(of_a) + reach(of_b) <= SMALL;
        let brought = |side: Side<'_>, most: [usize; 2], t: usize| self.brought(side, most, t, small);

        let mut time = strips * brought(of_a, [high, deep], A);
        if !self.in_place.a {
            time += strips * m * k * packing(of_a);
        }
        let width = self.grain.columns;
        if self.in_place.b {
            time += brought(of_b, [width, deep], B) + n * k * (m / self.grain.rows as f64).ceil() * READ;
        } else {
            time += brought(of_b, [MOST, deep], B) + n * k * packing(of_b);
        }
        let along = run(of_c[0]);
        if along < m.min(self.grain.rows as f64) {
            time += depths * m * n * (WRITTEN / along.min(8.0) + MOVED);
        }
        let streamed = if self.bytes(of_c, C) > STREAMED { 1.5 } else { 1.0 };
        time + (2.0 * depths - 1.0) * streamed * brought(of_c, [high, width], C)
    }

    /// Bytes of a tensor, all products of the batch together.
    fn bytes(&self, [x, y]: Side<'_>, t: usize) -> f64 {
        let batch = self.matrices.batch.iter().filter(|l| l.strides[t] != 0).map(|l| l.extent as f64);
        batch.product::<f64>() * x.0.extent as f64 * y.0.extent as f64 * self.dtype.size() as f64
    }

    /// Nanoseconds of a product to bring a tensor in once, in blocks of so many values of both groups.
    fn brought(&self, side: Side<'_>, most: [usize; 2], t: usize, small: bool) -> f64 {
        let [x, y] = side;
        let most = [most[0].min(x.0.extent), most[1].min(y.0.extent)];
        let block = loops(x, most[0]).chain(loops(y, most[1]));
        let (size, bytes) = (self.dtype.size(), self.bytes(side, t));
        if small {
            let batch = self.matrices.batch.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[t]] });
            return sweep(block.chain(batch), 0, size, bytes) / self.items();
        }
        x.0.extent as f64 / most[0] as f64 * (y.0.extent as f64 / most[1] as f64) * sweep(block, 0, size, bytes)
    }
}
