//! Plans run over another algebra than that of numbers.
//!
//! The path, the steps, the layouts of the intermediates and the slices are those of a [`Plan`] for numbers of as many
//! bytes; only the kernels differ. A [selective](Selective) semiring also says which values of the labels attain the
//! result: every step keeps its result, and from the last step back the summed labels take the first value (the first
//! label of the step fastest) whose term is the step's result.
#![allow(unsafe_code)] // the steps run on pointers: their layouts are checked when a run begins

use std::fmt;

use tensoroxide_contract::{Axes, Label, SemiringStep};
use tensoroxide_tensor::layout::element_count;
use tensoroxide_tensor::semiring::{Plain, Selective, Semiring};
use tensoroxide_tensor::{overlap, DType, Error as Memory, Pool, Threads, View, ViewMut};

use crate::plan::{Algebra, CutAxes, Inputs, Plan, Source, Step};
use crate::{Error, Options};

/// What [`SemiringEinsum::argmax`] gives a label that has no value: off the diagonal of an output, or in a sum of
/// nothing.
pub const NO_VALUE: i64 = -1;

/// An Einstein summation over a semiring, planned, with the memory to run it.
///
/// ```
/// use tensoroxide_einsum::{Options, SemiringEinsum};
/// use tensoroxide_tensor::{semiring::MinPlus, Tensor, Threads};
/// // Shortest ways of two steps between three places.
/// let d = Tensor::from_fn(&[3, 3], |i| [[0.0, 1.0, 9.0], [1.0, 0.0, 2.0], [9.0, 2.0, 0.0]][i[0]][i[1]])?;
/// let mut ways = Tensor::from_fn(&[3, 3], |_| 0.0)?;
/// let einsum = SemiringEinsum::<MinPlus<f64>>::new("ij,jk->ik", &[&[3, 3], &[3, 3]], Options::default())?;
/// einsum.run(&[d.view(), d.view()], ways.view_mut()?, false, Threads::ONE)?;
/// assert_eq!(ways.view().get(&[0, 2]), Some(3.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SemiringEinsum<S: Semiring> {
    plan: Plan,
    idle: Pool<Workspace<S::Element>>,
    /// The workspace may not hold packed panels.
    frugal: bool,
}

#[derive(Debug)]
struct Workspace<T> {
    /// Those of each variant of the slices, one variant after another.
    steps: Vec<SemiringStep>,
    /// What the steps are for: the strides of all operands and the output.
    strides: Vec<isize>,
    memory: Vec<T>,
    slice: Vec<usize>,
}

impl<S: Semiring> SemiringEinsum<S> {
    /// Plans an expression for operands of these shapes.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn new(expression: &str, shapes: &[&[usize]], options: Options) -> Result<SemiringEinsum<S>, Error> {
        let dtype = if size_of::<S::Element>() == 8 { DType::F64 } else { DType::F32 };
        let (limit, threads) = (options.memory_limit, options.threads);
        // The plan counts in elements of its own size.
        let planned = limit.map(|limit| limit.saturating_mul(dtype.size() / size_of::<S::Element>()));
        let plan = Plan::new(expression, shapes, dtype, Options { memory_limit: planned, ..options })?;
        let mut einsum = SemiringEinsum { plan, idle: Pool::default(), frugal: false };
        let fits = |einsum: &Self| -> Result<bool, Error> {
            let needed = einsum.peak_elements(threads)?.saturating_mul(size_of::<S::Element>());
            Ok(limit.is_none_or(|limit| needed <= limit))
        };
        // Intermediates alone are within the limit, since they are so for the plan.
        einsum.frugal = !fits(&einsum)?;
        Ok(einsum)
    }

    /// The plan: its path, its steps, its slices. What it says of kernels and of memory holds for numbers; what holds
    /// here is shown by `Display`.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes of workspace of a run with as many threads as were planned for, and dense column-major tensors.
    pub fn peak_bytes(&self) -> usize {
        self.peak_elements(self.plan.settings.threads).unwrap_or(usize::MAX).saturating_mul(size_of::<S::Element>())
    }

    fn peak_elements(&self, threads: Threads) -> Result<usize, Error> {
        Ok(self.plan.scratch_start(0, 0).saturating_add(scratch(&self.dense_steps()?, threads)))
    }

    /// The steps for dense column-major tensors.
    fn dense_steps(&self) -> Result<Vec<SemiringStep>, Error> {
        let network = self.plan.network();
        let dense: Vec<Vec<isize>> =
            network.shapes.iter().map(|shape| tensoroxide_tensor::layout::column_major_strides(shape)).collect();
        let strides: Vec<&[isize]> = dense.iter().map(Vec::as_slice).collect();
        let output = tensoroxide_tensor::layout::column_major_strides(&self.plan.output_shape());
        self.steps(&strides, &output)
    }

    /// output ← the Einstein sum of the operands; output ⊕ that with `accumulate`.
    ///
    /// # Errors
    /// [`Error::OperandCount`], [`Error::Shape`], [`Error::Aliasing`]: nothing is then written. [`Error::Tensor`] when
    /// there is no memory for the workspace.
    pub fn run(
        &self,
        operands: &[View<'_, S::Element>],
        mut output: ViewMut<'_, S::Element>,
        accumulate: bool,
        threads: Threads,
    ) -> Result<(), Error> {
        self.check(operands, &output)?;
        let plan = &self.plan;
        let mut workspace = self.idle.take().unwrap_or_else(|| {
            Box::new(Workspace { steps: Vec::new(), strides: Vec::new(), memory: Vec::new(), slice: Vec::new() })
        });
        let strides = || operands.iter().map(View::strides).chain([output.strides()]).flatten().copied();
        if workspace.steps.is_empty() || !workspace.strides.iter().copied().eq(strides()) {
            let found: Vec<&[isize]> = operands.iter().map(View::strides).collect();
            workspace.steps = self.steps(&found, output.strides())?;
            workspace.strides = strides().collect();
        }
        let Workspace { steps, memory, slice, .. } = &mut *workspace;
        let arena = plan.scratch_start(0, 0);
        grow::<S>(memory, arena.saturating_add(scratch(steps, threads)))?;
        let (arena, scratch) = memory.split_at_mut(arena);
        slice.clear();
        slice.resize(plan.cut.fixed.len(), 0);
        let out = output.as_mut_ptr();
        // A sliced label without values: only the sum of nothing is left, which the steps make of any slice with a
        // value.
        if plan.slice_extents().any(|extent| extent == 0) {
            if !accumulate {
                fill::<S>(output);
            }
            self.idle.give(workspace);
            return Ok(());
        }
        let arena = arena.as_mut_ptr();
        let at = |source: Source| match source {
            Source::Operand(i) => operands[i].as_ptr(),
            Source::Intermediate(i) => arena.wrapping_add(plan.start_of(i, plan.lane_start(0, 0))).cast_const(),
        };
        loop {
            // Slices of summed labels add up.
            let summed = plan.cut.fixed.iter().zip(&*slice);
            let summed = summed.filter(|(label, _)| !plan.cut.sliced.output.contains(label));
            let again = summed.into_iter().any(|(_, &value)| value > 0);
            let of_variant = &steps[plan.cut.variant(slice) * plan.steps.len()..];
            for (Step { inputs, output, .. }, step) in plan.steps.iter().zip(of_variant) {
                let (a, b) = match *inputs {
                    Inputs::Single(a) => (at(a), at(a)),
                    Inputs::Pair(a, b) => (at(a), at(b)),
                };
                let (c, accumulate) = match output {
                    None => (out, accumulate || again),
                    Some(i) => (arena.wrapping_add(plan.start_of(*i, plan.lane_start(0, 0))), false),
                };
                // SAFETY: the views vouch for the operands and the output, which share no element. Intermediates lie in
                // the arena, and those in use at once share no element (see `plan::arena`). The steps were made for the
                // layouts of all of them; the scratch lies behind the arena.
                unsafe { step.run::<S>(a, b, c, accumulate, slice, scratch, threads) }?;
            }
            if crate::execute::advance(slice, plan.slice_extents()).is_none() {
                break;
            }
        }
        self.idle.give(workspace);
        Ok(())
    }

    fn check(&self, operands: &[View<'_, S::Element>], output: &ViewMut<'_, S::Element>) -> Result<(), Error> {
        let network = self.plan.network();
        let (expected, found) = (network.shapes.len(), operands.len());
        if found != expected {
            return Err(Error::OperandCount { expected, found });
        }
        let shape = |operand, found: &[usize], expected: &[usize]| match found == expected {
            true => Ok(()),
            false => Err(Error::Shape { operand, found: found.to_vec(), expected: expected.to_vec() }),
        };
        for (i, (operand, expected)) in operands.iter().zip(&network.shapes).enumerate() {
            shape(Some(i), operand.shape(), expected)?;
        }
        shape(None, output.shape(), &self.plan.output_shape())?;
        match operands.iter().position(|operand| overlap(operand.region(), output.region())) {
            Some(operand) => Err(Error::Aliasing { operand }),
            None => Ok(()),
        }
    }

    /// The steps for operands and an output of these strides, of one variant of the slices after another.
    fn steps(&self, operands: &[&[isize]], output: &[isize]) -> Result<Vec<SemiringStep>, Error> {
        let (plan, cut, network) = (&self.plan, &self.plan.cut, self.plan.network());
        let output_shape = plan.output_shape();
        let step = |step: &Step, variant: usize| {
            let axes = |source: Source| match source {
                Source::Operand(i) => cut.axes(&network.operands[i], &network.shapes[i], operands[i], variant),
                Source::Intermediate(i) => cut.dense(&plan.intermediates[i].labels, variant),
            };
            let c = match step.output {
                Some(i) => cut.dense(&plan.intermediates[i].labels, variant),
                None => cut.axes(&network.output, &output_shape, output, variant),
            };
            let (a, b) = match step.inputs {
                Inputs::Single(a) => (axes(a), None),
                Inputs::Pair(a, b) => (axes(a), Some(axes(b))),
            };
            Ok(SemiringStep::new(a.axes(), b.as_ref().map(CutAxes::axes), c.axes(), &cut.fixed, !self.frugal)?)
        };
        (0..cut.variants())
            .flat_map(|variant| plan.steps.iter().map(move |s| (s, variant)))
            .map(|(s, v)| step(s, v))
            .collect()
    }
}

/// As a [`Plan`] in words, with the semiring's own kernels and memory.
impl<S: Semiring> fmt::Display for SemiringEinsum<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.dense_steps().unwrap_or_default();
        let algebra = Algebra {
            elements: format!("{} over {}", S::Element::NAME, S::NAME),
            peak_bytes: self.peak_bytes(),
            kernel: &|k| steps.get(k).map_or("", SemiringStep::kernel_name),
        };
        self.plan.describe(f, Some(&algebra))
    }
}

fn intermediate(plan: &Plan, i: usize) -> Axes<'_> {
    let made = &plan.intermediates[i];
    Axes { labels: &made.labels, shape: made.layout.shape(), strides: made.layout.strides() }
}

fn scratch(steps: &[SemiringStep], threads: Threads) -> usize {
    steps.iter().map(|step| step.scratch(threads)).max().unwrap_or(0)
}

/// Makes memory at least so long.
fn grow<S: Semiring>(memory: &mut Vec<S::Element>, len: usize) -> Result<(), Error> {
    if memory.len() < len {
        let bytes = len.saturating_mul(size_of::<S::Element>());
        memory.try_reserve_exact(len - memory.len()).map_err(|_| Error::Tensor(Memory::OutOfMemory { bytes }))?;
        memory.resize(len, S::ZERO);
    }
    Ok(())
}

fn fill<S: Semiring>(mut output: ViewMut<'_, S::Element>) {
    for_each_index(output.shape(), |index| _ = output.set(index, S::ZERO));
}

/// All indices of a shape, the first axis fastest.
fn for_each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    let mut index = vec![0; shape.len()];
    if shape.contains(&0) {
        return;
    }
    loop {
        f(&index);
        if crate::execute::advance(&mut index, shape.iter().copied()).is_none() {
            return;
        }
    }
}

impl<S: Selective> SemiringEinsum<S> {
    /// The labels that [`SemiringEinsum::argmax`] gives values of: their names, in the order in which they come.
    pub fn labels(&self) -> Vec<&str> {
        let names = &self.plan.network().names;
        self.reported().into_iter().map(|label| names[label as usize].as_str()).collect()
    }

    /// Of the labels that share a name, since some have extent 1, the one that runs over more.
    fn reported(&self) -> Vec<Label> {
        let network = self.plan.network();
        let mut reported: Vec<Label> = Vec::new();
        for label in 0..network.names.len() as Label {
            let same = |&other: &Label| network.names[other as usize] == network.names[label as usize];
            match reported.iter().position(same) {
                Some(at) if network.extents[label as usize] != 1 => reported[at] = label,
                Some(_) => {}
                None => reported.push(label),
            }
        }
        reported
    }

    /// The Einstein sum of the operands, and for each element of the output the values of all labels that attain it.
    ///
    /// The first axis of `configuration` runs over [`SemiringEinsum::labels`]; the others are those of the output.
    /// Values count from 0; [`NO_VALUE`] where there is none. Of several configurations that attain an element, each
    /// step of the plan takes the first, its first summed label running fastest: the same one in every call.
    ///
    /// The plan must have no slices; every intermediate is kept at once.
    ///
    /// # Errors
    /// As [`SemiringEinsum::run`]; [`Error::MemoryLimit`] for a plan with slices.
    pub fn argmax(
        &self,
        operands: &[View<'_, S::Element>],
        mut output: ViewMut<'_, S::Element>,
        mut configuration: ViewMut<'_, i64>,
        threads: Threads,
    ) -> Result<(), Error> {
        self.check(operands, &output)?;
        let plan = &self.plan;
        let (network, reported) = (plan.network(), self.reported());
        let expected = [&[reported.len()], output.shape()].concat();
        if configuration.shape() != expected {
            return Err(Error::Shape { operand: None, found: configuration.shape().to_vec(), expected });
        }
        let sizes = plan.intermediates.iter().map(|made| made.layout.len());
        let starts: Vec<usize> = sizes.scan(0usize, |end, size| Some(std::mem::replace(end, *end + size))).collect();
        let total = plan.intermediates.iter().map(|made| made.layout.len()).fold(0, usize::saturating_add);
        element_count(&[total])?;
        if !plan.cut.fixed.is_empty() {
            return Err(Error::MemoryLimit { limit: 0, needed: total.saturating_mul(size_of::<S::Element>()) });
        }
        let strides: Vec<&[isize]> = operands.iter().map(View::strides).collect();
        let steps = self.steps(&strides, output.strides())?;
        let mut memory = Vec::new();
        grow::<S>(&mut memory, total.saturating_add(scratch(&steps, threads)))?;
        let (kept, scratch) = memory.split_at_mut(total);
        let kept = kept.as_mut_ptr();
        let at = |source: Source| match source {
            Source::Operand(i) => operands[i].as_ptr(),
            Source::Intermediate(i) => kept.wrapping_add(starts[i]).cast_const(),
        };
        for (Step { inputs, output: made, .. }, step) in plan.steps.iter().zip(&steps) {
            let (a, b) = match *inputs {
                Inputs::Single(a) => (at(a), at(a)),
                Inputs::Pair(a, b) => (at(a), at(b)),
            };
            let c = made.map_or(output.as_mut_ptr(), |i| kept.wrapping_add(starts[i]));
            // SAFETY: as in `run`; every intermediate has a place of its own.
            unsafe { step.run::<S>(a, b, c, false, &[], scratch, threads) }?;
        }

        // What each step reads, and which labels it sums.
        let axes = |source: Source| match source {
            Source::Operand(i) => Axes { labels: &network.operands[i], shape: &network.shapes[i], strides: strides[i] },
            Source::Intermediate(i) => intermediate(plan, i),
        };
        let traced: Vec<Traced<'_, S::Element>> = plan
            .steps
            .iter()
            .rev()
            .map(|step| {
                let inputs = match step.inputs {
                    Inputs::Single(a) => vec![a],
                    Inputs::Pair(a, b) => vec![a, b],
                };
                let made = step.output.map_or(&network.output, |i| &plan.intermediates[i].labels);
                let inputs: Vec<_> = inputs.into_iter().map(|source| (at(source), axes(source))).collect();
                let mut summed: Vec<Label> = Vec::new();
                for &label in inputs.iter().flat_map(|(_, axes)| axes.labels) {
                    if !made.contains(&label) && !summed.contains(&label) {
                        summed.push(label);
                    }
                }
                let extents = summed.iter().map(|&label| network.extents[label as usize]).collect();
                Traced { inputs, summed, extents }
            })
            .collect();
        let mut values: Vec<Option<usize>> = vec![None; network.extents.len()];
        let mut place = vec![0; output.shape().len() + 1];
        for_each_index(output.shape(), |index| {
            values.fill(None);
            let mut found = true;
            for (&label, &value) in network.output.iter().zip(index) {
                found &= values[label as usize].is_none_or(|known| known == value);
                values[label as usize] = Some(value);
            }
            // SAFETY: the steps that made the tensors have run, and the labels' values are below their extents.
            found = found && traced.iter().all(|step| unsafe { step.choose::<S>(&mut values) });
            place[1..].copy_from_slice(index);
            for (at, &label) in reported.iter().enumerate() {
                place[0] = at;
                let value = values[label as usize].filter(|_| found).map_or(NO_VALUE, |value| value as i64);
                _ = configuration.set(&place, value);
            }
        });
        Ok(())
    }
}

/// A step, to be followed back.
struct Traced<'a, T> {
    inputs: Vec<(*const T, Axes<'a>)>,
    summed: Vec<Label>,
    extents: Vec<usize>,
}

impl<T: Plain> Traced<'_, T> {
    /// Gives the summed labels the first values whose term is the best. `false` if they have none.
    ///
    /// # Safety
    /// The inputs can be read where their layouts lead, and all their other labels have values below their extents.
    unsafe fn choose<S: Selective<Element = T>>(&self, values: &mut [Option<usize>]) -> bool {
        let mut best: Option<(T, Vec<usize>)> = None;
        for_each_index(&self.extents, |index| {
            self.summed.iter().zip(index).for_each(|(&label, &value)| values[label as usize] = Some(value));
            let term = self.inputs.iter().fold(S::ONE, |product, (start, axes)| {
                let offset = axes.labels.iter().zip(axes.strides);
                let offset: isize =
                    offset.map(|(&label, &stride)| values[label as usize].unwrap_or(0) as isize * stride).sum();
                // SAFETY: the caller's promise.
                S::mul(product, unsafe { *start.offset(offset) })
            });
            #[allow(clippy::eq_op)] // a NaN, which anything is better than, differs from itself
            if best.as_ref().is_none_or(|(known, _)| S::better(term, *known) || known != known) {
                best = Some((term, index.to_vec()));
            }
        });
        let Some((_, index)) = best else { return false };
        self.summed.iter().zip(index).for_each(|(&label, value)| values[label as usize] = Some(value));
        true
    }
}
