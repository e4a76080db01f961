//! Which of the methods, one after another, and for how long.

use super::anneal::{Annealer, Schedule};
use super::exact::{self, Table};
use super::greedy::{self, Settings};
use super::model::{Cost, Minimize, Model};
use super::reconfigure;
use super::rng::Rng;
use super::tree::{Hypergraph, Tree};
use super::Search;
use tensoroxide_tensor::DType;

/// The nominal time of a search, in ns: work done, in units that are about ns on a processor of 2024.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    spent: f64,
    limit: f64,
    /// Whether the limit follows from what there is to gain.
    free: bool,
}

/// Without another limit the search takes this part of what the contraction is estimated to take, and again as much as
/// long as that saved at least what it cost,
const SHARE: f64 = 0.2;
/// at most so many ns,
const LONGEST: f64 = 1e9;
/// and for each tensor about as long as the rest of the planning needs for it.
const SHORTEST: f64 = 3e3;
/// Exhaustive search that nobody waits for.
const ALWAYS: f64 = 3e4;

impl Clock {
    pub(super) fn new(seconds: Option<f64>) -> Clock {
        match seconds {
            Some(seconds) => Clock { spent: 0.0, limit: (1e9 * seconds).max(0.0), free: false },
            None => Clock { spent: 0.0, limit: f64::INFINITY, free: true },
        }
    }

    pub(super) fn spend(&mut self, nanoseconds: f64) {
        self.spent += nanoseconds;
    }

    pub(super) fn over(&self) -> bool {
        self.spent >= self.limit
    }

    fn left(&self) -> f64 {
        (self.limit - self.spent).max(0.0)
    }

    /// Sets the limit of what is still to be done after what the best path so far is estimated to take.
    fn estimate(&mut self, tensors: usize, nanoseconds: f64) {
        if self.free {
            self.limit = self.spent + (SHARE * nanoseconds).clamp(SHORTEST * tensors as f64, 0.5 * LONGEST);
        }
    }

    /// Whether to go on, because the last part of the search saved more than it cost.
    fn extend(&mut self, saved: f64, cost: f64, nanoseconds: f64) -> bool {
        let more = self.free && saved > cost && self.spent < LONGEST;
        if more {
            self.limit = (self.spent + SHARE * nanoseconds).min(LONGEST);
        }
        more
    }
}

/// Leaves of the regions that are replaced by the best there is: of the tree that will be annealed, and of random
/// paths.
const REGION: usize = 8;
const SMALL_REGION: usize = 5;
/// Most random greedy paths.
const TRIALS: u64 = 128;
/// Sweeps after which annealing rather starts anew, and the fewest that are worth it.
const SWEEPS: f64 = 2000.0;
const FEW_SWEEPS: f64 = 12.0;
/// With more labels than this a part of the tree is annealed at a time, of so many leaves.
const LABELS: usize = 4096;
const WINDOW: usize = 300;

/// The pairs for at least two tensors, numbered as in a path.
pub(super) fn pairs(graph: &Hypergraph, request: &Search, dtype: DType, clock: Clock) -> Vec<(usize, usize)> {
    let n = graph.tensors.len();
    let mut table = Table::default();
    let mut model = Model::new(request.minimize, dtype);
    // Unless costs are beyond what a number can hold.
    if n <= exact::MOST && exact::nanoseconds(n) <= ALWAYS && graph.logs.iter().sum::<f64>() < 900.0 {
        return exhaustive(graph, &model, &mut table);
    }
    let (plain, spent) = greedy::search(graph, Settings::PLAIN, Rng::new(request.seed, 0));
    let tree = Tree::new(graph, &plain);
    let mut time = Model::nanoseconds(dtype);
    model.scale(tree.largest_volume());
    time.scale(tree.largest_volume());
    let cost = tree.total(&model);
    let mut state = State { graph, model, time, seed: request.seed, clock, table, best: tree, cost };
    state.clock.spend(spent);
    state.estimate();
    if n <= exact::MOST && exact::nanoseconds(n) <= (0.5 * state.clock.left()).max(ALWAYS) {
        return exhaustive(graph, &state.model, &mut state.table);
    }
    if model.peak {
        // Few steps have the largest tensor, so that its size says nothing of most changes. Time has a slope
        // everywhere, and large tensors cost time: half of the search is for a fast path, from which the other half
        // goes on.
        let half = request.seconds.map(|seconds| 0.5 * seconds);
        let fast = Search { minimize: Minimize::Time, seconds: half, ..*request };
        let tree = Tree::new(graph, &pairs(graph, &fast, dtype, Clock::new(half)));
        state.keep(tree);
        state.clock.spend(1e9 * half.unwrap_or(0.0));
    }
    state.run(spent);
    state.best.pairs()
}

fn exhaustive(graph: &Hypergraph, model: &Model, table: &mut Table) -> Vec<(usize, usize)> {
    let legs: Vec<&[u32]> = graph.tensors.iter().map(Vec::as_slice).collect();
    table.search(&legs, &graph.output, &graph.logs, model, None).map(|(pairs, _)| pairs).unwrap_or_default()
}

struct State<'a> {
    graph: &'a Hypergraph,
    model: Model,
    /// The model that limits the search, whatever is to be least.
    time: Model,
    seed: u64,
    clock: Clock,
    table: Table,
    best: Tree,
    cost: Cost,
}

impl State<'_> {
    fn nanoseconds(&self) -> f64 {
        self.best.total(&self.time).first * self.time.shift.exp2()
    }

    fn estimate(&mut self) {
        let nanoseconds = self.nanoseconds();
        self.clock.estimate(self.graph.tensors.len(), nanoseconds);
    }

    fn improve(&mut self, tree: &mut Tree, most: usize) {
        reconfigure::improve(self.graph, tree, &self.model, most, &mut self.table, &mut self.clock);
    }

    fn keep(&mut self, tree: Tree) {
        let cost = tree.total(&self.model);
        if cost < self.cost {
            (self.best, self.cost) = (tree, cost);
        }
    }

    /// Makes the best tree better until the time is over; `greedy` is what a greedy path costs.
    fn run(&mut self, greedy: f64) {
        let mut tree = self.best.clone();
        self.improve(&mut tree, REGION);
        self.keep(tree);
        self.estimate();
        let (mut spent, mut estimate) = (self.clock.spent, self.nanoseconds());
        self.random(greedy);
        for round in 0.. {
            if self.anneal(round) {
                continue;
            }
            let (before, after) = (estimate, self.nanoseconds());
            if !self.clock.extend(before - after, self.clock.spent - spent, after) {
                break;
            }
            (spent, estimate) = (self.clock.spent, after);
        }
    }

    /// Random greedy paths, which a glance at small regions makes comparable with the annealed ones.
    fn random(&mut self, greedy: f64) {
        let until = self.clock.spent + 0.1 * self.clock.left();
        let mut trial = 1;
        while self.clock.spent + greedy < until && trial <= TRIALS {
            let mut rng = Rng::new(self.seed, trial);
            let settings = Settings::random(&mut rng);
            let (pairs, spent) = greedy::search(self.graph, settings, rng);
            self.clock.spend(spent);
            let mut tree = Tree::new(self.graph, &pairs);
            self.improve(&mut tree, SMALL_REGION);
            self.keep(tree);
            trial += 1;
        }
        if trial > 1 {
            let mut tree = self.best.clone();
            self.improve(&mut tree, REGION);
            self.keep(tree);
        }
    }

    /// Anneals the best tree, or a part of it, once; `false` if there is no time left.
    fn anneal(&mut self, round: u64) -> bool {
        let mut rng = Rng::new(self.seed, TRIALS + 1 + round);
        let mut tree = self.best.clone();
        let (mut leaves, mut results) = (Vec::new(), Vec::new());
        if self.graph.logs.len() <= LABELS {
            leaves.extend(0..tree.leaves);
            results.extend(tree.post_order().into_iter().rev().filter(|&node| node >= tree.leaves));
        } else {
            // Below a random result, the costly ones more often: the better of three.
            let any = |rng: &mut Rng| tree.leaves + rng.below(tree.children.len() - tree.leaves);
            let drawn = [any(&mut rng), any(&mut rng), any(&mut rng)];
            let costly = |&x: &usize, &y: &usize| tree.volume[x].total_cmp(&tree.volume[y]).then(x.cmp(&y));
            let root = drawn.into_iter().max_by(costly).unwrap_or(tree.root);
            tree.region(root, WINDOW, &mut leaves, &mut results);
            self.clock.spend(1e5);
            if leaves.len() < 3 {
                return !self.clock.over();
            }
        }
        let mut annealer = Annealer::new(self.graph, &tree, &leaves, &results, &self.model);
        let left = 0.9 * self.clock.left() / annealer.nanoseconds();
        let sweeps = left.min(SWEEPS.max(0.25 * left));
        if sweeps < FEW_SWEEPS {
            return false;
        }
        self.clock.spend(sweeps * annealer.nanoseconds());
        // With little time it does not pay to forget where one comes from.
        let from = if sweeps < 300.0 {
            4.0
        } else if sweeps < SWEEPS {
            2.0
        } else {
            1.0
        };
        let power = if round % 2 == 0 { 2.0 } else { 0.5 };
        let schedule = Schedule { from, to: 20.0, power, sweeps: sweeps as usize };
        if let Some(pairs) = annealer.run(schedule, &mut rng) {
            reconfigure::replace(self.graph, &mut tree, &leaves, &results, &pairs);
            self.improve(&mut tree, REGION);
            self.keep(tree);
        }
        true
    }
}
