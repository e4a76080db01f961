//! A network cut into slices: of each sliced label a slice has a range of the values.
//!
//! A label i of n values in ranges of c becomes two labels, i = c·j + i′: the steps run over i′ with c values, as over
//! any label, and j counts the ranges; that label is fixed during a slice. Only axes of operands and of the output are
//! taken apart so, by their strides; intermediates never have j. Where c does not divide n, the last range is shorter.
//! The steps are then prepared for it as well: a *variant*, a number whose bits say which of these labels are in their
//! last range.

use tensoroxide_contract::{Axes, Label};
use tensoroxide_tensor::layout::column_major_strides;

use crate::network::Network;

/// A label that is sliced, in as many ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slice {
    pub(super) label: Label,
    pub(super) ranges: usize,
}

/// Most labels whose last range is shorter: each doubles the variants.
pub(super) const MOST_UNEVEN: usize = 3;

impl Slice {
    /// The values of a range, and the number of ranges, if a label of `extent` values is cut into about so many.
    pub(super) fn even(extent: usize, ranges: usize) -> (usize, usize) {
        let values = extent.div_ceil(ranges).max(1);
        (values, extent.div_ceil(values))
    }
}

/// A network with its sliced labels taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// As it was given.
    pub(crate) given: Network,
    /// The extents of ranges, and behind them those of the labels that count ranges. Operands and output have both
    /// labels.
    pub(crate) sliced: Network,
    /// The labels that are fixed during a slice.
    pub(crate) fixed: Vec<Label>,
    /// Those sliced in ranges of more than one value.
    ranges: Vec<Range>,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    label: Label,
    /// The label that counts the ranges, and its position among those that are fixed.
    count: Label,
    at: usize,
    /// Values of all ranges but the last, and of the last.
    values: usize,
    last: usize,
    /// The bit of a variant that says that this is the last range.
    bit: usize,
}

impl Range {
    fn is_uneven(&self) -> bool {
        self.last != self.values
    }
}

/// Axes taken apart.
pub(crate) struct CutAxes {
    labels: Vec<Label>,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

impl CutAxes {
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Label, usize, isize)> + '_ {
        self.labels
            .iter()
            .zip(&self.shape)
            .zip(&self.strides)
            .map(|((&label, &extent), &stride)| (label, extent, stride))
    }

    pub(crate) fn axes(&self) -> Axes<'_> {
        Axes { labels: &self.labels, shape: &self.shape, strides: &self.strides }
    }
}

impl Cut {
    pub(super) fn new(given: &Network, slices: &[Slice]) -> Cut {
        let mut sliced = given.clone();
        let (mut fixed, mut ranges) = (Vec::with_capacity(slices.len()), Vec::new());
        let mut bit = 1;
        for (at, &Slice { label, ranges: wanted }) in slices.iter().enumerate() {
            let extent = given.extents[label as usize];
            let (values, count) = Slice::even(extent, wanted);
            if values == 1 {
                fixed.push(label);
                continue;
            }
            let counts = sliced.extents.len() as Label;
            sliced.extents[label as usize] = values;
            sliced.extents.push(count);
            sliced.names.push(sliced.names[label as usize].clone());
            fixed.push(counts);
            let range = Range { label, count: counts, at, values, last: extent - values * (count - 1), bit };
            bit <<= usize::from(range.is_uneven());
            ranges.push(range);
        }
        let mut cut = Cut { given: given.clone(), sliced, fixed, ranges };
        if !cut.ranges.is_empty() {
            let tensors = given.operands.iter().zip(&given.shapes).map(|(labels, shape)| {
                let CutAxes { labels, shape, .. } = cut.axes(labels, shape, &column_major_strides(shape), 0);
                (labels, shape)
            });
            let (operands, shapes): (Vec<_>, Vec<_>) = tensors.unzip();
            let output = given.output_shape();
            cut.sliced.output = cut.axes(&given.output, &output, &column_major_strides(&output), 0).labels;
            (cut.sliced.operands, cut.sliced.shapes) = (operands, shapes);
        }
        cut
    }

    /// How many variants there are.
    pub(crate) fn variants(&self) -> usize {
        1 << self.ranges.iter().filter(|range| range.is_uneven()).count()
    }

    /// The variant of a slice, by the values of the fixed labels.
    pub(crate) fn variant(&self, values: &[usize]) -> usize {
        let last = |range: &&Range| values[range.at] + 1 == self.sliced.extents[range.count as usize];
        self.ranges.iter().filter(|range| range.is_uneven()).filter(last).map(|range| range.bit).sum()
    }

    /// The extent of a label in a slice of a variant.
    pub(crate) fn extent(&self, label: Label, variant: usize) -> usize {
        match self.ranges.iter().find(|range| range.label == label) {
            Some(range) if range.is_uneven() && variant & range.bit != 0 => range.last,
            _ => self.sliced.extents[label as usize],
        }
    }

    /// The extent of a label in the mean over all slices, over that in most of them.
    pub(super) fn mean(&self, label: Label) -> f64 {
        self.ranges.iter().find(|range| range.label == label).map_or(1.0, |range| {
            let all = range.values * self.sliced.extents[range.count as usize];
            self.given.extents[label as usize] as f64 / all as f64
        })
    }

    /// Axes of an operand or the output, as given, taken apart.
    pub(crate) fn axes(&self, labels: &[Label], shape: &[usize], strides: &[isize], variant: usize) -> CutAxes {
        let mut cut = CutAxes { labels: labels.to_vec(), shape: shape.to_vec(), strides: strides.to_vec() };
        for range in &self.ranges {
            let mut at = 0;
            while at < cut.labels.len() {
                if cut.labels[at] == range.label {
                    let (stride, count) = (cut.strides[at], self.sliced.extents[range.count as usize]);
                    cut.shape[at] = self.extent(range.label, variant);
                    cut.labels.insert(at + 1, range.count);
                    cut.shape.insert(at + 1, count);
                    cut.strides.insert(at + 1, stride.wrapping_mul(range.values as isize));
                    at += 1;
                }
                at += 1;
            }
        }
        cut
    }

    /// What was sliced, in the order of the labels.
    pub(super) fn slices(&self) -> Vec<Slice> {
        let slice = |&fixed: &Label| {
            let range = self.ranges.iter().find(|range| range.count == fixed);
            Slice { label: range.map_or(fixed, |range| range.label), ranges: self.sliced.extents[fixed as usize] }
        };
        let mut slices: Vec<Slice> = self.fixed.iter().map(slice).collect();
        slices.sort_unstable();
        slices
    }

    /// Axes of the output's part that one slice has, dense, and in the same places for shorter ranges: along the labels
    /// that are fixed nothing moves.
    pub(crate) fn block(&self, variant: usize) -> CutAxes {
        let (labels, output) = (&self.given.output, self.given.output_shape());
        let strides = column_major_strides(&output);
        let mut block = self.axes(labels, &output, &strides, variant);
        let longest = self.axes(labels, &output, &strides, 0);
        let mut stride = 1;
        for (at, label) in block.labels.iter().enumerate() {
            let moves = !self.fixed.contains(label);
            block.strides[at] = if moves { stride } else { 0 };
            stride *= if moves { longest.shape[at] as isize } else { 1 };
        }
        block
    }

    /// Dense axes of an intermediate with these labels.
    pub(crate) fn dense(&self, labels: &[Label], variant: usize) -> CutAxes {
        let shape: Vec<usize> = labels.iter().map(|&label| self.extent(label, variant)).collect();
        CutAxes { labels: labels.to_vec(), strides: column_major_strides(&shape), shape }
    }

    /// The names of the sliced labels, with how many of their values a slice has if that is more than one.
    pub(super) fn describe(&self) -> String {
        let name = |&label: &Label| {
            let name = &self.sliced.names[label as usize];
            match self.ranges.iter().find(|range| range.count == label) {
                Some(range) => format!("{name} ({} at a time)", range.values),
                None => name.clone(),
            }
        };
        self.fixed.iter().map(name).collect::<Vec<String>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Expression;

    #[test]
    fn every_value_is_in_one_range() {
        for extent in 1..40usize {
            for ranges in 1..=extent {
                let shape = [extent, extent];
                let network = Network::new(&Expression::parse("ii->i").unwrap(), &[&shape]).unwrap();
                let cut = Cut::new(&network, &[Slice { label: 0, ranges }]);
                let count = cut.sliced.extents[cut.fixed[0] as usize];
                let mut seen = vec![0; extent];
                for value in 0..count {
                    let variant = cut.variant(&[value]);
                    assert!(variant < cut.variants());
                    let axes = cut.axes(&network.operands[0], &shape, &[1, extent as isize], variant);
                    let axes = axes.axes();
                    let step = |of: usize| -> isize {
                        axes.labels.iter().zip(axes.strides).filter(|(l, _)| **l as usize == of).map(|(_, s)| s).sum()
                    };
                    let counting = cut.fixed[0] as usize;
                    let values = if counting == 0 { 1 } else { cut.extent(0, variant) };
                    for i in 0..values {
                        let at = value as isize * step(counting) + i as isize * if counting == 0 { 0 } else { step(0) };
                        let (row, column) = (at as usize % extent, at as usize / extent);
                        assert_eq!(row, column, "on the diagonal");
                        seen[row] += 1;
                    }
                }
                assert_eq!(seen, vec![1; extent], "{extent} values in {ranges} ranges");
            }
        }
    }
}
