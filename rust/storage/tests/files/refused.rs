//! What is refused, with which words; and that nothing was changed by it.

use std::fs;

use tensoroxide_storage::{load, loaded, Element, Error, File, Mode, Options, Place};

use super::*;

fn text<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) {
    let text = result.unwrap_err().to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} lacks some of {words:?}");
}

#[test]
fn names_kinds_and_shapes() {
    if !ready() {
        return;
    }
    let folder = Folder::new("refused");
    let path = folder.file("r.h5");
    let file = File::open(&path, Mode::Create).unwrap();
    put(&file, "g/x", &[2, 3], &[0.0f64; 6]).unwrap();
    file.write_text("t".into(), "text", false).unwrap();
    assert_eq!(put(&file, "g/x", &[1], &[0.0]), Err(Error::Exists { name: "g/x".into() }));
    assert_eq!(put(&file, "g", &[1], &[0.0]), Err(Error::Exists { name: "g".into() }));
    assert_eq!(put(&file, "t/below", &[1], &[0.0]), Err(Error::Exists { name: "t".into() }));
    assert_eq!(file.make_group("g/x"), Err(Error::Exists { name: "g/x".into() }));
    for bad in ["", "/", "a//b", "./a", "a\0b"] {
        assert!(matches!(put(&file, bad, &[1], &[0.0]), Err(Error::Argument(_))), "{bad:?}");
    }
    assert!(matches!(file.write_text("u".into(), "a\0b", true), Err(Error::Argument(_))));
    let many = vec![1; 33];
    text(put(&file, "many", &many, &[0.0]), &["32 axes", "33"]);
    text(file.create("big", Element::C64, &[1 << 40, 1 << 40], &Options::default()), &["does not fit"]);
    text(file.create("c", Element::F32, &[2], &Options { compress: 10, ..Options::default() }), &["0 to 9"]);
    assert_eq!(get(&file, "g/y", &[1], 0.0), Err(Error::Missing { name: "g/y".into() }));
    text(get(&file, "g/x", &[3, 2], 0.0), &["g/x", "[2, 3]", "[3, 2]"]);
    text(get(&file, "g", &[1], 0.0), &["\"g\" is a group"]);
    text(get(&file, "t", &[1], 0.0), &["\"t\" is a text"]);
    text(file.read_text("g/x".into()), &["is no text"]);
    text(file.read_text("g".into()), &["is no text"]);
    text(file.names("g/x"), &["is no group"]);
    text(file.attributes("h"), &["\"h\""]);
    text(file.read_text(Place::from("g").attribute("a")), &["a of g"]);

    let layout = Layout::column_major(&[1, 2]).unwrap();
    let part = |first: &[usize], step: &[usize]| {
        let mut room = [0.0f64; 2];
        let view = ViewMut::of(&mut room, &layout).unwrap();
        file.read("g/x".into(), &mut Target::new(view), Some((first, step)))
    };
    part(&[1, 1], &[1, 1]).unwrap();
    for (first, step) in
        [(&[2, 0], &[1, 1]), (&[0, 2], &[1, 1]), (&[0, 0], &[1, 3]), (&[0, 0], &[1, 0]), (&[0, 1], &[1, usize::MAX])]
    {
        text(part(first, step), &["[2, 3]", "no part of [1, 2]"]);
    }
    text(part(&[0], &[1]), &["no part"]);
    let single = [0.0f32; 2];
    let source = Source::new(&View::of(&single, &layout).unwrap(), false);
    text(file.write_part("g/x", &source, &[0, 0], &[1, 1]), &["Float64", "Float32"]);

    file.commit(true).unwrap();
    for closed in [file.commit(true), put(&file, "z", &[1], &[0.0]), file.names("").map(drop)] {
        assert!(matches!(closed, Err(Error::Mode(_))), "{closed:?}");
    }
    let file = File::open(&path, Mode::Read).unwrap();
    for refused in [
        put(&file, "z", &[1], &[0.0]),
        file.remove("g".into()),
        file.make_group("z"),
        file.create("z", Element::F32, &[1], &Options::default()),
    ] {
        assert!(matches!(refused, Err(Error::Mode(_))), "{refused:?}");
    }
    file.commit(true).unwrap();
}

#[test]
fn files_that_are_none() {
    if !ready() {
        return;
    }
    let folder = Folder::new("none");
    let path = folder.file("f.h5");
    text(File::open(&path, Mode::Read), &["f.h5", "No such file"]);
    text(File::open(&path, Mode::Update), &["No such file"]);
    text(File::open(&folder.0, Mode::Read), &["not a regular file"]);
    text(File::open(&folder.0, Mode::Create), &["not a regular file", "nothing was written"]);
    text(File::open(&folder.file("no/such/folder.h5"), Mode::Create), &["there is no folder"]);
    text(File::open("".as_ref(), Mode::Create), &["no name of a file"]);
    for contents in ["", "\u{89}HD", "this is a text and no tensor at all, however long it may be"] {
        fs::write(&path, contents).unwrap();
        text(File::open(&path, Mode::Read), &["f.h5", "is not an HDF5 file"]);
        text(File::open(&path, Mode::Update), &["is not an HDF5 file"]);
    }
    // A user block of 512 bytes is nothing foreign.
    save(&path, "x", &[1.0]).unwrap();
    let mut shifted = vec![b' '; 512];
    shifted.extend(fs::read(&path).unwrap());
    fs::write(&path, shifted).unwrap();
    let file = File::open(&path, Mode::Read).unwrap();
    assert_eq!(get(&file, "x", &[1], 0.0).unwrap(), [1.0]);
}

#[test]
fn truncated_files() {
    if !ready() {
        return;
    }
    let folder = Folder::new("truncated");
    let path = folder.file("t.h5");
    save(&path, "x", &[1.0; 1000]).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for length in (8..whole.len()).step_by(61) {
        fs::write(&path, &whole[..length]).unwrap();
        // Whatever is wrong with it, it is an error, and one that says so where the beginning is there.
        let error =
            File::open(&path, Mode::Read).and_then(|file| get(&file, "x", &[1000], 0.0)).unwrap_err().to_string();
        refused += usize::from(error.contains("truncated"));
        assert!(length < 100 || error.contains("truncated"), "{length} of {}: {error}", whole.len());
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn read_only_files_and_folders() {
    if !ready() {
        return;
    }
    let folder = Folder::new("readonly");
    let path = folder.file("r.h5");
    save(&path, "x", &[1.0]).unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions.clone()).unwrap();
    text(save(&path, "x", &[2.0]), &["read-only", "nothing was written"]);
    text(File::open(&path, Mode::Update), &["read-only"]);
    let file = File::open(&path, Mode::Read).unwrap();
    assert_eq!(get(&file, "x", &[1], 0.0).unwrap(), [1.0]);
    assert_eq!(folder.names(), ["r.h5"]);
    if cfg!(target_os = "linux") {
        // Nobody makes files there, not even root.
        text(
            save("/proc/tensoroxide.h5".as_ref(), "x", &[2.0]),
            &["/proc/tensoroxide.h5", "creating the new file beside it"],
        );
    }
}

#[test]
#[cfg(unix)]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{symlink, PermissionsExt};
    if !ready() {
        return;
    }
    let folder = Folder::new("links");
    let (real, link) = (folder.file("real.h5"), folder.file("link.h5"));
    save(&real, "x", &[1.0]).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.h5", &link).unwrap();
    save(&link, "x", &[2.0]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(get(&File::open(&real, Mode::Read).unwrap(), "x", &[1], 0.0).unwrap(), [2.0]);
}

#[test]
fn one_library_for_a_process() {
    if !ready() {
        return;
    }
    let before = loaded().unwrap();
    assert_eq!(load(None).unwrap(), before);
    assert_eq!(load(Some(&before.path)).unwrap(), before);
    text(load(Some("/another/libhdf5.so".as_ref())), &["/another/libhdf5.so", "cannot take its place"]);
    assert_eq!(loaded().unwrap(), before);
    assert_eq!(before.version.0, if crate::LIBRARY == "debian" { 1 } else { before.version.0 });
}
