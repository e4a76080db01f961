//! Element types, layouts, views, owned tensors and the kernels that move strided memory.
//!
//! Floor 1 of the engine: nothing here knows of matrices or of Einstein sums.
#![allow(unsafe_code)] // views over foreign memory are the purpose of this crate

mod buffer;
pub mod dlpack;
mod error;
pub mod kernels;
pub mod layout;
pub mod nest;
mod overlap;
mod owned;
mod pool;
mod scalar;
pub mod semiring;
pub mod simd;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod threads;
mod view;

pub use buffer::Buffer;
pub use error::Error;
pub use layout::Layout;
pub use overlap::{overlap, Region};
pub use owned::Tensor;
pub use pool::Pool;
pub use scalar::{Complex32, Complex64, DType, Real, Scalar};
pub use threads::{Threads, MAX_THREADS};
pub use view::{View, ViewMut};
