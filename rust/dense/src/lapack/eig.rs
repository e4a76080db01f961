//! geev and gees: eigenvalues of a matrix that need not be Hermitian.

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use super::table::{C, D, S, Z};
use super::{leading, with_workspace};
use crate::own::Values;
use crate::workspace::{Memory, Plain};
use crate::{Error, Matrix, Workspace};

/// Asked by gees which values shall come first; never called, since none are asked for.
type Select = Option<unsafe extern "C" fn() -> i64>;

/// A copy in double precision.
fn widened<'w, T: Plain + Scalar, D: Plain + Scalar>(
    a: &Matrix<'_, T>,
    workspace: &'w Workspace,
) -> Result<Matrix<'w, D>, Error> {
    let mut copy = Matrix::<D>::zeros(a.rows(), a.cols(), workspace)?;
    copy.elements_mut().iter_mut().zip(a.elements()).for_each(|(x, y)| *x = D::from_c64(y.to_c64()));
    Ok(copy)
}

/// Eigenvalues from parts that may be real and imaginary ones.
fn joined<'w, T: Plain + Scalar>(
    re: &[T],
    im: Option<&[T]>,
    workspace: &'w Workspace,
) -> Result<Memory<'w, Complex64>, Error> {
    let mut w = workspace.zeros(re.len())?;
    for (i, w) in w.iter_mut().enumerate() {
        *w = re[i].to_c64() + im.map_or(Complex64::ZERO, |im| Complex64::new(0.0, im[i].to_c64().re));
    }
    Ok(w)
}

/// Both drivers of one type. The real ones have the imaginary parts of the values, `im`, in an array of their own;
/// the complex ones take a real workspace, `rwork`.
macro_rules! eig {
    ($geev:ident, $gees:ident, $t:ty, $double:ty, $real:ty, $table:ident, [$($im:ident)?], [$($rwork:ident)?]) => {
        /// Eigenvalues and, if asked for, eigenvectors, those of a real matrix packed: the vectors of a pair are two
        /// columns, real and imaginary part of the first.
        pub(crate) fn $geev<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            workspace: &'w Workspace,
        ) -> Option<Result<Values<'w, $double>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobvl: *const u8,
                jobvr: *const u8,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                w: *mut $t,
                $($im: *mut $t,)?
                vl: *mut $t,
                ldvl: *const i64,
                vr: *mut $t,
                ldvr: *const i64,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real,)?
                info: *mut i64,
                jobvl_length: usize,
                jobvr_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.geev.get()?) };
            let run = || {
                let mut a = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, columns) = (a.rows(), if vectors { a.rows() } else { 0 });
                let mut v = Matrix::<$t>::zeros(columns, columns, workspace)?;
                let mut w = workspace.zeros::<$t>(rows)?;
                $(let mut $im = workspace.zeros::<$t>(rows)?;)?
                $(let mut $rwork = workspace.zeros::<$real>(2 * rows)?;)?
                let job = if vectors { b"V" } else { b"N" };
                let (n, lda) = (rows as i64, leading(rows));
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: extents and leading dimensions are those of the matrices, VL is not referenced, and every
                    // array has the length that LAPACK states for it.
                    unsafe {
                        routine(
                            b"N".as_ptr(),
                            job.as_ptr(),
                            &n,
                            a.as_mut().as_mut_ptr(),
                            &lda,
                            w.as_mut_ptr(),
                            $($im.as_mut_ptr(),)?
                            v.as_mut().as_mut_ptr(),
                            &lda,
                            v.as_mut().as_mut_ptr(),
                            &lda,
                            work,
                            &lwork,
                            $($rwork.as_mut_ptr(),)?
                            &mut info,
                            1,
                            1,
                        );
                    }
                    info
                })?;
                #[allow(unused_mut, unused_assignments)]
                let mut imaginary: Option<&[$t]> = None;
                $(imaginary = Some(&$im);)?
                let w = joined(&w, imaginary, workspace)?;
                Ok(Values { w, t: Matrix::zeros(0, 0, workspace)?, v: widened(&v, workspace)? })
            };
            Some(run())
        }

        /// Eigenvalues and, if asked for, Schur form and Schur vectors.
        pub(crate) fn $gees<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            workspace: &'w Workspace,
        ) -> Option<Result<Values<'w, $t>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobvs: *const u8,
                sort: *const u8,
                select: Select,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                sdim: *mut i64,
                w: *mut $t,
                $($im: *mut $t,)?
                vs: *mut $t,
                ldvs: *const i64,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real,)?
                bwork: *mut i64,
                info: *mut i64,
                jobvs_length: usize,
                sort_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.gees.get()?) };
            let run = || {
                let mut t = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, columns) = (t.rows(), if vectors { t.rows() } else { 0 });
                let mut v = Matrix::<$t>::zeros(columns, columns, workspace)?;
                let mut w = workspace.zeros::<$t>(rows)?;
                $(let mut $im = workspace.zeros::<$t>(rows)?;)?
                $(let mut $rwork = workspace.zeros::<$real>(rows)?;)?
                let mut bwork = workspace.zeros::<i64>(rows)?;
                let job = if vectors { b"V" } else { b"N" };
                let (n, lda, mut chosen) = (rows as i64, leading(rows), 0);
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: extents and leading dimensions are those of the matrices, and every array has the
                    // length that LAPACK states for it.
                    unsafe {
                        routine(
                            job.as_ptr(),
                            b"N".as_ptr(),
                            None,
                            &n,
                            t.as_mut().as_mut_ptr(),
                            &lda,
                            &mut chosen,
                            w.as_mut_ptr(),
                            $($im.as_mut_ptr(),)?
                            v.as_mut().as_mut_ptr(),
                            &lda,
                            work,
                            &lwork,
                            $($rwork.as_mut_ptr(),)?
                            bwork.as_mut_ptr(),
                            &mut info,
                            1,
                            1,
                        );
                    }
                    info
                })?;
                #[allow(unused_mut, unused_assignments)]
                let mut imaginary: Option<&[$t]> = None;
                $(imaginary = Some(&$im);)?
                Ok(Values { w: joined(&w, imaginary, workspace)?, t, v })
            };
            Some(run())
        }
    };
}

eig!(sgeev, sgees, f32, f64, f32, S, [im], []);
eig!(dgeev, dgees, f64, f64, f64, D, [im], []);
eig!(cgeev, cgees, Complex32, Complex64, f32, C, [], [rwork]);
eig!(zgeev, zgees, Complex64, Complex64, f64, Z, [], [rwork]);
