//! A step as products of plain matrices, computed by `dense`.
//!
//! If the axes of each group (rows, columns, summed) can be walked as one axis, in all tensors that have it, the step
//! is a matrix product in place. Otherwise there are two remedies. A tensor may go through a dense copy. And of the
//! rows or columns a part may be looped over, one matrix product for each of its values, which leaves less to be walked
//! as one axis. Of all ways the one that moves the fewest elements is taken.

use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_tensor::kernels::Move;
use tensoroxide_tensor::layout::element_count;
use tensoroxide_tensor::nest::{order, volume, Loop};
use tensoroxide_tensor::{DType, Threads};

use crate::axes::Index;
use crate::groups::{extent, runs, Groups, Run, A, B, C};
use crate::pair::rate;
use crate::traffic::{blocks, streamed, sweep};
use crate::Error;

/// What it costs to copy an element, in units of what a matrix product spends on an element of its operands.
const COPY: f64 = 2.0;
/// What it costs to call a matrix product, in the same units.
const CALL: f64 = 300.0;

/// Nanoseconds of a run, of each matrix product, for an element of its matrices, and to move one into or out of a copy.
const RUN: f64 = 150.0;
const PRODUCT: f64 = 60.0;
const TOUCHED: f64 = 0.03;
const MOVED: f64 = 0.4;
/// The part of the arithmetic's rate that matrix products reach.
const EFFICIENCY: f64 = 0.72;
/// Bytes of the matrices of a small product.
const SMALL: f64 = 2e5;

/// A product of matrices for each element of the batch.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Rows, columns, summed extent.
    extents: [usize; 3],
    batch: Vec<Loop<3>>,
    /// Of C, A and B.
    operands: [Operand; 3],
    /// Elements of scratch.
    pub(crate) scratch: usize,
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
pub(crate) struct DenseCopy {
    /// Over the copy and the tensor.
    pub(crate) into: Move,
    /// Over the tensor and the copy.
    pub(crate) back: Move,
    /// Where in the scratch it starts.
    pub(crate) start: usize,
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
        let copies: f64 = (0..3).filter(|&t| copied[t]).map(|t| COPY * self.elements(t)).sum();
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
        let mut operand =
            |t: usize, (down, vertical): (&Run, &[Index<3>]), (right, horizontal): (&Run, &[Index<3>])| {
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
                let back: Vec<Loop<2>> =
                    into.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[1], l.strides[0]] }).collect();
                let copy = DenseCopy { into: Move::new(&into), back: Move::new(&back), start };
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
    /// The cheapest way to see the step as products of matrices.
    pub(crate) fn new(mut groups: Groups) -> Result<Product, Error> {
        let mut best: Option<Way> = None;
        for choice in 0..8u8 {
            groups.cheapest_way([0, 1, 2].map(|t| choice >> t & 1 == 1), &mut best);
        }
        let best = best.expect("with three dense copies there always is a way");
        groups.product(&best)
    }

    /// Elements that go through a dense copy.
    pub(crate) fn copied(&self) -> usize {
        self.operands.iter().flat_map(|operand| &operand.copy).map(|copy| copy.into.volume()).sum()
    }

    /// Nanoseconds on one thread, roughly.
    pub(crate) fn time(&self, dtype: DType) -> f64 {
        let (items, size) = (volume(&self.batch) as f64, dtype.size());
        let [m, n, k] = self.extents.map(|extent| extent as f64);
        let (products, elements) = (m * n * k, m * k + k * n + m * n);
        let small = elements * size as f64 <= SMALL;
        let mut time = RUN + items * (PRODUCT + elements * TOUCHED + products / (EFFICIENCY * rate(dtype)));
        // How a matrix product cuts C, A and B into blocks.
        let [m, n, k] = self.extents;
        let cuts = [[(m, 192), (n, 8)], [(m, 192), (k, 256)], [(k, 256), (n, 256)]];
        for (t, (operand, cut)) in self.operands.iter().zip(cuts).enumerate() {
            let [down, right] = cut.map(|(extent, _)| extent);
            let strides = match operand.copy {
                Some(_) => [1, down as isize],
                None => [operand.row_stride, operand.col_stride],
            };
            let [x, y] = [(down, strides[0]), (right, strides[1])].map(|(extent, s)| Loop { extent, strides: [s] });
            let bytes = items * down as f64 * right as f64 * size as f64;
            time += if small {
                let batch = self.batch.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[t]] });
                sweep([x, y].into_iter().chain(batch), 0, size, bytes)
            } else {
                items * blocks((&[x], cut[0].1), (&[y], cut[1].1), 0, size, bytes)
            };
            if let Some(copy) = &operand.copy {
                let elements = copy.into.volume() as f64;
                // Read here, written there.
                time += elements * MOVED + 2.0 * streamed(elements * size as f64);
            }
        }
        time
    }

    /// `product`, `batched product through copies of A, C`.
    pub(crate) fn name(&self) -> String {
        let copied = [(A, "A"), (B, "B"), (C, "C")].into_iter().filter(|(t, _)| self.operands[*t].copy.is_some());
        let copied: Vec<&str> = copied.map(|(_, name)| name).collect();
        let what = if volume(&self.batch) == 1 { "product" } else { "batched product" };
        match copied.is_empty() {
            true => what.into(),
            false => format!("{what} through copies of {}", copied.join(", ")),
        }
    }

    /// C ← α·op(A)·op(B) + β·C.
    ///
    /// # Safety
    /// From the pointers, the layouts that the product was prepared for are valid; C's memory is exclusively ours.
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn run<T: Element>(
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
                    copy.into.run(T::ONE, *from, false, T::ZERO, to, threads);
                    *from = to;
                }
            }
        }
        let Some(copy) = &of_c.copy else {
            // SAFETY: A and B are the operands or their dense copies, as the strides of the batch suppose.
            return unsafe { self.multiply(&self.batch, alpha, (a, conj_a), (b, conj_b), beta, c, threads) };
        };
        // SAFETY: as above; the product goes into the copy first, then into C, which is read only then and only if β ≠
        // 0.
        unsafe {
            let dense = scratch.add(copy.start);
            self.multiply(&self.batch, alpha, (a, conj_a), (b, conj_b), T::ZERO, dense, threads)?;
            copy.back.run(T::ONE, dense, false, beta, c, threads);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::indices;
    use crate::{Axes, Label};

    /// A product over dense column-major tensors, by labels and extents.
    fn product(a: &[(Label, usize)], b: &[(Label, usize)], c: &[(Label, usize)]) -> Product {
        let dense = [c, a, b].map(|tensor| {
            let (labels, shape): (Vec<Label>, Vec<usize>) = tensor.iter().copied().unzip();
            (labels, tensoroxide_tensor::layout::column_major_strides(&shape), shape)
        });
        let axes = |t: usize| Axes { labels: &dense[t].0, strides: &dense[t].1, shape: &dense[t].2 };
        Product::new(Groups::new(indices(&[axes(0), axes(1), axes(2)]).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_a_matrix_product_is_not_copied() {
        // abc·cde → abde: an MPS site, rows (a, b), columns (d, e).
        let site = product(&[(0, 8), (1, 2), (2, 8)], &[(2, 8), (3, 2), (4, 8)], &[(0, 8), (1, 2), (3, 2), (4, 8)]);
        assert_eq!((site.copied(), site.scratch, site.name().as_str()), (0, 0, "product"));
        // The transposed product, C stored by columns first.
        let turned = product(&[(0, 16), (1, 16)], &[(2, 16), (0, 16)], &[(2, 16), (1, 16)]);
        assert_eq!(turned.copied(), 0);
        // A batch in the last axis.
        let batch = product(&[(0, 9), (1, 9), (7, 3)], &[(1, 9), (2, 9), (7, 3)], &[(0, 9), (2, 9), (7, 3)]);
        assert_eq!((batch.copied(), batch.name().as_str()), (0, "batched product"));
        // Rows interleaved with the summed label: A (the smaller of A and C) is copied, and only A.
        let mixed = product(&[(0, 5), (1, 7), (2, 5)], &[(1, 7), (3, 50)], &[(0, 5), (2, 5), (3, 50)]);
        assert_eq!((mixed.copied(), mixed.scratch), (175, 175));
        assert_eq!(mixed.name(), "product through copies of A");
    }

    #[test]
    fn what_lies_apart_is_looped_over_rather_than_copied() {
        // A step of DMRG's effective Hamiltonian: the operator W is small, θ is large and keeps the order of its axes.
        let (p, w, s, t, b) = ((0, 90), (1, 5), (2, 2), (3, 2), (4, 90));
        let (up, v) = ((5, 2), (6, 5));
        let step = product(&[p, w, s, t, b], &[w, up, s, v], &[p, up, v, t, b]);
        assert_eq!(step.copied(), 5 * 2 * 2 * 5, "only W is copied");
        assert_eq!(step.name(), "batched product through copies of B");
    }
}
