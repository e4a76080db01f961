//! Tensors as other libraries hand them over: DLPack's `DLTensor` (dlpack.h, version 1).
//!
//! Strides count elements. NULL strides mean row-major before version 1.2 and are forbidden after it: they are accepted
//! here and never made. `byte_offset` is always added; only the element's own alignment is relied on.

use std::borrow::Cow;
use std::ffi::c_void;
use std::marker::PhantomData;

use crate::layout::{reach, row_major_strides};
use crate::semiring::Plain;
use crate::{DType, Error, Layout, Region, Scalar, View, ViewMut};

/// The kind and number of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// 1 is the host's memory, the only kind taken here.
    pub device_type: i32,
    /// Which of several.
    pub device_id: i32,
}

/// An element type.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// 2: floating point; 5: complex.
    pub code: u8,
    /// Bits of one element.
    pub bits: u8,
    /// Elements of a vector type; 1 here.
    pub lanes: u16,
}

/// A borrowed tensor.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Start of the memory; may be NULL without elements.
    pub data: *mut c_void,
    /// Where the memory is.
    pub device: DLDevice,
    /// Number of axes.
    pub ndim: i32,
    /// Element type.
    pub dtype: DLDataType,
    /// Extents, `ndim` of them.
    pub shape: *mut i64,
    /// Strides in elements, `ndim` of them, or NULL for row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the element at index (0, …, 0).
    pub byte_offset: u64,
}

const CPU: i32 = 1;
const FLOAT: u8 = 2;
const COMPLEX: u8 = 5;

impl From<DType> for DLDataType {
    fn from(dtype: DType) -> DLDataType {
        let code = if dtype.is_complex() { COMPLEX } else { FLOAT };
        DLDataType { code, bits: 8 * dtype.size() as u8, lanes: 1 }
    }
}

impl TryFrom<DLDataType> for DType {
    type Error = Error;
    fn try_from(dtype: DLDataType) -> Result<DType, Error> {
        match (dtype.code, dtype.bits, dtype.lanes) {
            (FLOAT, 32, 1) => Ok(DType::F32),
            (FLOAT, 64, 1) => Ok(DType::F64),
            (COMPLEX, 64, 1) => Ok(DType::C32),
            (COMPLEX, 128, 1) => Ok(DType::C64),
            _ => Err(Error::ElementType(dtype)),
        }
    }
}

impl DLTensor {
    /// The element at index (0, …, 0), if this is a tensor of the host's memory with elements of type `T` that lies
    /// exactly as `layout` says; `None` for any other, with strides that are NULL among them, and for one that is to be
    /// refused.
    ///
    /// This is [`Borrowed::new`] for layouts that are known to be good: nothing about them is checked again.
    ///
    /// # Safety
    /// `shape` and `strides` lead to `ndim` integers, or are NULL.
    pub unsafe fn matches<T: Scalar>(&self, layout: &Layout) -> Option<*mut T> {
        let rank = layout.shape().len();
        let dtype = DLDataType::from(T::DTYPE);
        if self.device.device_type != CPU || self.dtype != dtype || self.ndim != rank as i32 {
            return None;
        }
        if rank > 0 {
            if self.shape.is_null() || self.strides.is_null() {
                return None;
            }
            // SAFETY: the caller's promise; not NULL.
            let (shape, strides) = unsafe {
                (std::slice::from_raw_parts(self.shape, rank), std::slice::from_raw_parts(self.strides, rank))
            };
            // Few numbers each: compared one by one, and without a branch for each.
            let axes = shape.iter().zip(strides).zip(layout.shape().iter().zip(layout.strides()));
            let differs = axes.fold(0, |all, ((&n, &s), (&m, &t))| all | (n ^ m as i64) | (s ^ t as i64));
            if differs != 0 {
                return None;
            }
        }
        let start = self.data.wrapping_byte_add(self.byte_offset as usize).cast::<T>();
        // A tensor without elements goes the other way, where its pointer does not count.
        (!self.data.is_null() && start as usize % T::DTYPE.alignment() == 0).then_some(start)
    }
}

/// A `DLTensor` whose layout has been checked; views of it cost nothing more.
#[derive(Clone, Debug)]
pub struct Borrowed<'a> {
    memory: Memory<'a>,
    dtype: DType,
}

/// A `DLTensor` with elements of one given type, also one that is no [`Scalar`], whose layout has been checked.
#[derive(Clone, Debug)]
pub struct Typed<'a, T> {
    memory: Memory<'a>,
    element: PhantomData<T>,
}

#[derive(Clone, Debug)]
struct Memory<'a> {
    start: *mut c_void,
    shape: &'a [usize],
    strides: Cow<'a, [isize]>,
}

// DLPack's 64-bit extents are read in place as the host's own integers.
const _: () = assert!(size_of::<usize>() == 8, "the engine needs a 64-bit target");

impl<'a> Memory<'a> {
    /// # Safety
    /// As [`Borrowed::new`].
    unsafe fn new(tensor: &'a DLTensor, alignment: usize) -> Result<Memory<'a>, Error> {
        let rank = usize::try_from(tensor.ndim).map_err(|_| Error::DLPack("the number of axes is negative"))?;
        if rank > 0 && tensor.shape.is_null() {
            return Err(Error::DLPack("the shape is NULL"));
        }
        let extents: &'a [i64] = match rank {
            0 => &[],
            // SAFETY: the caller's promise; not NULL.
            _ => unsafe { std::slice::from_raw_parts(tensor.shape, rank) },
        };
        if let Some(axis) = extents.iter().position(|&extent| extent < 0) {
            return Err(Error::NegativeExtent { axis, extent: extents[axis] });
        }
        // SAFETY: i64 and usize have the same size, and no extent is negative.
        let shape: &'a [usize] = unsafe { std::slice::from_raw_parts(extents.as_ptr().cast(), rank) };
        let strides: Cow<'a, [isize]> = match rank {
            0 => Cow::Borrowed(&[]),
            _ if tensor.strides.is_null() => Cow::Owned(row_major_strides(shape)),
            // SAFETY: the caller's promise; i64 and isize are the same.
            _ => Cow::Borrowed(unsafe { std::slice::from_raw_parts(tensor.strides.cast::<isize>(), rank) }),
        };
        reach(shape, &strides)?;
        let mut start = tensor.data.wrapping_byte_add(tensor.byte_offset as usize);
        if shape.contains(&0) {
            start = std::ptr::without_provenance_mut(16); // never followed; aligned for any type, and not NULL
        } else if tensor.data.is_null() {
            return Err(Error::DLPack("the data pointer is NULL"));
        } else if start as usize % alignment != 0 {
            return Err(Error::DLPack("the data is not aligned to its element type"));
        }
        Ok(Memory { start, shape, strides })
    }

    /// # Safety
    /// The memory holds elements of type `T`, and nothing writes them while the view lives.
    unsafe fn view<T: Copy>(&self) -> View<'_, T> {
        // SAFETY: the layout was checked, and the caller vouches for the memory.
        unsafe { View::from_raw_parts(self.start.cast(), self.shape, &self.strides) }
    }

    /// # Safety
    /// The memory holds elements of type `T`, and nothing else reads or writes them while the view lives.
    unsafe fn view_mut<T: Copy>(&self) -> Result<ViewMut<'_, T>, Error> {
        // SAFETY: the layout was checked, and the caller vouches for the memory.
        unsafe { ViewMut::from_raw_parts(self.start.cast(), self.shape, &self.strides) }
    }
}

fn on_host(tensor: &DLTensor) -> Result<(), Error> {
    match tensor.device.device_type {
        CPU => Ok(()),
        _ => Err(Error::DLPack("the tensor is not in the host's memory (DLPack device type 1)")),
    }
}

impl<'a> Borrowed<'a> {
    /// Checks everything about a tensor that can be checked.
    ///
    /// # Errors
    /// [`Error::DLPack`] for another device, missing pointers or misaligned data; [`Error::ElementType`];
    /// [`Error::NegativeExtent`]; [`Error::TooLarge`].
    ///
    /// # Safety
    /// For as long as `'a`: `shape` and, unless NULL, `strides` lead to `ndim` integers that are not written, and
    /// `data` leads to memory that holds the layout they describe.
    pub unsafe fn new(tensor: &'a DLTensor) -> Result<Borrowed<'a>, Error> {
        on_host(tensor)?;
        let dtype = DType::try_from(tensor.dtype)?;
        // SAFETY: the caller's promise.
        Ok(Borrowed { memory: unsafe { Memory::new(tensor, dtype.alignment()) }?, dtype })
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Extents.
    pub fn shape(&self) -> &'a [usize] {
        self.memory.shape
    }

    /// The memory that the tensor covers.
    pub fn region(&self) -> Region<'_> {
        let (address, element) = (self.memory.start as usize, self.dtype.size());
        Region { address, shape: self.memory.shape, strides: &self.memory.strides, element }
    }

    /// The tensor, to be read; `None` if its elements are of another type.
    ///
    /// # Safety
    /// Nothing writes the tensor's elements while the view lives.
    pub unsafe fn view<T: Scalar>(&self) -> Option<View<'_, T>> {
        // SAFETY: the type is the tensor's; else the caller's promise.
        (self.dtype == T::DTYPE).then(|| unsafe { self.memory.view() })
    }

    /// The tensor, to be written; `None` if its elements are of another type.
    ///
    /// # Errors
    /// [`Error::SelfOverlap`].
    ///
    /// # Safety
    /// Nothing else reads or writes the tensor's elements while the view lives.
    pub unsafe fn view_mut<T: Scalar>(&self) -> Option<Result<ViewMut<'_, T>, Error>> {
        // SAFETY: the type is the tensor's; else the caller's promise.
        (self.dtype == T::DTYPE).then(|| unsafe { self.memory.view_mut() })
    }
}

impl<'a, T: Plain> Typed<'a, T> {
    /// As [`Borrowed::new`], for a tensor whose elements are to be of type `T`.
    ///
    /// # Errors
    /// As [`Borrowed::new`]; [`Error::ElementType`] for elements of any other type.
    ///
    /// # Safety
    /// As [`Borrowed::new`].
    pub unsafe fn new(tensor: &'a DLTensor) -> Result<Typed<'a, T>, Error> {
        on_host(tensor)?;
        if tensor.dtype != T::DATA_TYPE {
            return Err(Error::ElementType(tensor.dtype));
        }
        // SAFETY: the caller's promise.
        Ok(Typed { memory: unsafe { Memory::new(tensor, align_of::<T>()) }?, element: PhantomData })
    }

    /// The tensor, to be read.
    ///
    /// # Safety
    /// Nothing writes the tensor's elements while the view lives.
    pub unsafe fn view(&self) -> View<'_, T> {
        // SAFETY: the type is the tensor's; else the caller's promise.
        unsafe { self.memory.view() }
    }

    /// The tensor, to be written.
    ///
    /// # Errors
    /// [`Error::SelfOverlap`].
    ///
    /// # Safety
    /// Nothing else reads or writes the tensor's elements while the view lives.
    pub unsafe fn view_mut(&self) -> Result<ViewMut<'_, T>, Error> {
        // SAFETY: the type is the tensor's; else the caller's promise.
        unsafe { self.memory.view_mut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(data: &mut [f64], shape: &mut [i64], strides: Option<&mut [i64]>) -> DLTensor {
        DLTensor {
            data: data.as_mut_ptr().cast(),
            device: DLDevice { device_type: CPU, device_id: 0 },
            ndim: shape.len() as i32,
            dtype: DType::F64.into(),
            shape: shape.as_mut_ptr(),
            strides: strides.map_or(std::ptr::null_mut(), <[i64]>::as_mut_ptr),
            byte_offset: 0,
        }
    }

    fn refused(change: impl Fn(&mut DLTensor)) -> Error {
        let (mut data, mut shape, mut strides) = ([0.0; 6], [2, 3], [1, 2]);
        let mut tensor = tensor(&mut data, &mut shape, Some(&mut strides));
        change(&mut tensor);
        // SAFETY: the pointers lead to the arrays above, or are NULL.
        unsafe { Borrowed::new(&tensor) }.unwrap_err()
    }

    #[test]
    fn every_type_goes_there_and_back() {
        for dtype in DType::ALL {
            assert_eq!(DType::try_from(DLDataType::from(dtype)), Ok(dtype));
        }
        for odd in [(0, 64, 1), (2, 16, 1), (2, 64, 2), (5, 32, 1), (1, 8, 1)] {
            assert!(DType::try_from(DLDataType { code: odd.0, bits: odd.1, lanes: odd.2 }).is_err());
        }
    }

    #[test]
    fn strides_offset_and_missing_strides() {
        let (mut data, mut shape, mut strides) = ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], [-1, 2]);
        let mut dl = tensor(&mut data, &mut shape, Some(&mut strides));
        dl.byte_offset = 16;
        // SAFETY: the pointers lead to the arrays above, and the layout reaches elements 1 to 6.
        let borrowed = unsafe { Borrowed::new(&dl) }.unwrap();
        // SAFETY: nothing writes them.
        let view = unsafe { borrowed.view::<f64>() }.unwrap();
        assert_eq!((view.get(&[0, 0]), view.get(&[1, 2])), (Some(2.0), Some(5.0)));
        // SAFETY: nothing writes them.
        assert!(unsafe { borrowed.view::<f32>() }.is_none());
        let dl = tensor(&mut data, &mut shape, None);
        // SAFETY: as above.
        let borrowed = unsafe { Borrowed::new(&dl) }.unwrap();
        // SAFETY: this view is the only one in use.
        let mut view = unsafe { borrowed.view_mut::<f64>() }.unwrap().unwrap();
        view.set(&[1, 0], 30.0).unwrap();
        assert_eq!(data[3], 30.0);
    }

    #[test]
    fn a_known_layout_is_recognised_and_nothing_else() {
        let known = Layout::new(&[2, 3], &[-1, 2]).unwrap();
        let matches = |change: &dyn Fn(&mut DLTensor)| {
            let (mut data, mut shape, mut strides) = ([0.0f64; 7], [2, 3], [-1, 2]);
            let mut dl = tensor(&mut data[1..], &mut shape, Some(&mut strides));
            change(&mut dl);
            // SAFETY: the pointers lead to the arrays above, or are NULL.
            let start = unsafe { dl.matches::<f64>(&known) };
            start.map(|start| start as usize - data.as_ptr() as usize)
        };
        assert_eq!(matches(&|_| ()), Some(8));
        assert_eq!(matches(&|t| t.byte_offset = 16), Some(24));
        assert_eq!(matches(&|t| t.byte_offset = 4), None);
        assert_eq!(matches(&|t| t.device.device_type = 2), None);
        assert_eq!(matches(&|t| t.dtype = DType::C64.into()), None);
        assert_eq!(matches(&|t| t.dtype.lanes = 2), None);
        assert_eq!(matches(&|t| t.ndim = 1), None);
        assert_eq!(matches(&|t| t.ndim = -1), None);
        assert_eq!(matches(&|t| t.data = std::ptr::null_mut()), None);
        assert_eq!(matches(&|t| t.shape = std::ptr::null_mut()), None);
        assert_eq!(matches(&|t| t.strides = std::ptr::null_mut()), None);
        let mut other = [2i64, 4];
        let address = other.as_mut_ptr() as usize;
        assert_eq!(matches(&|t| t.shape = address as *mut i64), None);
        assert_eq!(matches(&|t| t.strides = address as *mut i64), None);
        let scalar = Layout::new(&[], &[]).unwrap();
        let dl = tensor(&mut [1.0], &mut [], None);
        // SAFETY: there are no axes.
        assert!(unsafe { dl.matches::<f64>(&scalar) }.is_some());
    }

    #[test]
    fn what_cannot_be_taken() {
        assert!(matches!(refused(|t| t.device.device_type = 2), Error::DLPack(_)));
        assert!(matches!(refused(|t| t.ndim = -1), Error::DLPack(_)));
        assert!(matches!(refused(|t| t.shape = std::ptr::null_mut()), Error::DLPack(_)));
        assert!(matches!(refused(|t| t.data = std::ptr::null_mut()), Error::DLPack(_)));
        assert!(matches!(refused(|t| t.byte_offset = 3), Error::DLPack(_)));
        assert!(matches!(refused(|t| t.dtype.bits = 16), Error::ElementType(_)));
        let (mut data, mut shape, mut strides) = ([0.0; 6], [2, -3], [1, 2]);
        let dl = tensor(&mut data, &mut shape, Some(&mut strides));
        // SAFETY: the pointers lead to the arrays above.
        assert_eq!(unsafe { Borrowed::new(&dl) }.unwrap_err(), Error::NegativeExtent { axis: 1, extent: -3 });
        let (mut shape, mut strides) = ([i64::MAX, i64::MAX], [1, 1]);
        let dl = tensor(&mut data, &mut shape, Some(&mut strides));
        // SAFETY: no element is reached before the extents are refused.
        assert!(matches!(unsafe { Borrowed::new(&dl) }.unwrap_err(), Error::TooLarge { .. }));
    }

    #[test]
    fn no_elements_need_no_data() {
        let (mut shape, mut strides) = ([0, 3], [1, 0]);
        let mut dl = tensor(&mut [], &mut shape, Some(&mut strides));
        dl.data = std::ptr::null_mut();
        // SAFETY: there are no elements.
        let borrowed = unsafe { Borrowed::new(&dl) }.unwrap();
        // SAFETY: there are no elements.
        assert!(unsafe { borrowed.view_mut::<f64>() }.unwrap().unwrap().is_empty());
    }
}
