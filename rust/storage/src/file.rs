//! Files: opened to be read, or written beside the old one and put in its place.

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

use crate::functions::*;
use crate::item::{c_name, new_name};
use crate::library::has_bounds;
use crate::memory::Room;
use crate::pieces::pieces;
use crate::replacement::Replacement;
use crate::session::{Id, Session};
use crate::types::{Content, Described};
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

/// Elements that are packed at a time: some MiB.
const PACKED: usize = 1 << 19;

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

/// HDF5's extents of a shape: its last axis is the fastest.
fn reversed(shape: &[usize]) -> Vec<Hsize> {
    shape.iter().rev().map(|&extent| extent as Hsize).collect()
}

/// A call on an open file, while the lock is held.
struct Work<'f> {
    session: Session<'f>,
    id: Hid,
}

/// A dataset or an attribute.
struct Found<'w> {
    id: Id<'w>,
    kind: Id<'w>,
    content: Content,
    shape: Vec<usize>,
    chunk: Option<Vec<usize>>,
    attribute: bool,
}

struct FoundTensor<'w> {
    id: Id<'w>,
    described: Described,
    shape: Vec<usize>,
    attribute: bool,
}

impl Work<'_> {
    /// Closes what was written to; chunks that HDF5 held back are written now.
    fn close(&self, dataset: Id<'_>) -> Result<(), Error> {
        self.session.check(dataset.close(), "writing the rest of a tensor").map(drop)
    }

    /// Whether the name and all groups above it are there.
    fn exists(&self, name: &str) -> Result<bool, Error> {
        let name = name.trim_matches('/');
        let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
        for end in ends.filter(|&end| end > 0) {
            let part = c_name(&name[..end])?;
            // SAFETY: the lock is held, the file is open, and the name is a string. It fails where what is above is no
            // group.
            if unsafe { (self.session.hdf5().H5Lexists)(self.id, part.as_ptr(), H5P_DEFAULT) } <= 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens a group or a dataset.
    fn object(&self, name: &str) -> Result<Id<'_>, Error> {
        /// Links that lead to other files are not followed: whoever sends a file could otherwise have any other one
        /// read.
        unsafe extern "C" fn refuse(
            _: *const c_char,
            _: *const c_char,
            _: *const c_char,
            _: *const c_char,
            _: *mut std::ffi::c_uint,
            _: Hid,
            _: *mut c_void,
        ) -> Herr {
            -1
        }
        if !self.exists(name)? {
            return Err(Error::Missing { name: name.to_owned() });
        }
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let trimmed = name.trim_matches('/');
        let c_name = c_name(if trimmed.is_empty() { "/" } else { trimmed })?;
        let doing = "following a link";
        // SAFETY: the lock is held; identifiers are open, the name is a string, and the function stays where it is.
        unsafe {
            let access = session.id((hdf5.H5Pcreate)(session.constants().link_access), hdf5.H5Pclose, doing)?;
            session.check((hdf5.H5Pset_elink_cb)(access.get(), refuse, null_mut()), doing)?;
            let id = (hdf5.H5Oopen)(self.id, c_name.as_ptr(), access.get());
            session.id(id, hdf5.H5Oclose, &format!("opening \"{name}\""))
        }
    }

    fn has_attribute(&self, object: &Id<'_>, attribute: &str) -> Result<bool, Error> {
        let name = c_name(attribute)?;
        // SAFETY: the lock is held, the object is open, and the name is a string.
        let found = unsafe { (self.session.hdf5().H5Aexists)(object.get(), name.as_ptr()) };
        Ok(self.session.check(found, "looking for an attribute")? > 0)
    }

    /// Opens a dataset or an attribute, and finds out what it is; `None` for a group.
    fn find(&self, place: Place<'_>) -> Result<Option<Found<'_>>, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let object = self.object(place.name)?;
        let doing = "reading how something is kept";
        if let Some(attribute) = place.attribute {
            if !self.has_attribute(&object, attribute)? {
                return Err(Error::Missing { name: place.to_string() });
            }
            // SAFETY: the lock is held; identifiers are open, and the name is a string.
            let (id, kind, space) = unsafe {
                let id = (hdf5.H5Aopen)(object.get(), c_name(attribute)?.as_ptr(), H5P_DEFAULT);
                let id = session.id(id, hdf5.H5Aclose, "opening an attribute")?;
                let kind = session.id((hdf5.H5Aget_type)(id.get()), hdf5.H5Tclose, doing)?;
                let space = session.id((hdf5.H5Aget_space)(id.get()), hdf5.H5Sclose, doing)?;
                (id, kind, space)
            };
            let (content, shape) = (session.content(&kind)?, self.shape_of(&space, place)?);
            return Ok(Some(Found { id, kind, content, shape, chunk: None, attribute: true }));
        }
        // SAFETY: as above.
        match unsafe { (hdf5.H5Iget_type)(object.get()) } {
            H5I_GROUP => return Ok(None),
            H5I_DATASET => {}
            _ => {
                let text = "is a type, not something of a type".to_owned();
                return Err(Error::Kind { name: place.to_string(), text });
            }
        }
        // SAFETY: as above; the object is a dataset.
        let (kind, space, creation) = unsafe {
            let kind = session.id((hdf5.H5Dget_type)(object.get()), hdf5.H5Tclose, doing)?;
            let space = session.id((hdf5.H5Dget_space)(object.get()), hdf5.H5Sclose, doing)?;
            (kind, space, session.id((hdf5.H5Dget_create_plist)(object.get()), hdf5.H5Pclose, doing)?)
        };
        let shape = self.shape_of(&space, place)?;
        // SAFETY: as above.
        let (layout, elsewhere) =
            unsafe { ((hdf5.H5Pget_layout)(creation.get()), (hdf5.H5Pget_external_count)(creation.get())) };
        let content = match layout {
            H5D_VIRTUAL => Content::Other("lies in other files, which are not read".to_owned()),
            _ if elsewhere != 0 => Content::Other("lies in other files, which are not read".to_owned()),
            _ => session.content(&kind)?,
        };
        let chunk = (layout == H5D_CHUNKED).then(|| {
            let mut extents = [0; H5S_MAX_RANK];
            // SAFETY: the lock is held; there is room for as many extents as HDF5 has.
            let rank = unsafe { (hdf5.H5Pget_chunk)(creation.get(), H5S_MAX_RANK as c_int, extents.as_mut_ptr()) };
            let rank = usize::try_from(rank).unwrap_or(0).min(H5S_MAX_RANK);
            extents[..rank].iter().rev().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect()
        });
        Ok(Some(Found { id: object, kind, content, shape, chunk, attribute: false }))
    }

    fn tensor(&self, place: Place<'_>) -> Result<FoundTensor<'_>, Error> {
        let wrong = |text: String| Err(Error::Kind { name: place.to_string(), text });
        match self.find(place)? {
            None => wrong("is a group, not a tensor".to_owned()),
            Some(Found { content: Content::Text, .. }) => wrong("is a text, not a tensor".to_owned()),
            Some(Found { content: Content::Other(text), .. }) => wrong(text),
            Some(Found { id, content: Content::Tensor(described), shape, attribute, .. }) => {
                Ok(FoundTensor { id, described, shape, attribute })
            }
        }
    }

    /// Extents in the order of memory; what holds nothing at all is a list without elements.
    fn shape_of(&self, space: &Id<'_>, place: Place<'_>) -> Result<Vec<usize>, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let doing = "reading extents";
        let mut extents = [0; H5S_MAX_RANK];
        // SAFETY: the lock is held, the space is open, and there is room for as many extents as HDF5 has.
        let rank = unsafe {
            if (hdf5.H5Sget_simple_extent_type)(space.get()) == H5S_NULL {
                return Ok(vec![0]);
            }
            let rank = session.check((hdf5.H5Sget_simple_extent_ndims)(space.get()), doing)? as usize;
            if rank > H5S_MAX_RANK {
                return Err(Error::Kind { name: place.to_string(), text: format!("has {rank} axes") });
            }
            session.check((hdf5.H5Sget_simple_extent_dims)(space.get(), extents.as_mut_ptr(), null_mut()), doing)?;
            rank
        };
        let shape: Result<Vec<usize>, _> =
            extents[..rank].iter().rev().map(|&extent| usize::try_from(extent)).collect();
        let shape = shape.map_err(|_| Error::Kind { name: place.to_string(), text: "is too large".to_owned() })?;
        tensoroxide_tensor::layout::element_count(&shape)?;
        Ok(shape)
    }

    fn space(&self, shape: &[usize]) -> Result<Id<'_>, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        if shape.len() > H5S_MAX_RANK {
            return Err(Error::Argument(format!(
                "HDF5 keeps tensors of {H5S_MAX_RANK} axes at most, not {}",
                shape.len()
            )));
        }
        tensoroxide_tensor::layout::element_count(shape)?;
        let extents = reversed(shape);
        // SAFETY: the lock is held, and the extents are as many as said.
        let id = unsafe {
            match shape {
                [] => (hdf5.H5Screate)(H5S_SCALAR),
                _ => (hdf5.H5Screate_simple)(shape.len() as c_int, extents.as_ptr(), null()),
            }
        };
        session.id(id, hdf5.H5Sclose, "making extents")
    }

    fn create(
        &self,
        name: &str,
        described: &Described,
        shape: &[usize],
        options: &Options,
        filled: bool,
    ) -> Result<Id<'_>, Error> {
        let chunk = options.chunk_of(shape, described.element)?;
        let (kind, space) = (self.session.memory_type(described.element, described)?, self.space(shape)?);
        self.make_dataset(name, &kind, &space, chunk.as_deref(), options, filled)
    }

    /// Makes a dataset, and the groups above it. `filled`: every element will be written before the file is read.
    fn make_dataset(
        &self,
        name: &str,
        kind: &Id<'_>,
        space: &Id<'_>,
        chunk: Option<&[usize]>,
        options: &Options,
        filled: bool,
    ) -> Result<Id<'_>, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let name = new_name(name)?;
        if self.exists(name)? {
            return Err(Error::Exists { name: name.to_owned() });
        }
        self.make_groups_above(name)?;
        let (c_name, doing) = (c_name(name)?, "choosing how a tensor is kept");
        // SAFETY: the lock is held; identifiers are open, names are strings, and the chunk has an extent for each axis.
        unsafe {
            let creation = session.id((hdf5.H5Pcreate)(session.constants().dataset_create), hdf5.H5Pclose, doing)?;
            // The same tensors make the same file, whenever they are saved.
            session.check((hdf5.H5Pset_obj_track_times)(creation.get(), false), doing)?;
            if filled {
                session.check((hdf5.H5Pset_fill_time)(creation.get(), H5D_FILL_TIME_NEVER), doing)?;
            }
            if let Some(chunk) = chunk {
                let extents = reversed(chunk);
                let status = (hdf5.H5Pset_chunk)(creation.get(), extents.len() as c_int, extents.as_ptr());
                session.check(status, doing)?;
                if options.compress > 0 {
                    if (hdf5.H5Zfilter_avail)(H5Z_FILTER_DEFLATE) <= 0 {
                        return Err(Error::Library(
                            "this HDF5 library was built without compression (zlib)".to_owned(),
                        ));
                    }
                    if options.shuffle {
                        session.check((hdf5.H5Pset_shuffle)(creation.get()), doing)?;
                    }
                    session.check((hdf5.H5Pset_deflate)(creation.get(), options.compress.into()), doing)?;
                }
                if options.checksum {
                    session.check((hdf5.H5Pset_fletcher32)(creation.get()), doing)?;
                }
            }
            let links = self.links()?;
            let id = (hdf5.H5Dcreate2)(
                self.id,
                c_name.as_ptr(),
                kind.get(),
                space.get(),
                links.get(),
                creation.get(),
                H5P_DEFAULT,
            );
            session.id(id, hdf5.H5Oclose, &format!("creating \"{name}\""))
        }
    }

    /// Names of new links are UTF-8.
    fn links(&self) -> Result<Id<'_>, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        // SAFETY: the lock is held; the class is HDF5's own.
        let links = unsafe { (hdf5.H5Pcreate)(session.constants().link_create) };
        let links = session.id(links, hdf5.H5Pclose, "making a name")?;
        // SAFETY: the lock is held, and the list is open.
        session.check(unsafe { (hdf5.H5Pset_char_encoding)(links.get(), H5T_CSET_UTF8) }, "making a name")?;
        Ok(links)
    }

    /// Makes the groups above a name that are missing: one by one, since those that HDF5 makes on the way keep their
    /// time.
    fn make_groups_above(&self, name: &str) -> Result<(), Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        for (end, _) in name.match_indices('/') {
            let group = &name[..end];
            if self.exists(group)? {
                if self.find(group.into())?.is_some() {
                    return Err(Error::Exists { name: group.to_owned() });
                }
                continue;
            }
            let (c_name, doing) = (c_name(group)?, format!("creating the group \"{group}\""));
            // SAFETY: the lock is held; identifiers are open, and the name is a string.
            unsafe {
                let creation = session.id((hdf5.H5Pcreate)(session.constants().group_create), hdf5.H5Pclose, &doing)?;
                session.check((hdf5.H5Pset_obj_track_times)(creation.get(), false), &doing)?;
                let links = self.links()?;
                let id = (hdf5.H5Gcreate2)(self.id, c_name.as_ptr(), links.get(), creation.get(), H5P_DEFAULT);
                session.id(id, hdf5.H5Oclose, &doing)?;
            }
        }
        Ok(())
    }

    fn put_attribute(
        &self,
        name: &str,
        attribute: &str,
        kind: &Id<'_>,
        space: &Id<'_>,
        data: *const c_void,
    ) -> Result<(), Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let object = self.object(name)?;
        let (c_name, doing) = (c_name(attribute)?, format!("writing the attribute \"{attribute}\" of \"{name}\""));
        let there = self.has_attribute(&object, attribute)?;
        // SAFETY: the lock is held; identifiers are open, the name is a string, and the data is what type and space
        // say.
        unsafe {
            if there {
                session.check((hdf5.H5Adelete)(object.get(), c_name.as_ptr()), &doing)?;
            }
            let id =
                (hdf5.H5Acreate2)(object.get(), c_name.as_ptr(), kind.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT);
            let id = session.id(id, hdf5.H5Aclose, &doing)?;
            session.check((hdf5.H5Awrite)(id.get(), kind.get(), data), &doing).map(drop)
        }
    }

    /// Selects a part of what is in the file, and makes the space of as many elements in memory.
    fn select(
        &self,
        dataset: &Id<'_>,
        first: &[usize],
        step: &[usize],
        count: &[usize],
    ) -> Result<(Id<'_>, Id<'_>), Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let doing = "selecting part of a tensor";
        // SAFETY: the lock is held; identifiers are open, and there is a number for each axis.
        unsafe {
            let space = session.id((hdf5.H5Dget_space)(dataset.get()), hdf5.H5Sclose, doing)?;
            if !count.is_empty() {
                let (first, step, count) = (reversed(first), reversed(step), reversed(count));
                let status = (hdf5.H5Sselect_hyperslab)(
                    space.get(),
                    H5S_SELECT_SET,
                    first.as_ptr(),
                    step.as_ptr(),
                    count.as_ptr(),
                    null(),
                );
                session.check(status, doing)?;
            }
            Ok((self.space(count)?, space))
        }
    }

    /// Writes a tensor, or a part of one, piece by piece where it has to be packed. Chunks that are compressed are
    /// packed whole: what HDF5 writes of one, it compresses.
    fn transfer_in(
        &self,
        dataset: &Id<'_>,
        described: &Described,
        source: &Source<'_>,
        part: Option<(&[usize], &[usize])>,
    ) -> Result<(), Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let shape = source.shape();
        if shape.contains(&0) {
            return Ok(());
        }
        let kind = session.memory_type(described.element, described)?;
        let write = |memory: Hid, file: Hid, data: *const u8| {
            // SAFETY: the lock is held; the data holds as many elements as the space in memory has.
            let status = unsafe { (hdf5.H5Dwrite)(dataset.get(), kind.get(), memory, file, H5P_DEFAULT, data.cast()) };
            session.check(status, "writing a tensor").map(drop)
        };
        if let Some(data) = source.dense() {
            return match part {
                None => write(H5S_ALL, H5S_ALL, data),
                Some((first, step)) => {
                    let (memory, file) = self.select(dataset, first, step, shape)?;
                    write(memory.get(), file.get(), data)
                }
            };
        }
        for (at, count) in pieces(shape, self.packed(dataset)?) {
            let room = source.pack(&at, &count)?;
            let (first, step) = moved(&at, part);
            let (memory, file) = self.select(dataset, &first, &step, &count)?;
            write(memory.get(), file.get(), room.as_ptr())?;
        }
        Ok(())
    }

    /// Elements to be packed at a time.
    fn packed(&self, dataset: &Id<'_>) -> Result<usize, Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        // SAFETY: the lock is held; identifiers are open.
        let layout = unsafe {
            let creation = (hdf5.H5Dget_create_plist)(dataset.get());
            let creation = session.id(creation, hdf5.H5Pclose, "reading how a tensor is kept")?;
            (hdf5.H5Pget_layout)(creation.get())
        };
        Ok(if layout == H5D_CHUNKED { usize::MAX } else { PACKED })
    }

    fn transfer_out(
        &self,
        found: &FoundTensor<'_>,
        target: &mut Target<'_>,
        part: Option<(&[usize], &[usize])>,
        name: &str,
    ) -> Result<(), Error> {
        let (session, hdf5) = (&self.session, self.session.hdf5());
        let shape = target.shape();
        if shape.contains(&0) {
            return Ok(());
        }
        let element = target.element();
        let kind = session.memory_type(element, &found.described)?;
        let read = |memory: Hid, file: Hid, data: *mut u8, elements: usize| {
            // SAFETY: the lock is held; the data has room for as many elements as the space in memory has.
            let status = unsafe {
                match found.attribute {
                    true => (hdf5.H5Aread)(found.id.get(), kind.get(), data.cast()),
                    false => (hdf5.H5Dread)(found.id.get(), kind.get(), memory, file, H5P_DEFAULT, data.cast()),
                }
            };
            session.check(status, &format!("reading \"{name}\""))?;
            if element == Element::Bool {
                // SAFETY: so many bytes were just written.
                truth(unsafe { std::slice::from_raw_parts_mut(data, elements) }, name)?;
            }
            Ok(())
        };
        if let Some(data) = target.dense() {
            let elements = shape.iter().product();
            return match part {
                None => read(H5S_ALL, H5S_ALL, data, elements),
                Some((first, step)) => {
                    let (memory, file) = self.select(&found.id, first, step, shape)?;
                    read(memory.get(), file.get(), data, elements)
                }
            };
        }
        // An attribute is read as a whole.
        let most = if found.attribute { usize::MAX } else { self.packed(&found.id)? };
        for (at, count) in pieces(shape, most) {
            let mut room = Room::new(&count, element)?;
            let elements = count.iter().product();
            if found.attribute {
                read(H5S_ALL, H5S_ALL, room.start(), elements)?;
            } else {
                let (first, step) = moved(&at, part);
                let (memory, file) = self.select(&found.id, &first, &step, &count)?;
                read(memory.get(), file.get(), room.start(), elements)?;
            }
            target.unpack(&at, &count, &room)?;
        }
        Ok(())
    }

    /// The names that an iteration of HDF5's visits.
    fn collect(
        &self,
        object: &Id<'_>,
        iterate: unsafe extern "C" fn(Hid, c_int, c_int, *mut Hsize, NameVisitor, *mut c_void) -> Herr,
    ) -> Result<Vec<String>, Error> {
        unsafe extern "C" fn visit(_: Hid, name: *const c_char, _: *const c_void, names: *mut c_void) -> Herr {
            // SAFETY: HDF5 passes a string, and the vector that is handed over below.
            unsafe {
                if let Some(names) = names.cast::<Vec<String>>().as_mut() {
                    names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
                }
            }
            0
        }
        let mut names: Vec<String> = Vec::new();
        // By name, rising: index 0 and order 0.
        // SAFETY: the lock is held, and the object is open; the visitor is called during the call only.
        let status = unsafe { iterate(object.get(), 0, 0, null_mut(), visit, (&raw mut names).cast()) };
        self.session.check(status, "listing names")?;
        Ok(names)
    }
}

/// Where a piece at `at` lies in the file.
fn moved(at: &[usize], part: Option<(&[usize], &[usize])>) -> (Vec<usize>, Vec<usize>) {
    match part {
        None => (at.to_vec(), vec![1; at.len()]),
        Some((first, step)) => {
            let moved = at.iter().zip(first.iter().zip(step)).map(|(&at, (&first, &step))| first + at * step);
            (moved.collect(), step.to_vec())
        }
    }
}

/// Sees to it that bytes are 0 or 1, as a bool must be: a file can hold anything.
fn truth(bytes: &mut [u8], name: &str) -> Result<(), Error> {
    let odd = bytes.iter().fold(0, |all, &byte| all | (byte & !1));
    if odd == 0 {
        return Ok(());
    }
    bytes.iter_mut().for_each(|byte| *byte &= 1);
    Err(Error::Kind { name: name.to_owned(), text: "has values that are neither true nor false".to_owned() })
}
