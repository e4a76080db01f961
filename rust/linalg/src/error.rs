//! What can go wrong with a decomposition.

use std::fmt;

use tensoroxide_dense::Tried;

/// Why a decomposition did not happen. Its outputs are then as they were.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The input is not a matrix.
    Rank {
        /// The operand's name.
        operand: &'static str,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A matrix that must be square is not, or an output does not fit the result.
    Shape {
        /// The operand's name.
        operand: &'static str,
        /// Least and largest extent for each axis; `usize::MAX` for no limit.
        expected: Vec<(usize, usize)>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tolerance is negative or NaN.
    Tolerance {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A range that reaches beyond what there is.
    Range {
        /// First one, counted from 0, and how many.
        asked: (usize, usize),
        /// How many there are.
        available: usize,
    },
    /// A function is not finite at an eigenvalue.
    Function {
        /// The eigenvalue.
        at: f64,
    },
    /// The input holds NaN or infinity, or the result would be beyond the range of the type.
    NotFinite,
    /// The iteration ended without a result.
    NoConvergence,
    /// Every driver was tried, and none gave a result that is one.
    Exhausted {
        /// Which ones.
        tried: Tried,
    },
    /// A pivot of a matrix that must be regular is exactly zero.
    Singular {
        /// Its place on the diagonal, counted from 0.
        index: usize,
    },
    /// A matrix that must be positive definite is not.
    NotPositiveDefinite {
        /// The last row of its smallest leading block that is not, counted from 0.
        index: usize,
    },
    /// The memory for scratch space could not be had.
    OutOfMemory,
    /// One matrix of a batch failed. Other matrices of the batch may have been done.
    InBatch {
        /// Which one, counted from 0 along each axis of the batch.
        index: Vec<usize>,
        /// Why.
        error: Box<Error>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rank { operand, found } => {
                write!(f, "{operand} has too few axes for a matrix; its shape is {found:?}")
            }
            Error::Shape { operand, expected, found } => {
                write!(f, "{operand} has the shape {found:?}, but should have [")?;
                for (axis, &(least, most)) in expected.iter().enumerate() {
                    f.write_str(if axis > 0 { ", " } else { "" })?;
                    match least == most {
                        true => write!(f, "{least}")?,
                        false if most == usize::MAX => write!(f, "{least} or more")?,
                        false => write!(f, "{least} to {most}")?,
                    }
                }
                f.write_str("]")
            }
            Error::Tolerance { name, value } => write!(f, "{name} is {value}, but must be 0 or positive"),
            Error::Range { asked: (first, count), available } => {
                write!(f, "values {first}.. ({count} of them) were asked for, but there are {available}")
            }
            Error::Function { at } => write!(f, "the function is not a finite number at the eigenvalue {at}"),
            Error::NotFinite => {
                f.write_str("the matrix holds NaN or infinity, or its factors are too large for its type")
            }
            Error::NoConvergence => f.write_str("the decomposition did not converge"),
            Error::Exhausted { tried } => write!(f, "no driver converged; tried, in this order: {tried}"),
            Error::Singular { index } => write!(f, "the matrix is singular: pivot {index}, counted from 0, is zero"),
            Error::NotPositiveDefinite { index } => {
                write!(
                    f,
                    "the matrix is not positive definite: its leading block up to row {index}, counted from 0, is not"
                )
            }
            Error::OutOfMemory => f.write_str("not enough memory for the decomposition"),
            Error::InBatch { index, error } => write!(f, "matrix {index:?} of the batch: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Where on the diagonal a matrix is singular or not positive definite, also if it is one of a batch.
    pub fn index(&self) -> Option<usize> {
        match self {
            Error::Singular { index } | Error::NotPositiveDefinite { index } => Some(*index),
            Error::InBatch { error, .. } => error.index(),
            _ => None,
        }
    }
}

impl From<tensoroxide_dense::Error> for Error {
    /// For what a factorization of a matrix that passed the checks of this crate can still run into.
    fn from(error: tensoroxide_dense::Error) -> Self {
        match error {
            tensoroxide_dense::Error::NotFinite => Error::NotFinite,
            tensoroxide_dense::Error::OutOfMemory => Error::OutOfMemory,
            tensoroxide_dense::Error::Exhausted { tried } => Error::Exhausted { tried },
            tensoroxide_dense::Error::Singular { index } => Error::Singular { index },
            tensoroxide_dense::Error::NotPositiveDefinite { index } => Error::NotPositiveDefinite { index },
            _ => Error::NoConvergence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_dense::Driver;

    #[test]
    fn texts_name_the_operand_and_the_sizes() {
        let error = Error::Shape { operand: "U", expected: vec![(4, 4), (2, 3)], found: vec![4, 1] };
        assert_eq!(error.to_string(), "U has the shape [4, 1], but should have [4, 2 to 3]");
        let error = Error::Shape { operand: "A", expected: vec![(3, usize::MAX)], found: vec![2] };
        assert_eq!(error.to_string(), "A has the shape [2], but should have [3 or more]");
        let tried = [Driver::Gesdd, Driver::Faer].into_iter().collect();
        let error = Error::InBatch { index: vec![1, 0], error: Box::new(Error::Exhausted { tried }) };
        let text = "matrix [1, 0] of the batch: no driver converged; tried, in this order: LAPACK gesdd, faer";
        assert_eq!(error.to_string(), text);
        let error = Error::Rank { operand: "A", found: vec![4] };
        assert_eq!(error.to_string(), "A has too few axes for a matrix; its shape is [4]");
    }
}
