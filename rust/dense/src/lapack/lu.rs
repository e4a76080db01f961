//! getrf, getri, potrf and trtrs: elimination with partial pivoting, the inverse from it, Cholesky's factor, and the
//! solution of triangular systems, all in place.

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64};

use super::table::{C, D, S, Z};
use super::{leading, with_workspace};
use crate::scaling::Triangle;
use crate::{Error, Matrix, Workspace};

macro_rules! elimination {
    ($getrf:ident, $getri:ident, $potrf:ident, $trtrs:ident, $t:ty, $table:ident) => {
        /// A becomes L and U; `swaps[i]` is the row that changed places with row `i`, counted from 0.
        pub(crate) fn $getrf(a: &mut Matrix<'_, $t>, swaps: &mut [i64]) -> Option<()> {
            type Routine = unsafe extern "C" fn(
                m: *const i64,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                ipiv: *mut i64,
                info: *mut i64,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.getrf.get()?) };
            let (m, n, lda, mut info) = (a.rows() as i64, a.cols() as i64, leading(a.rows()), 0);
            assert!(swaps.len() == a.rows().min(a.cols()), "as many swaps as pivots");
            // SAFETY: the extents are those of the matrix, and `swaps` has their minimum.
            unsafe { routine(&m, &n, a.as_mut().as_mut_ptr(), &lda, swaps.as_mut_ptr(), &mut info) };
            swaps.iter_mut().for_each(|row| *row -= 1);
            // Positive for a zero pivot, which the caller finds on the diagonal.
            (info >= 0).then_some(())
        }

        /// The inverse in place of L and U, which have no zero pivot.
        pub(crate) fn $getri(
            a: &mut Matrix<'_, $t>,
            swaps: &[i64],
            workspace: &Workspace,
        ) -> Option<Result<(), Error>> {
            type Routine = unsafe extern "C" fn(
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                ipiv: *const i64,
                work: *mut $t,
                lwork: *const i64,
                info: *mut i64,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.getri.get()?) };
            let mut run = || {
                let (n, lda) = (a.rows() as i64, leading(a.rows()));
                assert!(a.cols() == a.rows() && swaps.len() == a.rows(), "a square matrix and its swaps");
                let mut ipiv = workspace.zeros::<i64>(swaps.len())?;
                ipiv.iter_mut().zip(swaps).for_each(|(to, row)| *to = row + 1);
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: A is n×n, and every array has the length that LAPACK states for it.
                    unsafe { routine(&n, a.as_mut().as_mut_ptr(), &lda, ipiv.as_ptr(), work, &lwork, &mut info) };
                    info
                })
            };
            Some(run())
        }

        /// The lower triangle of A becomes L; otherwise, the row where that ended.
        pub(crate) fn $potrf(a: &mut Matrix<'_, $t>) -> Option<Result<(), usize>> {
            type Routine = unsafe extern "C" fn(
                uplo: *const u8,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                info: *mut i64,
                uplo_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.potrf.get()?) };
            let (n, lda, mut info) = (a.rows() as i64, leading(a.rows()), 0);
            assert!(a.cols() == a.rows(), "a square matrix");
            // SAFETY: A is n×n.
            unsafe { routine(b"L".as_ptr(), &n, a.as_mut().as_mut_ptr(), &lda, &mut info, 1) };
            match info {
                0 => Some(Ok(())),
                1.. => Some(Err(info as usize - 1)),
                _ => None,
            }
        }

        /// B becomes the solution X of A·X = B, for a triangle without zeros on its diagonal.
        pub(crate) fn $trtrs(a: &Matrix<'_, $t>, triangle: Triangle, b: &mut Matrix<'_, $t>) -> Option<()> {
            type Routine = unsafe extern "C" fn(
                uplo: *const u8,
                trans: *const u8,
                diag: *const u8,
                n: *const i64,
                nrhs: *const i64,
                a: *const $t,
                lda: *const i64,
                b: *mut $t,
                ldb: *const i64,
                info: *mut i64,
                uplo_length: usize,
                trans_length: usize,
                diag_length: usize,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let routine = unsafe { transmute::<NonNull<c_void>, Routine>($table.trtrs.get()?) };
            let (n, nrhs, ld, mut info) = (a.rows() as i64, b.cols() as i64, leading(a.rows()), 0);
            assert!(a.cols() == a.rows() && b.rows() == a.rows(), "a square matrix and its right-hand sides");
            let uplo = if triangle.is_upper() { b"U" } else { b"L" };
            let diag = if triangle.is_unit() { b"U" } else { b"N" };
            // SAFETY: A is n×n and B n×nrhs.
            unsafe {
                routine(
                    uplo.as_ptr(),
                    b"N".as_ptr(),
                    diag.as_ptr(),
                    &n,
                    &nrhs,
                    a.as_ref().as_ptr(),
                    &ld,
                    b.as_mut().as_mut_ptr(),
                    &ld,
                    &mut info,
                    1,
                    1,
                    1,
                );
            }
            (info == 0).then_some(())
        }
    };
}

elimination!(sgetrf, sgetri, spotrf, strtrs, f32, S);
elimination!(dgetrf, dgetri, dpotrf, dtrtrs, f64, D);
elimination!(cgetrf, cgetri, cpotrf, ctrtrs, Complex32, C);
elimination!(zgetrf, zgetri, zpotrf, ztrtrs, Complex64, Z);
