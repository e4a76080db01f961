//! Threads and processes at once.

use std::process::Stdio;
use std::sync::Barrier;

use super::*;

#[test]
fn threads_with_files_of_their_own_and_a_common_one() {
    if !ready() {
        return;
    }
    let folder = Folder::new("threads");
    let common = File::open(&folder.file("common.h5"), Mode::Create).unwrap();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (folder, common, barrier) = (&folder, &common, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let path = folder.file(&format!("{thread}.h5"));
                for k in 0..20u32 {
                    let data = vec![f64::from(1000 * thread + k); 50];
                    save(&path, "x", &data).unwrap();
                    assert_eq!(get(&File::open(&path, Mode::Read).unwrap(), "x", &[50], 0.0).unwrap(), data);
                    put(common, &format!("{thread}/{k}"), &[50], &data).unwrap();
                    // Errors of one thread are not those of another.
                    let error = get(common, &format!("missing {thread}"), &[1], 0.0).unwrap_err().to_string();
                    assert!(error.contains(&format!("missing {thread}")));
                }
            });
        }
    });
    common.commit(true).unwrap();
    let common = File::open(&folder.file("common.h5"), Mode::Read).unwrap();
    for (thread, k) in (0..4).flat_map(|thread| (0..20).map(move |k| (thread, k))) {
        let value = f64::from(1000 * thread + k);
        assert_eq!(get(&common, &format!("{thread}/{k}"), &[50], 0.0).unwrap(), [value; 50]);
    }
}

#[test]
fn readers_keep_the_file_that_they_opened() {
    if !ready() {
        return;
    }
    let folder = Folder::new("reader");
    let path = folder.file("r.h5");
    save(&path, "x", &[1.0]).unwrap();
    let reader = File::open(&path, Mode::Read).unwrap();
    save(&path, "x", &[2.0]).unwrap();
    if cfg!(unix) {
        assert_eq!(get(&reader, "x", &[1], 0.0).unwrap(), [1.0]);
    }
    drop(reader);
    assert_eq!(get(&File::open(&path, Mode::Read).unwrap(), "x", &[1], 0.0).unwrap(), [2.0]);
}

#[test]
fn child_that_saves_often() {
    let Some(path) = task() else { return };
    assert!(ready());
    for k in 0..60 {
        save(&path, "x", &vec![f64::from(k); 5000]).unwrap();
    }
}

#[test]
fn two_processes_save_the_same_file() {
    if task().is_some() || !ready() {
        return;
    }
    let folder = Folder::new("processes");
    let path = folder.file("p.h5");
    save(&path, "x", &[0.0; 5000]).unwrap();
    let start = || child("files::shared::child_that_saves_often", &path).stdout(Stdio::null()).spawn().unwrap();
    let mut writers = [start(), start()];
    let mut reads = 0;
    loop {
        let done = writers.iter_mut().all(|writer| writer.try_wait().unwrap().is_some());
        let x = get(&File::open(&path, Mode::Read).unwrap(), "x", &[5000], -1.0).unwrap();
        assert!(x.iter().all(|&y| y == x[0]));
        reads += 1;
        if done {
            break;
        }
    }
    assert!(writers.iter_mut().all(|writer| writer.wait().unwrap().success()));
    assert!(reads > 5, "{reads}");
    assert_eq!(folder.names(), ["p.h5"]);
}
