//! The lent BLAS, reached through cblas-inject.
//!
//! cblas-inject ends the process when a routine is called that was not registered, so each routine has a flag here
//! that is set after its registration and read before each call. A product whose layout BLAS cannot express is
//! declined, never approximated by a copy.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use cblas_inject::{CblasColMajor, CblasConjTrans, CblasNoTrans, CblasTrans, CBLAS_TRANSPOSE};
use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use crate::{Error, MatMut, MatRef};

type Register = unsafe extern "C" fn(*const c_void) -> i32;

/// A routine that can be lent.
pub(crate) struct Routine {
    name: &'static str,
    register: Register,
    lent: AtomicBool,
}

impl Routine {
    const fn new(name: &'static str, register: Register) -> Self {
        Self { name, register, lent: AtomicBool::new(false) }
    }

    pub(crate) fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire)
    }
}

static SGEMM: Routine = Routine::new("sgemm", cblas_inject::cblas_inject_register_sgemm_ilp64);
static DGEMM: Routine = Routine::new("dgemm", cblas_inject::cblas_inject_register_dgemm_ilp64);
static CGEMM: Routine = Routine::new("cgemm", cblas_inject::cblas_inject_register_cgemm_ilp64);
static ZGEMM: Routine = Routine::new("zgemm", cblas_inject::cblas_inject_register_zgemm_ilp64);

fn find(name: &str) -> Option<&'static Routine> {
    [&SGEMM, &DGEMM, &CGEMM, &ZGEMM].into_iter().find(|r| r.name == name)
}

/// # Safety
/// As for [`crate::lend_blas`].
pub(crate) unsafe fn lend(name: &str, function: *const c_void) -> Result<(), Error> {
    let routine = find(name).ok_or(Error::UnknownRoutine)?;
    if function.is_null() {
        return Err(Error::NullPointer);
    }
    // The status is 0, or 2 if there already is one, which is kept: either way the routine can be called from now on.
    // SAFETY: the caller's promise.
    unsafe { (routine.register)(function) };
    routine.lent.store(true, Ordering::Release);
    Ok(())
}

pub(crate) fn is_lent(name: &str) -> bool {
    find(name).is_some_and(Routine::is_lent)
}

/// Leading dimension of a matrix that is column-major up to a gap between the columns. Strides over extents of 0 and 1
/// do not count: BLAS demands a valid leading dimension all the same.
fn leading((rows, cols): (usize, usize), (row_stride, col_stride): (isize, isize)) -> Option<i64> {
    let least = rows.max(1) as isize;
    match (rows <= 1 || row_stride == 1, cols <= 1) {
        (true, true) => Some(least as i64),
        (true, false) if col_stride >= least => Some(col_stride as i64),
        _ => None,
    }
}

/// How BLAS reaches op(A): as it lies, or as the transposed of what lies there; conjugated only in the latter case.
fn operand<T: Scalar>(a: MatRef<T>, conj: bool) -> Option<(CBLAS_TRANSPOSE, i64)> {
    let (shape, strides) = ((a.rows(), a.cols()), (a.row_stride(), a.col_stride()));
    let conj = conj && T::DTYPE.is_complex();
    let as_it_lies = || leading(shape, strides).filter(|_| !conj).map(|ld| (CblasNoTrans, ld));
    let transposed = || {
        let ld = leading((shape.1, shape.0), (strides.1, strides.0))?;
        Some((if conj { CblasConjTrans } else { CblasTrans }, ld))
    };
    as_it_lies().or_else(transposed)
}

/// A product as BLAS understands it: C column-major.
pub(crate) struct Call<'a, 'b, 'c, T> {
    a: MatRef<'a, T>,
    b: MatRef<'b, T>,
    c: MatMut<'c, T>,
    op_a: (CBLAS_TRANSPOSE, i64),
    op_b: (CBLAS_TRANSPOSE, i64),
    ldc: i64,
}

/// The product C = op(A)·op(B), or Cᵀ = op(B)ᵀ·op(A)ᵀ where only that can be said; C itself where neither can.
pub(crate) fn express<'a, 'c, T: Scalar>(
    a: MatRef<'a, T>,
    conj_a: bool,
    b: MatRef<'a, T>,
    conj_b: bool,
    c: MatMut<'c, T>,
) -> Result<Call<'a, 'a, 'c, T>, MatMut<'c, T>> {
    let attempt = |a: MatRef<T>, conj_a, b: MatRef<T>, conj_b, c: &MatMut<T>| {
        let ldc = leading((c.rows(), c.cols()), (c.row_stride(), c.col_stride()))?;
        Some((operand(a, conj_a)?, operand(b, conj_b)?, ldc))
    };
    if let Some((op_a, op_b, ldc)) = attempt(a, conj_a, b, conj_b, &c) {
        return Ok(Call { a, b, c, op_a, op_b, ldc });
    }
    let c = c.t();
    match attempt(b.t(), conj_b, a.t(), conj_a, &c) {
        Some((op_a, op_b, ldc)) => Ok(Call { a: b.t(), b: a.t(), c, op_a, op_b, ldc }),
        None => Err(c.t()),
    }
}

/// One type's product: `$scalar` makes the argument for alpha and beta, by value or by address.
macro_rules! gemm {
    ($gemm:ident, $t:ty, $routine:ident, $cblas:ident, $scalar:expr) => {
        /// C = alpha·op(A)·op(B) + beta·C by the lent routine; gives C back if the routine was not lent or cannot.
        pub(crate) fn $gemm<'c>(
            alpha: $t,
            a: MatRef<$t>,
            conj_a: bool,
            b: MatRef<$t>,
            conj_b: bool,
            beta: $t,
            c: MatMut<'c, $t>,
        ) -> Result<(), MatMut<'c, $t>> {
            if !$routine.is_lent() {
                return Err(c);
            }
            let call = express(a, conj_a, b, conj_b, c)?;
            let scalar = $scalar;
            // SAFETY: the routine is registered. Extents and leading dimensions come from matrices whose elements are
            // all valid, C's for writing and without overlap; the caller has checked that the extents fit together.
            unsafe {
                cblas_inject::$cblas(
                    CblasColMajor,
                    call.op_a.0,
                    call.op_b.0,
                    call.c.rows() as i64,
                    call.c.cols() as i64,
                    call.a.cols() as i64,
                    scalar(&alpha),
                    call.a.as_ptr(),
                    call.op_a.1,
                    call.b.as_ptr(),
                    call.op_b.1,
                    scalar(&beta),
                    call.c.as_mut_ptr(),
                    call.ldc,
                );
            }
            Ok(())
        }
    };
}

gemm!(sgemm, f32, SGEMM, cblas_sgemm_64, |x: &f32| *x);
gemm!(dgemm, f64, DGEMM, cblas_dgemm_64, |x: &f64| *x);
gemm!(cgemm, Complex32, CGEMM, cblas_cgemm_64, std::ptr::from_ref::<Complex32>);
gemm!(zgemm, Complex64, ZGEMM, cblas_zgemm_64, std::ptr::from_ref::<Complex64>);
