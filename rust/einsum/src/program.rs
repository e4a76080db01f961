//! A plan's steps made ready for operands of given strides.

use tensoroxide_contract::{Pair, Settings, Single};
use tensoroxide_tensor::kernels::Move;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::nest::{order, Loop};

use crate::plan::{CutAxes, Inputs, Plan, Source, Step};
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
    /// For each variant of the slices (see [`Cut`](crate::plan::Cut)).
    pub(crate) variants: Vec<Variant>,
    /// There if lanes have outputs of their own.
    pub(crate) sum: Option<Sum>,
    scratch: usize,
}

/// How the outputs of several lanes become one.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    /// Over the caller's output, to scale it first.
    pub(crate) output: Vec<Loop<2>>,
    /// From a lane's dense output.
    pub(crate) add: Move,
}

impl Sum {
    fn new(shape: &[usize], strides: &[isize]) -> Sum {
        let dense = column_major_strides(shape);
        let loops = |of_lane: &dyn Fn(usize) -> isize| -> Vec<Loop<2>> {
            let axes = shape.iter().zip(strides).enumerate();
            axes.map(|(d, (&extent, &stride))| Loop { extent, strides: [stride, of_lane(d)] }).collect()
        };
        Sum { output: order(loops(&|_| 0)), add: Move::new(&loops(&|d| dense[d])) }
    }
}

/// The steps of a variant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variant {
    pub(crate) kernels: Vec<Kernel>,
    /// The last step into a dense column-major output, where lanes have one of their own; into a slice's part of it,
    /// where the plan is for shares.
    pub(crate) partial: Option<Kernel>,
}

impl Program {
    pub(crate) fn new(plan: &Plan, strides: &Strides<'_>, settings: Settings) -> Result<Program, Error> {
        let variants = (0..plan.cut.variants()).map(|variant| Variant::new(plan, strides, settings, variant));
        let variants = variants.collect::<Result<Vec<Variant>, Error>>()?;
        let kernels = variants.iter().flat_map(|variant| variant.kernels.iter().chain(&variant.partial));
        let scratch = kernels.map(Kernel::scratch).max().unwrap_or(0);
        let sum = (plan.partial_outputs() > 0).then(|| Sum::new(&plan.output_shape(), strides.output));
        Ok(Program { variants, sum, scratch })
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

    /// Elements of scratch of a step, as of all that follows: in most of the slices.
    pub(crate) fn scratch_of(&self, k: usize) -> usize {
        self.variants[0].kernels[k].scratch()
    }

    /// Multiplications of one run of a step.
    pub(crate) fn multiplications(&self, k: usize) -> f64 {
        match &self.variants[0].kernels[k] {
            Kernel::Single(_) => 0.0,
            Kernel::Pair(pair) => pair.volume(),
        }
    }

    /// Elements that one run of a step takes through dense copies.
    pub(crate) fn copied(&self, k: usize) -> usize {
        match &self.variants[0].kernels[k] {
            Kernel::Single(_) => 0,
            Kernel::Pair(pair) => pair.copied(),
        }
    }

    /// What computes a step.
    pub(crate) fn kernel_name(&self, k: usize) -> String {
        match &self.variants[0].kernels[k] {
            Kernel::Single(_) => "copy or sum".to_owned(),
            Kernel::Pair(pair) => pair.kernel_name(),
        }
    }
}

impl Variant {
    fn new(plan: &Plan, strides: &Strides<'_>, settings: Settings, variant: usize) -> Result<Variant, Error> {
        let (cut, given) = (&plan.cut, plan.network());
        let source = |source: Source| match source {
            Source::Operand(i) => cut.axes(&given.operands[i], &given.shapes[i], strides.operands[i], variant),
            Source::Intermediate(i) => cut.dense(&plan.intermediates[i].labels, variant),
        };
        let output_shape = plan.output_shape();
        let whole = |strides: &[isize]| cut.axes(&given.output, &output_shape, strides, variant);
        let kernel = |step: &Step, output: CutAxes| -> Result<Kernel, Error> {
            let output = match step.output {
                Some(i) => cut.dense(&plan.intermediates[i].labels, variant),
                None => output,
            };
            let (output, fixed) = (output.axes(), &cut.fixed);
            Ok(match step.inputs {
                Inputs::Single(a) => Kernel::Single(Box::new(Single::new(source(a).axes(), output, fixed)?)),
                Inputs::Pair(a, b) => {
                    Kernel::Pair(Pair::new(source(a).axes(), source(b).axes(), output, fixed, settings)?)
                }
            })
        };
        let kernels =
            plan.steps.iter().map(|step| kernel(step, whole(strides.output))).collect::<Result<_, Error>>()?;
        let partial = match plan.steps.last() {
            Some(last) if plan.shared => Some(kernel(last, cut.block(variant))?),
            Some(last) if plan.partial_outputs() > 0 => {
                Some(kernel(last, whole(&column_major_strides(&output_shape)))?)
            }
            _ => None,
        };
        Ok(Variant { kernels, partial })
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
