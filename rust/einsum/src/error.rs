//! What can be wrong with an expression, its operands or a run.

use std::fmt;

use crate::excerpt::Excerpt;

/// Why an expression or a run was refused. The text names operands from 1 on, as users count them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The text is no Einstein summation.
    Notation {
        /// The expression.
        expression: String,
        /// Characters before the place that is wrong.
        position: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Another number of operands than the expression has.
    OperandCount {
        /// In the expression.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// An operand's number of axes does not fit its labels.
    Rank {
        /// The operand, from 0.
        operand: usize,
        /// Its labels.
        labels: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Where it stands in the expression.
        excerpt: Excerpt,
    },
    /// One label has two sizes, neither of which goes with the other.
    Size {
        /// The label.
        label: String,
        /// Operand (from 0) and size where it was first met.
        first: (usize, usize),
        /// Operand (from 0) and size that differ.
        second: (usize, usize),
        /// Where both stand in the expression.
        excerpt: Excerpt,
    },
    /// The shape of a tensor is not that of the plan.
    Shape {
        /// The operand from 0; `None` for the output.
        operand: Option<usize>,
        /// Its shape.
        found: Vec<usize>,
        /// The plan's.
        expected: Vec<usize>,
    },
    /// The output shares memory with an operand.
    Aliasing {
        /// The operand, from 0.
        operand: usize,
    },
    /// No choice of slices makes the workspace as small as it was asked to be.
    MemoryLimit {
        /// What was asked for, in bytes.
        limit: usize,
        /// The least that was found.
        needed: usize,
    },
    /// A contraction path that cannot be read, or is not one of this network.
    Path {
        /// What is wrong with it.
        reason: String,
    },
    /// Operands of these strides need copies that the memory limit of the plan has no room for.
    Strides {
        /// The plan's, in bytes.
        limit: usize,
        /// What is needed.
        needed: usize,
    },
    /// A result or an intermediate that does not fit the address space, or for which there is no memory.
    Tensor(tensoroxide_tensor::Error),
    /// A step was refused, which means that this crate planned it wrongly.
    Step(tensoroxide_contract::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Notation { expression, position, reason } => {
                let mark = *position..*position;
                write!(f, "{reason}{}", Excerpt::new(expression, &[mark]))
            }
            Error::OperandCount { expected, found } => {
                write!(f, "the expression has {expected} operand(s), but {found} were given")
            }
            Error::Rank { operand, labels, shape, excerpt } => {
                let (operand, axes) = (operand + 1, shape.len());
                write!(f, "operand {operand} has {axes} axes (size {shape:?}), ")?;
                write!(f, "which do not fit its labels \"{labels}\"{excerpt}")
            }
            Error::Size { label, first, second, excerpt } => {
                write!(f, "{label} has size {} in operand {}, but ", first.1, first.0 + 1)?;
                write!(f, "size {} in operand {}{excerpt}", second.1, second.0 + 1)
            }
            Error::Shape { operand, found, expected } => {
                match operand {
                    Some(operand) => write!(f, "operand {} ", operand + 1)?,
                    None => f.write_str("the output ")?,
                }
                write!(f, "has size {found:?}, but the expression needs {expected:?}")
            }
            Error::Aliasing { operand } => write!(
                f,
                "the output shares memory with operand {}; give one of them memory of its own (a copy)",
                operand + 1
            ),
            Error::MemoryLimit { limit, needed } => {
                write!(f, "no slicing was found whose workspace fits {limit} bytes; {needed} bytes are needed")
            }
            Error::Path { reason } => f.write_str(reason),
            Error::Strides { limit, needed } => write!(
                f,
                "tensors of these strides need {needed} bytes of workspace, but the plan has a memory limit of {limit}; pass \
                 dense ones (copies), or plan with a higher limit"
            ),
            Error::Tensor(error) => error.fmt(f),
            Error::Step(error) => write!(f, "a step of the plan was refused: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Tensor(error)
    }
}

impl From<tensoroxide_contract::Error> for Error {
    fn from(error: tensoroxide_contract::Error) -> Error {
        match error {
            tensoroxide_contract::Error::Tensor(error) => Error::Tensor(error),
            error => Error::Step(error),
        }
    }
}
