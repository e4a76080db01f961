//! Owned memory: aligned, zeroed, never moved.

use std::alloc::{alloc, alloc_zeroed, dealloc, Layout};
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;

use crate::{Error, Scalar};

/// Alignment of every buffer: a cache line, and the widest vector register.
const ALIGNMENT: usize = 64;
/// From so many bytes on, a buffer starts where a huge page of the processor does, and asks the system for such pages.
const HUGE: usize = 2 * PAGE;
const PAGE: usize = 2 << 20;

/// A fixed number of elements at a cache line's start, all 0 at first.
pub struct Buffer<T: Scalar> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: a buffer owns its elements, and `Scalar` is `Send`.
unsafe impl<T: Scalar> Send for Buffer<T> {}
// SAFETY: a shared buffer only hands out shared slices, and `Scalar` is `Sync`.
unsafe impl<T: Scalar> Sync for Buffer<T> {}

impl<T: Scalar> Buffer<T> {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn zeroed(len: usize) -> Result<Buffer<T>, Error> {
        let Some(layout) = Self::memory(len) else {
            return Err(Error::OutOfMemory { bytes: len.saturating_mul(size_of::<T>()) });
        };
        if len == 0 {
            return Ok(Buffer { start: NonNull::dangling(), len });
        }
        // SAFETY: the layout's size is not 0.
        let start = unsafe {
            if layout.align() == PAGE {
                huge_zeroed(layout)
            } else {
                alloc_zeroed(layout)
            }
        };
        // Zero bits are a valid element, as `Scalar` promises.
        let start = NonNull::new(start.cast());
        start.map(|start| Buffer { start, len }).ok_or(Error::OutOfMemory { bytes: layout.size() })
    }

    fn memory(len: usize) -> Option<Layout> {
        let bytes = len.checked_mul(size_of::<T>())?;
        Layout::from_size_align(bytes, if bytes >= HUGE { PAGE } else { ALIGNMENT }).ok()
    }

    /// Exclusive slices of several ranges at once; `None` if two ranges that are not empty meet, or one leaves the
    /// buffer.
    ///
    /// ```
    /// use tensoroxide_tensor::Buffer;
    /// let mut buffer = Buffer::<f64>::zeroed(10)?;
    /// let [a, b] = buffer.disjoint_mut([0..4, 4..10]).unwrap();
    /// a[3] = 1.0;
    /// b[0] = a[3];
    /// assert_eq!(buffer[4], 1.0);
    /// assert!(buffer.disjoint_mut([0..4, 3..5]).is_none());
    /// # Ok::<(), tensoroxide_tensor::Error>(())
    /// ```
    pub fn disjoint_mut<const N: usize>(&mut self, ranges: [Range<usize>; N]) -> Option<[&mut [T]; N]> {
        let inside = |range: &Range<usize>| range.start <= range.end && range.end <= self.len;
        let meet = |a: &Range<usize>, b: &Range<usize>| a.start.max(b.start) < a.end.min(b.end);
        if !ranges.iter().all(inside) || (1..N).any(|i| ranges[..i].iter().any(|r| meet(r, &ranges[i]))) {
            return None;
        }
        // SAFETY: every range lies inside the buffer and no two of them share an element, so the slices are exclusive;
        // they borrow `self` mutably.
        Some(ranges.map(|range| unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr().add(range.start), range.end - range.start)
        }))
    }
}

/// Zeros on huge pages where the system has them: a tensor that is walked across its columns meets a new page at each
/// step, and a processor remembers the places of some thousand pages only. A fresh one also comes with 512 times fewer
/// faults.
///
/// # Safety
/// The size is not 0.
unsafe fn huge_zeroed(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise; what was allocated may be written, and whole pages of it may be advised on.
    unsafe {
        let start = alloc(layout);
        if !start.is_null() {
            advise(start, layout.size() / PAGE * PAGE);
            start.write_bytes(0, layout.size());
        }
        start
    }
}

/// Asks for huge pages. They are faster, and nothing else: whether the system has any does not matter.
///
/// # Safety
/// These bytes are ours, from the start of a page on.
unsafe fn advise(start: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        extern "C" {
            fn madvise(start: *mut u8, bytes: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
        }
        const MADV_HUGEPAGE: std::ffi::c_int = 14;
        // SAFETY: the caller's promise; the advice changes no byte.
        unsafe { madvise(start, bytes, MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

impl<T: Scalar> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `start` is aligned and leads to `len` initialised elements (dangling only for none), owned by `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Scalar> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Scalar> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let (Some(layout), true) = (Self::memory(self.len), self.len > 0) {
            // SAFETY: `start` came from `alloc_zeroed` with this very layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl<T: Scalar> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer<{}>({})", T::DTYPE, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Complex64;

    #[test]
    fn zeroed_aligned_and_freed() {
        for len in [0, 1, 7, 4096, HUGE / 16, HUGE / 16 + 1] {
            let mut buffer = Buffer::<Complex64>::zeroed(len).unwrap();
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&z| z == Complex64::ZERO));
            assert!(len == 0 || buffer.as_ptr() as usize % ALIGNMENT == 0);
            buffer.iter_mut().for_each(|z| *z = Complex64::ONE);
            assert!(buffer.iter().all(|&z| z == Complex64::ONE));
        }
    }

    #[test]
    fn too_much_is_an_error() {
        assert!(matches!(Buffer::<f64>::zeroed(usize::MAX), Err(Error::OutOfMemory { .. })));
        assert!(matches!(Buffer::<f64>::zeroed(isize::MAX as usize / 8), Err(Error::OutOfMemory { .. })));
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges, clippy::single_range_in_vec_init)] // such ranges are among the cases
    fn disjoint_ranges_only() {
        let mut buffer = Buffer::<f32>::zeroed(8).unwrap();
        assert!(buffer.disjoint_mut([0..3, 5..8, 3..5]).is_some());
        assert!(buffer.disjoint_mut([2..2, 0..8]).is_some());
        assert!(buffer.disjoint_mut([0..9]).is_none());
        assert!(buffer.disjoint_mut([5..3]).is_none());
        assert!(buffer.disjoint_mut([0..2, 4..6, 1..3]).is_none());
    }
}
