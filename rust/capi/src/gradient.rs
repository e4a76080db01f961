//! Derivatives of planned Einstein summations.

use smallvec::SmallVec;
use tensoroxide_autodiff::einsum::{EinsumRule, Record};
use tensoroxide_dense::Element;
use tensoroxide_einsum::Plan;
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor};
use tensoroxide_tensor::{Complex64, View, ViewMut};

use crate::host::threads;
use crate::plan::{slice, tox_plan, AnyEinsum};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{borrow, view, view_mut};

/// The derivatives of a planned Einstein summation, with the memory to compute them. Any number of threads may use one
/// at once.
pub struct tox_gradient(Box<dyn Rule>);

/// What a run has left behind for the cotangents of its operands. For one thread at a time.
pub struct tox_record(Box<dyn Recorded>);

/// Tensors as they come in. A pointer that is NULL, and an array that is empty, stand for none.
struct Call<'a> {
    alpha: Complex64,
    beta: Complex64,
    operands: &'a [DLTensor],
    tangents: &'a [*const DLTensor],
    output: *const DLTensor,
    tangent: *const DLTensor,
    cotangent: *const DLTensor,
    cotangent_tangent: *const DLTensor,
    cotangents: &'a [*const DLTensor],
    cotangent_tangents: &'a [*const DLTensor],
}

impl Default for Call<'_> {
    fn default() -> Self {
        let none = std::ptr::null();
        Call {
            alpha: Complex64::new(1.0, 0.0),
            beta: Complex64::new(0.0, 0.0),
            operands: &[],
            tangents: &[],
            output: none,
            tangent: none,
            cotangent: none,
            cotangent_tangent: none,
            cotangents: &[],
            cotangent_tangents: &[],
        }
    }
}

/// An [`EinsumRule`] of some element type.
trait Rule: Send + Sync {
    /// # Safety
    /// As `tox_gradient_forward`.
    unsafe fn forward(&self, call: &Call<'_>) -> Result<Box<dyn Recorded>, Failure>;
    /// # Safety
    /// As `tox_gradient_run`.
    unsafe fn run(&self, call: &Call<'_>) -> Result<(), Failure>;
    /// # Safety
    /// As `tox_gradient_jvp`.
    unsafe fn jvp(&self, call: &Call<'_>) -> Result<(), Failure>;
    /// # Safety
    /// As `tox_gradient_pullback_jvp`.
    unsafe fn pullback_jvp(&self, call: &Call<'_>) -> Result<(), Failure>;
}

/// A [`Record`] of some element type.
trait Recorded: Send {
    /// # Safety
    /// As `tox_record_pullback`.
    unsafe fn pullback(&mut self, call: &Call<'_>) -> Result<(), Failure>;
    fn bytes(&self) -> usize;
}

/// As many tensors as mostly need no memory of their own.
type Few<T> = SmallVec<[T; 16]>;

/// The tensors that `pointers` lead to; NULL leads to none.
///
/// # Safety
/// As [`borrow`], for each.
unsafe fn borrowed<'a>(pointers: &[*const DLTensor], what: &str) -> Result<Few<Option<Borrowed<'a>>>, Failure> {
    let one = |(k, &tensor): (usize, &*const DLTensor)| match tensor.is_null() {
        true => Ok(None),
        // SAFETY: the caller's promise.
        false => unsafe { borrow(tensor, "the tensor") }
            .map(Some)
            .map_err(|failure| failure.about(format_args!("{what} {}", k + 1))),
    };
    pointers.iter().enumerate().map(one).collect()
}

/// # Safety
/// As [`view`], for each.
unsafe fn views<'a, T: Element>(
    tensors: &'a [Option<Borrowed<'_>>],
    what: &str,
) -> Result<Few<Option<View<'a, T>>>, Failure> {
    let one = |(k, tensor): (usize, &'a Option<Borrowed<'_>>)| {
        // SAFETY: the caller's promise.
        let view = tensor.as_ref().map(|tensor| unsafe { view(tensor, "the tensor") }).transpose();
        view.map_err(|failure| failure.about(format_args!("{what} {}", k + 1)))
    };
    tensors.iter().enumerate().map(one).collect()
}

/// # Safety
/// As [`view_mut`], for each; that they are apart is checked before one is written.
unsafe fn views_mut<'a, T: Element>(
    tensors: &'a [Option<Borrowed<'_>>],
    what: &str,
) -> Result<Few<Option<ViewMut<'a, T>>>, Failure> {
    let one = |(k, tensor): (usize, &'a Option<Borrowed<'_>>)| {
        // SAFETY: the caller's promise.
        let view = tensor.as_ref().map(|tensor| unsafe { view_mut(tensor, "the tensor") }).transpose();
        view.map_err(|failure| failure.about(format_args!("{what} {}", k + 1)))
    };
    tensors.iter().enumerate().map(one).collect()
}

/// The operands, none of which is missing.
///
/// # Safety
/// As [`borrow`] and [`view`], for each.
unsafe fn operands<T: Element, R>(
    tensors: &[DLTensor],
    run: impl FnOnce(&[View<'_, T>]) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let pointers: Few<*const DLTensor> = tensors.iter().map(std::ptr::from_ref).collect();
    // SAFETY: the caller's promise.
    let borrowed = unsafe { borrowed(&pointers, "operand") }?;
    // SAFETY: the caller's promise.
    let views = unsafe { views(&borrowed, "operand") }?;
    let views: Few<View<'_, T>> = views.into_iter().flatten().collect();
    run(&views)
}

/// Makes views of the tensors, each of which may be missing; the array of all is as long as there are operands, or
/// empty.
macro_rules! bind {
    ($view:ident, $all:ident = $pointers:expr, $what:literal, $count:expr) => {
        // SAFETY: the caller's promise.
        let $all = unsafe { borrowed($pointers, $what) }?;
        // SAFETY: the caller's promise.
        #[allow(unused_mut)]
        let mut $all = unsafe { $view::<T>(&$all, $what) }?;
        if $all.is_empty() {
            $all.resize_with($count, || None);
        }
    };
}

impl<T: Element> Rule for EinsumRule<T> {
    unsafe fn forward(&self, call: &Call<'_>) -> Result<Box<dyn Recorded>, Failure> {
        // SAFETY: the caller's promise.
        Ok(Box::new(unsafe { forward(self, call) }?))
    }

    unsafe fn run(&self, call: &Call<'_>) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        unsafe { Recorded::pullback(&mut forward(self, call)?, call) }
    }

    unsafe fn jvp(&self, call: &Call<'_>) -> Result<(), Failure> {
        let count = call.operands.len();
        bind!(views, tangents = call.tangents, "the tangent of operand", count);
        bind!(views_mut, results = &[call.output, call.tangent], "result", 2);
        let (tangent, output) = (results.pop().flatten(), results.pop().flatten());
        let (alpha, beta) = (T::from_c64(call.alpha), T::from_c64(call.beta));
        let run = |operands: &[View<'_, T>]| {
            Ok(EinsumRule::jvp(self, alpha, operands, &tangents, beta, output, tangent, threads())?)
        };
        // SAFETY: the caller's promise.
        unsafe { operands(call.operands, run) }
    }

    unsafe fn pullback_jvp(&self, call: &Call<'_>) -> Result<(), Failure> {
        let count = call.operands.len();
        bind!(views, tangents = call.tangents, "the tangent of operand", count);
        bind!(views, cotangent = &[call.cotangent, call.cotangent_tangent], "cotangent", 2);
        bind!(views_mut, first = call.cotangents, "the cotangent of operand", count);
        bind!(views_mut, second = call.cotangent_tangents, "the cotangent's tangent of operand", count);
        let (given, moved) = (cotangent[0].ok_or_else(|| Failure::null("the cotangent"))?, cotangent[1]);
        let alpha = T::from_c64(call.alpha);
        let run = |operands: &[View<'_, T>]| {
            let (first, second) = (&mut first, &mut second);
            Ok(EinsumRule::pullback_jvp(self, alpha, operands, &tangents, given, moved, first, second, threads())?)
        };
        // SAFETY: the caller's promise.
        unsafe { operands(call.operands, run) }
    }
}

/// # Safety
/// As `tox_gradient_forward`.
unsafe fn forward<T: Element>(rule: &EinsumRule<T>, call: &Call<'_>) -> Result<Record<T>, Failure> {
    bind!(views_mut, output = &[call.output], "the output", 1);
    let output = output.pop().flatten();
    let (alpha, beta) = (T::from_c64(call.alpha), T::from_c64(call.beta));
    let run = |operands: &[View<'_, T>]| Ok(rule.forward(alpha, operands, beta, output, threads())?);
    // SAFETY: the caller's promise.
    unsafe { operands(call.operands, run) }
}

impl<T: Element> Recorded for Record<T> {
    unsafe fn pullback(&mut self, call: &Call<'_>) -> Result<(), Failure> {
        bind!(views, cotangent = &[call.cotangent], "the cotangent", 1);
        let cotangent = cotangent[0].ok_or_else(|| Failure::null("the cotangent"))?;
        bind!(views_mut, cotangents = call.cotangents, "the cotangent of operand", call.operands.len());
        let run =
            |operands: &[View<'_, T>]| Ok(Record::pullback(self, operands, cotangent, &mut cotangents, threads())?);
        // SAFETY: the caller's promise.
        unsafe { operands(call.operands, run) }
    }

    fn bytes(&self) -> usize {
        Record::bytes(self)
    }
}

fn rule(plan: &tox_plan, conj: &[bool]) -> Result<Box<dyn Rule>, Failure> {
    fn of<T: Element>(plan: &Plan, conj: &[bool]) -> Result<Box<dyn Rule>, Failure> {
        Ok(Box::new(EinsumRule::<T>::new(plan, conj)?))
    }
    match plan.einsum() {
        AnyEinsum::F32(einsum) => of::<f32>(einsum.plan(), conj),
        AnyEinsum::F64(einsum) => of::<f64>(einsum.plan(), conj),
        AnyEinsum::C32(einsum) => of::<tensoroxide_tensor::Complex32>(einsum.plan(), conj),
        AnyEinsum::C64(einsum) => of::<Complex64>(einsum.plan(), conj),
        AnyEinsum::Semiring(_) => {
            Err(Failure::new(TOX_INVALID_ARGUMENT, "a summation over a semiring has no derivative here"))
        }
    }
}

/// Makes the derivatives of a plan and writes them to `*gradient`, to be released with `tox_gradient_destroy`. The plan
/// is not needed any longer. Its memory limit holds, without slices: a run that needs more is refused.
///
/// `conj` is NULL, or has for each of the plan's operands 1 if it is to be conjugated (once more than the plan's
/// request says) and 0 if not. For a real loss L, the cotangent x̄ of x has δL = Re⟨x̄, δx⟩, ⟨·,·⟩ conjugating its
/// first argument; x is an operand as it lies in memory, before it is conjugated.
///
/// Fails with `TOX_INVALID_ARGUMENT` for a plan over a semiring; `TOX_OVERFLOW`.
///
/// # Safety
/// `plan` came from `tox_plan_create`; the pointers lead to what they are described as, and `gradient` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_gradient_create(
    plan: *const tox_plan,
    conj: *const u8,
    gradient: *mut *mut tox_gradient,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (plan, gradient) = unsafe { (plan.as_ref(), gradient.as_mut()) };
        let plan = plan.ok_or_else(|| Failure::null("plan"))?;
        let gradient = gradient.ok_or_else(|| Failure::null("gradient"))?;
        let count = plan.operands();
        // SAFETY: the caller's promise.
        let given = if conj.is_null() { &[] } else { unsafe { slice(conj, count, "conj") }? };
        let given = |k: usize| given.get(k).is_some_and(|&flag| flag != 0);
        let conj: Vec<bool> = (0..count).map(|k| plan.conj(k) != given(k)).collect();
        *gradient = Box::into_raw(Box::new(tox_gradient(rule(plan, &conj)?)));
        Ok(())
    })
}

/// Releases derivatives and their memory. NULL is allowed. Records that were made of them may live on.
///
/// # Safety
/// `gradient` came from `tox_gradient_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_gradient_destroy(gradient: *mut tox_gradient) {
    if !gradient.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(gradient) });
            Ok(())
        });
    }
}

/// The arrays that belong to the operands.
///
/// # Safety
/// `items` is NULL, or leads to `count` pointers.
unsafe fn pointers<'a>(items: *const *const DLTensor, count: usize) -> &'a [*const DLTensor] {
    // SAFETY: the caller's promise.
    unsafe { slice(items, count, "the tensors") }.unwrap_or(&[])
}

/// output = alpha * (Einstein sum of the operands) + beta * output, as `tox_plan_run`; and the cotangents of the
/// operands, by that of the output: `cotangents` is an array of `count` pointers, NULL for each one that is not wanted.
/// `output` may be NULL, too. What both have in common is computed once.
///
/// A run whose tensors are laid out as in the run before allocates nothing, if there are at most 16 operands.
///
/// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (number of operands, mixed element types, memory limit),
/// `TOX_ALIASING`, `TOX_OUT_OF_MEMORY`.
///
/// # Safety
/// The pointers lead to what they are described as, and nothing writes to what is read, or reads or writes what is
/// written, during the call.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_gradient_run(
    gradient: *const tox_gradient,
    operands: *const DLTensor,
    count: usize,
    output: *const DLTensor,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
    cotangent: *const DLTensor,
    cotangents: *const *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let gradient = unsafe { gradient.as_ref() }.ok_or_else(|| Failure::null("gradient"))?;
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        // SAFETY: the caller's promise.
        let (operands, cotangents) = unsafe { (slice(operands, count, "operands")?, pointers(cotangents, count)) };
        let call = Call { alpha, beta, operands, output, cotangent, cotangents, ..Call::default() };
        // SAFETY: the caller's promise.
        unsafe { gradient.0.run(&call) }
    })
}

/// The first half of `tox_gradient_run`: computes the output, which may be NULL, and writes to `*record` what is needed
/// for the cotangents later, to be released with `tox_record_destroy`.
///
/// Fails as `tox_gradient_run`.
///
/// # Safety
/// As `tox_gradient_run`; `record` can be written.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_gradient_forward(
    gradient: *const tox_gradient,
    operands: *const DLTensor,
    count: usize,
    output: *const DLTensor,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
    record: *mut *mut tox_record,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (gradient, record) = unsafe { (gradient.as_ref(), record.as_mut()) };
        let gradient = gradient.ok_or_else(|| Failure::null("gradient"))?;
        let record = record.ok_or_else(|| Failure::null("record"))?;
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        // SAFETY: the caller's promise.
        let operands = unsafe { slice(operands, count, "operands") }?;
        // SAFETY: the caller's promise.
        let made = unsafe { gradient.0.forward(&Call { alpha, beta, operands, output, ..Call::default() }) }?;
        *record = Box::into_raw(Box::new(tox_record(made)));
        Ok(())
    })
}

/// The second half of `tox_gradient_run`: the cotangents of the operands, by that of the output; as often as one likes,
/// with the operands as they were in `tox_gradient_forward`.
///
/// Fails as `tox_gradient_run`.
///
/// # Safety
/// As `tox_gradient_run`; `record` came from `tox_gradient_forward`, and no other thread uses it.
#[no_mangle]
pub unsafe extern "C" fn tox_record_pullback(
    record: *mut tox_record,
    operands: *const DLTensor,
    count: usize,
    cotangent: *const DLTensor,
    cotangents: *const *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let record = unsafe { record.as_mut() }.ok_or_else(|| Failure::null("record"))?;
        // SAFETY: the caller's promise.
        let (operands, cotangents) = unsafe { (slice(operands, count, "operands")?, pointers(cotangents, count)) };
        // SAFETY: the caller's promise.
        unsafe { record.0.pullback(&Call { operands, cotangent, cotangents, ..Call::default() }) }
    })
}

/// Writes to `*bytes` the bytes that a record keeps, the same for all of one `tox_gradient`.
///
/// # Safety
/// `record` came from `tox_gradient_forward`; `bytes` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_record_bytes(record: *const tox_record, bytes: *mut u64) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (record, bytes) = unsafe { (record.as_ref(), bytes.as_mut()) };
        let record = record.ok_or_else(|| Failure::null("record"))?;
        *bytes.ok_or_else(|| Failure::null("bytes"))? = record.0.bytes() as u64;
        Ok(())
    })
}

/// Releases a record; its memory serves the next run of the `tox_gradient` that it came from. NULL is allowed.
///
/// # Safety
/// `record` came from `tox_gradient_forward`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_record_destroy(record: *mut tox_record) {
    if !record.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(record) });
            Ok(())
        });
    }
}

/// The derivative along a direction: tangent = alpha * (change of the Einstein sum) + beta * tangent, where operands
/// change by `tangents`, an array of `count` pointers, NULL for those that are constant. `output` is computed beside,
/// as by `tox_plan_run`; it and `tangent` may be NULL.
///
/// Fails as `tox_gradient_run`.
///
/// # Safety
/// As `tox_gradient_run`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_gradient_jvp(
    gradient: *const tox_gradient,
    operands: *const DLTensor,
    count: usize,
    tangents: *const *const DLTensor,
    output: *const DLTensor,
    tangent: *const DLTensor,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let gradient = unsafe { gradient.as_ref() }.ok_or_else(|| Failure::null("gradient"))?;
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        // SAFETY: the caller's promise.
        let (operands, tangents) = unsafe { (slice(operands, count, "operands")?, pointers(tangents, count)) };
        let call = Call { alpha, beta, operands, tangents, output, tangent, ..Call::default() };
        // SAFETY: the caller's promise.
        unsafe { gradient.0.jvp(&call) }
    })
}

/// The second order: the cotangents of the operands, and what they change by, `cotangent_tangents`, when the operands
/// change by `tangents` and the output's cotangent by `cotangent_tangent`. All of these are arrays of `count` pointers,
/// or the one tensor of the output; each may be NULL but for `cotangent`.
///
/// Fails as `tox_gradient_run`.
///
/// # Safety
/// As `tox_gradient_run`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_gradient_pullback_jvp(
    gradient: *const tox_gradient,
    operands: *const DLTensor,
    count: usize,
    tangents: *const *const DLTensor,
    alpha_re: f64,
    alpha_im: f64,
    cotangent: *const DLTensor,
    cotangent_tangent: *const DLTensor,
    cotangents: *const *const DLTensor,
    cotangent_tangents: *const *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let gradient = unsafe { gradient.as_ref() }.ok_or_else(|| Failure::null("gradient"))?;
        let alpha = Complex64::new(alpha_re, alpha_im);
        // SAFETY: the caller's promise.
        let (operands, tangents) = unsafe { (slice(operands, count, "operands")?, pointers(tangents, count)) };
        // SAFETY: the caller's promise.
        let (cotangents, cotangent_tangents) =
            unsafe { (pointers(cotangents, count), pointers(cotangent_tangents, count)) };
        let call = Call {
            alpha,
            operands,
            tangents,
            cotangent,
            cotangent_tangent,
            cotangents,
            cotangent_tangents,
            ..Call::default()
        };
        // SAFETY: the caller's promise.
        unsafe { gradient.0.pullback_jvp(&call) }
    })
}
