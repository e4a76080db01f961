//! Sets of labels as bits.

use tensoroxide_contract::Label;

/// A set of the labels of one network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LabelSet(Box<[u64]>);

impl LabelSet {
    /// `labels` among the numbers below `width`.
    pub(super) fn new(width: usize, labels: &[Label]) -> LabelSet {
        let mut words = vec![0u64; width.div_ceil(64)].into_boxed_slice();
        labels.iter().for_each(|&label| words[label as usize / 64] |= 1 << (label % 64));
        LabelSet(words)
    }

    /// Adds the labels of another set.
    pub(super) fn join(&mut self, other: &LabelSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Keeps the labels that another set has too.
    pub(super) fn meet(&mut self, other: &LabelSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    /// The labels, from the least.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(w, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(64 * w + bit)
            })
        })
    }

    /// The product of the labels' weights.
    pub(super) fn product(&self, weights: &[f64]) -> f64 {
        self.iter().map(|label| weights[label]).product()
    }
}
