//! A path made into steps: which tensors each step reads, and in which order it leaves the indices of what it makes.

use tensoroxide_contract::{Axes, Label, Pair, Settings};
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::Layout;

use super::arena::place;
use super::{Inputs, Intermediate, Plan, Source, Step};
use crate::network::Network;
use crate::path::Path;
use crate::program::{Program, Strides};
use crate::Error;

/// The one part of a plan that is put together step by step.
pub(super) struct Builder<'a> {
    network: &'a Network,
    slices: &'a [Label],
    settings: Settings,
    steps: Vec<Step>,
    intermediates: Vec<Intermediate>,
    /// What stands for each tensor of the path.
    sources: Vec<Source>,
    operand_strides: Vec<Vec<isize>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(network: &'a Network, slices: &'a [Label], settings: Settings) -> Builder<'a> {
        let operand_strides = network.shapes.iter().map(|shape| column_major_strides(shape)).collect();
        let sources = (0..network.operands.len()).map(Source::Operand).collect();
        Builder { network, slices, settings, steps: Vec::new(), intermediates: Vec::new(), sources, operand_strides }
    }

    pub(super) fn build(mut self, text: &str, path: &Path) -> Result<Plan, Error> {
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
            dtype: self.settings.dtype,
            settings: self.settings,
            path: path.clone(),
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
            let mut cost = Pair::new(self.axes(a), self.axes(b), axes, self.slices, self.settings)?.overhead();
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
        Ok(Pair::new(axes, with, result, self.slices, self.settings).map_or(0.0, |step| step.overhead()))
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
