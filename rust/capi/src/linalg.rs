//! Decompositions: of matrices, and of every matrix of a stack.
//!
//! The first two axes of a tensor are the rows and columns of a matrix. Further axes are a batch, the same for all
//! tensors of a call: each of its matrices is decomposed. Of a batch that fails, some matrices may have been written.

mod eig;
mod eigh;
mod functions;
mod orthogonal;
mod svd;

pub use eig::*;
pub use eigh::*;
pub use functions::*;
pub use orthogonal::*;
pub use svd::*;

mod elimination;

pub(crate) use elimination::tolerance;
pub use elimination::*;

use std::sync::OnceLock;

use tensoroxide_dense::Provider;
use tensoroxide_linalg::{eigh_full, qr_compact, svd_compact, svd_trunc, Method, Run, Truncation, Workspaces};
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor};
use tensoroxide_tensor::with_scalar;

use crate::host::{threads, TOX_PROVIDER_AUTO, TOX_PROVIDER_LENT, TOX_PROVIDER_OWN};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{apart, borrow, view, view_mut};

/// Memory that decompositions work in, kept from call to call. Any number of threads may use one at once.
pub struct tox_workspace(Workspaces);

/// Makes a workspace, without any memory at first.
///
/// # Safety
/// `workspace` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_workspace_create(workspace: *mut *mut tox_workspace) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let workspace = unsafe { workspace.as_mut() }.ok_or_else(|| Failure::null("workspace"))?;
        *workspace = Box::into_raw(Box::new(tox_workspace(Workspaces::default())));
        Ok(())
    })
}

/// Frees a workspace and its memory; NULL is ignored.
///
/// # Safety
/// `workspace` came from `tox_workspace_create`, was not destroyed before, and nobody uses it.
#[no_mangle]
pub unsafe extern "C" fn tox_workspace_destroy(workspace: *mut tox_workspace) {
    guard(|| {
        if !workspace.is_null() {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(workspace) });
        }
        Ok(())
    });
}

/// How a decomposition runs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_run {
    /// Its memory; NULL for memory that is shared by all calls of the process that name none.
    pub workspace: *const tox_workspace,
    /// `TOX_PROVIDER_AUTO`, `TOX_PROVIDER_LENT` or `TOX_PROVIDER_OWN`; negative for what `tox_set_provider` says.
    pub provider: i32,
}

/// # Safety
/// `run` is NULL or leads to a `tox_run`, whose workspace is NULL or lives for as long as `'a`.
pub(crate) unsafe fn how<'a>(run: *const tox_run) -> Result<Run<'a>, Failure> {
    static SHARED: OnceLock<Workspaces> = OnceLock::new();
    // SAFETY: the caller's promise.
    let run = unsafe { run.as_ref() };
    // SAFETY: the caller's promise.
    let workspace = run.and_then(|run| unsafe { run.workspace.as_ref() }).map(|workspace| &workspace.0);
    let defaults = Run::on(workspace.unwrap_or_else(|| SHARED.get_or_init(Workspaces::default)));
    let provider = match run.map_or(-1, |run| run.provider) {
        TOX_PROVIDER_LENT => Provider::Lent,
        TOX_PROVIDER_OWN => Provider::Own,
        TOX_PROVIDER_AUTO => Provider::Auto,
        ..=-1 => defaults.provider,
        other => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no provider {other}"))),
    };
    Ok(Run { threads: threads(), provider, ..defaults })
}

/// Which singular values are cut off: the strictest limit decides, and `minrank` has the last word.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_truncation {
    /// At most this many stay; negative for no limit.
    pub maxrank: i64,
    /// At least this many stay.
    pub minrank: i64,
    /// Values below this are cut off.
    pub atol: f64,
    /// Values below this times the 2-norm of all are cut off.
    pub rtol: f64,
    /// The squares of what is cut off sum up to at most this part of the sum of all squares.
    pub discarded_weight: f64,
    /// Not 0: never cut inside of a group of equal values.
    pub keep_multiplets: i32,
    /// `TOX_METHOD_FULL`, `TOX_METHOD_RANDOMIZED` or `TOX_METHOD_AUTO`: how the values that stay are found.
    pub method: i32,
    /// Of the random numbers of the randomised method.
    pub seed: u64,
    /// The largest residual that the randomised method may leave, in the Frobenius norm relative to that of the matrix;
    /// negative for eps^(3/4).
    pub tol: f64,
}

/// The whole decomposition is computed.
pub const TOX_METHOD_FULL: i32 = 0;
/// A randomised block Krylov method is tried; the whole decomposition is computed if its certificate does not suffice.
pub const TOX_METHOD_RANDOMIZED: i32 = 1;
/// The randomised method is tried where it is likely to pay.
pub const TOX_METHOD_AUTO: i32 = 2;

/// The rules and the method; for NULL nothing is cut off.
///
/// # Safety
/// `limits` is NULL or leads to a `tox_truncation`.
pub(crate) unsafe fn truncation(limits: *const tox_truncation) -> Result<(Truncation, Method), Failure> {
    // SAFETY: the caller's promise.
    let Some(t) = (unsafe { limits.as_ref() }) else {
        return Ok(Default::default());
    };
    let minrank = usize::try_from(t.minrank)
        .map_err(|_| Failure::new(TOX_INVALID_ARGUMENT, format!("minrank is negative: {}", t.minrank)))?;
    let (tol, seed) = ((t.tol.is_nan() || t.tol >= 0.0).then_some(t.tol), t.seed);
    let method = match t.method {
        TOX_METHOD_FULL => Method::Full,
        TOX_METHOD_RANDOMIZED => Method::Randomized { tol, seed },
        TOX_METHOD_AUTO => Method::Auto { tol, seed },
        other => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no method {other}"))),
    };
    let rules = Truncation {
        maxrank: usize::try_from(t.maxrank).ok(),
        minrank,
        atol: t.atol,
        rtol: t.rtol,
        discarded_weight: t.discarded_weight,
        keep_multiplets: t.keep_multiplets != 0,
    };
    Ok((rules, method))
}

/// Numbers that are no tensor.
///
/// # Safety
/// `start` is NULL, or as many numbers as `len` can be written, which nothing else uses.
unsafe fn numbers<'a, T>(start: *mut T, name: &str, len: usize) -> Result<&'a mut [T], Failure> {
    match start.is_null() {
        true => Err(Failure::null(name)),
        // SAFETY: the caller's promise.
        false => Ok(unsafe { std::slice::from_raw_parts_mut(start, len) }),
    }
}

/// The tensors of a decomposition: the input, then the outputs by name.
struct Tensors<'a, const N: usize> {
    a: Borrowed<'a>,
    outputs: [Borrowed<'a>; N],
}

/// # Safety
/// As [`borrow`], for every tensor.
unsafe fn tensors<'a, const N: usize>(
    a: *const DLTensor,
    outputs: [(&str, *const DLTensor); N],
) -> Result<Tensors<'a, N>, Failure> {
    // SAFETY: the caller's promise.
    let a = unsafe { borrow(a, "a") }?;
    let mut borrowed: [Borrowed<'a>; N] = std::array::from_fn(|_| a.clone());
    for (to, (name, tensor)) in borrowed.iter_mut().zip(outputs) {
        // SAFETY: the caller's promise.
        *to = unsafe { borrow(tensor, name) }?;
    }
    for (i, (output, (name, _))) in borrowed.iter().zip(outputs).enumerate() {
        for (other, (other_name, _)) in borrowed.iter().zip(outputs).take(i) {
            apart((name, output.region()), &[(other_name, other.region())])?;
        }
        apart((name, output.region()), &[("a", a.region())])?;
    }
    Ok(Tensors { a, outputs: borrowed })
}

/// A = U·Diagonal(S)·Vᴴ with k = min(m, n) values, S descending. `a` is m×n, conjugated first if `conj_a` is not 0; `u`
/// m×k; `s` k, real; `vh` k×n. In each column of U the entry of largest magnitude is real and positive.
///
/// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (mixed element types), `TOX_ALIASING`, `TOX_NOT_FINITE`,
/// `TOX_NO_CONVERGENCE`, `TOX_OUT_OF_MEMORY`; the outputs are then as they were. `run` may be NULL.
///
/// # Safety
/// The pointers lead to tensors, and nothing else uses the outputs during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_svd_compact(
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
            Ok(svd_compact(a, conj_a != 0, u, s, vh, run)?)
        })
    })
}

/// As `tox_svd_compact`, truncated. `u`, `s` and `vh` have room for as many columns, values and rows as `maxrank` and
/// `minrank` allow, or more; the first `*rank` are written, the rest is left as it was. `error` gets the 2-norm of the
/// values that were cut off, one number for each matrix of the batch. A stack is cut to one rank, the largest that one
/// of its matrices needs, and more than that may be written. `limits` may be NULL: nothing is then cut off.
///
/// # Safety
/// As `tox_svd_compact`; `rank` and, for as many numbers as there are matrices, `error` can be written.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_svd_trunc(
    a: *const DLTensor,
    conj_a: i32,
    limits: *const tox_truncation,
    u: *const DLTensor,
    s: *const DLTensor,
    vh: *const DLTensor,
    rank: *mut i64,
    error: *mut f64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (rules, method) = unsafe { truncation(limits) }?;
        // SAFETY: the caller's promise.
        let run = unsafe { how(run) }?;
        // SAFETY: the caller's promise.
        let Tensors { a, outputs: [u, s, vh] } = unsafe { tensors(a, [("u", u), ("s", s), ("vh", vh)]) }?;
        let batch = a.shape().iter().skip(2).product();
        // SAFETY: the caller's promise.
        let (rank, error) = unsafe { (numbers(rank, "rank", 1)?, numbers(error, "error", batch)?) };
        let kept = with_scalar!(a.dtype(), T => {
            // SAFETY: the caller's promise; no output shares memory with another tensor.
            let (a, u, s, vh) = unsafe { (view::<T>(&a, "a")?, view_mut(&u, "u")?, view_mut(&s, "s")?, view_mut(&vh, "vh")?) };
            svd_trunc(a, conj_a != 0, &rules, method, u, s, vh, error, run)?
        });
        rank[0] = kept as i64;
        Ok(())
    })
}

/// A = Q·R with k = min(m, n) columns, R's diagonal real and not negative. `a` is m×n, conjugated first if `conj_a` is
/// not 0; `q` m×k; `r` k×n. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_qr_compact(
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
            Ok(qr_compact(a, conj_a != 0, q, r, run)?)
        })
    })
}

/// A·V = V·Diagonal(W) for a Hermitian A, W real and ascending. `a` is n×n, of which only the lower triangle is read,
/// conjugated first if `conj_a` is not 0; `w` n; `v` n×n, in each column the entry of largest magnitude real and
/// positive. Fails as `tox_svd_compact`.
///
/// # Safety
/// As `tox_svd_compact`.
#[no_mangle]
pub unsafe extern "C" fn tox_eigh_full(
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
            Ok(eigh_full(a, conj_a != 0, w, v, run)?)
        })
    })
}
