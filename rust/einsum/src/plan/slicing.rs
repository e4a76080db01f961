//! Which labels to slice, so that a plan keeps a limit of memory.
//!
//! To slice a label is to fix it to one of its values after the other: every tensor that has it gets smaller, and every
//! step that has it not is done again for each value (but for steps that nothing sliced is below: these are done once).
//! The search adds label by label, as Gray and Kourtis do (Quantum 5, 410 (2021), section 4.3): among the labels of
//! what is in memory at the peak, those with the least arithmetic for the memory they save, several such sets side by side. It
//! works on sizes alone; the plans of the best sets are then built, and what is built decides.

use tensoroxide_contract::Label;

use super::{Plan, Source};
use crate::Error;

/// Sets of labels that are followed side by side.
const BEAM: usize = 6;
/// Sets whose plans are built, the cheapest first, until one keeps the limit.
const BUILT: usize = 8;
/// Most labels of a set: sets of them are kept as bits.
const MOST: usize = 63;

/// Builds the plan with these labels sliced; the flag says whether steps shall run only as often as they must.
type Build<'a> = dyn Fn(&[Label], bool) -> Result<Plan, Error> + 'a;

/// The cheapest plan within `limit` bytes that is found; `whole` is the plan without slices, which is not.
pub(super) fn slice(whole: &Plan, limit: usize, build: &Build<'_>) -> Result<Plan, Error> {
    let model = Model::new(whole);
    let mut found: Option<Plan> = None;
    let mut needed = whole.peak_bytes();
    for hoist in [true, false] {
        // What is built may be somewhat larger than the model says: then the model aims lower.
        let mut aim = limit as f64;
        'aim: for _ in 0..4 {
            let sets = model.search(aim / whole.dtype.size() as f64, hoist);
            let mut least = usize::MAX;
            for set in &sets {
                let plan = build(set, hoist)?;
                least = least.min(plan.peak_bytes());
                if plan.peak_bytes() <= limit {
                    if found.as_ref().is_none_or(|best| plan.flops() < best.flops()) {
                        found = Some(plan);
                    }
                    break 'aim;
                }
            }
            needed = needed.min(least);
            if sets.is_empty() {
                break;
            }
            aim *= (limit as f64 / least as f64).clamp(0.1, 0.9);
        }
    }
    if let Some(plan) = found {
        return Ok(plan);
    }
    // Sizes alone found nothing: label by label, each time judged by the plan itself.
    let mut slices = Vec::new();
    let mut plan = build(&slices, false)?;
    while let Some(label) = plan.best_slice() {
        slices.push(label);
        plan = build(&slices, false)?;
        needed = needed.min(plan.peak_bytes());
        if plan.peak_bytes() <= limit {
            return Ok(plan);
        }
    }
    Err(Error::MemoryLimit { limit, needed })
}

impl Plan {
    /// Whether a label may be sliced: not one that the output has twice, whose values off the diagonal nobody would fill.
    fn can_be_sliced(&self, label: Label) -> bool {
        let embedded = self.network.output.iter().filter(|&&l| l == label).count() > 1;
        self.network.extents[label as usize] > 1 && !self.slices.contains(&label) && !embedded
    }

    /// The label to slice next: the one that most of the workspace has, counted with what slicing by it would free.
    fn best_slice(&self) -> Option<Label> {
        let freed = |label: Label| -> f64 {
            let share = 1.0 - 1.0 / self.network.extents[label as usize] as f64;
            let of_steps = self.steps.iter().enumerate().map(|(k, step)| {
                let output = step.output.map_or(&[][..], |i| &self.intermediates[i].labels);
                let made = step.output.map_or(0, |i| self.intermediates[i].layout.len());
                let from_output = if output.contains(&label) { made } else { 0 };
                let has = step.sources().any(|source| self.labels(source).contains(&label));
                let from_scratch = if has { self.program.scratch_of(k) } else { 0 };
                share * (from_output as f64 + from_scratch as f64)
            });
            of_steps.sum()
        };
        (0..self.network.extents.len() as Label)
            .filter(|&label| self.can_be_sliced(label))
            .map(|label| (freed(label), label))
            .filter(|&(freed, _)| freed > 0.0)
            .max_by(|x, y| x.0.total_cmp(&y.0).then(y.1.cmp(&x.1)))
            .map(|(_, label)| label)
    }
}

/// A step as the model sees it.
struct ModelStep {
    operands: Vec<usize>,
    read: Vec<usize>,
    made: Option<usize>,
    volume: f64,
    scratch: f64,
}

/// Sizes and costs of a plan without slices, and what each label does to them.
struct Model {
    steps: Vec<ModelStep>,
    /// Elements of each intermediate.
    sizes: Vec<f64>,
    extents: Vec<f64>,
    sliceable: Vec<bool>,
    /// The intermediates, the steps and the operands that have each label.
    in_made: Vec<Vec<usize>>,
    in_step: Vec<Vec<usize>>,
    in_operand: Vec<Vec<usize>>,
    operands: usize,
    /// The steps that make and that read each intermediate.
    life: Vec<(usize, usize)>,
}

/// What slicing a set of labels comes to.
#[derive(Clone, Debug)]
struct Outcome {
    set: Vec<Label>,
    /// Elements of workspace.
    peak: f64,
    /// Multiplications.
    cost: f64,
    /// The step with the peak, and the one with the most scratch.
    at: [usize; 2],
}

impl Model {
    fn new(plan: &Plan) -> Model {
        let labels = plan.network.extents.len();
        let (mut in_made, mut in_step) = (vec![Vec::new(); labels], vec![Vec::new(); labels]);
        let mut in_operand = vec![Vec::new(); labels];
        let add = |list: &mut Vec<Vec<usize>>, labels: &[Label], item: usize| {
            for &label in labels {
                let items = &mut list[label as usize];
                if items.last() != Some(&item) {
                    items.push(item);
                }
            }
        };
        for (i, made) in plan.intermediates.iter().enumerate() {
            add(&mut in_made, &made.labels, i);
        }
        for (i, operand) in plan.network.operands.iter().enumerate() {
            add(&mut in_operand, operand, i);
        }
        let mut steps = Vec::with_capacity(plan.steps.len());
        let mut life = vec![(0, usize::MAX); plan.intermediates.len()];
        for (k, step) in plan.steps.iter().enumerate() {
            step.output.iter().for_each(|&i| life[i].0 = k);
            let (mut operands, mut read) = (Vec::new(), Vec::new());
            for source in step.sources() {
                add(&mut in_step, plan.labels(source), k);
                match source {
                    Source::Operand(i) => operands.push(i),
                    Source::Intermediate(i) => {
                        life[i].1 = k;
                        read.push(i);
                    }
                }
            }
            let (volume, scratch) = (plan.program.multiplications(k), plan.program.scratch_of(k) as f64);
            steps.push(ModelStep { operands, read, made: step.output, volume, scratch });
        }
        Model {
            steps,
            sizes: plan.intermediates.iter().map(|made| made.layout.len() as f64).collect(),
            extents: plan.network.extents.iter().map(|&extent| extent as f64).collect(),
            sliceable: (0..labels as Label).map(|label| plan.can_be_sliced(label)).collect(),
            in_made,
            in_step,
            in_operand,
            operands: plan.network.operands.len(),
            life,
        }
    }

    /// For each step, which labels of the set (as bits) are below it.
    fn below(&self, set: &[Label]) -> Vec<u64> {
        let mut operands = vec![0u64; self.operands];
        for (bit, &label) in set.iter().enumerate() {
            self.in_operand[label as usize].iter().for_each(|&i| operands[i] |= 1 << bit);
        }
        let (mut steps, mut made) = (Vec::with_capacity(self.steps.len()), vec![0u64; self.sizes.len()]);
        for step in &self.steps {
            let of_operands = step.operands.iter().fold(0, |all, &i| all | operands[i]);
            let below = step.read.iter().fold(of_operands, |all, &i| all | made[i]);
            step.made.iter().for_each(|&i| made[i] = below);
            steps.push(below);
        }
        steps
    }

    fn outcome(&self, set: Vec<Label>, hoist: bool) -> Outcome {
        let mut sizes = self.sizes.clone();
        let mut steps: Vec<(f64, f64)> = self.steps.iter().map(|step| (step.volume, step.scratch)).collect();
        let mut below = self.below(&set);
        if !hoist {
            below.fill((1 << set.len()) - 1);
        }
        for (bit, &label) in set.iter().enumerate() {
            let extent = self.extents[label as usize];
            self.in_made[label as usize].iter().for_each(|&i| sizes[i] /= extent);
            for (step, below) in steps.iter_mut().zip(&below) {
                // Again for each value; the steps that have the label are smaller in turn.
                step.0 *= if below >> bit & 1 == 1 { extent } else { 1.0 };
            }
            for &k in &self.in_step[label as usize] {
                (steps[k].0, steps[k].1) = (steps[k].0 / extent, steps[k].1 / extent);
            }
        }
        // First what is done once, then a slice; what the slices read of the former stays all the time.
        let mut outcome = Outcome { set, peak: 0.0, cost: steps.iter().map(|step| step.0).sum(), at: [0, 0] };
        let (mut now, mut scratch) = (0.0, 0.0);
        for once in [true, false] {
            for (k, step) in self.steps.iter().enumerate().filter(|(k, _)| (below[*k] == 0) == once) {
                now += step.made.map_or(0.0, |i| sizes[i]);
                if now > outcome.peak {
                    (outcome.peak, outcome.at[0]) = (now, k);
                }
                let stays = |i: usize| !once && below[self.life[i].0] == 0;
                now -= step.read.iter().filter(|&&i| !stays(i)).map(|&i| sizes[i]).sum::<f64>();
                if steps[k].1 > scratch {
                    (scratch, outcome.at[1]) = (steps[k].1, k);
                }
            }
        }
        outcome.peak += scratch;
        outcome
    }

    /// The cheapest sets of labels that are found whose workspace has at most `target` elements, the cheapest first.
    fn search(&self, target: f64, hoist: bool) -> Vec<Vec<Label>> {
        let start = self.outcome(Vec::new(), hoist);
        let mut found: Vec<Outcome> = Vec::new();
        let mut beam = vec![start.clone()];
        while !beam.is_empty() {
            let mut next: Vec<Outcome> = Vec::new();
            for outcome in beam.iter().filter(|outcome| outcome.set.len() < MOST) {
                for label in self.candidates(outcome) {
                    let mut set = outcome.set.clone();
                    set.insert(set.partition_point(|&l| l < label), label);
                    if next.iter().any(|other| other.set == set) {
                        continue;
                    }
                    let sliced = self.outcome(set, hoist);
                    // More slices never cost less.
                    if found.len() == BUILT && sliced.cost >= found[BUILT - 1].cost {
                        continue;
                    }
                    if sliced.peak > target {
                        next.push(sliced);
                    } else if !found.iter().any(|other| other.set == sliced.set) {
                        found.insert(found.partition_point(|other| other.cost <= sliced.cost), sliced);
                        found.truncate(BUILT);
                    }
                }
            }
            // What a factor of memory costs in arithmetic; a set that saves nothing comes last.
            let price = |o: &Outcome| {
                let (saved, cost) = ((start.peak / o.peak).ln(), (o.cost / start.cost.max(1.0)).ln());
                (cost + 1e-3) / saved.max(1e-9)
            };
            next.sort_by(|x, y| price(x).total_cmp(&price(y)).then_with(|| x.set.cmp(&y.set)));
            next.truncate(BEAM);
            beam = next;
        }
        let mut sets: Vec<Vec<Label>> = Vec::with_capacity(found.len());
        for outcome in found {
            let set = self.by_speed(self.without_the_needless(outcome, target, hoist));
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }

    /// A label that was needed on the way may not be any more.
    fn without_the_needless(&self, mut outcome: Outcome, target: f64, hoist: bool) -> Vec<Label> {
        let mut i = 0;
        while i < outcome.set.len() {
            let mut fewer = outcome.set.clone();
            fewer.remove(i);
            let fewer = self.outcome(fewer, hoist);
            if fewer.peak <= target {
                outcome = fewer;
            } else {
                i += 1;
            }
        }
        outcome.set
    }

    /// The labels of what is in memory at the peak: slicing any other saves nothing.
    fn candidates(&self, outcome: &Outcome) -> Vec<Label> {
        let [peak, scratch] = outcome.at;
        let there = |i: usize| self.life[i].0 <= peak && self.life[i].1 >= peak;
        (0..self.extents.len())
            .filter(|&label| self.sliceable[label] && !outcome.set.contains(&(label as Label)))
            .filter(|&l| self.in_made[l].iter().any(|&i| there(i)) || self.in_step[l].binary_search(&scratch).is_ok())
            .map(|label| label as Label)
            .collect()
    }

    /// The labels in the order in which they shall change, the fastest first: each time the one whose steps cost the
    /// least, since these run again for each of its values.
    fn by_speed(&self, set: Vec<Label>) -> Vec<Label> {
        let below = self.below(&set);
        let (mut order, mut rest) = (Vec::with_capacity(set.len()), (0..set.len()).collect::<Vec<usize>>());
        let mut fixed = 0u64;
        while !rest.is_empty() {
            let price = |&bit: &usize| -> f64 {
                let open = self.steps.iter().zip(&below).filter(|(_, &below)| below & fixed == 0);
                let extent = self.extents[set[bit] as usize];
                open.map(|(step, below)| if below >> bit & 1 == 1 { step.volume } else { step.volume / extent }).sum()
            };
            let prices: Vec<f64> = rest.iter().map(price).collect();
            let at = (0..rest.len()).min_by(|&x, &y| prices[x].total_cmp(&prices[y])).unwrap_or(0);
            let bit = rest.remove(at);
            fixed |= 1 << bit;
            order.push(set[bit]);
        }
        order
    }
}
