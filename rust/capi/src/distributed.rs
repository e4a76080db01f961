//! Contractions over the ranks of an MPI communicator.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use tensoroxide_dense::Element;
use tensoroxide_distributed::mpi::{connect, Functions, Library};
use tensoroxide_distributed::{Error, Group, Progress, ShareOptions, SharedEinsum, Target};
use tensoroxide_einsum::Plan;
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor};
use tensoroxide_tensor::{Complex32, Complex64, DType, View};

use crate::host::threads;
use crate::plan::{described, given_path, search, slice, tox_plan_info_t, tox_plan_request, write_text};
use crate::semiring::TOX_NUMBERS;
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{borrow, view, view_mut};

/// An MPI library that the host has loaded and initialised, and a communicator of it. Handles are given as numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_mpi {
    /// Bytes of a handle: 4 where it is an `int` (MPICH), 8 where it is an address (Open MPI) or as large as one (the
    /// standard ABI).
    pub handle_size: usize,
    /// The communicator.
    pub communicator: u64,
    /// `MPI_BYTE`.
    pub byte: u64,
    /// `MPI_ERRORS_RETURN`.
    pub errors_return: u64,
    /// The value of `MPI_ANY_SOURCE`.
    pub any_source: i32,
    /// The value of `MPI_THREAD_SERIALIZED`.
    pub thread_serialized: i32,
    /// The address of `MPI_Initialized`; those of other functions follow. They are never unloaded.
    pub initialized: *const c_void,
    /// `MPI_Finalized`.
    pub finalized: *const c_void,
    /// `MPI_Query_thread`.
    pub query_thread: *const c_void,
    /// `MPI_Is_thread_main`.
    pub is_thread_main: *const c_void,
    /// `MPI_Comm_rank`.
    pub comm_rank: *const c_void,
    /// `MPI_Comm_size`.
    pub comm_size: *const c_void,
    /// `MPI_Comm_idup`.
    pub comm_idup: *const c_void,
    /// `MPI_Comm_free`.
    pub comm_free: *const c_void,
    /// `MPI_Comm_set_errhandler`.
    pub comm_set_errhandler: *const c_void,
    /// `MPI_Isend`.
    pub isend: *const c_void,
    /// `MPI_Irecv`.
    pub irecv: *const c_void,
    /// `MPI_Test`.
    pub test: *const c_void,
    /// `MPI_Cancel`.
    pub cancel: *const c_void,
    /// `MPI_Error_string`.
    pub error_string: *const c_void,
}

/// A duplicate of an MPI communicator, for the engine's own messages. Its ranks make calls together: each makes the
/// same calls in the same order, one at a time, from a thread that may call MPI.
///
/// A call ends on all ranks, within the timeout and what the slices take that are being computed: after an error on one
/// of them, when one is silent for longer than the timeout, when they ask for different things. After a failure
/// (`TOX_RANK_FAILURE`, `TOX_OUT_OF_MEMORY` and other errors that are not told before the work begins) all further
/// calls fail.
pub struct tox_communicator {
    group: Arc<Mutex<Group>>,
}

impl tox_communicator {
    pub(crate) fn group(&self) -> &Arc<Mutex<Group>> {
        &self.group
    }
}

pub(crate) fn lock(group: &Mutex<Group>) -> Result<MutexGuard<'_, Group>, Failure> {
    match group.try_lock() {
        Ok(group) => Ok(group),
        Err(TryLockError::Poisoned(_)) => Err(Error::Panicked.into()),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new(TOX_INVALID_ARGUMENT, "another thread makes a call with this communicator"))
        }
    }
}

/// Duplicates a communicator, which all of its ranks do together, and writes it to `*communicator`. A rank that is not
/// heard of for `timeout` seconds is taken for dead.
///
/// Fails with `TOX_INVALID_ARGUMENT` (MPI is not initialised, or is finalised, or this thread may not call it; the size
/// of handles; the timeout), `TOX_NULL_POINTER`, `TOX_RANK_FAILURE`.
///
/// # Safety
/// What `mpi` says is true. `communicator` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_communicator_create(
    mpi: *const tox_mpi,
    timeout: f64,
    communicator: *mut *mut tox_communicator,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (mpi, place) = unsafe { (mpi.as_ref(), communicator.as_mut()) };
        let mpi = mpi.ok_or_else(|| Failure::null("mpi"))?;
        let place = place.ok_or_else(|| Failure::null("communicator"))?;
        let timeout = Duration::try_from_secs_f64(timeout).ok().filter(|timeout| !timeout.is_zero());
        let timeout = timeout.ok_or_else(|| Failure::new(TOX_INVALID_ARGUMENT, "the timeout is no positive time"))?;
        let &tox_mpi { initialized, finalized, query_thread, is_thread_main, comm_rank, comm_size, .. } = mpi;
        let &tox_mpi { comm_idup, comm_free, comm_set_errhandler, isend, irecv, test, cancel, error_string, .. } = mpi;
        let library = Library {
            handle_size: mpi.handle_size,
            communicator: mpi.communicator as usize,
            byte: mpi.byte as usize,
            errors_return: mpi.errors_return as usize,
            any_source: mpi.any_source,
            thread_serialized: mpi.thread_serialized,
            functions: Functions {
                initialized,
                finalized,
                query_thread,
                is_thread_main,
                comm_rank,
                comm_size,
                comm_idup,
                comm_free,
                comm_set_errhandler,
                isend,
                irecv,
                test,
                cancel,
                error_string,
            },
        };
        // SAFETY: the caller's promise.
        let group = Group::new(unsafe { connect(library, timeout) }?, timeout);
        *place = Box::into_raw(Box::new(tox_communicator { group: Arc::new(Mutex::new(group)) }));
        Ok(())
    })
}

/// Writes which rank this is, from 0, and how many there are.
///
/// # Safety
/// `communicator` came from `tox_communicator_create`; the other two can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_communicator_rank(
    communicator: *const tox_communicator,
    rank: *mut i64,
    size: *mut i64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (communicator, rank, size) = unsafe { (communicator.as_ref(), rank.as_mut(), size.as_mut()) };
        let group = lock(&communicator.ok_or_else(|| Failure::null("communicator"))?.group)?;
        *rank.ok_or_else(|| Failure::null("rank"))? = group.rank() as i64;
        *size.ok_or_else(|| Failure::null("size"))? = group.size() as i64;
        Ok(())
    })
}

/// Gives the duplicate back to MPI: all ranks do, before MPI is finalised. Plans over it cannot be run any more.
///
/// # Safety
/// `communicator` came from `tox_communicator_create`.
#[no_mangle]
pub unsafe extern "C" fn tox_communicator_free(communicator: *const tox_communicator) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let communicator = unsafe { communicator.as_ref() }.ok_or_else(|| Failure::null("communicator"))?;
        Ok(lock(&communicator.group)?.free()?)
    })
}

/// Releases the memory of this handle, at any time and without the other ranks. NULL is allowed. Plans over it keep
/// what they need.
///
/// # Safety
/// `communicator` came from `tox_communicator_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_communicator_destroy(communicator: *mut tox_communicator) {
    if !communicator.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(communicator) });
            Ok(())
        });
    }
}

/// A contraction whose slices are shared out among the ranks of a communicator.
pub struct tox_shared {
    group: Arc<Mutex<Group>>,
    einsum: AnyShared,
    conj: Box<[bool]>,
}

enum AnyShared {
    F32(SharedEinsum<f32>),
    F64(SharedEinsum<f64>),
    C32(SharedEinsum<Complex32>),
    C64(SharedEinsum<Complex64>),
}

macro_rules! any {
    ($any:expr, $einsum:ident => $body:expr) => {
        match $any {
            AnyShared::F32($einsum) => $body,
            AnyShared::F64($einsum) => $body,
            AnyShared::C32($einsum) => $body,
            AnyShared::C64($einsum) => $body,
        }
    };
}

/// What a shared contraction comes to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_shared_info_t {
    /// Of the slices; `peak_bytes` is what a rank takes, sums of slices included.
    pub plan: tox_plan_info_t,
    /// In how many pieces the work can be dealt out.
    pub leaves: u64,
    /// Threads that compute, on each rank.
    pub threads: u64,
    /// How many times the arithmetic of the same path without slices.
    pub slicing_overhead: f64,
}

/// Plans an Einstein summation to be shared out, and writes it to `*shared`. All ranks do so together and ask for the
/// same; rank 0 searches the path. `memory_limit` is for each rank. There are at least `slices` slices, or for 0 four
/// for each thread of all ranks; the result has the same bits for any number of ranks that has the same slices.
///
/// Fails as `tox_plan_create`, and with `TOX_RANK_FAILURE` for what other ranks fail with.
///
/// # Safety
/// As `tox_plan_create`; `communicator` came from `tox_communicator_create`.
#[no_mangle]
pub unsafe extern "C" fn tox_shared_create(
    communicator: *const tox_communicator,
    request: *const tox_plan_request,
    slices: usize,
    shared: *mut *mut tox_shared,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (communicator, request, place) = unsafe { (communicator.as_ref(), request.as_ref(), shared.as_mut()) };
        let communicator = communicator.ok_or_else(|| Failure::null("communicator"))?;
        let request = request.ok_or_else(|| Failure::null("request"))?;
        let place = place.ok_or_else(|| Failure::null("shared"))?;
        let mut group = lock(&communicator.group)?;
        // SAFETY: the caller's promise.
        let made = unsafe { create(&mut group, request, slices) };
        let (einsum, conj) = match made {
            // The other ranks wait for this one.
            Err(Refused::Before(failure)) => {
                let error = Error::Argument(failure.text.clone());
                group.call(Err::<u64, _>(error), |_| Ok(())).ok();
                return Err(failure);
            }
            Err(Refused::Together(failure)) => return Err(failure),
            Ok(made) => made,
        };
        let made = tox_shared { group: communicator.group.clone(), einsum, conj };
        *place = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// Whether the other ranks know.
enum Refused {
    Before(Failure),
    Together(Failure),
}

/// # Safety
/// As `tox_shared_create`.
unsafe fn create(
    group: &mut Group,
    request: &tox_plan_request,
    slices: usize,
) -> Result<(AnyShared, Box<[bool]>), Refused> {
    let before = Refused::Before;
    if request.semiring != TOX_NUMBERS {
        let text = "contractions over a semiring are not shared out over ranks";
        return Err(before(Failure::new(TOX_INVALID_ARGUMENT, text)));
    }
    // SAFETY: the caller's promise.
    let (expression, sizes) = unsafe { described(request) }.map_err(before)?;
    let shapes: Vec<&[usize]> = sizes.iter().map(Vec::as_slice).collect();
    let conj: Box<[bool]> = match request.conj.is_null() {
        true => vec![false; request.operands].into(),
        // SAFETY: the caller's promise.
        false => unsafe { slice(request.conj, request.operands, "conj") }
            .map_err(before)?
            .iter()
            .map(|&flag| flag != 0)
            .collect(),
    };
    let options = ShareOptions {
        memory_limit: usize::try_from(request.memory_limit).ok().filter(|&limit| limit > 0),
        threads: threads(),
        slices,
        // SAFETY: the caller's promise.
        path: unsafe { given_path(request, expression, &shapes) }.map_err(before)?,
        search: search(request).map_err(before)?,
    };
    let dtype = DType::try_from(request.dtype).map_err(|error| before(error.into()))?;
    let together = |error: Error| Refused::Together(error.into());
    let einsum = match dtype {
        DType::F32 => AnyShared::F32(SharedEinsum::new(group, expression, &shapes, options).map_err(together)?),
        DType::F64 => AnyShared::F64(SharedEinsum::new(group, expression, &shapes, options).map_err(together)?),
        DType::C32 => AnyShared::C32(SharedEinsum::new(group, expression, &shapes, options).map_err(together)?),
        DType::C64 => AnyShared::C64(SharedEinsum::new(group, expression, &shapes, options).map_err(together)?),
    };
    Ok((einsum, conj))
}

/// Releases a shared contraction, at any time and without the other ranks. NULL is allowed.
///
/// # Safety
/// `shared` came from `tox_shared_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_shared_destroy(shared: *mut tox_shared) {
    if !shared.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(shared) });
            Ok(())
        });
    }
}

/// # Safety
/// `shared` is NULL or came from `tox_shared_create`.
unsafe fn given<'a>(shared: *const tox_shared) -> Result<&'a tox_shared, Failure> {
    // SAFETY: the caller's promise.
    unsafe { shared.as_ref() }.ok_or_else(|| Failure::null("shared"))
}

impl tox_shared {
    fn plan(&self) -> &Plan {
        any!(&self.einsum, einsum => einsum.plan_of_slices())
    }
}

/// Writes what a shared contraction comes to.
///
/// # Safety
/// `shared` came from `tox_shared_create`; `info` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_shared_info(shared: *const tox_shared, info: *mut tox_shared_info_t) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (shared, info) = unsafe { (given(shared)?, info.as_mut()) };
        let mut plan = tox_plan_info_t::of(shared.plan());
        let slicing_overhead = shared.plan().slicing_overhead();
        let found = any!(&shared.einsum, einsum => {
            plan.peak_bytes = einsum.peak_bytes() as u64;
            let (leaves, threads) = (einsum.leaves() as u64, einsum.workers() as u64);
            tox_shared_info_t { plan, leaves, threads, slicing_overhead }
        });
        *info.ok_or_else(|| Failure::null("info"))? = found;
        Ok(())
    })
}

/// Writes the extents of the output, at most `capacity` of them.
///
/// # Safety
/// `shared` came from `tox_shared_create`; `extents` leads to room for `capacity` numbers.
#[no_mangle]
pub unsafe extern "C" fn tox_shared_output_shape(
    shared: *const tox_shared,
    extents: *mut i64,
    capacity: usize,
) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { crate::plan::write_shape(given(shared)?.plan(), extents, capacity) })
}

/// Describes the plan of the slices in words, as `tox_plan_describe` does.
///
/// # Safety
/// `shared` came from `tox_shared_create`; `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_shared_describe(
    shared: *const tox_shared,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { write_text(&given(shared)?.plan().to_string(), buffer, capacity, length) })
}

/// Is told on rank 0, on the thread that makes the call, how many slices are done, how many there are, and the seconds
/// since the beginning. Another answer than 0 stops the run on all ranks.
pub type tox_progress = Option<unsafe extern "C" fn(context: *mut c_void, done: u64, slices: u64, seconds: f64) -> i32>;

/// output = alpha * (Einstein sum of the operands) + beta * output, on rank 0, or on all ranks if `all` is not 0. All
/// ranks make this call, with the same operands and factors. `output` is NULL where the result does not go. `progress`
/// may be NULL; it is told about every second, and at the end.
///
/// Fails on all ranks, with the status of its own failure on the one that failed, and `TOX_RANK_FAILURE` on the others.
/// After a failure the output may be partly written.
///
/// # Safety
/// As `tox_plan_run`; `progress` may be called with `context` until this returns.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_shared_run(
    shared: *const tox_shared,
    operands: *const DLTensor,
    count: usize,
    conj: *const u8,
    output: *const DLTensor,
    all: i32,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
    progress: tox_progress,
    context: *mut c_void,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let shared = unsafe { given(shared) }?;
        let mut group = lock(&shared.group)?;
        // SAFETY: the caller's promise.
        let operands = unsafe { slice(operands, count, "operands") };
        let given: &[u8] = match conj.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { slice(conj, count, "conj") }?,
        };
        let conj = |(i, &flag): (usize, &bool)| flag != given.get(i).is_some_and(|&flag| flag != 0);
        let conj: Vec<bool> = shared.conj.iter().enumerate().map(conj).collect();
        let mut tell = |Progress { done, slices, seconds }: Progress| match progress {
            None => true,
            // SAFETY: the caller's promise.
            Some(progress) => unsafe { progress(context, done, slices, seconds) == 0 },
        };
        let target = if all != 0 { Target::All } else { Target::Leader };
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        // SAFETY: the caller's promise.
        any!(&shared.einsum, einsum => unsafe {
            let operands = match operands {
                Ok(operands) => operands,
                Err(failure) => return Err(refuse(&mut group, failure)),
            };
            run(einsum, &mut group, operands, &conj, output, target, alpha, beta, &mut tell)
        })
    })
}

/// Tells the other ranks, which wait for this one.
pub(crate) fn refuse(group: &mut Group, failure: Failure) -> Failure {
    group.call(Err::<u64, _>(Error::Argument(failure.text.clone())), |_| Ok(())).ok();
    failure
}

/// # Safety
/// As `tox_shared_run`.
#[allow(clippy::too_many_arguments)]
unsafe fn run<T: Element>(
    einsum: &SharedEinsum<T>,
    group: &mut Group,
    operands: &[DLTensor],
    conj: &[bool],
    output: *const DLTensor,
    target: Target,
    alpha: Complex64,
    beta: Complex64,
    tell: &mut dyn FnMut(Progress) -> bool,
) -> Result<(), Failure> {
    let named = |i: usize, failure: Failure| failure.about(format_args!("operand {}", i + 1));
    let mut borrowed: Vec<Borrowed<'_>> = Vec::with_capacity(operands.len());
    for (i, operand) in operands.iter().enumerate() {
        // SAFETY: the caller's promise.
        match unsafe { Borrowed::new(operand) } {
            Ok(operand) => borrowed.push(operand),
            Err(error) => return Err(refuse(group, named(i, error.into()))),
        }
    }
    let mut views: Vec<View<'_, T>> = Vec::with_capacity(borrowed.len());
    for (i, operand) in borrowed.iter().enumerate() {
        // SAFETY: the caller's promise.
        match unsafe { view(operand, "the tensor") } {
            Ok(view) => views.push(view),
            Err(failure) => return Err(refuse(group, named(i, failure))),
        }
    }
    let (alpha, beta) = (T::from_c64(alpha), T::from_c64(beta));
    if output.is_null() {
        return Ok(einsum.run(group, alpha, &views, conj, beta, None, target, tell)?);
    }
    // SAFETY: the caller's promise.
    let output = match unsafe { borrow(output, "the output") } {
        Ok(output) => output,
        Err(failure) => return Err(refuse(group, failure)),
    };
    let apart = views.iter().enumerate().map(|(i, operand)| (format!("operand {}", i + 1), operand.region()));
    let apart: Vec<_> = apart.collect();
    let others: Vec<_> = apart.iter().map(|(name, region)| (name.as_str(), *region)).collect();
    // SAFETY: the caller's promise; that the output shares no memory with an operand is checked before it is written.
    let written = unsafe { view_mut::<T>(&output, "the output") };
    let written = written.and_then(|output| {
        crate::tensors::apart(("the output", output.region()), &others)?;
        Ok(output)
    });
    match written {
        Ok(output) => Ok(einsum.run(group, alpha, &views, conj, beta, Some(output), target, tell)?),
        Err(failure) => Err(refuse(group, failure)),
    }
}
