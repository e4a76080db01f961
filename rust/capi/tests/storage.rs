//! The functions for files as a foreign host calls them.

#![allow(unsafe_code)] // a foreign host calls with raw pointers

use std::ffi::{c_char, CStr, CString};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};

use tensoroxide::*;
use tensoroxide_tensor::dlpack::{DLDataType, DLDevice, DLTensor};

fn last_error() -> String {
    // SAFETY: the text lives until this thread's next failure.
    unsafe { CStr::from_ptr(tox_last_error()) }.to_str().unwrap().to_owned()
}

const F64: DLDataType = DLDataType { code: 2, bits: 64, lanes: 1 };
const BOOL: DLDataType = DLDataType { code: 6, bits: 8, lanes: 1 };

fn tensor<T>(data: &mut [T], dtype: DLDataType, shape: &mut [i64], strides: &mut [i64]) -> DLTensor {
    DLTensor {
        data: data.as_mut_ptr().cast(),
        device: DLDevice { device_type: 1, device_id: 0 },
        ndim: shape.len() as i32,
        dtype,
        shape: shape.as_mut_ptr(),
        strides: strides.as_mut_ptr(),
        byte_offset: 0,
    }
}

/// What a function writes that fills a buffer.
fn text(write: impl Fn(*mut c_char, usize, *mut usize) -> tox_status) -> String {
    let mut length = 0;
    assert_eq!(write(null_mut(), 0, &mut length), TOX_OK, "{}", last_error());
    let mut buffer = vec![0u8; length + 1];
    assert_eq!(write(buffer.as_mut_ptr().cast(), buffer.len(), &mut length), TOX_OK);
    CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap().to_owned()
}

/// The library that the set-up of the tests has, Debian's or h5py's.
fn library() -> Option<CString> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("sh").arg(root.join("deps/hdf5.sh")).arg(root.join(".tools/hdf5")).output().ok()?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = |name| {
        lines
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t').filter(|path| !path.starts_with('\t')))
    };
    CString::new(path("debian").or_else(|| path("bundled"))?).ok()
}

#[test]
fn files() {
    let mut file = null_mut();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abi.h5");
    _ = std::fs::remove_file(&path);
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let (name, unit) = (c"a/x", c"unit");
    // SAFETY: strings are terminated, tensors point to variables, and files are used while they live.
    unsafe {
        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_CREATE, &mut file), TOX_NO_LIBRARY);
        assert_eq!(last_error(), "no HDF5 library was loaded");
        assert_eq!(tox_hdf5_load(c"/no/libhdf5.so".as_ptr()), TOX_NO_LIBRARY);
        assert_eq!(text(|b, c, l| tox_hdf5_describe(b, c, l)), "");
        let Some(library) = library() else { return };
        assert_eq!(tox_hdf5_load(library.as_ptr()), TOX_OK, "{}", last_error());
        assert_eq!(tox_hdf5_load(null()), TOX_OK);
        assert!(text(|b, c, l| tox_hdf5_describe(b, c, l)).starts_with("HDF5 "));

        assert_eq!(tox_file_open(path.as_ptr(), 7, &mut file), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_READ, &mut file), TOX_IO);
        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_CREATE, null_mut()), TOX_NULL_POINTER);
        assert_eq!(tox_file_open(null(), TOX_FILE_CREATE, &mut file), TOX_NULL_POINTER);
        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_CREATE, &mut file), TOX_OK, "{}", last_error());
        let (mut data, mut shape, mut strides) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], [3, 1]);
        let (mut bits, mut three, mut one) = ([1u8, 0, 1], [3], [1]);
        let (matrix, flags) =
            (tensor(&mut data, F64, &mut shape, &mut strides), tensor(&mut bits, BOOL, &mut three, &mut one));
        let chunk = [2, 2];
        let options = tox_storage_options { compress: 1, shuffle: 1, checksum: 1, chunk: chunk.as_ptr() };
        let write = |name: &CStr, tensor: &DLTensor, options: *const tox_storage_options| {
            tox_file_write(file, name.as_ptr(), null(), tensor, 0, options)
        };
        assert_eq!(write(name, &matrix, &options), TOX_OK, "{}", last_error());
        assert_eq!(write(name, &matrix, null()), TOX_INVALID_ARGUMENT);
        assert_eq!(write(c"flags", &flags, null()), TOX_OK);
        assert_eq!(write(c"bad", &matrix, &tox_storage_options { compress: -1, ..options }), TOX_INVALID_ARGUMENT);
        let half = DLTensor { dtype: DLDataType { bits: 16, ..F64 }, ..matrix };
        assert_eq!(write(c"bad", &half, null()), TOX_UNSUPPORTED_DTYPE);
        let below = [-1, 2];
        assert_eq!(
            write(c"bad", &matrix, &tox_storage_options { chunk: below.as_ptr(), ..options }),
            TOX_INVALID_ARGUMENT
        );
        assert_eq!(tox_file_write(file, name.as_ptr(), null(), null(), 0, null()), TOX_NULL_POINTER);
        assert_eq!(tox_file_write(file, c"b".as_ptr(), unit.as_ptr(), &flags, 0, null()), TOX_MISSING);
        assert_eq!(tox_file_write(file, name.as_ptr(), c"flags".as_ptr(), &flags, 0, null()), TOX_OK);
        assert_eq!(tox_file_write_text(file, name.as_ptr(), unit.as_ptr(), c"J".as_ptr(), 1), TOX_OK);
        assert_eq!(tox_file_write_text(file, c"t".as_ptr(), null(), c"a\nb".as_ptr(), 0), TOX_OK);
        assert_eq!(tox_file_make_group(file, c"odd\nname\\".as_ptr()), TOX_OK);
        assert_eq!(tox_file_create(file, c"z".as_ptr(), F64, 2, [4, 5].as_ptr(), null()), TOX_OK);
        assert_eq!(tox_file_create(file, c"y".as_ptr(), F64, 2, [4, -5].as_ptr(), null()), TOX_INVALID_ARGUMENT);
        let part = |first: &[i64; 2], step: *const i64| {
            tox_file_write_part(file, c"z".as_ptr(), &matrix, 0, first.as_ptr(), step)
        };
        assert_eq!(part(&[1, 0], [2, 2].as_ptr()), TOX_OK, "{}", last_error());
        assert_eq!(part(&[1, 3], null()), TOX_DIMENSION_MISMATCH);
        assert_eq!(part(&[-1, 0], null()), TOX_INVALID_ARGUMENT);
        assert_eq!(tox_file_write_part(file, c"z".as_ptr(), &matrix, 0, null(), null()), TOX_NULL_POINTER);
        assert_eq!(tox_file_commit(file, 1), TOX_OK, "{}", last_error());
        assert_eq!(tox_file_commit(file, 1), TOX_INVALID_ARGUMENT);
        tox_file_destroy(file);

        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_READ, &mut file), TOX_OK);
        let none = DLDataType { code: 0, bits: 0, lanes: 0 };
        let mut item = tox_item { kind: 9, dtype: none, rank: 9, chunked: 9 };
        let (mut extents, mut chunks) = ([0; 2], [0; 2]);
        let mut about = |name: &CStr, attribute: *const c_char| {
            let status =
                tox_file_item(file, name.as_ptr(), attribute, &mut item, extents.as_mut_ptr(), chunks.as_mut_ptr(), 2);
            assert_eq!(status, TOX_OK, "{}", last_error());
            (item, extents, chunks)
        };
        let (found, extents, chunks) = about(name, null());
        assert_eq!((found.kind, found.dtype, found.rank, found.chunked), (TOX_ITEM_TENSOR, F64, 2, 1));
        assert_eq!((extents, chunks), ([2, 3], [2, 2]));
        assert_eq!(about(name, c"flags".as_ptr()).0.dtype, BOOL);
        assert_eq!(about(c"a", null()).0.kind, TOX_ITEM_GROUP);
        assert_eq!(about(c"t", null()).0.kind, TOX_ITEM_TEXT);
        assert_eq!(about(c"nothing", null()).0.kind, TOX_ITEM_NONE);
        assert_eq!(tox_file_item(file, name.as_ptr(), null(), null_mut(), null_mut(), null_mut(), 0), TOX_NULL_POINTER);

        let (mut back, mut shape, mut strides) = ([0.0; 6], [2, 3], [1, 2]);
        let mut output = tensor(&mut back, F64, &mut shape, &mut strides);
        let read = |name: &CStr, output: &DLTensor| tox_file_read(file, name.as_ptr(), null(), output, null(), null());
        assert_eq!(read(name, &output), TOX_OK, "{}", last_error());
        assert_eq!(back, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let status = tox_file_read(file, c"z".as_ptr(), null(), &output, [1, 0].as_ptr(), [2, 2].as_ptr());
        assert_eq!((status, back), (TOX_OK, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(read(c"z", &output), TOX_DIMENSION_MISMATCH);
        assert_eq!(read(c"q", &output), TOX_MISSING);
        assert_eq!(last_error(), "there is no \"q\" in the file");
        assert_eq!(read(c"t", &output), TOX_INVALID_ARGUMENT);
        assert_eq!(read(c"flags", &output), TOX_INVALID_ARGUMENT);
        let mut flat = [0; 2];
        output.strides = flat.as_mut_ptr();
        assert_eq!(read(name, &output), TOX_ALIASING);
        let mut bits = [9u8; 3];
        let flags = tensor(&mut bits, BOOL, &mut three, &mut one);
        assert_eq!(tox_file_read(file, name.as_ptr(), c"flags".as_ptr(), &flags, null(), null()), TOX_OK);
        assert_eq!(bits, [1, 0, 1]);
        assert_eq!(text(|b, c, l| tox_file_read_text(file, name.as_ptr(), unit.as_ptr(), b, c, l)), "J");
        assert_eq!(text(|b, c, l| tox_file_read_text(file, c"t".as_ptr(), null(), b, c, l)), "a\nb");
        assert_eq!(text(|b, c, l| tox_file_names(file, c"/".as_ptr(), 0, b, c, l)), "a\nflags\nodd\\nname\\\\\nt\nz\n");
        assert_eq!(text(|b, c, l| tox_file_names(file, name.as_ptr(), 1, b, c, l)), "flags\nunit\n");
        assert_eq!(tox_file_remove(file, name.as_ptr(), null()), TOX_INVALID_ARGUMENT, "it is open to be read");
        tox_file_destroy(file);
        assert_eq!(tox_file_open(path.as_ptr(), TOX_FILE_UPDATE, &mut file), TOX_OK);
        assert_eq!(tox_file_remove(file, name.as_ptr(), unit.as_ptr()), TOX_OK);
        assert_eq!(tox_file_remove(file, name.as_ptr(), unit.as_ptr()), TOX_MISSING);
        tox_file_destroy(file);
        tox_file_destroy(null_mut());
        assert_eq!(tox_file_commit(null(), 1), TOX_NULL_POINTER);
    }
}
