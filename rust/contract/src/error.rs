//! What can go wrong when a step is prepared or run.

use std::fmt;

use tensoroxide_tensor::DType;

use crate::Label;

/// Why a step was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has another number of axes than labels.
    Rank {
        /// Labels.
        labels: usize,
        /// Axes.
        axes: usize,
    },
    /// One label has two extents.
    Extent {
        /// The label.
        label: Label,
        /// Its extents.
        extents: (usize, usize),
    },
    /// A label of the output that no input has.
    NotInInput(Label),
    /// A label that one input of a pair has alone: it must be summed by a [`Single`](crate::Single) first.
    InOneInputOnly(Label),
    /// The step is run with tensors of another layout than it was prepared for.
    Layout,
    /// The step is run with elements of another type than it was prepared for.
    ElementType {
        /// What it was prepared for.
        expected: DType,
        /// What it was given.
        found: DType,
    },
    /// A fixed label was given a value that is not below its extent, or not every fixed label was given one.
    Fixed,
    /// Less scratch memory than [`Pair::scratch`](crate::Pair::scratch) asks for.
    Scratch {
        /// Elements needed.
        needed: usize,
        /// Elements given.
        given: usize,
    },
    /// A layout that cannot be.
    Tensor(tensoroxide_tensor::Error),
    /// A matrix product was refused; never seen for a step that was prepared.
    Dense(tensoroxide_dense::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rank { labels, axes } => write!(f, "{labels} labels for a tensor of {axes} axes"),
            Error::Extent { label, extents: (a, b) } => write!(f, "label {label} has both extent {a} and extent {b}"),
            Error::NotInInput(label) => write!(f, "label {label} of the output is in no input"),
            Error::InOneInputOnly(label) => write!(f, "label {label} is in one input only, and not in the output"),
            Error::Layout => f.write_str("the step was prepared for tensors of another layout"),
            Error::ElementType { expected, found } => write!(f, "the step was prepared for {expected}, not {found}"),
            Error::Fixed => f.write_str("the values of the fixed labels do not fit their number or extents"),
            Error::Scratch { needed, given } => write!(f, "{needed} elements of scratch are needed, not {given}"),
            Error::Tensor(error) => error.fmt(f),
            Error::Dense(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Tensor(error)
    }
}

impl From<tensoroxide_dense::Error> for Error {
    fn from(error: tensoroxide_dense::Error) -> Error {
        Error::Dense(error)
    }
}
