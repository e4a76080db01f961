//! Why a call over several ranks ended without a result.

use std::fmt;

/// Why a call over several ranks ended without a result. After those that [`Error::breaks`] names, the ranks no longer
/// know of each other where they are, and their group refuses further calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// What cannot be asked for.
    Argument(String),
    /// MPI is not ready to be called: not initialised, finalised already, or called from a thread that may not.
    NotReady(String),
    /// MPI refused a call.
    Transport(String),
    /// A rank has not been heard of for too long: it is dead, hangs, or never made this call.
    Silent {
        /// The rank.
        rank: usize,
        /// For how long, in seconds.
        seconds: u64,
    },
    /// Another rank failed.
    Remote {
        /// The rank.
        rank: usize,
        /// Its error.
        text: String,
    },
    /// A rank makes another call than rank 0, or with another plan.
    Disagreement {
        /// The rank.
        rank: usize,
    },
    /// An earlier call failed on some rank.
    Broken(String),
    /// The host stopped the run.
    Interrupted,
    /// A thread could not be started: memory is short, or there are too many.
    Thread(String),
    /// A thread that computed has panicked, which is a bug.
    Panicked,
    /// What the contraction itself has to say.
    Einsum(tensoroxide_einsum::Error),
}

impl Error {
    /// Whether the ranks may have lost track of each other.
    pub fn breaks(&self) -> bool {
        !matches!(self, Error::Argument(_) | Error::NotReady(_) | Error::Disagreement { .. } | Error::Broken(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Argument(text) | Error::NotReady(text) => f.write_str(text),
            Error::Transport(text) => write!(f, "MPI refused a call: {text}"),
            Error::Silent { rank, seconds } => write!(
                f,
                "rank {rank} has not been heard of for {seconds} s: it is dead, hangs, or never made this call"
            ),
            Error::Remote { rank, text } => write!(f, "rank {rank} failed: {text}"),
            Error::Disagreement { rank } => {
                write!(f, "rank {rank} makes another call than rank 0, or with another plan, factor or conjugation")
            }
            Error::Broken(text) => write!(f, "the communicator is out of use since an earlier call failed: {text}"),
            Error::Interrupted => f.write_str("the host stopped the run"),
            Error::Thread(text) => write!(f, "no thread can be started: {text}"),
            Error::Panicked => f.write_str("a thread that computes has panicked"),
            Error::Einsum(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<tensoroxide_einsum::Error> for Error {
    fn from(error: tensoroxide_einsum::Error) -> Error {
        Error::Einsum(error)
    }
}

impl From<tensoroxide_tensor::Error> for Error {
    fn from(error: tensoroxide_tensor::Error) -> Error {
        Error::Einsum(error.into())
    }
}
