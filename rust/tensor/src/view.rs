//! Borrowed tensors: a pointer to the element at index (0, …, 0), extents, strides.

use std::marker::PhantomData;

use crate::layout::{is_injective, reach};
use crate::{Error, Layout, Region};

/// A tensor that is only read. Strides may be negative or zero.
///
/// Invariant: for as long as `'a`, every element that the layout reaches from `start` is initialised and not written.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    start: *const T,
    shape: &'a [usize],
    strides: &'a [isize],
    memory: PhantomData<&'a [T]>,
}

/// A tensor that is written.
///
/// Invariant: for as long as `'a`, every element that the layout reaches from `start` belongs to this view alone, and
/// the layout is injective: different indices lead to different elements.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    start: *mut T,
    shape: &'a [usize],
    strides: &'a [isize],
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: as for `&[T]`.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as for `&[T]`.
unsafe impl<T: Sync> Sync for View<'_, T> {}
// SAFETY: as for `&mut [T]`.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}

/// Where index (0, …, 0) lies in a slice of `len` elements, once the layout is known to stay inside it.
fn check_bounds(len: usize, shape: &[usize], strides: &[isize], offset: usize) -> Result<(), Error> {
    let (low, high) = reach(shape, strides)?;
    if shape.contains(&0) {
        return Ok(());
    }
    let at = |o: isize| isize::try_from(offset).ok().and_then(|start| start.checked_add(o));
    match (at(low), at(high)) {
        (Some(first), Some(last)) if first >= 0 && (last as usize) < len => Ok(()),
        (first, last) => {
            Err(Error::OutOfBounds { reach: (first.unwrap_or(isize::MIN), last.unwrap_or(isize::MAX)), len })
        }
    }
}

/// The offset of an index; `None` outside of the shape.
fn offset_of(index: &[usize], shape: &[usize], strides: &[isize]) -> Option<isize> {
    if index.len() != shape.len() || index.iter().zip(shape).any(|(i, extent)| i >= extent) {
        return None;
    }
    Some(index.iter().zip(strides).map(|(&i, &stride)| i as isize * stride).sum())
}

impl<'a, T: Copy> View<'a, T> {
    /// A layout over a slice, with index (0, …, 0) at `data[offset]`.
    ///
    /// ```
    /// use tensoroxide_tensor::View;
    /// let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    /// let reversed = View::new(&data, &[3, 2], &[-1, -3], 5)?;
    /// assert_eq!(reversed.get(&[0, 1]), Some(3.0));
    /// # Ok::<(), tensoroxide_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] and those of [`reach`].
    pub fn new(data: &'a [T], shape: &'a [usize], strides: &'a [isize], offset: usize) -> Result<Self, Error> {
        check_bounds(data.len(), shape, strides, offset)?;
        // SAFETY: all that the layout reaches from `offset` lies in `data`, which is borrowed for `'a`. Without
        // elements nothing is read, and the pointer is not moved.
        Ok(unsafe { View::from_raw_parts(data.as_ptr().wrapping_add(offset), shape, strides) })
    }

    /// A layout over a slice, its lowest element at `data[0]`.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn of(data: &'a [T], layout: &'a Layout) -> Result<Self, Error> {
        View::new(data, layout.shape(), layout.strides(), usize::try_from(-layout.reach().0).unwrap_or(0))
    }

    /// A view of foreign memory.
    ///
    /// # Safety
    /// `shape` and `strides` satisfy conditions 1 to 3 of [`crate::layout`], and every element reached from `start` is
    /// initialised, aligned, and not written for as long as `'a`.
    pub const unsafe fn from_raw_parts(start: *const T, shape: &'a [usize], strides: &'a [isize]) -> Self {
        View { start, shape, strides, memory: PhantomData }
    }

    /// Extents.
    pub const fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Strides in elements.
    pub const fn strides(&self) -> &'a [isize] {
        self.strides
    }

    /// The element at index (0, …, 0); not to be read if the view is empty.
    pub const fn as_ptr(&self) -> *const T {
        self.start
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The element at an index from 0; `None` outside of the shape.
    pub fn get(&self, index: &[usize]) -> Option<T> {
        let offset = offset_of(index, self.shape, self.strides)?;
        // SAFETY: the index lies in the shape, so the invariant covers the element.
        Some(unsafe { *self.start.offset(offset) })
    }

    /// The memory that the view covers.
    pub fn region(&self) -> Region<'a> {
        Region { address: self.start as usize, shape: self.shape, strides: self.strides, element: size_of::<T>() }
    }
}

impl<'a, T: Copy> ViewMut<'a, T> {
    /// A layout over a slice, with index (0, …, 0) at `data[offset]`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::SelfOverlap`] and those of [`reach`].
    pub fn new(data: &'a mut [T], shape: &'a [usize], strides: &'a [isize], offset: usize) -> Result<Self, Error> {
        check_bounds(data.len(), shape, strides, offset)?;
        let start = data.as_mut_ptr().wrapping_add(offset);
        // SAFETY: all that the layout reaches from `offset` lies in `data`, which is borrowed exclusively for `'a`.
        unsafe { ViewMut::from_raw_parts(start, shape, strides) }
    }

    /// A layout over a slice, its lowest element at `data[0]`.
    ///
    /// # Errors
    /// As [`ViewMut::new`].
    pub fn of(data: &'a mut [T], layout: &'a Layout) -> Result<Self, Error> {
        ViewMut::new(data, layout.shape(), layout.strides(), usize::try_from(-layout.reach().0).unwrap_or(0))
    }

    /// A view of foreign memory; that the layout is injective is checked here.
    ///
    /// # Errors
    /// [`Error::SelfOverlap`].
    ///
    /// # Safety
    /// `shape` and `strides` satisfy conditions 1 to 3 of [`crate::layout`], and every element reached from `start` is
    /// valid for writing, aligned, and reached by nothing else for as long as `'a`. It need not be a meaningful
    /// number, but must be initialised.
    pub unsafe fn from_raw_parts(start: *mut T, shape: &'a [usize], strides: &'a [isize]) -> Result<Self, Error> {
        if !is_injective(shape, strides) {
            return Err(Error::SelfOverlap { shape: shape.to_vec(), strides: strides.to_vec() });
        }
        Ok(ViewMut { start, shape, strides, memory: PhantomData })
    }

    /// Extents.
    pub const fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Strides in elements.
    pub const fn strides(&self) -> &'a [isize] {
        self.strides
    }

    /// The element at index (0, …, 0); not to be used if the view is empty.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.start
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The same tensor, borrowed for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut { start: self.start, shape: self.shape, strides: self.strides, memory: PhantomData }
    }

    /// The same tensor, to be read.
    pub fn as_view(&self) -> View<'_, T> {
        // SAFETY: the elements belong to `self`, which is borrowed for as long as the new view lives.
        unsafe { View::from_raw_parts(self.start, self.shape, self.strides) }
    }

    /// Writes the element at an index from 0.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] outside of the shape.
    pub fn set(&mut self, index: &[usize], value: T) -> Result<(), Error> {
        let Some(offset) = offset_of(index, self.shape, self.strides) else {
            return Err(Error::OutOfBounds { reach: (0, 0), len: self.shape.iter().product() });
        };
        // SAFETY: the index lies in the shape, so the invariant covers the element.
        unsafe { *self.start.offset(offset) = value };
        Ok(())
    }

    /// The memory that the view covers.
    pub fn region(&self) -> Region<'a> {
        Region { address: self.start as usize, shape: self.shape, strides: self.strides, element: size_of::<T>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let mut data = [0.0f64; 6];
        assert!(View::new(&data, &[2, 3], &[1, 2], 0).is_ok());
        assert!(matches!(View::new(&data, &[2, 3], &[1, 2], 1), Err(Error::OutOfBounds { .. })));
        assert!(matches!(View::new(&data, &[2], &[-1], 0), Err(Error::OutOfBounds { .. })));
        assert!(View::new(&data, &[100], &[0], 5).is_ok());
        assert!(View::new(&data, &[0, 3], &[1, 2], 100).is_ok());
        assert!(View::new(&data, &[], &[], 5).is_ok());
        assert!(View::new(&data, &[], &[], 6).is_err());
        assert!(matches!(ViewMut::new(&mut data, &[2], &[0], 0), Err(Error::SelfOverlap { .. })));
        assert!(ViewMut::new(&mut data, &[2, 3], &[3, 1], 0).is_ok());
    }

    #[test]
    fn reads_and_writes_land_where_the_layout_says() {
        let mut data: Vec<f64> = (0..12).map(f64::from).collect();
        let mut view = ViewMut::new(&mut data, &[3, 2], &[-4, 1], 9).unwrap();
        view.set(&[2, 1], -1.0).unwrap();
        assert_eq!(view.as_view().get(&[1, 0]), Some(5.0));
        assert_eq!(view.reborrow().as_view().get(&[3, 0]), None);
        assert!(view.set(&[0, 2], 0.0).is_err());
        assert!(view.set(&[0], 0.0).is_err());
        assert_eq!(data[2], -1.0);
    }
}
