//! Eigenvalues of Hermitian matrices: alone, a range of them, the largest.

use tensoroxide_linalg as linalg;
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::with_scalar;

use super::{how, numbers, tensors, tox_run, tox_truncation, truncation, Tensors};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{view, view_mut};

/// The n eigenvalues of a Hermitian A, ascending. `a` is n×n, of which only the lower triangle is read, conjugated
/// first if `conj_a` is not 0; `w` n, real. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_eigh_vals(
    a: *const DLTensor,
    conj_a: i32,
    w: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [w] } = unsafe { tensors(a, [("w", w)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, w) = unsafe { (view::<T>(&a, "a")?, view_mut(&w, "w")?) };
            Ok(linalg::eigh_vals(a, conj_a != 0, w, run)?)
        })
    })
}

/// Neighbours of the ascending eigenvalues of a Hermitian A and their vectors, from number `first`, counted from 0, on.
/// `a` as for `tox_eigh_full`; `w` as many as are asked for; `v` n×that many. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_eigh_range(
    a: *const DLTensor,
    conj_a: i32,
    first: i64,
    w: *const DLTensor,
    v: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [w, v] } = unsafe { tensors(a, [("w", w), ("v", v)]) }?;
        let first = usize::try_from(first)
            .map_err(|_| Failure::new(TOX_INVALID_ARGUMENT, format!("first is negative: {first}")))?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, w, v) = unsafe { (view::<T>(&a, "a")?, view_mut(&w, "w")?, view_mut(&v, "v")?) };
            Ok(linalg::eigh_range(a, conj_a != 0, first, w, v, run)?)
        })
    })
}

/// The eigenvalues of largest modulus of a Hermitian A, in the order of descending modulus, and their vectors: as many
/// as the truncation of these moduli keeps. `a` as for `tox_eigh_full`; `w`, `v`, `limits`, `rank` and `error` as for
/// `tox_svd_trunc`.
///
/// # Safety
/// As `tox_svd_trunc`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_eigh_trunc(
    a: *const DLTensor,
    conj_a: i32,
    limits: *const tox_truncation,
    w: *const DLTensor,
    v: *const DLTensor,
    rank: *mut i64,
    error: *mut f64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let (rules, method) = unsafe { truncation(limits) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [w, v] } = unsafe { tensors(a, [("w", w), ("v", v)]) }?;
        let batch = a.shape().iter().skip(2).product();
        // SAFETY: the caller's promise.
        let (rank, error) = unsafe { (numbers(rank, "rank", 1)?, numbers(error, "error", batch)?) };
        let kept = with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, w, v) = unsafe { (view::<T>(&a, "a")?, view_mut(&w, "w")?, view_mut(&v, "v")?) };
            linalg::eigh_trunc(a, conj_a != 0, &rules, method, w, v, error, run)?
        });
        rank[0] = kept as i64;
        Ok(())
    })
}
