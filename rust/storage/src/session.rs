//! One stay inside HDF5: the lock of the process, silence while it lasts, and failures as values.

use std::ffi::{c_int, c_uint, c_void, CStr};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard};

use crate::functions::{ErrorEntry, ErrorPrinter, Functions, Herr, Hid, H5E_DEFAULT, H5E_WALK_DOWNWARD};
use crate::library::{library, Constants, Library};
use crate::Error;

static LOCK: Mutex<()> = Mutex::new(());

/// While it lives, this thread is the only one inside HDF5, and HDF5 prints nothing.
pub(crate) struct Session<'p> {
    library: &'static Library,
    printer: ErrorPrinter,
    printer_data: *mut c_void,
    /// The file that it is about.
    path: &'p Path,
    _guard: MutexGuard<'static, ()>,
}

impl<'p> Session<'p> {
    /// Waits for the lock.
    pub(crate) fn enter(path: &'p Path) -> Result<Session<'p>, Error> {
        let library = library()?;
        // What a panic interrupted has closed what it had open by unwinding.
        let guard = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut session = Session { library, printer: None, printer_data: null_mut(), path, _guard: guard };
        let hdf5 = &library.functions;
        // How errors are printed is a setting of each thread, and the host's to choose: it is put back on leaving.
        // SAFETY: the lock is held, and the pointers lead to the fields. Where the host chose by the functions of HDF5
        // 1.6, getting fails and leaves `None`.
        unsafe {
            (hdf5.H5Eget_auto2)(H5E_DEFAULT, &mut session.printer, &mut session.printer_data);
            (hdf5.H5Eset_auto2)(H5E_DEFAULT, None, null_mut());
        }
        Ok(session)
    }

    pub(crate) fn hdf5(&self) -> &'static Functions {
        &self.library.functions
    }

    pub(crate) fn constants(&self) -> &'static Constants {
        &self.library.constants
    }

    pub(crate) fn version(&self) -> (u32, u32, u32) {
        self.library.version()
    }

    /// What HDF5 says about the call that failed last: its outermost complaint, and the innermost, which knows the
    /// system's reason.
    pub(crate) fn complaint(&self) -> String {
        match self.complaints().as_slice() {
            [] => "HDF5 failed without a reason".to_owned(),
            [only] => only.clone(),
            [first, .., last] => format!("{first}: {last}"),
        }
    }

    /// All that HDF5 says about the call that failed last, the outermost first.
    pub(crate) fn complaints(&self) -> Vec<String> {
        unsafe extern "C" fn collect(_: c_uint, entry: *const ErrorEntry, texts: *mut c_void) -> Herr {
            // SAFETY: HDF5 passes an entry, and the vector that is handed over below.
            let (entry, texts) = unsafe { (entry.as_ref(), texts.cast::<Vec<String>>().as_mut()) };
            let (Some(entry), Some(texts)) = (entry, texts) else { return 0 };
            if !entry.description.is_null() {
                // SAFETY: a string of the stack's.
                texts.push(unsafe { CStr::from_ptr(entry.description) }.to_string_lossy().into_owned());
            }
            0
        }
        let mut texts: Vec<String> = Vec::new();
        // SAFETY: the visitor is called during the call only, and does not unwind: pushing fails by aborting at most.
        unsafe { (self.hdf5().H5Ewalk2)(H5E_DEFAULT, H5E_WALK_DOWNWARD, collect, (&raw mut texts).cast()) };
        texts
    }

    /// The failure of the call that failed last, with what could not be done.
    pub(crate) fn failure(&self, doing: &str) -> Error {
        Error::Io { path: self.path.to_owned(), text: format!("{doing}: {}", self.complaint()) }
    }

    /// An identifier that a call returned, to be closed by `close`.
    pub(crate) fn id(&self, raw: Hid, close: unsafe extern "C" fn(Hid) -> Herr, doing: &str) -> Result<Id<'_>, Error> {
        match raw {
            0.. => Ok(Id { raw, close, _session: PhantomData }),
            _ => Err(self.failure(doing)),
        }
    }

    /// An identifier that is kept beyond this stay.
    pub(crate) fn check_id(&self, raw: Hid, doing: &str) -> Result<Hid, Error> {
        match raw {
            0.. => Ok(raw),
            _ => Err(self.failure(doing)),
        }
    }

    /// Whether a call went well.
    pub(crate) fn check(&self, status: c_int, doing: &str) -> Result<c_int, Error> {
        match status {
            0.. => Ok(status),
            _ => Err(self.failure(doing)),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: the lock is still held; the pair is what this thread had before.
        unsafe { (self.hdf5().H5Eset_auto2)(H5E_DEFAULT, self.printer, self.printer_data) };
    }
}

/// Something that HDF5 has open.
pub(crate) struct Id<'s> {
    raw: Hid,
    close: unsafe extern "C" fn(Hid) -> Herr,
    /// Closing needs the lock.
    _session: PhantomData<&'s ()>,
}

impl Id<'_> {
    pub(crate) fn get(&self) -> Hid {
        self.raw
    }

    /// Closes it; negative where that failed, as it does when what HDF5 still held cannot be written.
    pub(crate) fn close(self) -> Herr {
        let (raw, close) = (self.raw, self.close);
        std::mem::forget(self);
        // SAFETY: as in `drop`, which does not run.
        unsafe { close(raw) }
    }
}

impl Drop for Id<'_> {
    fn drop(&mut self) {
        // SAFETY: the identifier is open, its kind is the one that this function closes, and it is closed once.
        unsafe { (self.close)(self.raw) };
    }
}
