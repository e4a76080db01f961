//! Einstein summations over other algebras than that of numbers.

use std::ffi::c_char;

use tensoroxide_einsum::{Error, Options, Plan, SemiringEinsum};
use tensoroxide_tensor::dlpack::{DLDataType, DLTensor, Typed};
use tensoroxide_tensor::semiring::{AndOr, MaxPlus, MaxTimes, MinPlus, Plain, Selective, Semiring, Wrapping};
use tensoroxide_tensor::{Threads, View, ViewMut};

use crate::host::threads;
use crate::plan::{described, given_path, search, slice, tox_plan_info_t, tox_plan_request, write_shape, write_text};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT, TOX_UNSUPPORTED_DTYPE};

/// Maximum and +, of Float32 or Float64; zero is -Inf, one is 0. NaN counts as the zero.
pub const TOX_MAX_PLUS: i32 = 0;
/// Minimum and +, of Float32 or Float64; zero is Inf, one is 0. NaN counts as the zero.
pub const TOX_MIN_PLUS: i32 = 1;
/// Maximum and times, of Float32 or Float64 that are not negative; zero is 0, one is 1. NaN counts as the zero.
pub const TOX_MAX_TIMES: i32 = 2;
/// Or, and, of booleans (DLPack code 6: bytes that are 0 or 1).
pub const TOX_AND_OR: i32 = 3;
/// Plus and times of Int64, modulo 2^64.
pub const TOX_WRAPPING: i32 = 4;

/// A plan over a semiring, with the memory to run it. Any number of threads may run it at once.
pub struct tox_semiring_plan(Box<dyn Runner>);

type Argmax<S> = fn(
    &SemiringEinsum<S>,
    &[View<'_, <S as Semiring>::Element>],
    ViewMut<'_, <S as Semiring>::Element>,
    ViewMut<'_, i64>,
    Threads,
) -> Result<(), Error>;

/// A plan whatever its semiring is.
trait Runner: Send + Sync {
    fn plan(&self) -> &Plan;
    fn peak_bytes(&self) -> usize;
    /// What attains an optimum: the names of the labels; `None` for a sum that is none of its terms.
    fn labels(&self) -> Option<Vec<&str>>;
    fn dtype(&self) -> DLDataType;
    /// # Safety
    /// As `tox_semiring_plan_run`; with a configuration, as `tox_semiring_plan_argmax`.
    unsafe fn run(
        &self,
        operands: &[DLTensor],
        output: &DLTensor,
        accumulate: bool,
        configuration: Option<&DLTensor>,
    ) -> Result<(), Failure>;
}

/// The names of the labels that a configuration has values for.
type Labels<S> = fn(&SemiringEinsum<S>) -> Vec<&str>;

struct Planned<S: Semiring> {
    einsum: SemiringEinsum<S>,
    selective: Option<(Argmax<S>, Labels<S>)>,
}

impl<S: Semiring> Runner for Planned<S> {
    fn plan(&self) -> &Plan {
        self.einsum.plan()
    }

    fn peak_bytes(&self) -> usize {
        self.einsum.peak_bytes()
    }

    fn labels(&self) -> Option<Vec<&str>> {
        self.selective.map(|(_, labels)| labels(&self.einsum))
    }

    fn dtype(&self) -> DLDataType {
        S::Element::DATA_TYPE
    }

    unsafe fn run(
        &self,
        operands: &[DLTensor],
        output: &DLTensor,
        accumulate: bool,
        configuration: Option<&DLTensor>,
    ) -> Result<(), Failure> {
        let named = |what: String| move |error| Failure::from(error).about(what);
        let mut typed: Vec<Typed<'_, S::Element>> = Vec::with_capacity(operands.len());
        for (i, operand) in operands.iter().enumerate() {
            // SAFETY: the caller's promise.
            typed.push(unsafe { Typed::new(operand) }.map_err(named(format!("operand {}", i + 1)))?);
        }
        // SAFETY: the caller's promise.
        let views: Vec<View<'_, S::Element>> = typed.iter().map(|operand| unsafe { operand.view() }).collect();
        // SAFETY: the caller's promise. That the output shares no memory with an operand is checked before it is written.
        let output = unsafe { Typed::new(output) }.map_err(named("the output".to_owned()))?;
        // SAFETY: as above.
        let output = unsafe { output.view_mut() }.map_err(named("the output".to_owned()))?;
        let Some(configuration) = configuration else {
            return Ok(self.einsum.run(&views, output, accumulate, threads())?);
        };
        let Some((argmax, _)) = self.selective else {
            let text = format!("a sum over {} is none of its terms: no configuration attains it", S::NAME);
            return Err(Failure::new(TOX_INVALID_ARGUMENT, text));
        };
        // SAFETY: the caller's promise.
        let configuration =
            unsafe { Typed::<i64>::new(configuration) }.map_err(named("the configuration".to_owned()))?;
        // SAFETY: the caller's promise.
        let configuration = unsafe { configuration.view_mut() }.map_err(named("the configuration".to_owned()))?;
        Ok(argmax(&self.einsum, &views, output, configuration, threads())?)
    }
}

fn exact<S: Semiring>(einsum: SemiringEinsum<S>) -> Box<dyn Runner> {
    Box::new(Planned { einsum, selective: None })
}

fn selective<S: Selective>(einsum: SemiringEinsum<S>) -> Box<dyn Runner> {
    Box::new(Planned { einsum, selective: Some((SemiringEinsum::argmax, SemiringEinsum::labels)) })
}

/// Plans an Einstein summation over a semiring, one of `TOX_MAX_PLUS`, …, and writes a new plan to `*plan`, to be released
/// with `tox_semiring_plan_destroy`. The request's `dtype` is to be one that the semiring has; its `conj` is not read.
///
/// Fails as `tox_plan_create`.
///
/// # Safety
/// The pointers in the request lead to what they are described as; `plan` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_create(
    request: *const tox_plan_request,
    semiring: i32,
    plan: *mut *mut tox_semiring_plan,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (request, plan) = unsafe { (request.as_ref(), plan.as_mut()) };
        let request = request.ok_or_else(|| Failure::null("request"))?;
        let plan = plan.ok_or_else(|| Failure::null("plan"))?;
        // SAFETY: the caller's promise.
        let made = unsafe { create(request, semiring) }?;
        *plan = Box::into_raw(Box::new(tox_semiring_plan(made)));
        Ok(())
    })
}

/// # Safety
/// As `tox_semiring_plan_create`.
unsafe fn create(request: &tox_plan_request, semiring: i32) -> Result<Box<dyn Runner>, Failure> {
    // SAFETY: the caller's promise.
    let (expression, sizes) = unsafe { described(request) }?;
    let shapes: Vec<&[usize]> = sizes.iter().map(Vec::as_slice).collect();
    let memory_limit = usize::try_from(request.memory_limit).ok().filter(|&limit| limit > 0);
    // SAFETY: the caller's promise.
    let path = unsafe { given_path(request, expression, &shapes) }?;
    let options = Options { memory_limit, threads: threads(), path, search: search(request)? };
    let (single, double) = (request.dtype == f32::DATA_TYPE, request.dtype == f64::DATA_TYPE);
    macro_rules! planned {
        ($make:ident, $semiring:ty) => {
            $make(SemiringEinsum::<$semiring>::new(expression, &shapes, options)?)
        };
    }
    Ok(match semiring {
        TOX_MAX_PLUS if single => planned!(selective, MaxPlus<f32>),
        TOX_MAX_PLUS if double => planned!(selective, MaxPlus<f64>),
        TOX_MIN_PLUS if single => planned!(selective, MinPlus<f32>),
        TOX_MIN_PLUS if double => planned!(selective, MinPlus<f64>),
        TOX_MAX_TIMES if single => planned!(selective, MaxTimes<f32>),
        TOX_MAX_TIMES if double => planned!(selective, MaxTimes<f64>),
        TOX_AND_OR if request.dtype == u8::DATA_TYPE => planned!(exact, AndOr),
        TOX_WRAPPING if request.dtype == i64::DATA_TYPE => planned!(exact, Wrapping),
        TOX_MAX_PLUS..=TOX_WRAPPING => {
            let DLDataType { code, bits, lanes } = request.dtype;
            let text = format!(
                "semiring {semiring} has no elements of DLPack type code {code} with {bits} bits, {lanes} lanes"
            );
            return Err(Failure::new(TOX_UNSUPPORTED_DTYPE, text));
        }
        _ => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{semiring} is no semiring"))),
    })
}

/// Releases a plan and its workspaces. NULL is allowed.
///
/// # Safety
/// `plan` came from `tox_semiring_plan_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_destroy(plan: *mut tox_semiring_plan) {
    if !plan.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(plan) });
            Ok(())
        });
    }
}

/// # Safety
/// `plan` is NULL, or came from `tox_semiring_plan_create`.
unsafe fn runner<'a>(plan: *const tox_semiring_plan) -> Result<&'a dyn Runner, Failure> {
    // SAFETY: the caller's promise.
    Ok(&*unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?.0)
}

/// Writes what a plan comes to; `flops` counts 2 for each product with its sum.
///
/// # Safety
/// `plan` came from `tox_semiring_plan_create`; `info` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_info(
    plan: *const tox_semiring_plan,
    info: *mut tox_plan_info_t,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (runner, info) = unsafe { (runner(plan)?, info.as_mut()) };
        let plan = runner.plan();
        *info.ok_or_else(|| Failure::null("info"))? = tox_plan_info_t {
            peak_bytes: runner.peak_bytes() as u64,
            dtype: runner.dtype(),
            ..tox_plan_info_t::of(plan)
        };
        Ok(())
    })
}

/// Writes the extents of a plan's output, at most `capacity` of them.
///
/// # Safety
/// `plan` came from `tox_semiring_plan_create`; `extents` leads to room for `capacity` numbers.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_output_shape(
    plan: *const tox_semiring_plan,
    extents: *mut i64,
    capacity: usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let plan = unsafe { runner(plan) }?.plan();
        // SAFETY: the caller's promise.
        unsafe { write_shape(plan, extents, capacity) }
    })
}

/// Writes the names of the labels of a configuration, each followed by a line break, as `tox_plan_describe` writes.
///
/// Fails with `TOX_INVALID_ARGUMENT` for a semiring whose sums are none of their terms.
///
/// # Safety
/// `plan` came from `tox_semiring_plan_create`; `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_labels(
    plan: *const tox_semiring_plan,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let labels = unsafe { runner(plan) }?.labels().ok_or_else(|| {
            Failure::new(
                TOX_INVALID_ARGUMENT,
                "a sum over this semiring is none of its terms: no configuration attains it",
            )
        })?;
        let text: String = labels.iter().flat_map(|label| [label, "\n"]).collect();
        // SAFETY: the caller's promise.
        unsafe { write_text(&text, buffer, capacity, length) }
    })
}

/// output = the Einstein sum of the operands; with `accumulate` not 0, that added to what the output holds, by the sum of
/// the semiring.
///
/// Fails as `tox_plan_run`.
///
/// # Safety
/// The pointers lead to what they are described as, and nothing writes to the operands, or reads or writes the output,
/// during the call. The bytes of booleans are 0 or 1.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_run(
    plan: *const tox_semiring_plan,
    operands: *const DLTensor,
    count: usize,
    output: *const DLTensor,
    accumulate: i32,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let operands = slice(operands, count, "operands")?;
            let output = output.as_ref().ok_or_else(|| Failure::null("the output"))?;
            runner(plan)?.run(operands, output, accumulate != 0, None)
        }
    })
}

/// output = the Einstein sum of the operands, and for each of its elements the values of all labels, from 0, that attain it:
/// `configuration` is of Int64, its first axis runs over `tox_semiring_plan_labels`, the others are those of the output. Where
/// there is no term, the values are -1. Of several configurations the same one is taken in every call.
///
/// Fails as `tox_semiring_plan_run`; with `TOX_INVALID_ARGUMENT` for a semiring whose sums are none of their terms, and for a plan
/// with slices.
///
/// # Safety
/// As `tox_semiring_plan_run`; the configuration's memory is apart from that of all other tensors.
#[no_mangle]
pub unsafe extern "C" fn tox_semiring_plan_argmax(
    plan: *const tox_semiring_plan,
    operands: *const DLTensor,
    count: usize,
    output: *const DLTensor,
    configuration: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let operands = slice(operands, count, "operands")?;
            let output = output.as_ref().ok_or_else(|| Failure::null("the output"))?;
            let configuration = configuration.as_ref().ok_or_else(|| Failure::null("the configuration"))?;
            runner(plan)?.run(operands, output, false, Some(configuration))
        }
    })
}
