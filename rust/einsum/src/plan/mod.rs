//! What a path becomes before any tensor is there: steps, the layout of every intermediate, and its place in the
//! workspace.

mod arena;
mod build;
mod cut;
mod display;
mod slicing;

pub(crate) use display::Algebra;
use tensoroxide_contract::{Label, Pair, Settings};
use tensoroxide_tensor::{DType, Layout, Threads};

use crate::network::Network;
use crate::notation::Expression;
use crate::path::{self, Model, Path};
use crate::program::{Kernel, Program};
use crate::{Error, Options};
use arena::{place, Room};
use build::Builder;
use cut::Slice;
pub(crate) use cut::{Cut, CutAxes};

/// Floating-point operations that make another thread for the slices worth waking.
const LANE_WORK: usize = 1 << 18;
/// Nanoseconds of work that a step wakes another thread for.
const THREAD_NS: f64 = 2e4;

/// A tensor of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One that the caller gives, from 0.
    Operand(usize),
    /// One that an earlier step made.
    Intermediate(usize),
}

/// What a step reads.
#[derive(Clone, Copy, Debug)]
pub enum Inputs {
    /// One tensor: sum, diagonal, permutation, embedding.
    Single(Source),
    /// Two: a contraction.
    Pair(Source, Source),
}

/// One tensor or two into one.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is read.
    pub inputs: Inputs,
    /// The intermediate that is made, from 0; `None` for the output.
    pub output: Option<usize>,
    /// The fastest of the sliced labels, by its position among them, that the step depends on; their number if it
    /// depends on none. The step runs again when this label, or a slower one, takes its next value.
    pub(crate) every: usize,
}

impl Step {
    /// The tensors that are read.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> {
        let (a, b) = match self.inputs {
            Inputs::Single(a) => (a, None),
            Inputs::Pair(a, b) => (a, Some(b)),
        };
        [Some(a), b].into_iter().flatten()
    }
}

/// A tensor that lives in the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Intermediate {
    pub(crate) labels: Vec<Label>,
    pub(crate) layout: Layout,
    /// Its first element in the arena of a lane, or in the memory that the lanes have in common.
    pub(crate) start: usize,
    /// Whether all lanes read it, but none makes it.
    pub(crate) common: bool,
}

/// The plan that is estimated to take less time.
fn faster(x: Result<Plan, Error>, y: Result<Plan, Error>) -> Result<Plan, Error> {
    match (x, y) {
        (Ok(x), Ok(y)) => Ok(if y.nanoseconds() < x.nanoseconds() { y } else { x }),
        (Ok(x), Err(_)) => Ok(x),
        (Err(_), y) => y,
    }
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
    /// The network, and its slices: of their labels the one that changes most often comes first.
    pub(crate) cut: Cut,
    path: Path,
    dtype: DType,
    /// What the steps are prepared for.
    pub(crate) settings: Settings,
    /// The most threads that share the slices; each has an arena and scratch of its own. 1, or the steps use one
    /// thread.
    pub(crate) lanes: usize,
    /// Most bytes of workspace that a run may take.
    pub(crate) limit: Option<usize>,
    /// Whether its slices may be shared out.
    pub(crate) shared: bool,
    /// What [`Plan::flops`] would be without slices, if there are any.
    whole_flops: Option<f64>,
    pub(crate) steps: Vec<Step>,
    pub(crate) intermediates: Vec<Intermediate>,
    /// What the intermediates take, as they share memory.
    room: Room,
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
        let build = |slices: &[Slice], settings: Settings, hoist: bool, lanes: usize| {
            let cut = Cut::new(&network, slices);
            Builder::new(&cut, settings, hoist).build(expression, &path, options.shares > 0)?.on_lanes(lanes)
        };
        let share = |plan: Plan| match options.shares {
            0 => Ok(plan),
            least => {
                let whole = build(&[], plan.settings, false, 1)?;
                slicing::share(&plan, &whole, least, &|slices, hoist| build(slices, plan.settings, hoist, 1))
            }
        };
        let mut settings = Settings { dtype, threads: options.threads, least_scratch: false };
        let Some(limit) = options.memory_limit else { return share(build(&[], settings, false, 1)?) };
        // Kernels with less scratch, and fewer threads, which take scratch each, before slices, which cost arithmetic.
        loop {
            let mut plan = build(&[], settings, false, 1)?;
            if plan.peak_bytes() <= limit {
                plan.limit = Some(limit);
                return share(plan);
            }
            if !settings.least_scratch {
                settings.least_scratch = true;
            } else if settings.threads > Threads::ONE {
                settings = Settings { dtype, threads: Threads::new(settings.threads.get() / 2), least_scratch: false };
            } else {
                break;
            }
        }
        let sliced = |lanes: usize, threads: usize| {
            let with = |least_scratch: bool| {
                let settings = Settings { dtype, threads: Threads::new(threads), least_scratch };
                let whole = build(&[], settings, false, 1)?;
                let build = |slices: &[Slice], hoist| build(slices, settings, hoist, lanes);
                let mut plan = slicing::slice(&whole, limit, lanes, &build)?;
                (plan.limit, plan.whole_flops) = (Some(limit), Some(whole.flops()));
                Ok(plan)
            };
            faster(with(false), with(true))
        };
        // A lane for each thread, or one whose steps use them all; fewer where the limit leaves no room for so many.
        let halves = |n: usize| std::iter::successors(Some(n), |&n| (n > 1).then_some(n / 2));
        let first = |plans: &mut dyn Iterator<Item = Result<Plan, Error>>| {
            let mut last = Err(Error::MemoryLimit { limit, needed: usize::MAX });
            for plan in plans {
                last = plan;
                if last.is_ok() {
                    break;
                }
            }
            last
        };
        let threads = options.threads.get();
        // Slices that are shared out have their lanes elsewhere.
        let several = |lanes: &usize| *lanes > 1 && options.shares == 0;
        let lanes = first(&mut halves(threads).filter(several).map(|lanes| sliced(lanes, 1)));
        share(faster(lanes, first(&mut halves(threads).map(|threads| sliced(1, threads))))?)
    }

    /// Gives the slices to so many threads, or to as many as have enough to do.
    fn on_lanes(mut self, lanes: usize) -> Result<Plan, Error> {
        let work = self.flops().min(usize::MAX as f64) as usize;
        self.lanes = Threads::new(lanes).for_work(work, LANE_WORK).get().min(self.slices()).max(1);
        if self.lanes > 1 {
            self.room = place(&mut self.intermediates, &self.steps, self.cut.fixed.len(), self.lanes)?;
            self.program = Program::dense(&self)?;
        }
        Ok(self)
    }

    /// The time of a run, estimated.
    pub(crate) fn nanoseconds(&self) -> f64 {
        (0..self.steps.len()).map(|k| self.step_nanoseconds(k)).sum::<f64>() / self.lanes as f64
    }

    /// Of one step, over all of its runs.
    fn step_nanoseconds(&self, k: usize) -> f64 {
        let model = Model::nanoseconds(self.dtype);
        let threads = self.settings.threads.get() as f64;
        let multiplications = self.program.multiplications(k) * self.mean(k);
        let elements = self.step_bytes(k) / self.runs(k) / self.dtype.size() as f64;
        let work = model.multiply * multiplications + model.touch * elements;
        self.runs(k) * (model.step + work / (work / THREAD_NS).clamp(1.0, threads))
    }

    /// What a first slice takes more than the ones behind it, over what all slices take: it makes anew what those keep.
    pub(crate) fn restart(&self) -> f64 {
        let kept = |k: &usize| (1..self.cut.fixed.len()).contains(&self.steps[*k].every);
        let time = |k: usize| self.step_nanoseconds(k) / self.runs(k);
        (0..self.steps.len()).filter(kept).map(time).sum::<f64>() / self.nanoseconds()
    }

    /// Values of all slices together over which the lanes part, if each then has elements of the output of its own:
    /// those of the slowest labels, as far as they are labels of the output. `None` if lanes have to add up the output.
    pub(crate) fn apart(&self) -> Option<usize> {
        let of_output = |label: &&Label| self.cut.sliced.output.contains(label);
        let slowest = self.cut.fixed.iter().rev().take_while(of_output);
        let values = slowest.fold(1usize, |n, &label| n.saturating_mul(self.cut.sliced.extents[label as usize]));
        // With few values the lanes' shares may be uneven, unless no way makes them more even.
        (values >= 2 * self.lanes || values == self.lanes || values == self.slices()).then_some(values)
    }

    /// Outputs in the workspace, which lanes fill before they are added up.
    pub(crate) fn partial_outputs(&self) -> usize {
        if self.lanes > 1 && self.apart().is_none() {
            self.lanes - 1
        } else {
            0
        }
    }

    /// Elements of a lane's part of the workspace, if its steps need so much scratch.
    pub(crate) fn lane(&self, scratch: usize) -> usize {
        let elements = self.room.arena.saturating_add(scratch);
        if self.lanes > 1 {
            elements.checked_next_multiple_of(arena::ALIGNMENT).unwrap_or(usize::MAX)
        } else {
            elements
        }
    }

    /// Elements of workspace, if the steps need so much scratch: what lanes have in common, the lanes, their outputs.
    pub(crate) fn workspace(&self, scratch: usize) -> usize {
        let output = self.output_shape().iter().product::<usize>();
        let partial = output.saturating_mul(self.partial_outputs());
        let lanes = self.lane(scratch).saturating_mul(self.lanes);
        self.room.common.saturating_add(lanes).saturating_add(partial)
    }

    /// Where in the workspace the arena of a lane starts, if its steps need so much scratch; that behind the last is
    /// where the lanes' outputs start.
    pub(crate) fn lane_start(&self, lane: usize, scratch: usize) -> usize {
        self.room.common + lane * self.lane(scratch)
    }

    /// Where the scratch of a lane starts, behind its arena.
    pub(crate) fn scratch_start(&self, lane: usize, scratch: usize) -> usize {
        self.lane_start(lane, scratch) + self.room.arena
    }

    /// Where in the workspace an intermediate lies, if the arena of its lane starts so.
    pub(crate) fn start_of(&self, i: usize, arena: usize) -> usize {
        let made = &self.intermediates[i];
        made.start + if made.common { 0 } else { arena }
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// Labels, extents and shapes.
    pub fn network(&self) -> &Network {
        &self.cut.given
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
        self.cut.given.output_shape()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Step `k` from 0; `None` beyond the last. Every intermediate is made by one step and read by one later step; the
    /// last step makes the output.
    pub fn step(&self, k: usize) -> Option<Step> {
        self.steps.get(k).copied()
    }

    /// The labels of intermediate `i` from 0, each once, in the order of its axes: dense, the first axis fastest.
    /// Sliced labels are not among them.
    pub fn intermediate(&self, i: usize) -> Option<&[Label]> {
        self.intermediates.get(i).map(|made| made.labels.as_slice())
    }

    /// Most bytes of workspace that a run may take, if that was asked for.
    pub fn memory_limit(&self) -> Option<usize> {
        self.limit
    }

    /// What contracts two tensors at step `k` from 0, for dense column-major operands and output; `None` for a step
    /// that sums or copies one tensor, and beyond the last step.
    pub fn pair(&self, k: usize) -> Option<&Pair> {
        match self.program.variants.first()?.kernels.get(k)? {
            Kernel::Single(_) => None,
            Kernel::Pair(pair) => Some(pair),
        }
    }

    /// How often the steps run, each time on another slice of the operands.
    pub fn slices(&self) -> usize {
        self.slice_extents().product()
    }

    pub(crate) fn slice_extents(&self) -> impl Iterator<Item = usize> + '_ {
        self.cut.fixed.iter().map(|&label| self.cut.sliced.extents[label as usize])
    }

    /// The values of the sliced labels in slice `at`, the fastest first.
    pub(crate) fn slice_values(&self, mut at: usize, values: &mut [usize]) {
        for (value, extent) in values.iter_mut().zip(self.slice_extents()) {
            (*value, at) = (at % extent, at / extent);
        }
    }

    /// Floating-point operations of the contractions over all slices: 2 for each real multiplication with its addition,
    /// 8 for each complex one. Sums and copies are not counted.
    pub fn flops(&self) -> f64 {
        (0..self.steps.len()).map(|k| self.step_flops(k)).sum()
    }

    /// Log2 of the number of elements of the largest tensor that a step makes, the output included.
    pub fn log2_size(&self) -> f64 {
        let log2 = |extents: &mut dyn Iterator<Item = usize>| extents.map(|extent| (extent as f64).log2()).sum::<f64>();
        let kept = self.cut.sliced.output.iter().filter(|label| !self.cut.fixed.contains(label));
        let output = log2(&mut kept.map(|&label| self.cut.sliced.extents[label as usize]));
        let made = self.intermediates.iter().map(|made| log2(&mut made.layout.shape().iter().copied()));
        made.fold(output, f64::max)
    }

    /// The [`Plan::flops`] of one step, over all of its runs.
    pub(crate) fn step_flops(&self, k: usize) -> f64 {
        let each = if self.dtype.is_complex() { 8.0 } else { 2.0 };
        each * self.program.multiplications(k) * self.mean(k) * self.runs(k)
    }

    /// The mean size of a step in all slices, over that in most of them.
    fn mean(&self, k: usize) -> f64 {
        let mut labels: Vec<Label> = self.steps[k].sources().flat_map(|source| self.labels(source)).copied().collect();
        labels.sort_unstable();
        labels.dedup();
        labels.iter().map(|&label| self.cut.mean(label)).product()
    }

    /// How often a step runs.
    pub(crate) fn runs(&self, k: usize) -> f64 {
        self.slice_extents().skip(self.steps[k].every).map(|extent| extent as f64).product()
    }

    /// How many times the arithmetic of the same path without slices; 1 without slices.
    pub fn slicing_overhead(&self) -> f64 {
        match self.whole_flops {
            Some(whole) if whole > 0.0 => self.flops() / whole,
            _ => 1.0,
        }
    }

    /// Bytes that the steps read and write, those copied on the way (twice: to the copy and from it) among them, over
    /// all slices; for dense column-major operands and output.
    pub fn bytes_moved(&self) -> f64 {
        (0..self.steps.len()).map(|k| self.step_bytes(k)).sum()
    }

    /// The [`Plan::bytes_moved`] of one step, over all of its runs.
    pub(crate) fn step_bytes(&self, k: usize) -> f64 {
        let step = &self.steps[k];
        let elements = |labels: &[Label]| -> f64 {
            let counted =
                |&(i, label): &(usize, &Label)| !labels[..i].contains(label) && !self.cut.fixed.contains(label);
            let extent =
                |(_, &label): (usize, &Label)| self.cut.mean(label) * self.cut.sliced.extents[label as usize] as f64;
            labels.iter().enumerate().filter(counted).map(extent).product()
        };
        let read: f64 = step.sources().map(|source| elements(self.labels(source))).sum();
        let written = elements(self.output_labels(step));
        let copied = 2.0 * self.program.copied(k) as f64;
        (read + written + copied) * self.dtype.size() as f64 * self.runs(k)
    }

    /// Bytes of workspace for dense column-major operands and output: what a run takes, and never more. A plan that
    /// several threads run at once takes as much for each of them. Buffers of a lent BLAS are its own and do not count.
    pub fn peak_bytes(&self) -> usize {
        self.workspace(self.program.scratch()).saturating_mul(self.dtype.size())
    }

    /// The most threads that a run uses.
    pub fn threads(&self) -> usize {
        self.lanes.max(self.settings.threads.get())
    }

    /// The steps for dense column-major operands and output.
    pub(crate) fn dense_program(&self) -> &Program {
        &self.program
    }

    /// The labels of a step's tensor.
    pub(crate) fn labels(&self, source: Source) -> &[Label] {
        match source {
            Source::Operand(operand) => &self.cut.sliced.operands[operand],
            Source::Intermediate(i) => &self.intermediates[i].labels,
        }
    }

    /// The labels of what a step makes.
    pub(crate) fn output_labels(&self, step: &Step) -> &[Label] {
        step.output.map_or(self.cut.sliced.output.as_slice(), |i| &self.intermediates[i].labels)
    }
}
