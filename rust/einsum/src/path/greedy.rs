//! A path of a large network: always the pair that saves the most memory.
//!
//! The next pair is, among those that share a label, the one with the least size(result) − size(a) − size(b); between equals
//! the one found first. What shares nothing is multiplied last, the smallest tensors first. (The measure is that of
//! opt_einsum's greedy path, Smith and Gray, JOSS 3, 753 (2018).)

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::labels::LabelSet;

/// A pair that could be contracted next; the least is the best.
#[derive(PartialEq)]
struct Candidate {
    gain: f64,
    pair: (usize, usize),
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(self.pair.cmp(&other.pair))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct State<'a> {
    weights: &'a [f64],
    /// The labels of each tensor that is still there.
    tensors: Vec<Option<LabelSet>>,
    /// How many tensors have each label; the outside counts as one.
    users: Vec<usize>,
    /// The tensors that have each label, and some that are gone.
    having: Vec<Vec<usize>>,
    pairs: Vec<(usize, usize)>,
}

/// Pairs of tensors as in [`super::Path`], for at least one tensor.
pub(super) fn search(tensors: &[LabelSet], outside: &LabelSet, weights: &[f64]) -> Vec<(usize, usize)> {
    let mut state = State {
        weights,
        tensors: Vec::with_capacity(2 * tensors.len()),
        users: vec![0; weights.len()],
        having: vec![Vec::new(); weights.len()],
        pairs: Vec::with_capacity(tensors.len()),
    };
    outside.iter().for_each(|label| state.users[label] += 1);
    tensors.iter().for_each(|set| state.add(set.clone()));
    let mut heap = BinaryHeap::new();
    for t in 0..tensors.len() {
        state.propose(t, &mut heap);
    }
    while let Some(Reverse(Candidate { pair: (a, b), .. })) = heap.pop() {
        if state.tensors[a].is_some() && state.tensors[b].is_some() {
            state.contract(a, b);
            state.propose(state.tensors.len() - 1, &mut heap);
        }
    }
    let mut parts: BinaryHeap<Reverse<Candidate>> = (0..state.tensors.len())
        .filter_map(|t| state.tensors[t].as_ref().map(|set| (t, set.product(weights))))
        .map(|(t, size)| Reverse(Candidate { gain: size, pair: (t, t) }))
        .collect();
    while let (Some(Reverse(a)), Some(Reverse(b))) = (parts.pop(), parts.pop()) {
        state.contract(a.pair.0, b.pair.0);
        let t = state.tensors.len() - 1;
        let size = state.tensors[t].as_ref().map_or(1.0, |set| set.product(weights));
        parts.push(Reverse(Candidate { gain: size, pair: (t, t) }));
    }
    state.pairs
}

impl State<'_> {
    fn add(&mut self, set: LabelSet) {
        for label in set.iter() {
            self.users[label] += 1;
            self.having[label].push(self.tensors.len());
        }
        self.tensors.push(Some(set));
    }

    /// What a pair would leave.
    fn result(&self, a: &LabelSet, b: &LabelSet) -> LabelSet {
        let mut both = a.clone();
        both.join(b);
        let kept: Vec<u32> = both
            .iter()
            .filter(|&label| {
                let single = |set: &LabelSet| usize::from(set.iter().any(|l| l == label));
                self.users[label] > single(a) + single(b)
            })
            .map(|label| label as u32)
            .collect();
        LabelSet::new(self.weights.len(), &kept)
    }

    /// Adds the pairs of a tensor with all earlier ones that share a label with it.
    fn propose(&mut self, t: usize, heap: &mut BinaryHeap<Reverse<Candidate>>) {
        let Some(set) = self.tensors[t].clone() else { return };
        let mut others: Vec<usize> = Vec::new();
        for label in set.iter() {
            self.having[label].retain(|&other| self.tensors[other].is_some());
            others.extend(self.having[label].iter().filter(|&&other| other < t));
        }
        others.sort_unstable();
        others.dedup();
        for other in others {
            let Some(with) = &self.tensors[other] else { continue };
            let size = |set: &LabelSet| set.product(self.weights);
            let gain = size(&self.result(&set, with)) - size(&set) - size(with);
            heap.push(Reverse(Candidate { gain, pair: (other, t) }));
        }
    }

    fn contract(&mut self, a: usize, b: usize) {
        let (Some(x), Some(y)) = (self.tensors[a].take(), self.tensors[b].take()) else { return };
        let result = self.result(&x, &y);
        x.iter().chain(y.iter()).for_each(|label| self.users[label] -= 1);
        self.add(result);
        self.pairs.push((a, b));
    }
}
