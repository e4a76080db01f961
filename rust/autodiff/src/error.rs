//! What can go wrong with a derivative.

use std::fmt;

use tensoroxide_linalg::stack::InBatch;

/// Why there is no derivative. Outputs are then as they were, but for those of other matrices of a batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The cotangent asks for what the gauge decides: mixing the vectors of equal values changes the loss, so that it
    /// has no derivative.
    GaugeDependent {
        /// The gauge-dependent part of the cotangent, relative to the whole.
        part: f64,
        /// The most that counts as none.
        tolerance: f64,
    },
    /// The cut went through a group of equal values, so that what was kept has no derivative.
    CutsMultiplet {
        /// The distance of the last value that was kept from the first that was not, relative to the largest.
        gap: f64,
    },
    /// The derivative is not defined, or not known, for such an operand; the text says why.
    Undefined(&'static str),
    /// An operand, tangent or cotangent does not fit: its name, and what was expected.
    Operand {
        /// Its name.
        name: String,
        /// What was expected.
        expected: String,
    },
    /// A value of a tape that cannot be used; the text says why.
    Value(&'static str),
    /// A tensor that is written shares memory with another one.
    Aliasing {
        /// What is written.
        written: String,
        /// The other tensor.
        other: String,
    },
    /// An iterative solver gave up, at a residual of this norm.
    NotConverged {
        /// That norm.
        residual: f64,
    },
    /// Of one of a batch of problems.
    InBatch {
        /// Its position, counted from 0.
        index: Vec<usize>,
        /// What went wrong with it.
        error: Box<Error>,
    },
    /// A computation on the way was refused.
    Linalg(tensoroxide_linalg::Error),
    /// A Krylov method on the way was refused.
    Krylov(tensoroxide_krylov::Error),
    /// A contraction on the way was refused.
    Einsum(tensoroxide_einsum::Error),
    /// A tensor on the way was refused.
    Tensor(tensoroxide_tensor::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::GaugeDependent { part, tolerance } => write!(
                f,
                "the cotangent depends on the gauge of vectors whose values are equal: {part:.1e} of it, where \
                 {tolerance:.1e} would be rounding"
            ),
            Error::CutsMultiplet { gap } => write!(
                f,
                "the truncation cuts through a group of equal values (relative distance {gap:.1e}), so that what was \
                 kept has no derivative; keep_multiplets prevents that"
            ),
            Error::Undefined(why) => write!(f, "no derivative: {why}"),
            Error::Operand { name, expected } => write!(f, "{name}: expected {expected}"),
            Error::Value(why) => write!(f, "a value {why}"),
            Error::Aliasing { written, other } => {
                write!(f, "{written} shares memory with {other}; give one of them memory of its own (a copy)")
            }
            Error::InBatch { index, error } => write!(f, "problem {index:?} of the batch: {error}"),
            Error::NotConverged { residual } => {
                write!(f, "the equation of the derivative was not solved, its residual is {residual:.1e}")
            }
            Error::Linalg(error) => error.fmt(f),
            Error::Krylov(error) => error.fmt(f),
            Error::Einsum(error) => error.fmt(f),
            Error::Tensor(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl InBatch for Error {
    fn in_batch(self, index: Vec<usize>) -> Error {
        Error::InBatch { index, error: Box::new(self) }
    }
}

impl From<tensoroxide_linalg::Error> for Error {
    fn from(error: tensoroxide_linalg::Error) -> Error {
        Error::Linalg(error)
    }
}

impl From<tensoroxide_dense::Error> for Error {
    fn from(error: tensoroxide_dense::Error) -> Error {
        Error::Linalg(error.into())
    }
}

impl From<tensoroxide_krylov::Error> for Error {
    fn from(error: tensoroxide_krylov::Error) -> Error {
        Error::Krylov(error)
    }
}

impl From<tensoroxide_einsum::Error> for Error {
    fn from(error: tensoroxide_einsum::Error) -> Error {
        Error::Einsum(error)
    }
}

impl From<tensoroxide_contract::Error> for Error {
    fn from(error: tensoroxide_contract::Error) -> Error {
        Error::Einsum(error.into())
    }
}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Tensor(error)
    }
}
