//! Functions of matrices, and norms.

use tensoroxide_linalg as linalg;
use tensoroxide_linalg::{Function, Norm};
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::with_scalar;

use super::{how, tensors, tox_run, Tensors};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{view, view_mut};

/// The exponential.
pub const TOX_FUNCTION_EXP: i32 = 0;
/// The natural logarithm.
pub const TOX_FUNCTION_LOG: i32 = 1;
/// The square root; 0 of an eigenvalue that is negative by no more than rounding.
pub const TOX_FUNCTION_SQRT: i32 = 2;
/// 1/x.
pub const TOX_FUNCTION_INV: i32 = 3;
/// 1/√x.
pub const TOX_FUNCTION_INV_SQRT: i32 = 4;

/// The root of the sum of the squared magnitudes.
pub const TOX_NORM_FROBENIUS: i32 = 0;
/// The largest singular value.
pub const TOX_NORM_SPECTRAL: i32 = 1;
/// The sum of the singular values.
pub const TOX_NORM_NUCLEAR: i32 = 2;
/// The largest sum of magnitudes of a column.
pub const TOX_NORM_ONE: i32 = 3;
/// The largest sum of magnitudes of a row.
pub const TOX_NORM_INFINITY: i32 = 4;

/// One of `TOX_FUNCTION_…`.
pub(crate) fn function_of(code: i32) -> Result<Function, Failure> {
    match code {
        TOX_FUNCTION_EXP => Ok(Function::Exp),
        TOX_FUNCTION_LOG => Ok(Function::Log),
        TOX_FUNCTION_SQRT => Ok(Function::Sqrt),
        TOX_FUNCTION_INV => Ok(Function::Inverse),
        TOX_FUNCTION_INV_SQRT => Ok(Function::InverseSqrt),
        other => Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no function {other}"))),
    }
}

/// One of `TOX_NORM_…`.
pub(crate) fn norm_of(code: i32) -> Result<Norm, Failure> {
    match code {
        TOX_NORM_FROBENIUS => Ok(Norm::Frobenius),
        TOX_NORM_SPECTRAL => Ok(Norm::Spectral),
        TOX_NORM_NUCLEAR => Ok(Norm::Nuclear),
        TOX_NORM_ONE => Ok(Norm::One),
        TOX_NORM_INFINITY => Ok(Norm::Infinity),
        other => Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no norm {other}"))),
    }
}

/// X = exp(A). `a` is n×n, conjugated first if `conj_a` is not 0; `x` n×n; of a Hermitian A, X is Hermitian to the last
/// bit. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_expm(
    a: *const DLTensor,
    conj_a: i32,
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
            Ok(linalg::expm(a, conj_a != 0, x, run)?)
        })
    })
}

/// X = V·Diagonal(f(W))·Vᴴ for a Hermitian A = V·Diagonal(W)·Vᴴ. `a` as for `tox_eigh_full`; `function` is one of
/// `TOX_FUNCTION_…`; `x` n×n. Fails with `TOX_INVALID_ARGUMENT` if f is not finite at an eigenvalue, and otherwise as
/// `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_hermitian_function(
    a: *const DLTensor,
    conj_a: i32,
    function: i32,
    x: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        let f = function_of(function)?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, x) = unsafe { (view::<T>(&a, "a")?, view_mut(&x, "x")?) };
            Ok(linalg::hermitian_function(a, conj_a != 0, f, x, run)?)
        })
    })
}

/// A norm of each matrix of the batch, 0 of an empty one. `a` is m×n; `kind` is one of `TOX_NORM_…`; `x`, real, has the
/// axes of the batch: none for one matrix. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_norm(
    a: *const DLTensor,
    kind: i32,
    x: *const DLTensor,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [x] } = unsafe { tensors(a, [("x", x)]) }?;
        let kind = norm_of(kind)?;
        with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, x) = unsafe { (view::<T>(&a, "a")?, view_mut(&x, "x")?) };
            Ok(linalg::norm(a, kind, x, run)?)
        })
    })
}
