//! A tape: what is computed is recorded, and then differentiated.

use std::ffi::c_char;

use tensoroxide_autodiff::tape::{Elementwise, Tape, Value};
use tensoroxide_autodiff::{Operation, Options, Settings};
use tensoroxide_dense::Element;
use tensoroxide_tensor::dlpack::{DLDataType, DLTensor};
use tensoroxide_tensor::kernels::axpby;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Error, Tensor, View};

use crate::host::{string, threads};
use crate::linalg::{tolerance, tox_truncation, truncation};
use crate::plan::slice;
use crate::rules::{rule_of, tox_rule};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{borrow, view, view_mut};

/// Steps that were computed, with all values that derivatives need. For one thread at a time.
pub struct tox_tape(Box<dyn AnyTape>);

/// A tensor on a tape: a number that means nothing outside of it.
pub type tox_value = u64;

/// A [`Tape`] of some element type.
trait AnyTape: Send {
    /// # Safety
    /// As `tox_tape_variable`.
    unsafe fn variable(&mut self, tensor: *const DLTensor) -> Result<Value, Failure>;
    fn einsum(&mut self, expression: &str, operands: &[Value], conj: &[bool]) -> Result<Value, Failure>;
    fn linalg(
        &mut self,
        operation: Operation,
        operands: &[Value],
        settings: Settings,
        options: Options,
    ) -> Result<Vec<Value>, Failure>;
    fn combine(&mut self, terms: &[(Complex64, Value)]) -> Result<Value, Failure>;
    fn map(&mut self, function: i32, power: i32, x: Value) -> Result<Value, Failure>;
    fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value, Failure>;
    fn shape(&self, value: Value) -> Result<Vec<usize>, Failure>;
    /// # Safety
    /// As `tox_tape_read`.
    unsafe fn read(&self, value: Value, to: *const DLTensor) -> Result<(), Failure>;
    fn checkpoint(&mut self, keep: &[Value]) -> Result<(), Failure>;
    /// # Safety
    /// As `tox_tape_gradient` or, with directions, as `tox_tape_hvp`.
    unsafe fn gradient(
        &mut self,
        loss: Value,
        wanted: &[Value],
        directions: Option<(&[Value], &[DLTensor])>,
        first: &[*const DLTensor],
        second: &[*const DLTensor],
    ) -> Result<(), Failure>;
    /// # Safety
    /// As `tox_tape_jvp`.
    unsafe fn jvp(
        &mut self,
        directions: (&[Value], &[DLTensor]),
        of: Value,
        to: *const DLTensor,
    ) -> Result<(), Failure>;
}

/// Copies a tensor to memory of the caller's.
///
/// # Safety
/// As [`borrow`] and [`view_mut`].
unsafe fn write<T: Element>(from: &Tensor<T>, to: *const DLTensor, name: &str) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let to = unsafe { borrow(to, name) }?;
    // SAFETY: the caller's promise; what is copied is the tape's own.
    let to = unsafe { view_mut::<T>(&to, name) }?;
    axpby(T::ONE, from.view(), false, T::ZERO, to, threads()).map_err(|error| Failure::from(error).about(name))
}

/// Lets `run` have directions as views.
///
/// # Safety
/// As [`borrow`] and [`view`], for each tensor.
unsafe fn along<T: Element, R>(
    (values, tensors): (&[Value], &[DLTensor]),
    run: impl FnOnce(&[(Value, View<'_, T>)]) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let name = "a tangent";
    // SAFETY: the caller's promise.
    let borrowed = tensors.iter().map(|tensor| unsafe { borrow(tensor, name) }).collect::<Result<Vec<_>, Failure>>()?;
    let mut directions = Vec::with_capacity(values.len());
    for (&value, tensor) in values.iter().zip(&borrowed) {
        // SAFETY: the caller's promise.
        directions.push((value, unsafe { view::<T>(tensor, name) }?));
    }
    run(&directions)
}

impl<T: Element> AnyTape for Tape<T> {
    unsafe fn variable(&mut self, tensor: *const DLTensor) -> Result<Value, Failure> {
        // SAFETY: the caller's promise.
        let tensor = unsafe { borrow(tensor, "the tensor") }?;
        // SAFETY: the caller's promise.
        Ok(Tape::variable(self, unsafe { view(&tensor, "the tensor") }?)?)
    }

    fn einsum(&mut self, expression: &str, operands: &[Value], conj: &[bool]) -> Result<Value, Failure> {
        Ok(self.einsum_conj(expression, operands, conj)?)
    }

    fn linalg(
        &mut self,
        operation: Operation,
        operands: &[Value],
        settings: Settings,
        options: Options,
    ) -> Result<Vec<Value>, Failure> {
        self.set_options(options);
        Ok(Tape::linalg(self, operation, operands, settings)?)
    }

    fn combine(&mut self, terms: &[(Complex64, Value)]) -> Result<Value, Failure> {
        let terms: Vec<(T, Value)> = terms.iter().map(|&(factor, value)| (T::from_c64(factor), value)).collect();
        Ok(Tape::combine(self, &terms)?)
    }

    fn map(&mut self, function: i32, power: i32, x: Value) -> Result<Value, Failure> {
        let function = match function {
            TOX_MAP_CONJ => return Ok(self.conj(x)?),
            TOX_MAP_REAL => return Ok(self.real(x)?),
            TOX_MAP_EXP => Elementwise::Exp,
            TOX_MAP_LOG => Elementwise::Log,
            TOX_MAP_SQRT => Elementwise::Sqrt,
            TOX_MAP_INVERSE => Elementwise::Inverse,
            TOX_MAP_POWER => Elementwise::Power(power),
            TOX_MAP_SIN => Elementwise::Sin,
            TOX_MAP_COS => Elementwise::Cos,
            TOX_MAP_TANH => Elementwise::Tanh,
            other => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no function {other}"))),
        };
        Ok(Tape::map(self, function, x)?)
    }

    fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value, Failure> {
        Ok(Tape::reshape(self, x, shape)?)
    }

    fn shape(&self, value: Value) -> Result<Vec<usize>, Failure> {
        Ok(Tape::shape(self, value)?.to_vec())
    }

    unsafe fn read(&self, value: Value, to: *const DLTensor) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        unsafe { write(self.value(value)?, to, "the tensor") }
    }

    fn checkpoint(&mut self, keep: &[Value]) -> Result<(), Failure> {
        Ok(Tape::checkpoint(self, keep)?)
    }

    unsafe fn gradient(
        &mut self,
        loss: Value,
        wanted: &[Value],
        directions: Option<(&[Value], &[DLTensor])>,
        first: &[*const DLTensor],
        second: &[*const DLTensor],
    ) -> Result<(), Failure> {
        let (gradient, product) = match directions {
            None => (Tape::gradient(self, loss, wanted)?, Vec::new()),
            Some(directions) => {
                let run = |directions: &[(Value, View<'_, T>)]| Ok(Tape::hvp(self, loss, wanted, directions)?);
                // SAFETY: the caller's promise.
                unsafe { along(directions, run) }?
            }
        };
        for (found, to) in gradient.iter().zip(first).chain(product.iter().zip(second)) {
            if !to.is_null() {
                // SAFETY: the caller's promise.
                unsafe { write(found, *to, "a cotangent") }?;
            }
        }
        Ok(())
    }

    unsafe fn jvp(
        &mut self,
        directions: (&[Value], &[DLTensor]),
        of: Value,
        to: *const DLTensor,
    ) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let found = unsafe { along(directions, |directions| Ok(Tape::jvp(self, directions, &[of])?)) }?;
        // SAFETY: the caller's promise; there is one for the one that was asked for.
        found.iter().try_for_each(|found| unsafe { write(found, to, "the tangent") })
    }
}

/// The complex conjugate.
pub const TOX_MAP_CONJ: i32 = 0;
/// The real part.
pub const TOX_MAP_REAL: i32 = 1;
/// The exponential.
pub const TOX_MAP_EXP: i32 = 2;
/// The natural logarithm.
pub const TOX_MAP_LOG: i32 = 3;
/// The square root.
pub const TOX_MAP_SQRT: i32 = 4;
/// 1/x.
pub const TOX_MAP_INVERSE: i32 = 5;
/// x to the power of an integer.
pub const TOX_MAP_POWER: i32 = 6;
/// The sine.
pub const TOX_MAP_SIN: i32 = 7;
/// The cosine.
pub const TOX_MAP_COS: i32 = 8;
/// The hyperbolic tangent.
pub const TOX_MAP_TANH: i32 = 9;

/// # Safety
/// `values` leads to `count` values that live for as long as `'a`.
unsafe fn values(values: *const tox_value, count: usize) -> Result<Vec<Value>, Failure> {
    // SAFETY: the caller's promise.
    Ok(unsafe { slice(values, count, "the values") }?.iter().map(|&value| Value::from_bits(value)).collect())
}

/// Runs a step on a tape, and writes the value that it makes.
///
/// # Safety
/// `tape` is NULL or came from `tox_tape_create` and is used by nobody else; `value` is NULL or can be written.
unsafe fn recorded(
    tape: *mut tox_tape,
    value: *mut tox_value,
    step: impl FnOnce(&mut dyn AnyTape) -> Result<Value, Failure>,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (tape, value) = unsafe { (tape.as_mut(), value.as_mut()) };
        let tape = tape.ok_or_else(|| Failure::null("tape"))?;
        let value = value.ok_or_else(|| Failure::null("value"))?;
        *value = step(&mut *tape.0)?.to_bits();
        Ok(())
    })
}

/// Makes an empty tape for tensors of an element type, to be released with `tox_tape_destroy`.
///
/// All tensors of a tape are of its type; real results of complex steps are kept as numbers without imaginary part. A
/// value that a function of the tape gave can be used until the tape is destroyed, or until a checkpoint that does not
/// keep it.
///
/// # Safety
/// `tape` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_create(dtype: DLDataType, tape: *mut *mut tox_tape) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        let made: Box<dyn AnyTape> = with_scalar!(DType::try_from(dtype)?, T => {
            let mut made = Tape::<T>::new();
            made.set_threads(threads());
            Box::new(made)
        });
        *tape = Box::into_raw(Box::new(tox_tape(made)));
        Ok(())
    })
}

/// Releases a tape and all that is on it. NULL is allowed.
///
/// # Safety
/// `tape` came from `tox_tape_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_destroy(tape: *mut tox_tape) {
    if !tape.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(tape) });
            Ok(())
        });
    }
}

/// Copies a tensor to the tape: one that derivatives can be taken with respect to, or a constant.
///
/// # Safety
/// `tape` came from `tox_tape_create`, and nobody else uses it; the other pointers lead to what they are described as.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_variable(
    tape: *mut tox_tape,
    tensor: *const DLTensor,
    value: *mut tox_value,
) -> tox_status {
    // SAFETY: the caller's promise.
    unsafe { recorded(tape, value, |tape| tape.variable(tensor)) }
}

/// An Einstein summation of `count` values; `conj` is NULL, or has for each 1 if it is to be conjugated and 0 if not.
///
/// Fails as `tox_plan_create`; with `TOX_INVALID_ARGUMENT` for a value that is not on the tape, or no longer.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_einsum(
    tape: *mut tox_tape,
    expression: *const c_char,
    operands: *const tox_value,
    count: usize,
    conj: *const u8,
    value: *mut tox_value,
) -> tox_status {
    let step = |tape: &mut dyn AnyTape| {
        // SAFETY: the caller's promise.
        let (expression, operands) = unsafe { (string(expression, "expression")?, values(operands, count)?) };
        // SAFETY: the caller's promise.
        let given: &[u8] = if conj.is_null() { &[] } else { unsafe { slice(conj, count, "conj") }? };
        let conj: Vec<bool> = (0..count).map(|k| given.get(k).is_some_and(|&flag| flag != 0)).collect();
        tape.einsum(expression, &operands, &conj)
    };
    // SAFETY: the caller's promise.
    unsafe { recorded(tape, value, step) }
}

/// An operation of linear algebra on `count` values. `rule` says which, and how derivatives deal with a gauge, from now
/// on on the whole tape; `limits`, NULL for none, is for what truncates, and `atol` and `rtol` for what has a
/// tolerance, `rtol` negative for the default. `results` gets a value for each of the operation's outputs, at most
/// `capacity`.
///
/// Fails as the operation; with `TOX_NO_DERIVATIVE` where results are complex and the tape is real.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_tape_linalg(
    tape: *mut tox_tape,
    rule: *const tox_rule,
    limits: *const tox_truncation,
    atol: f64,
    rtol: f64,
    operands: *const tox_value,
    count: usize,
    results: *mut tox_value,
    capacity: usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        let ((operation, options), (truncation, method)) = unsafe { (rule_of(rule)?, truncation(limits)?) };
        // SAFETY: the caller's promise.
        let operands = unsafe { values(operands, count) }?;
        if results.is_null() && capacity > 0 {
            return Err(Failure::null("results"));
        }
        let tolerance = tolerance(atol, rtol);
        let made = tape.0.linalg(operation, &operands, Settings { truncation, method, tolerance }, options)?;
        for (k, value) in made.into_iter().take(capacity).enumerate() {
            // SAFETY: k < capacity.
            unsafe { results.add(k).write(value.to_bits()) };
        }
        Ok(())
    })
}

/// The sum of `count` values of one shape, each times a number: `factors` has the real and the imaginary part of each.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_combine(
    tape: *mut tox_tape,
    terms: *const tox_value,
    factors: *const f64,
    count: usize,
    value: *mut tox_value,
) -> tox_status {
    let step = |tape: &mut dyn AnyTape| {
        // SAFETY: the caller's promise.
        let (terms, factors) = unsafe { (values(terms, count)?, slice(factors, 2 * count, "factors")?) };
        let factors = factors.chunks_exact(2).map(|parts| Complex64::new(parts[0], parts[1]));
        tape.combine(&factors.zip(terms).collect::<Vec<_>>())
    };
    // SAFETY: the caller's promise.
    unsafe { recorded(tape, value, step) }
}

/// A function of each element, one of `TOX_MAP_*`; `power` is for `TOX_MAP_POWER`.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_map(
    tape: *mut tox_tape,
    function: i32,
    power: i32,
    x: tox_value,
    value: *mut tox_value,
) -> tox_status {
    // SAFETY: the caller's promise.
    unsafe { recorded(tape, value, |tape| tape.map(function, power, Value::from_bits(x))) }
}

/// The same elements, the first axis fastest, in a shape of `rank` extents.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_reshape(
    tape: *mut tox_tape,
    x: tox_value,
    extents: *const i64,
    rank: usize,
    value: *mut tox_value,
) -> tox_status {
    let step = |tape: &mut dyn AnyTape| {
        // SAFETY: the caller's promise.
        let extents = unsafe { slice(extents, rank, "extents") }?;
        let extent = |(axis, &extent): (usize, &i64)| {
            usize::try_from(extent).map_err(|_| Error::NegativeExtent { axis, extent })
        };
        let shape = extents.iter().enumerate().map(extent).collect::<Result<Vec<usize>, _>>()?;
        tape.reshape(Value::from_bits(x), &shape)
    };
    // SAFETY: the caller's promise.
    unsafe { recorded(tape, value, step) }
}

/// Writes the extents of a value, at most `capacity` of them, and their number to `*rank`, unless that is NULL.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_shape(
    tape: *const tox_tape,
    value: tox_value,
    extents: *mut i64,
    capacity: usize,
    rank: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (tape, rank) = unsafe { (tape.as_ref(), rank.as_mut()) };
        let shape = tape.ok_or_else(|| Failure::null("tape"))?.0.shape(Value::from_bits(value))?;
        if extents.is_null() && capacity > 0 {
            return Err(Failure::null("extents"));
        }
        if let Some(rank) = rank {
            *rank = shape.len();
        }
        for (axis, &extent) in shape.iter().take(capacity).enumerate() {
            // SAFETY: axis < capacity.
            unsafe { extents.add(axis).write(extent as i64) };
        }
        Ok(())
    })
}

/// Copies a value to the memory of a tensor of its shape.
///
/// # Safety
/// As `tox_tape_variable`; nobody else uses the tensor during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_read(tape: *const tox_tape, value: tox_value, to: *const DLTensor) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_ref() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        unsafe { tape.0.read(Value::from_bits(value), to) }
    })
}

/// Ends a segment: of all that was computed since the last checkpoint, only `count` values stay, and what was given to
/// the tape. Derivatives compute the rest again when they need it, one segment at a time; further steps cannot use it.
/// A chain of n steps with a checkpoint after every √n needs memory for O(√n) of them.
///
/// # Safety
/// As `tox_tape_variable`.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_checkpoint(tape: *mut tox_tape, keep: *const tox_value, count: usize) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        tape.0.checkpoint(&unsafe { values(keep, count) }?)
    })
}

/// The cotangents of `count` values: of a loss of one element, whose real part L counts, δL = Σ Re⟨x̄, δx⟩. They are
/// copied to the tensors that `cotangents` leads to, NULL for none.
///
/// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT`, `TOX_NO_DERIVATIVE`, and as the steps.
///
/// # Safety
/// As `tox_tape_variable`; nobody else uses the tensors during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_gradient(
    tape: *mut tox_tape,
    loss: tox_value,
    wanted: *const tox_value,
    count: usize,
    cotangents: *const *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        let (wanted, to) = unsafe { (values(wanted, count)?, slice(cotangents, count, "cotangents")?) };
        // SAFETY: the caller's promise.
        unsafe { tape.0.gradient(Value::from_bits(loss), &wanted, None, to, &[]) }
    })
}

/// The change of a value where `count` values that were given to the tape change by their tangents; copied to `to`.
///
/// Fails as `tox_tape_gradient`.
///
/// # Safety
/// As `tox_tape_gradient`; `tangents` leads to as many tensors.
#[no_mangle]
pub unsafe extern "C" fn tox_tape_jvp(
    tape: *mut tox_tape,
    given: *const tox_value,
    tangents: *const DLTensor,
    count: usize,
    of: tox_value,
    to: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        let (given, tangents) = unsafe { (values(given, count)?, slice(tangents, count, "tangents")?) };
        // SAFETY: the caller's promise.
        unsafe { tape.0.jvp((&given, tangents), Value::from_bits(of), to) }
    })
}

/// The gradient, and the product of the loss's Hessian with a direction: how the cotangents of the `count` values
/// `wanted` change where the `moving` values `given` change by `tangents`. Both are copied to tensors, NULL for none.
///
/// Fails as `tox_tape_gradient`.
///
/// # Safety
/// As `tox_tape_jvp`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_tape_hvp(
    tape: *mut tox_tape,
    loss: tox_value,
    wanted: *const tox_value,
    count: usize,
    given: *const tox_value,
    tangents: *const DLTensor,
    moving: usize,
    cotangents: *const *const DLTensor,
    products: *const *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let tape = unsafe { tape.as_mut() }.ok_or_else(|| Failure::null("tape"))?;
        // SAFETY: the caller's promise.
        let (given, tangents) = unsafe { (values(given, moving)?, slice(tangents, moving, "tangents")?) };
        // SAFETY: the caller's promise.
        let wanted = unsafe { values(wanted, count) }?;
        // SAFETY: the caller's promise.
        let (first, second) = unsafe { (slice(cotangents, count, "cotangents")?, slice(products, count, "products")?) };
        // SAFETY: the caller's promise.
        unsafe { tape.0.gradient(Value::from_bits(loss), &wanted, Some((&given, tangents)), first, second) }
    })
}
