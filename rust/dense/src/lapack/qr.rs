//! geqrf with orgqr (real) or ungqr (complex).

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64};

use super::table::{C, D, S, Z};
use super::{leading, with_workspace};
use crate::{Error, Matrix, Qr, Workspace};

macro_rules! qr {
    ($geqrf:ident, $t:ty, $table:ident) => {
        /// The decomposition by Householder reflections, with so many columns of Q: 0, or from k to m.
        pub(crate) fn $geqrf<'w>(
            a: &Matrix<'_, $t>,
            columns: usize,
            workspace: &'w Workspace,
        ) -> Option<Result<Qr<'w, $t>, Error>> {
            type Factor = unsafe extern "C" fn(
                m: *const i64,
                n: *const i64,
                a: *mut $t,
                lda: *const i64,
                tau: *mut $t,
                work: *mut $t,
                lwork: *const i64,
                info: *mut i64,
            );
            type Expand = unsafe extern "C" fn(
                m: *const i64,
                n: *const i64,
                k: *const i64,
                a: *mut $t,
                lda: *const i64,
                tau: *const $t,
                work: *mut $t,
                lwork: *const i64,
                info: *mut i64,
            );
            // SAFETY: whoever lent the routine promised this signature.
            let factor = unsafe { transmute::<NonNull<c_void>, Factor>($table.geqrf.get()?) };
            // SAFETY: as above.
            let expand = unsafe { transmute::<NonNull<c_void>, Expand>($table.orgqr.get()?) };
            let run = || {
                let mut a = Matrix::copy_of(a.as_ref(), false, workspace)?;
                let (rows, cols) = (a.rows(), a.cols());
                let (m, n, k, lda) = (rows as i64, cols as i64, rows.min(cols) as i64, leading(rows));
                let mut tau = workspace.zeros::<$t>(rows.min(cols))?;
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: the extents are those of the matrix, and `tau` has their minimum.
                    unsafe {
                        let a = a.as_mut().as_mut_ptr();
                        factor(&m, &n, a, &lda, tau.as_mut_ptr(), work, &lwork, &mut info);
                    }
                    info
                })?;
                let r = Qr::upper(&a, workspace)?;
                let mut q = Matrix::zeros(rows, columns, workspace)?;
                if columns == 0 {
                    return Ok(Qr { q, r });
                }
                (0..rows.min(cols)).for_each(|j| q.col_mut(j).copy_from_slice(a.col(j)));
                let columns = columns as i64;
                with_workspace(workspace, |work, lwork| {
                    let mut info = 0;
                    // SAFETY: Q has these extents and holds k reflections, whose factors are in `tau`.
                    unsafe {
                        let q = q.as_mut().as_mut_ptr();
                        expand(&m, &columns, &k, q, &lda, tau.as_ptr(), work, &lwork, &mut info);
                    }
                    info
                })?;
                Ok(Qr { q, r })
            };
            Some(run())
        }
    };
}

qr!(sgeqrf, f32, S);
qr!(dgeqrf, f64, D);
qr!(cgeqrf, Complex32, C);
qr!(zgeqrf, Complex64, Z);
