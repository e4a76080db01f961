//! A plan's steps made ready for operands of given strides.

use tensoroxide_contract::{Axes, Pair, Single};

use crate::plan::{Inputs, Plan, Source};
use crate::Error;

/// The strides of the caller's tensors.
pub(crate) struct Strides<'a> {
    pub(crate) operands: Vec<&'a [isize]>,
    pub(crate) output: &'a [isize],
}

/// A step, ready to run.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Single(Single),
    Pair(Pair),
}

/// All steps, ready to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) kernels: Vec<Kernel>,
    scratch: usize,
}

impl Program {
    pub(crate) fn new(plan: &Plan, strides: &Strides<'_>) -> Result<Program, Error> {
        let network = plan.network();
        let output_shape = plan.output_shape();
        let settings = plan.settings;
        let source = |source: Source| match source {
            Source::Operand(i) => {
                Axes { labels: &network.operands[i], shape: &network.shapes[i], strides: strides.operands[i] }
            }
            Source::Intermediate(i) => intermediate(plan, i),
        };
        let kernel = |step: &crate::plan::Step| -> Result<Kernel, Error> {
            let output = match step.output {
                Some(i) => intermediate(plan, i),
                None => Axes { labels: &network.output, shape: &output_shape, strides: strides.output },
            };
            Ok(match step.inputs {
                Inputs::Single(a) => Kernel::Single(Single::new(source(a), output, &plan.slices)?),
                Inputs::Pair(a, b) => Kernel::Pair(Pair::new(source(a), source(b), output, &plan.slices, settings)?),
            })
        };
        let kernels = plan.steps.iter().map(kernel).collect::<Result<Vec<Kernel>, Error>>()?;
        let scratch = kernels.iter().map(Kernel::scratch).max().unwrap_or(0);
        Ok(Program { kernels, scratch })
    }

    /// Elements of scratch that the neediest step takes.
    pub(crate) fn scratch(&self) -> usize {
        self.scratch
    }

    /// Elements of scratch of each step.
    pub(crate) fn scratches(&self) -> impl Iterator<Item = usize> + '_ {
        self.kernels.iter().map(Kernel::scratch)
    }

    /// Multiplications of one slice.
    pub(crate) fn multiplications(&self) -> f64 {
        let of = |kernel: &Kernel| match kernel {
            Kernel::Single(_) => 0.0,
            Kernel::Pair(pair) => pair.volume(),
        };
        self.kernels.iter().map(of).sum()
    }

    /// What computes each step.
    pub(crate) fn kernel_names(&self) -> impl Iterator<Item = String> + '_ {
        self.kernels.iter().map(|kernel| match kernel {
            Kernel::Single(_) => "copy or sum".to_owned(),
            Kernel::Pair(pair) => pair.kernel_name(),
        })
    }
}

impl Kernel {
    fn scratch(&self) -> usize {
        match self {
            Kernel::Single(_) => 0,
            Kernel::Pair(pair) => pair.scratch(),
        }
    }
}

fn intermediate(plan: &Plan, i: usize) -> Axes<'_> {
    let made = &plan.intermediates[i];
    Axes { labels: &made.labels, shape: made.layout.shape(), strides: made.layout.strides() }
}
