//! What can go wrong with memory and layouts.

use std::fmt;

use crate::dlpack::DLDataType;

/// Why a layout, a view or a kernel call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// As many strides as extents are needed.
    StrideCount {
        /// Number of extents.
        rank: usize,
        /// Number of strides.
        strides: usize,
    },
    /// The number of elements, or an offset between two of them, does not fit the address space.
    TooLarge {
        /// The extents.
        shape: Vec<usize>,
    },
    /// The layout reaches outside of the memory that it was put over.
    OutOfBounds {
        /// Lowest and highest element reached.
        reach: (isize, isize),
        /// Elements in that memory.
        len: usize,
    },
    /// Two indices of an output lead to the same element.
    SelfOverlap {
        /// The extents.
        shape: Vec<usize>,
        /// The strides, in elements.
        strides: Vec<isize>,
    },
    /// Two operands that must have the same shape have not.
    ShapeMismatch {
        /// What was found.
        found: Vec<usize>,
        /// What it should be.
        expected: Vec<usize>,
    },
    /// Memory could not be had.
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
    },
    /// A DLPack tensor that the engine does not take; the text says why.
    DLPack(&'static str),
    /// An element type that the engine does not compute with.
    ElementType(DLDataType),
    /// A negative extent.
    NegativeExtent {
        /// The axis, from 0.
        axis: usize,
        /// Its extent.
        extent: i64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::StrideCount { rank, strides } => write!(f, "{rank} extents need {rank} strides, not {strides}"),
            Error::TooLarge { shape } => write!(f, "a tensor of shape {shape:?} does not fit the address space"),
            Error::OutOfBounds { reach: (low, high), len } => {
                write!(f, "the layout reaches elements {low} to {high} of a memory of {len}")
            }
            Error::SelfOverlap { shape, strides } => {
                write!(f, "an output of shape {shape:?} with strides {strides:?} overlaps itself")
            }
            Error::ShapeMismatch { found, expected } => write!(f, "the shape is {found:?}, but must be {expected:?}"),
            Error::OutOfMemory { bytes } => write!(f, "{bytes} bytes of memory could not be had"),
            Error::DLPack(why) => f.write_str(why),
            Error::ElementType(DLDataType { code, bits, lanes }) => {
                write!(
                    f,
                    "elements of DLPack type code {code} with {bits} bits and {lanes} lanes are not supported; "
                )?;
                f.write_str("Float32, Float64, ComplexF32 and ComplexF64 are")
            }
            Error::NegativeExtent { axis, extent } => write!(f, "axis {axis} has the negative extent {extent}"),
        }
    }
}

impl std::error::Error for Error {}
