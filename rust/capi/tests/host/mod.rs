//! Tensors of a foreign host, for the tests of the functions.

use std::ffi::CStr;

use tensoroxide::tox_last_error;
use tensoroxide_tensor::dlpack::{DLDevice, DLTensor};
use tensoroxide_tensor::{Complex64, Scalar};

/// A dense column-major tensor and what a `DLTensor` points to.
pub(crate) struct Host<T> {
    pub(crate) data: Vec<T>,
    pub(crate) shape: Vec<i64>,
    pub(crate) strides: Vec<i64>,
}

impl<T: Scalar> Host<T> {
    pub(crate) fn new(shape: &[i64], value: impl Fn(usize) -> f64) -> Host<T> {
        let strides =
            shape.iter().scan(1, |step, &extent| Some(std::mem::replace(step, *step * extent.max(1)))).collect();
        let count = shape.iter().product::<i64>() as usize;
        let data = (0..count).map(|i| T::from_c64(Complex64::new(value(i), -value(i) / 2.0))).collect();
        Host { data, shape: shape.to_vec(), strides }
    }

    pub(crate) fn tensor(&mut self) -> DLTensor {
        DLTensor {
            data: self.data.as_mut_ptr().cast(),
            device: DLDevice { device_type: 1, device_id: 0 },
            ndim: self.shape.len() as i32,
            dtype: T::DTYPE.into(),
            shape: self.shape.as_mut_ptr(),
            strides: self.strides.as_mut_ptr(),
            byte_offset: 0,
        }
    }
}

/// The text of this thread's last failure.
pub(crate) fn last_error() -> String {
    // SAFETY: the text lives until this thread's next failure.
    unsafe { CStr::from_ptr(tox_last_error()) }.to_str().unwrap().to_owned()
}
