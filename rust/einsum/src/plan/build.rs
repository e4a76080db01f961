//! A path made into steps: which tensors each step reads, and in which order it leaves the indices of what it makes.

use tensoroxide_contract::{Axes, Label, Pair, Settings};
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::Layout;

use super::arena::place;
use super::cut::{Cut, CutAxes};
use super::{Inputs, Intermediate, Plan, Source, Step};
use crate::network::Network;
use crate::path::Path;
use crate::program::Program;
use crate::Error;

/// The one part of a plan that is put together step by step.
pub(super) struct Builder<'a> {
    /// The network with its sliced labels taken apart.
    network: &'a Network,
    cut: &'a Cut,
    settings: Settings,
    /// Whether steps run only as often as something that they depend on changes from slice to slice.
    hoist: bool,
    /// How many of the tensors that are there have each label, the output among them.
    users: Vec<usize>,
    steps: Vec<Step>,
    intermediates: Vec<Intermediate>,
    /// What stands for each tensor of the path.
    sources: Vec<Source>,
    operands: Vec<CutAxes>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(cut: &'a Cut, settings: Settings, hoist: bool) -> Builder<'a> {
        let (given, network) = (&cut.given, &cut.sliced);
        let axes =
            |(labels, shape): (&Vec<Label>, &Vec<usize>)| cut.axes(labels, shape, &column_major_strides(shape), 0);
        let operands = given.operands.iter().zip(&given.shapes).map(axes).collect();
        let sources = (0..network.operands.len()).map(Source::Operand).collect();
        let mut users = vec![0; network.extents.len()];
        for labels in network.operands.iter().chain([&network.output]) {
            count(labels, |label| users[label as usize] += 1);
        }
        Builder {
            network,
            cut,
            settings,
            hoist,
            users,
            steps: Vec::new(),
            intermediates: Vec::new(),
            sources,
            operands,
        }
    }

    pub(super) fn build(mut self, text: &str, path: &Path, shared: bool) -> Result<Plan, Error> {
        let output = &self.network.output;
        let embeds = (1..output.len()).any(|i| output[..i].contains(&output[i]));
        self.sum_lonely_labels()?;
        // The other tensor of the step that reads each one.
        let mut partners = vec![None; self.network.operands.len() + path.0.len()];
        for &(a, b) in &path.0 {
            (partners[a], partners[b]) = (Some(b), Some(a));
        }
        for (k, &(a, b)) in path.0.iter().enumerate() {
            let target = if k + 1 == path.0.len() && !embeds {
                None
            } else {
                let result = self.network.operands.len() + k;
                let next = partners[result].filter(|&t| t < self.sources.len()).map(|t| self.sources[t]);
                let last = k + 2 == path.0.len();
                Some(self.contracted(self.sources[a], self.sources[b], next, last)?)
            };
            self.steps.push(Step { inputs: Inputs::Pair(self.sources[a], self.sources[b]), output: target, every: 0 });
            self.sources.extend(target.map(Source::Intermediate));
        }
        if path.0.is_empty() || embeds {
            let last = self.sources[self.sources.len() - 1];
            self.steps.push(Step { inputs: Inputs::Single(last), output: None, every: 0 });
        }
        self.find_rhythm();
        let room = place(&mut self.intermediates, &self.steps, self.cut.fixed.len(), 1)?;
        let mut plan = Plan {
            text: text.to_owned(),
            cut: self.cut.clone(),
            dtype: self.settings.dtype,
            settings: self.settings,
            lanes: 1,
            limit: None,
            shared,
            whole_flops: None,
            path: path.clone(),
            steps: self.steps,
            intermediates: self.intermediates,
            room,
            program: Program::default(),
        };
        plan.program = Program::dense(&plan)?;
        Ok(plan)
    }

    /// Sets [`Step::every`]. A step depends on a sliced label if an operand below it has the label.
    fn find_rhythm(&mut self) {
        if !self.hoist || self.cut.fixed.is_empty() {
            return;
        }
        let lowest = |labels: &[Label]| {
            let at = |label: &Label| self.cut.fixed.iter().position(|sliced| sliced == label);
            labels.iter().filter_map(at).min().unwrap_or(self.cut.fixed.len())
        };
        let operands: Vec<usize> = self.network.operands.iter().map(|labels| lowest(labels)).collect();
        let mut made = vec![0; self.intermediates.len()];
        for step in &mut self.steps {
            let of = |source: Source| match source {
                Source::Operand(i) => operands[i],
                Source::Intermediate(i) => made[i],
            };
            step.every = step.sources().map(of).min().unwrap_or(0);
            if let Some(i) = step.output {
                made[i] = step.every;
            }
        }
        // Slices of summed labels add up in the output: the last step always runs.
        if let Some(last) = self.steps.last_mut() {
            last.every = 0;
        }
        // What is made once is made before the first slice.
        let once = self.cut.fixed.len();
        self.steps.sort_by_key(|step| step.every < once);
    }

    /// Sums operands over labels that nothing else has, before anything is multiplied by them. A lone operand is the
    /// last step's business.
    fn sum_lonely_labels(&mut self) -> Result<(), Error> {
        let network = self.network;
        if network.operands.len() == 1 {
            return Ok(());
        }
        for (operand, labels) in network.operands.iter().enumerate() {
            // An operand counts once as a user of each of its labels; whoever else is one needs the label.
            let needed = |label: &Label| self.users[*label as usize] > 1;
            let lonely = |label: &Label| {
                network.extents[*label as usize] != 1 && !self.cut.fixed.contains(label) && !needed(label)
            };
            if !labels.iter().any(lonely) {
                continue;
            }
            let kept = distinct(labels.iter().copied().filter(needed).collect());
            count(labels, |label| self.users[label as usize] -= 1);
            let made = self.intermediate(kept)?;
            count(&self.intermediates[made].labels, |label| self.users[label as usize] += 1);
            self.steps.push(Step { inputs: Inputs::Single(Source::Operand(operand)), output: Some(made), every: 0 });
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
            Source::Operand(i) => self.operands[i].axes(),
            Source::Intermediate(i) => {
                let Intermediate { labels, layout, .. } = &self.intermediates[i];
                Axes { labels, shape: layout.shape(), strides: layout.strides() }
            }
        }
    }

    /// A dense tensor with these labels, but for the sliced ones.
    fn dense(&self, labels: &[Label]) -> Result<Intermediate, Error> {
        let labels: Vec<Label> = labels.iter().copied().filter(|label| !self.cut.fixed.contains(label)).collect();
        let shape: Vec<usize> = labels.iter().map(|&label| self.network.extents[label as usize]).collect();
        Ok(Intermediate { layout: Layout::column_major(&shape)?, labels, start: 0, common: false })
    }

    fn intermediate(&mut self, labels: Vec<Label>) -> Result<usize, Error> {
        self.intermediates.push(self.dense(&labels)?);
        Ok(self.intermediates.len() - 1)
    }

    /// The result of a pair, its axes in the order that moves the fewest elements here and where it is used: with
    /// `partner`, if that is there already, in the `last` step or in another.
    fn contracted(&mut self, a: Source, b: Source, partner: Option<Source>, last: bool) -> Result<usize, Error> {
        // Who else needs a label: the output, and every tensor that is still there.
        let mut users = std::mem::take(&mut self.users);
        for source in [a, b] {
            count(self.labels(source), |label| users[label as usize] -= 1);
        }
        let made = self.best_order(a, b, partner, last, &users)?;
        count(&made.labels, |label| users[label as usize] += 1);
        self.users = users;
        self.intermediates.push(made);
        Ok(self.intermediates.len() - 1)
    }

    fn best_order(
        &self,
        a: Source,
        b: Source,
        partner: Option<Source>,
        last: bool,
        users: &[usize],
    ) -> Result<Intermediate, Error> {
        let needed = |label: Label| users[label as usize] > 0;
        let keep = |source: Source| -> Vec<Label> {
            distinct(self.labels(source).iter().copied().filter(|&label| needed(label)).collect())
        };
        let (of_a, of_b) = (keep(a), keep(b));
        let (batch, rows): (Vec<Label>, Vec<Label>) = of_a.iter().partition(|label| of_b.contains(label));
        let columns: Vec<Label> = of_b.iter().copied().filter(|label| !of_a.contains(label)).collect();

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
            let first = of_own.iter().position(|&label| !needed(label)).unwrap_or(of_own.len());
            let kept =
                |labels: &[Label]| -> Vec<Label> { labels.iter().copied().filter(|&label| needed(label)).collect() };
            candidates.push(distinct([kept(&of_own[..first]), other.clone(), kept(&of_own[first..])].concat()));
        }
        let mut best: Option<(f64, Intermediate)> = None;
        for (tried, labels) in candidates.iter().enumerate() {
            if candidates[..tried].contains(labels) {
                continue;
            }
            let made = self.dense(labels)?;
            let axes = Axes { labels: &made.labels, shape: made.layout.shape(), strides: made.layout.strides() };
            let mut cost = Pair::new(self.axes(a), self.axes(b), axes, &self.cut.fixed, self.settings)?.time();
            if let Some(partner) = partner {
                cost += self.cost_of_use(axes, partner, last)?;
            }
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, made));
            }
        }
        Ok(best.expect("there are candidates").1)
    }

    /// What moving elements costs in the next step, perhaps the last, if the result of a pair is laid out so. Its own
    /// result, whose layout is not known yet unless it is the output, is taken in the order that suits it.
    fn cost_of_use(&self, axes: Axes<'_>, partner: Source, last: bool) -> Result<f64, Error> {
        let with = self.axes(partner);
        let mut labels: Vec<Label> = if last {
            distinct(self.network.output.clone())
        } else {
            // Labels of one tensor only are kept; of both, only those that a third has. Taking them as summed is a
            // guess.
            let free = |x: &[Label], y: &[Label]| x.iter().copied().filter(|l| !y.contains(l)).collect::<Vec<Label>>();
            distinct([free(axes.labels, with.labels), free(with.labels, axes.labels)].concat())
        };
        labels.retain(|label| axes.labels.contains(label) || with.labels.contains(label));
        let result = self.dense(&labels)?;
        let result = Axes { labels: &result.labels, shape: result.layout.shape(), strides: result.layout.strides() };
        Ok(Pair::new(axes, with, result, &self.cut.fixed, self.settings).map_or(0.0, |step| step.time()))
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

/// Calls `f` for each label once.
fn count(labels: &[Label], mut f: impl FnMut(Label)) {
    for (i, &label) in labels.iter().enumerate() {
        if !labels[..i].contains(&label) {
            f(label);
        }
    }
}
