//! syevd (real) and heevd (complex).

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use super::table::{C, D, S, Z};
use super::{check, leading, wished};
use crate::{Eigh, Error, Matrix, Workspace};

/// The driver of one type; the complex ones take a real workspace, `rwork` of length `lrwork`, as well.
macro_rules! eigh {
    ($syevd:ident, $t:ty, $real:ty, $table:ident $(, $rwork:ident $lrwork:ident $rwish:ident)?) => {
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
                let (mut wish, mut iwish) = ([<$t as Scalar>::ZERO], [0]);
                $(let mut $rwish = [0.0 as $real];)?
                call(&mut wish, -1, $(&mut $rwish, -1,)? &mut iwish, -1)?;
                let mut work = wished::<$t>(wish[0], workspace)?;
                $(let mut $rwork = wished::<$real>($rwish[0], workspace)?;)?
                let liwork = usize::try_from(iwish[0]).unwrap_or(0).max(1);
                let mut iwork = workspace.zeros::<i64>(liwork)?;
                let lwork = work.len() as i64;
                $(let $lrwork = $rwork.len() as i64;)?
                call(&mut work, lwork, $(&mut $rwork, $lrwork,)? &mut iwork, liwork as i64)?;
                Ok(Eigh { w, v: if vectors { v } else { Matrix::zeros(0, 0, workspace)? } })
            };
            Some(run())
        }
    };
}

eigh!(ssyevd, f32, f32, S);
eigh!(dsyevd, f64, f64, D);
eigh!(cheevd, Complex32, f32, C, rwork lrwork rwish);
eigh!(zheevd, Complex64, f64, Z, rwork lrwork rwish);
