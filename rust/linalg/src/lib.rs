//! Decompositions of tensors of rank 2, each with one stated gauge, so that every driver and every machine returns the
//! same factors up to rounding: [`svd_compact`], [`svd_trunc`], [`qr_compact`], [`eigh_full`].
//!
//! Floor 3 of the engine. The outputs are the caller's, of any strides; they are written only once everything has
//! succeeded, so that an error leaves them as they were.

mod eigh;
mod error;
mod gauge;
mod qr;
mod svd;
mod truncation;

pub use eigh::eigh_full;
pub use error::Error;
pub use qr::qr_compact;
pub use svd::{svd_compact, svd_trunc};
pub use truncation::{Truncated, Truncation};
