//! The one HDF5 library of the process: where it is found, what is needed of it, and its types.

use std::ffi::{c_int, c_uint, CStr};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use crate::functions::{Functions, Herr, Hid};
use crate::{Element, Error};

/// Identifiers of HDF5's own types and classes of property lists: variables of the library, set by `H5open`.
pub(crate) struct Constants {
    pub(crate) natives: [(Element, Hid); 8],
    pub(crate) string: Hid,
    pub(crate) bits: Hid,
    pub(crate) file_access: Hid,
    pub(crate) file_create: Hid,
    pub(crate) group_create: Hid,
    pub(crate) link_create: Hid,
    pub(crate) link_access: Hid,
    pub(crate) dataset_create: Hid,
}

/// The library, loaded and opened.
pub(crate) struct Library {
    pub(crate) functions: Functions,
    pub(crate) constants: Constants,
    description: Description,
}

/// Which library was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Major, minor and patch level.
    pub version: (u32, u32, u32),
    /// The path or the name that it was loaded by.
    pub path: PathBuf,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.version;
        write!(f, "HDF5 {major}.{minor}.{patch}, {}", self.path.display())
    }
}

/// Older versions have identifiers of 32 bits; that of a newer one would be a guess.
const OLDEST: (u32, u32, u32) = (1, 10, 0);
const NEWEST_MAJOR: u32 = 2;

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// The library that was loaded, if one was.
pub fn loaded() -> Option<Description> {
    LIBRARY.get().map(|library| library.description.clone())
}

pub(crate) fn library() -> Result<&'static Library, Error> {
    LIBRARY.get().ok_or_else(|| Error::Library("no HDF5 library was loaded".to_owned()))
}

/// Loads HDF5 for the rest of the process: the library at `path`, or, with `None`, the one that the system has. Does
/// nothing when it is loaded already.
///
/// ```no_run
/// let hdf5 = tensoroxide_storage::load(None)?;
/// assert!(hdf5.version >= (1, 10, 0));
/// # Ok::<(), tensoroxide_storage::Error>(())
/// ```
///
/// # Errors
/// [`Error::Library`]: none found, none that fits (1.10 to 2.x), or another one was loaded before.
pub fn load(path: Option<&Path>) -> Result<Description, Error> {
    // One thread at a time loads: two could otherwise have two libraries between them.
    static LOADING: Mutex<()> = Mutex::new(());
    let _guard = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(library) = LIBRARY.get() {
        return match path {
            Some(path) if !same_file(path, &library.description.path) => Err(Error::Library(format!(
                "the process has {} already; {} cannot take its place",
                library.description,
                path.display()
            ))),
            _ => Ok(library.description.clone()),
        };
    }
    let library = match path {
        Some(path) => open(path).map_err(Error::Library)?,
        None => search()?,
    };
    Ok(LIBRARY.get_or_init(|| library).description.clone())
}

fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(a) == real(b)
}

/// Loads and checks one library; the error says what is wrong with it.
fn open(path: &Path) -> Result<Library, String> {
    let shown = path.display();
    // SAFETY: the initialisers of a library that the user named, or of the system's HDF5, run; there is no other way to
    // load one. libhdf5's own only registers its exit handler.
    let library = unsafe { libloading::Library::new(path) };
    let library = library.map_err(|error| format!("{shown} cannot be loaded: {}", full_text(&error)))?;
    // Never unloaded: HDF5 has an exit handler, and the host may use the same library.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    type GetVersion = unsafe extern "C" fn(*mut c_uint, *mut c_uint, *mut c_uint) -> Herr;
    // SAFETY: the function has this type in every version of HDF5, and no other library has one of the name.
    let get_version = unsafe { library.get::<GetVersion>(b"H5get_libversion\0") };
    let get_version = get_version.map_err(|_| format!("{shown} is not HDF5: it has no H5get_libversion"))?;
    let mut version = (0, 0, 0);
    // SAFETY: the pointers lead to the three numbers.
    if unsafe { get_version(&mut version.0, &mut version.1, &mut version.2) } < 0 {
        return Err(format!("{shown} does not say its version"));
    }
    let description = Description { version, path: path.to_owned() };
    if version < OLDEST || version.0 > NEWEST_MAJOR {
        return Err(format!("{description}: versions from 1.10 to {NEWEST_MAJOR}.x are needed"));
    }
    // SAFETY: the version is one whose headers the table is of, and the library stays.
    let functions = unsafe { Functions::look_up(library) };
    let functions = functions.map_err(|name| format!("{description} has no {name}"))?;
    // SAFETY: called before anything else, as the variables below need it.
    if unsafe { (functions.H5open)() } < 0 {
        return Err(format!("{description} does not start"));
    }
    // SAFETY: H5open was called.
    let constants = unsafe { constants(library) }.map_err(|name| format!("{description} has no {name}"))?;
    Ok(Library { functions, constants, description })
}

/// libloading's text does not have the loader's, which names what is missing.
fn full_text(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// # Safety
/// `library` is HDF5, and was opened.
unsafe fn constants(library: &libloading::Library) -> Result<Constants, &'static str> {
    let variable = |name: &'static CStr| {
        // SAFETY: these symbols are variables of type hid_t.
        let found = unsafe { library.get::<*const Hid>(name.to_bytes_with_nul()) };
        // SAFETY: the address of a variable, which H5open has set.
        found.map(|address| unsafe { **address }).map_err(|_| name.to_str().unwrap_or_default())
    };
    Ok(Constants {
        natives: [
            (Element::F32, variable(c"H5T_NATIVE_FLOAT_g")?),
            (Element::F64, variable(c"H5T_NATIVE_DOUBLE_g")?),
            (Element::I8, variable(c"H5T_NATIVE_INT8_g")?),
            (Element::I32, variable(c"H5T_NATIVE_INT32_g")?),
            (Element::I64, variable(c"H5T_NATIVE_INT64_g")?),
            (Element::U8, variable(c"H5T_NATIVE_UINT8_g")?),
            (Element::U32, variable(c"H5T_NATIVE_UINT32_g")?),
            (Element::U64, variable(c"H5T_NATIVE_UINT64_g")?),
        ],
        string: variable(c"H5T_C_S1_g")?,
        bits: variable(c"H5T_NATIVE_B8_g")?,
        file_access: variable(c"H5P_CLS_FILE_ACCESS_ID_g")?,
        file_create: variable(c"H5P_CLS_FILE_CREATE_ID_g")?,
        group_create: variable(c"H5P_CLS_GROUP_CREATE_ID_g")?,
        link_create: variable(c"H5P_CLS_LINK_CREATE_ID_g")?,
        link_access: variable(c"H5P_CLS_LINK_ACCESS_ID_g")?,
        dataset_create: variable(c"H5P_CLS_DATASET_CREATE_ID_g")?,
    })
}

impl Library {
    pub(crate) fn version(&self) -> (u32, u32, u32) {
        self.description.version
    }
}

/// The system's library: by the names under which the loader may know it, the newest version first, then by what lies
/// in the folders where packages put it.
fn search() -> Result<Library, Error> {
    let mut refused = Vec::new();
    for candidate in NAMES.iter().map(PathBuf::from).chain(in_folders()) {
        match open(&candidate) {
            Ok(library) => return Ok(library),
            // That a name is not known to the loader is no news.
            Err(text) if candidate.is_absolute() => refused.push(text),
            Err(_) => {}
        }
    }
    let mut text =
        "no HDF5 library was found: install one (on Debian: libhdf5-103-1), or give the path of one".to_owned();
    for reason in refused {
        text.push_str("\n  ");
        text.push_str(&reason);
    }
    Err(Error::Library(text))
}

#[cfg(target_os = "linux")]
const NAMES: &[&str] = &[
    "libhdf5.so.320",
    "libhdf5.so.310",
    "libhdf5_serial.so.310",
    "libhdf5.so.200",
    "libhdf5.so.103",
    "libhdf5_serial.so.103",
    "libhdf5.so",
    "libhdf5_serial.so",
];
#[cfg(target_os = "macos")]
const NAMES: &[&str] = &["libhdf5.dylib"];
#[cfg(windows)]
const NAMES: &[&str] = &["hdf5.dll", "libhdf5.dll"];
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
const NAMES: &[&str] = &["libhdf5.so"];

/// Libraries in the usual folders, the last by name first. Debian keeps its serial build in one of its own; builds for
/// MPI lie elsewhere, and are not looked for.
fn in_folders() -> Vec<PathBuf> {
    let arch = std::env::consts::ARCH;
    let debian = format!("/usr/lib/{arch}-linux-gnu");
    let folders = [
        debian.clone() + "/hdf5/serial",
        debian,
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
        "/usr/local/lib".to_owned(),
        "/opt/homebrew/lib".to_owned(),
        "/opt/local/lib".to_owned(),
    ];
    let mut found = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut here: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_library(path)).collect();
        here.sort_unstable_by(|a, b| b.cmp(a));
        found.append(&mut here);
    }
    found
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let rest = name.strip_prefix("libhdf5_serial.").or_else(|| name.strip_prefix("libhdf5."));
    rest.is_some_and(|rest| rest.starts_with("so") || rest.ends_with("dylib"))
}

/// Whether the bounds of the file format's version are those that are known here.
pub(crate) const fn has_bounds(version: (u32, u32, u32)) -> bool {
    // The numbers of the bounds changed in 1.10.2.
    let (major, minor, patch) = version;
    major > 1 || minor > 10 || (minor == 10 && patch >= 2)
}

const _: () = assert!(size_of::<c_int>() == 4 && size_of::<usize>() == 8, "HDF5's types are those of 64-bit systems");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries() {
        for name in ["libhdf5.so", "libhdf5.so.103", "libhdf5_serial.so.103.3.1", "libhdf5.310.dylib"] {
            assert!(is_library(Path::new("/usr/lib").join(name).as_path()), "{name}");
        }
        for name in ["libhdf5_hl.so", "libhdf5_cpp.so.103", "libhdf5_openmpi.so", "libhdf5.a", "libhdf5.la"] {
            assert!(!is_library(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let text = open(Path::new("/no/such/libhdf5.so")).err().unwrap();
        assert!(text.starts_with("/no/such/libhdf5.so cannot be loaded: "), "{text}");
        if cfg!(target_os = "linux") {
            let text = open(Path::new("libm.so.6")).err().unwrap();
            assert_eq!(text, "libm.so.6 is not HDF5: it has no H5get_libversion");
        }
    }

    #[test]
    fn bounds_by_version() {
        assert!(!has_bounds((1, 10, 1)) && has_bounds((1, 10, 2)) && has_bounds((1, 12, 0)) && has_bounds((2, 0, 0)));
    }
}
