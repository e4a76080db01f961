//! Tensors in memory, their element type known at run time: what is written to a file, and where it is read to.

use std::marker::PhantomData;

use tensoroxide_tensor::kernels::axpby;
use tensoroxide_tensor::layout::{column_major_strides, element_count};
use tensoroxide_tensor::{Complex32, Complex64, Error, Scalar, Threads, View, ViewMut};

use crate::{Element, Stored};

/// A tensor that is written to a file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    element: Element,
    start: *const u8,
    shape: &'a [usize],
    strides: &'a [isize],
    conj: bool,
    memory: PhantomData<&'a [u8]>,
}

/// A tensor that is read from a file.
#[derive(Debug)]
pub struct Target<'a> {
    element: Element,
    start: *mut u8,
    shape: &'a [usize],
    strides: &'a [isize],
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Source<'a> {
    /// The tensor, or with `conj` its complex conjugate.
    pub fn new<T: Stored>(view: &View<'a, T>, conj: bool) -> Source<'a> {
        // SAFETY: a view covers elements of its type for as long as `'a`.
        unsafe { Source::from_raw_parts(T::ELEMENT, view.as_ptr().cast(), view.shape(), view.strides(), conj) }
    }

    /// # Safety
    /// As [`View::from_raw_parts`], of elements of this type.
    pub unsafe fn from_raw_parts(
        element: Element,
        start: *const u8,
        shape: &'a [usize],
        strides: &'a [isize],
        conj: bool,
    ) -> Source<'a> {
        Source { element, start, shape, strides, conj: conj && element.is_complex(), memory: PhantomData }
    }

    /// Element type.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Extents.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// The elements in column-major order, if they lie so.
    pub(crate) fn dense(&self) -> Option<*const u8> {
        (!self.conj && is_dense(self.shape, self.strides)).then_some(self.start)
    }

    /// The elements of a block, in column-major order.
    pub(crate) fn pack(&self, first: &[usize], count: &[usize]) -> Result<Room, Error> {
        let mut room = Room::new(count, self.element)?;
        let strides = column_major_strides(count);
        // SAFETY: the block lies within the tensor, whose elements are of this type and are not written; the room was
        // made for the block. Without elements the pointer is not followed.
        unsafe {
            let from = self.start.wrapping_offset(offset(first, self.strides, self.element.size()));
            copy(self.element, count, (from, self.strides), (room.start(), &strides), self.conj)?;
        }
        Ok(room)
    }
}

impl<'a> Target<'a> {
    /// The tensor that is to be overwritten.
    pub fn new<T: Stored>(mut view: ViewMut<'a, T>) -> Target<'a> {
        let (shape, strides) = (view.shape(), view.strides());
        // SAFETY: a mutable view owns the elements that it covers for as long as `'a`, and its layout is injective.
        unsafe { Target::from_raw_parts(T::ELEMENT, view.as_mut_ptr().cast(), shape, strides) }
    }

    /// # Safety
    /// As [`ViewMut::from_raw_parts`], of elements of this type; the layout is injective.
    pub unsafe fn from_raw_parts(
        element: Element,
        start: *mut u8,
        shape: &'a [usize],
        strides: &'a [isize],
    ) -> Target<'a> {
        Target { element, start, shape, strides, memory: PhantomData }
    }

    /// Element type.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Extents.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Where the elements lie, if it is in column-major order.
    pub(crate) fn dense(&mut self) -> Option<*mut u8> {
        is_dense(self.shape, self.strides).then_some(self.start)
    }

    /// Writes a block whose elements are in the room in column-major order.
    pub(crate) fn unpack(&mut self, first: &[usize], count: &[usize], room: &Room) -> Result<(), Error> {
        let strides = column_major_strides(count);
        // SAFETY: the block lies within the tensor, which `self` owns and is injective; the room holds the block.
        unsafe {
            let to = self.start.wrapping_offset(offset(first, self.strides, self.element.size()));
            copy(self.element, count, (room.as_ptr(), &strides), (to, self.strides), false)
        }
    }
}

/// Memory for the elements of one block.
pub(crate) struct Room {
    words: Vec<u64>,
    bytes: usize,
}

impl Room {
    /// Zeros.
    pub(crate) fn new(shape: &[usize], element: Element) -> Result<Room, Error> {
        Room::of_bytes(element_count(shape)? * element.size())
    }

    pub(crate) fn of_bytes(bytes: usize) -> Result<Room, Error> {
        let mut words = Vec::new();
        let count = bytes.div_ceil(size_of::<u64>());
        words.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { bytes })?;
        words.resize(count, 0);
        Ok(Room { words, bytes })
    }

    pub(crate) fn start(&mut self) -> *mut u8 {
        self.words.as_mut_ptr().cast()
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.words.as_ptr().cast()
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: so many bytes are initialised, and a byte may have any value.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.bytes) }
    }
}

fn offset(first: &[usize], strides: &[isize], size: usize) -> isize {
    first.iter().zip(strides).map(|(&i, &stride)| i as isize * stride).sum::<isize>() * size as isize
}

/// Whether elements follow each other without gaps, the first axis fastest.
fn is_dense(shape: &[usize], strides: &[isize]) -> bool {
    let mut step = 1;
    shape.contains(&0)
        || shape.iter().zip(strides).filter(|(&extent, _)| extent != 1).all(|(&extent, &stride)| {
            let fits = stride == step;
            step *= extent as isize;
            fits
        })
}

/// Copies a tensor, conjugated if `conj`. Numbers of equal size are moved alike, whatever they mean.
///
/// # Safety
/// Both layouts are valid for the shape and elements of this type; what is written is reached by nothing else, and
/// injective.
unsafe fn copy(
    element: Element,
    shape: &[usize],
    from: (*const u8, &[isize]),
    to: (*mut u8, &[isize]),
    conj: bool,
) -> Result<(), Error> {
    if shape.contains(&0) {
        return Ok(());
    }
    // SAFETY: the caller's promise; the types have the elements' size, and no greater alignment.
    unsafe {
        match element {
            Element::C32 => moved::<Complex32>(shape, from, to, conj),
            Element::C64 => moved::<Complex64>(shape, from, to, conj),
            _ if element.size() == 8 => moved::<f64>(shape, from, to, false),
            _ if element.size() == 4 => moved::<f32>(shape, from, to, false),
            _ => {
                bytes(shape, from, to);
                Ok(())
            }
        }
    }
}

/// # Safety
/// As [`copy`].
unsafe fn moved<T: Scalar>(
    shape: &[usize],
    from: (*const u8, &[isize]),
    to: (*mut u8, &[isize]),
    conj: bool,
) -> Result<(), Error> {
    // SAFETY: the caller's promise. That the layouts are checked for larger elements does no harm.
    let (from, to) = unsafe {
        (
            View::<T>::from_raw_parts(from.0.cast(), shape, from.1),
            ViewMut::<T>::from_raw_parts(to.0.cast(), shape, to.1)?,
        )
    };
    axpby(T::ONE, from, conj, T::ZERO, to, Threads::ONE)
}

/// # Safety
/// As [`copy`], of elements of one byte.
unsafe fn bytes(shape: &[usize], from: (*const u8, &[isize]), to: (*mut u8, &[isize])) {
    let Some((&extent, outer)) = shape.split_last() else {
        // SAFETY: the caller's promise.
        unsafe { *to.0 = *from.0 };
        return;
    };
    let last = outer.len();
    for i in 0..extent as isize {
        // SAFETY: the index is below the extent.
        unsafe {
            let (source, target) = (from.0.offset(i * from.1[last]), to.0.offset(i * to.1[last]));
            bytes(outer, (source, &from.1[..last]), (target, &to.1[..last]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Layout;

    #[test]
    fn dense_layouts() {
        assert!(is_dense(&[], &[]) && is_dense(&[2, 3], &[1, 2]) && is_dense(&[2, 1, 3], &[1, 77, 2]));
        assert!(is_dense(&[0, 3], &[5, 5]) && is_dense(&[1], &[-4]));
        assert!(!is_dense(&[2, 3], &[3, 1]) && !is_dense(&[2, 3], &[1, 3]) && !is_dense(&[2], &[-1]));
    }

    /// Packs a block and unpacks it into a mirrored tensor.
    fn there_and_back<T: Stored + Default + PartialEq + std::fmt::Debug>(value: impl Fn(usize) -> T) {
        let data: Vec<T> = (0..24).map(value).collect();
        let (shape, strides) = ([2, 3, 4], [-12, 4, 1]);
        let source = Source::new(&View::new(&data, &shape, &strides, 12).unwrap(), false);
        let room = source.pack(&[0, 1, 2], &[2, 2, 2]).unwrap();
        let mut back = vec![T::default(); 24];
        let mut target = Target::new(ViewMut::new(&mut back, &shape, &strides, 12).unwrap());
        target.unpack(&[0, 1, 2], &[2, 2, 2], &room).unwrap();
        for (at, (&x, &y)) in back.iter().zip(&data).enumerate() {
            let (j, k) = (at % 12 / 4, at % 4);
            assert_eq!(x, if j >= 1 && k >= 2 { y } else { T::default() });
        }
    }

    #[test]
    fn blocks_of_every_type() {
        there_and_back(|i| i as f32);
        there_and_back(|i| i as f64);
        there_and_back(|i| Complex32::new(i as f32, 1.0));
        there_and_back(|i| Complex64::new(i as f64, 1.0));
        there_and_back(|i| -(i as i8));
        there_and_back(|i| i as u8);
        // Bits that are signalling NaNs as floating point: they have to arrive as they are.
        there_and_back(|i| 0x7f80_0001 + i as i32);
        there_and_back(|i| 0x7f80_0001 + i as u32);
        there_and_back(|i| 0x7ff0_0000_0000_0001 + i as i64);
        there_and_back(|i| 0x7ff0_0000_0000_0001 + i as u64);
        there_and_back(|i| i % 2 == 0);
    }

    #[test]
    fn conjugates() {
        let data = [Complex64::new(1.0, 2.0), Complex64::new(3.0, -4.0)];
        let layout = Layout::column_major(&[2]).unwrap();
        let source = Source::new(&View::of(&data, &layout).unwrap(), true);
        assert!(source.dense().is_none());
        let room = source.pack(&[0], &[2]).unwrap();
        let numbers: Vec<f64> = room.words.iter().map(|&word| f64::from_bits(word)).collect();
        assert_eq!(numbers, [1.0, -2.0, 3.0, 4.0]);
        let real = [1.0f32];
        assert!(Source::new(&View::new(&real, &[1], &[1], 0).unwrap(), true).dense().is_some());
    }
}
