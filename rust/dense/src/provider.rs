//! Who computes: what the host lent, or faer.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::{blas, lapack, Error};

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Whoever is expected to be faster: for factorizations the lent library, as with [`Provider::Lent`]; for products
    /// own kernels on x86-64 with AVX2 or AVX-512, the lent library elsewhere.
    Auto,
    /// The lent library, for each routine that was lent and where the layout allows; faer for the rest.
    Lent,
    /// faer only.
    Own,
}

static PROVIDER: AtomicU8 = AtomicU8::new(Provider::Auto as u8);

/// Chooses who computes from now on, in the whole process.
///
/// ```
/// use tensoroxide_dense::{provider, set_provider, Provider};
/// assert_eq!(provider(), Provider::Auto);
/// set_provider(Provider::Own);
/// assert_eq!(provider(), Provider::Own);
/// ```
pub fn set_provider(provider: Provider) {
    PROVIDER.store(provider as u8, Ordering::Relaxed);
}

/// Who computes at present.
pub fn provider() -> Provider {
    match PROVIDER.load(Ordering::Relaxed) {
        x if x == Provider::Lent as u8 => Provider::Lent,
        x if x == Provider::Own as u8 => Provider::Own,
        _ => Provider::Auto,
    }
}

/// Lends a BLAS routine: `"sgemm"`, `"dgemm"`, `"cgemm"` or `"zgemm"`. Lending one again keeps the first.
///
/// # Errors
/// [`Error::UnknownRoutine`], [`Error::NullPointer`].
///
/// # Safety
/// `function` is the Fortran symbol of that routine with 64-bit integers (`dgemm_64_` for `"dgemm"`), and stays loaded
/// until the process ends.
pub unsafe fn lend_blas(name: &str, function: *const c_void) -> Result<(), Error> {
    // SAFETY: the caller's promise, passed on.
    unsafe { blas::lend(name, function) }
}

/// Lends a LAPACK routine: `"gesdd"`, `"gesvd"`, `"geqrf"`, `"getrf"`, `"getri"`, `"potrf"`, `"trtrs"`, `"geev"`,
/// `"gees"` behind the letter of the type, and `"orgqr"`, `"syevd"`, `"syevr"` for `s` and `d`, `"ungqr"`, `"heevd"`,
/// `"heevr"` for `c` and `z`. Lending one again keeps the first.
///
/// # Errors
/// [`Error::UnknownRoutine`], [`Error::NullPointer`].
///
/// # Safety
/// `function` is the Fortran symbol of that routine with 64-bit integers (`dgesdd_64_` for `"dgesdd"`) that takes the
/// lengths of its string arguments behind the others, and stays loaded until the process ends.
pub unsafe fn lend_lapack(name: &str, function: *const c_void) -> Result<(), Error> {
    // SAFETY: the caller's promise, passed on.
    unsafe { lapack::lend(name, function) }
}

/// Whether this routine was lent; `false` for names that nobody knows.
pub fn is_lent(name: &str) -> bool {
    blas::is_lent(name) || lapack::is_lent(name)
}
