//! Labelled layouts, and what each label does to the pointers of a step.

use tensoroxide_tensor::layout::reach;
use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::Region;

use crate::Error;

/// The name of an index; the same in all tensors of a step.
pub type Label = u32;

/// A tensor's layout with a label for each axis. A label on several axes stands for their diagonal.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    /// One for each axis.
    pub labels: &'a [Label],
    /// Extents.
    pub shape: &'a [usize],
    /// Strides in elements.
    pub strides: &'a [isize],
}

/// What a step must remember of a tensor to recognise its layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    shape: Box<[usize]>,
    strides: Box<[isize]>,
}

impl Signature {
    pub(crate) fn new(axes: &Axes<'_>) -> Result<Signature, Error> {
        if axes.labels.len() != axes.shape.len() {
            return Err(Error::Rank { labels: axes.labels.len(), axes: axes.shape.len() });
        }
        reach(axes.shape, axes.strides)?;
        Ok(Signature { shape: axes.shape.into(), strides: axes.strides.into() })
    }

    pub(crate) fn check(&self, region: &Region<'_>) -> Result<(), Error> {
        match *self.shape == *region.shape && *self.strides == *region.strides {
            true => Ok(()),
            false => Err(Error::Layout),
        }
    }
}

/// A label's extent, the elements that one step along it moves each of `N` tensors by, and which of them have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index<const N: usize> {
    pub(crate) label: Label,
    pub(crate) step: Loop<N>,
    pub(crate) present: [bool; N],
}

/// Every label of the tensors once, in the order in which they come.
pub(crate) fn indices<const N: usize>(tensors: &[Axes<'_>; N]) -> Result<Vec<Index<N>>, Error> {
    let mut indices: Vec<Index<N>> = Vec::new();
    for (t, axes) in tensors.iter().enumerate() {
        for ((&label, &extent), &stride) in axes.labels.iter().zip(axes.shape).zip(axes.strides) {
            let index = match indices.iter_mut().find(|index| index.label == label) {
                Some(index) if index.step.extent != extent => {
                    return Err(Error::Extent { label, extents: (index.step.extent, extent) });
                }
                Some(index) => index,
                None => {
                    let step = Loop { extent, strides: [0; N] };
                    indices.push(Index { label, step, present: [false; N] });
                    indices.last_mut().expect("just pushed")
                }
            };
            // The sum of strides whose reach was checked; a diagonal reaches no further than its tensor.
            index.step.strides[t] = index.step.strides[t].wrapping_add(stride);
            index.present[t] = true;
        }
    }
    Ok(indices)
}

/// Labels that do not run but are set to a value at each run: those of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Fixed<const N: usize>(Vec<Loop<N>>);

impl<const N: usize> Fixed<N> {
    /// Takes the fixed labels out of the indices. A label that no tensor here has moves nothing.
    pub(crate) fn take(labels: &[Label], indices: &mut Vec<Index<N>>) -> Fixed<N> {
        let steps = labels.iter().map(|&label| {
            let at = indices.iter().position(|index| index.label == label);
            at.map_or(Loop { extent: usize::MAX, strides: [0; N] }, |at| indices.remove(at).step)
        });
        Fixed(steps.collect())
    }

    /// How far the values move each tensor's start.
    pub(crate) fn offsets(&self, values: &[usize]) -> Result<[isize; N], Error> {
        if values.len() != self.0.len() || values.iter().zip(&self.0).any(|(&value, step)| value >= step.extent) {
            return Err(Error::Fixed);
        }
        let moved = |t: usize| values.iter().zip(&self.0).map(|(&value, step)| value as isize * step.strides[t]).sum();
        Ok(std::array::from_fn(moved))
    }
}
