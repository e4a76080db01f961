//! Derivatives of the operations of linear algebra.
//!
//! One function for each kind of derivative serves all operations: which tensors belong to one, and in which order, its
//! `TOX_RULE_…` says. Axes of a batch come last, as in the operations themselves.

use tensoroxide_autodiff as autodiff;
use tensoroxide_autodiff::{Class, OnGauge, Operand, OperandMut, Operation, Options, Phases, Slot};
use tensoroxide_dense::Element;
use tensoroxide_linalg::Triangle;
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor, Typed};
use tensoroxide_tensor::{with_scalar, Region};

use crate::linalg::{function_of, how, norm_of, tox_run};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{apart, borrow, integers, view, view_mut};

/// A; U, S, Vᴴ.
pub const TOX_RULE_SVD_COMPACT: i32 = 0;
/// A; U, S, Vᴴ.
pub const TOX_RULE_SVD_FULL: i32 = 1;
/// A; S.
pub const TOX_RULE_SVD_VALS: i32 = 2;
/// A; U, S, Vᴴ as far as they were kept, and the norm ϵ of what was cut off.
pub const TOX_RULE_SVD_TRUNC: i32 = 3;
/// A; Q, R.
pub const TOX_RULE_QR_COMPACT: i32 = 4;
/// A; Q, R.
pub const TOX_RULE_QR_FULL: i32 = 5;
/// A; N.
pub const TOX_RULE_QR_NULL: i32 = 6;
/// A; Q, R, p (64-bit integers, counted from 0).
pub const TOX_RULE_QR_PIVOTED: i32 = 7;
/// A; L, Q.
pub const TOX_RULE_LQ_COMPACT: i32 = 8;
/// A; L, Q.
pub const TOX_RULE_LQ_FULL: i32 = 9;
/// A; N.
pub const TOX_RULE_LQ_NULL: i32 = 10;
/// A; W, P.
pub const TOX_RULE_LEFT_POLAR: i32 = 11;
/// A; P, Wᴴ.
pub const TOX_RULE_RIGHT_POLAR: i32 = 12;
/// A; L, U, p (64-bit integers, counted from 0).
pub const TOX_RULE_LU: i32 = 13;
/// A; L, U, p, q (64-bit integers, counted from 0).
pub const TOX_RULE_LU_COMPLETE: i32 = 14;
/// A; L.
pub const TOX_RULE_CHOLESKY: i32 = 15;
/// A; w, V.
pub const TOX_RULE_EIGH_FULL: i32 = 16;
/// A; w.
pub const TOX_RULE_EIGH_VALS: i32 = 17;
/// A; w, V as far as they were kept, and the norm ϵ of what was cut off. Also of `tox_eigh_range`.
pub const TOX_RULE_EIGH_TRUNC: i32 = 18;
/// A; w, V, both complex.
pub const TOX_RULE_EIG_FULL: i32 = 19;
/// A; w, complex.
pub const TOX_RULE_EIG_VALS: i32 = 20;
/// A; T, Z, and w, complex.
pub const TOX_RULE_SCHUR_FULL: i32 = 21;
/// A; w, complex.
pub const TOX_RULE_SCHUR_VALS: i32 = 22;
/// A, B; X.
pub const TOX_RULE_SOLVE: i32 = 23;
/// A, B; X. The variant is 1 for an upper triangle, plus 2 for a diagonal of ones.
pub const TOX_RULE_SOLVE_TRIANGULAR: i32 = 24;
/// A, B; X.
pub const TOX_RULE_LSTSQ: i32 = 25;
/// A; X.
pub const TOX_RULE_INV: i32 = 26;
/// A; X.
pub const TOX_RULE_PINV: i32 = 27;
/// A; the determinant.
pub const TOX_RULE_DET: i32 = 28;
/// A; the logarithm of the determinant's modulus, and its phase.
pub const TOX_RULE_LOGABSDET: i32 = 29;
/// A; X.
pub const TOX_RULE_EXPM: i32 = 30;
/// A; X. The variant is one of `TOX_FUNCTION_…`.
pub const TOX_RULE_HERMITIAN_FUNCTION: i32 = 31;
/// A; the norm. The variant is one of `TOX_NORM_…`.
pub const TOX_RULE_NORM: i32 = 32;

/// The operation of a code. `variant` is what the operation's own function takes: a norm, a function, a triangle.
fn operation(code: i32, variant: i32) -> Result<Operation, Failure> {
    Ok(match code {
        TOX_RULE_SVD_COMPACT => Operation::SvdCompact,
        TOX_RULE_SVD_FULL => Operation::SvdFull,
        TOX_RULE_SVD_VALS => Operation::SvdVals,
        TOX_RULE_SVD_TRUNC => Operation::SvdTrunc,
        TOX_RULE_QR_COMPACT => Operation::QrCompact,
        TOX_RULE_QR_FULL => Operation::QrFull,
        TOX_RULE_QR_NULL => Operation::QrNull,
        TOX_RULE_QR_PIVOTED => Operation::QrPivoted,
        TOX_RULE_LQ_COMPACT => Operation::LqCompact,
        TOX_RULE_LQ_FULL => Operation::LqFull,
        TOX_RULE_LQ_NULL => Operation::LqNull,
        TOX_RULE_LEFT_POLAR => Operation::LeftPolar,
        TOX_RULE_RIGHT_POLAR => Operation::RightPolar,
        TOX_RULE_LU => Operation::Lu,
        TOX_RULE_LU_COMPLETE => Operation::LuComplete,
        TOX_RULE_CHOLESKY => Operation::Cholesky,
        TOX_RULE_EIGH_FULL => Operation::EighFull,
        TOX_RULE_EIGH_VALS => Operation::EighVals,
        TOX_RULE_EIGH_TRUNC => Operation::EighTrunc,
        TOX_RULE_EIG_FULL => Operation::EigFull,
        TOX_RULE_EIG_VALS => Operation::EigVals,
        TOX_RULE_SCHUR_FULL => Operation::SchurFull,
        TOX_RULE_SCHUR_VALS => Operation::SchurVals,
        TOX_RULE_SOLVE => Operation::Solve,
        TOX_RULE_SOLVE_TRIANGULAR => {
            let (upper, unit_diagonal) = (variant & 1 != 0, variant & 2 != 0);
            Operation::SolveTriangular(Triangle { upper, unit_diagonal })
        }
        TOX_RULE_LSTSQ => Operation::Lstsq,
        TOX_RULE_INV => Operation::Inv,
        TOX_RULE_PINV => Operation::Pinv,
        TOX_RULE_DET => Operation::Det,
        TOX_RULE_LOGABSDET => Operation::LogAbsDet,
        TOX_RULE_EXPM => Operation::Expm,
        TOX_RULE_HERMITIAN_FUNCTION => Operation::HermitianFunction(function_of(variant)?),
        TOX_RULE_NORM => Operation::Norm(norm_of(variant)?),
        other => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no operation {other}"))),
    })
}

/// Which operation is differentiated, and what is done where its result is one of many.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_rule {
    /// One of `TOX_RULE_…`.
    pub operation: i32,
    /// As the operation's comment says; else ignored.
    pub variant: i32,
    /// Not 0: a cotangent that depends on the gauge of vectors with equal values is no failure; what of it depends is left out,
    /// and its size is reported.
    pub report_gauge: i32,
    /// Not 0: the phases of vectors are not differentiated, and a cotangent that depends on them depends on the gauge.
    pub free_phases: i32,
    /// The most of a cotangent that counts as rounding when it depends on the gauge, relative to the whole; negative for √eps.
    pub gauge_tolerance: f64,
    /// The most by which equal values differ, relative to the largest; negative for what rounding makes of them.
    pub degeneracy: f64,
}

/// # Safety
/// `rule` is NULL or leads to a `tox_rule`.
pub(crate) unsafe fn rule_of(rule: *const tox_rule) -> Result<(Operation, Options), Failure> {
    // SAFETY: the caller's promise.
    let rule = unsafe { rule.as_ref() }.ok_or_else(|| Failure::null("rule"))?;
    let options = Options {
        on_gauge: if rule.report_gauge != 0 { OnGauge::Report } else { OnGauge::Error },
        phases: if rule.free_phases != 0 { Phases::Free } else { Phases::Fixed },
        gauge_tolerance: (rule.gauge_tolerance >= 0.0).then_some(rule.gauge_tolerance),
        degeneracy: (rule.degeneracy >= 0.0).then_some(rule.degeneracy),
    };
    Ok((operation(rule.operation, rule.variant)?, options))
}

/// A tensor of numbers, or of positions.
enum Tensor<'a> {
    Numbers(Borrowed<'a>),
    Places(Typed<'a, i64>),
}

/// A list of tensors, one for each slot; NULL for one that is not there.
type Tensors<'a> = Vec<Option<Tensor<'a>>>;

/// # Safety
/// `list` is NULL or has an address for each slot, each of them NULL or leading to a tensor as [`borrow`] demands.
unsafe fn tensors<'a>(
    list: *const *const DLTensor,
    slots: &[Slot],
    name: &str,
    all: bool,
) -> Result<Tensors<'a>, Failure> {
    if list.is_null() {
        return Err(Failure::null(name));
    }
    let tensor = |(k, slot): (usize, &Slot)| {
        // SAFETY: the caller's promise.
        let tensor = unsafe { *list.add(k) };
        let about = || format!("{name}, {}", slot.name);
        match (tensor.is_null(), slot.class) {
            (true, _) if all => Err(Failure::null(&about())),
            (true, _) => Ok(None),
            // SAFETY: the caller's promise.
            (false, Class::Index) => Ok(Some(Tensor::Places(unsafe { integers(tensor, &about()) }?))),
            // SAFETY: the caller's promise.
            (false, _) => Ok(Some(Tensor::Numbers(unsafe { borrow(tensor, &about()) }?))),
        }
    };
    slots.iter().enumerate().map(tensor).collect()
}

/// # Safety
/// Nothing writes the elements while the operands live.
unsafe fn operands<'a, T: Element>(
    tensors: &'a Tensors<'_>,
    slots: &[Slot],
) -> Result<Vec<Option<Operand<'a, T>>>, Failure> {
    let operand = |(tensor, slot): (&'a Option<Tensor<'_>>, &Slot)| {
        // SAFETY: the caller's promise.
        let operand = unsafe {
            match (tensor, slot.class) {
                (None, _) => return Ok(None),
                (Some(Tensor::Places(places)), _) => Operand::Index(places.view()),
                (Some(Tensor::Numbers(x)), Class::Real) => Operand::Real(view(x, slot.name)?),
                (Some(Tensor::Numbers(x)), Class::Complex) => Operand::Complex(view(x, slot.name)?, false),
                (Some(Tensor::Numbers(x)), _) => Operand::Element(view(x, slot.name)?, false),
            }
        };
        Ok(Some(operand))
    };
    tensors.iter().zip(slots).map(operand).collect()
}

/// # Safety
/// Nothing else reads or writes the elements while the operands live, which share no memory.
unsafe fn results<'a, T: Element>(
    tensors: &'a Tensors<'_>,
    slots: &[Slot],
) -> Result<Vec<Option<OperandMut<'a, T>>>, Failure> {
    let result = |(tensor, slot): (&'a Option<Tensor<'_>>, &Slot)| {
        // SAFETY: the caller's promise.
        let result = unsafe {
            match (tensor, slot.class) {
                (None, _) => return Ok(None),
                (Some(Tensor::Places(_)), _) => {
                    return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{} has no derivative", slot.name)))
                }
                (Some(Tensor::Numbers(x)), Class::Real) => OperandMut::Real(view_mut(x, slot.name)?),
                (Some(Tensor::Numbers(x)), Class::Complex) => OperandMut::Complex(view_mut(x, slot.name)?),
                (Some(Tensor::Numbers(x)), _) => OperandMut::Element(view_mut(x, slot.name)?),
            }
        };
        Ok(Some(result))
    };
    tensors.iter().zip(slots).map(result).collect()
}

/// Refuses results that share memory with each other or with what is read.
fn check_apart(results: &Tensors<'_>, read: &[&Tensors<'_>]) -> Result<(), Failure> {
    fn regions<'a>(tensors: &'a Tensors<'_>) -> impl Iterator<Item = Region<'a>> {
        tensors.iter().flatten().filter_map(|tensor| match tensor {
            Tensor::Numbers(x) => Some(x.region()),
            Tensor::Places(_) => None,
        })
    }
    let all: Vec<_> = regions(results).collect();
    for (k, &result) in all.iter().enumerate() {
        let others = all[..k].iter().copied().map(|other| ("another result", other));
        let inputs = read.iter().flat_map(|tensors| regions(tensors)).map(|other| ("an operand", other));
        apart(("a result", result), &others.chain(inputs).collect::<Vec<_>>())?;
    }
    Ok(())
}

type List = *const *const DLTensor;

/// Tangents of an operation's outputs, those of its inputs being given.
///
/// `x` and `y` are the addresses of its inputs and outputs, `dx` those of the inputs' tangents, of the same sizes, and `dy` of
/// the outputs', which are written; NULL in `dx` is zero, NULL in `dy` is not asked for. `*gauge`, unless it is NULL, gets the
/// largest part that depends on a gauge and was left out, or 0.
///
/// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT`, `TOX_ALIASING`, `TOX_NO_DERIVATIVE`, and as the operation.
///
/// # Safety
/// The lists have as many entries as the operation has inputs and outputs, each NULL or leading to a tensor; nothing else
/// uses the results during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_rule_jvp(
    rule: *const tox_rule,
    x: List,
    y: List,
    dx: List,
    dy: List,
    gauge: *mut f64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((operation, options), run) = unsafe { (rule_of(rule)?, how(run)?) };
        let (inputs, outputs) = (operation.inputs(), operation.outputs());
        // SAFETY: the caller's promise.
        let (x, y, dx, dy) = unsafe {
            (
                tensors(x, inputs, "x", true)?,
                tensors(y, outputs, "y", true)?,
                tensors(dx, inputs, "dx", false)?,
                tensors(dy, outputs, "dy", false)?,
            )
        };
        check_apart(&dy, &[&x, &y, &dx])?;
        let report = with_scalar!(dtype(&x)?, T => {
            // SAFETY: the caller's promise; no result shares memory with another tensor.
            let (x, y, dx, dy) = unsafe {
                (operands::<T>(&x, inputs)?, operands(&y, outputs)?, operands(&dx, inputs)?, results(&dy, outputs)?)
            };
            autodiff::jvp(operation, &given(x), &given(y), &dx, dy, &options, run)?
        });
        // SAFETY: the caller's promise.
        unsafe { tell(gauge, report) };
        Ok(())
    })
}

/// Cotangents of an operation's inputs, those of its outputs being given.
///
/// `yb` are the addresses of the outputs' cotangents, and `xb` of the inputs', which are written; NULL in `yb` is zero, NULL in
/// `xb` is not asked for. For a real function L of y, the cotangents satisfy δL = Re⟨x̄, δx⟩, where ⟨·,·⟩ conjugates its first
/// argument. Otherwise as `tox_rule_jvp`.
///
/// # Safety
/// As `tox_rule_jvp`.
#[no_mangle]
pub unsafe extern "C" fn tox_rule_vjp(
    rule: *const tox_rule,
    x: List,
    y: List,
    yb: List,
    xb: List,
    gauge: *mut f64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((operation, options), run) = unsafe { (rule_of(rule)?, how(run)?) };
        let (inputs, outputs) = (operation.inputs(), operation.outputs());
        // SAFETY: the caller's promise.
        let (x, y, yb, xb) = unsafe {
            (
                tensors(x, inputs, "x", true)?,
                tensors(y, outputs, "y", true)?,
                tensors(yb, outputs, "yb", false)?,
                tensors(xb, inputs, "xb", false)?,
            )
        };
        check_apart(&xb, &[&x, &y, &yb])?;
        let report = with_scalar!(dtype(&x)?, T => {
            // SAFETY: the caller's promise; no result shares memory with another tensor.
            let (x, y, yb, xb) = unsafe {
                (operands::<T>(&x, inputs)?, operands(&y, outputs)?, operands(&yb, outputs)?, results(&xb, inputs)?)
            };
            autodiff::vjp(operation, &given(x), &given(y), &yb, xb, &options, run)?
        });
        // SAFETY: the caller's promise.
        unsafe { tell(gauge, report) };
        Ok(())
    })
}

/// The second order: tangents of what `tox_rule_vjp` gives, along `dx` for the inputs and `dyb` for the outputs' cotangents;
/// they are written to `dxb`. Otherwise as `tox_rule_vjp`.
///
/// # Safety
/// As `tox_rule_jvp`.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_rule_hvp(
    rule: *const tox_rule,
    x: List,
    y: List,
    yb: List,
    dx: List,
    dyb: List,
    dxb: List,
    gauge: *mut f64,
    run: *const tox_run,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((operation, options), run) = unsafe { (rule_of(rule)?, how(run)?) };
        let (inputs, outputs) = (operation.inputs(), operation.outputs());
        // SAFETY: the caller's promise.
        let (x, y, yb, dx, dyb, dxb) = unsafe {
            (
                tensors(x, inputs, "x", true)?,
                tensors(y, outputs, "y", true)?,
                tensors(yb, outputs, "yb", false)?,
                tensors(dx, inputs, "dx", false)?,
                tensors(dyb, outputs, "dyb", false)?,
                tensors(dxb, inputs, "dxb", false)?,
            )
        };
        check_apart(&dxb, &[&x, &y, &yb, &dx, &dyb])?;
        let report = with_scalar!(dtype(&x)?, T => {
            // SAFETY: the caller's promise; no result shares memory with another tensor.
            let (x, y, yb, dx, dyb, dxb) = unsafe {
                (
                    operands::<T>(&x, inputs)?,
                    operands(&y, outputs)?,
                    operands(&yb, outputs)?,
                    operands(&dx, inputs)?,
                    operands(&dyb, outputs)?,
                    results(&dxb, inputs)?,
                )
            };
            autodiff::hvp(operation, &given(x), &given(y), &yb, &dx, &dyb, dxb, &options, run)?
        });
        // SAFETY: the caller's promise.
        unsafe { tell(gauge, report) };
        Ok(())
    })
}

fn given<T>(all: Vec<Option<T>>) -> Vec<T> {
    all.into_iter().flatten().collect()
}

/// The element type of the operation: that of its first input.
fn dtype(x: &Tensors<'_>) -> Result<tensoroxide_tensor::DType, Failure> {
    match x.first() {
        Some(Some(Tensor::Numbers(a))) => Ok(a.dtype()),
        _ => Err(Failure::null("x")),
    }
}

/// # Safety
/// `gauge` is NULL or can be written.
unsafe fn tell(gauge: *mut f64, report: autodiff::Report) {
    // SAFETY: the caller's promise.
    if let Some(gauge) = unsafe { gauge.as_mut() } {
        *gauge = report.gauge;
    }
}
