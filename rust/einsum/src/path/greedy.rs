//! A path of a network of any size: always the pair that looks best.
//!
//! A pair that shares a label is judged by size(result)/α − α·(size(a) + size(b)), the least first: what the step adds
//! to the memory, for α = 1 (opt_einsum's measure, Smith and Gray, JOSS 3, 753 (2018)). To try many paths, α is drawn
//! at random and each judgement, in a logarithm, is shifted by a Gumbel number times a temperature, which is as if the
//! pair was drawn with Boltzmann weights (Gray and Kourtis, Quantum 5, 410 (2021)). What shares nothing is multiplied
//! last, the smallest tensors first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::rng::Rng;
use super::tree::{joined, Hypergraph};

/// How one path is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) alpha: f64,
    /// 0 for the plain greedy path.
    pub(super) temperature: f64,
}

impl Settings {
    pub(super) const PLAIN: Settings = Settings { alpha: 1.0, temperature: 0.0 };

    /// Drawn as cotengra draws them by default.
    pub(super) fn random(rng: &mut Rng) -> Settings {
        let alpha = 0.1 + 3.9 * rng.uniform();
        let temperature = 0.001 * 1000f64.powf(rng.uniform());
        Settings { alpha, temperature }
    }
}

/// Tensors of one label that are paired with each other without being asked for another reason: for a label of many
/// tensors not all pairs are looked at.
const MANY: usize = 24;

/// A pair that could be contracted next; the least is the best.
#[derive(PartialEq)]
struct Candidate {
    judgement: f64,
    pair: (u32, u32),
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.judgement.total_cmp(&other.judgement).then(self.pair.cmp(&other.pair))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct State<'a> {
    graph: &'a Hypergraph,
    settings: Settings,
    rng: Rng,
    /// The labels of each tensor that is still there.
    tensors: Vec<Option<Vec<u32>>>,
    size: Vec<f64>,
    /// How many tensors have each label; the outside counts as one.
    users: Vec<u32>,
    /// The tensors that have each label, and some that are gone.
    having: Vec<Vec<u32>>,
    /// The tensor that was last found to be another's partner.
    seen: Vec<u32>,
    pairs: Vec<(usize, usize)>,
    heap: BinaryHeap<Reverse<Candidate>>,
    /// Labels looked at.
    work: usize,
}

/// Pairs of tensors as in [`super::Path`], for at least one tensor, and the nominal time in ns.
pub(super) fn search(graph: &Hypergraph, settings: Settings, rng: Rng) -> (Vec<(usize, usize)>, f64) {
    let n = graph.tensors.len();
    let mut state = State {
        graph,
        settings,
        rng,
        tensors: Vec::with_capacity(2 * n),
        size: Vec::with_capacity(2 * n),
        users: vec![0; graph.logs.len()],
        having: vec![Vec::new(); graph.logs.len()],
        seen: vec![u32::MAX; 2 * n],
        pairs: Vec::with_capacity(n),
        heap: BinaryHeap::new(),
        work: 0,
    };
    graph.output.iter().chain(graph.tensors.iter().flatten()).for_each(|&label| state.users[label as usize] += 1);
    graph.tensors.iter().for_each(|labels| state.add(labels.clone()));
    (0..n).for_each(|t| state.propose(t));
    while let Some(Reverse(Candidate { pair: (a, b), .. })) = state.heap.pop() {
        state.work += 8;
        if state.tensors[a as usize].is_some() && state.tensors[b as usize].is_some() {
            state.contract(a as usize, b as usize);
            state.propose(state.tensors.len() - 1);
        }
    }
    let mut parts: BinaryHeap<Reverse<Candidate>> = (0..state.tensors.len())
        .filter(|&t| state.tensors[t].is_some())
        .map(|t| Reverse(Candidate { judgement: state.size[t], pair: (t as u32, t as u32) }))
        .collect();
    while let (Some(Reverse(a)), Some(Reverse(b))) = (parts.pop(), parts.pop()) {
        state.contract(a.pair.0 as usize, b.pair.0 as usize);
        let t = state.tensors.len() - 1;
        parts.push(Reverse(Candidate { judgement: state.size[t], pair: (t as u32, t as u32) }));
    }
    (state.pairs, 5.0 * state.work as f64)
}

impl State<'_> {
    fn add(&mut self, labels: Vec<u32>) {
        let t = self.tensors.len() as u32;
        labels.iter().for_each(|&label| self.having[label as usize].push(t));
        self.size.push(self.graph.size(&labels));
        self.work += 4 * labels.len() + 20;
        self.tensors.push(Some(labels));
    }

    /// Adds the pairs of a tensor with all earlier ones that share a label with it; of a label of many tensors with the
    /// smallest.
    fn propose(&mut self, t: usize) {
        let Some(labels) = self.tensors[t].take() else { return };
        for &label in &labels {
            let mut having = std::mem::take(&mut self.having[label as usize]);
            having.retain(|&other| other as usize == t || self.tensors[other as usize].is_some());
            self.work += having.len();
            if having.len() <= MANY {
                having.iter().for_each(|&other| self.judge(t, other as usize, &labels));
            } else {
                let mut smallest: Vec<u32> = having.iter().copied().filter(|&other| (other as usize) < t).collect();
                if smallest.len() > MANY {
                    let by_size =
                        |&x: &u32, &y: &u32| self.size[x as usize].total_cmp(&self.size[y as usize]).then(x.cmp(&y));
                    smallest.select_nth_unstable_by(MANY, by_size);
                    smallest.truncate(MANY);
                }
                smallest.iter().for_each(|&other| self.judge(t, other as usize, &labels));
            }
            self.having[label as usize] = having;
        }
        self.tensors[t] = Some(labels);
    }

    fn judge(&mut self, t: usize, other: usize, labels: &[u32]) {
        if other >= t || self.seen[other] == t as u32 {
            return;
        }
        self.seen[other] = t as u32;
        let Some(with) = &self.tensors[other] else { return };
        let (logs, users) = (&self.graph.logs, &self.users);
        let (mut i, mut j, mut made) = (0, 0, 0.0);
        while i < labels.len() || j < with.len() {
            let x = labels.get(i).copied().unwrap_or(u32::MAX);
            let y = with.get(j).copied().unwrap_or(u32::MAX);
            let label = x.min(y);
            i += usize::from(x == label);
            j += usize::from(y == label);
            if users[label as usize] > 1 + u32::from(x == y) {
                made += logs[label as usize];
            }
        }
        self.work += labels.len() + with.len() + 10;
        // In units of the largest of the three, then as a logarithm with a sign.
        let (a, b, alpha) = (self.size[t], self.size[other], self.settings.alpha);
        let largest = made.max(a).max(b);
        let relative = (made - largest).exp2() / alpha - alpha * ((a - largest).exp2() + (b - largest).exp2());
        let grade = (relative.abs().log2() + largest).max(0.0) + 1.0;
        let mut judgement = if relative == 0.0 { 0.0 } else { grade.copysign(relative) * std::f64::consts::LN_2 };
        if self.settings.temperature > 0.0 {
            judgement += self.settings.temperature * (-self.rng.uniform().ln()).ln();
        }
        self.heap.push(Reverse(Candidate { judgement, pair: (other as u32, t as u32) }));
    }

    fn contract(&mut self, a: usize, b: usize) {
        let (Some(x), Some(y)) = (self.tensors[a].take(), self.tensors[b].take()) else { return };
        let users = &mut self.users;
        let (labels, _) = joined(&x, &y, &self.graph.logs, |label, both| {
            users[label as usize] -= u32::from(both);
            users[label as usize] > 1
        });
        self.work += x.len() + y.len();
        self.add(labels);
        self.pairs.push((a, b));
    }
}
