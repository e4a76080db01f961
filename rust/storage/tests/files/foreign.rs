//! Files of others: h5py reads what is written here, and what it writes, usual and unusual, is read or refused here.

use tensoroxide_storage::{Element, Kind, Place};
use tensoroxide_tensor::{Complex32, Complex64};

use super::*;

/// Runs a Python program with h5py; false where there is none.
fn python(program: &str, file: &Path) -> bool {
    let Some(python) = path_of("h5py") else { return false };
    let output = Command::new(python).args(["-c", program]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn h5py_reads_ours() {
    if !ready() {
        return;
    }
    let folder = Folder::new("ours");
    let path = folder.file("ours.h5");
    let file = File::open(&path, Mode::Create).unwrap();
    // Column-major 2×3 here is row-major 3×2 there.
    put(&file, "f32", &[2, 3], &[0.5f32, 1.5, 2.5, 3.5, 4.5, 5.5]).unwrap();
    put(&file, "g/f64", &[], &[0.1f64]).unwrap();
    put(&file, "c32", &[2], &[Complex32::new(1.0, -2.0), Complex32::new(0.0, 1.0)]).unwrap();
    put(&file, "g/c64", &[1, 2], &[Complex64::new(0.1, -2.0), Complex64::new(0.0, 1.0)]).unwrap();
    put(&file, "i8", &[2], &[-1i8, 7]).unwrap();
    put(&file, "i32", &[2], &[-1i32, 7]).unwrap();
    put(&file, "i64", &[2], &[i64::MIN, 7]).unwrap();
    put(&file, "u8", &[2], &[255u8, 7]).unwrap();
    put(&file, "u32", &[2], &[u32::MAX, 7]).unwrap();
    put(&file, "u64", &[2], &[u64::MAX, 7]).unwrap();
    put(&file, "bool", &[3], &[true, false, true]).unwrap();
    put(&file, "none", &[0, 3], &[0.0f64; 0]).unwrap();
    let data: Vec<f64> = (0..1000).map(f64::from).collect();
    let layout = Layout::column_major(&[10, 100]).unwrap();
    let source = Source::new(&View::of(&data, &layout).unwrap(), false);
    let options = Options { compress: 4, shuffle: true, checksum: true, chunk: Some(vec![10, 20]) };
    file.write("packed".into(), &source, &options).unwrap();
    file.write_text("text".into(), "Grüße", false).unwrap();
    file.write_text("fixed".into(), "Grüße", true).unwrap();
    file.write_text(Place::from("f32").attribute("unit"), "ħ", false).unwrap();
    file.write(
        Place::from("g").attribute("number"),
        &Source::new(&View::new(&data[3..4], &[], &[], 0).unwrap(), false),
        &Options::default(),
    )
    .unwrap();
    file.commit(true).unwrap();
    python(
        r#"
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1], "r")
def same(name, dtype, value):
    x = f[name][()]
    assert np.asarray(x).dtype == dtype and np.array_equal(x, np.array(value, dtype)), (name, x)
same("f32", "f4", [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]])
same("g/f64", "f8", 0.1)
same("c32", "c8", [1 - 2j, 1j])
same("g/c64", "c16", [[0.1 - 2j], [1j]])
for t, low in (("i1", -1), ("i4", -1), ("i8", -2**63), ("u1", 255), ("u4", 2**32 - 1), ("u8", 2**64 - 1)):
    same({"i": "i", "u": "u"}[t[0]] + str(8 * int(t[1])), t, [low, 7])
same("bool", "?", [True, False, True])
assert f["none"].shape == (3, 0)
p = f["packed"]
assert p.chunks == (20, 10) and p.compression == "gzip" and p.compression_opts == 4 and p.shuffle and p.fletcher32
assert np.array_equal(p[()].ravel(), np.arange(1000.0))
assert f["text"].asstr()[()] == "Grüße" and f["fixed"][()].decode() == "Grüße"
assert f["f32"].attrs["unit"] == "ħ" and f["g"].attrs["number"] == 3.0
"#,
        &path,
    );
}

#[test]
fn h5py_writes_theirs() {
    if !ready() {
        return;
    }
    let folder = Folder::new("theirs");
    let path = folder.file("theirs.h5");
    let program = r#"
import os, sys, h5py, numpy as np
os.chdir(os.path.dirname(sys.argv[1]))
f = h5py.File(sys.argv[1], "w", libver=("earliest", "v110"))
f["big"] = np.arange(6, dtype=">f8").reshape(3, 2)
f["half"] = np.array([0.5, 2], "f2")
f["short"] = np.array([-2, 3], "i2")
f["ushort"] = np.array([65535, 3], "u2")
f["z"] = np.array([1 + 2j])
f["bigz"] = np.array([1 + 2j], ">c16")
f["re"] = np.array([(1, 2)], [("re", "f4"), ("im", "f4")])
f["swapped"] = np.array([(2, 1)], [("i", "f8"), ("r", "f8")])
f["bool"] = np.array([True, False])
f["none"] = h5py.Empty("f8")
f["vlen"] = "Grüße"
f["bytes"] = np.bytes_(b"abc")
f.attrs["a"] = [1.0, 2.0]
f["compact"] = 1
d = f.create_dataset("grown", maxshape=(None, 3), chunks=(1, 2), compression="lzf", data=np.arange(6.).reshape(2, 3))
s = h5py.h5d.create(f.id, b"bits", h5py.h5t.NATIVE_B8, h5py.h5s.create_simple((3,)))
s.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 0, 1], "u1"), h5py.h5t.NATIVE_B8)
s = h5py.h5d.create(f.id, b"not bits", h5py.h5t.NATIVE_B8, h5py.h5s.create_simple((3,)))
s.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 2, 255], "u1"), h5py.h5t.NATIVE_B8)
f.create_dataset("unwritten", (4,), "f8")
# What is not read.
f["pair"] = np.array([(1, 2)], [("r", "f8"), ("x", "f8")])
f["mixed"] = np.array([(1, 2)], [("r", "f8"), ("i", "f4")])
f["enum"] = np.array([0, 1], dtype=h5py.enum_dtype({"A": 0, "B": 1}, "i1"))
f["long"] = np.array([1.0], np.longdouble)
f["texts"] = ["a", "b"]
f["latin"] = np.bytes_(b"\xff")
f["type"] = np.dtype("f8")
f.create_dataset("huge", (2**40, 2**40), "f8", chunks=(1, 1))
f.create_dataset("large", (2**58,), "f8", chunks=(1,))
with open("secret", "wb") as g: g.write(bytes(80))
f.create_dataset("external", (10,), "f8", external=[("secret", 0, 80)])
layout = h5py.VirtualLayout((10,), "f8")
with h5py.File("other.h5", "w") as g: g["x"] = np.zeros(10)
layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
f.create_virtual_dataset("virtual", layout)
f["outside"] = h5py.ExternalLink("other.h5", "x")
f["soft"] = h5py.SoftLink("/z")
f["dangling"] = h5py.SoftLink("/nowhere")
g = f.create_group("loop"); g["self"] = h5py.SoftLink("/loop/self")
"#;
    if !python(program, &path) {
        return;
    }
    let file = File::open(&path, Mode::Read).unwrap();
    let kind = |name: &str| file.item(name.into()).unwrap().unwrap();
    assert_eq!(get(&file, "big", &[2, 3], 0.0).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(kind("half").kind, Kind::Tensor(Element::F32));
    assert_eq!(get(&file, "half", &[2], 0.0f32).unwrap(), [0.5, 2.0]);
    assert_eq!(get(&file, "short", &[2], 0i32).unwrap(), [-2, 3]);
    assert_eq!(get(&file, "ushort", &[2], 0u32).unwrap(), [65535, 3]);
    for name in ["z", "bigz", "re", "swapped", "soft"] {
        assert_eq!(get(&file, name, &[1], Complex64::default()).unwrap(), [Complex64::new(1.0, 2.0)], "{name}");
    }
    assert_eq!(kind("re").kind, Kind::Tensor(Element::C32));
    assert_eq!(get(&file, "bool", &[2], false).unwrap(), [true, false]);
    assert_eq!(get(&file, "bits", &[3], false).unwrap(), [true, false, true]);
    assert_eq!(get(&file, "none", &[0], 0.0).unwrap(), [0.0; 0]);
    assert_eq!(get(&file, "unwritten", &[4], 1.0).unwrap(), [0.0; 4]);
    assert_eq!(file.read_text("vlen".into()).unwrap(), "Grüße");
    assert_eq!(file.read_text("bytes".into()).unwrap(), "abc");
    assert_eq!(get(&file, "compact", &[], 0i64).unwrap(), [1]);
    assert_eq!(kind("grown").chunk, Some(vec![2, 1]));

    let text = |name: &str| {
        let error = get(&file, name, &kind(name).shape, 0.0).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    for (name, words) in [
        ("pair", "compound"),
        ("mixed", "compound"),
        ("enum", "enumeration"),
        ("long", "precision"),
        ("texts", "text"),
        ("external", "other files"),
        ("virtual", "other files"),
    ] {
        assert!(text(name).contains(words), "{}", text(name));
    }
    // A filter that this library has not got.
    assert!(get(&file, "grown", &[3, 2], 0.0).is_err());
    assert!(get(&file, "not bits", &[3], false).unwrap_err().to_string().contains("neither true nor false"));
    assert!(file.read_text("texts".into()).unwrap_err().to_string().contains("several"));
    assert!(file.read_text("latin".into()).unwrap_err().to_string().contains("UTF-8"));
    for name in ["outside", "dangling", "loop/self"] {
        assert!(file.item(name.into()).is_err(), "{name}");
    }
    assert!(file.item("type".into()).is_err());
    assert!(file.item("huge".into()).is_err());
    // It has a place in the address space, but there is no such memory.
    assert_eq!(kind("large").shape, [1 << 58]);
    let mut few = [1.0; 2];
    let view = ViewMut::new(&mut few, &[2], &[1], 0).unwrap();
    file.read("large".into(), &mut Target::new(view), Some((&[1 << 50], &[1]))).unwrap();
    assert_eq!(few, [0.0; 2]);
    assert!(file.names("").unwrap().contains(&"dangling".to_owned()));
}

#[test]
fn a_file_that_another_process_writes() {
    if !ready() {
        return;
    }
    let Some(python) = path_of("h5py") else { return };
    let folder = Folder::new("locked");
    let path = folder.file("l.h5");
    save(&path, "x", &[1.0]).unwrap();
    let program =
        "import sys, h5py\nf = h5py.File(sys.argv[1], 'r+', locking=True)\nprint(1, flush=True)\nsys.stdin.read()";
    let mut writer = Command::new(python);
    writer.args(["-c", program]).arg(&path).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut writer = writer.spawn().unwrap();
    std::io::Read::read(writer.stdout.as_mut().unwrap(), &mut [0; 1]).unwrap();
    let error = File::open(&path, Mode::Read).unwrap_err().to_string();
    // A new file takes the place of the old one without asking it.
    save(&path, "x", &[2.0]).unwrap();
    drop(writer.stdin.take());
    writer.wait().unwrap();
    assert!(error.contains("is locked"), "{error}");
    assert_eq!(get(&File::open(&path, Mode::Read).unwrap(), "x", &[1], 0.0).unwrap(), [2.0]);
}
