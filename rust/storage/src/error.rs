//! What can go wrong with files, and with the library that reads and writes them.

use std::fmt;
use std::path::PathBuf;

/// Why a file could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// HDF5 could not be loaded, or what was loaded is not a version that is known here.
    Library(String),
    /// The file could not be opened, read, written or put in its place.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened, in words; what HDF5 or the system says.
        text: String,
    },
    /// There is nothing of this name.
    Missing {
        /// The name.
        name: String,
    },
    /// There is something of this name already.
    Exists {
        /// The name.
        name: String,
    },
    /// Something else has this name than what is needed.
    Kind {
        /// The name.
        name: String,
        /// What it is, or what is amiss with it.
        text: String,
    },
    /// The shape, or part of a tensor, that was asked for does not fit the one in the file.
    Shape {
        /// The name.
        name: String,
        /// What does not fit.
        text: String,
    },
    /// A name or an option that can never be right.
    Argument(String),
    /// The file was opened to be read, or is closed.
    Mode(&'static str),
    /// A layout in memory that is refused, or memory that could not be had.
    Tensor(tensoroxide_tensor::Error),
}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Tensor(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Library(text) | Error::Argument(text) => f.write_str(text),
            Error::Io { path, text } => write!(f, "{}: {text}", path.display()),
            Error::Missing { name } => write!(f, "there is no \"{name}\" in the file"),
            Error::Exists { name } => write!(f, "there is a \"{name}\" in the file already"),
            Error::Kind { name, text } | Error::Shape { name, text } => write!(f, "\"{name}\" {text}"),
            Error::Mode(text) => f.write_str(text),
            Error::Tensor(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
