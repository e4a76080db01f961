//! Contractions of tensors that are split over the ranks of a communicator, and sums over its ranks.

use std::sync::{Arc, Mutex};

use tensoroxide_dense::Element;
use tensoroxide_distributed::{sum, Error, Group, SplitEinsum, SplitOptions};
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor};
use tensoroxide_tensor::{Complex32, Complex64, DType, View};

use crate::distributed::{lock, refuse, tox_communicator};
use crate::host::threads;
use crate::plan::{described, given_path, search, slice, tox_plan_request};
use crate::semiring::TOX_NUMBERS;
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{apart, borrow, view, view_mut};

/// A contraction of tensors each of which is split along an index: every rank has the values of one range, rank r of p
/// those from n·r/p on (n being the extent, the quotient rounded down), or is whole on all ranks.
pub struct tox_split {
    group: Arc<Mutex<Group>>,
    einsum: AnySplit,
    conj: Box<[bool]>,
}

enum AnySplit {
    F32(SplitEinsum<f32>),
    F64(SplitEinsum<f64>),
    C32(SplitEinsum<Complex32>),
    C64(SplitEinsum<Complex64>),
}

macro_rules! any {
    ($any:expr, $einsum:ident => $body:expr) => {
        match $any {
            AnySplit::F32($einsum) => $body,
            AnySplit::F64($einsum) => $body,
            AnySplit::C32($einsum) => $body,
            AnySplit::C64($einsum) => $body,
        }
    };
}

/// What a contraction of split tensors comes to, on this rank.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_split_info_t {
    /// Most bytes that are taken at once beside the parts of the operands and the output.
    pub peak_bytes: u64,
    /// Bytes that are sent in a run.
    pub sent_bytes: u64,
    /// Multiplications in a run.
    pub multiplications: f64,
}

/// Plans an Einstein summation of split tensors, and writes it to `*split`. All ranks do so together and ask for the
/// same. The request has the shapes of the whole tensors; `axes` says for each operand, and behind them for the output,
/// which axis it is split along, from 0, or is −1 for one that is whole on all ranks. `memory_limit` is for what each
/// rank takes beside its parts.
///
/// Fails as `tox_shared_create`; with `TOX_INVALID_ARGUMENT` also for a single operand, a label twice in one tensor, an
/// extent of 1 that stands for another, and if no way is found on which no tensor is whole that is as large as the
/// smallest split operand.
///
/// # Safety
/// As `tox_shared_create`; `axes` leads to one number more than there are operands.
#[no_mangle]
pub unsafe extern "C" fn tox_split_create(
    communicator: *const tox_communicator,
    request: *const tox_plan_request,
    axes: *const i32,
    split: *mut *mut tox_split,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (communicator, request, place) = unsafe { (communicator.as_ref(), request.as_ref(), split.as_mut()) };
        let communicator = communicator.ok_or_else(|| Failure::null("communicator"))?;
        let request = request.ok_or_else(|| Failure::null("request"))?;
        let place = place.ok_or_else(|| Failure::null("split"))?;
        let mut group = lock(communicator.group())?;
        // SAFETY: the caller's promise.
        let read = unsafe { read(request, axes) };
        let (expression, sizes, axes, conj, dtype, options) = match read {
            Ok(read) => read,
            Err(failure) => return Err(refuse(&mut group, failure)),
        };
        let shapes: Vec<&[usize]> = sizes.iter().map(Vec::as_slice).collect();
        let Some((&output, axes)) = axes.split_last() else { return Err(Failure::null("axes")) };
        let group = &mut *group;
        let einsum = match dtype {
            DType::F32 => AnySplit::F32(SplitEinsum::new(group, expression, &shapes, axes, output, options)?),
            DType::F64 => AnySplit::F64(SplitEinsum::new(group, expression, &shapes, axes, output, options)?),
            DType::C32 => AnySplit::C32(SplitEinsum::new(group, expression, &shapes, axes, output, options)?),
            DType::C64 => AnySplit::C64(SplitEinsum::new(group, expression, &shapes, axes, output, options)?),
        };
        let made = tox_split { group: communicator.group().clone(), einsum, conj };
        *place = Box::into_raw(Box::new(made));
        Ok(())
    })
}

type Read<'a> = (&'a str, Vec<Vec<usize>>, Vec<Option<usize>>, Box<[bool]>, DType, SplitOptions);

/// # Safety
/// As `tox_split_create`.
unsafe fn read(request: &tox_plan_request, axes: *const i32) -> Result<Read<'_>, Failure> {
    if request.semiring != TOX_NUMBERS {
        return Err(Failure::new(TOX_INVALID_ARGUMENT, "contractions over a semiring are not shared out over ranks"));
    }
    // SAFETY: the caller's promise.
    let ((expression, sizes), axes) = unsafe { (described(request)?, slice(axes, request.operands + 1, "axes")?) };
    let shapes: Vec<&[usize]> = sizes.iter().map(Vec::as_slice).collect();
    let conj: Box<[bool]> = match request.conj.is_null() {
        true => vec![false; request.operands].into(),
        // SAFETY: the caller's promise.
        false => unsafe { slice(request.conj, request.operands, "conj") }?.iter().map(|&flag| flag != 0).collect(),
    };
    let options = SplitOptions {
        memory_limit: usize::try_from(request.memory_limit).ok().filter(|&limit| limit > 0),
        threads: threads(),
        // SAFETY: the caller's promise.
        path: unsafe { given_path(request, expression, &shapes) }?,
        search: search(request)?,
    };
    let axes = axes.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    Ok((expression, sizes, axes, conj, DType::try_from(request.dtype)?, options))
}

/// Releases a contraction of split tensors, at any time and without the other ranks. NULL is allowed.
///
/// # Safety
/// `split` came from `tox_split_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_split_destroy(split: *mut tox_split) {
    if !split.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(split) });
            Ok(())
        });
    }
}

/// Writes what a contraction of split tensors comes to.
///
/// # Safety
/// `split` came from `tox_split_create`; `info` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_split_info(split: *const tox_split, info: *mut tox_split_info_t) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (split, info) = unsafe { (split.as_ref(), info.as_mut()) };
        let split = split.ok_or_else(|| Failure::null("split"))?;
        *info.ok_or_else(|| Failure::null("info"))? = any!(&split.einsum, einsum => tox_split_info_t {
            peak_bytes: einsum.peak_bytes() as u64,
            sent_bytes: einsum.sent_bytes() as u64,
            multiplications: einsum.multiplications(),
        });
        Ok(())
    })
}

/// Writes the extents of this rank's part of an operand, from 0, or of the output, which comes last: at most `capacity`
/// of them, and to `*rank` how many there are. `rank` may be NULL.
///
/// # Safety
/// `split` came from `tox_split_create`; `extents` leads to room for `capacity` numbers, and `rank` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_split_shape(
    split: *const tox_split,
    tensor: usize,
    extents: *mut i64,
    capacity: usize,
    rank: *mut i64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let split = unsafe { split.as_ref() }.ok_or_else(|| Failure::null("split"))?;
        if extents.is_null() && capacity > 0 {
            return Err(Failure::null("extents"));
        }
        let shape = any!(&split.einsum, einsum => einsum.local_shape(tensor));
        // SAFETY: the caller's promise.
        if let Some(rank) = unsafe { rank.as_mut() } {
            *rank = shape.len() as i64;
        }
        for (i, extent) in shape.into_iter().take(capacity).enumerate() {
            // SAFETY: i < capacity.
            unsafe { extents.add(i).write(extent as i64) };
        }
        Ok(())
    })
}

/// output = alpha * (Einstein sum of the operands) + beta * output, each tensor being this rank's part. All ranks make
/// this call, with the same factors. After a failure the output is as it was.
///
/// Fails as `tox_shared_run`.
///
/// # Safety
/// As `tox_plan_run`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_split_run(
    split: *const tox_split,
    operands: *const DLTensor,
    count: usize,
    conj: *const u8,
    output: *const DLTensor,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let split = unsafe { split.as_ref() }.ok_or_else(|| Failure::null("split"))?;
        let mut group = lock(&split.group)?;
        let factors = [(alpha_re, alpha_im), (beta_re, beta_im)].map(|(re, im)| re + im * Complex64::i());
        // SAFETY: the caller's promise.
        let done = any!(&split.einsum, einsum => unsafe {
            run(einsum, &mut group, (operands, count, conj, &split.conj), output, factors)
        });
        match done {
            Ok(run) => Ok(run?),
            Err(failure) => Err(refuse(&mut group, failure)),
        }
    })
}

/// The outer error is one of before the call, of which the others do not know.
///
/// # Safety
/// As `tox_split_run`.
unsafe fn run<T: Element>(
    einsum: &SplitEinsum<T>,
    group: &mut Group,
    (operands, count, given, planned): (*const DLTensor, usize, *const u8, &[bool]),
    output: *const DLTensor,
    [alpha, beta]: [Complex64; 2],
) -> Result<Result<(), Error>, Failure> {
    let named = |i: usize, failure: Failure| failure.about(format_args!("operand {}", i + 1));
    // SAFETY: the caller's promise.
    let operands = unsafe { slice(operands, count, "operands") }?;
    let given: &[u8] = match given.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { slice(given, count, "conj") }?,
    };
    let conj = |(i, &flag): (usize, &bool)| flag != given.get(i).is_some_and(|&flag| flag != 0);
    let conj: Vec<bool> = planned.iter().enumerate().map(conj).collect();
    let mut borrowed: Vec<Borrowed<'_>> = Vec::with_capacity(operands.len());
    for (i, operand) in operands.iter().enumerate() {
        // SAFETY: the caller's promise.
        borrowed.push(unsafe { Borrowed::new(operand) }.map_err(|error| named(i, error.into()))?);
    }
    let mut views: Vec<View<'_, T>> = Vec::with_capacity(borrowed.len());
    for (i, operand) in borrowed.iter().enumerate() {
        // SAFETY: the caller's promise.
        views.push(unsafe { view(operand, "the tensor") }.map_err(|failure| named(i, failure))?);
    }
    // SAFETY: the caller's promise; that the output shares no memory with an operand is checked before it is written.
    let output = unsafe { borrow(output, "the output") }?;
    // SAFETY: as above.
    let output = unsafe { view_mut::<T>(&output, "the output") }?;
    let names: Vec<String> = (1..=views.len()).map(|i| format!("operand {i}")).collect();
    let regions: Vec<_> = names.iter().map(String::as_str).zip(views.iter().map(View::region)).collect();
    apart(("the output", output.region()), &regions)?;
    Ok(einsum.run(group, T::from_c64(alpha), &views, &conj, T::from_c64(beta), output))
}

/// Adds up what the ranks have in a dense tensor, in the order of the ranks, and gives the sum to all: the same bits.
/// All ranks make this call.
///
/// Fails as `tox_shared_run`, and with `TOX_INVALID_ARGUMENT` for a tensor that is not dense.
///
/// # Safety
/// `communicator` came from `tox_communicator_create`; nobody else reads or writes the tensor during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_communicator_sum(
    communicator: *const tox_communicator,
    tensor: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let communicator = unsafe { communicator.as_ref() }.ok_or_else(|| Failure::null("communicator"))?;
        let mut group = lock(communicator.group())?;
        // SAFETY: the caller's promise.
        let borrowed = match unsafe { borrow(tensor, "the tensor") } {
            Ok(borrowed) => borrowed,
            Err(failure) => return Err(refuse(&mut group, failure)),
        };
        // SAFETY: the caller's promise.
        unsafe {
            match borrowed.dtype() {
                DType::F32 => add_up::<f32>(&mut group, &borrowed),
                DType::F64 => add_up::<f64>(&mut group, &borrowed),
                DType::C32 => add_up::<Complex32>(&mut group, &borrowed),
                DType::C64 => add_up::<Complex64>(&mut group, &borrowed),
            }
        }
    })
}

/// # Safety
/// As `tox_communicator_sum`.
unsafe fn add_up<T: Element>(group: &mut Group, tensor: &Borrowed<'_>) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let mut view = match unsafe { view_mut::<T>(tensor, "the tensor") } {
        Ok(view) => view,
        Err(failure) => return Err(refuse(group, failure)),
    };
    let count = view.shape().iter().product::<usize>();
    if view.strides() != tensoroxide_tensor::layout::column_major_strides(view.shape()) {
        return Err(refuse(group, Failure::new(TOX_INVALID_ARGUMENT, "the tensor to be added up is not dense")));
    }
    let elements = match count {
        0 => &mut [],
        // SAFETY: the elements are the view's, and dense.
        _ => unsafe { std::slice::from_raw_parts_mut(view.as_mut_ptr(), count) },
    };
    Ok(sum(group, elements)?)
}
