//! syevd and syevr (real), heevd and heevr (complex).

use std::ffi::c_void;
use std::mem::transmute;
use std::ops::Range;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use super::table::{C, D, S, Z};
use super::{check, leading, wished};
use crate::{Eigh, Error, Matrix, Workspace};

/// Calls a driver twice: to ask how much workspace it wants, and with that workspace.
macro_rules! with_workspaces {
    ($call:ident, $t:ty, $real:ty, $workspace:ident $(, $rwork:ident $lrwork:ident)?) => {
        let (mut wish, mut iwish) = ([<$t as Scalar>::ZERO], [0]);
        $(let mut $rwork = [0.0 as $real];)?
        $call(&mut wish, -1, $(&mut $rwork, -1,)? &mut iwish, -1)?;
        let mut work = wished::<$t>(wish[0], $workspace)?;
        $(let mut $rwork = wished::<$real>($rwork[0], $workspace)?;)?
        let liwork = usize::try_from(iwish[0]).unwrap_or(0).max(1);
        let mut iwork = $workspace.zeros::<i64>(liwork)?;
        let lwork = work.len() as i64;
        $(let $lrwork = $rwork.len() as i64;)?
        $call(&mut work, lwork, $(&mut $rwork, $lrwork,)? &mut iwork, liwork as i64)?;
    };
}

/// Both drivers of one type; the complex ones take a real workspace, `rwork` of length `lrwork`, as well.
macro_rules! eigh {
    ($syevd:ident, $syevr:ident, $t:ty, $real:ty, $table:ident $(, $rwork:ident $lrwork:ident)?) => {
        /// The decomposition by divide and conquer, or the eigenvalues alone.
        pub(crate) fn $syevd<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            workspace: &'w Workspace,
        ) -> Option<Result<Eigh<'w, $t>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobz: *const u8,
                uplo: *const u8,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                w: *mut $real,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real, $lrwork: *const i64,)?
                iwork: *mut i64,
                liwork: *const i64,
                info: *mut i64,
                jobz_length: usize,
                uplo_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.syevd.get()?) };
            let run = || {
                let mut v = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let mut w = workspace.zeros::<$real>(v.rows())?;
                let job = if vectors { b"V" } else { b"N" };
                let (n, lda, mut info) = (v.rows() as i64, leading(v.rows()), 0);
                let mut call = |work: &mut [$t], lwork: i64, $($rwork: &mut [$real], $lrwork: i64,)? iwork: &mut [i64],
                                liwork: i64| {
                    // SAFETY: A is n×n, w has n elements, and the workspaces are as long as they are said to be, or
                    // have one element each for the question of how long they should be.
                    unsafe {
                        routine(
                            job.as_ptr(),
                            b"L".as_ptr(),
                            &n,
                            v.as_mut().as_mut_ptr(),
                            &lda,
                            w.as_mut_ptr(),
                            work.as_mut_ptr(),
                            &lwork,
                            $($rwork.as_mut_ptr(), &$lrwork,)?
                            iwork.as_mut_ptr(),
                            &liwork,
                            &mut info,
                            1,
                            1,
                        );
                    }
                    check(info)
                };
                with_workspaces!(call, $t, $real, workspace $(, $rwork $lrwork)?);
                Ok(Eigh { w, v: if vectors { v } else { Matrix::zeros(0, 0, workspace)? } })
            };
            Some(run())
        }

        /// The eigenvalues with these numbers, and their vectors if asked for: of all by the method of multiple
        /// relatively robust representations, of a part by bisection and inverse iteration.
        pub(crate) fn $syevr<'w>(
            a: &Matrix<'_, $t>,
            vectors: bool,
            part: Range<usize>,
            workspace: &'w Workspace,
        ) -> Option<Result<Eigh<'w, $t>, Error>> {
            type Routine = unsafe extern "C" fn(
                jobz: *const u8,
                range: *const u8,
                uplo: *const u8,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                vl: *const $real,
                vu: *const $real,
                il: *const i64,
                iu: *const i64,
                abstol: *const $real,
                m: *mut i64,
                w: *mut $real,
                z: *mut $t,
                ldz: *const i64,
                isuppz: *mut i64,
                work: *mut $t,
                lwork: *const i64,
                $($rwork: *mut $real, $lrwork: *const i64,)?
                iwork: *mut i64,
                liwork: *const i64,
                info: *mut i64,
                jobz_length: usize,
                range_length: usize,
                uplo_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.syevr.get()?) };
            let run = || {
                let mut a = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, count) = (a.rows(), part.len());
                let (job, range) = (if vectors { b"V" } else { b"N" }, if count == rows { b"A" } else { b"I" });
                let mut values = workspace.zeros::<$real>(rows)?;
                let (z_rows, z_columns) = if vectors { (rows, count) } else { (0, 0) };
                let mut v = Matrix::zeros(z_rows, z_columns, workspace)?;
                let mut support = workspace.zeros::<i64>(2 * count.max(1))?;
                let (n, lda, first, last) = (rows as i64, leading(rows), part.start as i64 + 1, part.end as i64);
                let (mut found, mut info) = (0, 0);
                let mut call = |work: &mut [$t], lwork: i64, $($rwork: &mut [$real], $lrwork: i64,)? iwork: &mut [i64],
                                liwork: i64| {
                    // SAFETY: A is n×n, w has n elements, Z n rows and a column for each value of the part, and the
                    // workspaces are as in the other driver.
                    unsafe {
                        routine(
                            job.as_ptr(),
                            range.as_ptr(),
                            b"L".as_ptr(),
                            &n,
                            a.as_mut().as_mut_ptr(),
                            &lda,
                            &0.0,
                            &0.0,
                            &first,
                            &last,
                            &0.0,
                            &mut found,
                            values.as_mut_ptr(),
                            v.as_mut().as_mut_ptr(),
                            &lda,
                            support.as_mut_ptr(),
                            work.as_mut_ptr(),
                            &lwork,
                            $($rwork.as_mut_ptr(), &$lrwork,)?
                            iwork.as_mut_ptr(),
                            &liwork,
                            &mut info,
                            1,
                            1,
                            1,
                        );
                    }
                    check(info)
                };
                with_workspaces!(call, $t, $real, workspace $(, $rwork $lrwork)?);
                if found != count as i64 {
                    return Err(Error::NoConvergence);
                }
                let mut w = workspace.zeros::<$real>(count)?;
                w.copy_from_slice(&values[..count]);
                Ok(Eigh { w, v })
            };
            Some(run())
        }
    };
}

eigh!(ssyevd, ssyevr, f32, f32, S);
eigh!(dsyevd, dsyevr, f64, f64, D);
eigh!(cheevd, cheevr, Complex32, f32, C, rwork lrwork);
eigh!(zheevd, zheevr, Complex64, f64, Z, rwork lrwork);
