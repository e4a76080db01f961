//! Eigenvalues and Schur forms of matrices that need not be Hermitian.

use tensoroxide_linalg as linalg;
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::with_scalar;

use super::{how, tensors, tox_run, Tensors};
use crate::status::{guard, tox_status};
use crate::tensors::{view, view_mut};

/// A·V = V·Diagonal(W). `a` is n×n, conjugated first if `conj_a` is not 0; `w` n, complex; `v` n×n, complex: each
/// column has norm 1, and its entry of largest magnitude is real and positive. W is sorted by real part and, where
/// that is equal to rounding, by imaginary part; for a real `a`, pairs are exact conjugates, values and vectors.
///
/// Fails as `tox_svd_compact`; the text of `TOX_NO_CONVERGENCE` says which drivers were tried.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_eig_full(
    a: *const DLTensor,
    conj_a: i32,
    w: *const DLTensor,
    v: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [w, v] } = unsafe { tensors(a, [("w", w), ("v", v)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, w, v) = unsafe { (view::<T>(&a, "a")?, view_mut(&w, "w")?, view_mut(&v, "v")?) };
            Ok(linalg::eig_full(a, conj_a != 0, w, v, run)?)
        })
    })
}

/// The eigenvalues of `tox_eig_full` alone. Fails likewise.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_eig_vals(
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
            Ok(linalg::eig_vals(a, conj_a != 0, w, run)?)
        })
    })
}

/// A = Z·T·Zᴴ with unitary Z. `a`, `t` and `z` are n×n, `a` conjugated first if `conj_a` is not 0; `w` n, complex. T
/// is upper triangular; of a real `a` quasi-triangular, with blocks of 2×2 for conjugate eigenvalues. `w` are the
/// eigenvalues in the order of T's diagonal, which is that of the driver. The entry of largest magnitude in each
/// column of Z, but for the second column of a block of 2×2, is real and positive. Fails as `tox_eig_full`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_schur_full(
    a: *const DLTensor,
    conj_a: i32,
    t: *const DLTensor,
    z: *const DLTensor,
    w: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [t, z, w] } = unsafe { tensors(a, [("t", t), ("z", z), ("w", w)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, t, z, w) =
                unsafe { (view::<T>(&a, "a")?, view_mut(&t, "t")?, view_mut(&z, "z")?, view_mut(&w, "w")?) };
            Ok(linalg::schur_full(a, conj_a != 0, t, z, w, run)?)
        })
    })
}

/// The eigenvalues of `tox_schur_full` alone, equal to those up to rounding and order. Fails likewise.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_schur_vals(
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
            Ok(linalg::schur_vals(a, conj_a != 0, w, run)?)
        })
    })
}
