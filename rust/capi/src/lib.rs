//! The C ABI of the TensorOxide engine.
//!
//! The one way in: Julia and every other host call these functions and nothing else. Tensors are DLPack's `DLTensor`s
//! over the caller's own memory. Every function that can fail returns a [`tox_status`]; the text of the last failure on
//! a thread is [`tox_last_error`]'s. No panic crosses, and nothing is printed.
//!
//! The header `include/tensoroxide.h` is generated from this crate; a test holds the two together.
#![allow(unsafe_code)] // a C ABI is made of raw pointers
#![allow(non_camel_case_types)] // names as C has them

mod contract;
mod distributed;
mod gradient;
mod host;
mod krylov;
mod linalg;
mod plan;
mod rules;
mod semiring;
mod split;
mod status;
mod storage;
mod tape;
mod tensors;

pub use contract::*;
pub use distributed::*;
pub use gradient::*;
pub use host::*;
pub use krylov::*;
pub use linalg::*;
pub use plan::*;
pub use rules::*;
pub use semiring::*;
pub use split::*;
pub use status::*;
pub use storage::*;
pub use tape::*;

use std::ffi::c_char;

/// Version of the binary interface; raised whenever a caller built against an older header would misbehave.
pub const TOX_ABI_VERSION: u32 = 5;

/// The `TOX_ABI_VERSION` that the loaded library was built with: to be compared before any other call.
#[no_mangle]
pub extern "C" fn tox_abi_version() -> u32 {
    TOX_ABI_VERSION
}

/// The engine's version, for instance `"0.1.0"`; never freed.
#[no_mangle]
pub extern "C" fn tox_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
