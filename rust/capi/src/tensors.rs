//! DLPack tensors as views of a known element type, checked against each other first.

use tensoroxide_tensor::dlpack::{Borrowed, DLTensor, Typed};
use tensoroxide_tensor::{overlap, DType, Region, Scalar, View, ViewMut};

use crate::status::{Failure, TOX_ALIASING, TOX_INVALID_ARGUMENT};

/// # Safety
/// `tensor` is NULL, or leads to a tensor as [`Borrowed::new`] demands.
pub(crate) unsafe fn borrow<'a>(tensor: *const DLTensor, name: &str) -> Result<Borrowed<'a>, Failure> {
    // SAFETY: the caller's promise.
    let tensor = unsafe { tensor.as_ref() }.ok_or_else(|| Failure::null(name))?;
    // SAFETY: the caller's promise.
    unsafe { Borrowed::new(tensor) }.map_err(|error| Failure::from(error).about(name))
}

/// A tensor of 64-bit integers.
///
/// # Safety
/// `tensor` is NULL, or leads to a tensor as [`Typed::new`] demands.
pub(crate) unsafe fn integers<'a>(tensor: *const DLTensor, name: &str) -> Result<Typed<'a, i64>, Failure> {
    // SAFETY: the caller's promise.
    let tensor = unsafe { tensor.as_ref() }.ok_or_else(|| Failure::null(name))?;
    // SAFETY: the caller's promise.
    unsafe { Typed::new(tensor) }.map_err(|error| Failure::from(error).about(name))
}

fn mixed(found: DType, needed: DType, name: &str) -> Failure {
    Failure::new(TOX_INVALID_ARGUMENT, format!("{name} has elements of type {found}, where {needed} is needed"))
}

/// # Safety
/// Nothing writes the elements while the view lives.
pub(crate) unsafe fn view<'a, T: Scalar>(tensor: &'a Borrowed<'_>, name: &str) -> Result<View<'a, T>, Failure> {
    // SAFETY: the caller's promise.
    unsafe { tensor.view() }.ok_or_else(|| mixed(tensor.dtype(), T::DTYPE, name))
}

/// # Safety
/// Nothing else reads or writes the elements while the view lives.
pub(crate) unsafe fn view_mut<'a, T: Scalar>(tensor: &'a Borrowed<'_>, name: &str) -> Result<ViewMut<'a, T>, Failure> {
    // SAFETY: the caller's promise.
    match unsafe { tensor.view_mut() } {
        Some(view) => view.map_err(|error| Failure::from(error).about(name)),
        None => Err(mixed(tensor.dtype(), T::DTYPE, name)),
    }
}

/// Refuses an output that shares memory with another tensor of the call.
pub(crate) fn apart(output: (&str, Region<'_>), others: &[(&str, Region<'_>)]) -> Result<(), Failure> {
    match others.iter().find(|(_, other)| overlap(output.1, *other)) {
        Some((other, _)) => {
            let text = format!("{} shares memory with {other}; give one of them memory of its own (a copy)", output.0);
            Err(Failure::new(TOX_ALIASING, text))
        }
        None => Ok(()),
    }
}
