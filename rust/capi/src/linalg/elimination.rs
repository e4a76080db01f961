//! Elimination and what it solves: LU, Cholesky, systems, least squares, inverses, determinants.
//!
//! Indices are counted from 0. A matrix that is not what it must be is reported with the index of the pivot where
//! that showed.

use tensoroxide_linalg as linalg;
use tensoroxide_linalg::{Error, Tolerance, Triangle};
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor, Typed};
use tensoroxide_tensor::{with_scalar, Region, ViewMut};

use super::{how, tensors, tox_run, Tensors};
use crate::status::{guard, tox_status, Failure};
use crate::tensors::{apart, borrow, integers, view, view_mut};

/// Integers to be written, which share no memory with the tensors of the same call.
///
/// # Safety
/// Nothing else reads or writes the elements while the view lives.
unsafe fn integers_mut<'a>(
    integers: &'a Typed<'_, i64>,
    name: &str,
    others: &[(&str, Region<'_>)],
) -> Result<ViewMut<'a, i64>, Failure> {
    // SAFETY: the caller's promise.
    let mut view = unsafe { integers.view_mut() }.map_err(|error| Failure::from(error).about(name))?;
    let address = view.as_mut_ptr() as usize;
    apart((name, Region { address, shape: view.shape(), strides: view.strides(), element: size_of::<i64>() }), others)?;
    Ok(view)
}

/// The right-hand sides, which share no memory with the solution.
///
/// # Safety
/// As [`borrow`].
unsafe fn right_hand_sides<'a>(b: *const DLTensor, x: &Borrowed<'_>) -> Result<Borrowed<'a>, Failure> {
    // SAFETY: the caller's promise.
    let b = unsafe { borrow(b, "b") }?;
    apart(("x", x.region()), &[("b", b.region())])?;
    Ok(b)
}

/// A result, after the index of the pivot that it failed at was written, if it did.
///
/// # Safety
/// `index` is NULL or can be written.
unsafe fn located(result: Result<(), Error>, index: *mut i64) -> Result<(), Failure> {
    result.map_err(|error| {
        // SAFETY: the caller's promise.
        if let (Some(found), Some(index)) = (error.index(), unsafe { index.as_mut() }) {
            *index = found as i64;
        }
        error.into()
    })
}

/// Singular values of at most `atol`, or of at most `rtol` times the largest, count as zero; a negative `rtol` is
/// max(m, n)·eps.
pub(crate) fn tolerance(atol: f64, rtol: f64) -> Tolerance {
    Tolerance { atol, rtol: if rtol < 0.0 { None } else { Some(rtol) } }
}

/// A[p, :] = L·U with k = min(m, n). `a` is m×n, conjugated first if `conj_a` is not 0; `l` m×k, zero above the
/// diagonal and 1 on it; `u` k×n, zero below the diagonal; `p` m integers of 64 bits, counted from 0. The pivot of a
/// column is the entry with the largest |re| + |im| that is left in it, the first of equals; it may be zero. Fails as
/// `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_lu(
    a: *const DLTensor,
    conj_a: i32,
    l: *const DLTensor,
    u: *const DLTensor,
    p: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (run, p) = unsafe { (how(run)?, integers(p, "p")?) };
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [l, u] } = unsafe { tensors(a, [("l", l), ("u", u)]) }?;
        // SAFETY: the caller's promise.
        let p = unsafe { integers_mut(&p, "p", &[("a", a.region()), ("l", l.region()), ("u", u.region())]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, l, u) = unsafe { (view::<T>(&a, "a")?, view_mut(&l, "l")?, view_mut(&u, "u")?) };
            Ok(linalg::lu(a, conj_a != 0, l, u, p, run)?)
        })
    })
}

/// A[p, q] = L·U: as `tox_lu`, with the pivot that has the largest |re| + |im| in all that is left, the first of
/// equals column by column; `q` is n integers.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_lu_complete(
    a: *const DLTensor,
    conj_a: i32,
    l: *const DLTensor,
    u: *const DLTensor,
    p: *const DLTensor,
    q: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (run, p, q) = unsafe { (how(run)?, integers(p, "p")?, integers(q, "q")?) };
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [l, u] } = unsafe { tensors(a, [("l", l), ("u", u)]) }?;
        let floats = [("a", a.region()), ("l", l.region()), ("u", u.region())];
        // SAFETY: the caller's promise.
        let mut p = unsafe { integers_mut(&p, "p", &floats) }?;
        let address = p.as_mut_ptr() as usize;
        let region = Region { address, shape: p.shape(), strides: p.strides(), element: size_of::<i64>() };
        // SAFETY: the caller's promise.
        let q = unsafe { integers_mut(&q, "q", &[floats[0], floats[1], floats[2], ("p", region)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, l, u) = unsafe { (view::<T>(&a, "a")?, view_mut(&l, "l")?, view_mut(&u, "u")?) };
            Ok(linalg::lu_complete(a, conj_a != 0, l, u, p, q, run)?)
        })
    })
}

/// A = L·Lᴴ for a positive definite Hermitian A. `a` is n×n, of which only the lower triangle is read, conjugated
/// first if `conj_a` is not 0; `l` n×n, zero above its real and positive diagonal. Fails as `tox_svd_compact`, and
/// with `TOX_NOT_POSITIVE_DEFINITE`: `*index`, which may be NULL, is then the last row of the smallest leading block
/// that is not, counted from 0.
///
/// # Safety
/// As `tox_svd_compact`; `index` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_cholesky(
    a: *const DLTensor,
    conj_a: i32,
    l: *const DLTensor,
    index: *mut i64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [l] } = unsafe { tensors(a, [("l", l)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, l) = unsafe { (view::<T>(&a, "a")?, view_mut(&l, "l")?) };
            // SAFETY: the caller's promise.
            unsafe { located(linalg::cholesky(a, conj_a != 0, l, run), index) }
        })
    })
}

/// X with A·X = B. `a` is n×n, conjugated first if `conj_a` is not 0; `b` n×k, conjugated first if `conj_b` is not 0;
/// `x` n×k; or `b` and `x` are vectors, with an axis less than `a`. Fails as `tox_svd_compact`, and with
/// `TOX_SINGULAR` if a pivot is exactly zero: `*index`, which may be NULL, is then its place, counted from 0.
///
/// # Safety
/// As `tox_svd_compact`; `index` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_solve(
    a: *const DLTensor,
    conj_a: i32,
    b: *const DLTensor,
    conj_b: i32,
    x: *const DLTensor,
    index: *mut i64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        // SAFETY: the caller's promise.
        let b = unsafe { right_hand_sides(b, &x) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, b, x) = unsafe { (view::<T>(&a, "a")?, view::<T>(&b, "b")?, view_mut(&x, "x")?) };
            // SAFETY: the caller's promise.
            unsafe { located(linalg::solve(a, conj_a != 0, b, conj_b != 0, x, run), index) }
        })
    })
}

/// As `tox_solve`, with the triangle of `a` on and above the diagonal if `upper` is not 0, otherwise on and below it;
/// with ones on the diagonal if `unit_diagonal` is not 0. Nothing else of `a` is read.
///
/// # Safety
/// As `tox_solve`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_solve_triangular(
    a: *const DLTensor,
    conj_a: i32,
    upper: i32,
    unit_diagonal: i32,
    b: *const DLTensor,
    conj_b: i32,
    x: *const DLTensor,
    index: *mut i64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        let triangle = Triangle { upper: upper != 0, unit_diagonal: unit_diagonal != 0 };
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        // SAFETY: the caller's promise.
        let b = unsafe { right_hand_sides(b, &x) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, b, x) = unsafe { (view::<T>(&a, "a")?, view::<T>(&b, "b")?, view_mut(&x, "x")?) };
            let result = linalg::solve_triangular(a, conj_a != 0, triangle, b, conj_b != 0, x, run);
            // SAFETY: the caller's promise.
            unsafe { located(result, index) }
        })
    })
}

/// X = A⁻¹. `a` is n×n, conjugated first if `conj_a` is not 0; `x` n×n. Fails as `tox_solve`.
///
/// # Safety
/// As `tox_solve`.
#[no_mangle]
pub unsafe extern "C" fn tox_inv(
    a: *const DLTensor,
    conj_a: i32,
    x: *const DLTensor,
    index: *mut i64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, x) = unsafe { (view::<T>(&a, "a")?, view_mut(&x, "x")?) };
            // SAFETY: the caller's promise.
            unsafe { located(linalg::inv(a, conj_a != 0, x, run), index) }
        })
    })
}

/// The determinant of `a`, n×n, conjugated first if `conj_a` is not 0, or of each of its matrices: `det` has the axes
/// of the batch, none for one matrix. It is 0 or infinite where it is beyond the range of the type. Fails as
/// `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_det(
    a: *const DLTensor,
    conj_a: i32,
    det: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [det] } = unsafe { tensors(a, [("det", det)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, det) = unsafe { (view::<T>(&a, "a")?, view_mut(&det, "det")?) };
            Ok(linalg::det(a, conj_a != 0, det, run)?)
        })
    })
}

/// log|det A|, real, and det A/|det A| of `a` as in `tox_det`; −∞ and 0 if it is singular.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_logabsdet(
    a: *const DLTensor,
    conj_a: i32,
    log: *const DLTensor,
    phase: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [log, phase] } = unsafe { tensors(a, [("log", log), ("phase", phase)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, log, phase) = unsafe { (view::<T>(&a, "a")?, view_mut(&log, "log")?, view_mut(&phase, "phase")?) };
            Ok(linalg::logabsdet(a, conj_a != 0, log, phase, run)?)
        })
    })
}

/// X of least norm among those for which the columns of A·X − B have the least norms. `a` is m×n, conjugated first if
/// `conj_a` is not 0; `b` m×k, conjugated first if `conj_b` is not 0; `x` n×k; or `b` and `x` are vectors, with an
/// axis less than `a`. `rank` is an integer of 64 bits with the axes of the batch: the number of singular values of A
/// above both `atol` and `rtol` times the largest; the others count as zero. A negative `rtol` is max(m, n)·eps.
/// Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_lstsq(
    a: *const DLTensor,
    conj_a: i32,
    b: *const DLTensor,
    conj_b: i32,
    atol: f64,
    rtol: f64,
    x: *const DLTensor,
    rank: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (run, rank) = unsafe { (how(run)?, integers(rank, "rank")?) };
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        // SAFETY: the caller's promise.
        let b = unsafe { right_hand_sides(b, &x) }?;
        let floats = [("a", a.region()), ("b", b.region()), ("x", x.region())];
        // SAFETY: the caller's promise.
        let rank = unsafe { integers_mut(&rank, "rank", &floats) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, b, x) = unsafe { (view::<T>(&a, "a")?, view::<T>(&b, "b")?, view_mut(&x, "x")?) };
            Ok(linalg::lstsq(a, conj_a != 0, b, conj_b != 0, tolerance(atol, rtol), x, rank, run)?)
        })
    })
}

/// The pseudo-inverse of Moore and Penrose. `a` is m×n, conjugated first if `conj_a` is not 0; `x` n×m; `atol` and
/// `rtol` as in `tox_lstsq`. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_pinv(
    a: *const DLTensor,
    conj_a: i32,
    atol: f64,
    rtol: f64,
    x: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, x) = unsafe { (view::<T>(&a, "a")?, view_mut(&x, "x")?) };
            Ok(linalg::pinv(a, conj_a != 0, tolerance(atol, rtol), x, run)?)
        })
    })
}
