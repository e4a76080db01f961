//! One or two strided tensors into one: the step that every Einstein sum is made of.
//!
//! Floor 2 of the engine. A step is prepared once for the layouts of its operands ([`Single`], [`Pair`]), which is
//! where axes are sorted, fused and given to a kernel; it then runs any number of times without allocating.
#![allow(unsafe_code)] // kernels walk raw memory by loops that were checked when the step was prepared

mod axes;
mod direct;
mod error;
mod fused;
mod groups;
mod matrix;
mod pair;
mod semiring;
mod single;
mod staged;
mod traffic;

pub use axes::{Axes, Label};
pub use error::Error;
pub use pair::{Pair, Settings};
pub use semiring::SemiringStep;
pub use single::Single;
