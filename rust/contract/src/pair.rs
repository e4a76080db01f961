//! Two tensors into one.
//!
//! The labels fall into four groups: those of the batch (in A, B and C), of the rows (A and C), of the columns (B and C), and
//! the summed ones (A and B). If the axes of each group can be walked as one axis, in all tensors that have it, the
//! step is a matrix product in place. Otherwise some of the tensors go through a dense copy: of the eight choices which to
//! copy, the one that copies the fewest elements is taken. Small steps, and steps that are no matrix product (scalar and outer
//! products, elementwise products), run as plain loops.

use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_tensor::kernels::{accumulate_ordered, scale_ordered};
use tensoroxide_tensor::layout::element_count;
use tensoroxide_tensor::nest::{order, volume, Loop};
use tensoroxide_tensor::{Threads, View, ViewMut};

use crate::axes::{indices, Fixed, Index, Signature};
use crate::{product, Axes, Error, Label};

/// Up to so many multiplications per matrix of a batch, plain loops are faster than the call of a matrix product.
const SMALL: usize = 256;

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
    Product(Product),
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

    /// Elements that go through a dense copy: what a better layout would have saved.
    pub fn copied(&self) -> usize {
        match &self.kernel {
            Kernel::Loops { .. } => 0,
            Kernel::Product(p) => p.operands.iter().flat_map(|o| &o.copy).map(|copy| volume(&copy.into)).sum(),
        }
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

impl Groups {
    fn kernel(mut self) -> Result<Kernel, Error> {
        let extents = [extent(&self.rows), extent(&self.columns), extent(&self.summed)];
        let matrix = extents[0].saturating_mul(extents[1]).saturating_mul(extents[2]);
        let no_product = extents[2] == 1 || extents[0] == 1 && extents[1] == 1;
        if matrix <= SMALL || no_product || extent(&self.batch) == 0 {
            let all = [&self.rows, &self.columns, &self.batch];
            let output = all.iter().flat_map(|group| group.iter());
            let output = output.map(|i| Loop { extent: i.step.extent, strides: [i.step.strides[C], 0] }).collect();
            let loops = all.iter().copied().chain([&self.summed]).flatten().map(|index| index.step).collect();
            return Ok(Kernel::Loops { output: order(output), loops: order(loops) });
        }
        // Which of C, A, B to copy: bit t stands for tensor t. Fewest elements first.
        let elements = |t: usize| -> usize {
            [&self.batch, &self.rows, &self.columns, &self.summed]
                .iter()
                .flat_map(|group| group.iter())
                .filter(|index| index.present[t])
                .map(|index| index.step.extent)
                .product()
        };
        let elements = [elements(C), elements(A), elements(B)];
        let mut choices: Vec<u8> = (0..8).collect();
        let cost =
            |choice: u8| (0..3).filter(|t| choice >> t & 1 == 1).map(|t| elements[t]).fold(0, usize::saturating_add);
        choices.sort_by_key(|&choice| cost(choice));
        for choice in choices {
            let copied = [0, 1, 2].map(|t| choice >> t & 1 == 1);
            if let Some(product) = self.product(extents, copied)? {
                return Ok(Kernel::Product(product));
            }
        }
        unreachable!("three dense copies always make a product")
    }

    /// The product with these tensors copied, if the others can be used in place.
    fn product(&mut self, extents: [usize; 3], copied: [bool; 3]) -> Result<Option<Product>, Error> {
        let [m, n, k] = extents;
        // Each group as one axis, of the tensors that have it in place.
        let (Some(rows), Some(columns), Some(summed)) = (
            linearise(&mut self.rows, [C, A], copied),
            linearise(&mut self.columns, [C, B], copied),
            linearise(&mut self.summed, [A, B], copied),
        ) else {
            return Ok(None);
        };
        let sides = [
            (C, (m, &rows, &self.rows), (n, &columns, &self.columns)),
            (A, (m, &rows, &self.rows), (k, &summed, &self.summed)),
            (B, (k, &summed, &self.summed), (n, &columns, &self.columns)),
        ];
        let mut batch: Vec<Loop<3>> = self.batch.iter().map(|index| index.step).collect();
        let mut scratch = 0usize;
        let mut operands = Vec::with_capacity(3);
        for (t, (height, vertical, down), (width, horizontal, right)) in sides {
            if !copied[t] {
                // The stride of a side of one element may be anything, so it is made to suit.
                let unit_rows = height == 1 || vertical[t] == 1;
                let unit_columns = width == 1 || horizontal[t] == 1;
                let (row_stride, col_stride) = match (unit_rows, unit_columns) {
                    (true, _) if width == 1 || horizontal[t] >= height as isize => {
                        (1, if width == 1 { height as isize } else { horizontal[t] })
                    }
                    (_, true) if height == 1 || vertical[t] >= width as isize => {
                        (if height == 1 { width as isize } else { vertical[t] }, 1)
                    }
                    _ => return Ok(None),
                };
                operands.push(Operand { row_stride, col_stride, copy: None });
                continue;
            }
            // The side that the tensor itself walks in smaller steps comes first in the copy.
            let nearest = |group: &[Index<3>]| {
                group
                    .iter()
                    .filter(|i| i.step.extent > 1)
                    .map(|i| i.step.strides[t].unsigned_abs())
                    .min()
                    .unwrap_or(usize::MAX)
            };
            let down_first = nearest(down) <= nearest(right);
            let (row_stride, col_stride) = if down_first { (1, height as isize) } else { (width as isize, 1) };
            let mut into = Vec::new();
            let mut lay = |group: &[Index<3>], mut stride: isize| {
                for index in group {
                    into.push(Loop { extent: index.step.extent, strides: [stride, index.step.strides[t]] });
                    stride *= index.step.extent as isize;
                }
            };
            lay(down, row_stride);
            lay(right, col_stride);
            let mut stride = (height * width) as isize;
            for (l, index) in batch.iter_mut().zip(&self.batch) {
                into.push(Loop { extent: l.extent, strides: [stride, index.step.strides[t]] });
                l.strides[t] = stride;
                stride *= l.extent as isize;
            }
            let start = scratch;
            scratch = element_count(&[scratch.checked_add(stride as usize).unwrap_or(usize::MAX)])?;
            let back = into.iter().map(|l| Loop { extent: l.extent, strides: [l.strides[1], l.strides[0]] }).collect();
            operands.push(Operand {
                row_stride,
                col_stride,
                copy: Some(DenseCopy { into: order(into), back: order(back), start }),
            });
        }
        let operands = operands.try_into().expect("three operands");
        Ok(Some(Product { extents, batch: order(batch), operands, scratch }))
    }
}

/// Sorts a group so that, in each of the two tensors that is not copied, it can be walked as one axis, and returns that
/// axis's strides; `None` if there is no such order. In copied tensors any order will do.
fn linearise(group: &mut [Index<3>], tensors: [usize; 2], copied: [bool; 3]) -> Option<[isize; 3]> {
    let in_place: Vec<usize> = tensors.into_iter().filter(|&t| !copied[t]).collect();
    let by = in_place.first().copied().unwrap_or(tensors[0]);
    group.sort_by_key(|index| index.step.strides[by].unsigned_abs());
    let mut walked: Option<Loop<3>> = None;
    for step in group.iter().map(|index| index.step).filter(|step| step.extent != 1) {
        match &mut walked {
            None => walked = Some(step),
            Some(axis) => {
                if in_place.iter().any(|&t| step.strides[t] != axis.strides[t].wrapping_mul(axis.extent as isize)) {
                    return None;
                }
                axis.extent *= step.extent;
            }
        }
    }
    Some(walked.map_or([1; 3], |axis| axis.strides))
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
