//! A file that is written beside another one and then takes its place: all or nothing, whenever the process ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// The new file, until it is in its place; dropping it before removes it.
#[derive(Debug)]
pub(crate) struct Replacement {
    target: PathBuf,
    temporary: PathBuf,
    /// Permissions of the old file, if there is one.
    permissions: Option<fs::Permissions>,
    /// Up to where the disk has room for it for sure.
    reserved: u64,
}

const PREFIX: &str = ".tensoroxide-";
const SUFFIX: &str = ".part";

impl Replacement {
    /// A name for the new file, in the folder of the old one, so that it can be put in its place at once. A link is
    /// followed: what it leads to is replaced. Also removes what writers that are gone have left in that folder.
    ///
    /// # Errors
    /// [`Error::Io`]: the old file is none, or must not be written; there is no such folder.
    pub(crate) fn beside(path: &Path) -> Result<Replacement, Error> {
        let failed = |text: String| Error::Io { path: path.to_owned(), text };
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let permissions = match fs::metadata(&target) {
            Ok(old) if !old.is_file() => return Err(failed("is not a regular file; nothing was written".to_owned())),
            Ok(old) if old.permissions().readonly() => {
                return Err(failed("is read-only; nothing was written".to_owned()));
            }
            Ok(old) => Some(old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error.to_string())),
        };
        if target.file_name().is_none() {
            return Err(failed("is no name of a file".to_owned()));
        }
        let folder = folder_of(&target);
        if !folder.is_dir() {
            return Err(failed(format!("there is no folder {}", folder.display())));
        }
        remove_leftovers(folder);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{PREFIX}{:016x}-{}-{count}{SUFFIX}", place(), std::process::id()));
        Ok(Replacement { target, temporary, permissions, reserved: 0 })
    }

    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Error {
        Error::Io { path: self.target.clone(), text: format!("{doing}: {error}; the file is as it was") }
    }

    /// Begins with the contents of the old file.
    pub(crate) fn copy_old(&self) -> Result<(), Error> {
        fs::copy(&self.target, &self.temporary).map(drop).map_err(|error| self.failed("copying it", &error))
    }

    /// Finds out whether a file of this size can be made at all.
    pub(crate) fn probe(&self, bytes: u64) -> Result<(), Error> {
        let file = OpenOptions::new().write(true).create_new(true).open(&self.temporary);
        let probed = file.and_then(|file| allocate(&file, bytes));
        _ = fs::remove_file(&self.temporary);
        probed.map_err(|error| self.failed("creating the new file beside it", &error))
    }

    /// Has the disk keep room for so many bytes in all; where it does not know how, nothing is kept.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes > self.reserved {
            // Some more, so that many small tensors do not ask each.
            let bytes = bytes.saturating_add(bytes / 4);
            let file = OpenOptions::new().write(true).open(&self.temporary);
            let done = file.and_then(|file| allocate(&file, bytes));
            done.map_err(|error| self.failed("making room for it on the disk", &error))?;
            self.reserved = bytes;
        }
        Ok(())
    }

    /// Gives the room back, contents and all: the file is not wanted any more.
    pub(crate) fn empty(&self) {
        _ = OpenOptions::new().write(true).open(&self.temporary).and_then(|file| file.set_len(0));
    }

    /// Puts the new file in the place of the old one; with `sync` both the file and its name are on the disk before
    /// this returns.
    ///
    /// # Errors
    /// [`Error::Io`]; the old file is then as it was, unless only the last step failed, which the text says.
    pub(crate) fn commit(self, sync: bool) -> Result<(), Error> {
        let failed = |doing, error| self.failed(doing, &error);
        let file =
            OpenOptions::new().write(true).open(&self.temporary).map_err(|e| failed("opening the new file", e))?;
        // Gives back what was reserved beyond the end.
        file.metadata().and_then(|about| file.set_len(about.len())).map_err(|e| failed("cutting the new file", e))?;
        if sync {
            file.sync_all().map_err(|e| failed("flushing the new file to the disk", e))?;
        }
        if let Some(permissions) = &self.permissions {
            fs::set_permissions(&self.temporary, permissions.clone()).map_err(|e| failed("setting permissions", e))?;
        }
        drop(file);
        fs::rename(&self.temporary, &self.target).map_err(|e| failed("putting the new file in its place", e))?;
        // The name is an entry of the folder. Windows has no such thing as flushing a folder.
        if sync && cfg!(unix) {
            File::open(folder_of(&self.target)).and_then(|folder| folder.sync_all()).map_err(|error| Error::Io {
                path: self.target.clone(),
                text: format!("the new file is in its place, but may not outlast a power failure: {error}"),
            })?;
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a commit there is nothing of this name.
        _ = fs::remove_file(&self.temporary);
    }
}

/// Has the disk keep room for the first `bytes` bytes of the file, without making it larger. File systems that cannot
/// are taken at their word only when they are written to.
#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    extern "C" {
        fn fallocate(file: i32, mode: i32, from: i64, length: i64) -> i32;
        fn getrlimit(resource: i32, limits: *mut [u64; 2]) -> i32;
    }
    const RLIMIT_FSIZE: i32 = 1;
    const FILE_TOO_LARGE: i32 = 27;
    const KEEP_SIZE: i32 = 1;
    const INTERRUPTED: i32 = 4;
    // Not implemented; not by this file system; not for such a file.
    const UNSUPPORTED: [i32; 3] = [38, 95, 22];
    // What is kept beyond the end does not count for the limit that a process has for its files; writing there will.
    let mut limits = [u64::MAX; 2];
    // SAFETY: the C library's function; there is room for the two numbers, the limit in force and its bound.
    if unsafe { getrlimit(RLIMIT_FSIZE, &mut limits) } == 0 && bytes > limits[0] {
        return Err(io::Error::from_raw_os_error(FILE_TOO_LARGE));
    }
    let length = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    loop {
        // SAFETY: the C library's function, with an open file; it touches no memory.
        if unsafe { fallocate(file.as_raw_fd(), KEEP_SIZE, 0, length) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(INTERRUPTED) => {}
            Some(code) if UNSUPPORTED.contains(&code) => return Ok(()),
            _ => return Err(error),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Which set of process numbers ours is of: this start of this machine, and the container. 0 where that is not known.
fn place() -> u64 {
    let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let container = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() || container == Path::new("") {
        return 0;
    }
    // FNV-1a (Fowler, Noll, Vo): any 64 bits that differ with the input will do.
    let bytes = boot.iter().chain(container.as_os_str().as_encoded_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Removes new files whose writers, processes of this place, have ended. Those of other machines are nobody's to judge.
fn remove_leftovers(folder: &Path) {
    let place = place();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let gone = |name: &str| {
            let numbers = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
            let (at, rest) = numbers.split_once('-')?;
            let process: u32 = rest.split_once('-')?.0.parse().ok()?;
            let ours = place != 0 && u64::from_str_radix(at, 16) == Ok(place);
            (ours && !Path::new("/proc").join(process.to_string()).exists()).then_some(())
        };
        if entry.file_name().to_str().and_then(gone).is_some() {
            _ = fs::remove_file(entry.path());
        }
    }
}
