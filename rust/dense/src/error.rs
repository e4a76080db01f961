//! What can go wrong with a plain matrix.

use std::fmt;

use crate::Tried;

/// Why an operation on matrices did not happen. Its outputs are then as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A matrix has other extents than the operation needs.
    Shape {
        /// The matrix, by its name in the operation's signature.
        operand: &'static str,
        /// Rows and columns that it should have.
        expected: (usize, usize),
        /// Rows and columns that it has.
        found: (usize, usize),
    },
    /// A tensor that should be a matrix has another rank.
    Rank {
        /// The rank that it has.
        found: usize,
    },
    /// Extents and strides reach beyond the memory behind a matrix, or beyond the address space.
    OutOfBounds,
    /// Two elements of an output are the same memory.
    Overlap,
    /// An input to a factorization holds NaN or infinity.
    NotFinite,
    /// The iteration of one driver ended without a result.
    NoConvergence,
    /// Every driver was tried, and none gave a result that is one.
    Exhausted {
        /// Which ones.
        tried: Tried,
    },
    /// A pivot is exactly zero: the matrix is singular, or to rounding so near to singular that this is all that is
    /// left.
    Singular {
        /// Its place on the diagonal, counted from 0.
        index: usize,
    },
    /// A Hermitian matrix has a leading block that is not positive definite.
    NotPositiveDefinite {
        /// The last row of the smallest such block, counted from 0.
        index: usize,
    },
    /// The memory for a copy or for scratch space could not be had.
    OutOfMemory,
    /// No routine of this name can be lent.
    UnknownRoutine,
    /// A null pointer was lent.
    NullPointer,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape { operand, expected: (m, n), found: (p, q) } => {
                write!(f, "matrix {operand} is {p}×{q}, but should be {m}×{n}")
            }
            Error::Rank { found } => write!(f, "a matrix has rank 2, but this tensor has rank {found}"),
            Error::OutOfBounds => f.write_str("extents and strides reach beyond the memory of the matrix"),
            Error::Overlap => f.write_str("two elements of an output matrix share memory"),
            Error::NotFinite => f.write_str("the matrix holds NaN or infinity"),
            Error::NoConvergence => f.write_str("the iteration did not converge"),
            Error::Exhausted { tried } => write!(f, "no driver converged; tried, in this order: {tried}"),
            Error::Singular { index } => write!(f, "the matrix is singular: pivot {index}, counted from 0, is zero"),
            Error::NotPositiveDefinite { index } => {
                write!(
                    f,
                    "the matrix is not positive definite: its leading block up to row {index}, counted from 0, is not"
                )
            }
            Error::OutOfMemory => f.write_str("not enough memory for scratch space"),
            Error::UnknownRoutine => f.write_str("no routine of this name can be lent"),
            Error::NullPointer => f.write_str("a null pointer was lent"),
        }
    }
}

impl std::error::Error for Error {}
