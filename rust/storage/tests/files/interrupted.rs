//! Saves that do not come to their end: dropped, killed, without room on the disk. The old file stays whole.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn what_is_not_committed_is_gone() {
    if !ready() {
        return;
    }
    let folder = Folder::new("dropped");
    let path = folder.file("d.h5");
    for mode in [Mode::Create, Mode::Create, Mode::Update] {
        let before = std::fs::read(&path).ok();
        let file = File::open(&path, mode).unwrap();
        put(&file, "y", &[3], &[5.0; 3]).unwrap();
        assert_eq!(folder.names().len(), 1 + usize::from(before.is_some()), "the new file lies beside the old one");
        drop(file);
        assert_eq!(std::fs::read(&path).ok(), before);
        assert_eq!(folder.names().len(), usize::from(before.is_some()));
        save(&path, "x", &[1.0]).unwrap();
    }
}

const ELEMENTS: usize = 20_000;

/// A child that saves again and again: in the k-th file everything is k.
#[test]
fn child_that_saves() {
    let Some(path) = task() else { return };
    assert!(ready());
    for k in 0.. {
        let file = File::open(&path, Mode::Create).unwrap();
        put(&file, "a", &[ELEMENTS], &vec![f64::from(k); ELEMENTS]).unwrap();
        put(&file, "b/c", &[2, 2], &[f64::from(k); 4]).unwrap();
        file.commit(k % 2 == 0).unwrap();
    }
}

/// The number that everything in the file is; panics if it is not whole.
fn whole(path: &Path) -> f64 {
    let file = File::open(path, Mode::Read).unwrap();
    let (a, b) = (get(&file, "a", &[ELEMENTS], -1.0).unwrap(), get(&file, "b/c", &[2, 2], -1.0).unwrap());
    assert!(a.iter().chain(&b).all(|&x| x == a[0]), "{} and {:?}", a[0], b);
    a[0]
}

#[test]
#[cfg(target_os = "linux")]
fn killed_at_any_moment() {
    if task().is_some() || !ready() {
        return;
    }
    let folder = Folder::new("killed");
    let path = folder.file("k.h5");
    let (mut saved, mut leftovers, mut started) = (0, 0, false);
    for round in 0..60u64 {
        let mut writer = child("files::interrupted::child_that_saves", &path);
        let mut writer = writer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The first one until there is a file; the others are killed 2 to 40 ms after they have begun to save.
        let began = Instant::now();
        let before = std::fs::metadata(&path).and_then(|about| about.modified()).ok();
        let changed = || std::fs::metadata(&path).and_then(|about| about.modified()).ok() != before;
        while !changed() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(2000 + round * 7919 % 38_000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        started |= path.exists();
        assert!(started, "the child saved nothing");
        saved += u64::from(whole(&path) >= 0.0);
        let rest: Vec<String> = folder.names().into_iter().filter(|name| name != "k.h5").collect();
        assert!(rest.len() <= 1, "each writer leaves one file at most, and removes those of others: {rest:?}");
        leftovers += rest.len();
    }
    assert_eq!(saved, 60);
    assert!(leftovers > 0, "no kill came while a file was being written: the test tests nothing");
    // A save removes what is left of those that were killed.
    save(&path, "x", &[1.0]).unwrap();
    assert_eq!(folder.names(), ["k.h5"]);
}

/// A child for which there is no room: it says what the error was, by succeeding or not.
#[test]
fn child_without_room() {
    let Some(path) = task() else { return };
    assert!(ready());
    let data = vec![2.0; 100_000];
    for compressed in [false, true] {
        let file = File::open(&path, Mode::Create).unwrap();
        let layout = Layout::column_major(&[data.len()]).unwrap();
        // Random bits do not become less by compression.
        let mut seed = 1u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            f64::from_bits(seed >> 12 | 1023 << 52)
        };
        let data: Vec<f64> = if compressed { (0..100_000).map(|_| noise()).collect() } else { data.clone() };
        let source = Source::new(&View::of(&data, &layout).unwrap(), false);
        let options = Options { compress: u8::from(compressed), ..Options::default() };
        // What is buffered fails only when it is written at the end.
        let error = file.write("x".into(), &source, &options).and_then(|()| file.commit(true)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("File too large") || text.contains("No space left"), "{text}");
    }
    // Small things that HDF5 keeps in memory until the end.
    let many = || {
        let file = File::open(&path, Mode::Create)?;
        for k in 0..3000 {
            file.write_text(format!("group {k}/text").as_str().into(), &"long ".repeat(40), false)?;
        }
        file.commit(true)
    };
    assert!(many().is_err());
}

/// What the child printed, and whether the old file is still there, alone.
fn without_room(mut command: Command, folder: &Folder) {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains("HDF5"), "{printed}");
    assert_eq!(folder.names(), ["f.h5"]);
    assert_eq!(get(&File::open(&folder.file("f.h5"), Mode::Read).unwrap(), "x", &[1], 0.0).unwrap(), [1.0]);
}

#[test]
#[cfg(target_os = "linux")]
fn files_may_be_no_larger() {
    if task().is_some() || !ready() {
        return;
    }
    let folder = Folder::new("limit");
    save(&folder.file("f.h5"), "x", &[1.0]).unwrap();
    let child = child("files::interrupted::child_without_room", &folder.file("f.h5"));
    let mut limited = Command::new("sh");
    // Blocks of 512 bytes; the signal that would end the process is ignored, as it is in Julia's.
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"])
        .arg(child.get_program())
        .args(child.get_args());
    limited.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    without_room(limited, &folder);
}

#[test]
#[cfg(target_os = "linux")]
fn the_disk_is_full() {
    if task().is_some() || !ready() {
        return;
    }
    let folder = Folder::new("full");
    let child = child("files::interrupted::child_without_room", &folder.file("f.h5"));
    let mut limited = Command::new("unshare");
    // A disk of 200 kB, in a place of names of its own, which needs no privilege where the system allows it at all.
    let script =
        "mount -t tmpfs -o size=200k none \"$0\" || exit 77; cp \"$0.old\" \"$0/f.h5\"; \"$@\" || exit 1; ls -A \"$0\"";
    limited.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(&folder.0).arg(child.get_program());
    limited.args(child.get_args()).envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let old = folder.0.with_extension("old");
    let old = PathBuf::from(format!("{}.old", old.with_extension("").display()));
    save(&old, "x", &[1.0]).unwrap();
    let output = limited.output();
    _ = std::fs::remove_file(&old);
    let Ok(output) = output else { return }; // no such program
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || printed.contains("unshare failed") {
        return; // no such places on this system
    }
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains("HDF5") && printed.trim_end().ends_with("f.h5"), "{printed}");
    assert!(!printed.contains(".part"), "{printed}");
}
