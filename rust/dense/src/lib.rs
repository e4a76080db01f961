//! Matrices without tensors: product and factorizations, from the BLAS and LAPACK that the host lends or from faer.
//!
//! Floor 1 of the engine, and the only crate that knows of either library. A matrix here is a pointer, two extents and
//! two strides of any sign ([`MatRef`], [`MatMut`]). The factorizations are those of the library that computed them:
//! phases and signs of the vectors are not fixed here but one floor up.
//!
//! Which library computes: what was lent ([`lend_blas`], [`lend_lapack`]) unless [`provider`] is
//! [`Provider::Own`], if the layout of the operands allows it; faer otherwise. faer's generic code is instantiated in
//! this crate, once per element type, behind functions that are not generic, so that no other crate compiles it again.
#![allow(unsafe_code)] // matrices over raw memory and foreign functions are the purpose of this crate

mod blas;
mod cholesky;
mod driver;
mod eig;
mod eigh;
mod element;
mod error;
mod gemm;
mod lapack;
mod lstsq;
mod lu;
mod matrix;
mod own;
mod owned;
mod partial;
mod provider;
mod qr;
mod qr_pivoted;
mod scaling;
mod schur;
mod small;
mod solve;
mod svd;
mod triangular;
mod workspace;

pub use cholesky::cholesky;
pub use driver::{Driver, Tried};
pub use eig::{eig, eig_values, Eig};
pub use eigh::{eigh, eigh_part, eigh_values, Eigh};
pub use element::Element;
pub use error::Error;
pub use gemm::gemm;
pub use lstsq::{lstsq, pinv};
pub use lu::{lu, lu_complete, Lu};
pub use matrix::{MatMut, MatRef};
pub use owned::Matrix;
pub use partial::{eigh_partial, svd_partial, Partial, PartialEigh, PartialSvd};
pub use provider::{is_lent, lend_blas, lend_lapack, provider, set_provider, Provider};
pub use qr::{qr, qr_full, Qr};
pub use qr_pivoted::{qr_pivoted, QrPivoted};
pub use schur::{schur, schur_values, Schur};
pub use solve::solve;
pub use svd::{svd, svd_values, Svd};
pub use triangular::solve_triangular;
pub use workspace::{Memory, Plain, Resources, Workspace};
