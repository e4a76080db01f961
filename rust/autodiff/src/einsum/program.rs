//! A listing made ready for tensors of given layouts: which instructions have to run, and the kernel of each.

use std::ops::Range;

use tensoroxide_contract::{Axes, Label, Pair, Settings, Single};
use tensoroxide_tensor::nest::{order, Loop};
use tensoroxide_tensor::Layout;

use super::listing::{Instruction, Listing, Slot};
use crate::Error;

/// The axes of a tensor as kernels like them: labels of one value are left out, and a label on several axes is one axis
/// along their diagonal.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    pub(super) labels: Vec<Label>,
    shape: Vec<usize>,
    strides: Vec<isize>,
    /// Whether some elements are on no diagonal.
    embeds: bool,
}

impl Merged {
    pub(super) fn new(labels: &[Label], layout: &Layout) -> Merged {
        let mut merged = Merged { labels: Vec::new(), shape: Vec::new(), strides: Vec::new(), embeds: false };
        for (&label, (&extent, &stride)) in labels.iter().zip(layout.shape().iter().zip(layout.strides())) {
            match merged.labels.iter().position(|&known| known == label) {
                // The diagonal reaches no further than the tensor.
                Some(at) => {
                    merged.strides[at] = merged.strides[at].wrapping_add(stride);
                    merged.embeds = true;
                }
                None if extent == 1 => {}
                None => merged.push(label, extent, stride),
            }
        }
        merged
    }

    fn push(&mut self, label: Label, extent: usize, stride: isize) {
        self.labels.push(label);
        self.shape.push(extent);
        self.strides.push(stride);
    }

    /// The same values for every value of the labels that only `other` has.
    fn broadcast(mut self, other: &Merged) -> Merged {
        for (&label, &extent) in other.labels.iter().zip(&other.shape) {
            if !self.labels.contains(&label) {
                self.push(label, extent, 0);
            }
        }
        self
    }

    fn axes(&self) -> Axes<'_> {
        Axes { labels: &self.labels, shape: &self.shape, strides: &self.strides }
    }
}

/// What computes an instruction.
#[derive(Debug)]
pub(super) enum Kernel {
    Single(Box<Single>),
    Pair(Box<Pair>),
}

impl Kernel {
    pub(super) fn new(a: Merged, b: Option<Merged>, c: &Merged, settings: Settings) -> Result<Kernel, Error> {
        Ok(match b {
            // The cotangent of a sum is the same for all that was summed.
            None => Kernel::Single(Box::new(Single::new(a.broadcast(c).axes(), c.axes(), &[])?)),
            Some(b) => Kernel::Pair(Box::new(Pair::new(a.axes(), b.axes(), c.axes(), &[], settings)?)),
        })
    }

    /// Nanoseconds that it is expected to take; copies and sums are not counted.
    pub(super) fn time(&self) -> f64 {
        match self {
            Kernel::Single(_) => 0.0,
            Kernel::Pair(pair) => pair.time(),
        }
    }

    fn scratch(&self) -> usize {
        match self {
            Kernel::Single(_) => 0,
            Kernel::Pair(pair) => pair.scratch(),
        }
    }
}

/// An instruction, ready to run.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) instruction: Instruction,
    pub(super) kernel: Kernel,
    /// Whether nothing has been written to its result before.
    pub(super) first: bool,
    /// All elements of the result, if they have to be scaled first, since the kernel does not reach all of them.
    pub(super) whole: Option<Vec<Loop<2>>>,
}

/// All that runs, for tensors of certain layouts.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// What the caller wants and no step reaches, since all that it depends on is 0; with its elements.
    pub(super) zeros: Vec<(Slot, Vec<Loop<2>>)>,
    pub(super) scratch: usize,
}

impl Program {
    /// The instructions of `range` that something of `wanted` depends on and whose operands are `known` (to be 0 if
    /// they are not). `layout` is that of a tensor that is there.
    pub(super) fn new<'a>(
        listing: &Listing,
        range: Range<usize>,
        mut known: Vec<bool>,
        wanted: &[bool],
        layout: impl Fn(Slot) -> Option<&'a Layout>,
        settings: Settings,
    ) -> Result<Program, Error> {
        let instructions = &listing.instructions[range];
        let mut needed = wanted.to_vec();
        let mut runs: Vec<bool> = Vec::with_capacity(instructions.len());
        for instruction in instructions {
            let run = instruction.reads().all(|slot| known[slot]);
            known[instruction.to] |= run;
            runs.push(run);
        }
        for (run, instruction) in runs.iter_mut().zip(instructions).rev() {
            *run &= needed[instruction.to];
            if *run {
                instruction.reads().for_each(|slot| needed[slot] = true);
            }
        }
        let of = |slot: Slot| layout(slot).ok_or(tensoroxide_contract::Error::Layout);
        let merged = |slot: Slot| of(slot).map(|layout| Merged::new(&listing.labels[slot], layout));
        let mut written = vec![false; listing.labels.len()];
        let mut steps = Vec::with_capacity(instructions.len());
        for (&instruction, _) in instructions.iter().zip(&runs).filter(|(_, &run)| run) {
            let to = instruction.to;
            let (a, c) = (merged(instruction.a.0)?, merged(to)?);
            let b = instruction.b.map(|(slot, _)| merged(slot)).transpose()?;
            let first = !std::mem::replace(&mut written[to], true);
            let whole = (first && c.embeds).then(|| of(to).map(elements)).transpose()?;
            steps.push(Step { instruction, kernel: Kernel::new(a, b, &c, settings)?, first, whole });
        }
        let missed = |&slot: &Slot| wanted[slot] && !written[slot];
        let zeros = (0..listing.givens()).filter(missed).map(|slot| Ok((slot, elements(of(slot)?))));
        let zeros = zeros.collect::<Result<_, Error>>()?;
        let scratch = steps.iter().map(|step: &Step| step.kernel.scratch()).max().unwrap_or(0);
        Ok(Program { steps, zeros, scratch })
    }
}

/// Loops over all elements of a tensor.
fn elements(layout: &Layout) -> Vec<Loop<2>> {
    let axes = layout.shape().iter().zip(layout.strides());
    order(axes.map(|(&extent, &stride)| Loop { extent, strides: [stride, 0] }).collect())
}
