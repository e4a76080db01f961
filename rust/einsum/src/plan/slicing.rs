//! Which labels to slice, and in how many ranges of their values, so that a plan keeps a limit of memory.
//!
//! With a label sliced, every tensor that has it gets smaller, and every step that has it not is done again for each
//! range (but for steps that nothing sliced is below: these are done once). The search halves ranges one after another,
//! as Gray and Kourtis slice labels (Quantum 5, 410 (2021), section 4.3): among the labels of what is in memory at the
//! peak, those that cost the least time for the memory they save, several such sets side by side. It works on sizes
//! alone; the plans of the best sets are then built, and what is built decides.

use tensoroxide_contract::Label;

use super::cut::{Slice, MOST_UNEVEN};
use super::{Plan, Source};
use crate::path::Model as Time;
use crate::Error;

/// Sets of slices that are followed side by side.
const BEAM: usize = 6;
/// Sets whose plans are built, the cheapest first, until one keeps the limit.
const BUILT: usize = 8;
/// Most labels of a set: sets of them are kept as bits.
const MOST: usize = 63;
/// Most slices of a plan: some 10¹⁴, which not even 10⁵ ranks would see the end of. Those who share slices number them
/// in products with up to 2¹⁶ that have to stay below 2⁶⁴.
const MOST_SLICES: f64 = (1u64 << 46) as f64;
/// How often the search aims lower because what was built is larger than it should be.
const AIMS: usize = 5;

/// What it may cost in time to have slices that need not be added up.
const SUMS: f64 = 1.2;

/// Slices that one of those who share them has about.
const SHARE: usize = 4;

/// Builds the plan with these slices; the flag says whether steps shall run only as often as they must.
type Build<'a> = dyn Fn(&[Slice], bool) -> Result<Plan, Error> + 'a;

/// The fastest plan within `limit` bytes that is found, for so many lanes; `whole` is the plan without slices, which is
/// not.
pub(super) fn slice(whole: &Plan, limit: usize, lanes: usize, build: &Build<'_>) -> Result<Plan, Error> {
    let model = Model::new(whole);
    let mut found: Option<Plan> = None;
    let mut needed = whole.peak_bytes();
    for hoist in [true, false] {
        // What is built may be somewhat larger than the model says: then the model aims lower.
        let mut aim = limit as f64 / lanes as f64;
        'aim: for _ in 0..AIMS {
            let sets = model.search(aim / whole.dtype.size() as f64, hoist);
            let mut least = usize::MAX;
            for set in &sets {
                let plan = build(set, hoist)?;
                least = least.min(plan.peak_bytes());
                if plan.peak_bytes() <= limit {
                    let plan = coarser(plan, set.clone(), limit, &|slices| build(slices, hoist))?;
                    if found.as_ref().is_none_or(|best| plan.nanoseconds() < best.nanoseconds()) {
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
        slices.push(Slice { label, ranges: plan.network().extents[label as usize] });
        if number(&slices) > MOST_SLICES {
            break;
        }
        plan = build(&slices, false)?;
        needed = needed.min(plan.peak_bytes());
        if plan.peak_bytes() <= limit {
            return Ok(plan);
        }
    }
    Err(Error::MemoryLimit { limit, needed })
}

/// The plan with at least so many slices if it has labels for them, those of the output's labels the slowest; `whole`
/// is the plan without slices.
pub(super) fn share(plan: &Plan, whole: &Plan, least: usize, build: &Build<'_>) -> Result<Plan, Error> {
    let model = Model::new(whole);
    let of_output = |slice: &Slice| whole.network().output.contains(&slice.label);
    let price = |set: Vec<Slice>| {
        // The output's labels are the slowest, so that what depends on another label runs again for each of their ranges.
        let mut below = model.below(&set);
        let outer = set.iter().enumerate().fold(0, |bits, (bit, slice)| bits | u64::from(of_output(slice)) << bit);
        below.iter_mut().filter(|below| **below & !outer != 0).for_each(|below| *below |= outer);
        let outcome = model.outcome_of(set, &below);
        // What is done once is done by all who share the slices, a few of which each has.
        let cost = outcome.cost + outcome.once * ((least / SHARE) as f64 - 1.0).max(0.0);
        (cost * if outcome.set.iter().all(of_output) { 1.0 } else { SUMS }, outcome.set)
    };
    // Range by range, each time the cheapest. A label that is cheap at first may become dear when its ranges are short:
    // so also without the output's labels, and with these alone, where there are both.
    let grown = |allowed: [bool; 2]| {
        let mut best = price(plan.cut.slices());
        while number(&best.1) < least as f64 {
            let labels = (0..model.extents.len() as Label).filter(|&label| model.sliceable[label as usize]);
            let labels = labels.filter(|label| allowed[usize::from(whole.network().output.contains(label))]);
            let finer = labels.filter_map(|label| model.finer(&best.1, label));
            let finer = finer.filter(|finer| number(finer) > number(&best.1));
            let Some(next) = finer.map(price).min_by(|x, y| x.0.total_cmp(&y.0)) else { break };
            best = next;
        }
        best
    };
    let mut best = grown([true, true]);
    if !whole.network().output.is_empty() {
        // Enough slices count before what they cost.
        let missing = |set: &[Slice]| (least as f64 - number(set)).max(0.0);
        for other in [[true, false], [false, true]].map(grown) {
            if (missing(&other.1), other.0) < (missing(&best.1), best.0) {
                best = other;
            }
        }
    }
    let mut set = model.by_speed(best.1);
    set.sort_by_key(of_output);
    let mut last = Err(Error::MemoryLimit { limit: 0, needed: 0 });
    for hoist in [true, false] {
        let mut built = build(&set, hoist)?;
        (built.limit, built.whole_flops) = (plan.limit, Some(whole.flops()));
        let (limit, needed) = (plan.limit.unwrap_or(usize::MAX), built.peak_bytes());
        last = if needed <= limit { Ok(built) } else { Err(Error::MemoryLimit { limit, needed }) };
        if last.is_ok() {
            break;
        }
    }
    last
}

/// How many slices there are.
fn number(slices: &[Slice]) -> f64 {
    slices.iter().map(|slice| slice.ranges as f64).product()
}

/// Whether more labels have a shorter last range than may have.
fn too_uneven(slices: &[Slice], extents: &[usize]) -> bool {
    let uneven = |slice: &&Slice| {
        let extent = extents[slice.label as usize];
        let (values, ranges) = Slice::even(extent, slice.ranges);
        values * ranges != extent
    };
    slices.iter().filter(uneven).count() > MOST_UNEVEN
}

/// Makes the ranges of one label after another as long as the limit allows, where that saves time.
fn coarser(
    mut plan: Plan,
    mut slices: Vec<Slice>,
    limit: usize,
    build: &dyn Fn(&[Slice]) -> Result<Plan, Error>,
) -> Result<Plan, Error> {
    for i in (0..slices.len()).rev() {
        let (mut low, mut high) = (1, slices[i].ranges);
        while high - low > 1 {
            let ranges = (low + high) / 2;
            let mut other = slices.clone();
            other[i].ranges = ranges;
            if too_uneven(&other, &plan.network().extents) {
                low = ranges;
                continue;
            }
            let built = build(&other)?;
            if built.peak_bytes() <= limit {
                high = ranges;
                if built.nanoseconds() < plan.nanoseconds() {
                    (plan, slices) = (built, other);
                }
            } else {
                low = ranges;
            }
        }
    }
    Ok(plan)
}

impl Plan {
    /// Whether a label may be sliced: not one that the output has twice, whose values off the diagonal nobody would
    /// fill.
    fn can_be_sliced(&self, label: Label) -> bool {
        let network = self.network();
        let embedded = network.output.iter().filter(|&&l| l == label).count() > 1;
        network.extents[label as usize] > 1 && !self.cut.fixed.contains(&label) && !embedded
    }

    /// The label to slice next: the one that most of the workspace has, counted with what slicing by it would free.
    fn best_slice(&self) -> Option<Label> {
        let extents = &self.network().extents;
        let freed = |label: Label| -> f64 {
            let share = 1.0 - 1.0 / extents[label as usize] as f64;
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
        (0..extents.len() as Label)
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
    /// Whether the scratch is for copies of tensors, and shrinks with them: that of a packing product hardly does.
    copies: bool,
}

/// Sizes and costs of a plan without slices, and what each label does to them.
struct Model {
    steps: Vec<ModelStep>,
    /// Elements of each intermediate, and of each operand.
    sizes: Vec<f64>,
    operands: Vec<f64>,
    extents: Vec<usize>,
    sliceable: Vec<bool>,
    /// The intermediates, the steps and the operands that have each label.
    in_made: Vec<Vec<usize>>,
    in_step: Vec<Vec<usize>>,
    in_operand: Vec<Vec<usize>>,
    /// The steps that make and that read each intermediate.
    life: Vec<(usize, usize)>,
    time: Time,
}

/// What a set of slices comes to.
#[derive(Clone, Debug)]
struct Outcome {
    set: Vec<Slice>,
    /// Elements of workspace.
    peak: f64,
    /// Nanoseconds, and those of them for what is done once and not for each slice.
    cost: f64,
    once: f64,
    /// The step with the peak, and the one with the most scratch.
    at: [usize; 2],
}

/// The elements of a packed tile that is padded: what a product in tiles needs at least.
const TILES: f64 = 4096.0;

impl Model {
    fn new(plan: &Plan) -> Model {
        let network = plan.network();
        let labels = network.extents.len();
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
        for (i, operand) in network.operands.iter().enumerate() {
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
            let copies = plan.program.copied(k) > 0;
            steps.push(ModelStep { operands, read, made: step.output, volume, scratch, copies });
        }
        Model {
            steps,
            sizes: plan.intermediates.iter().map(|made| made.layout.len() as f64).collect(),
            operands: network.shapes.iter().map(|shape| shape.iter().map(|&n| n as f64).product()).collect(),
            extents: network.extents.clone(),
            sliceable: (0..labels as Label).map(|label| plan.can_be_sliced(label)).collect(),
            in_made,
            in_step,
            in_operand,
            life,
            time: Time::nanoseconds(plan.dtype),
        }
    }

    /// For each step, which labels of the set (as bits) are below it.
    fn below(&self, set: &[Slice]) -> Vec<u64> {
        let mut operands = vec![0u64; self.operands.len()];
        for (bit, slice) in set.iter().enumerate() {
            self.in_operand[slice.label as usize].iter().for_each(|&i| operands[i] |= 1 << bit);
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

    /// What a set comes to whose steps run only as often as they must (if the order of the labels is the best for
    /// each), or, without `hoist`, for each slice.
    fn outcome(&self, set: Vec<Slice>, hoist: bool) -> Outcome {
        let below = if hoist { self.below(&set) } else { vec![(1 << set.len()) - 1; self.steps.len()] };
        self.outcome_of(set, &below)
    }

    /// What a set comes to each of whose steps runs for each range of these labels (as bits).
    fn outcome_of(&self, set: Vec<Slice>, below: &[u64]) -> Outcome {
        let (mut sizes, mut operands) = (self.sizes.clone(), self.operands.clone());
        // Of each step how much is left of it, and how often it runs.
        let mut steps = vec![(1.0, 1.0); self.steps.len()];
        for (bit, &Slice { label, ranges }) in set.iter().enumerate() {
            let extent = self.extents[label as usize];
            let left = extent.div_ceil(ranges) as f64 / extent as f64;
            self.in_made[label as usize].iter().for_each(|&i| sizes[i] *= left);
            self.in_operand[label as usize].iter().for_each(|&i| operands[i] *= left);
            self.in_step[label as usize].iter().for_each(|&k| steps[k].0 *= left);
            for (step, below) in steps.iter_mut().zip(below) {
                step.1 *= if below >> bit & 1 == 1 { ranges as f64 } else { 1.0 };
            }
        }
        // First what is done once, then a slice; what the slices read of the former stays all the time.
        let mut outcome = Outcome { set, peak: 0.0, cost: 0.0, once: 0.0, at: [0, 0] };
        let (mut now, mut scratch) = (0.0, 0.0);
        for once in [true, false] {
            for (k, step) in self.steps.iter().enumerate().filter(|(k, _)| (below[*k] == 0) == once) {
                let made = step.made.map_or(0.0, |i| sizes[i]);
                now += made;
                if now > outcome.peak {
                    (outcome.peak, outcome.at[0]) = (now, k);
                }
                let stays = |i: usize| !once && below[self.life[i].0] == 0;
                now -= step.read.iter().filter(|&&i| !stays(i)).map(|&i| sizes[i]).sum::<f64>();
                let read = step.read.iter().map(|&i| sizes[i]).chain(step.operands.iter().map(|&i| operands[i]));
                let read = read.sum::<f64>();
                let needed = match step.copies {
                    true => step.scratch * steps[k].0,
                    false => step.scratch.min(1.25 * read + TILES),
                };
                if needed > scratch {
                    (scratch, outcome.at[1]) = (needed, k);
                }
                let work = self.time.multiply * step.volume * steps[k].0 + self.time.touch * (read + made);
                let cost = steps[k].1 * (self.time.step + work);
                outcome.cost += cost;
                outcome.once += if once { cost } else { 0.0 };
            }
        }
        outcome.peak += scratch;
        outcome
    }

    /// The cheapest sets of labels that are found whose workspace has at most `target` elements, the cheapest first.
    fn search(&self, target: f64, hoist: bool) -> Vec<Vec<Slice>> {
        let start = self.outcome(Vec::new(), hoist);
        let mut found: Vec<Outcome> = Vec::new();
        let mut beam = vec![start.clone()];
        while !beam.is_empty() {
            let mut next: Vec<Outcome> = Vec::new();
            for outcome in &beam {
                for label in self.candidates(outcome) {
                    let Some(set) = self.finer(&outcome.set, label) else { continue };
                    if next.iter().any(|other| other.set == set) {
                        continue;
                    }
                    let sliced = self.outcome(set, hoist);
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
        let mut sets: Vec<Vec<Slice>> = Vec::with_capacity(found.len());
        for outcome in found {
            let set = self.by_speed(self.without_the_needless(outcome, target, hoist));
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }

    /// The set with the ranges of a label halved; `None` if it cannot be.
    fn finer(&self, set: &[Slice], label: Label) -> Option<Vec<Slice>> {
        let extent = self.extents[label as usize];
        let at = set.partition_point(|slice| slice.label < label);
        let known = set.get(at).is_some_and(|slice| slice.label == label);
        if set.len() == MOST && !known {
            return None;
        }
        let ranges = if known { set[at].ranges } else { 1 };
        let (mut values, finer) = Slice::even(extent, 2 * ranges);
        let mut set = set.to_vec();
        match known {
            true => set[at].ranges = finer,
            false => set.insert(at, Slice { label, ranges: finer }),
        }
        if too_uneven(&set, &self.extents) {
            while extent % values != 0 {
                values -= 1;
            }
            set[at].ranges = extent / values;
        }
        (number(&set) <= MOST_SLICES).then_some(set)
    }

    /// What was needed on the way may not be any more: as few ranges of each label as the target allows.
    fn without_the_needless(&self, mut outcome: Outcome, target: f64, hoist: bool) -> Vec<Slice> {
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
        for i in 0..outcome.set.len() {
            let Slice { label, ranges } = outcome.set[i];
            let (mut low, mut high) = (ranges / 2, ranges);
            while high - low > 1 {
                let middle = (low + high) / 2;
                let mut fewer = outcome.set.clone();
                fewer[i].ranges = Slice::even(self.extents[label as usize], middle).1;
                let fewer = self.outcome(fewer, hoist);
                if fewer.peak <= target && !too_uneven(&fewer.set, &self.extents) {
                    (outcome, high) = (fewer, middle);
                } else {
                    low = middle;
                }
            }
        }
        outcome.set
    }

    /// The labels of what is in memory at the peak: slicing any other saves nothing.
    fn candidates(&self, outcome: &Outcome) -> Vec<Label> {
        let [peak, scratch] = outcome.at;
        let there = |i: usize| self.life[i].0 <= peak && self.life[i].1 >= peak;
        (0..self.extents.len())
            .filter(|&label| {
                self.sliceable[label]
                    && !outcome.set.contains(&Slice { label: label as Label, ranges: self.extents[label] })
            })
            .filter(|&l| self.in_made[l].iter().any(|&i| there(i)) || self.in_step[l].binary_search(&scratch).is_ok())
            .map(|label| label as Label)
            .collect()
    }

    /// The labels in the order in which they shall change, the fastest first: each time the one whose steps cost the
    /// least, since these run again for each of its values.
    fn by_speed(&self, set: Vec<Slice>) -> Vec<Slice> {
        let below = self.below(&set);
        let (mut order, mut rest) = (Vec::with_capacity(set.len()), (0..set.len()).collect::<Vec<usize>>());
        let mut fixed = 0u64;
        while !rest.is_empty() {
            let price = |&bit: &usize| -> f64 {
                let open = self.steps.iter().zip(&below).filter(|(_, &below)| below & fixed == 0);
                let ranges = set[bit].ranges as f64;
                open.map(|(step, below)| if below >> bit & 1 == 1 { step.volume } else { step.volume / ranges }).sum()
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
