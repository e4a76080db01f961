//! What each label of a step does: it counts the batch, the rows, the columns, or it is summed.

use std::ops::Range;

use tensoroxide_tensor::nest::Loop;

use crate::axes::Index;
use crate::Error;

/// The tensors of a step, as positions in the strides of its loops.
pub(crate) const C: usize = 0;
pub(crate) const A: usize = 1;
pub(crate) const B: usize = 2;

/// The indices of a step by the tensors that have them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// In C, A and B.
    pub(crate) batch: Vec<Index<3>>,
    /// In C and A.
    pub(crate) rows: Vec<Index<3>>,
    /// In C and B.
    pub(crate) columns: Vec<Index<3>>,
    /// In A and B.
    pub(crate) summed: Vec<Index<3>>,
}

/// Number of values that a group of indices takes together; `usize::MAX` if there are more.
pub(crate) fn extent(group: &[Index<3>]) -> usize {
    let extents = || group.iter().map(|index| index.step.extent);
    match extents().any(|extent| extent == 0) {
        true => 0,
        false => extents().fold(1, usize::saturating_mul),
    }
}

impl Groups {
    /// Sorts the indices of a step. A label that one input has alone is allowed only if it takes one value.
    pub(crate) fn new(indices: Vec<Index<3>>) -> Result<Groups, Error> {
        let mut groups = Groups::default();
        for index in indices {
            let group = match index.present {
                [true, true, true] => &mut groups.batch,
                [true, true, false] => &mut groups.rows,
                [true, false, true] => &mut groups.columns,
                [false, true, true] => &mut groups.summed,
                [true, false, false] => return Err(Error::NotInInput(index.label)),
                _ if index.step.extent == 1 => continue,
                _ => return Err(Error::InOneInputOnly(index.label)),
            };
            group.push(index);
        }
        Ok(groups)
    }

    /// Numbers of rows, columns and summed values.
    pub(crate) fn extents(&self) -> [usize; 3] {
        [extent(&self.rows), extent(&self.columns), extent(&self.summed)]
    }

    /// All indices.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Index<3>> {
        [&self.batch, &self.rows, &self.columns, &self.summed].into_iter().flatten()
    }

    /// Multiplications; a rounded number, since more than 2⁶⁴ can be asked for.
    pub(crate) fn volume(&self) -> f64 {
        self.all().map(|index| index.step.extent as f64).product()
    }

    /// Elements of a tensor, as the step walks them.
    pub(crate) fn elements(&self, tensor: usize) -> f64 {
        self.all().filter(|index| index.present[tensor]).map(|index| index.step.extent as f64).product()
    }
}

/// Neighbours in a sorted group that can be walked as one axis.
pub(crate) struct Run {
    pub(crate) range: Range<usize>,
    pub(crate) axis: Loop<3>,
}

/// Sorts a group by the steps of a tensor that is used in place, and cuts it where a tensor used in place cannot be
/// walked on as one axis. There is at least one run; in copied tensors any order will do.
pub(crate) fn runs(group: &mut [Index<3>], tensors: [usize; 2], copied: [bool; 3]) -> Vec<Run> {
    let in_place = || tensors.into_iter().filter(|&t| !copied[t]);
    let by = in_place().next().unwrap_or(tensors[0]);
    group.sort_by_key(|index| index.step.strides[by].unsigned_abs());
    let mut runs = vec![Run { range: 0..0, axis: Loop { extent: 1, strides: [1; 3] } }];
    for (i, step) in group.iter().map(|index| index.step).enumerate() {
        let last = runs.len() - 1;
        let Run { range, axis } = &mut runs[last];
        let goes_on = |t: usize| step.strides[t] == axis.strides[t].wrapping_mul(axis.extent as isize);
        if axis.extent == 1 || step.extent == 1 {
            axis.strides = if axis.extent == 1 { step.strides } else { axis.strides };
        } else if !in_place().all(goes_on) {
            runs.push(Run { range: i..i + 1, axis: step });
            continue;
        }
        axis.extent *= step.extent;
        range.end = i + 1;
    }
    runs
}
