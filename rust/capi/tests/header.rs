//! The committed header is the one that the crate has, and a C compiler reads it. `TENSOROXIDE_WRITE_HEADER=1 cargo test --test header` writes it.

use std::path::Path;
use std::process::Command;

#[test]
fn the_header_is_up_to_date() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    // From the crate's root cbindgen finds the modules by itself.
    let builder = cbindgen::Builder::new().with_config(config).with_src(here.join("src/lib.rs"));
    let mut generated = Vec::new();
    builder.generate().unwrap().write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    let mut functions: Vec<&str> =
        generated.split_whitespace().filter(|word| word.contains("tox_") && word.contains('(')).collect();
    let count = functions.len();
    functions.sort_unstable();
    functions.dedup();
    assert!(functions.len() == count && count >= 20, "each function is declared once: {functions:?}");
    let path = here.join("include/tensoroxide.h");
    if std::env::var_os("TENSOROXIDE_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "include/tensoroxide.h is not what the crate says; write it anew");

    // cargo itself links with cc on these systems, so there is one.
    if cfg!(unix) {
        let mut cc = Command::new("cc");
        cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "-o"]);
        cc.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("abi.o")).arg("-I").arg(here.join("include"));
        let compiled = cc.arg(here.join("tests/abi.c")).output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }
}
