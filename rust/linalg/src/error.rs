//! What can go wrong with a decomposition, and the checks of shapes before it.

use std::fmt;

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
        /// Least and largest extent for each axis.
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
    /// The input holds NaN or infinity, or the result would be beyond the range of the type.
    NotFinite,
    /// The iteration ended without a result.
    NoConvergence,
    /// The memory for scratch space could not be had.
    OutOfMemory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rank { operand, found } => {
                write!(f, "{operand} has {} axes, but a matrix has two; its shape is {found:?}", found.len())
            }
            Error::Shape { operand, expected, found } => {
                write!(f, "{operand} has the shape {found:?}, but should have [")?;
                for (axis, &(least, most)) in expected.iter().enumerate() {
                    f.write_str(if axis > 0 { ", " } else { "" })?;
                    match least == most {
                        true => write!(f, "{least}")?,
                        false => write!(f, "{least} to {most}")?,
                    }
                }
                f.write_str("]")
            }
            Error::Tolerance { name, value } => write!(f, "{name} is {value}, but must be 0 or positive"),
            Error::NotFinite => {
                f.write_str("the matrix holds NaN or infinity, or its factors are too large for its type")
            }
            Error::NoConvergence => f.write_str("the decomposition did not converge"),
            Error::OutOfMemory => f.write_str("not enough memory for the decomposition"),
        }
    }
}

impl std::error::Error for Error {}

impl From<tensoroxide_dense::Error> for Error {
    /// For what a factorization of a matrix that passed the checks of this crate can still run into.
    fn from(error: tensoroxide_dense::Error) -> Self {
        match error {
            tensoroxide_dense::Error::NotFinite => Error::NotFinite,
            tensoroxide_dense::Error::OutOfMemory => Error::OutOfMemory,
            _ => Error::NoConvergence,
        }
    }
}

/// The extents of the matrix to decompose.
pub(crate) fn extents(shape: &[usize]) -> Result<(usize, usize), Error> {
    match *shape {
        [m, n] => Ok((m, n)),
        _ => Err(Error::Rank { operand: "A", found: shape.to_vec() }),
    }
}

/// That an output's extents lie between the least and the largest expected.
pub(crate) fn check(operand: &'static str, expected: &[(usize, usize)], found: &[usize]) -> Result<(), Error> {
    let fits = expected.len() == found.len() && expected.iter().zip(found).all(|(e, x)| (e.0..=e.1).contains(x));
    if fits {
        Ok(())
    } else {
        Err(Error::Shape { operand, expected: expected.to_vec(), found: found.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_operand_and_the_sizes() {
        let error = check("U", &[(4, 4), (2, 3)], &[4, 1]).unwrap_err();
        assert_eq!(error.to_string(), "U has the shape [4, 1], but should have [4, 2 to 3]");
        assert!(check("U", &[(4, 4), (2, 3)], &[4, 3]).is_ok());
        assert!(check("S", &[(4, 4)], &[4, 4]).is_err());
        let error = extents(&[4, 2, 3]).unwrap_err();
        assert_eq!(error.to_string(), "A has 3 axes, but a matrix has two; its shape is [4, 2, 3]");
        assert_eq!(extents(&[4, 2]), Ok((4, 2)));
    }
}
