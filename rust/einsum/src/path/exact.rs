//! The cheapest path of a small network, by dynamic programming over its subsets.
//!
//! What a subset of the tensors contracts to does not depend on the order within, so the cheapest way to each subset is
//! the cheapest split into two smaller ones. Outer products are among the splits.

use super::labels::LabelSet;

#[derive(Clone)]
struct Best {
    /// Labels of the subset's tensor.
    labels: LabelSet,
    /// Multiplications on the way to it, and elements of all tensors on the way: the second decides between equals.
    cost: (f64, f64),
    /// One half of the last split.
    half: usize,
}

/// Pairs of tensors as in [`super::Path`], for at least one tensor.
pub(super) fn search(tensors: &[LabelSet], outside: &LabelSet, weights: &[f64]) -> Vec<(usize, usize)> {
    let all = (1usize << tensors.len()) - 1;
    let joined = |subset: usize| {
        let mut labels = LabelSet::new(weights.len(), &[]);
        (0..tensors.len()).filter(|t| subset >> t & 1 == 1).for_each(|t| labels.join(&tensors[t]));
        labels
    };
    let mut best: Vec<Best> = Vec::with_capacity(all + 1);
    for subset in 0..=all {
        let mut labels = joined(subset);
        if !subset.is_power_of_two() {
            let mut needed = joined(all & !subset);
            needed.join(outside);
            labels.meet(&needed);
        }
        let mut entry = Best { labels, cost: (0.0, 0.0), half: 0 };
        if subset != 0 && !subset.is_power_of_two() {
            entry.cost = (f64::INFINITY, f64::INFINITY);
            let size = entry.labels.product(weights);
            // Every split once: the half that has the lowest tensor.
            let lowest = subset & subset.wrapping_neg();
            let mut half = (subset - 1) & subset;
            while half > 0 {
                if half & lowest != 0 {
                    let (a, b) = (&best[half], &best[subset & !half]);
                    let mut both = a.labels.clone();
                    both.join(&b.labels);
                    let cost = (a.cost.0 + b.cost.0 + both.product(weights), a.cost.1 + b.cost.1 + size);
                    if cost < entry.cost || entry.half == 0 {
                        (entry.cost, entry.half) = (cost, half);
                    }
                }
                half = (half - 1) & subset;
            }
        }
        best.push(entry);
    }
    let mut pairs = Vec::with_capacity(tensors.len());
    unfold(&best, all, tensors.len(), &mut pairs);
    pairs
}

/// Writes down the pairs that make a subset, and returns the number of its tensor.
fn unfold(best: &[Best], subset: usize, count: usize, pairs: &mut Vec<(usize, usize)>) -> usize {
    if subset.is_power_of_two() {
        return subset.trailing_zeros() as usize;
    }
    let a = unfold(best, best[subset].half, count, pairs);
    let b = unfold(best, subset & !best[subset].half, count, pairs);
    pairs.push((a, b));
    count + pairs.len() - 1
}
