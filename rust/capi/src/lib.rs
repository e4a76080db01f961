//! The C ABI of the TensorOxide engine.
#![allow(unsafe_code)]

/// Version of the binary interface: raised whenever a caller built against an older header would misbehave.
pub const TOX_ABI_VERSION: u32 = 1;

/// The [`TOX_ABI_VERSION`] that the loaded library was built with.
#[no_mangle]
pub extern "C" fn tox_abi_version() -> u32 {
    TOX_ABI_VERSION
}

/// The engine's version as a NUL-terminated string, for instance `"0.1.0"`; never freed.
#[no_mangle]
pub extern "C" fn tox_version() -> *const std::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
