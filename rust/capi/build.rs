//! Keeps the symbols of other crates out of the library: cblas-inject alone defines some 900 with the names of BLAS
//! functions, which on ELF systems could take the place of a real BLAS. Elsewhere a library's symbols are looked up in
//! that library only.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let family = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    let vendor = std::env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if family.split(',').any(|name| name == "unix") && vendor != "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    }
}
