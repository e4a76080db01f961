//! Two tensors into one.
//!
//! The labels fall into four groups: those of the batch (in A, B and C), of the rows (A and C), of the columns (B and C), and
//! the summed ones (A and B). If the axes of each group can be walked as one axis, in all tensors that have it, the
//! step is a matrix product in place. Otherwise there are two remedies. A tensor may go through a dense copy. And of the
//! rows or columns a part may be looped over, one matrix product for each of its values, which leaves less to be walked as
//! one axis. Of all ways the one that moves the fewest elements is taken. Small steps, and steps that are no matrix product
//! (scalar and outer products, elementwise products), run as plain loops.

use std::ops::Range;

use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_tensor::kernels::{accumulate_ordered, scale_ordered};
use tensoroxide_tensor::layout::element_count;
use tensoroxide_tensor::nest::{order, volume, Loop};
use tensoroxide_tensor::{Threads, View, ViewMut};

use crate::axes::{indices, Fixed, Index, Signature};
use crate::{product, Axes, Error, Label};

/// Up to so many multiplications per matrix of a batch, plain loops are faster than the call of a matrix product.
const SMALL: usize = 256;

/// What it costs to copy an element, in units of what a matrix product spends on an element of its operands.
const COPY: f64 = 2.0;
/// What it costs to call a matrix product, in the same units.
const CALL: f64 = 300.0;

/// The tensors of a step, as positions in the strides of its loops.
const C: usize = 0;
const A: usize = 1;
const B: usize = 2;

/// C ← α·op(A)·op(B) + β·C, summed over the labels that C has not, prepared for one triple of layouts.
///
/// ```
/// use tensoroxide_contract::{Axes, Pair};
/// use tensoroxide_tensor::{Tensor, Threads};
/// let a = Tensor::from_fn(&[2, 3], |i| (i[0] + 2 * i[1]) as f64)?;
/// let mut c = Tensor::from_fn(&[2, 2], |_| f64::NAN)?;
/// let (i, j, k) = (0, 1, 2);
/// let axes = |labels| Axes { labels, shape: &[2, 3], strides: &[1, 2] };
/// let step = Pair::new(axes(&[i, k]), axes(&[j, k]), Axes { labels: &[i, j], shape: &[2, 2], strides: &[1, 2] }, &[])?;
/// let mut scratch = vec![0.0; step.scratch()];
/// step.run(1.0, a.view(), false, a.view(), false, 0.0, c.view_mut()?, &[], &mut scratch, Threads::ONE)?;
/// assert_eq!(c.data(), [20.0, 26.0, 26.0, 35.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pair {
    signatures: [Signature; 3],
    fixed: Fixed<3>,
    kernel: Kernel,
}

#[derive(Clone, Debug)]
enum Kernel {
    /// Scale C over `output`, then add up over `loops`.
    Loops { output: Vec<Loop<2>>, loops: Vec<Loop<3>> },
    /// A product of matrices for each element of the batch.
    Product(Box<Product>),
}

#[derive(Clone, Debug)]
struct Product {
    /// Rows, columns, summed extent.
    extents: [usize; 3],
    batch: Vec<Loop<3>>,
    /// Of C, A and B.
    operands: [Operand; 3],
    /// Elements of scratch.
    scratch: usize,
}

/// A tensor as matrices of a product.
#[derive(Clone, Debug)]
struct Operand {
    row_stride: isize,
    col_stride: isize,
    /// The dense copy, if there is one.
    copy: Option<DenseCopy>,
}

#[derive(Clone, Debug)]
struct DenseCopy {
    /// Over the copy and the tensor.
    into: Vec<Loop<2>>,
    /// Over the tensor and the copy.
    back: Vec<Loop<2>>,
    /// Where in the scratch it starts.
    start: usize,
}

impl Pair {
    /// Prepares a step from A and B to C; `fixed` labels keep the value that each run gives them.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Extent`], [`Error::NotInInput`], [`Error::InOneInputOnly`] (but for labels of one value),
    /// [`Error::Tensor`] also for a label twice in the output.
    pub fn new(a: Axes<'_>, b: Axes<'_>, c: Axes<'_>, fixed: &[Label]) -> Result<Pair, Error> {
        let signatures = [Signature::new(&c)?, Signature::new(&a)?, Signature::new(&b)?];
        if (1..c.labels.len()).any(|i| c.labels[..i].contains(&c.labels[i])) {
            let (shape, strides) = (c.shape.to_vec(), c.strides.to_vec());
            return Err(tensoroxide_tensor::Error::SelfOverlap { shape, strides }.into());
        }
        let mut indices = indices(&[c, a, b])?;
        let fixed = Fixed::take(fixed, &mut indices);
        let mut groups = Groups::default();
        for index in indices {
            let group = match index.present {
                [true, true, true] => &mut groups.batch,
                [true, true, false] => &mut groups.rows,
                [true, false, true] => &mut groups.columns,
                [false, true, true] => &mut groups.summed,
                [true, false, false] => return Err(Error::NotInInput(index.label)),
                _ if index.step.extent == 1 => continue,
                _ => return Err(Error::InOneInputOnly(index.label)),
            };
            group.push(index);
        }
        Ok(Pair { signatures, fixed, kernel: groups.kernel()? })
    }

    /// Elements of scratch memory that a run needs.
    pub fn scratch(&self) -> usize {
        match &self.kernel {
            Kernel::Loops { .. } => 0,
            Kernel::Product(product) => product.scratch,
        }
    }

    /// Elements that go through a dense copy.
    pub fn copied(&self) -> usize {
        match &self.kernel {
            Kernel::Loops { .. } => 0,
            Kernel::Product(p) => p.operands.iter().flat_map(|o| &o.copy).map(|copy| volume(&copy.into)).sum(),
        }
    }

    /// What moving the elements costs, apart from the multiplications: what a better layout could save. In units of one
    /// element read by a matrix product.
    pub fn overhead(&self) -> f64 {
        let Kernel::Product(p) = &self.kernel else { return 0.0 };
        let [m, n, k] = p.extents.map(|extent| extent as f64);
        COPY * self.copied() as f64 + volume(&p.batch) as f64 * (CALL + m * k + k * n + m * n)
    }

    /// Multiplications; a rounded number, since more than 2⁶⁴ can be asked for.
    pub fn volume(&self) -> f64 {
        let steps = |loops: &[Loop<3>]| loops.iter().map(|l| l.extent as f64).product::<f64>();
        match &self.kernel {
            Kernel::Loops { loops, .. } => steps(loops),
            Kernel::Product(p) => steps(&p.batch) * p.extents.iter().map(|&e| e as f64).product::<f64>(),
        }
    }

    /// What computes the step, in a word or two: `loops`, `product`, `batched product through copies of A, C`.
    pub fn kernel_name(&self) -> String {
        let Kernel::Product(product) = &self.kernel else { return "loops".into() };
        let copied: Vec<&str> = [(A, "A"), (B, "B"), (C, "C")]
            .iter()
            .filter(|(t, _)| product.operands[*t].copy.is_some())
            .map(|x| x.1)
            .collect();
        let what = if volume(&product.batch) == 1 { "product" } else { "batched product" };
        if copied.is_empty() {
            what.into()
        } else {
            format!("{what} through copies of {}", copied.join(", "))
        }
    }

    /// Runs the step. `fixed` gives each fixed label its value. β = 0 never reads C.
    ///
    /// # Errors
    /// [`Error::Layout`], [`Error::Fixed`], [`Error::Scratch`]; nothing is then written.
    #[allow(clippy::too_many_arguments)] // the arguments of a matrix product, and those of a step
    pub fn run<T: Element>(
        &self,
        alpha: T,
        a: View<'_, T>,
        conj_a: bool,
        b: View<'_, T>,
        conj_b: bool,
        beta: T,
        mut c: ViewMut<'_, T>,
        fixed: &[usize],
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        self.signatures[C].check(&c.region())?;
        self.signatures[A].check(&a.region())?;
        self.signatures[B].check(&b.region())?;
        let [to_c, to_a, to_b] = self.fixed.offsets(fixed)?;
        if scratch.len() < self.scratch() {
            return Err(Error::Scratch { needed: self.scratch(), given: scratch.len() });
        }
        let a = (a.as_ptr().wrapping_offset(to_a), conj_a);
        let b = (b.as_ptr().wrapping_offset(to_b), conj_b);
        let c = c.as_mut_ptr().wrapping_offset(to_c);
        // SAFETY: the layouts are those that the loops were made from, and the fixed values are below their extents; the
        // views vouch for the memory, and C's is exclusively ours.
        unsafe {
            match &self.kernel {
                Kernel::Loops { output, loops } => {
                    scale_ordered(output, beta, c, Threads::ONE);
                    product::accumulate(loops, alpha, a, b, c);
                    Ok(())
                }
                Kernel::Product(product) => product.run(alpha, a, b, beta, c, scratch, threads),
            }
        }
    }
}

#[derive(Default)]
struct Groups {
    batch: Vec<Index<3>>,
    rows: Vec<Index<3>>,
    columns: Vec<Index<3>>,
    summed: Vec<Index<3>>,
}

/// Number of values that a group of indices takes together.
fn extent(group: &[Index<3>]) -> usize {
    group.iter().map(|index| index.step.extent).product()
}

/// One way to see a step as matrix products.
struct Way {
    /// The tensors that go through a dense copy.
    copied: [bool; 3],
    /// Which run of the rows, and which of the columns, makes a matrix; the others are looped over.
    runs: [usize; 2],
    cost: f64,
}

impl Groups {
    fn kernel(mut self) -> Result<Kernel, Error> {
        let [m, n, k] = [extent(&self.rows), extent(&self.columns), extent(&self.summed)];
        let small = m.saturating_mul(n).saturating_mul(k) <= SMALL;
        if small || k == 1 || m == 1 && n == 1 || extent(&self.batch) == 0 {
            let all = [&self.rows, &self.columns, &self.batch];
            let output = all.iter().flat_map(|group| group.iter());
            let output = output.map(|i| Loop { extent: i.step.extent, strides: [i.step.strides[C], 0] }).collect();
            let loops = all.iter().copied().chain([&self.summed]).flatten().map(|index| index.step).collect();
            return Ok(Kernel::Loops { output: order(output), loops: order(loops) });
        }
        let mut best: Option<Way> = None;
        for choice in 0..8u8 {
            self.cheapest_way([0, 1, 2].map(|t| choice >> t & 1 == 1), &mut best);
        }
        let best = best.expect("with three dense copies there always is a way");
        Ok(Kernel::Product(Box::new(self.product(&best)?)))
    }

    /// The runs of rows, columns and summed indices if these tensors are copied.
    fn runs(&mut self, copied: [bool; 3]) -> [Vec<Run>; 3] {
        [
            runs(&mut self.rows, [C, A], copied),
            runs(&mut self.columns, [C, B], copied),
            runs(&mut self.summed, [A, B], copied),
        ]
    }

    /// Finds the cheapest way among those that copy these tensors, if it is cheaper than the best one so far.
    fn cheapest_way(&mut self, copied: [bool; 3], best: &mut Option<Way>) {
        let [rows, columns, summed] = self.runs(copied);
        let [summed] = &summed[..] else { return };
        let elements = |t: usize| -> f64 {
            let all = [&self.batch, &self.rows, &self.columns, &self.summed];
            all.iter().flat_map(|g| g.iter()).filter(|i| i.present[t]).map(|i| i.step.extent as f64).product()
        };
        let copies: f64 = (0..3).filter(|&t| copied[t]).map(|t| COPY * elements(t)).sum();
        let total = |runs: &[Run]| runs.iter().map(|run| run.axis.extent as f64).product::<f64>();
        let all = extent(&self.batch) as f64 * total(&rows) * total(&columns);
        for (i, down) in rows.iter().enumerate() {
            for (j, right) in columns.iter().enumerate() {
                let (m, n, k) = (down.axis.extent as f64, right.axis.extent as f64, summed.axis.extent as f64);
                let cost = copies + all / (m * n) * (CALL + m * k + k * n + m * n);
                let sides = [(C, down, right), (A, down, summed), (B, summed, right)];
                let usable = sides.iter().all(|&(t, down, right)| copied[t] || in_place(t, down, right).is_some());
                if usable && best.as_ref().is_none_or(|way| cost < way.cost) {
                    *best = Some(Way { copied, runs: [i, j], cost });
                }
            }
        }
    }

    /// The product that goes this way.
    fn product(&mut self, way: &Way) -> Result<Product, Error> {
        let [rows, columns, summed] = self.runs(way.copied);
        let (down, right, summed) = (&rows[way.runs[0]], &columns[way.runs[1]], &summed[0]);
        let looped = |group: &[Index<3>], run: &Run| [&group[..run.range.start], &group[run.range.end..]].concat();
        let looped = [self.batch.clone(), looped(&self.rows, down), looped(&self.columns, right)].concat();
        let mut batch: Vec<Loop<3>> = looped.iter().map(|index| index.step).collect();
        let mut scratch = 0usize;
        let mut operand = |t: usize,
                           (down, vertical): (&Run, &[Index<3>]),
                           (right, horizontal): (&Run, &[Index<3>])| {
            if let (false, Some((row_stride, col_stride))) = (way.copied[t], in_place(t, down, right)) {
                return Ok(Operand { row_stride, col_stride, copy: None });
            }
            let (vertical, horizontal) = (&vertical[down.range.clone()], &horizontal[right.range.clone()]);
            let (height, width) = (down.axis.extent, right.axis.extent);
            // The side that the tensor itself walks in smaller steps comes first in the copy.
            let nearest = |group: &[Index<3>]| {
                let steps = group.iter().filter(|i| i.step.extent > 1).map(|i| i.step.strides[t].unsigned_abs());
                steps.min().unwrap_or(usize::MAX)
            };
            let (row_stride, col_stride) =
                if nearest(vertical) <= nearest(horizontal) { (1, height as isize) } else { (width as isize, 1) };
            let mut into = Vec::new();
            let mut lay = |index: &Index<3>, stride: isize| {
                into.push(Loop { extent: index.step.extent, strides: [stride, index.step.strides[t]] });
                stride * index.step.extent as isize
            };
            vertical.iter().fold(row_stride, |stride, index| lay(index, stride));
            horizontal.iter().fold(col_stride, |stride, index| lay(index, stride));
            let mut stride = (height * width) as isize;
            for (l, index) in batch.iter_mut().zip(&looped).filter(|(_, index)| index.present[t]) {
                l.strides[t] = stride;
                stride = lay(index, stride);
            }
            let start = scratch;
            scratch = element_count(&[scratch.saturating_add(stride as usize)])?;
            let back = into.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[1], l.strides[0]] }).collect();
            let copy = DenseCopy { into: order(into), back: order(back), start };
            Ok::<Operand, Error>(Operand { row_stride, col_stride, copy: Some(copy) })
        };
        let operands = [
            operand(C, (down, &self.rows), (right, &self.columns))?,
            operand(A, (down, &self.rows), (summed, &self.summed))?,
            operand(B, (summed, &self.summed), (right, &self.columns))?,
        ];
        let extents = [down.axis.extent, right.axis.extent, summed.axis.extent];
        Ok(Product { extents, batch: order(batch), operands, scratch })
    }
}

/// Neighbours in a sorted group that can be walked as one axis.
struct Run {
    range: Range<usize>,
    axis: Loop<3>,
}

/// Sorts a group by the steps of a tensor that is used in place, and cuts it where a tensor used in place cannot be walked on as
/// one axis. There is at least one run; in copied tensors any order will do.
fn runs(group: &mut [Index<3>], tensors: [usize; 2], copied: [bool; 3]) -> Vec<Run> {
    let in_place = || tensors.into_iter().filter(|&t| !copied[t]);
    let by = in_place().next().unwrap_or(tensors[0]);
    group.sort_by_key(|index| index.step.strides[by].unsigned_abs());
    let mut runs = vec![Run { range: 0..0, axis: Loop { extent: 1, strides: [1; 3] } }];
    for (i, step) in group.iter().map(|index| index.step).enumerate() {
        let last = runs.len() - 1;
        let Run { range, axis } = &mut runs[last];
        let goes_on = |t: usize| step.strides[t] == axis.strides[t].wrapping_mul(axis.extent as isize);
        if axis.extent == 1 || step.extent == 1 {
            axis.strides = if axis.extent == 1 { step.strides } else { axis.strides };
        } else if !in_place().all(goes_on) {
            runs.push(Run { range: i..i + 1, axis: step });
            continue;
        }
        axis.extent *= step.extent;
        range.end = i + 1;
    }
    runs
}

/// The row and the column stride of a tensor used in place, if a matrix product can work on it so: one of them must be
/// 1, and the other one step over what it walks. The stride of a side of one element does not count.
fn in_place(t: usize, down: &Run, right: &Run) -> Option<(isize, isize)> {
    let (height, width) = (down.axis.extent as isize, right.axis.extent as isize);
    let (vertical, horizontal) = (down.axis.strides[t], right.axis.strides[t]);
    let vertical_unit = height == 1 || vertical == 1;
    let horizontal_unit = width == 1 || horizontal == 1;
    if vertical_unit && (width == 1 || horizontal >= height) {
        Some((1, if width == 1 { height } else { horizontal }))
    } else if horizontal_unit && (height == 1 || vertical >= width) {
        Some((if height == 1 { width } else { vertical }, 1))
    } else {
        None
    }
}

impl Product {
    /// # Safety
    /// From the pointers, the layouts that the product was prepared for are valid; C's memory is exclusively ours.
    #[allow(clippy::too_many_arguments)]
    unsafe fn run<T: Element>(
        &self,
        alpha: T,
        (mut a, conj_a): (*const T, bool),
        (mut b, conj_b): (*const T, bool),
        beta: T,
        c: *mut T,
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        let scratch = scratch.as_mut_ptr();
        let [of_c, of_a, of_b] = &self.operands;
        for (of, from) in [(of_a, &mut a), (of_b, &mut b)] {
            if let Some(copy) = &of.copy {
                // SAFETY: the copy's loops cover `scratch[start..]` up to the next copy's start, densely.
                unsafe {
                    let to = scratch.add(copy.start);
                    accumulate_ordered(&copy.into, T::ONE, *from, false, T::ZERO, to, threads);
                    *from = to;
                }
            }
        }
        let Some(copy) = &of_c.copy else {
            // SAFETY: A and B are the operands or their dense copies, as the strides of the batch suppose.
            return unsafe { self.multiply(&self.batch, alpha, (a, conj_a), (b, conj_b), beta, c, threads) };
        };
        // SAFETY: as above; the product goes into the copy first, then into C, which is read only then and only if β ≠ 0.
        unsafe {
            let dense = scratch.add(copy.start);
            self.multiply(&self.batch, alpha, (a, conj_a), (b, conj_b), T::ZERO, dense, threads)?;
            accumulate_ordered(&copy.back, T::ONE, dense, false, beta, c, threads);
        }
        Ok(())
    }

    /// # Safety
    /// From the pointers, the matrices are valid for every step of `batch`.
    #[allow(clippy::too_many_arguments)]
    unsafe fn multiply<T: Element>(
        &self,
        batch: &[Loop<3>],
        alpha: T,
        (a, conj_a): (*const T, bool),
        (b, conj_b): (*const T, bool),
        beta: T,
        c: *mut T,
        threads: Threads,
    ) -> Result<(), Error> {
        // SAFETY: the caller's promise; the steps of a batch reach different matrices of C.
        unsafe {
            if let [rest @ .., outer] = batch {
                for i in 0..outer.extent as isize {
                    let [to_c, to_a, to_b] = outer.strides.map(|stride| i * stride);
                    let (a, b) = ((a.offset(to_a), conj_a), (b.offset(to_b), conj_b));
                    self.multiply(rest, alpha, a, b, beta, c.offset(to_c), threads)?;
                }
                return Ok(());
            }
            let [m, n, k] = self.extents;
            let [of_c, of_a, of_b] = &self.operands;
            let a = MatRef::from_raw_parts(a, m, k, of_a.row_stride, of_a.col_stride);
            let b = MatRef::from_raw_parts(b, k, n, of_b.row_stride, of_b.col_stride);
            let c = MatMut::from_raw_parts(c, m, n, of_c.row_stride, of_c.col_stride);
            Ok(gemm(alpha, a, conj_a, b, conj_b, beta, c, threads)?)
        }
    }
}
