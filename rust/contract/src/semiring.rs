//! One or two tensors into one over a semiring: C ← ⊕ A ⊗ B over the labels that C has not.
//!
//! The labels are grouped as those of a product of numbers. What has many rows and columns is computed as one: both
//! operands are packed into panels that lie as the innermost kernel reads them, found through tables of offsets (the
//! "scatter vectors" of TBLIS, Matthews, SIAM J. Sci. Comput. 40, 2018), so that no layout needs a copy of its own. The
//! kernel holds a tile of C and is compiled for each instruction set. Everything else runs as plain loops. A lone
//! operand is one that is multiplied by the semiring's one. ⊕ is exact in every order, so blocks and threads never show
//! in the result.

use std::ops::Range;

use tensoroxide_tensor::nest::{order, volume, Loop};
use tensoroxide_tensor::semiring::{Plain, Semiring};
use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
use tensoroxide_tensor::Threads;

use crate::axes::{indices, Fixed, Index};
use crate::groups::{extent, A, B, C};
use crate::{Axes, Error, Label};

/// Rows, columns and summed values that are packed at once: a megabyte of doubles at most, for the second-level cache.
const BLOCK: [usize; 3] = [128, 240, 256];
/// DLPack's code of floating-point numbers.
const FLOAT: u8 = 2;
/// Fewer products than this are not worth the packing.
const SMALL: usize = 4096;
/// Products that a thread must have to itself before another one is woken.
const GRAIN: usize = 1 << 17;

/// A step over a semiring, prepared for one set of layouts.
///
/// ```
/// use tensoroxide_contract::{Axes, SemiringStep};
/// use tensoroxide_tensor::{semiring::MaxPlus, Threads};
/// // The longest of the ways from i to j in two steps.
/// let (a, mut c) = ([0.0, 1.0, 5.0, 2.0], [f64::NAN; 4]);
/// let axes = |labels| Axes { labels, shape: &[2, 2], strides: &[1, 2] };
/// let step = SemiringStep::new(axes(&[0, 1]), Some(axes(&[1, 2])), axes(&[0, 2]), &[], true)?;
/// let mut scratch = vec![0.0; step.scratch(Threads::ONE)];
/// // SAFETY: the arrays have the layouts that the step was made for.
/// unsafe {
///     let (a, c) = (a.as_ptr(), c.as_mut_ptr());
///     step.run::<MaxPlus<f64>>(a, a, c, false, &[], &mut scratch, Threads::ONE)?;
/// }
/// assert_eq!(c, [6.0, 3.0, 7.0, 6.0]);
/// # Ok::<(), tensoroxide_contract::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SemiringStep {
    fixed: Fixed<3>,
    /// What runs over all of C.
    output: Vec<Loop<3>>,
    single: bool,
    kernel: Kernel,
}

#[derive(Clone, Debug)]
enum Kernel {
    Loops(Vec<Loop<3>>),
    Tiles(Box<Tiles>),
}

/// Offsets from the start of each tensor.
#[derive(Clone, Debug)]
struct Tiles {
    /// Of C, A and B.
    batch: Vec<[isize; 3]>,
    /// Of C and A.
    rows: Vec<[isize; 2]>,
    /// Of C and B.
    columns: Vec<[isize; 2]>,
    /// Of A and B.
    summed: Vec<[isize; 2]>,
    /// Whether A and B have changed places.
    swapped: bool,
}

impl SemiringStep {
    /// Prepares a step from A, and B if there is one, to C; `fixed` labels keep the value that each run gives them. A
    /// label may be in one input only. Without `tiles` the step needs no scratch.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Extent`], [`Error::NotInInput`], [`Error::Tensor`].
    pub fn new(
        a: Axes<'_>,
        b: Option<Axes<'_>>,
        c: Axes<'_>,
        fixed: &[Label],
        tiles: bool,
    ) -> Result<SemiringStep, Error> {
        let single = b.is_none();
        let b = b.unwrap_or(Axes { labels: &[], shape: &[], strides: &[] });
        for axes in [&a, &b, &c] {
            if axes.labels.len() != axes.shape.len() {
                return Err(Error::Rank { labels: axes.labels.len(), axes: axes.shape.len() });
            }
            tensoroxide_tensor::layout::reach(axes.shape, axes.strides)?;
        }
        let mut indices = indices(&[c, a, b])?;
        let axes = c.labels.iter().zip(c.shape.iter().zip(c.strides)).filter(|(label, _)| !fixed.contains(label));
        let output = order(axes.map(|(_, (&extent, &stride))| Loop { extent, strides: [stride, 0, 0] }).collect());
        let fixed = Fixed::take(fixed, &mut indices);
        if let Some(index) = indices.iter().find(|i| !i.present[A] && !i.present[B]) {
            return Err(Error::NotInInput(index.label));
        }
        let kernel = match Tiles::new(&indices).filter(|_| tiles) {
            Some(tiles) => Kernel::Tiles(Box::new(tiles)),
            None => Kernel::Loops(order(indices.iter().map(|index| index.step).collect())),
        };
        Ok(SemiringStep { fixed, output, single, kernel })
    }

    /// How the step is computed, for plans in words.
    pub fn kernel_name(&self) -> &'static str {
        match (&self.kernel, self.single) {
            (Kernel::Tiles(_), _) => "tiles",
            (Kernel::Loops(_), true) => "reduction",
            (Kernel::Loops(_), false) => "loops",
        }
    }

    /// Elements of scratch memory that a run with so many threads needs.
    pub fn scratch(&self, threads: Threads) -> usize {
        match &self.kernel {
            Kernel::Loops(_) => 0,
            Kernel::Tiles(tiles) => tiles.threads(threads).get() * tiles.packed(),
        }
    }

    /// C ← A ⊗ B summed, or C ⊕ that with `accumulate`. `fixed` gives each fixed label its value.
    ///
    /// # Errors
    /// [`Error::Fixed`], [`Error::Scratch`]; nothing is then written.
    ///
    /// # Safety
    /// From the pointers, the layouts that the step was prepared for are valid; C's elements are different ones for
    /// different indices, exclusively ours, and none of them is one of A or B. `b` is not followed if there is no B.
    #[allow(clippy::too_many_arguments)] // the arguments of a product, and those of a step
    pub unsafe fn run<S: Semiring>(
        &self,
        a: *const S::Element,
        b: *const S::Element,
        c: *mut S::Element,
        accumulate: bool,
        fixed: &[usize],
        scratch: &mut [S::Element],
        threads: Threads,
    ) -> Result<(), Error> {
        let [to_c, to_a, to_b] = self.fixed.offsets(fixed)?;
        if scratch.len() < self.scratch(threads) {
            return Err(Error::Scratch { needed: self.scratch(threads), given: scratch.len() });
        }
        let one = S::ONE;
        let b = if self.single { &raw const one } else { b.wrapping_offset(to_b) };
        let (a, c) = (a.wrapping_offset(to_a), c.wrapping_offset(to_c));
        // SAFETY: the caller's promise; a lone operand is multiplied by an element that no loop moves.
        unsafe {
            if !accumulate {
                fill::<S>(&self.output, c);
            }
            match &self.kernel {
                Kernel::Loops(loops) => split::<S>(loops, a, b, c, threads),
                Kernel::Tiles(tiles) => tiles.run::<S>(a, b, c, scratch, threads),
            }
        }
        Ok(())
    }
}

/// # Safety
/// From `c`, all that the loops reach is valid to write.
unsafe fn fill<S: Semiring>(loops: &[Loop<3>], c: *mut S::Element) {
    // SAFETY: each step stays within the loops.
    unsafe {
        match loops {
            [] => *c = S::ZERO,
            [Loop { extent, strides: [1, ..] }] => std::slice::from_raw_parts_mut(c, *extent).fill(S::ZERO),
            [rest @ .., outer] => {
                (0..outer.extent as isize).for_each(|i| fill::<S>(rest, c.offset(i * outer.strides[C])));
            }
        }
    }
}

/// Pointers that may be sent to another thread.
#[derive(Clone, Copy)]
struct Shared<T>(*const T, *const T, *mut T);
// SAFETY: the threads write different elements of C, and only read the others.
unsafe impl<T: Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Through a method, so that a closure captures the whole and not the fields.
    fn get(&self) -> (*const T, *const T, *mut T) {
        (self.0, self.1, self.2)
    }
}

/// Deals the outermost long loop that moves C out to the threads.
///
/// # Safety
/// As [`SemiringStep::run`].
unsafe fn split<S: Semiring>(
    loops: &[Loop<3>],
    a: *const S::Element,
    b: *const S::Element,
    c: *mut S::Element,
    threads: Threads,
) {
    if loops.iter().any(|l| l.extent == 0) {
        return;
    }
    let isa = Isa::best();
    let threads = threads.for_work(volume(loops), GRAIN);
    let outer = loops.iter().rposition(|l| l.strides[C] != 0 && l.extent >= threads.get());
    let (Some(outer), true) = (outer, threads > Threads::ONE) else {
        // SAFETY: the caller's promise.
        return unsafe { nest::<S>(isa, loops, a, b, c) };
    };
    let (extent, strides) = (loops[outer].extent, loops[outer].strides);
    let shared = Shared(a, b, c);
    threads.run(threads.get(), |part| {
        let (a, b, c) = shared.get();
        let start = part * extent / threads.get();
        let mut mine = loops.to_vec();
        mine[outer].extent = (part + 1) * extent / threads.get() - start;
        let at = |t: usize| start as isize * strides[t];
        // SAFETY: a share of the steps of a loop that moves C: the shares meet in no element of C.
        unsafe { nest::<S>(isa, &mine, a.offset(at(A)), b.offset(at(B)), c.offset(at(C))) }
    });
}

/// # Safety
/// As [`SemiringStep::run`]; no loop is empty.
unsafe fn nest<S: Semiring>(
    isa: Isa,
    loops: &[Loop<3>],
    a: *const S::Element,
    b: *const S::Element,
    c: *mut S::Element,
) {
    const UNIT: Loop<3> = Loop { extent: 1, strides: [0; 3] };
    let inner = |l: [Loop<3>; 3]| isa.run(Inner::<S> { loops: l, a, b, c });
    match loops {
        [] => inner([UNIT; 3]),
        [x] => inner([*x, UNIT, UNIT]),
        [x, y] => inner([*x, *y, UNIT]),
        [x, y, z] => inner([*x, *y, *z]),
        [rest @ .., outer] => {
            for i in 0..outer.extent as isize {
                let [to_c, to_a, to_b] = outer.strides.map(|stride| i * stride);
                // SAFETY: a step of the loop.
                unsafe { nest::<S>(isa, rest, a.offset(to_a), b.offset(to_b), c.offset(to_c)) };
            }
        }
    }
}

/// The three innermost loops. Made only by [`nest`], whose caller vouches for the pointers.
struct Inner<S: Semiring> {
    loops: [Loop<3>; 3],
    a: *const S::Element,
    b: *const S::Element,
    c: *mut S::Element,
}

impl<S: Semiring> Task for Inner<S> {
    type Output = ();
    #[inline(always)]
    fn run<I: Simd>(self) {
        let [row, y, z] = self.loops;
        for k in 0..z.extent as isize {
            for j in 0..y.extent as isize {
                let at = |t: usize| j * y.strides[t] + k * z.strides[t];
                // SAFETY: steps of the loops.
                unsafe { line::<S>(row, self.a.offset(at(A)), self.b.offset(at(B)), self.c.offset(at(C))) };
            }
        }
    }
}

/// The innermost loop.
///
/// # Safety
/// As [`SemiringStep::run`].
#[inline(always)]
unsafe fn line<S: Semiring>(l: Loop<3>, a: *const S::Element, b: *const S::Element, c: *mut S::Element) {
    const WIDE: usize = 32;
    let n = l.extent;
    // SAFETY: i < extent throughout; C overlaps neither A nor B, so slices of them may exist at once.
    unsafe {
        match l.strides {
            [0, 1, step @ (0 | 1)] if n >= WIDE => {
                let (a, b) = (
                    std::slice::from_raw_parts(a, n),
                    std::slice::from_raw_parts(b, n * step as usize + 1 - step as usize),
                );
                let mut sums = [S::ZERO; WIDE];
                let whole = n - n % WIDE;
                for i in (0..whole).step_by(WIDE) {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = S::add(S::mul(a[i + j], if step == 1 { b[i + j] } else { b[0] }), *sum);
                    }
                }
                let rest = (whole..n).fold(S::ZERO, |sum, i| S::add(S::mul(a[i], b[i * step as usize]), sum));
                *c = S::add(sums.into_iter().fold(rest, |sum, x| S::add(x, sum)), *c);
            }
            [0, step_a, step_b] => {
                let mut sum = *c;
                for i in 0..n as isize {
                    sum = S::add(S::mul(*a.offset(i * step_a), *b.offset(i * step_b)), sum);
                }
                *c = sum;
            }
            [1, 1, 0] => {
                let y = *b;
                let (a, c) = (std::slice::from_raw_parts(a, n), std::slice::from_raw_parts_mut(c, n));
                c.iter_mut().zip(a).for_each(|(c, &x)| *c = S::add(S::mul(x, y), *c));
            }
            [1, 0, 1] => {
                let x = *a;
                let (b, c) = (std::slice::from_raw_parts(b, n), std::slice::from_raw_parts_mut(c, n));
                c.iter_mut().zip(b).for_each(|(c, &y)| *c = S::add(S::mul(x, y), *c));
            }
            [step_c, step_a, step_b] => {
                for i in 0..n as isize {
                    let c = c.offset(i * step_c);
                    *c = S::add(S::mul(*a.offset(i * step_a), *b.offset(i * step_b)), *c);
                }
            }
        }
    }
}

/// All offsets of a group's indices in two tensors, the first index fastest.
fn offsets<const N: usize>(group: &[Index<3>], tensors: [usize; N]) -> Vec<[isize; N]> {
    group.iter().fold(vec![[0; N]], |inner, index| {
        let step = |i: isize| tensors.map(|t| i * index.step.strides[t]);
        let moved = |i: isize| inner.iter().map(move |at| std::array::from_fn(|t| at[t] + step(i)[t]));
        (0..index.step.extent as isize).flat_map(moved).collect()
    })
}

impl Tiles {
    /// `None` where plain loops do as well.
    fn new(indices: &[Index<3>]) -> Option<Tiles> {
        let group = |present: &dyn Fn([bool; 3]) -> bool, by: usize| {
            let mut group: Vec<Index<3>> = indices.iter().filter(|i| present(i.present)).copied().collect();
            group.sort_by_key(|index| index.step.strides[by].unsigned_abs());
            group
        };
        let mut batch = group(&|p| p == [true; 3], C);
        let (mut rows, mut columns) =
            (group(&|p| p == [true, true, false], C), group(&|p| p == [true, false, true], C));
        let summed = group(&|p| !p[C], A);
        let [m, n, k] = [extent(&rows), extent(&columns), extent(&summed)];
        // The tile is long in the direction of its rows.
        let swapped = n > m;
        let (a, b) = if swapped { (B, A) } else { (A, B) };
        if swapped {
            std::mem::swap(&mut rows, &mut columns);
        }
        if m.max(n) < 16 || m.min(n) < 4 || m.saturating_mul(n).saturating_mul(k) < SMALL {
            return None;
        }
        batch.retain(|index| index.step.extent != 1);
        // Tables as long as the operands are no gain.
        if extent(&batch) > isize::MAX as usize / 64 {
            return None;
        }
        let batch = offsets(&batch, [C, a, b]);
        Some(Tiles {
            batch,
            rows: offsets(&rows, [C, a]),
            columns: offsets(&columns, [C, b]),
            summed: offsets(&summed, [a, b]),
            swapped,
        })
    }

    /// Blocks of rows, over all matrices.
    fn units(&self) -> usize {
        self.batch.len() * self.rows.len().div_ceil(BLOCK[0])
    }

    fn threads(&self, threads: Threads) -> Threads {
        let work =
            self.batch.len().saturating_mul(self.rows.len() * self.columns.len()).saturating_mul(self.summed.len());
        Threads::new(threads.for_work(work, GRAIN).get().min(self.units()))
    }

    /// Elements that a thread packs: whole panels, the longest of which are those of [`Task::run`] below.
    fn packed(&self) -> usize {
        let [m, n, k] = [self.rows.len(), self.columns.len(), self.summed.len()];
        let (m, n, k) = (m.min(BLOCK[0]), n.min(BLOCK[1]), k.min(BLOCK[2]));
        k * (m.next_multiple_of(128) + n.next_multiple_of(8))
    }

    /// # Safety
    /// As [`SemiringStep::run`]; the scratch is long enough.
    unsafe fn run<S: Semiring>(
        &self,
        a: *const S::Element,
        b: *const S::Element,
        c: *mut S::Element,
        scratch: &mut [S::Element],
        threads: Threads,
    ) {
        let (a, b) = if self.swapped { (b, a) } else { (a, b) };
        let (isa, threads, each) = (Isa::best(), self.threads(threads), self.packed());
        let shared = Shared(a, b, c);
        let memory = Shared(a, b, scratch.as_mut_ptr());
        threads.run(threads.get(), |part| {
            let ((a, b, c), (_, _, scratch)) = (shared.get(), memory.get());
            let units = part * self.units() / threads.get()..(part + 1) * self.units() / threads.get();
            // SAFETY: each part has a piece of the scratch, which is as long as all of them together.
            let scratch = unsafe { std::slice::from_raw_parts_mut(scratch.add(part * each), each) };
            isa.run(Share::<S> { tiles: self, units, a, b, c, scratch });
        });
    }
}

/// One thread's part of a product. Made only by [`Tiles::run`], whose caller vouches for the pointers.
struct Share<'a, S: Semiring> {
    tiles: &'a Tiles,
    units: Range<usize>,
    a: *const S::Element,
    b: *const S::Element,
    c: *mut S::Element,
    scratch: &'a mut [S::Element],
}

impl<S: Semiring> Task for Share<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<I: Simd>(self) {
        // Tiles that the compiler makes good vector code of, and that fit the registers: found by trying.
        // SAFETY: the caller's promise.
        unsafe {
            if const { S::Element::DATA_TYPE.code == FLOAT } {
                self.product::<I, 32, 2>();
            } else if const { size_of::<S::Element>() == 1 } {
                self.product::<I, 64, 4>();
            } else if const { I::F64::LANES == 8 } {
                self.product::<I, 64, 1>();
            } else {
                self.product::<I, 8, 4>();
            }
        }
    }
}

impl<S: Semiring> Share<'_, S> {
    /// # Safety
    /// As [`SemiringStep::run`].
    #[inline(always)]
    unsafe fn product<I: Simd, const MR: usize, const NR: usize>(self) {
        let Share { tiles: Tiles { batch, rows, columns, summed, .. }, units, a, b, c, scratch } = self;
        let blocks = rows.len().div_ceil(BLOCK[0]);
        let (packed_a, packed_b) =
            scratch.split_at_mut(summed.len().min(BLOCK[2]) * rows.len().min(BLOCK[0]).next_multiple_of(128));
        for unit in units {
            let [to_c, to_a, to_b] = batch[unit / blocks];
            let start = unit % blocks * BLOCK[0];
            let rows = &rows[start..(start + BLOCK[0]).min(rows.len())];
            // SAFETY: offsets from the tables, which stay within the layouts; the panels fit the scratch.
            unsafe {
                let (a, b, c) = (a.offset(to_a), b.offset(to_b), c.offset(to_c));
                for columns in columns.chunks(BLOCK[1]) {
                    for summed in summed.chunks(BLOCK[2]) {
                        pack::<S, MR>(packed_a, a, rows, summed, 0);
                        pack::<S, NR>(packed_b, b, columns, summed, 1);
                        let depth = summed.len();
                        for (columns, b) in columns.chunks(NR).zip(packed_b.chunks_exact(NR * depth)) {
                            for (rows, a) in rows.chunks(MR).zip(packed_a.chunks_exact(MR * depth)) {
                                let mut tile = [[S::ZERO; MR]; NR];
                                I::apart(Tile::<S, MR, NR> { a, b, tile: &mut tile });
                                store::<S, MR, NR>(&tile, rows, columns, c);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Panels of `W` rows (or columns): for each summed value, the elements of all of them. What is beyond the last is
/// zero.
///
/// # Safety
/// From `from`, the elements at the offsets can be read; the panels fit `to`.
#[inline(always)]
unsafe fn pack<S: Semiring, const W: usize>(
    to: &mut [S::Element],
    from: *const S::Element,
    lines: &[[isize; 2]],
    summed: &[[isize; 2]],
    tensor: usize,
) {
    for (lines, panel) in lines.chunks(W).zip(to.chunks_exact_mut(W * summed.len())) {
        let contiguous = lines.len() == W && lines.windows(2).all(|pair| pair[1][1] == pair[0][1] + 1);
        for (at, out) in summed.iter().zip(panel.chunks_exact_mut(W)) {
            // SAFETY: the caller's promise.
            unsafe {
                let from = from.offset(at[tensor]);
                if contiguous {
                    out.copy_from_slice(std::slice::from_raw_parts(from.offset(lines[0][1]), W));
                    continue;
                }
                for (out, line) in out.iter_mut().zip(lines) {
                    *out = *from.offset(line[1]);
                }
            }
            out[lines.len()..].fill(S::ZERO);
        }
    }
}

/// The innermost kernel: a function of its own, of which the compiler's vectors depend on nothing around it.
struct Tile<'a, S: Semiring, const MR: usize, const NR: usize> {
    a: &'a [S::Element],
    b: &'a [S::Element],
    tile: &'a mut [[S::Element; MR]; NR],
}

impl<S: Semiring, const MR: usize, const NR: usize> Task for Tile<'_, S, MR, NR> {
    type Output = ();
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // the form that is made into vectors
    fn run<I: Simd>(self) {
        let mut tile = [[S::ZERO; MR]; NR];
        for (a, b) in self.a.chunks_exact(MR).zip(self.b.chunks_exact(NR)) {
            for j in 0..NR {
                for i in 0..MR {
                    tile[j][i] = S::add(S::mul(a[i], b[j]), tile[j][i]);
                }
            }
        }
        *self.tile = tile;
    }
}

/// # Safety
/// From `c`, the elements at the offsets can be written.
#[inline(always)]
unsafe fn store<S: Semiring, const MR: usize, const NR: usize>(
    tile: &[[S::Element; MR]; NR],
    rows: &[[isize; 2]],
    columns: &[[isize; 2]],
    c: *mut S::Element,
) {
    let contiguous = rows.len() == MR && rows.windows(2).all(|pair| pair[1][0] == pair[0][0] + 1);
    for (column, values) in columns.iter().zip(tile) {
        // SAFETY: the caller's promise.
        unsafe {
            let c = c.offset(column[0]);
            if contiguous {
                let c = std::slice::from_raw_parts_mut(c.offset(rows[0][0]), MR);
                c.iter_mut().zip(values).for_each(|(c, &x)| *c = S::add(x, *c));
                continue;
            }
            for (row, &x) in rows.iter().zip(values) {
                let c = c.offset(row[0]);
                *c = S::add(x, *c);
            }
        }
    }
}
