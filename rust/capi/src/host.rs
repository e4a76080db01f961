//! What the host decides: the libraries that it lends, and the number of threads.

use std::ffi::{c_char, c_void, CStr};
use std::sync::atomic::{AtomicUsize, Ordering};

use tensoroxide_dense::{is_lent, lend_blas, lend_lapack, provider, set_provider, Provider};
use tensoroxide_tensor::{Threads, MAX_THREADS};

use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT};

static THREADS: AtomicUsize = AtomicUsize::new(1);

/// The threads that a call may use.
pub(crate) fn threads() -> Threads {
    Threads::new(THREADS.load(Ordering::Relaxed))
}

/// Sets how many threads the engine's own kernels may use, from 1 to 256; 1 at first. Lent libraries have their own number.
#[no_mangle]
pub extern "C" fn tox_set_num_threads(threads: usize) -> tox_status {
    guard(|| match threads {
        1..=MAX_THREADS => {
            THREADS.store(threads, Ordering::Relaxed);
            Ok(())
        }
        _ => {
            let text = format!("the number of threads must be from 1 to {MAX_THREADS}, not {threads}");
            Err(Failure::new(TOX_INVALID_ARGUMENT, text))
        }
    })
}

/// How many threads the engine's own kernels may use.
#[no_mangle]
pub extern "C" fn tox_num_threads() -> usize {
    threads().get()
}

/// # Safety
/// `text` is NULL or leads to a NUL-terminated string that lives for as long as `'a`.
pub(crate) unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the caller's promise; not NULL.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Failure::new(TOX_INVALID_ARGUMENT, format!("{name} is not UTF-8")))
}

/// Lends a BLAS routine, one of `sgemm`, `dgemm`, `cgemm`, `zgemm`: the Fortran function with 64-bit integers. It serves for
/// the rest of the process; lending a routine again changes nothing.
///
/// # Safety
/// `routine` is a NUL-terminated string. `function` is NULL, which is an error, or the address of that routine, which is never unloaded.
#[no_mangle]
pub unsafe extern "C" fn tox_lend_blas(routine: *const c_char, function: *const c_void) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { lend_blas(string(routine, "routine")?, function) }?))
}

/// Lends a LAPACK routine, for instance `dgesdd`: the Fortran function with 64-bit integers. It serves for the rest
/// of the process; lending a routine again changes nothing.
///
/// # Safety
/// As `tox_lend_blas`.
#[no_mangle]
pub unsafe extern "C" fn tox_lend_lapack(routine: *const c_char, function: *const c_void) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { lend_lapack(string(routine, "routine")?, function) }?))
}

/// 1 if the routine was lent, 0 otherwise.
///
/// # Safety
/// `routine` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn tox_is_lent(routine: *const c_char) -> i32 {
    let mut lent = false;
    guard(|| {
        // SAFETY: the caller's promise.
        lent = is_lent(unsafe { string(routine, "routine") }?);
        Ok(())
    });
    i32::from(lent)
}

/// What was lent computes where it can; the engine itself does the rest.
pub const TOX_PROVIDER_LENT: i32 = 0;
/// The engine computes everything itself.
pub const TOX_PROVIDER_OWN: i32 = 1;

/// Whoever is expected to be faster: the engine itself for products of tensors, where it has kernels for the processor's
/// registers; what was lent for the rest.
pub const TOX_PROVIDER_AUTO: i32 = 2;

/// Chooses who computes: `TOX_PROVIDER_AUTO` (at first), `TOX_PROVIDER_LENT` or `TOX_PROVIDER_OWN`. Plans keep the choice that
/// was theirs when they were made.
#[no_mangle]
pub extern "C" fn tox_set_provider(provider: i32) -> tox_status {
    guard(|| {
        set_provider(match provider {
            TOX_PROVIDER_LENT => Provider::Lent,
            TOX_PROVIDER_OWN => Provider::Own,
            TOX_PROVIDER_AUTO => Provider::Auto,
            _ => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no provider {provider}"))),
        });
        Ok(())
    })
}

/// Who computes.
#[no_mangle]
pub extern "C" fn tox_provider() -> i32 {
    match provider() {
        Provider::Lent => TOX_PROVIDER_LENT,
        Provider::Own => TOX_PROVIDER_OWN,
        Provider::Auto => TOX_PROVIDER_AUTO,
    }
}
