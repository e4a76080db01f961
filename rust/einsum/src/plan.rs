//! What a path becomes before any tensor is there: steps, the layout of every intermediate, and its place in the workspace.

use std::fmt;

use tensoroxide_contract::{Axes, Label, Pair};
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{DType, Layout};

use crate::network::Network;
use crate::notation::Expression;
use crate::path::{self, Path};
use crate::program::{Program, Strides};
use crate::Error;

/// Intermediates start at multiples of so many elements: a cache line of the smallest type.
const ALIGNMENT: usize = 16;

/// What a plan may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of workspace, intermediates and scratch together; for dense column-major operands and output.
    pub memory_limit: Option<usize>,
}

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
    dtype: DType,
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
    /// [`Error::Notation`], [`Error::OperandCount`], [`Error::Rank`], [`Error::Size`], [`Error::MemoryLimit`],
    /// [`Error::Tensor`].
    pub fn new(expression: &str, shapes: &[&[usize]], dtype: DType, options: Options) -> Result<Plan, Error> {
        let network = Network::new(&Expression::parse(expression)?, shapes)?;
        let path = path::search(&network);
        let mut slices = Vec::new();
        let mut needed = usize::MAX;
        loop {
            let plan = Builder::new(&network, &slices).build(expression, &path, dtype)?;
            needed = needed.min(plan.peak_bytes());
            match options.memory_limit {
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

    /// The label to slice next: the one that most of the workspace has, counted with what slicing by it would free.
    fn best_slice(&self) -> Option<Label> {
        let embedded = |label: Label| self.network.output.iter().filter(|&&l| l == label).count() > 1;
        let freed = |label: Label| -> f64 {
            let share = 1.0 - 1.0 / self.network.extents[label as usize] as f64;
            let of_steps = self.steps.iter().zip(self.program.scratches()).map(|(step, scratch)| {
                let output = step.output.map_or(&[][..], |i| &self.intermediates[i].labels);
                let inputs = match step.inputs {
                    Inputs::Single(a) => [self.labels(a), &[]],
                    Inputs::Pair(a, b) => [self.labels(a), self.labels(b)],
                };
                let made = step.output.map_or(0, |i| self.intermediates[i].layout.len());
                let from_output = if output.contains(&label) { made } else { 0 };
                let from_scratch = if inputs.iter().any(|labels| labels.contains(&label)) { scratch } else { 0 };
                share * (from_output as f64 + from_scratch as f64)
            });
            of_steps.sum()
        };
        (0..self.network.extents.len() as Label)
            .filter(|&label| {
                self.network.extents[label as usize] > 1 && !self.slices.contains(&label) && !embedded(label)
            })
            .map(|label| (freed(label), label))
            .filter(|&(freed, _)| freed > 0.0)
            .max_by(|x, y| x.0.total_cmp(&y.0).then(y.1.cmp(&x.1)))
            .map(|(_, label)| label)
    }

    /// The labels of a tensor as text.
    fn names(&self, labels: &[Label]) -> String {
        labels.iter().map(|&label| self.network.names[label as usize].as_str()).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}", self.text, self.dtype)?;
        for (shape, labels) in self.network.shapes.iter().zip(&self.network.operands) {
            writeln!(f, "  operand {:<12} {shape:?}", self.names(labels))?;
        }
        writeln!(f, "  output  {:<12} {:?}", self.names(&self.network.output), self.output_shape())?;
        let (flops, peak) = (self.flops(), self.peak_bytes());
        write!(f, "  {} steps, {flops:.3e} flops, {peak} bytes of workspace, {} slices", self.steps(), self.slices())?;
        if !self.slices.is_empty() {
            write!(f, " over {}", self.names(&self.slices))?;
        }
        for (i, (step, kernel)) in self.steps.iter().zip(self.program.kernel_names()).enumerate() {
            let inputs = match step.inputs {
                Inputs::Single(a) => self.names(self.labels(a)),
                Inputs::Pair(a, b) => format!("{},{}", self.names(self.labels(a)), self.names(self.labels(b))),
            };
            let output = step.output.map_or(self.network.output.as_slice(), |i| &self.intermediates[i].labels);
            write!(f, "\n  {:>3}. {inputs}->{}: {kernel}", i + 1, self.names(output))?;
        }
        Ok(())
    }
}

/// The one part of a plan that is put together step by step.
struct Builder<'a> {
    network: &'a Network,
    slices: &'a [Label],
    steps: Vec<Step>,
    intermediates: Vec<Intermediate>,
    /// What stands for each tensor of the path.
    sources: Vec<Source>,
    operand_strides: Vec<Vec<isize>>,
}

impl<'a> Builder<'a> {
    fn new(network: &'a Network, slices: &'a [Label]) -> Builder<'a> {
        let operand_strides = network.shapes.iter().map(|shape| column_major_strides(shape)).collect();
        let sources = (0..network.operands.len()).map(Source::Operand).collect();
        Builder { network, slices, steps: Vec::new(), intermediates: Vec::new(), sources, operand_strides }
    }

    fn build(mut self, text: &str, path: &Path, dtype: DType) -> Result<Plan, Error> {
        let output = &self.network.output;
        let embeds = (1..output.len()).any(|i| output[..i].contains(&output[i]));
        self.sum_lonely_labels()?;
        for (k, &(a, b)) in path.0.iter().enumerate() {
            let target = if k + 1 == path.0.len() && !embeds { None } else { Some(self.contracted(path, k)?) };
            self.steps.push(Step { inputs: Inputs::Pair(self.sources[a], self.sources[b]), output: target });
            self.sources.extend(target.map(Source::Intermediate));
        }
        if path.0.is_empty() || embeds {
            let last = self.sources[self.sources.len() - 1];
            self.steps.push(Step { inputs: Inputs::Single(last), output: None });
        }
        let arena = place(&mut self.intermediates, &self.steps)?;
        let mut plan = Plan {
            text: text.to_owned(),
            network: self.network.clone(),
            dtype,
            steps: self.steps,
            intermediates: self.intermediates,
            slices: self.slices.to_vec(),
            arena,
            program: Program::default(),
        };
        let output = column_major_strides(&plan.output_shape());
        let strides = Strides { operands: self.operand_strides.iter().map(Vec::as_slice).collect(), output: &output };
        plan.program = Program::new(&plan, &strides)?;
        Ok(plan)
    }

    /// Sums operands over labels that nothing else has, before anything is multiplied by them. A lone operand is the
    /// last step's business.
    fn sum_lonely_labels(&mut self) -> Result<(), Error> {
        let network = self.network;
        if network.operands.len() == 1 {
            return Ok(());
        }
        for (operand, labels) in network.operands.iter().enumerate() {
            let others = || network.operands.iter().enumerate().filter(|(i, _)| *i != operand).flat_map(|(_, l)| l);
            let needed = |label: &Label| network.output.contains(label) || others().any(|l| l == label);
            let lonely =
                |label: &Label| network.extents[*label as usize] != 1 && !self.slices.contains(label) && !needed(label);
            if !labels.iter().any(lonely) {
                continue;
            }
            let kept = distinct(labels.iter().copied().filter(needed).collect());
            let made = self.intermediate(kept)?;
            self.steps.push(Step { inputs: Inputs::Single(Source::Operand(operand)), output: Some(made) });
            self.sources[operand] = Source::Intermediate(made);
        }
        Ok(())
    }

    fn labels(&self, source: Source) -> &[Label] {
        match source {
            Source::Operand(operand) => &self.network.operands[operand],
            Source::Intermediate(i) => &self.intermediates[i].labels,
        }
    }

    fn axes(&self, source: Source) -> Axes<'_> {
        match source {
            Source::Operand(i) => Axes {
                labels: &self.network.operands[i],
                shape: &self.network.shapes[i],
                strides: &self.operand_strides[i],
            },
            Source::Intermediate(i) => {
                let Intermediate { labels, layout, .. } = &self.intermediates[i];
                Axes { labels, shape: layout.shape(), strides: layout.strides() }
            }
        }
    }

    /// A dense tensor with these labels, but for the sliced ones.
    fn dense(&self, labels: &[Label]) -> Result<Intermediate, Error> {
        let labels: Vec<Label> = labels.iter().copied().filter(|label| !self.slices.contains(label)).collect();
        let shape: Vec<usize> = labels.iter().map(|&label| self.network.extents[label as usize]).collect();
        Ok(Intermediate { layout: Layout::column_major(&shape)?, labels, start: 0 })
    }

    fn intermediate(&mut self, labels: Vec<Label>) -> Result<usize, Error> {
        self.intermediates.push(self.dense(&labels)?);
        Ok(self.intermediates.len() - 1)
    }

    /// The result of pair `k` of the path, its axes in the order that moves the fewest elements here and where it is used.
    fn contracted(&mut self, path: &Path, k: usize) -> Result<usize, Error> {
        let (count, (a, b)) = (self.network.operands.len(), path.0[k]);
        let (a, b) = (self.sources[a], self.sources[b]);
        // Who else needs a label: the output, and every tensor that is still there.
        let used: Vec<usize> = path.0[..=k].iter().flat_map(|&(a, b)| [a, b]).collect();
        let remaining = (0..count + k).filter(|t| !used.contains(t)).map(|t| self.sources[t]);
        let mut needed: Vec<bool> = vec![false; self.network.extents.len()];
        self.network.output.iter().for_each(|&label| needed[label as usize] = true);
        remaining.for_each(|t| self.labels(t).iter().for_each(|&label| needed[label as usize] = true));
        let keep = |source: Source| -> Vec<Label> {
            distinct(self.labels(source).iter().copied().filter(|&label| needed[label as usize]).collect())
        };
        let (of_a, of_b) = (keep(a), keep(b));
        let (batch, rows): (Vec<Label>, Vec<Label>) = of_a.iter().partition(|label| of_b.contains(label));
        let columns: Vec<Label> = of_b.iter().copied().filter(|label| !of_a.contains(label)).collect();

        let consumer = path.0[k + 1..].iter().find_map(|&(x, y)| match count + k {
            t if t == x => Some(y),
            t if t == y => Some(x),
            _ => None,
        });
        let partner = consumer.filter(|&t| t < self.sources.len()).map(|t| self.sources[t]);
        let mut candidates = vec![[&rows[..], &columns, &batch].concat(), [&columns[..], &rows, &batch].concat()];
        if let Some(partner) = partner {
            let with = self.labels(partner);
            let natural = candidates[0].clone();
            let shared: Vec<Label> = distinct(with.iter().copied().filter(|label| natural.contains(label)).collect());
            let free: Vec<Label> = natural.iter().copied().filter(|label| !with.contains(label)).collect();
            candidates.push([&free[..], &shared].concat());
            candidates.push([&shared[..], &free].concat());
        }
        // The order of one operand, with what the other one brings in the place of what is summed.
        for (own, other) in [(a, &columns), (b, &rows)] {
            let of_own = self.labels(own);
            let first = of_own.iter().position(|&label| !needed[label as usize]).unwrap_or(of_own.len());
            let kept = |labels: &[Label]| -> Vec<Label> {
                labels.iter().copied().filter(|&label| needed[label as usize]).collect()
            };
            candidates.push(distinct([kept(&of_own[..first]), other.clone(), kept(&of_own[first..])].concat()));
        }
        let mut best: Option<(f64, Intermediate)> = None;
        for labels in candidates {
            let made = self.dense(&labels)?;
            let axes = Axes { labels: &made.labels, shape: made.layout.shape(), strides: made.layout.strides() };
            let mut cost = Pair::new(self.axes(a), self.axes(b), axes, self.slices)?.overhead();
            if let Some(partner) = partner {
                cost += self.cost_of_use(axes, partner, path, k)?;
            }
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, made));
            }
        }
        let (_, made) = best.expect("there are candidates");
        self.intermediates.push(made);
        Ok(self.intermediates.len() - 1)
    }

    /// What moving elements costs in the next step if the result of pair `k` is laid out so. Its own result, whose layout
    /// is not known yet unless it is the output, is taken in the order that suits it.
    fn cost_of_use(&self, axes: Axes<'_>, partner: Source, path: &Path, k: usize) -> Result<f64, Error> {
        let with = self.axes(partner);
        let last = k + 2 == path.0.len();
        let mut labels: Vec<Label> = if last {
            distinct(self.network.output.clone())
        } else {
            // Labels of one tensor only are kept; of both, only those that a third has. Taking them as summed is a guess.
            let free = |x: &[Label], y: &[Label]| x.iter().copied().filter(|l| !y.contains(l)).collect::<Vec<Label>>();
            distinct([free(axes.labels, with.labels), free(with.labels, axes.labels)].concat())
        };
        labels.retain(|label| axes.labels.contains(label) || with.labels.contains(label));
        let result = self.dense(&labels)?;
        let result = Axes { labels: &result.labels, shape: result.layout.shape(), strides: result.layout.strides() };
        Ok(Pair::new(axes, with, result, self.slices).map_or(0.0, |step| step.overhead()))
    }
}

/// Each label once, where it comes first.
fn distinct(labels: Vec<Label>) -> Vec<Label> {
    let mut kept: Vec<Label> = Vec::with_capacity(labels.len());
    for label in labels {
        if !kept.contains(&label) {
            kept.push(label);
        }
    }
    kept
}

/// Gives every intermediate the lowest place in the workspace that is free while it lives, and returns the length of all.
fn place(intermediates: &mut [Intermediate], steps: &[Step]) -> Result<usize, Error> {
    let mut alive: Vec<(usize, usize, usize)> = Vec::new(); // start, end, intermediate
    let mut length = 0usize;
    for step in steps {
        if let Some(made) = step.output {
            let size = intermediates[made].layout.len().next_multiple_of(ALIGNMENT);
            let mut start = 0;
            for &(from, to, _) in &alive {
                if start + size <= from {
                    break;
                }
                start = to;
            }
            intermediates[made].start = start;
            let end = start + size;
            tensoroxide_tensor::layout::element_count(&[end])?;
            let at = alive.partition_point(|&(from, ..)| from < start);
            alive.insert(at, (start, end, made));
            length = length.max(end);
        }
        let read: [Option<Source>; 2] = match step.inputs {
            Inputs::Single(a) => [Some(a), None],
            Inputs::Pair(a, b) => [Some(a), Some(b)],
        };
        alive.retain(|&(_, _, i)| !read.contains(&Some(Source::Intermediate(i))));
    }
    Ok(length)
}
