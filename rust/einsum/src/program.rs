//! A plan's steps made ready for operands of given strides.

use tensoroxide_contract::{Axes, Pair, Settings, Single};
use tensoroxide_tensor::layout::column_major_strides;

use crate::plan::{Inputs, Plan, Source, Step};
use crate::Error;

/// The strides of the caller's tensors.
pub(crate) struct Strides<'a> {
    pub(crate) operands: Vec<&'a [isize]>,
    pub(crate) output: &'a [isize],
}

/// A step, ready to run.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Single(Box<Single>),
    Pair(Pair),
}

/// All steps, ready to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) kernels: Vec<Kernel>,
    /// The last step into a dense column-major output, where lanes have one of their own.
    pub(crate) partial: Option<Kernel>,
    scratch: usize,
}

impl Program {
    pub(crate) fn new(plan: &Plan, strides: &Strides<'_>, settings: Settings) -> Result<Program, Error> {
        let network = plan.network();
        let output_shape = plan.output_shape();
        let source = |source: Source| match source {
            Source::Operand(i) => {
                Axes { labels: &network.operands[i], shape: &network.shapes[i], strides: strides.operands[i] }
            }
            Source::Intermediate(i) => intermediate(plan, i),
        };
        let kernel = |step: &Step, strides: &[isize]| -> Result<Kernel, Error> {
            let output = match step.output {
                Some(i) => intermediate(plan, i),
                None => Axes { labels: &network.output, shape: &output_shape, strides },
            };
            Ok(match step.inputs {
                Inputs::Single(a) => Kernel::Single(Box::new(Single::new(source(a), output, &plan.slices)?)),
                Inputs::Pair(a, b) => Kernel::Pair(Pair::new(source(a), source(b), output, &plan.slices, settings)?),
            })
        };
        let kernels = plan.steps.iter().map(|step| kernel(step, strides.output));
        let kernels = kernels.collect::<Result<Vec<Kernel>, Error>>()?;
        let partial = match plan.steps.last() {
            Some(last) if plan.partial_outputs() > 0 => Some(kernel(last, &column_major_strides(&output_shape))?),
            _ => None,
        };
        let scratch = kernels.iter().chain(&partial).map(Kernel::scratch).max().unwrap_or(0);
        Ok(Program { kernels, partial, scratch })
    }

    /// For dense column-major operands and output.
    pub(crate) fn dense(plan: &Plan) -> Result<Program, Error> {
        let operands: Vec<Vec<isize>> = plan.network().shapes.iter().map(|shape| column_major_strides(shape)).collect();
        let output = column_major_strides(&plan.output_shape());
        let strides = Strides { operands: operands.iter().map(Vec::as_slice).collect(), output: &output };
        Program::new(plan, &strides, plan.settings)
    }

    /// Elements of scratch that the neediest step takes.
    pub(crate) fn scratch(&self) -> usize {
        self.scratch
    }

    /// Elements of scratch of a step.
    pub(crate) fn scratch_of(&self, k: usize) -> usize {
        self.kernels[k].scratch()
    }

    /// Multiplications of one run of a step.
    pub(crate) fn multiplications(&self, k: usize) -> f64 {
        match &self.kernels[k] {
            Kernel::Single(_) => 0.0,
            Kernel::Pair(pair) => pair.volume(),
        }
    }

    /// Elements that one run of a step takes through dense copies.
    pub(crate) fn copied(&self, k: usize) -> usize {
        match &self.kernels[k] {
            Kernel::Single(_) => 0,
            Kernel::Pair(pair) => pair.copied(),
        }
    }

    /// What computes a step.
    pub(crate) fn kernel_name(&self, k: usize) -> String {
        match &self.kernels[k] {
            Kernel::Single(_) => "copy or sum".to_owned(),
            Kernel::Pair(pair) => pair.kernel_name(),
        }
    }
}

impl Kernel {
    pub(crate) fn scratch(&self) -> usize {
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
