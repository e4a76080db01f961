//! Einstein summations over other algebras than that of numbers.

use std::ffi::c_char;

use smallvec::SmallVec;
use tensoroxide_einsum::{Error, Options, Plan, SemiringEinsum};
use tensoroxide_tensor::dlpack::{DLDataType, DLTensor, Typed};
use tensoroxide_tensor::semiring::{AndOr, MaxPlus, MaxTimes, MinPlus, Plain, Selective, Semiring, Wrapping};
use tensoroxide_tensor::{Threads, View, ViewMut};

use crate::host::threads;
use crate::plan::{slice, tox_plan, write_text};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT, TOX_UNSUPPORTED_DTYPE};

/// + and times of real or complex numbers: no semiring is chosen.
pub const TOX_NUMBERS: i32 = 0;
/// Maximum and +, of Float32 or Float64; zero is -Inf, one is 0. NaN counts as the zero.
pub const TOX_MAX_PLUS: i32 = 1;
/// Minimum and +, of Float32 or Float64; zero is Inf, one is 0. NaN counts as the zero.
pub const TOX_MIN_PLUS: i32 = 2;
/// Maximum and times, of Float32 or Float64 that are not negative; zero is 0, one is 1. NaN counts as the zero.
pub const TOX_MAX_TIMES: i32 = 3;
/// Or, and, of booleans (DLPack code 6: bytes that are 0 or 1).
pub const TOX_AND_OR: i32 = 4;
/// Plus and times of Int64, modulo 2^64.
pub const TOX_WRAPPING: i32 = 5;

type Argmax<S> = fn(
    &SemiringEinsum<S>,
    &[View<'_, <S as Semiring>::Element>],
    ViewMut<'_, <S as Semiring>::Element>,
    ViewMut<'_, i64>,
    Threads,
) -> Result<(), Error>;

/// A plan whatever its semiring is.
pub(crate) trait Runner: Send + Sync {
    fn plan(&self) -> &Plan;
    /// The plan in words.
    fn describe(&self) -> String;
    fn peak_bytes(&self) -> usize;
    /// What attains an optimum: the names of the labels; `None` for a sum that is none of its terms.
    fn labels(&self) -> Option<Vec<&str>>;
    fn dtype(&self) -> DLDataType;
    /// # Safety
    /// As `tox_plan_run`; with a configuration, as `tox_plan_argmax`.
    unsafe fn run(
        &self,
        operands: &[DLTensor],
        output: &DLTensor,
        accumulate: bool,
        configuration: Option<&DLTensor>,
    ) -> Result<(), Failure>;
}

/// As many as a call usually has come without an allocation.
type Few<T> = SmallVec<[T; 8]>;

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

    fn describe(&self) -> String {
        self.einsum.to_string()
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
        let mut typed: Few<Typed<'_, S::Element>> = Few::with_capacity(operands.len());
        for (i, operand) in operands.iter().enumerate() {
            // SAFETY: the caller's promise.
            typed.push(unsafe { Typed::new(operand) }.map_err(named(format!("operand {}", i + 1)))?);
        }
        // SAFETY: the caller's promise.
        let views: Few<View<'_, S::Element>> = typed.iter().map(|operand| unsafe { operand.view() }).collect();
        // SAFETY: the caller's promise. That the output shares no memory with an operand is checked before it is written.
        let output = unsafe { Typed::new(output) }.map_err(named("the output".to_owned()))?;
        // SAFETY: as above.
        let output = unsafe { output.view_mut() }.map_err(named("the output".to_owned()))?;
        let Some(configuration) = configuration else {
            return Ok(self.einsum.run(&views, output, accumulate, threads())?);
        };
        let Some((argmax, _)) = self.selective else {
            return Err(no_configuration(S::NAME));
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

/// Plans for the semiring of this code.
pub(crate) fn create(
    semiring: i32,
    dtype: DLDataType,
    expression: &str,
    shapes: &[&[usize]],
    options: Options,
) -> Result<Box<dyn Runner>, Failure> {
    let (single, double) = (dtype == f32::DATA_TYPE, dtype == f64::DATA_TYPE);
    macro_rules! planned {
        ($make:ident, $semiring:ty) => {
            $make(SemiringEinsum::<$semiring>::new(expression, shapes, options)?)
        };
    }
    Ok(match semiring {
        TOX_MAX_PLUS if single => planned!(selective, MaxPlus<f32>),
        TOX_MAX_PLUS if double => planned!(selective, MaxPlus<f64>),
        TOX_MIN_PLUS if single => planned!(selective, MinPlus<f32>),
        TOX_MIN_PLUS if double => planned!(selective, MinPlus<f64>),
        TOX_MAX_TIMES if single => planned!(selective, MaxTimes<f32>),
        TOX_MAX_TIMES if double => planned!(selective, MaxTimes<f64>),
        TOX_AND_OR if dtype == u8::DATA_TYPE => planned!(exact, AndOr),
        TOX_WRAPPING if dtype == i64::DATA_TYPE => planned!(exact, Wrapping),
        TOX_MAX_PLUS..=TOX_WRAPPING => {
            let DLDataType { code, bits, lanes } = dtype;
            let text = format!(
                "semiring {semiring} has no elements of DLPack type code {code} with {bits} bits, {lanes} lanes"
            );
            return Err(Failure::new(TOX_UNSUPPORTED_DTYPE, text));
        }
        _ => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{semiring} is no semiring"))),
    })
}

/// # Safety
/// `plan` is NULL, or came from `tox_plan_create`.
unsafe fn runner<'a>(plan: *const tox_plan) -> Result<&'a dyn Runner, Failure> {
    // SAFETY: the caller's promise.
    let plan = unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?;
    plan.semiring().ok_or_else(|| no_configuration("numbers"))
}

fn no_configuration(algebra: &str) -> Failure {
    let text = format!("a sum over {algebra} is none of its terms: no configuration attains it");
    Failure::new(TOX_INVALID_ARGUMENT, text)
}

/// Writes the names of the labels of a configuration, each followed by a line break, as `tox_plan_describe` writes.
///
/// Fails with `TOX_INVALID_ARGUMENT` for numbers, and for a semiring whose sums are none of their terms.
///
/// # Safety
/// `plan` came from `tox_plan_create`; `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_labels(
    plan: *const tox_plan,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let labels = unsafe { runner(plan) }?.labels().ok_or_else(|| no_configuration("this semiring"))?;
        let text: String = labels.iter().flat_map(|label| [label, "\n"]).collect();
        // SAFETY: the caller's promise.
        unsafe { write_text(&text, buffer, capacity, length) }
    })
}

/// output = the Einstein sum of the operands over the plan's semiring, and for each of its elements the values of all labels,
/// from 0, that attain it: `configuration` is of Int64, its first axis runs over `tox_plan_labels`, the others are those of the
/// output. Where there is no term, the values are -1. Of several configurations the same one is taken in every call.
///
/// Fails as `tox_plan_run`; with `TOX_INVALID_ARGUMENT` for numbers, for a semiring whose sums are none of their terms, and for a
/// plan with slices.
///
/// # Safety
/// As `tox_plan_run`; the configuration's memory is apart from that of all other tensors.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_argmax(
    plan: *const tox_plan,
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
