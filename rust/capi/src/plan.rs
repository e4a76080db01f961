//! Planned Einstein summations.

use std::ffi::c_char;

use tensoroxide_dense::Element;
use tensoroxide_einsum::path::{Form, Minimize, Path, Search};
use tensoroxide_einsum::{network::Network, notation::Expression, Einsum, Options, Plan, Session};
use tensoroxide_tensor::dlpack::{Borrowed, DLDataType, DLTensor};
use tensoroxide_tensor::{Complex32, Complex64, DType, Error, View};

use crate::host::{string, threads};
use crate::semiring::{self, Runner, TOX_NUMBERS};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};
use crate::tensors::{borrow, view, view_mut};

/// What to plan.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_plan_request {
    /// The Einstein summation, for instance `"ij,jk->ik"`: UTF-8, NUL-terminated.
    pub expression: *const c_char,
    /// Number of operands.
    pub operands: usize,
    /// The number of axes of each operand.
    pub ranks: *const i32,
    /// The extents of all operands, one operand after another.
    pub extents: *const i64,
    /// 1 for each operand that is to be conjugated, else 0; NULL for none. Without meaning over a semiring.
    pub conj: *const u8,
    /// What to compute with: one of `TOX_NUMBERS`, `TOX_MAX_PLUS`, ….
    pub semiring: i32,
    /// Element type of the operands and the output, one that the semiring has.
    pub dtype: DLDataType,
    /// Most bytes of workspace for dense column-major operands; 0 for no limit.
    pub memory_limit: u64,
    /// The path to take, as JSON in the form that `path_form` says: NUL-terminated; NULL to search one.
    pub path: *const c_char,
    /// One of the forms `TOX_PATH_*`; without meaning if `path` is NULL.
    pub path_form: i32,
    /// What a searched path is to have least of: one of `TOX_MINIMIZE_*`.
    pub minimize: i32,
    /// Where the random numbers of the search start: the same request with the same seed has the same path.
    pub seed: u64,
    /// Nominal seconds to search for, counted in work done and not by a clock; negative for a part of what the contraction is
    /// estimated to take, at most about one second.
    pub search_time: f64,
}

/// Least estimated time: multiplications, elements moved, and a fixed time for each step.
pub const TOX_MINIMIZE_TIME: i32 = 0;
/// Fewest multiplications.
pub const TOX_MINIMIZE_FLOPS: i32 = 1;
/// Least size of the largest tensor that a step makes.
pub const TOX_MINIMIZE_SIZE: i32 = 2;

pub(crate) fn search(request: &tox_plan_request) -> Result<Search, Failure> {
    let minimize = match request.minimize {
        TOX_MINIMIZE_TIME => Minimize::Time,
        TOX_MINIMIZE_FLOPS => Minimize::Flops,
        TOX_MINIMIZE_SIZE => Minimize::Size,
        code => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{code} is nothing that a path can minimize"))),
    };
    let seconds = match request.search_time {
        seconds if seconds.is_nan() => {
            return Err(Failure::new(TOX_INVALID_ARGUMENT, "the search time is not a number"))
        }
        seconds => (seconds >= 0.0).then_some(seconds),
    };
    Ok(Search { minimize, seed: request.seed, seconds })
}

/// A path in opt_einsum's form: steps as positions in the list of the tensors that are left, from 0, for instance
/// `[[1,2],[0,1]]`. The result of a step goes to the end of the list.
pub const TOX_PATH_OPT_EINSUM: i32 = 0;
/// A path in which every tensor has a number, the operands from 0 on and then each result: `[[1,2],[0,3]]`.
pub const TOX_PATH_SSA: i32 = 1;
/// A path as a tree, nested lists of operands from 1 on: `[1,[2,3]]`.
pub const TOX_PATH_TREE: i32 = 2;
/// A path as `writejson` of OMEinsumContractionOrders.jl writes it.
pub const TOX_PATH_OMEINSUM: i32 = 3;
/// A path with the expression and the shapes that it is for, to be kept.
pub const TOX_PATH_STORED: i32 = 4;

fn form(code: i32) -> Result<Form, Failure> {
    match code {
        TOX_PATH_OPT_EINSUM => Ok(Form::OptEinsum),
        TOX_PATH_SSA => Ok(Form::Ssa),
        TOX_PATH_TREE => Ok(Form::Tree),
        TOX_PATH_OMEINSUM => Ok(Form::OmEinsum),
        TOX_PATH_STORED => Ok(Form::Stored),
        _ => Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{code} is no form of a path"))),
    }
}

/// What a plan comes to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_plan_info_t {
    /// Number of operands.
    pub operands: u64,
    /// Number of axes of the output.
    pub output_rank: u64,
    /// Number of steps.
    pub steps: u64,
    /// How often the steps run.
    pub slices: u64,
    /// Bytes of workspace.
    pub peak_bytes: u64,
    /// Floating-point operations: 2 for each product with its sum, whatever the algebra.
    pub flops: f64,
    /// Element type.
    pub dtype: DLDataType,
    /// Logarithm to base 10 of `flops`.
    pub log10_flops: f64,
    /// Logarithm to base 2 of the number of elements of the largest tensor that a step makes, the output included.
    pub log2_size: f64,
}

impl tox_plan_info_t {
    pub(crate) fn of(plan: &Plan) -> tox_plan_info_t {
        tox_plan_info_t {
            operands: plan.network().operands.len() as u64,
            output_rank: plan.network().output.len() as u64,
            steps: plan.steps() as u64,
            slices: plan.slices() as u64,
            peak_bytes: plan.peak_bytes() as u64,
            flops: plan.flops(),
            dtype: plan.dtype().into(),
            log10_flops: plan.flops().log10(),
            log2_size: plan.log2_size(),
        }
    }
}

/// A plan with the memory to run it. Any number of threads may run it at once.
pub struct tox_plan {
    einsum: AnyEinsum,
    conj: Box<[bool]>,
}

pub(crate) enum AnyEinsum {
    F32(Einsum<f32>),
    F64(Einsum<f64>),
    C32(Einsum<Complex32>),
    C64(Einsum<Complex64>),
    Semiring(Box<dyn Runner>),
}

impl tox_plan {
    pub(crate) fn einsum(&self) -> &AnyEinsum {
        &self.einsum
    }

    /// Number of operands.
    pub(crate) fn operands(&self) -> usize {
        self.conj.len()
    }

    /// Whether the plan conjugates operand `i`.
    pub(crate) fn conj(&self, i: usize) -> bool {
        self.conj.get(i).is_some_and(|&flag| flag)
    }

    fn plan(&self) -> &Plan {
        match &self.einsum {
            AnyEinsum::F32(einsum) => einsum.plan(),
            AnyEinsum::F64(einsum) => einsum.plan(),
            AnyEinsum::C32(einsum) => einsum.plan(),
            AnyEinsum::C64(einsum) => einsum.plan(),
            AnyEinsum::Semiring(runner) => runner.plan(),
        }
    }

    pub(crate) fn semiring(&self) -> Option<&dyn Runner> {
        match &self.einsum {
            AnyEinsum::Semiring(runner) => Some(&**runner),
            _ => None,
        }
    }
}

/// # Safety
/// `items` leads to `count` items that live for as long as `'a`; it may be NULL if there are none.
pub(crate) unsafe fn slice<'a, T>(items: *const T, count: usize, name: &str) -> Result<&'a [T], Failure> {
    match (count, items.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Failure::null(name)),
        // SAFETY: the caller's promise; not NULL.
        (_, false) => Ok(unsafe { std::slice::from_raw_parts(items, count) }),
    }
}

/// Plans an Einstein summation and writes a new plan to `*plan`, to be released with `tox_plan_destroy`.
///
/// Fails with `TOX_INVALID_ARGUMENT` (notation, number of operands, negative extents, a path that cannot be read or is one of
/// another network, no plan within the limit), `TOX_DIMENSION_MISMATCH` (ranks, extents of one label), `TOX_UNSUPPORTED_DTYPE`, `TOX_OVERFLOW`.
///
/// # Safety
/// The pointers in the request lead to what they are described as; `plan` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_create(request: *const tox_plan_request, plan: *mut *mut tox_plan) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (request, plan) = unsafe { (request.as_ref(), plan.as_mut()) };
        let request = request.ok_or_else(|| Failure::null("request"))?;
        let plan = plan.ok_or_else(|| Failure::null("plan"))?;
        // SAFETY: the caller's promise.
        let made = unsafe { create(request) }?;
        *plan = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// As `tox_plan_create`.
unsafe fn create(request: &tox_plan_request) -> Result<tox_plan, Failure> {
    // SAFETY: the caller's promise.
    let (expression, sizes) = unsafe { described(request) }?;
    let shapes: Vec<&[usize]> = sizes.iter().map(Vec::as_slice).collect();
    let conj = match request.conj.is_null() {
        true => vec![false; request.operands],
        // SAFETY: the caller's promise.
        false => unsafe { slice(request.conj, request.operands, "conj") }?.iter().map(|&flag| flag != 0).collect(),
    };
    let memory_limit = usize::try_from(request.memory_limit).ok().filter(|&limit| limit > 0);
    // SAFETY: the caller's promise.
    let path = unsafe { given_path(request, expression, &shapes) }?;
    let options = Options { memory_limit, threads: threads(), path, search: search(request)?, shares: 0 };
    if request.semiring != TOX_NUMBERS {
        let runner = semiring::create(request.semiring, request.dtype, expression, &shapes, options)?;
        return Ok(tox_plan { einsum: AnyEinsum::Semiring(runner), conj: conj.into() });
    }
    let dtype = DType::try_from(request.dtype)?;
    let plan = Plan::new(expression, &shapes, dtype, options)?;
    let einsum = match dtype {
        DType::F32 => AnyEinsum::F32(Einsum::new(plan)),
        DType::F64 => AnyEinsum::F64(Einsum::new(plan)),
        DType::C32 => AnyEinsum::C32(Einsum::new(plan)),
        DType::C64 => AnyEinsum::C64(Einsum::new(plan)),
    };
    Ok(tox_plan { einsum, conj: conj.into() })
}

/// The expression of a request, and the shapes of its operands.
///
/// # Safety
/// As `tox_plan_create`.
pub(crate) unsafe fn described(request: &tox_plan_request) -> Result<(&str, Vec<Vec<usize>>), Failure> {
    // SAFETY: the caller's promise.
    let (expression, ranks) =
        unsafe { (string(request.expression, "expression")?, slice(request.ranks, request.operands, "ranks")?) };
    let rank = |&rank: &i32| usize::try_from(rank);
    let ranks = ranks.iter().map(rank).collect::<Result<Vec<usize>, _>>();
    let ranks = ranks.map_err(|_| Failure::new(TOX_INVALID_ARGUMENT, "a rank is negative"))?;
    // SAFETY: the caller's promise.
    let mut rest = unsafe { slice(request.extents, ranks.iter().sum(), "extents") }?;
    let mut shapes = Vec::with_capacity(ranks.len());
    for &rank in &ranks {
        let (shape, others) = rest.split_at(rank);
        let size = |(axis, &extent): (usize, &i64)| {
            usize::try_from(extent).map_err(|_| Error::NegativeExtent { axis, extent })
        };
        shapes.push(shape.iter().enumerate().map(size).collect::<Result<Vec<usize>, _>>()?);
        rest = others;
    }
    Ok((expression, shapes))
}

/// The path of a request, if it has one.
///
/// # Safety
/// As `tox_plan_create`.
pub(crate) unsafe fn given_path(
    request: &tox_plan_request,
    expression: &str,
    shapes: &[&[usize]],
) -> Result<Option<Path>, Failure> {
    if request.path.is_null() {
        return Ok(None);
    }
    let network = Network::new(&Expression::parse(expression)?, shapes)?;
    // SAFETY: the caller's promise.
    Ok(Some(Path::read(unsafe { string(request.path, "path") }?, form(request.path_form)?, &network)?))
}

/// Releases a plan and its workspaces. NULL is allowed.
///
/// # Safety
/// `plan` came from `tox_plan_create`, is not in use, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_destroy(plan: *mut tox_plan) {
    if !plan.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(plan) });
            Ok(())
        });
    }
}

/// output = alpha * (Einstein sum of the operands) + beta * output. `beta == 0` never reads the output.
///
/// `operands` is an array of `count` tensors. `conj` is NULL, or has for each operand 1 if it is to be conjugated (once more
/// than the plan's request says) and 0 if not. A real plan takes the real parts of alpha and beta. A run whose tensors
/// are laid out as in the run before allocates nothing.
///
/// Over a semiring alpha is 1, and beta is 0 or 1: output = the sum, or that and the output added by the semiring. `conj` is then
/// not read, and the bytes of booleans are 0 or 1.
///
/// Fails with `TOX_DIMENSION_MISMATCH`, `TOX_INVALID_ARGUMENT` (number of operands, mixed element types), `TOX_ALIASING`, after
/// which nothing was written; with `TOX_OUT_OF_MEMORY`.
///
/// # Safety
/// The pointers lead to what they are described as, and nothing writes to the operands, or reads or writes the output,
/// during the call.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn tox_plan_run(
    plan: *const tox_plan,
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
        let plan = unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?;
        // SAFETY: the caller's promise.
        let operands = unsafe { slice(operands, count, "operands") }?;
        let given: &[u8] = match conj.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { slice(conj, count, "conj") }?,
        };
        // SAFETY: the caller's promise.
        let output = unsafe { output.as_ref() }.ok_or_else(|| Failure::null("the output"))?;
        let call = Call { operands, plan: &plan.conj, given, output };
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        if let AnyEinsum::Semiring(runner) = &plan.einsum {
            let one = Complex64::new(1.0, 0.0);
            if alpha != one || beta != one && beta != Complex64::default() {
                let text = format!("alpha is {alpha} and beta {beta}; over a semiring alpha is 1, and beta 0 or 1");
                return Err(Failure::new(TOX_INVALID_ARGUMENT, text));
            }
            // SAFETY: the caller's promise.
            return unsafe { runner.run(operands, output, beta == one, None) };
        }
        // SAFETY: the caller's promise.
        unsafe {
            match &plan.einsum {
                AnyEinsum::F32(einsum) => run(einsum, &call, alpha, beta),
                AnyEinsum::F64(einsum) => run(einsum, &call, alpha, beta),
                AnyEinsum::C32(einsum) => run(einsum, &call, alpha, beta),
                AnyEinsum::C64(einsum) => run(einsum, &call, alpha, beta),
                AnyEinsum::Semiring(_) => Ok(()),
            }
        }
    })
}

/// The tensors of a run.
struct Call<'a> {
    operands: &'a [DLTensor],
    /// Whether the plan conjugates each operand.
    plan: &'a [bool],
    /// Whether this run does so once more; empty for none.
    given: &'a [u8],
    output: &'a DLTensor,
}

impl Call<'_> {
    fn conj(&self, i: usize) -> bool {
        self.plan.get(i).is_some_and(|&flag| flag) != self.given.get(i).is_some_and(|&flag| flag != 0)
    }
}

/// # Safety
/// As `tox_plan_run`.
unsafe fn run<T: Element>(
    einsum: &Einsum<T>,
    call: &Call<'_>,
    alpha: Complex64,
    beta: Complex64,
) -> Result<(), Failure> {
    let mut session = einsum.session()?;
    let (alpha, beta) = (T::from_c64(alpha), T::from_c64(beta));
    let count = call.operands.len();
    // Tensors laid out as in the last run need no second look; the usual case, and the one that has to be fast.
    let known = count == session.operands()
        && call.operands.iter().chain([call.output]).enumerate().all(|(i, tensor)| {
            // SAFETY: the caller's promise.
            match unsafe { tensor.matches::<T>(session.layout(i)) } {
                Some(start) => session.bind(i, start, call.conj(i)),
                None => return false,
            }
            true
        });
    if known {
        // SAFETY: all tensors were bound, have the workspace's layouts and are aligned; for their elements, the caller's promise.
        return Ok(unsafe { session.run_bound(alpha, beta, threads()) }?);
    }
    // SAFETY: the caller's promise.
    unsafe { run_checked(session, call, alpha, beta) }
}

/// # Safety
/// As `tox_plan_run`.
#[cold]
unsafe fn run_checked<T: Element>(session: Session<'_, T>, call: &Call<'_>, alpha: T, beta: T) -> Result<(), Failure> {
    let named = |i: usize, failure: Failure| failure.about(format_args!("operand {}", i + 1));
    let mut borrowed: Vec<Borrowed<'_>> = Vec::with_capacity(call.operands.len());
    for (i, operand) in call.operands.iter().enumerate() {
        // SAFETY: the caller's promise.
        borrowed.push(unsafe { Borrowed::new(operand) }.map_err(|error| named(i, error.into()))?);
    }
    let mut views: Vec<View<'_, T>> = Vec::with_capacity(borrowed.len());
    for (i, operand) in borrowed.iter().enumerate() {
        // SAFETY: the caller's promise.
        views.push(unsafe { view(operand, "the tensor") }.map_err(|failure| named(i, failure))?);
    }
    let conj: Vec<bool> = (0..views.len()).map(|i| call.conj(i)).collect();
    // SAFETY: the caller's promise. That the output shares no memory with an operand is checked before it is written.
    let output = unsafe { borrow(call.output, "the output") }?;
    // SAFETY: as above.
    let output = unsafe { view_mut(&output, "the output") }?;
    Ok(session.run(alpha, &views, &conj, beta, output, threads())?)
}

/// Writes what a plan comes to.
///
/// # Safety
/// `plan` came from `tox_plan_create`; `info` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_info(plan: *const tox_plan, info: *mut tox_plan_info_t) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (plan, info) = unsafe { (plan.as_ref(), info.as_mut()) };
        let plan = plan.ok_or_else(|| Failure::null("plan"))?;
        let mut found = tox_plan_info_t::of(plan.plan());
        if let Some(runner) = plan.semiring() {
            (found.peak_bytes, found.dtype) = (runner.peak_bytes() as u64, runner.dtype());
        }
        *info.ok_or_else(|| Failure::null("info"))? = found;
        Ok(())
    })
}

/// Writes the extents of a plan's output, at most `capacity` of them.
///
/// # Safety
/// `plan` came from `tox_plan_create`; `extents` leads to room for `capacity` numbers.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_output_shape(
    plan: *const tox_plan,
    extents: *mut i64,
    capacity: usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let plan = unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?.plan();
        // SAFETY: the caller's promise.
        unsafe { write_shape(plan, extents, capacity) }
    })
}

/// Describes a plan in words: writes at most `capacity` bytes of UTF-8, the last of them NUL, and to `*length` the bytes
/// that the whole text has without the NUL. `buffer` may be NULL if `capacity` is 0, and `length` may be NULL.
///
/// # Safety
/// `plan` came from `tox_plan_create`; `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_describe(
    plan: *const tox_plan,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let plan = unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?;
        let text = plan.semiring().map_or_else(|| plan.plan().to_string(), Runner::describe);
        // SAFETY: the caller's promise.
        unsafe { write_text(&text, buffer, capacity, length) }
    })
}

/// Writes a plan's path in the form `form`, one of `TOX_PATH_*`, as `tox_plan_describe` writes.
///
/// # Safety
/// As `tox_plan_describe`.
#[no_mangle]
pub unsafe extern "C" fn tox_plan_path(
    plan: *const tox_plan,
    form: i32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let plan = unsafe { plan.as_ref() }.ok_or_else(|| Failure::null("plan"))?.plan();
        let text = plan.path().write(self::form(form)?, plan.network(), plan.expression());
        // SAFETY: the caller's promise.
        unsafe { write_text(&text, buffer, capacity, length) }
    })
}

/// # Safety
/// `extents` leads to room for `capacity` numbers.
pub(crate) unsafe fn write_shape(plan: &Plan, extents: *mut i64, capacity: usize) -> Result<(), Failure> {
    if extents.is_null() && capacity > 0 {
        return Err(Failure::null("extents"));
    }
    for (i, extent) in plan.output_shape().into_iter().take(capacity).enumerate() {
        // SAFETY: i < capacity.
        unsafe { extents.add(i).write(extent as i64) };
    }
    Ok(())
}

/// # Safety
/// `buffer` leads to room for `capacity` bytes; `length` can be written or is NULL.
pub(crate) unsafe fn write_text(
    text: &str,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> Result<(), Failure> {
    if buffer.is_null() && capacity > 0 {
        return Err(Failure::null("buffer"));
    }
    // SAFETY: the caller's promise.
    if let Some(length) = unsafe { length.as_mut() } {
        *length = text.len();
    }
    if capacity > 0 {
        let mut end = text.len().min(capacity - 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // SAFETY: end < capacity.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, end);
            buffer.add(end).write(0);
        }
    }
    Ok(())
}
