//! Owned tensors, for Rust users and for tests; the engine's own results go into memory that the caller owns.

use crate::layout::element_count;
use crate::{Buffer, Error, Layout, Scalar, View, ViewMut};

/// A layout and the memory under it.
#[derive(Debug)]
pub struct Tensor<T: Scalar> {
    data: Buffer<T>,
    layout: Layout,
}

impl<T: Scalar> Tensor<T> {
    /// Zeros over any layout; what lies between the elements is 0 as well.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn zeros(layout: Layout) -> Result<Tensor<T>, Error> {
        let (low, high) = layout.reach();
        let len = if layout.is_empty() { 0 } else { high.abs_diff(low) + 1 };
        Ok(Tensor { data: Buffer::zeroed(len)?, layout })
    }

    /// A dense column-major tensor of the values of a function of the index (from 0).
    ///
    /// ```
    /// use tensoroxide_tensor::Tensor;
    /// let t = Tensor::from_fn(&[2, 3], |i| (10 * i[0] + i[1]) as f64)?;
    /// assert_eq!(t.data(), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
    /// # Ok::<(), tensoroxide_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::TooLarge`].
    pub fn from_fn(shape: &[usize], f: impl FnMut(&[usize]) -> T) -> Result<Tensor<T>, Error> {
        let mut tensor = Tensor::zeros(Layout::column_major(shape)?)?;
        tensor.fill(f);
        Ok(tensor)
    }

    /// Writes the values of a function of the index (from 0), the first axis fastest.
    pub fn fill(&mut self, mut f: impl FnMut(&[usize]) -> T) {
        let base = self.layout.reach().0;
        let mut index = vec![0; self.layout.shape().len()];
        for _ in 0..element_count(self.layout.shape()).unwrap_or(0) {
            let at: isize = index.iter().zip(self.layout.strides()).map(|(&i, &s)| i as isize * s).sum();
            self.data[(at - base) as usize] = f(&index);
            for (i, &extent) in index.iter_mut().zip(self.layout.shape()) {
                *i += 1;
                if *i < extent {
                    break;
                }
                *i = 0;
            }
        }
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The memory, in its own order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The memory, in its own order.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// To be read.
    pub fn view(&self) -> View<'_, T> {
        // SAFETY: the buffer was made to hold what the layout reaches, and its lowest element comes first.
        unsafe { View::from_raw_parts(self.start(), self.layout.shape(), self.layout.strides()) }
    }

    /// To be written.
    ///
    /// # Errors
    /// [`Error::SelfOverlap`].
    pub fn view_mut(&mut self) -> Result<ViewMut<'_, T>, Error> {
        let start = self.data.as_mut_ptr().wrapping_offset(-self.layout.reach().0);
        // SAFETY: as in `view`, and `self` is borrowed mutably.
        unsafe { ViewMut::from_raw_parts(start, self.layout.shape(), self.layout.strides()) }
    }

    fn start(&self) -> *const T {
        self.data.as_ptr().wrapping_offset(-self.layout.reach().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_layouts_hold_their_elements() {
        let mut t = Tensor::<f64>::zeros(Layout::new(&[2, 3], &[-4, 1]).unwrap()).unwrap();
        t.fill(|i| (10 * i[0] + i[1]) as f64);
        assert_eq!(t.data(), [10.0, 11.0, 12.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(t.view().get(&[1, 2]), Some(12.0));
        t.view_mut().unwrap().set(&[1, 2], 7.0).unwrap();
        assert_eq!(t.data()[2], 7.0);
    }

    #[test]
    fn no_elements_and_one() {
        let empty = Tensor::<f32>::from_fn(&[3, 0], |_| unreachable!()).unwrap();
        assert!(empty.data().is_empty() && empty.view().is_empty());
        assert_eq!(Tensor::from_fn(&[], |_| 2.0f32).unwrap().view().get(&[]), Some(2.0));
        let repeated = Tensor::<f32>::zeros(Layout::new(&[5], &[0]).unwrap());
        assert!(matches!(repeated.unwrap().view_mut(), Err(Error::SelfOverlap { .. })));
    }
}
