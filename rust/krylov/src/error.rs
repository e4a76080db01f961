//! What can go wrong with a problem or with its map.

use std::fmt;

/// Why a method has ended without results.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A number that no problem can have.
    Argument(String),
    /// The start vector is zero, so that it spans nothing.
    ZeroStart,
    /// NaN or infinity, in what the text names.
    NotFinite(&'static str),
    /// The map was said to be Hermitian, and is not.
    NotHermitian {
        /// The largest difference between an element of the projected map and the conjugate of its mirror image.
        deviation: f64,
        /// The norm that the map has at least.
        norm: f64,
    },
    /// The map was said to be positive definite, but here is a vector with xᴴ·A·x ≤ 0: this number, for a unit vector.
    NotPositiveDefinite(f64),
    /// A contraction plan that is no linear map of the operand that was left free.
    Shape {
        /// The shape of the free operand.
        free: Vec<usize>,
        /// The shape of the output.
        output: Vec<usize>,
    },
    /// The small projected problem could not be solved.
    Projected(tensoroxide_dense::Error),
    /// A run of the plan was refused.
    Plan(tensoroxide_einsum::Error),
    /// There is no memory for the vectors.
    Memory(tensoroxide_tensor::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Argument(text) => f.write_str(text),
            Error::ZeroStart => f.write_str("the start vector is zero"),
            Error::NotFinite(what) => write!(f, "{what} holds NaN or infinity"),
            Error::NotHermitian { deviation, norm } => write!(
                f,
                "the map is not Hermitian: projected, it differs from its adjoint by {deviation:.2e}, where its norm \
                 is {norm:.2e}"
            ),
            Error::NotPositiveDefinite(value) => {
                write!(f, "the map is not positive definite: a unit vector x has x'·A·x = {value:.2e}")
            }
            Error::Shape { free, output } => write!(
                f,
                "the plan is no linear map of its free operand, whose size is {free:?}: the output has size {output:?}"
            ),
            Error::Projected(error) => write!(f, "the projected problem: {error}"),
            Error::Plan(error) => error.fmt(f),
            Error::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<tensoroxide_dense::Error> for Error {
    fn from(error: tensoroxide_dense::Error) -> Error {
        Error::Projected(error)
    }
}

impl From<tensoroxide_einsum::Error> for Error {
    fn from(error: tensoroxide_einsum::Error) -> Error {
        Error::Plan(error)
    }
}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Memory(error)
    }
}
