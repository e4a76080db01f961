//! gesdd and gesvd.

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64};

use super::table::{C, D, S, Z};
use super::{leading, with_workspace};
use crate::{Error, Matrix, Svd, Workspace};

/// Both drivers of one type; the complex ones take a real workspace, `rwork`, as well.
macro_rules! svd {
    ($gesdd:ident, $gesvd:ident, $t:ty, $real:ty, $table:ident $(, $rwork:ident)?) => {
        /// The decomposition by divide and conquer, or the values alone.
        pub(crate) fn $gesdd<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            workspace: &'w Workspace,
        ) -> Option<Result<Svd<'w, $t>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobz: *const u8,
                m: *const i64,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                s: *mut $real,
                u: *mut $t,
                ldu: *const i64,
                vt: *mut $t,
                ldvt: *const i64,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real,)?
                iwork: *mut i64,
                info: *mut i64,
                jobz_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.gesdd.get()?) };
            let run = || {
                let mut a = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, cols) = (a.rows(), a.cols());
                let k = rows.min(cols);
                let mut svd = Svd::room(rows, cols, vectors, workspace)?;
                let job = if vectors { b"S" } else { b"N" };
                let mut iwork = workspace.zeros::<i64>(k.saturating_mul(8))?;
                // As old versions of LAPACK state it, which ask for 2·k more than new ones.
                $(let mut $rwork = workspace.zeros::<$real>(match vectors {
                    true => k.saturating_mul((5 * k + 7).max(2 * rows.max(cols) + 2 * k + 1)),
                    false => 7 * k,
                })?;)?
                let (m, n, lda, ldvt) = (rows as i64, cols as i64, leading(rows), leading(k));
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: the extents and leading dimensions are those of the matrices, and every array has the
                    // length that LAPACK states for it.
                    unsafe {
                        routine(
                            job.as_ptr(),
                            &m,
                            &n,
                            a.as_mut().as_mut_ptr(),
                            &lda,
                            svd.s.as_mut_ptr(),
                            svd.u.as_mut().as_mut_ptr(),
                            &lda,
                            svd.vh.as_mut().as_mut_ptr(),
                            &ldvt,
                            work,
                            &lwork,
                            $($rwork.as_mut_ptr(),)?
                            iwork.as_mut_ptr(),
                            &mut info,
                            1,
                        );
                    }
                    info
                })?;
                Ok(svd)
            };
            Some(run())
        }

        /// The decomposition by QR iteration, or the values alone.
        pub(crate) fn $gesvd<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            workspace: &'w Workspace,
        ) -> Option<Result<Svd<'w, $t>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobu: *const u8,
                jobvt: *const u8,
                m: *const i64,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                s: *mut $real,
                u: *mut $t,
                ldu: *const i64,
                vt: *mut $t,
                ldvt: *const i64,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real,)?
                info: *mut i64,
                jobu_length: usize,
                jobvt_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.gesvd.get()?) };
            let run = || {
                let mut a = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, cols) = (a.rows(), a.cols());
                let k = rows.min(cols);
                let mut svd = Svd::room(rows, cols, vectors, workspace)?;
                let job = if vectors { b"S" } else { b"N" };
                $(let mut $rwork = workspace.zeros::<$real>(k.saturating_mul(5))?;)?
                let (m, n, lda, ldvt) = (rows as i64, cols as i64, leading(rows), leading(k));
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: the extents and leading dimensions are those of the matrices, and every array has the
                    // length that LAPACK states for it.
                    unsafe {
                        routine(
                            job.as_ptr(),
                            job.as_ptr(),
                            &m,
                            &n,
                            a.as_mut().as_mut_ptr(),
                            &lda,
                            svd.s.as_mut_ptr(),
                            svd.u.as_mut().as_mut_ptr(),
                            &lda,
                            svd.vh.as_mut().as_mut_ptr(),
                            &ldvt,
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
                Ok(svd)
            };
            Some(run())
        }
    };
}

svd!(sgesdd, sgesvd, f32, f32, S);
svd!(dgesdd, dgesvd, f64, f64, D);
svd!(cgesdd, cgesvd, Complex32, f32, C, rwork);
svd!(zgesdd, zgesvd, Complex64, f64, Z, rwork);
