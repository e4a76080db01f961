//! Where the elements of a tensor lie: extents and strides, and what follows from them.
//!
//! Every layout in the engine keeps these conditions; the functions here are where they are checked.
//!
//! 1. There are as many strides as extents.
//! 2. The number of elements times [`MAX_ELEMENT`] fits an `isize`.
//! 3. Every offset between two elements, in bytes of [`MAX_ELEMENT`], fits an `isize`. A tensor without elements
//!    has no offsets, whatever its strides.
//! 4. An output is injective: two different indices lead to two different elements ([`is_injective`]).

use crate::Error;

/// Bytes of the largest element type: layouts are checked for it, so that they hold for every type.
pub const MAX_ELEMENT: usize = 16;

/// Number of elements of a shape; 1 for a scalar.
///
/// # Errors
/// [`Error::TooLarge`] if the product of the non-zero extents does not fit, even when another extent is 0: such a shape
/// is a mistake of the caller's, and its column-major strides could not be formed.
pub fn element_count(shape: &[usize]) -> Result<usize, Error> {
    let mut count = 1usize;
    for &extent in shape.iter().filter(|&&extent| extent != 0) {
        count = count
            .checked_mul(extent)
            .filter(|&n| n <= isize::MAX as usize / MAX_ELEMENT)
            .ok_or_else(|| Error::TooLarge { shape: shape.to_vec() })?;
    }
    Ok(if shape.contains(&0) { 0 } else { count })
}

/// Lowest and highest offset, in elements from index (0, …, 0), that an index reaches; `(0, 0)` without elements.
///
/// # Errors
/// [`Error::StrideCount`], [`Error::TooLarge`].
pub fn reach(shape: &[usize], strides: &[isize]) -> Result<(isize, isize), Error> {
    if shape.len() != strides.len() {
        return Err(Error::StrideCount { rank: shape.len(), strides: strides.len() });
    }
    // One pass without a branch out of it: this runs for every tensor of every call.
    const MOST: usize = isize::MAX as usize / MAX_ELEMENT;
    let (mut low, mut high, mut count, mut empty, mut too_many, mut too_far) =
        (0isize, 0isize, 1usize, false, false, false);
    for (&extent, &stride) in shape.iter().zip(strides) {
        let (product, overflows) = count.overflowing_mul(extent.max(1));
        (count, too_many) = (product, too_many | overflows | (product > MOST));
        empty |= extent == 0;
        let (end, overflows) = (extent.wrapping_sub(1) as isize).overflowing_mul(stride);
        too_far |= overflows;
        let bound = if end < 0 { &mut low } else { &mut high };
        let (sum, overflows) = bound.overflowing_add(end);
        (*bound, too_far) = (sum, too_far | overflows);
    }
    too_far |= low < -(MOST as isize) || high > MOST as isize;
    match (too_many || too_far && !empty, empty) {
        (true, _) => Err(Error::TooLarge { shape: shape.to_vec() }),
        (false, true) => Ok((0, 0)),
        (false, false) => Ok((low, high)),
    }
}

/// The strides of Julia's arrays: the first axis varies fastest. Extents of 0 count as 1, so that strides stay useful.
pub fn column_major_strides(shape: &[usize]) -> Vec<isize> {
    let mut stride = 1isize;
    shape
        .iter()
        .map(|&extent| {
            let this = stride;
            stride = stride.saturating_mul(isize::try_from(extent.max(1)).unwrap_or(isize::MAX));
            this
        })
        .collect()
}

/// The strides of C's arrays: the last axis varies fastest.
pub fn row_major_strides(shape: &[usize]) -> Vec<isize> {
    let reversed: Vec<usize> = shape.iter().rev().copied().collect();
    let mut strides = column_major_strides(&reversed);
    strides.reverse();
    strides
}

/// Whether different indices always lead to different elements. Allocates nothing for layouts without interleaved axes.
pub fn is_injective(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return true;
    }
    // Sufficient, and true of every layout that views of dense arrays have: taken by rising stride, each axis steps
    // over everything that the axes before it reach. Zero and equal strides are never stepped over.
    let axes = || shape.iter().zip(strides).filter(|(&extent, _)| extent > 1).map(|(&e, s)| (s.unsigned_abs(), e));
    let (mut stepped, mut last, mut reached) = (0, 0, 0usize);
    while let Some((stride, extent)) = axes().filter(|&(stride, _)| stride > last).min() {
        if stride <= reached {
            return !crate::overlap::overlaps_itself(shape, strides);
        }
        reached = reached.saturating_add(stride.saturating_mul(extent - 1));
        (stepped, last) = (stepped + 1, stride);
    }
    stepped == axes().count()
}

/// Extents and strides that satisfy conditions 1 to 3, owned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    shape: Box<[usize]>,
    strides: Box<[isize]>,
    reach: (isize, isize),
}

impl Layout {
    /// Any strides.
    ///
    /// # Errors
    /// [`Error::StrideCount`], [`Error::TooLarge`].
    pub fn new(shape: &[usize], strides: &[isize]) -> Result<Layout, Error> {
        let reach = reach(shape, strides)?;
        Ok(Layout { shape: shape.into(), strides: strides.into(), reach })
    }

    /// Dense, first axis fastest.
    ///
    /// ```
    /// use tensoroxide_tensor::Layout;
    /// let layout = Layout::column_major(&[2, 3, 4])?;
    /// assert_eq!(layout.strides(), [1, 2, 6]);
    /// assert_eq!(layout.len(), 24);
    /// # Ok::<(), tensoroxide_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn column_major(shape: &[usize]) -> Result<Layout, Error> {
        element_count(shape)?;
        Layout::new(shape, &column_major_strides(shape))
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Strides in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Lowest and highest offset from the element at index (0, …, 0).
    pub fn reach(&self) -> (isize, isize) {
        self.reach
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn offsets(shape: &[usize], strides: &[isize]) -> Vec<isize> {
        shape.iter().zip(strides).fold(vec![0], |all, (&extent, &stride)| {
            all.iter().flat_map(|&o| (0..extent as isize).map(move |i| o + i * stride)).collect()
        })
    }

    #[test]
    fn counts_and_overflow() {
        assert_eq!(element_count(&[]), Ok(1));
        assert_eq!(element_count(&[3, 0, 5]), Ok(0));
        assert_eq!(element_count(&[3, 4, 5]), Ok(60));
        let huge = [usize::MAX / 2, 3];
        assert_eq!(element_count(&huge), Err(Error::TooLarge { shape: huge.to_vec() }));
        assert!(element_count(&[1 << 40, 1 << 40, 0]).is_err());
        assert!(reach(&[3, 3], &[isize::MAX, 1]).is_err());
        assert!(reach(&[3, 3], &[isize::MIN, 1]).is_err());
        assert_eq!(reach(&[3, 0], &[isize::MAX, 1]), Ok((0, 0)));
        assert_eq!(reach(&[3], &[1, 2]), Err(Error::StrideCount { rank: 1, strides: 2 }));
    }

    #[test]
    fn home_order() {
        assert_eq!(column_major_strides(&[2, 3, 4]), [1, 2, 6]);
        assert_eq!(row_major_strides(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(column_major_strides(&[2, 0, 4]), [1, 2, 2]);
        assert!(column_major_strides(&[]).is_empty());
    }

    #[test]
    fn injective_layouts_that_are_easily_misjudged() {
        assert!(is_injective(&[3, 2], &[2, 3])); // 0 2 4 3 5 7: interleaved, yet all different
        assert!(!is_injective(&[4, 2], &[2, 6])); // 6 is reached twice
        assert!(!is_injective(&[2, 2], &[1, 1]));
        assert!(!is_injective(&[2, 2], &[1, -1]));
        assert!(!is_injective(&[2], &[0]));
        assert!(is_injective(&[1, 5], &[0, -1]));
        assert!(is_injective(&[0, 5], &[0, 0]));
        assert!(is_injective(&[], &[]));
    }

    proptest! {
        #[test]
        fn injective_and_reach_agree_with_enumeration(
            axes in proptest::collection::vec((0usize..5, -12isize..13), 0..4),
        ) {
            let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let all = offsets(&shape, &strides);
            let distinct: HashSet<_> = all.iter().collect();
            prop_assert_eq!(is_injective(&shape, &strides), distinct.len() == all.len());
            let expected = (all.iter().copied().min().unwrap_or(0), all.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(reach(&shape, &strides)?, expected);
        }
    }
}
