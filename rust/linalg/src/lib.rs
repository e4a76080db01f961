//! Decompositions of matrices and of stacks of matrices, each with one stated gauge, so that every driver and every machine
//! returns the same factors up to rounding.
//!
//! Floor 3 of the engine. The first two axes of a tensor are the rows and columns of matrices, further axes are a batch:
//! every operation does to each matrix of the batch what it does to one. The outputs are the caller's, of any
//! strides. A matrix's results are written only once they are all there, so that an error leaves them as they were.
//! How an operation runs, [`Run`] says: on which threads, in whose memory, and who computes.

mod cholesky;
mod eig;
mod eigh;
mod error;
mod functions;
mod gauge;
mod lq;
mod lstsq;
mod lu;
mod method;
mod norms;
mod polar;
mod qr;
mod qr_pivoted;
mod schur;
mod solve;
pub mod stack;
mod svd;
mod truncation;

pub use cholesky::cholesky;
pub use eig::{eig_full, eig_vals};
pub use eigh::{eigh_full, eigh_range, eigh_trunc, eigh_vals};
pub use error::Error;
pub use functions::{expm, hermitian_function, Function};
pub use gauge::{fix_vector, leading};
pub use lq::{lq_compact, lq_full, lq_null};
pub use lstsq::{lstsq, pinv, Tolerance};
pub use lu::{det, inv, logabsdet, lu, lu_complete};
pub use method::Method;
pub use norms::{norm, Norm};
pub use polar::{left_polar, right_polar};
pub use qr::{qr_compact, qr_full, qr_null};
pub use qr_pivoted::qr_pivoted;
pub use schur::{schur_full, schur_vals};
pub use solve::{solve, solve_triangular, Triangle};
pub use stack::{Run, Workspaces};
pub use svd::{svd_compact, svd_full, svd_trunc, svd_vals};
pub use truncation::{Truncated, Truncation};
