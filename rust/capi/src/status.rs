//! How a call went: status codes, the text of the last failure, and the wall that no panic passes.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

/// How a call went: `TOX_OK`, or what kind of failure it was.
pub type tox_status = i32;

/// Done.
pub const TOX_OK: tox_status = 0;
/// An argument that can never be right: bad notation, a wrong number of operands, mixed element types, a negative
/// extent, a limit that cannot be kept.
pub const TOX_INVALID_ARGUMENT: tox_status = 1;
/// Extents or ranks that do not fit together.
pub const TOX_DIMENSION_MISMATCH: tox_status = 2;
/// An element type that the engine does not compute with.
pub const TOX_UNSUPPORTED_DTYPE: tox_status = 3;
/// An output that overlaps itself, another output or an input.
pub const TOX_ALIASING: tox_status = 4;
/// NaN or infinity in the input of a decomposition.
pub const TOX_NOT_FINITE: tox_status = 5;
/// No driver's iteration converged; the text names those that were tried, in this order.
pub const TOX_NO_CONVERGENCE: tox_status = 6;
/// A singular matrix where a regular one is needed.
pub const TOX_SINGULAR: tox_status = 7;
/// Memory could not be had.
pub const TOX_OUT_OF_MEMORY: tox_status = 8;
/// A NULL pointer where an address is needed.
pub const TOX_NULL_POINTER: tox_status = 9;
/// A size that does not fit the address space.
pub const TOX_OVERFLOW: tox_status = 10;
/// A bug of the engine: a panic, caught at the boundary.
pub const TOX_PANIC: tox_status = 11;

/// A matrix that is not positive definite where one is needed.
pub const TOX_NOT_POSITIVE_DEFINITE: tox_status = 12;
/// No derivative: it is not defined there, or the cotangent depends on a gauge.
pub const TOX_NO_DERIVATIVE: tox_status = 13;
/// A file that cannot be read or written: the system, the disk, or what the file holds.
pub const TOX_IO: tox_status = 14;
/// A library that the host should lend, or the system have: it is not there, or does not fit.
pub const TOX_NO_LIBRARY: tox_status = 15;
/// Nothing in a file has this name.
pub const TOX_MISSING: tox_status = 16;

/// A call over several ranks failed: another rank failed, died, is silent, or asks for something else; or the host
/// stopped the run.
pub const TOX_RANK_FAILURE: tox_status = 15;

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: tox_status,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: tox_status, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into() }
    }

    pub(crate) fn null(what: &str) -> Failure {
        Failure::new(TOX_NULL_POINTER, format!("{what} is NULL"))
    }

    /// The same failure, with what it is about in front.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Failure {
        Failure { text: format!("{what}: {}", self.text), ..self }
    }
}

impl From<tensoroxide_tensor::Error> for Failure {
    fn from(error: tensoroxide_tensor::Error) -> Failure {
        use tensoroxide_tensor::Error;
        let status = match error {
            Error::TooLarge { .. } => TOX_OVERFLOW,
            Error::SelfOverlap { .. } => TOX_ALIASING,
            Error::ShapeMismatch { .. } => TOX_DIMENSION_MISMATCH,
            Error::OutOfMemory { .. } => TOX_OUT_OF_MEMORY,
            Error::ElementType(_) => TOX_UNSUPPORTED_DTYPE,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<tensoroxide_dense::Error> for Failure {
    fn from(error: tensoroxide_dense::Error) -> Failure {
        use tensoroxide_dense::Error;
        let status = match error {
            Error::Shape { .. } | Error::Rank { .. } => TOX_DIMENSION_MISMATCH,
            Error::Overlap => TOX_ALIASING,
            Error::NotFinite => TOX_NOT_FINITE,
            Error::NoConvergence | Error::Exhausted { .. } => TOX_NO_CONVERGENCE,
            Error::Singular { .. } => TOX_SINGULAR,
            Error::NotPositiveDefinite { .. } => TOX_NOT_POSITIVE_DEFINITE,
            Error::OutOfMemory => TOX_OUT_OF_MEMORY,
            Error::NullPointer => TOX_NULL_POINTER,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<tensoroxide_contract::Error> for Failure {
    fn from(error: tensoroxide_contract::Error) -> Failure {
        use tensoroxide_contract::Error;
        let status = match error {
            Error::Tensor(error) => return error.into(),
            Error::Rank { .. } | Error::Extent { .. } => TOX_DIMENSION_MISMATCH,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<tensoroxide_einsum::Error> for Failure {
    fn from(error: tensoroxide_einsum::Error) -> Failure {
        use tensoroxide_einsum::Error;
        let status = match error {
            Error::Tensor(error) => return error.into(),
            Error::Rank { .. } | Error::Size { .. } | Error::Shape { .. } => TOX_DIMENSION_MISMATCH,
            Error::Aliasing { .. } => TOX_ALIASING,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<tensoroxide_distributed::Error> for Failure {
    fn from(error: tensoroxide_distributed::Error) -> Failure {
        use tensoroxide_distributed::Error;
        let text = error.to_string();
        let status = match error {
            Error::Einsum(error) => return error.into(),
            Error::Argument(_) | Error::NotReady(_) => TOX_INVALID_ARGUMENT,
            Error::Panicked => TOX_PANIC,
            _ => TOX_RANK_FAILURE,
        };
        Failure::new(status, text)
    }
}

impl From<tensoroxide_linalg::Error> for Failure {
    fn from(error: tensoroxide_linalg::Error) -> Failure {
        use tensoroxide_linalg::Error;
        let mut cause = &error;
        while let Error::InBatch { error, .. } = cause {
            cause = error;
        }
        let status = match cause {
            Error::Rank { .. } | Error::Shape { .. } => TOX_DIMENSION_MISMATCH,
            Error::NotFinite => TOX_NOT_FINITE,
            Error::NoConvergence | Error::Exhausted { .. } => TOX_NO_CONVERGENCE,
            Error::Singular { .. } => TOX_SINGULAR,
            Error::NotPositiveDefinite { .. } => TOX_NOT_POSITIVE_DEFINITE,
            Error::OutOfMemory => TOX_OUT_OF_MEMORY,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<tensoroxide_autodiff::Error> for Failure {
    fn from(error: tensoroxide_autodiff::Error) -> Failure {
        use tensoroxide_autodiff::Error;
        let text = error.to_string();
        let mut cause = error;
        while let Error::InBatch { error, .. } = cause {
            cause = *error;
        }
        let status = match cause {
            Error::GaugeDependent { .. } | Error::CutsMultiplet { .. } | Error::Undefined(_) => TOX_NO_DERIVATIVE,
            Error::Operand { .. } => TOX_DIMENSION_MISMATCH,
            Error::Aliasing { .. } => TOX_ALIASING,
            Error::Linalg(error) => Failure::from(error).status,
            Error::Einsum(error) => Failure::from(error).status,
            Error::Tensor(error) => Failure::from(error).status,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, text)
    }
}

impl From<tensoroxide_krylov::Error> for Failure {
    fn from(error: tensoroxide_krylov::Error) -> Failure {
        use tensoroxide_krylov::Error;
        let text = error.to_string();
        let status = match error {
            Error::NotFinite(_) => TOX_NOT_FINITE,
            Error::Shape { .. } => TOX_DIMENSION_MISMATCH,
            Error::Projected(error) => Failure::from(error).status,
            Error::Plan(error) => Failure::from(error).status,
            Error::Memory(error) => Failure::from(error).status,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, text)
    }
}

impl From<tensoroxide_storage::Error> for Failure {
    fn from(error: tensoroxide_storage::Error) -> Failure {
        use tensoroxide_storage::Error;
        let status = match error {
            Error::Tensor(error) => return error.into(),
            Error::Library(_) => TOX_NO_LIBRARY,
            Error::Io { .. } => TOX_IO,
            Error::Missing { .. } => TOX_MISSING,
            Error::Shape { .. } => TOX_DIMENSION_MISMATCH,
            _ => TOX_INVALID_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

fn remember(text: String) {
    let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    // Fails only while the thread is being torn down; there is then nobody to read the text.
    _ = LAST_ERROR.try_with(|last| last.replace(text));
}

/// Runs the body of an ABI function: failures and panics become status codes with a text.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> tox_status {
    // The default hook would print. This library has a standard library of its own, and so a hook of its own.
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    // A workspace that a panic interrupted is dropped with the unwinding, and nothing else is shared.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => TOX_OK,
        Ok(Err(Failure { status, text })) => {
            remember(text);
            status
        }
        Err(panic) => {
            remember(format!("a bug of the engine: {}", panic_text(&*panic)));
            // A payload whose own destructor panics must not get past here either.
            std::mem::forget(panic);
            TOX_PANIC
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a text")
}

/// The text of this thread's last failed call: names the operand, the label and the sizes. Valid until the next failure
/// on this thread; empty before the first. UTF-8, and of several lines where a place in an expression is shown.
#[no_mangle]
pub extern "C" fn tox_last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use tensoroxide_dense::Driver;

    fn last() -> String {
        // SAFETY: the text lives until this thread's next failure.
        unsafe { CStr::from_ptr(tox_last_error()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(guard(|| panic!("site {} of {}", 3, 4)), TOX_PANIC);
        assert_eq!(last(), "a bug of the engine: site 3 of 4");
        assert_eq!(guard(|| std::panic::panic_any(7)), TOX_PANIC);
        assert_eq!(last(), "a bug of the engine: a panic without a text");
    }

    #[test]
    fn a_failure_to_converge_names_the_drivers() {
        let tried = [Driver::Heevd, Driver::Faer].into_iter().collect();
        let error = tensoroxide_linalg::Error::from(tensoroxide_dense::Error::Exhausted { tried });
        let error = tensoroxide_linalg::Error::InBatch { index: vec![2], error: Box::new(error) };
        assert_eq!(guard(|| Err(error.into())), TOX_NO_CONVERGENCE);
        let text = "matrix [2] of the batch: no driver converged; tried, in this order: LAPACK syevd/heevd, faer";
        assert_eq!(last(), text);
    }

    #[test]
    fn texts_belong_to_their_thread_and_stay_until_the_next_failure() {
        assert_eq!(guard(|| Err(Failure::new(TOX_ALIASING, "one\0two"))), TOX_ALIASING);
        assert_eq!(guard(|| Ok(())), TOX_OK);
        assert_eq!(std::thread::spawn(last).join().unwrap(), "");
        assert_eq!(last(), "one\u{fffd}two");
    }
}
