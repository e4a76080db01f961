//! Decompositions of matrices and of stacks of matrices, each with one stated gauge, so that every driver and every machine
//! returns the same factors up to rounding.
//!
//! Floor 3 of the engine. The first two axes of a tensor are the rows and columns of matrices, further axes are a batch:
//! every operation does to each matrix of the batch what it does to one. The outputs are the caller's, of any
//! strides. A matrix's results are written only once they are all there, so that an error leaves them as they were.
//! How an operation runs, [`Run`] says: on which threads, in whose memory, and who computes.

mod eigh;
mod error;
mod gauge;
mod qr;
mod stack;
mod svd;
mod truncation;

pub use eigh::eigh_full;
pub use error::Error;
pub use gauge::fix_vector;
pub use qr::qr_compact;
pub use stack::{Run, Workspaces};
pub use svd::{svd_compact, svd_trunc};
pub use truncation::{Truncated, Truncation};
