//! The fused product: a contraction as one matrix product whose packing reads any strides, so that nothing is permuted
//! first.
//!
//! A high-performance matrix product copies blocks of its operands into small packed panels anyway. Here, as in TBLIS
//! (Matthews, SIAM J. Sci. Comput. 40, C1 (2018)), the packing itself gathers the elements of a panel from wherever the
//! indices of its rows, columns and sums lead to, and the tiles of the result are written to wherever theirs lead. What
//! a permutation would cost is hidden in a copy that has to be made in any case. And where an operand is small, or used
//! for few tiles, not even that copy is made: the microkernel reads it where it lies.
//!
//! [`offsets`] says where the elements of a block lie, [`pack`] fills the panels, [`kernel`] multiplies them,
//! [`driver`] is the loops around it, [`time`] what all that costs. Here the indices are sorted, and the work is
//! divided among threads.

mod driver;
mod kernel;
mod offsets;
mod pack;
#[cfg(test)]
mod tests;
mod time;

use tensoroxide_tensor::kernels::scale_ordered;
use tensoroxide_tensor::nest::{order, Loop};
use tensoroxide_tensor::simd::Isa;
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Scalar, Threads};

use crate::axes::Index;
use crate::groups::{Groups, A, B, C};
use crate::Settings;
use driver::{blocks, grain, room, Blocking, Grain, InPlace, Matrices, Part};
use offsets::{Walk, MOST};

/// Multiplications of real numbers that are worth a thread of their own: some 20 µs.
const WORK_OF_A_THREAD: f64 = 1e6;

/// Neighbours that lie together for them to be read where they lie, so that cache lines are used as a whole.
const RUN: usize = 8;
/// For so few columns or rows, panels are used too seldom to be worth packing.
const FEW: usize = 48;
/// For so many, they are only if they are far away.
const SOME: usize = 256;
/// Bytes of an operand that stay near: half of a second cache of 1 MB.
const NEAR: usize = 512 << 10;

/// A step as a fused product.
#[derive(Clone, Debug)]
pub(crate) struct Fused {
    /// A and B exchanged: then the rows are B's.
    swapped: bool,
    matrices: Matrices,
    /// All of C, to be scaled where nothing is to be added.
    output: Vec<Loop<2>>,
    /// How far the walks start from the tensors' first elements, since they go up in C: of C, A and B.
    start: [isize; 3],
    dtype: DType,
    isa: Isa,
    grain: Grain,
    most: Blocking,
    in_place: InPlace,
    cut: Cut,
    /// The blocks if there is one part, and if the work is cut.
    blocks: [Blocking; 2],
}

/// Into how many parts the work is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    batch: usize,
    rows: usize,
    columns: usize,
}

/// The pointers and factors of a run.
#[derive(Clone, Copy)]
struct Call<T> {
    a: (*const T, bool),
    b: (*const T, bool),
    c: *mut T,
    alpha: T,
    beta: T,
}

// SAFETY: parts on several threads read A and B, and write parts of C that have no element in common.
unsafe impl<T: Sync> Sync for Call<T> {}

impl Fused {
    /// `None` if there is nothing to multiply, or if the extents are beyond what can be counted.
    pub(crate) fn new(groups: &Groups, settings: Settings) -> Option<Fused> {
        Fused::with(groups, settings, Isa::best(), Blocking::of(settings.dtype))
    }

    fn with(groups: &Groups, settings: Settings, isa: Isa, most: Blocking) -> Option<Fused> {
        let dtype = settings.dtype;
        let grain = grain(isa, dtype);
        let swapped = swap(groups, dtype, grain);
        let exchange = |index: &Index<3>| {
            let [c, a, b] = index.step.strides;
            Loop { extent: index.step.extent, strides: if swapped { [c, b, a] } else { [c, a, b] } }
        };
        let (rows, columns) = if swapped { (&groups.columns, &groups.rows) } else { (&groups.rows, &groups.columns) };
        let mut start = [0isize; 3];
        let mut walk = |group: &[Index<3>], by: usize| -> Vec<Loop<3>> {
            let mut loops: Vec<Loop<3>> = group.iter().map(exchange).filter(|l| l.extent != 1).collect();
            for l in &mut loops {
                if l.strides[by] < 0 {
                    let last = l.extent.saturating_sub(1) as isize;
                    (0..3).for_each(|t| start[t] = start[t].wrapping_add(last.wrapping_mul(l.strides[t])));
                    l.strides = l.strides.map(isize::wrapping_neg);
                }
            }
            loops
        };
        let (mut rows, mut columns) = (walk(rows, C), walk(columns, C));
        let (mut sums, mut batch) = (walk(&groups.summed, A), walk(&groups.batch, C));
        let dense = |loops: &[Loop<3>], t: usize| loops.iter().any(|l| l.strides[t] == 1);
        let sort = |loops: &mut [Loop<3>], t: usize, then: usize| {
            loops.sort_by_key(|l| (l.strides[t].unsigned_abs(), l.strides[then].unsigned_abs()));
        };
        // What is written in whole registers is worth most; then what is read so.
        let [by, then] = if dense(&rows, C) || !dense(&rows, A) { [C, A] } else { [A, C] };
        sort(&mut rows, by, then);
        let [by, then] = if dense(&columns, B) { [B, C] } else { [C, B] };
        sort(&mut columns, by, then);
        let larger = if groups.elements(if swapped { B } else { A }) >= groups.elements(if swapped { A } else { B }) {
            [A, B]
        } else {
            [B, A]
        };
        let [by, then] =
            if dense(&sums, larger[0]) || !dense(&sums, larger[1]) { larger } else { [larger[1], larger[0]] };
        sort(&mut sums, by, then);
        sort(&mut batch, C, A);
        let pair = |loops: &[Loop<3>], [x, y]: [usize; 2]| {
            Walk::new(loops.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[x], l.strides[y]] }))
        };
        let matrices = Matrices {
            rows: pair(&rows, [C, A])?,
            columns: pair(&columns, [C, B])?,
            sums: pair(&sums, [A, B])?,
            batch: fuse(batch),
        };
        let items = matrices.batch.iter().try_fold(1usize, |items, l| items.checked_mul(l.extent))?;
        let extents = [matrices.rows.extent, matrices.columns.extent, matrices.sums.extent];
        if items == 0 || extents.contains(&0) {
            return None;
        }
        let output = groups.all().filter(|index| index.present[C]);
        let output = output.map(|i| Loop { extent: i.step.extent, strides: [i.step.strides[C], 0] }).collect();
        let (cut, blocks) = (Cut { batch: 1, rows: 1, columns: 1 }, [most; 2]);
        let in_place = in_place(&matrices, dtype);
        let output = order(output);
        let mut fused = Fused { swapped, matrices, output, start, dtype, isa, grain, most, in_place, cut, blocks };
        fused.divide(threads_for(groups.volume(), settings));
        Some(fused)
    }

    /// Cuts the work for so many threads.
    fn divide(&mut self, threads: usize) {
        let Matrices { rows, columns, sums, batch } = &self.matrices;
        let extents @ [rows, columns, depth] = [rows.extent, columns.extent, sums.extent];
        let items = batch.iter().map(|l| l.extent).product();
        self.cut = cut(threads, items, extents, self.grain);
        let rows = piece(rows, self.cut.rows, self.grain.rows);
        let columns = piece(columns, self.cut.columns, self.grain.columns);
        self.blocks = [extents, [rows, columns, depth]].map(|extents| blocks(self.grain, self.most, extents));
    }

    /// Elements of scratch that a run needs.
    pub(crate) fn scratch(&self) -> usize {
        let [whole, part] = self.rooms();
        whole.max(part * self.cut.count())
    }

    /// `fused product` or `batched fused product`.
    pub(crate) fn name(&self) -> String {
        match self.matrices.batch.is_empty() {
            true => "fused product".into(),
            false => "batched fused product".into(),
        }
    }

    /// Elements that a part takes if there is one, and if the work is cut.
    fn rooms(&self) -> [usize; 2] {
        self.blocks.map(|blocks| room(self.dtype, self.grain, blocks, self.in_place))
    }

    /// C ← α·op(A)·op(B) + β·C.
    ///
    /// # Safety
    /// From the pointers, the layouts that the product was prepared for are valid; C's memory is exclusively ours. The
    /// element type is the one that it was prepared for, and `scratch` has at least as many elements as are asked for.
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn run<T: Scalar>(
        &self,
        alpha: T,
        a: (*const T, bool),
        b: (*const T, bool),
        beta: T,
        c: *mut T,
        scratch: &mut [T],
        threads: Threads,
    ) {
        if alpha == T::ZERO {
            // SAFETY: the caller's promise.
            return unsafe { scale_ordered(&self.output, beta, c, threads) };
        }
        let (a, b) = if self.swapped { (b, a) } else { (a, b) };
        let [to_c, to_a, to_b] = self.start;
        let (a, b) = ((a.0.wrapping_offset(to_a), a.1), (b.0.wrapping_offset(to_b), b.1));
        let call = Call { a, b, c: c.wrapping_offset(to_c), alpha, beta };
        let [whole, room] = self.rooms();
        let Cut { batch, rows, columns } = self.cut;
        let cut = threads.get() > 1 && self.cut.count() > 1;
        let needed = if cut { room * self.cut.count() } else { whole };
        debug_assert!(scratch.len() >= needed);
        let scratch = Panels(scratch[..needed].as_mut_ptr());
        if !cut {
            let one = Cut { batch: 1, rows: 1, columns: 1 };
            // SAFETY: the caller's promise.
            return unsafe { self.part(&call, one, [0; 3], scratch.0) };
        }
        let (call, scratch) = (&call, &scratch);
        threads.run(self.cut.count(), |i| {
            let which = [i % batch, i / batch % rows, i / batch / rows % columns.max(1)];
            // SAFETY: the caller's promise; the parts of C and the panels of two parts have nothing in common.
            unsafe { self.part(call, self.cut, which, scratch.0.add(i * room)) }
        });
    }

    /// # Safety
    /// As [`Fused::run`].
    unsafe fn part<T: Scalar>(&self, call: &Call<T>, cut: Cut, which: [usize; 3], panels: *mut T) {
        let range = |extent: usize, cut: usize, which: usize, grain: usize| {
            let step = piece(extent, cut, grain);
            (which * step).min(extent)..((which + 1) * step).min(extent)
        };
        let Matrices { rows, columns, batch, .. } = &self.matrices;
        let items = batch.iter().map(|l| l.extent).product();
        let batch = range(items, cut.batch, which[0], 1);
        let rows = range(rows.extent, cut.rows, which[1], self.grain.rows);
        let columns = range(columns.extent, cut.columns, which[2], self.grain.columns);
        if batch.is_empty() || rows.is_empty() || columns.is_empty() {
            return;
        }
        let &Call { a, b, c, alpha, beta } = call;
        let (matrices, in_place) = (&self.matrices, self.in_place);
        let blocking = self.blocks[usize::from(cut.count() > 1)];
        with_scalar!(T::DTYPE, U => {
            let (a, b, c, panels) = ((a.0.cast(), a.1), (b.0.cast(), b.1), c.cast(), panels.cast());
            let (alpha, beta) = (U::from_c64(alpha.to_c64()), U::from_c64(beta.to_c64()));
            let part =
                Part { matrices, blocking, in_place, batch, rows, columns, a, b, c, alpha, beta, panels };
            U::compute(self.isa, part);
        });
    }
}

/// What is compiled in this crate, once for each element type, and not again wherever a step is run.
trait Compiled: Scalar {
    fn compute(isa: Isa, part: Part<'_, Self>);
}

macro_rules! compiled {
    ($($t:ty)*) => {
        $(impl Compiled for $t {
            fn compute(isa: Isa, part: Part<'_, $t>) {
                isa.run(part);
            }
        })*
    };
}

compiled!(f32 f64 Complex32 Complex64);

/// The first of the panels, shared by the threads.
struct Panels<T>(*mut T);

// SAFETY: each part uses panels of its own.
unsafe impl<T: Send> Sync for Panels<T> {}

impl Cut {
    fn count(self) -> usize {
        self.batch * self.rows * self.columns
    }
}

/// The extent of each of `count` pieces, the last of which may be smaller: whole tiles.
fn piece(extent: usize, count: usize, grain: usize) -> usize {
    match count {
        1 => extent,
        _ => extent.div_ceil(count).next_multiple_of(grain),
    }
}

/// What is not packed. Packing costs as much as some ten columns (of A) or rows (of B) do; it pays where a panel is
/// used often, and where what is read at once lies so far apart that it does not stay in the first cache and its TLB.
fn in_place(Matrices { rows, columns, sums, .. }: &Matrices, dtype: DType) -> InPlace {
    if dtype.is_complex() {
        return InPlace { a: false, b: false };
    }
    let dense = |walk: &Walk, t: usize| {
        let inner = walk.innermost();
        inner.extent == 1 || inner.strides[t] == 1 && inner.extent >= RUN
    };
    let near = |lines: &Walk| lines.extent.saturating_mul(sums.extent).saturating_mul(dtype.size()) <= NEAR;
    let a = dense(rows, 1) && near(rows) && columns.extent <= SOME;
    let b = rows.extent <= FEW && near(columns) || rows.extent <= SOME && dense(sums, 1);
    InPlace { a, b }
}

/// The threads that have enough to do.
fn threads_for(volume: f64, settings: Settings) -> usize {
    let numbers = if settings.dtype.is_complex() { 4.0 } else { 1.0 };
    ((volume * numbers / WORK_OF_A_THREAD) as usize).clamp(1, settings.threads.get())
}

/// Pieces for so many threads: of the batch if it has enough, otherwise also of C, so that what they pack twice is
/// least.
fn cut(threads: usize, items: usize, [rows, columns, _]: [usize; 3], grain: Grain) -> Cut {
    let batch = items.min(threads);
    let left = threads / batch;
    let [high, wide] = [rows.div_ceil(grain.rows), columns.div_ceil(grain.columns)];
    let mut best = (0, f64::INFINITY, [1, 1]);
    for down in 1..=left.min(high) {
        let across = (left / down).min(wide);
        let packed = rows as f64 / down as f64 + columns as f64 / across as f64;
        if down * across > best.0 || down * across == best.0 && packed < best.1 {
            best = (down * across, packed, [down, across]);
        }
    }
    let [rows, columns] = best.2;
    Cut { batch, rows, columns }
}

/// Whether the columns make better rows: those go by whole registers, in C too.
fn swap(groups: &Groups, dtype: DType, grain: Grain) -> bool {
    let [m, n, k] = groups.extents().map(|extent| extent as f64);
    let lanes = (grain.rows / if dtype.is_complex() { 2 } else { 3 }).max(1) as f64;
    let cost = |group: &[Index<3>], m: f64, n: f64| {
        let dense = m == 1.0 || group.iter().any(|index| index.step.extent > 1 && index.step.strides[C].abs() == 1);
        (m / lanes).ceil() * n * k + if dense { 0.0 } else { 2.0 * m * n }
    };
    cost(&groups.columns, n, m) < cost(&groups.rows, m, n)
}

/// Neighbours that can be walked as one loop, as one.
fn fuse(loops: Vec<Loop<3>>) -> Box<[Loop<3>]> {
    let mut fused: Vec<Loop<3>> = Vec::new();
    for l in loops {
        match fused.last_mut() {
            Some(inner) if (0..3).all(|t| l.strides[t] == inner.strides[t].wrapping_mul(inner.extent as isize)) => {
                inner.extent = inner.extent.saturating_mul(l.extent);
            }
            _ => fused.push(l),
        }
    }
    fused.into()
}
