//! The tests of files, for each version of HDF5 in a process of its own.
#![allow(unsafe_code)] // what is no view of a scalar type has to be made from raw parts

mod foreign;
mod interrupted;
mod kept;
mod refused;
mod shared;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tensoroxide_storage::{load, loaded, File, Mode, Options, Source, Stored, Target};
use tensoroxide_tensor::{Layout, View, ViewMut};

/// What the set-up of the tests found: a name and its path each.
fn found() -> &'static [(String, String)] {
    static FOUND: OnceLock<Vec<(String, String)>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut set_up = Command::new("sh");
        set_up.arg(root.join("deps/hdf5.sh")).arg(root.join(".tools/hdf5"));
        let Ok(output) = set_up.output() else { return Vec::new() };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields = text.lines().map(|line| line.splitn(3, '\t').map(str::to_owned).collect::<Vec<_>>());
        fields.filter(|fields| fields.len() == 2).map(|mut fields| (fields.remove(0), fields.remove(0))).collect()
    })
}

fn path_of(name: &str) -> Option<&'static str> {
    let path = found().iter().find(|(known, _)| known == name).map(|(_, path)| path.as_str());
    if path.is_none() {
        let text = format!("left out: deps/hdf5.sh has no {name} on this machine");
        // Where these tests run by themselves, Python's can be had; Debian's is for Debian.
        let needed = std::env::var_os("CI").is_some() && cfg!(target_os = "linux") && name != "debian";
        assert!(!needed, "{text}");
        #[allow(clippy::print_stderr)] // the one place where a test says what it did not do
        {
            eprintln!("{text}");
        }
    }
    path
}

/// Loads the library that this process tests; false where the machine has none.
fn ready() -> bool {
    if let Some(path) = std::env::var_os("STORAGE_LIBRARY") {
        load(Some(path.as_ref())).unwrap();
    } else if loaded().is_none() {
        let Some(path) = path_of(crate::LIBRARY) else { return false };
        load(Some(path.as_ref())).unwrap();
    }
    true
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", crate::LIBRARY));
        _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Names of all files, hidden ones too.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A dense column-major tensor in a file of its own, or in an open one.
fn put<T: Stored>(file: &File, name: &str, shape: &[usize], data: &[T]) -> Result<(), tensoroxide_storage::Error> {
    let layout = Layout::column_major(shape).unwrap();
    file.write(name.into(), &Source::new(&View::of(data, &layout).unwrap(), false), &Options::default())
}

fn get<T: Stored>(file: &File, name: &str, shape: &[usize], zero: T) -> Result<Vec<T>, tensoroxide_storage::Error> {
    let layout = Layout::column_major(shape).unwrap();
    let mut data = vec![zero; layout.len()];
    let view = ViewMut::of(&mut data, &layout).unwrap();
    file.read(name.into(), &mut Target::new(view), None)?;
    Ok(data)
}

fn save(path: &Path, name: &str, data: &[f64]) -> Result<(), tensoroxide_storage::Error> {
    let file = File::open(path, Mode::Create)?;
    put(&file, name, &[data.len()], data)?;
    file.commit(true)
}

/// This test program, to run one test in another process with a variable set: what children do.
fn child(test: &str, task: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]).env("STORAGE_TASK", task);
    if let Some(library) = loaded() {
        command.env("STORAGE_LIBRARY", library.path);
    }
    command
}

/// What this process is to do, if it is a child.
fn task() -> Option<PathBuf> {
    std::env::var_os("STORAGE_TASK").map(PathBuf::from)
}
