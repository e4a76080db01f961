//! Elements as the bytes of a message, and back. All ranks have to write numbers alike.
#![allow(unsafe_code)] // elements are plain numbers, and so are their bytes

use tensoroxide_tensor::Scalar;

use crate::Error;

/// The bytes of some elements.
pub(crate) fn to_bytes<T: Scalar>(elements: &[T]) -> Result<Vec<u8>, Error> {
    let count = size_of_val(elements);
    let mut bytes = Vec::new();
    let full = |_| tensoroxide_tensor::Error::OutOfMemory { bytes: count };
    bytes.try_reserve_exact(count).map_err(full)?;
    // SAFETY: a `Scalar` is one or two floating-point numbers without padding.
    bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(elements.as_ptr().cast::<u8>(), count) });
    Ok(bytes)
}

/// Copies as many elements as there is room for.
///
/// # Errors
/// [`Error::Transport`] if the bytes are not those of so many elements.
pub(crate) fn from_bytes<T: Scalar>(bytes: &[u8], elements: &mut [T]) -> Result<(), Error> {
    let count = size_of_val(elements);
    if bytes.len() != count {
        return Err(Error::Transport(format!("a message of {} bytes came where {count} were to come", bytes.len())));
    }
    // SAFETY: every pattern of bits is a floating-point number; both have `count` bytes, and the target is exclusive.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), elements.as_mut_ptr().cast::<u8>(), count) };
    Ok(())
}

/// FNV-1a (Fowler, Noll, Vo) of some text: the same on every rank.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
