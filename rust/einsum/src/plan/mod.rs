//! What a path becomes before any tensor is there: steps, the layout of every intermediate, and its place in the workspace.

mod arena;
mod build;
mod display;
mod slicing;

use tensoroxide_contract::{Label, Settings};
use tensoroxide_tensor::{DType, Layout};

use crate::network::Network;
use crate::notation::Expression;
use crate::path::{self, Path};
use crate::program::Program;
use crate::{Error, Options};
use build::Builder;

/// A tensor of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// One that the caller gives, from 0.
    Operand(usize),
    /// One that an earlier step made.
    Intermediate(usize),
}

/// What a step reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inputs {
    /// One tensor: sum, diagonal, permutation, embedding.
    Single(Source),
    /// Two: a contraction.
    Pair(Source, Source),
}

/// One tensor or two into one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) inputs: Inputs,
    /// The intermediate that is made; `None` for the output.
    pub(crate) output: Option<usize>,
}

/// A tensor that lives in the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Intermediate {
    pub(crate) labels: Vec<Label>,
    pub(crate) layout: Layout,
    /// Its first element in the workspace.
    pub(crate) start: usize,
}

/// A planned Einstein summation. It holds no tensors, and can be shared.
///
/// ```
/// use tensoroxide_einsum::{Options, Plan};
/// use tensoroxide_tensor::DType;
/// let plan = Plan::new("ab,bc,cd->ad", &[&[10, 1000], &[1000, 10], &[10, 1000]], DType::F64, Options::default())?;
/// assert_eq!(plan.output_shape(), [10, 1000]);
/// assert_eq!(plan.flops(), 2.0 * (10.0 * 1000.0 * 10.0 + 10.0 * 10.0 * 1000.0));
/// # Ok::<(), tensoroxide_einsum::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    text: String,
    network: Network,
    path: Path,
    dtype: DType,
    /// What the steps are prepared for.
    pub(crate) settings: Settings,
    pub(crate) steps: Vec<Step>,
    pub(crate) intermediates: Vec<Intermediate>,
    pub(crate) slices: Vec<Label>,
    /// Elements of all intermediates, as they share the workspace.
    pub(crate) arena: usize,
    /// The steps for dense column-major operands and output.
    program: Program,
}

impl Plan {
    /// Plans an expression for operands of these shapes.
    ///
    /// # Errors
    /// [`Error::Notation`], [`Error::OperandCount`], [`Error::Rank`], [`Error::Size`], [`Error::Path`],
    /// [`Error::MemoryLimit`], [`Error::Tensor`].
    pub fn new(expression: &str, shapes: &[&[usize]], dtype: DType, options: Options) -> Result<Plan, Error> {
        let network = Network::new(&Expression::parse(expression)?, shapes)?;
        let path = match options.path {
            Some(path) => path.fits(&network).map(|()| path)?,
            None => path::search(&network, dtype, &options.search),
        };
        let mut settings = Settings { dtype, threads: options.threads, least_scratch: false };
        let mut slices = Vec::new();
        let mut needed = usize::MAX;
        loop {
            let plan = Builder::new(&network, &slices, settings).build(expression, &path)?;
            needed = needed.min(plan.peak_bytes());
            match options.memory_limit {
                Some(limit) if plan.peak_bytes() > limit && !settings.least_scratch => settings.least_scratch = true,
                Some(limit) if plan.peak_bytes() > limit => match plan.best_slice() {
                    Some(label) => slices.push(label),
                    None => return Err(Error::MemoryLimit { limit, needed }),
                },
                _ => return Ok(plan),
            }
        }
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// Labels, extents and shapes.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Element type of the operands and the output.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The order of the contractions.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> Vec<usize> {
        self.network.output_shape()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// How often the steps run, each time on another slice of the operands.
    pub fn slices(&self) -> usize {
        self.slice_extents().product()
    }

    pub(crate) fn slice_extents(&self) -> impl Iterator<Item = usize> + '_ {
        self.slices.iter().map(|&label| self.network.extents[label as usize])
    }

    /// Floating-point operations of the contractions over all slices: 2 for each real multiplication with its addition,
    /// 8 for each complex one. Sums and copies are not counted.
    pub fn flops(&self) -> f64 {
        let each = if self.dtype.is_complex() { 8.0 } else { 2.0 };
        each * self.program.multiplications() * self.slice_extents().map(|extent| extent as f64).product::<f64>()
    }

    /// Log2 of the number of elements of the largest tensor that a step makes, the output included.
    pub fn log2_size(&self) -> f64 {
        let log2 = |extents: &mut dyn Iterator<Item = usize>| extents.map(|extent| (extent as f64).log2()).sum::<f64>();
        let kept = self.network.output.iter().filter(|label| !self.slices.contains(label));
        let output = log2(&mut kept.map(|&label| self.network.extents[label as usize]));
        let made = self.intermediates.iter().map(|made| log2(&mut made.layout.shape().iter().copied()));
        made.fold(output, f64::max)
    }

    /// Bytes of workspace for dense column-major operands and output.
    pub fn peak_bytes(&self) -> usize {
        self.arena.saturating_add(self.program.scratch()).saturating_mul(self.dtype.size())
    }

    /// The steps for dense column-major operands and output.
    pub(crate) fn dense_program(&self) -> &Program {
        &self.program
    }

    /// The labels of a step's tensor.
    pub(crate) fn labels(&self, source: Source) -> &[Label] {
        match source {
            Source::Operand(operand) => &self.network.operands[operand],
            Source::Intermediate(i) => &self.intermediates[i].labels,
        }
    }
}
