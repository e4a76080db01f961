//! The engine's own road: faer, on one thread.
//!
//! faer is always called with `Par::Seq`: threads come from outside, over blocks and batches, so that neither the
//! order of a sum nor its bits depend on their number. The functions here are generic over faer's scalar trait and are
//! instantiated in [`crate::element`] only.

mod cholesky;
mod eigh;
mod evd;
mod gemm;
mod lu;
mod nonsymmetric;
mod qr;
mod svd;
mod triangular;

pub(crate) use cholesky::cholesky;
pub(crate) use eigh::eigh;
pub(crate) use gemm::gemm;
pub(crate) use lu::{lu, lu_complete};
pub(crate) use nonsymmetric::{nonsymmetric, Ask, Double, Values};
pub(crate) use qr::qr;
pub(crate) use svd::svd;
pub(crate) use triangular::{divide, solve};

use std::mem::MaybeUninit;

use faer::dyn_stack::{MemStack, StackReq};

use crate::{Error, MatMut, MatRef, Workspace};

/// Runs `f` with as much scratch space as it says that it needs.
fn scratch<R>(need: StackReq, workspace: &Workspace, f: impl FnOnce(&mut MemStack) -> R) -> Result<R, Error> {
    let bytes = need.size_bytes().checked_add(need.align_bytes()).ok_or(Error::OutOfMemory)?;
    let mut memory = workspace.zeros::<u8>(bytes)?;
    let (start, len) = (memory.as_mut_ptr().cast::<MaybeUninit<u8>>(), memory.len());
    // SAFETY: initialised bytes may be taken for bytes that need not be; `memory` is borrowed by nobody else meanwhile.
    Ok(f(MemStack::new(unsafe { std::slice::from_raw_parts_mut(start, len) })))
}

/// faer's view of a matrix.
fn faer_ref<'a, T>(a: MatRef<'a, T>) -> faer::MatRef<'a, T> {
    // SAFETY: invariant 1 of `MatRef` is what faer asks for.
    unsafe { faer::MatRef::from_raw_parts(a.as_ptr(), a.rows(), a.cols(), a.row_stride(), a.col_stride()) }
}

/// faer's view of a matrix to write.
fn faer_mut<'a, T>(a: MatMut<'a, T>) -> faer::MatMut<'a, T> {
    // SAFETY: both invariants of `MatMut` are what faer asks for, and `a` is consumed.
    unsafe { faer::MatMut::from_raw_parts_mut(a.as_mut_ptr(), a.rows(), a.cols(), a.row_stride(), a.col_stride()) }
}
