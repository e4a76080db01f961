//! Eigenvalues, exponentials and linear systems of linear maps: stepped by the host, or over a contraction plan.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use tensoroxide_dense::Element;
use tensoroxide_einsum::Einsum;
use tensoroxide_krylov::{
    solve, Arnoldi, ConjugateGradients, ConvergenceInfo, Eigsolve, Exponential, Exponentiate, Gmres, Lanczos, Linsolve,
    PlannedMap, Solver, Step, Which,
};
use tensoroxide_tensor::dlpack::{Borrowed, DLDataType, DLTensor};
use tensoroxide_tensor::kernels::axpby;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{Complex32, Complex64, DType, Real, Scalar, Threads, View, ViewMut};

use crate::host::threads;
use crate::plan::{slice, tox_plan, AnyEinsum};
use crate::status::{guard, tox_status, Failure, TOX_DIMENSION_MISMATCH, TOX_INVALID_ARGUMENT};
use crate::tensors::{borrow, view, view_mut};

/// Extreme eigenvalues of a Hermitian map: restarted Lanczos.
pub const TOX_EIGSOLVE: i32 = 0;
/// exp(t·A)·x for a Hermitian map: Lanczos in time steps.
pub const TOX_EXPONENTIATE: i32 = 1;
/// (a0 + a1·A)·x = b: restarted GMRES.
pub const TOX_LINSOLVE: i32 = 2;
/// The same where a0 + a1·A is Hermitian and positive definite: conjugate gradients.
pub const TOX_LINSOLVE_POSITIVE: i32 = 3;
/// Extreme eigenvalues of any map, complex ones: restarted Arnoldi.
pub const TOX_EIGSOLVE_GENERAL: i32 = 4;

/// The eigenvalues with the smallest real part, ascending.
pub const TOX_SMALLEST_REAL: i32 = 0;
/// Those with the largest real part, descending.
pub const TOX_LARGEST_REAL: i32 = 1;
/// The eigenvalues of largest magnitude, descending; of two with the same magnitude that with the smaller real part
/// first.
pub const TOX_LARGEST_MAGNITUDE: i32 = 2;
/// Those with the smallest imaginary part, ascending: for `TOX_EIGSOLVE_GENERAL` over complex vectors.
pub const TOX_SMALLEST_IMAGINARY: i32 = 3;
/// Those with the largest imaginary part, descending: likewise.
pub const TOX_LARGEST_IMAGINARY: i32 = 4;

/// A problem. What a method does not know is not read.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_krylov_problem {
    /// `TOX_EIGSOLVE`, `TOX_EIGSOLVE_GENERAL`, `TOX_EXPONENTIATE`, `TOX_LINSOLVE` or `TOX_LINSOLVE_POSITIVE`.
    pub method: i32,
    /// Eigenvalues: which ones, `TOX_SMALLEST_REAL` and so on.
    pub which: i32,
    /// Eigenvalues: how many.
    pub howmany: usize,
    /// The most vectors of a Krylov space; for eigenvalues more than `howmany`, for
    /// `TOX_EIGSOLVE_GENERAL` over real vectors by two or more, unless that is the whole space.
    pub krylovdim: usize,
    /// The most Krylov spaces, or time steps; krylovdim·maxiter iterations of conjugate gradients.
    pub maxiter: usize,
    /// Eigenvalues: the residual that counts as converged. Exponentials: the error for each unit of time. Systems: the
    /// residual.
    pub tol: f64,
    /// Systems: the residual as a part of ‖b‖; the larger one of the two decides.
    pub rtol: f64,
    /// Not 0: look at the residual or error after every application, and not only when the Krylov space is full.
    pub eager: i32,
    /// Exponentials: t.
    pub t_re: f64,
    /// Its imaginary part, 0 for real vectors; so for those below.
    pub t_im: f64,
    /// Systems: a0.
    pub a0_re: f64,
    /// Its imaginary part.
    pub a0_im: f64,
    /// Systems: a1.
    pub a1_re: f64,
    /// Its imaginary part.
    pub a1_im: f64,
}

/// How it went.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_krylov_info_t {
    /// Eigenvalues that have reached the tolerance, from the first on without a gap. Else 1 if the result has, or 0.
    pub converged: u64,
    /// Krylov spaces that were built; time steps; iterations of conjugate gradients.
    pub numiter: u64,
    /// Applications of the map.
    pub numops: u64,
    /// Results: eigenvectors, else 1; 0 before the end.
    pub results: u64,
}

/// The memory of Krylov methods over vectors of one element type, and the problem that is being solved in it.
/// Problems of no larger size take no further memory. For one thread at a time.
pub struct tox_krylov(AnyKrylov);

enum AnyKrylov {
    F32(Methods<f32>),
    F64(Methods<f64>),
    C32(Methods<Complex32>),
    C64(Methods<Complex64>),
}

struct Methods<T: Element> {
    now: i32,
    lanczos: Lanczos<T>,
    arnoldi: Arnoldi<T>,
    exponential: Exponential<T>,
    gmres: Gmres<T>,
    gradients: ConjugateGradients<T>,
    ended: bool,
}

impl<T: Element> Default for Methods<T> {
    fn default() -> Methods<T> {
        Methods {
            now: TOX_EIGSOLVE,
            lanczos: Lanczos::default(),
            arnoldi: Arnoldi::default(),
            exponential: Exponential::default(),
            gmres: Gmres::default(),
            gradients: ConjugateGradients::default(),
            ended: false,
        }
    }
}

/// What is done for the element type of a `tox_krylov`.
macro_rules! with_methods {
    ($krylov:expr, $methods:ident => $body:expr) => {
        match $krylov {
            AnyKrylov::F32($methods) => $body,
            AnyKrylov::F64($methods) => $body,
            AnyKrylov::C32($methods) => $body,
            AnyKrylov::C64($methods) => $body,
        }
    };
}

impl<T: Element> Methods<T> {
    /// # Safety
    /// Nobody writes to the tensors during the call.
    unsafe fn start(
        &mut self,
        problem: &tox_krylov_problem,
        x: &Borrowed<'_>,
        b: Option<&Borrowed<'_>>,
    ) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let x = unsafe { view::<T>(x, "x") }?;
        let n = x.shape().iter().product();
        let tox_krylov_problem { method, howmany, krylovdim, maxiter, tol, rtol, .. } = *problem;
        let eager = problem.eager != 0;
        self.ended = false;
        self.now = method;
        match method {
            TOX_EIGSOLVE | TOX_EIGSOLVE_GENERAL => {
                let which = match problem.which {
                    TOX_SMALLEST_REAL => Which::SmallestReal,
                    TOX_LARGEST_REAL => Which::LargestReal,
                    TOX_LARGEST_MAGNITUDE => Which::LargestMagnitude,
                    TOX_SMALLEST_IMAGINARY => Which::SmallestImaginary,
                    TOX_LARGEST_IMAGINARY => Which::LargestImaginary,
                    code => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("{code} names no eigenvalues"))),
                };
                let options = Eigsolve { howmany, which, krylovdim, maxiter, tol, eager };
                match method {
                    TOX_EIGSOLVE => copy_in(x, self.lanczos.start(n, options)?),
                    _ => copy_in(x, self.arnoldi.start(n, options)?),
                }
            }
            TOX_EXPONENTIATE => {
                let t = Complex64::new(problem.t_re, problem.t_im);
                copy_in(x, self.exponential.start(n, Exponentiate { t, krylovdim, maxiter, tol, eager })?)
            }
            TOX_LINSOLVE | TOX_LINSOLVE_POSITIVE => {
                // SAFETY: the caller's promise.
                let b = unsafe { view::<T>(b.ok_or_else(|| Failure::null("b"))?, "b") }?;
                if b.shape() != x.shape() {
                    let text = format!("b has size {:?}, but x has size {:?}", b.shape(), x.shape());
                    return Err(Failure::new(TOX_DIMENSION_MISMATCH, text));
                }
                let a0 = Complex64::new(problem.a0_re, problem.a0_im);
                let a1 = Complex64::new(problem.a1_re, problem.a1_im);
                let options = Linsolve { a0, a1, krylovdim, maxiter, atol: tol, rtol };
                let (start, right) = match method {
                    TOX_LINSOLVE => self.gmres.start(n, options)?,
                    _ => self.gradients.start(n, options)?,
                };
                copy_in(x, start)?;
                copy_in(b, right)
            }
            code => Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no Krylov method {code}"))),
        }
    }

    fn next(&mut self) -> Result<Step<'_, T>, Failure> {
        let step = match self.now {
            TOX_EXPONENTIATE => self.exponential.next(),
            TOX_LINSOLVE => self.gmres.next(),
            TOX_LINSOLVE_POSITIVE => self.gradients.next(),
            TOX_EIGSOLVE_GENERAL => self.arnoldi.next(),
            _ => self.lanczos.next(),
        }?;
        self.ended = step == Step::Done;
        Ok(step)
    }

    fn run(&mut self, map: &PlannedMap<'_, T>, n: usize) -> Result<(), Failure> {
        let apply = |x: &[T], y: &mut [T]| match x.len() == n {
            true => map.apply(x, y),
            false => Err(tensoroxide_krylov::Error::Argument(format!(
                "the plan maps vectors of {n} elements, but the problem has {}",
                x.len()
            ))),
        };
        match self.now {
            TOX_EXPONENTIATE => solve(&mut self.exponential, apply),
            TOX_LINSOLVE => solve(&mut self.gmres, apply),
            TOX_LINSOLVE_POSITIVE => solve(&mut self.gradients, apply),
            TOX_EIGSOLVE_GENERAL => solve(&mut self.arnoldi, apply),
            _ => solve(&mut self.lanczos, apply),
        }?;
        self.ended = true;
        Ok(())
    }

    fn info(&self) -> tox_krylov_info_t {
        let (info, results) = match self.now {
            TOX_EXPONENTIATE => (self.exponential.info(), 1),
            TOX_LINSOLVE => (self.gmres.info(), 1),
            TOX_LINSOLVE_POSITIVE => (self.gradients.info(), 1),
            TOX_EIGSOLVE_GENERAL => (self.arnoldi.info(), self.arnoldi.values().len()),
            _ => (self.lanczos.info(), self.lanczos.values().len()),
        };
        let ConvergenceInfo { converged, numiter, numops } = info;
        let results = if self.ended { results as u64 } else { 0 };
        tox_krylov_info_t { converged: converged as u64, numiter: numiter as u64, numops: numops as u64, results }
    }

    /// Value (0 where there is none), norm of the residual, and vector of a result.
    fn result(&self, i: usize) -> (f64, f64, &[T]) {
        match self.now {
            TOX_EXPONENTIATE => (0.0, self.exponential.error(), self.exponential.result()),
            TOX_LINSOLVE => (0.0, self.gmres.normres().to_f64(), self.gmres.solution()),
            TOX_LINSOLVE_POSITIVE => (0.0, self.gradients.normres().to_f64(), self.gradients.solution()),
            _ => {
                let (values, normres) = (self.lanczos.values(), self.lanczos.normres());
                (values[i].to_f64(), normres[i].to_f64(), self.lanczos.vector(i))
            }
        }
    }
}

fn copy_in<T: Element>(x: View<'_, T>, to: &mut [T]) -> Result<(), Failure> {
    let strides = column_major_strides(x.shape());
    Ok(axpby(T::ONE, x, false, T::ZERO, ViewMut::new(to, x.shape(), &strides, 0)?, Threads::ONE)?)
}

/// # Safety
/// Nobody reads or writes the tensor during the call.
unsafe fn copy_out<T: Element>(x: &[T], to: &Borrowed<'_>, name: &str) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let to = unsafe { view_mut::<T>(to, name) }?;
    let strides = column_major_strides(to.shape());
    let n: usize = to.shape().iter().product();
    if n != x.len() {
        let text = format!("{name} has {n} elements, but the vectors of the problem have {}", x.len());
        return Err(Failure::new(TOX_DIMENSION_MISMATCH, text));
    }
    Ok(axpby(T::ONE, View::new(x, to.shape(), &strides, 0)?, false, T::ZERO, to, Threads::ONE)?)
}

/// Makes memory for Krylov methods over vectors of an element type; none is taken before a problem is started.
///
/// # Safety
/// `krylov` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_create(dtype: DLDataType, krylov: *mut *mut tox_krylov) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let krylov = unsafe { krylov.as_mut() }.ok_or_else(|| Failure::null("krylov"))?;
        let made = match DType::try_from(dtype)? {
            DType::F32 => AnyKrylov::F32(Methods::default()),
            DType::F64 => AnyKrylov::F64(Methods::default()),
            DType::C32 => AnyKrylov::C32(Methods::default()),
            DType::C64 => AnyKrylov::C64(Methods::default()),
        };
        *krylov = Box::into_raw(Box::new(tox_krylov(made)));
        Ok(())
    })
}

/// Frees what `tox_krylov_create` made; NULL is ignored.
///
/// # Safety
/// `krylov` came from `tox_krylov_create`, was not destroyed before, and nobody uses it.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_destroy(krylov: *mut tox_krylov) {
    guard(|| {
        if !krylov.is_null() {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(krylov) });
        }
        Ok(())
    });
}

/// Starts a problem from the vector `x`, a tensor of any shape whose elements are those of the vector, column-major.
/// `b` is the right-hand side of a system, of the same shape; NULL for other methods. Both are copied.
///
/// Fails with `TOX_INVALID_ARGUMENT` for numbers that no problem can have and for mixed element types, with
/// `TOX_DIMENSION_MISMATCH`, `TOX_OUT_OF_MEMORY`.
///
/// # Safety
/// `krylov` came from `tox_krylov_create`, and no other thread uses it; the pointers lead to what they are described
/// as.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_start(
    krylov: *mut tox_krylov,
    problem: *const tox_krylov_problem,
    x: *const DLTensor,
    b: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, problem) = unsafe { (krylov.as_mut(), problem.as_ref()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        let problem = problem.ok_or_else(|| Failure::null("problem"))?;
        // SAFETY: the caller's promise.
        let x = unsafe { borrow(x, "x") }?;
        let b = match b.is_null() {
            true => None,
            // SAFETY: the caller's promise.
            false => Some(unsafe { borrow(b, "b") }?),
        };
        // SAFETY: the caller's promise.
        with_methods!(&mut krylov.0, methods => unsafe { methods.start(problem, &x, b.as_ref()) })
    })
}

/// Goes on with a problem: takes in what the host has written to `*y`, and asks for the next application of the map.
/// The host then reads the vector `*x`, writes what the map makes of it to `*y`, and calls again; both are
/// column-major without gaps, and valid until the next call. At the end both are NULL.
///
/// Fails with `TOX_NOT_FINITE` (NaN or infinity in a vector); with `TOX_INVALID_ARGUMENT` for a start vector that is
/// zero, and for a map that turns out not to be Hermitian or positive definite; with `TOX_NO_CONVERGENCE`. The
/// problem has then ended.
///
/// # Safety
/// As `tox_krylov_start`; `x` and `y` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_next(
    krylov: *mut tox_krylov,
    x: *mut *const c_void,
    y: *mut *mut c_void,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, x, y) = unsafe { (krylov.as_mut(), x.as_mut(), y.as_mut()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        let x = x.ok_or_else(|| Failure::null("x"))?;
        let y = y.ok_or_else(|| Failure::null("y"))?;
        (*x, *y) = (null(), null_mut());
        with_methods!(&mut krylov.0, methods => {
            if let Step::Apply { x: from, y: to } = methods.next()? {
                (*x, *y) = (from.as_ptr().cast(), to.as_mut_ptr().cast());
            }
        });
        Ok(())
    })
}

/// Runs a started problem to its end. The map takes operand `free` of the plan, from 0, to the plan's output, which
/// has to have the same shape. `operands` is an array of `count` tensors, of which that at `free` is not looked at;
/// `conj` as for `tox_plan_run`.
///
/// Fails as `tox_krylov_next`; with `TOX_DIMENSION_MISMATCH` and `TOX_INVALID_ARGUMENT` for what does not fit the plan.
///
/// # Safety
/// As `tox_krylov_start` and as `tox_plan_run`.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_run_plan(
    krylov: *mut tox_krylov,
    plan: *const tox_plan,
    operands: *const DLTensor,
    count: usize,
    conj: *const u8,
    free: usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, plan) = unsafe { (krylov.as_mut(), plan.as_ref()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        let plan = plan.ok_or_else(|| Failure::null("plan"))?;
        // SAFETY: the caller's promise.
        let operands = unsafe { slice(operands, count, "operands") }?;
        let given: &[u8] = match conj.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { slice(conj, count, "conj") }?,
        };
        let flag = |i| plan.conj(i) != given.get(i).is_some_and(|&flag| flag != 0);
        let conj: Vec<bool> = (0..count).map(flag).collect();
        let map = Map { operands, conj: &conj, free };
        // SAFETY: the caller's promise.
        unsafe {
            match (&mut krylov.0, plan.einsum()) {
                (AnyKrylov::F32(methods), AnyEinsum::F32(einsum)) => map.run(einsum, methods),
                (AnyKrylov::F64(methods), AnyEinsum::F64(einsum)) => map.run(einsum, methods),
                (AnyKrylov::C32(methods), AnyEinsum::C32(einsum)) => map.run(einsum, methods),
                (AnyKrylov::C64(methods), AnyEinsum::C64(einsum)) => map.run(einsum, methods),
                _ => {
                    let text = "the plan and the vectors have different element types";
                    Err(Failure::new(TOX_INVALID_ARGUMENT, text))
                }
            }
        }
    })
}

/// What a plan is to be a map with.
struct Map<'a> {
    operands: &'a [DLTensor],
    conj: &'a [bool],
    free: usize,
}

impl Map<'_> {
    /// # Safety
    /// As `tox_krylov_run_plan`.
    unsafe fn run<T: Element>(&self, einsum: &Einsum<T>, methods: &mut Methods<T>) -> Result<(), Failure> {
        let named = |i: usize, failure: Failure| failure.about(format_args!("operand {}", i + 1));
        let others = || self.operands.iter().enumerate().filter(|(i, _)| *i != self.free);
        let mut borrowed: Vec<Borrowed<'_>> = Vec::with_capacity(self.operands.len());
        for (i, operand) in others() {
            // SAFETY: the caller's promise.
            borrowed.push(unsafe { Borrowed::new(operand) }.map_err(|error| named(i, error.into()))?);
        }
        let mut views: Vec<View<'_, T>> = Vec::with_capacity(borrowed.len());
        for ((i, _), operand) in others().zip(&borrowed) {
            // SAFETY: the caller's promise.
            views.push(unsafe { view(operand, "the tensor") }.map_err(|failure| named(i, failure))?);
        }
        let map = PlannedMap::new(einsum, &views, self.conj, self.free, threads())?;
        methods.run(&map, map.len())
    }
}

/// Writes how a problem went.
///
/// # Safety
/// `krylov` came from `tox_krylov_create`; `info` can be written.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_info(krylov: *const tox_krylov, info: *mut tox_krylov_info_t) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, info) = unsafe { (krylov.as_ref(), info.as_mut()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        let info = info.ok_or_else(|| Failure::null("info"))?;
        *info = with_methods!(&krylov.0, methods => methods.info());
        Ok(())
    })
}

/// Writes result `i`, from 0, of a problem that has come to its end: the eigenvalue to `*value`, the norm of its
/// residual (for exponentials the estimated error) to `*normres`, the vector to `vector`, and its residual, A·v − λ·v
/// or b − (a0 + a1·A)·x, to `residual`, which are tensors of as many elements as `x` had. What is NULL is not
/// written; exponentials have no residual. For `TOX_EIGSOLVE_GENERAL` see `tox_krylov_complex_result`.
///
/// # Safety
/// As `tox_krylov_start`; nothing else uses the tensors during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_result(
    krylov: *const tox_krylov,
    i: usize,
    value: *mut f64,
    normres: *mut f64,
    vector: *const DLTensor,
    residual: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, value, normres) = unsafe { (krylov.as_ref(), value.as_mut(), normres.as_mut()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        with_methods!(&krylov.0, methods => {
            if i as u64 >= methods.info().results {
                return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no result {i}")));
            }
            if methods.now == TOX_EIGSOLVE_GENERAL {
                return Err(Failure::new(TOX_INVALID_ARGUMENT, "complex: see tox_krylov_complex_result"));
            }
            let (of_value, of_residual, x) = methods.result(i);
            if !vector.is_null() {
                // SAFETY: the caller's promise.
                unsafe { copy_out(x, &borrow(vector, "the vector")?, "the vector") }?;
            }
            if !residual.is_null() {
                // SAFETY: the caller's promise.
                unsafe { methods.write_residual(i, &borrow(residual, "the residual")?) }?;
            }
            value.into_iter().for_each(|value| *value = of_value);
            normres.into_iter().for_each(|normres| *normres = of_residual);
        });
        Ok(())
    })
}

impl<T: Element> Methods<T> {
    /// # Safety
    /// Nobody reads or writes the tensor during the call.
    unsafe fn write_residual(&self, i: usize, to: &Borrowed<'_>) -> Result<(), Failure> {
        const NAME: &str = "the residual";
        // SAFETY: the caller's promise.
        unsafe {
            match self.now {
                TOX_EIGSOLVE => {
                    let mut residual = vec![T::ZERO; self.lanczos.vector(i).len()];
                    self.lanczos.residual(i, &mut residual);
                    copy_out(&residual, to, NAME)
                }
                TOX_LINSOLVE => copy_out(self.gmres.residual(), to, NAME),
                TOX_LINSOLVE_POSITIVE => copy_out(self.gradients.residual(), to, NAME),
                _ => Err(Failure::new(TOX_INVALID_ARGUMENT, "an exponential has no residual")),
            }
        }
    }
}

/// Writes result `i`, from 0, of a problem `TOX_EIGSOLVE_GENERAL` that has come to its end: real and imaginary part
/// of the eigenvalue to `value`, the norm of its residual to `*normres`, the vector to `vector`, and A·v − λ·v to
/// `residual`, which are complex tensors, also where the map is real, of as many elements as `x` had. What is NULL is
/// not written.
///
/// # Safety
/// As `tox_krylov_start`; two numbers can be written to `value`; nothing else uses the tensors during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_krylov_complex_result(
    krylov: *const tox_krylov,
    i: usize,
    value: *mut f64,
    normres: *mut f64,
    vector: *const DLTensor,
    residual: *const DLTensor,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (krylov, normres) = unsafe { (krylov.as_ref(), normres.as_mut()) };
        let krylov = krylov.ok_or_else(|| Failure::null("krylov"))?;
        with_methods!(&krylov.0, methods => {
            if methods.now != TOX_EIGSOLVE_GENERAL || i as u64 >= methods.info().results {
                return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no complex result {i}")));
            }
            let arnoldi = &methods.arnoldi;
            if !vector.is_null() {
                // SAFETY: the caller's promise.
                unsafe { copy_out(arnoldi.vector(i), &borrow(vector, "the vector")?, "the vector") }?;
            }
            if !residual.is_null() {
                let mut of_vector = arnoldi.vector(i).to_vec();
                arnoldi.residual(i, &mut of_vector);
                // SAFETY: the caller's promise.
                unsafe { copy_out(&of_vector, &borrow(residual, "the residual")?, "the residual") }?;
            }
            if !value.is_null() {
                let of_value = arnoldi.values()[i].to_c64();
                // SAFETY: the caller's promise.
                unsafe { (*value, *value.add(1)) = (of_value.re, of_value.im) };
            }
            normres.into_iter().for_each(|normres| *normres = arnoldi.normres()[i].to_f64());
        });
        Ok(())
    })
}
