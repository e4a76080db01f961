//! The lent LAPACK: Fortran routines with 64-bit integers, and lengths of strings as trailing arguments.
//!
//! Each function here takes a matrix that is finite and not empty, and answers `None` if its routine was not lent. A
//! routine's `info` other than 0 is [`Error::NoConvergence`]: positive it says just that, and negative (an argument
//! that it does not take) that someone else should compute.

mod eig;
mod eigh;
mod lu;
mod qr;
mod svd;
mod table;

pub(crate) use eig::{cgees, cgeev, dgees, dgeev, sgees, sgeev, zgees, zgeev};
pub(crate) use eigh::{cheevd, cheevr, dsyevd, dsyevr, ssyevd, ssyevr, zheevd, zheevr};
pub(crate) use lu::{
    cgetrf, cgetri, cpotrf, ctrtrs, dgetrf, dgetri, dpotrf, dtrtrs, sgetrf, sgetri, spotrf, strtrs, zgetrf, zgetri,
    zpotrf, ztrtrs,
};
pub(crate) use qr::{cgeqrf, dgeqrf, sgeqrf, zgeqrf};
pub(crate) use svd::{cgesdd, cgesvd, dgesdd, dgesvd, sgesdd, sgesvd, zgesdd, zgesvd};
pub(crate) use table::{is_lent, lend};

use tensoroxide_tensor::{Real, Scalar};

use crate::workspace::{Memory, Plain};
use crate::{Error, Workspace};

/// What a routine's `info` means.
fn check(info: i64) -> Result<(), Error> {
    if info == 0 {
        Ok(())
    } else {
        Err(Error::NoConvergence)
    }
}

/// Calls a routine twice: with `lwork` = −1, which has it say how much workspace it wants, and with that workspace.
fn with_workspace<T: Plain + Scalar>(
    workspace: &Workspace,
    mut call: impl FnMut(*mut T, i64) -> i64,
) -> Result<(), Error> {
    let mut wish = [T::ZERO];
    check(call(wish.as_mut_ptr(), -1))?;
    let mut work = wished::<T>(wish[0], workspace)?;
    check(call(work.as_mut_ptr(), work.len() as i64))
}

/// The workspace that a routine wishes for by a floating-point number, which may have been rounded down.
fn wished<T: Plain + Scalar>(wish: T, workspace: &Workspace) -> Result<Memory<'_, T>, Error> {
    let wish = wish.re().to_f64();
    workspace.zeros(((wish + wish * T::Real::EPSILON.to_f64()).ceil() as usize).max(1))
}

/// Leading dimension of a matrix without gaps.
fn leading(rows: usize) -> i64 {
    rows.max(1) as i64
}
