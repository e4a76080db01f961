//! Full QR and LQ, null spaces, QR with pivoting, polar decompositions.

use tensoroxide_linalg as linalg;
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::with_scalar;

use super::{how, numbers, tensors, tox_run, Tensors};
use crate::status::{guard, tox_status};
use crate::tensors::{view, view_mut};

/// A = Q·R with a unitary Q. `a` is m×n, conjugated first if `conj_a` is not 0; `q` m×m; `r` m×n. The first k = min(m,
/// n) columns of Q and rows of R are those of `tox_qr_compact`; in each further column of Q the entry of largest
/// magnitude is real and positive. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_qr_full(
    a: *const DLTensor,
    conj_a: i32,
    q: *const DLTensor,
    r: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [q, r] } = unsafe { tensors(a, [("q", q), ("r", r)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, q, r) = unsafe { (view::<T>(&a, "a")?, view_mut(&q, "q")?, view_mut(&r, "r")?) };
            Ok(linalg::qr_full(a, conj_a != 0, q, r, run)?)
        })
    })
}

/// The columns of Q that `tox_qr_full` has beyond the first k = min(m, n). `a` is m×n, conjugated first if `conj_a` is
/// not 0; `n` m×(m − k). Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_qr_null(
    a: *const DLTensor,
    conj_a: i32,
    n: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [n] } = unsafe { tensors(a, [("n", n)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, n) = unsafe { (view::<T>(&a, "a")?, view_mut(&n, "n")?) };
            Ok(linalg::qr_null(a, conj_a != 0, n, run)?)
        })
    })
}

/// A = L·Q, L's diagonal real and not negative. `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×k, k = min(m,
/// n); `q` k×n. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_lq_compact(
    a: *const DLTensor,
    conj_a: i32,
    l: *const DLTensor,
    q: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [l, q] } = unsafe { tensors(a, [("l", l), ("q", q)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, l, q) = unsafe { (view::<T>(&a, "a")?, view_mut(&l, "l")?, view_mut(&q, "q")?) };
            Ok(linalg::lq_compact(a, conj_a != 0, l, q, run)?)
        })
    })
}

/// A = L·Q with a unitary Q. `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×n; `q` n×n. The first k = min(m,
/// n) columns of L and rows of Q are those of `tox_lq_compact`; each further row of Q is the adjoint of a vector whose
/// entry of largest magnitude is real and positive. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_lq_full(
    a: *const DLTensor,
    conj_a: i32,
    l: *const DLTensor,
    q: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [l, q] } = unsafe { tensors(a, [("l", l), ("q", q)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, l, q) = unsafe { (view::<T>(&a, "a")?, view_mut(&l, "l")?, view_mut(&q, "q")?) };
            Ok(linalg::lq_full(a, conj_a != 0, l, q, run)?)
        })
    })
}

/// The rows of Q that `tox_lq_full` has beyond the first k = min(m, n). `a` is m×n, conjugated first if `conj_a` is not
/// 0; `n` (n − k)×n. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_lq_null(
    a: *const DLTensor,
    conj_a: i32,
    n: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [n] } = unsafe { tensors(a, [("n", n)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, n) = unsafe { (view::<T>(&a, "a")?, view_mut(&n, "n")?) };
            Ok(linalg::lq_null(a, conj_a != 0, n, run)?)
        })
    })
}

/// A = W·P with WᴴW = 1 and P Hermitian, without negative eigenvalues. `a` is m×n with m ≥ n, conjugated first if
/// `conj_a` is not 0; `w` m×n; `p` n×n. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_left_polar(
    a: *const DLTensor,
    conj_a: i32,
    w: *const DLTensor,
    p: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [w, p] } = unsafe { tensors(a, [("w", w), ("p", p)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, w, p) = unsafe { (view::<T>(&a, "a")?, view_mut(&w, "w")?, view_mut(&p, "p")?) };
            Ok(linalg::left_polar(a, conj_a != 0, w, p, run)?)
        })
    })
}

/// A = P·Wᴴ with WᴴW = 1 and P Hermitian, without negative eigenvalues. `a` is m×n with m ≤ n, conjugated first if
/// `conj_a` is not 0; `p` m×m; `wh` m×n. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_right_polar(
    a: *const DLTensor,
    conj_a: i32,
    p: *const DLTensor,
    wh: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [p, wh] } = unsafe { tensors(a, [("p", p), ("wh", wh)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, p, wh) = unsafe { (view::<T>(&a, "a")?, view_mut(&p, "p")?, view_mut(&wh, "wh")?) };
            Ok(linalg::right_polar(a, conj_a != 0, p, wh, run)?)
        })
    })
}

/// A[:, p] = Q·R with column pivoting, R's diagonal real, not negative and not increasing. `a` is m×n, conjugated first
/// if `conj_a` is not 0; `q` m×k, k = min(m, n); `r` k×n. `p` gets n numbers for each matrix of the batch, counted from
/// 0; `rank`, for each, the number of diagonal elements of R above `atol` and above `rtol` times the first; `rtol` is
/// max(m, n)·eps if it is negative. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`; as many numbers as said can be written to `p` and `rank`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_qr_pivoted(
    a: *const DLTensor,
    conj_a: i32,
    atol: f64,
    rtol: f64,
    q: *const DLTensor,
    r: *const DLTensor,
    p: *mut i64,
    rank: *mut i64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [q, r] } = unsafe { tensors(a, [("q", q), ("r", r)]) }?;
        let batch: usize = a.shape().iter().skip(2).product();
        let columns = a.shape().get(1).copied().unwrap_or(0);
        // SAFETY: the caller's promise.
        let (p, rank) = unsafe { (numbers(p, "p", columns * batch)?, numbers(rank, "rank", batch)?) };
        let tolerances = (atol, if rtol < 0.0 { None } else { Some(rtol) });
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, q, r) = unsafe { (view::<T>(&a, "a")?, view_mut(&q, "q")?, view_mut(&r, "r")?) };
            Ok(linalg::qr_pivoted(a, conj_a != 0, tolerances, q, r, p, rank, run)?)
        })
    })
}
