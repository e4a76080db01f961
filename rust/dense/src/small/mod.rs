//! Factorizations of small matrices, where a library's own overhead is most of its time.
//!
//! Factors are computed in double precision: for single precision the digits to spare cost nothing at these sizes.
//! Columns are padded with zeros, to whole registers or to a length that the compiler knows, so that loops have no ends
//! to look after.

mod columns;
mod eigh;
mod jacobi;
mod qr;
mod solve;
mod svd;

pub(crate) use eigh::eigh;
pub(crate) use qr::qr;
pub(crate) use solve::solve;
pub(crate) use svd::svd;

/// Columns are padded to a multiple of this: the lanes of the widest registers.
const LANES: usize = 8;

/// Largest extent of a matrix whose factors are computed here: measured, faer is faster from about 12 on.
pub(crate) const MOST: usize = 8;
/// Likewise for Hermitian eigenvalues, where a tridiagonal form pays earlier than the rotations here.
pub(crate) const MOST_EIGH: usize = 4;
