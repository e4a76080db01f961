//! Tells the crate whether this compiler has AVX-512 intrinsics (stable from Rust 1.89 on): the cfg
//! `tensoroxide_avx512`. With an older one the engine is complete, but its fastest kernels are those for AVX2.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(tensoroxide_avx512)");
    if minor_version().is_some_and(|minor| minor >= 89) {
        println!("cargo::rustc-cfg=tensoroxide_avx512");
    }
}

/// The 89 of `rustc 1.89.0 (…)`.
fn minor_version() -> Option<u32> {
    let rustc = std::env::var_os("RUSTC")?;
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}
