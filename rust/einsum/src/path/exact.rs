//! The cheapest tree of a small network, by dynamic programming over its subsets.
//!
//! What a subset S of the tensors contracts to does not depend on the order within, so the cheapest way to S is the
//! cheapest split into two smaller subsets A and B (Pfeifer, Haegeman and Verstraete, PRE 90, 033315 (2014)). All
//! splits are looked at, outer products too.
//!
//! Let t(S) be the product of the extents of all labels of S, and i(S) that of those labels that only tensors in S
//! have. Then the result of S has t(S)/i(S) elements, and the split of S into A and B takes t(S)/(i(A)·i(B))
//! multiplications: no set of labels is touched in the innermost loop. Both are sums over subsets in the logarithm,
//! made by the zeta transform.

use super::model::{grid, Cost, Model};

/// Most tensors: the table has 2ⁿ entries, and 3ⁿ/2 splits are looked at.
pub(super) const MOST: usize = 18;

/// The nominal time of a search among `n` tensors in ns.
pub(super) fn nanoseconds(n: usize) -> f64 {
    0.55 * 3f64.powi(n as i32) + 6.0 * 2f64.powi(n as i32) * n as f64 + 100.0
}

/// The memory of searches, used again and again.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Which of the tensors have a label, for all labels of the network; 0 between searches.
    masks: Vec<u32>,
    labels: Vec<u32>,
    /// 2^−log2 i(S), or log2 i(S) where that is too small.
    inner: Vec<f64>,
    total: Vec<f64>,
    size: Vec<f64>,
    best: Vec<Cost>,
    sums: Vec<f64>,
    half: Vec<u32>,
}

const OUTSIDE: u32 = 1 << 31;

impl Table {
    /// The pairs of the cheapest tree for tensors with these legs, numbered as in a path, and its cost. `output` are
    /// the legs of the result. With a `limit`, `None` if there is no tree of a lower cost.
    pub(super) fn search(
        &mut self,
        tensors: &[&[u32]],
        output: &[u32],
        logs: &[f64],
        model: &Model,
        limit: Option<Cost>,
    ) -> Option<(Vec<(usize, usize)>, Cost)> {
        let n = tensors.len();
        debug_assert!((1..=MOST).contains(&n));
        let all = (1usize << n) - 1;
        self.measure(tensors, output, logs);
        match model.peak {
            true => self.splits_by_peak(n, model),
            false => self.splits_by_sum(n, model),
        }
        let cost = if model.peak { self.best[all] } else { Cost { first: self.sums[all], second: 0.0 } };
        if n > 1 && limit.is_some_and(|limit| cost >= limit) {
            return None;
        }
        let mut pairs = Vec::with_capacity(n - 1);
        self.unfold(all, n, &mut pairs);
        Some((pairs, cost))
    }

    /// log2 of t and of i of every subset.
    fn measure(&mut self, tensors: &[&[u32]], output: &[u32], logs: &[f64]) {
        let n = tensors.len();
        if self.masks.len() < logs.len() {
            self.masks.resize(logs.len(), 0);
        }
        self.labels.clear();
        for (i, labels) in tensors.iter().enumerate() {
            for &label in *labels {
                let mask = &mut self.masks[label as usize];
                if *mask == 0 {
                    self.labels.push(label);
                }
                *mask |= 1 << i;
            }
        }
        output.iter().for_each(|&label| self.masks[label as usize] |= OUTSIDE);
        let count = 1 << n;
        // First of labels by exactly which tensors have them, then summed over all subsets.
        for table in [&mut self.inner, &mut self.total] {
            table.clear();
            table.resize(count, 0.0);
        }
        let mut everything = 0.0;
        for &label in &self.labels {
            let (mask, log) = (self.masks[label as usize], logs[label as usize]);
            self.masks[label as usize] = 0;
            everything += log;
            // What S does not touch lies in its complement: t(S) = all − Σ of masks within the complement.
            self.total[(mask & !OUTSIDE) as usize] += log;
            if mask & OUTSIDE == 0 {
                self.inner[mask as usize] += log;
            }
        }
        output.iter().for_each(|&label| self.masks[label as usize] = 0);
        for table in [&mut self.inner, &mut self.total] {
            for bit in 0..n {
                for block in table.chunks_exact_mut(2 << bit) {
                    let (without, with) = block.split_at_mut(1 << bit);
                    with.iter_mut().zip(without).for_each(|(with, without)| *with += *without);
                }
            }
        }
        self.total.reverse();
        self.total.iter_mut().for_each(|x| *x = everything - *x);
        self.size.clear();
        self.size.extend(self.total.iter().zip(&self.inner).map(|(t, i)| t - i));
        self.half.clear();
        self.half.resize(count, 0);
    }

    fn splits_by_sum(&mut self, n: usize, model: &Model) {
        let count = 1usize << n;
        let everything = self.total[count - 1];
        // Products of extents where no product can overflow; else logarithms.
        let linear = everything - model.shift < 900.0 && everything < 900.0;
        self.sums.clear();
        self.sums.resize(count, 0.0);
        let logs = if linear { Vec::new() } else { self.inner.clone() };
        if linear {
            self.inner.iter_mut().for_each(|x| *x = (-*x).exp2());
        }
        // The cost of a subset with that of taking its result.
        let sums = &mut self.sums;
        for set in 1..count {
            let moved = if model.touch == 0.0 { 0.0 } else { model.touch * model.amount(self.size[set]) };
            if set.is_power_of_two() {
                sums[set] = moved;
                continue;
            }
            let (mut least, mut chosen) = (f64::INFINITY, 0);
            // Every split once: the half that has the lowest tensor.
            let lowest = set & set.wrapping_neg();
            let rest = set ^ lowest;
            let volume = if linear { model.multiply * model.amount(self.total[set]) } else { self.total[set] };
            let mut part = (rest - 1) & rest;
            loop {
                let (a, b) = (part | lowest, rest ^ part);
                let cost = match linear {
                    true => sums[a] + sums[b] + volume * (self.inner[a] * self.inner[b]),
                    false => sums[a] + sums[b] + model.multiply * model.amount(volume - logs[a] - logs[b]),
                };
                if cost < least || chosen == 0 {
                    (least, chosen) = (cost, a);
                }
                if part == 0 {
                    break;
                }
                part = (part - 1) & rest;
            }
            sums[set] = least + model.step + if set == count - 1 { moved } else { 2.0 * moved };
            self.half[set] = chosen as u32;
        }
        if n == 1 {
            sums[1] = 0.0;
        }
    }

    fn splits_by_peak(&mut self, n: usize, model: &Model) {
        let count = 1usize << n;
        self.best.clear();
        self.best.resize(count, model.none());
        for set in (1..count).filter(|set| !set.is_power_of_two()) {
            let (mut least, mut chosen) = (Cost { first: f64::INFINITY, second: f64::INFINITY }, 0);
            let lowest = set & set.wrapping_neg();
            let rest = set ^ lowest;
            let mut part = (rest - 1) & rest;
            loop {
                let (a, b) = (part | lowest, rest ^ part);
                let (x, y) = (self.best[a], self.best[b]);
                let first = x.first.max(y.first);
                if first <= least.first || chosen == 0 {
                    let volume = model.multiply * model.amount(self.total[set] - self.inner[a] - self.inner[b]);
                    let cost = Cost { first, second: x.second + y.second + volume };
                    if cost < least || chosen == 0 {
                        (least, chosen) = (cost, a);
                    }
                }
                if part == 0 {
                    break;
                }
                part = (part - 1) & rest;
            }
            self.best[set] = Cost { first: least.first.max(grid(self.size[set])), second: least.second + model.step };
            self.half[set] = chosen as u32;
        }
    }

    /// Writes down the pairs that make a subset, and returns the number of its tensor.
    fn unfold(&self, set: usize, count: usize, pairs: &mut Vec<(usize, usize)>) -> usize {
        if set.is_power_of_two() {
            return set.trailing_zeros() as usize;
        }
        let half = self.half[set] as usize;
        let (a, b) = (self.unfold(half, count, pairs), self.unfold(set & !half, count, pairs));
        pairs.push((a, b));
        count + pairs.len() - 1
    }
}
