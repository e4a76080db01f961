//! Singular values alone, and the full decomposition.

use tensoroxide_linalg as linalg;
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::with_scalar;

use super::{how, tensors, tox_run, Tensors};
use crate::status::{guard, tox_status};
use crate::tensors::{view, view_mut};

/// A = U·Diagonal(S)·Vᴴ with unitary factors. `a` is m×n, conjugated first if `conj_a` is not 0; `u` m×m; `s` k =
/// min(m, n), real; `vh` n×n. The first k columns of U and rows of Vᴴ are those of `tox_svd_compact`; the further ones
/// are gauged alike. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_svd_full(
    a: *const DLTensor,
    conj_a: i32,
    u: *const DLTensor,
    s: *const DLTensor,
    vh: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [u, s, vh] } = unsafe { tensors(a, [("u", u), ("s", s), ("vh", vh)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, u, s, vh) = unsafe { (view::<T>(&a, "a")?, view_mut(&u, "u")?, view_mut(&s, "s")?, view_mut(&vh, "vh")?) };
            Ok(linalg::svd_full(a, conj_a != 0, u, s, vh, run)?)
        })
    })
}

/// The k = min(m, n) singular values of A, descending. `a` is m×n, conjugated first if `conj_a` is not 0; `s` k, real.
/// Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_svd_vals(
    a: *const DLTensor,
    conj_a: i32,
    s: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [s] } = unsafe { tensors(a, [("s", s)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, s) = unsafe { (view::<T>(&a, "a")?, view_mut(&s, "s")?) };
            Ok(linalg::svd_vals(a, conj_a != 0, s, run)?)
        })
    })
}
