//! Files: opened to be read, or written beside the old one and put in its place.

use std::ffi::{c_char, c_void, CStr, CString};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::Mutex;

use crate::functions::*;
use crate::item::{c_name, new_name};
use crate::library::has_bounds;
use crate::memory::Room;
use crate::replacement::Replacement;
use crate::session::Session;
use crate::types::{Content, Described};
use crate::work::{Found, Work};
use crate::{Element, Error, Item, Kind, Options, Place, Source, Target};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To be read.
    Read,
    /// To be written anew, in the place of what there may be.
    Create,
    /// To be changed: a copy of it is.
    Update,
}

/// An open file. What was written is in its place only after [`File::commit`]; dropping it before leaves all as it was.
///
/// Threads may share one; they take turns.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Negative once it is closed.
    id: Hid,
    replacement: Option<Replacement>,
}

/// What the names, shapes and other insides of a new tensor may take at most, beside its elements.
const INSIDES: u64 = 1 << 15;

impl File {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Library`] before [`crate::load`]; [`Error::Io`]: there is none, it is no HDF5 file, it is truncated,
    /// another process writes it; it or its folder is not to be written.
    pub fn open(path: &Path, mode: Mode) -> Result<File, Error> {
        let session = Session::enter(path)?;
        let mut replacement = match mode {
            Mode::Read => None,
            _ => Some(Replacement::beside(path)?),
        };
        if mode != Mode::Create {
            check_contents(path)?;
        }
        if let Some(replacement) = &replacement {
            match mode {
                Mode::Update => replacement.copy_old()?,
                _ => replacement.probe(INSIDES)?,
            }
        }
        let id = open(&session, replacement.as_ref().map_or(path, Replacement::temporary), mode)?;
        let reserved = replacement.as_mut().map_or(Ok(()), |replacement| replacement.reserve(INSIDES));
        if let Err(error) = reserved {
            abandon(&session, id, replacement);
            return Err(error);
        }
        Ok(File { path: path.to_owned(), state: Mutex::new(State { id, replacement }) })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the file and puts it in its place; with `sync` it is on the disk before this returns. A file that was
    /// opened to be read is only closed. Afterwards nothing more can be done with it.
    ///
    /// # Errors
    /// [`Error::Io`]: the disk is full or fails; the old file is as it was.
    pub fn commit(&self, sync: bool) -> Result<(), Error> {
        let session = Session::enter(&self.path)?;
        let mut state = self.state();
        let id = std::mem::replace(&mut state.id, -1);
        if id < 0 {
            return Err(Error::Mode(CLOSED));
        }
        let replacement = state.replacement.take();
        let doing = "writing the rest of it; the file is as it was";
        // SAFETY: the lock is held; the identifier is the open file's.
        if replacement.is_some() && unsafe { (session.hdf5().H5Fflush)(id, H5F_SCOPE_LOCAL) } < 0 {
            let error = session.failure(doing);
            abandon(&session, id, replacement);
            return Err(error);
        }
        // SAFETY: as above. What fails to close must not be closed again.
        session.check(unsafe { (session.hdf5().H5Fclose)(id) }, doing)?;
        replacement.map_or(Ok(()), |replacement| replacement.commit(sync))
    }

    /// Writes a tensor under a new name, with the groups above it where they are missing; or as an attribute, in the
    /// place of an old one.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Missing`] (what has the attribute), [`Error::Argument`], [`Error::Io`],
    /// [`Error::Mode`].
    pub fn write(&self, place: Place<'_>, source: &Source<'_>, options: &Options) -> Result<(), Error> {
        let described = Described::standard(source.element());
        let work = self.work_that_takes(options.room(source.shape(), source.element())?)?;
        let session = &work.session;
        if let Some(attribute) = place.attribute {
            let room = source.pack(&vec![0; source.shape().len()], source.shape())?;
            let (kind, space) = (session.memory_type(source.element(), &described)?, work.space(source.shape())?);
            return work.put_attribute(place.name, attribute, &kind, &space, room.as_ptr().cast());
        }
        let dataset = work.create(place.name, &described, source.shape(), options, true)?;
        work.transfer_in(&dataset, &described, source, None)?;
        work.close(dataset)
    }

    /// Makes room for a tensor that [`File::write_part`] fills; what is not written is 0.
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn create(&self, name: &str, element: Element, shape: &[usize], options: &Options) -> Result<(), Error> {
        let work = self.work_that_takes(options.room(shape, element)?)?;
        let dataset = work.create(name, &Described::standard(element), shape, options, false)?;
        work.close(dataset)
    }

    /// Overwrites part of a tensor: along each axis the positions `first`, `first + step`, …, as many as the source
    /// has.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Kind`] (another element type), [`Error::Shape`], [`Error::Io`], [`Error::Mode`].
    pub fn write_part(&self, name: &str, source: &Source<'_>, first: &[usize], step: &[usize]) -> Result<(), Error> {
        // Room for the whole was made with the tensor; chunks that are compressed anew may move.
        let elements = tensoroxide_tensor::layout::element_count(source.shape())?;
        let work = self.work_that_takes(2 * (elements * source.element().size()) as u64)?;
        let found = work.tensor(name.into())?;
        if found.described.element != source.element() {
            let text = format!("has elements of type {}, not {}", found.described.element, source.element());
            return Err(Error::Kind { name: name.to_owned(), text });
        }
        check_part(name, &found.shape, source.shape(), first, step)?;
        work.transfer_in(&found.id, &found.described, source, Some((first, step)))?;
        work.close(found.id)
    }

    /// Reads a tensor, or with `part` = (first, step) the positions `first`, `first + step`, … along each axis, as
    /// many as the target has. Floating-point numbers of another precision are converted.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Kind`] (no tensor, or another element type), [`Error::Shape`], [`Error::Io`].
    pub fn read(
        &self,
        place: Place<'_>,
        target: &mut Target<'_>,
        part: Option<(&[usize], &[usize])>,
    ) -> Result<(), Error> {
        let work = self.work()?;
        let found = work.tensor(place)?;
        let (has, wanted) = (found.described.element, target.element());
        if !has.converts_to(wanted) {
            let text = format!("has elements of type {has}, which are not read as {wanted}");
            return Err(Error::Kind { name: place.to_string(), text });
        }
        let name = place.to_string();
        match part {
            Some((first, step)) => check_part(&name, &found.shape, target.shape(), first, step)?,
            None if found.shape == target.shape() => {}
            None => {
                let text = format!("has extents {:?}, not {:?}", found.shape, target.shape());
                return Err(Error::Shape { name, text });
            }
        }
        if part.is_some() && place.attribute.is_some() {
            return Err(Error::Argument("an attribute is read as a whole".to_owned()));
        }
        work.transfer_out(&found, target, part, &name)
    }

    /// Writes a text under a new name, or as an attribute in the place of an old one: of variable length, or, if
    /// `fixed`, of its own.
    ///
    /// # Errors
    /// As [`File::write`]; [`Error::Argument`] for a text with a NUL character.
    pub fn write_text(&self, place: Place<'_>, text: &str, fixed: bool) -> Result<(), Error> {
        let work = self.work_that_takes(2 * text.len() as u64)?;
        let (session, hdf5) = (&work.session, work.session.hdf5());
        let c_text = CString::new(text).map_err(|_| Error::Argument("a text contains a NUL character".to_owned()))?;
        let doing = "making a type";
        // SAFETY: the lock is held; the type is a copy of HDF5's own.
        let kind = unsafe {
            let kind = session.id((hdf5.H5Tcopy)(session.constants().string), hdf5.H5Tclose, doing)?;
            let size = if fixed { text.len().max(1) } else { H5T_VARIABLE };
            session.check((hdf5.H5Tset_size)(kind.get(), size), doing)?;
            session.check((hdf5.H5Tset_cset)(kind.get(), H5T_CSET_UTF8), doing)?;
            kind
        };
        let space = work.space(&[])?;
        let pointer = c_text.as_ptr();
        // A text of fixed length is read where it lies, one of variable length where the pointer leads.
        let data: *const c_void = if fixed { pointer.cast() } else { (&raw const pointer).cast() };
        if let Some(attribute) = place.attribute {
            return work.put_attribute(place.name, attribute, &kind, &space, data);
        }
        let dataset = work.make_dataset(place.name, &kind, &space, None, &Options::default(), false)?;
        // SAFETY: the lock is held; the data is what the type says.
        let status = unsafe { (hdf5.H5Dwrite)(dataset.get(), kind.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) };
        session.check(status, "writing a text")?;
        work.close(dataset)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Kind`]: no text, several, or not UTF-8; [`Error::Io`].
    pub fn read_text(&self, place: Place<'_>) -> Result<String, Error> {
        let work = self.work()?;
        let found = work.find(place)?;
        let wrong = |text: &str| Error::Kind { name: place.to_string(), text: text.to_owned() };
        let Found { id, kind, shape, .. } = match found {
            Some(found) if matches!(found.content, Content::Text) => found,
            _ => return Err(wrong("is no text")),
        };
        if shape.iter().any(|&extent| extent != 1) {
            return Err(wrong("is not one text but several"));
        }
        let (session, hdf5) = (&work.session, work.session.hdf5());
        let read = |data: *mut c_void| {
            // SAFETY: the lock is held; the data is what the type says: as many bytes as it has, or a pointer.
            let status = unsafe {
                match place.attribute {
                    Some(_) => (hdf5.H5Aread)(id.get(), kind.get(), data),
                    None => (hdf5.H5Dread)(id.get(), kind.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, data),
                }
            };
            session.check(status, "reading a text").map(drop)
        };
        // SAFETY: the lock is held, and the type is open, here and below.
        let bytes = if unsafe { (hdf5.H5Tis_variable_str)(kind.get()) } > 0 {
            let mut text: *mut c_char = null_mut();
            read((&raw mut text).cast())?;
            if text.is_null() {
                Vec::new()
            } else {
                // SAFETY: a string that HDF5 allocated for the caller, who gives it back.
                unsafe {
                    let bytes = CStr::from_ptr(text).to_bytes().to_vec();
                    (hdf5.H5free_memory)(text.cast());
                    bytes
                }
            }
        } else {
            // SAFETY: as above.
            let mut room = Room::of_bytes(unsafe { (hdf5.H5Tget_size)(kind.get()) })?;
            read(room.start().cast())?;
            let bytes = room.bytes();
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            bytes[..end].to_vec()
        };
        String::from_utf8(bytes).map_err(|_| wrong("is a text that is not UTF-8"))
    }

    /// Makes a group, with those above it where they are missing; does nothing if it is there.
    ///
    /// # Errors
    /// [`Error::Exists`]: something else has the name; [`Error::Argument`], [`Error::Io`], [`Error::Mode`].
    pub fn make_group(&self, name: &str) -> Result<(), Error> {
        let work = self.work_that_takes(0)?;
        let name = new_name(name)?;
        if work.exists(name)? {
            return match work.find(name.into())? {
                None => Ok(()),
                Some(_) => Err(Error::Exists { name: name.to_owned() }),
            };
        }
        work.make_groups_above(&format!("{name}/x"))
    }

    /// Removes a name from the file, or an attribute. The room that it took is not given back.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`], [`Error::Mode`].
    pub fn remove(&self, place: Place<'_>) -> Result<(), Error> {
        let work = self.work_that_takes(0)?;
        let (session, hdf5) = (&work.session, work.session.hdf5());
        let status = match place.attribute {
            Some(attribute) => {
                let object = work.object(place.name)?;
                if !work.has_attribute(&object, attribute)? {
                    return Err(Error::Missing { name: place.to_string() });
                }
                // SAFETY: the lock is held; the identifier is open, and the name is a string.
                unsafe { (hdf5.H5Adelete)(object.get(), c_name(attribute)?.as_ptr()) }
            }
            None => {
                let name = new_name(place.name)?;
                if !work.exists(name)? {
                    return Err(Error::Missing { name: name.to_owned() });
                }
                // SAFETY: as above.
                unsafe { (hdf5.H5Ldelete)(work.id, c_name(name)?.as_ptr(), H5P_DEFAULT) }
            }
        };
        session.check(status, "removing a name").map(drop)
    }

    /// What something is; `None` if there is nothing of the name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn item(&self, place: Place<'_>) -> Result<Option<Item>, Error> {
        let work = self.work()?;
        if !work.exists(place.name)? {
            return Ok(None);
        }
        if let Some(attribute) = place.attribute {
            let object = work.object(place.name)?;
            if !work.has_attribute(&object, attribute)? {
                return Ok(None);
            }
        }
        let Some(found) = work.find(place)? else {
            return Ok(Some(Item { kind: Kind::Group, shape: Vec::new(), chunk: None }));
        };
        let kind = match found.content {
            Content::Tensor(described) => Kind::Tensor(described.element),
            Content::Text => Kind::Text,
            Content::Other(text) => Kind::Other(text),
        };
        Ok(Some(Item { kind, shape: found.shape, chunk: found.chunk }))
    }

    /// The names within a group, in the order of the alphabet.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Kind`]: it is no group; [`Error::Io`].
    pub fn names(&self, group: &str) -> Result<Vec<String>, Error> {
        let work = self.work()?;
        let object = work.object(group)?;
        let hdf5 = work.session.hdf5();
        // SAFETY: the lock is held, and the identifier is open.
        if unsafe { (hdf5.H5Iget_type)(object.get()) } != H5I_GROUP {
            return Err(Error::Kind { name: group.to_owned(), text: "is no group".to_owned() });
        }
        work.collect(&object, hdf5.H5Literate)
    }

    /// The names of the attributes of an object, in the order of the alphabet.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`].
    pub fn attributes(&self, name: &str) -> Result<Vec<String>, Error> {
        let work = self.work()?;
        let object = work.object(name)?;
        work.collect(&object, work.session.hdf5().H5Aiterate2)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn work(&self) -> Result<Work<'_>, Error> {
        let session = Session::enter(&self.path)?;
        match self.state().id {
            ..0 => Err(Error::Mode(CLOSED)),
            id => Ok(Work { session, id }),
        }
    }

    /// A call that makes the file larger by so many bytes at most, beside what HDF5 needs for itself. HDF5 does not
    /// survive a disk that is full: it closes files by halves, and crashes at the end of the process at the latest. So
    /// there is room before it begins.
    fn work_that_takes(&self, bytes: u64) -> Result<Work<'_>, Error> {
        let work = self.work()?;
        let mut state = self.state();
        let Some(replacement) = &mut state.replacement else {
            return Err(Error::Mode("the file was opened to be read"));
        };
        let mut size = 0;
        // SAFETY: the lock is held, the file is open, and the pointer leads to the number.
        let status = unsafe { (work.session.hdf5().H5Fget_filesize)(work.id, &mut size) };
        work.session.check(status, "asking for its size")?;
        replacement.reserve(size.saturating_add(size / 8).saturating_add(bytes).saturating_add(INSIDES))?;
        drop(state);
        Ok(work)
    }
}

const CLOSED: &str = "the file is closed";

impl Drop for File {
    fn drop(&mut self) {
        let Ok(session) = Session::enter(&self.path) else { return };
        let mut state = self.state();
        let (id, replacement) = (std::mem::replace(&mut state.id, -1), state.replacement.take());
        if id >= 0 {
            abandon(&session, id, replacement);
        }
    }
}

/// Closes a file that is not kept. What HDF5 still holds it writes even now: an emptied file has room for that.
fn abandon(session: &Session<'_>, id: Hid, replacement: Option<Replacement>) {
    if let Some(replacement) = &replacement {
        replacement.empty();
    }
    // SAFETY: the lock is held, and the identifier is the open file's.
    unsafe { (session.hdf5().H5Fclose)(id) };
}

/// Finds what can be said about a file without HDF5, whose texts are for those who know its insides.
fn check_contents(path: &Path) -> Result<(), Error> {
    let failed = |text: String| Error::Io { path: path.to_owned(), text };
    let about = fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !about.is_file() {
        return Err(failed("is not a regular file".to_owned()));
    }
    let file = fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    // The signature is at the beginning, or after 512, 1024, 2048, … bytes of the user's own.
    let (mut at, mut signature) = (0, [0; 8]);
    while at + 8 <= about.len() {
        let read = std::io::Seek::seek(&mut &file, std::io::SeekFrom::Start(at))
            .and_then(|_| (&file).read_exact(&mut signature));
        read.map_err(|error| failed(error.to_string()))?;
        if signature == *b"\x89HDF\r\n\x1a\n" {
            return Ok(());
        }
        at = if at == 0 { 512 } else { 2 * at };
    }
    Err(failed("is not an HDF5 file".to_owned()))
}

fn open(session: &Session<'_>, path: &Path, mode: Mode) -> Result<Hid, Error> {
    let hdf5 = session.hdf5();
    let c_path = c_path(path)?;
    let doing = "setting up access to a file";
    // SAFETY: the lock is held; identifiers are open, and the path is a string.
    unsafe {
        let access = session.id((hdf5.H5Pcreate)(session.constants().file_access), hdf5.H5Pclose, doing)?;
        // What may still be open in a file is closed with it. HDF5.jl and h5py say the same, and have to: a file can
        // be open twice in one way only.
        session.check((hdf5.H5Pset_fclose_degree)(access.get(), H5F_CLOSE_STRONG), doing)?;
        if mode != Mode::Read && has_bounds(session.version()) {
            // The form of 1.8 has room for large attributes and is read by every version since; the default is older.
            let status = (hdf5.H5Pset_libver_bounds)(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110);
            session.check(status, doing)?;
        }
        // Nobody else knows of a new file. A lock would do harm: a program that is started meanwhile inherits it.
        if let (true, Some(set_locking)) = (mode != Mode::Read, hdf5.H5Pset_file_locking) {
            session.check(set_locking(access.get(), false, true), doing)?;
        }
        if mode == Mode::Create {
            let creation = session.id((hdf5.H5Pcreate)(session.constants().file_create), hdf5.H5Pclose, doing)?;
            session.check((hdf5.H5Pset_obj_track_times)(creation.get(), false), doing)?;
            let id = (hdf5.H5Fcreate)(c_path.as_ptr(), H5F_ACC_EXCL, creation.get(), access.get());
            return session.check_id(id, "creating the new file beside it");
        }
        let flags = if mode == Mode::Read { H5F_ACC_RDONLY } else { H5F_ACC_RDWR };
        let id = (hdf5.H5Fopen)(c_path.as_ptr(), flags, access.get());
        session.check_id(id, "opening it").map_err(|error| explained(session, error))
    }
}

/// What a failure to open means, where HDF5's text tells.
fn explained(session: &Session<'_>, error: Error) -> Error {
    let Error::Io { path, text } = error else { return error };
    let all = session.complaints().join("\n");
    let meaning = if all.contains("truncated") || all.contains("end of file") || all.contains("addr overflow") {
        "is truncated: "
    } else if all.contains("unable to lock file") {
        "is locked; another process has it open to write it, or its file system has no locks (then set \
         HDF5_USE_FILE_LOCKING=FALSE): "
    } else if all.contains("already open for write") || all.contains("consistency flags") {
        "is open to be written, or was when its writer ended: "
    } else {
        ""
    };
    Error::Io { path, text: format!("{meaning}{text}") }
}

#[cfg(unix)]
fn c_path(path: &Path) -> Result<CString, Error> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Argument("a path contains a NUL character".to_owned()))
}

#[cfg(not(unix))]
fn c_path(path: &Path) -> Result<CString, Error> {
    let text = path.to_str().ok_or_else(|| Error::Argument("a path is not Unicode".to_owned()))?;
    CString::new(text).map_err(|_| Error::Argument("a path contains a NUL character".to_owned()))
}

/// Whether positions `first + i·step`, i below `count`, are within the extents.
fn check_part(name: &str, extents: &[usize], count: &[usize], first: &[usize], step: &[usize]) -> Result<(), Error> {
    let rank = extents.len();
    let fits = |d: usize| {
        step[d] >= 1
            && match count[d] {
                0 => first[d] <= extents[d],
                n => {
                    step[d].checked_mul(n - 1).and_then(|far| far.checked_add(first[d])).is_some_and(|x| x < extents[d])
                }
            }
    };
    if [count.len(), first.len(), step.len()] != [rank; 3] || !(0..rank).all(fits) {
        let text = format!("has extents {extents:?}, and no part of {count:?} from {first:?} in steps of {step:?}");
        return Err(Error::Shape { name: name.to_owned(), text });
    }
    Ok(())
}
