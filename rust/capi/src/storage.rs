//! Tensors in HDF5 files.
//!
//! Names are paths in the file, their parts parted by `/`. Where a function takes an `attribute`, NULL means what has
//! the name itself. A host that calls the same HDF5 library by other ways holds its lock around each of these
//! functions.

use std::ffi::c_char;
use std::path::Path;

use tensoroxide_storage::{load, loaded, Element, File, Kind, Mode, Options, Place, Source, Target};
use tensoroxide_tensor::dlpack::{Borrowed, DLDataType, DLTensor, Typed};
use tensoroxide_tensor::layout::is_injective;
use tensoroxide_tensor::{Error, Region};

use crate::host::string;
use crate::plan::{slice, write_text};
use crate::status::{guard, tox_status, Failure, TOX_INVALID_ARGUMENT, TOX_UNSUPPORTED_DTYPE};

/// An open file: made by `tox_file_open`, destroyed by `tox_file_destroy`.
pub struct tox_file(File);

/// To be read.
pub const TOX_FILE_READ: i32 = 0;
/// To be written anew, in the place of what there may be.
pub const TOX_FILE_CREATE: i32 = 1;
/// To be changed: a copy of it is, which takes its place.
pub const TOX_FILE_UPDATE: i32 = 2;

/// Nothing has the name.
pub const TOX_ITEM_NONE: i32 = 0;
/// A group: names, as a folder has them.
pub const TOX_ITEM_GROUP: i32 = 1;
/// A tensor; a number is one without extents.
pub const TOX_ITEM_TENSOR: i32 = 2;
/// A text.
pub const TOX_ITEM_TEXT: i32 = 3;
/// Something that is not read here.
pub const TOX_ITEM_OTHER: i32 = 4;

/// What something in a file is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_item {
    /// `TOX_ITEM_*`.
    pub kind: i32,
    /// Element type of a tensor. Booleans have code 6 and 8 bits; integers of 16 bits count as ones of 32.
    pub dtype: DLDataType,
    /// Number of extents of a tensor.
    pub rank: usize,
    /// 1 if the tensor is kept in chunks, 0 otherwise.
    pub chunked: i32,
}

/// How a tensor is kept in a file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tox_storage_options {
    /// 0 for none, or deflate from 1 (fast) to 9 (small).
    pub compress: i32,
    /// 1 to reorder bytes before they are compressed, which most numbers gain from.
    pub shuffle: i32,
    /// 1 for a checksum of each chunk.
    pub checksum: i32,
    /// Extents of the chunks, as many as the tensor has; NULL leaves the choice open.
    pub chunk: *const i64,
}

/// Loads HDF5, any version from 1.10 to 2.x, for the rest of the process: the library at `path`, or, with NULL, the
/// one that the system has. Does nothing if that is loaded.
///
/// Fails with `TOX_NO_LIBRARY`.
///
/// # Safety
/// `path` is NULL or a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn tox_hdf5_load(path: *const c_char) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let path = if path.is_null() { None } else { Some(Path::new(unsafe { string(path, "path") }?)) };
        load(path)?;
        Ok(())
    })
}

/// Writes which HDF5 is loaded, version and path, as `tox_plan_describe` writes; nothing if none is.
///
/// # Safety
/// `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_hdf5_describe(buffer: *mut c_char, capacity: usize, length: *mut usize) -> tox_status {
    guard(|| {
        let text = loaded().map(|description| description.to_string()).unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { write_text(&text, buffer, capacity, length) }
    })
}

/// Opens a file, `TOX_FILE_READ`, `TOX_FILE_CREATE` or `TOX_FILE_UPDATE`. What is written to it is in its place only
/// after `tox_file_commit`.
///
/// Fails with `TOX_NO_LIBRARY` before `tox_hdf5_load`, and with `TOX_IO`.
///
/// # Safety
/// `path` is a NUL-terminated string; `file` leads to room for a pointer.
#[no_mangle]
pub unsafe extern "C" fn tox_file_open(path: *const c_char, mode: i32, file: *mut *mut tox_file) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let path = Path::new(unsafe { string(path, "path") }?);
        // SAFETY: the caller's promise.
        let file = unsafe { file.as_mut() }.ok_or_else(|| Failure::null("file"))?;
        let mode = match mode {
            TOX_FILE_READ => Mode::Read,
            TOX_FILE_CREATE => Mode::Create,
            TOX_FILE_UPDATE => Mode::Update,
            _ => return Err(Failure::new(TOX_INVALID_ARGUMENT, format!("there is no mode {mode} of files"))),
        };
        *file = Box::into_raw(Box::new(tox_file(File::open(path, mode)?)));
        Ok(())
    })
}

/// Closes the file and puts it in its place, all or nothing; with `sync` it is on the disk before this returns.
/// Afterwards it can only be destroyed.
///
/// Fails with `TOX_IO`; the old file is then as it was.
///
/// # Safety
/// `file` came from `tox_file_open`.
#[no_mangle]
pub unsafe extern "C" fn tox_file_commit(file: *const tox_file, sync: i32) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { open_file(file) }?.commit(sync != 0)?))
}

/// Frees the file. What was not committed is gone, and the old file as it was.
///
/// # Safety
/// `file` is NULL or came from `tox_file_open`, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tox_file_destroy(file: *mut tox_file) {
    if !file.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(file) });
            Ok(())
        });
    }
}

/// Writes a tensor under a new name, with the groups above it, or as an attribute in the place of an old one;
/// conjugated if `conj`. Elements: floating point, complex, Int8, Int32, Int64, UInt8, UInt32, UInt64, Bool. `options`
/// may be NULL.
///
/// Fails with `TOX_MISSING` (what has the attribute), `TOX_IO`, `TOX_INVALID_ARGUMENT`.
///
/// # Safety
/// `file` came from `tox_file_open`, names are NUL-terminated strings, the tensor is as DLPack demands; a chunk has as
/// many extents as the tensor.
#[no_mangle]
pub unsafe extern "C" fn tox_file_write(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
    tensor: *const DLTensor,
    conj: i32,
    options: *const tox_storage_options,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, place) = (open_file(file)?, place(name, attribute)?);
            let tensor = Tensor::new(tensor, "the tensor")?;
            let memory = tensor.memory("the tensor")?;
            let options = read_options(options, memory.rank())?;
            Ok(file.write(place, &memory.source(conj != 0), &options)?)
        }
    })
}

/// Makes room for a tensor of zeros that `tox_file_write_part` fills. `options` may be NULL.
///
/// Fails as `tox_file_write`.
///
/// # Safety
/// As `tox_file_write`; `extents` leads to `rank` integers.
#[no_mangle]
pub unsafe extern "C" fn tox_file_create(
    file: *const tox_file,
    name: *const c_char,
    dtype: DLDataType,
    rank: usize,
    extents: *const i64,
    options: *const tox_storage_options,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, name) = (open_file(file)?, string(name, "name")?);
            let shape = numbers(extents, rank, "extents")?;
            Ok(file.create(name, Element::try_from(dtype)?, &shape, &read_options(options, rank)?)?)
        }
    })
}

/// Overwrites part of a tensor: along each axis the positions `first`, `first + step`, … from 0, as many as the given
/// tensor has. `step` may be NULL for steps of 1.
///
/// Fails with `TOX_MISSING`, `TOX_DIMENSION_MISMATCH`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
///
/// # Safety
/// As `tox_file_write`; `first` and `step` lead to as many integers as the tensor has axes.
#[no_mangle]
pub unsafe extern "C" fn tox_file_write_part(
    file: *const tox_file,
    name: *const c_char,
    tensor: *const DLTensor,
    conj: i32,
    first: *const i64,
    step: *const i64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, name) = (open_file(file)?, string(name, "name")?);
            let tensor = Tensor::new(tensor, "the tensor")?;
            let memory = tensor.memory("the tensor")?;
            let (first, step) = part(first, step, memory.rank())?;
            Ok(file.write_part(name, &memory.source(conj != 0), &first, &step)?)
        }
    })
}

/// Reads a tensor, or, unless `first` is NULL, the positions `first`, `first + step`, … along each axis, as many as
/// the output has. Floating-point numbers of another precision are converted.
///
/// Fails with `TOX_MISSING`, `TOX_DIMENSION_MISMATCH`, `TOX_ALIASING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`; the output is
/// then undefined.
///
/// # Safety
/// As `tox_file_write_part`; nothing else reads or writes the output.
#[no_mangle]
pub unsafe extern "C" fn tox_file_read(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
    output: *const DLTensor,
    first: *const i64,
    step: *const i64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, place) = (open_file(file)?, place(name, attribute)?);
            let output = Tensor::new(output, "the output")?;
            let memory = output.memory("the output")?;
            let mut target = memory.target()?;
            if first.is_null() {
                return Ok(file.read(place, &mut target, None)?);
            }
            let (first, step) = part(first, step, target.shape().len())?;
            Ok(file.read(place, &mut target, Some((&first, &step)))?)
        }
    })
}

/// Writes a text under a new name, or as an attribute in the place of an old one: of variable length, or, if `fixed`,
/// of its own.
///
/// Fails as `tox_file_write`.
///
/// # Safety
/// As `tox_file_write`; `text` is a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn tox_file_write_text(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
    text: *const c_char,
    fixed: i32,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, place, text) = (open_file(file)?, place(name, attribute)?, string(text, "text")?);
            Ok(file.write_text(place, text, fixed != 0)?)
        }
    })
}

/// Reads a text, and writes it as `tox_plan_describe` writes.
///
/// Fails with `TOX_MISSING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
///
/// # Safety
/// As `tox_file_write`; `buffer` leads to room for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn tox_file_read_text(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let text = open_file(file)?.read_text(place(name, attribute)?)?;
            write_text(&text, buffer, capacity, length)
        }
    })
}

/// Makes a group, with those above it; does nothing if it is there.
///
/// # Safety
/// As `tox_file_write`.
#[no_mangle]
pub unsafe extern "C" fn tox_file_make_group(file: *const tox_file, name: *const c_char) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { Ok(open_file(file)?.make_group(string(name, "name")?)?) })
}

/// Removes a name, or an attribute. The room that it took in the file is not given back.
///
/// # Safety
/// As `tox_file_write`.
#[no_mangle]
pub unsafe extern "C" fn tox_file_remove(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
) -> tox_status {
    // SAFETY: the caller's promise.
    guard(|| unsafe { Ok(open_file(file)?.remove(place(name, attribute)?)?) })
}

/// What something is. Of a tensor, the first `capacity` extents are written, and as many of its chunks' where it has
/// some.
///
/// # Safety
/// As `tox_file_write`; `item` leads to room for one, `extents` and `chunk` are NULL or lead to room for `capacity`
/// integers.
#[no_mangle]
pub unsafe extern "C" fn tox_file_item(
    file: *const tox_file,
    name: *const c_char,
    attribute: *const c_char,
    item: *mut tox_item,
    extents: *mut i64,
    chunk: *mut i64,
    capacity: usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (found, item) = unsafe {
            let found = open_file(file)?.item(place(name, attribute)?)?;
            (found, item.as_mut().ok_or_else(|| Failure::null("item"))?)
        };
        let none = DLDataType { code: 0, bits: 0, lanes: 0 };
        *item = tox_item { kind: TOX_ITEM_NONE, dtype: none, rank: 0, chunked: 0 };
        let Some(found) = found else { return Ok(()) };
        item.kind = match found.kind {
            Kind::Group => TOX_ITEM_GROUP,
            Kind::Text => TOX_ITEM_TEXT,
            Kind::Other(_) => TOX_ITEM_OTHER,
            Kind::Tensor(element) => {
                item.dtype = element.into();
                item.rank = found.shape.len();
                TOX_ITEM_TENSOR
            }
        };
        item.chunked = i32::from(found.chunk.is_some());
        for (numbers, room) in [(&found.shape, extents), (&found.chunk.unwrap_or_default(), chunk)] {
            for (i, &number) in numbers.iter().enumerate().take(if room.is_null() { 0 } else { capacity }) {
                // SAFETY: the caller's promise: there is room.
                unsafe { *room.add(i) = i64::try_from(number).unwrap_or(i64::MAX) };
            }
        }
        Ok(())
    })
}

/// Writes the names within a group, or, if `attributes`, those of the attributes of what has the name, as
/// `tox_plan_describe` writes: in the order of the alphabet, a line break after each, and `\n` for one within a name
/// (`\\` for a backslash).
///
/// Fails with `TOX_MISSING`, `TOX_IO`, `TOX_INVALID_ARGUMENT`.
///
/// # Safety
/// As `tox_file_read_text`.
#[no_mangle]
pub unsafe extern "C" fn tox_file_names(
    file: *const tox_file,
    name: *const c_char,
    attributes: i32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let (file, name) = (open_file(file)?, string(name, "name")?);
            let names = if attributes != 0 { file.attributes(name)? } else { file.names(name)? };
            let lines = names.iter().map(|name| name.replace('\\', "\\\\").replace('\n', "\\n") + "\n");
            write_text(&lines.collect::<String>(), buffer, capacity, length)
        }
    })
}

/// # Safety
/// `file` is NULL or came from `tox_file_open`.
unsafe fn open_file<'a>(file: *const tox_file) -> Result<&'a File, Failure> {
    // SAFETY: the caller's promise.
    unsafe { file.as_ref() }.map(|file| &file.0).ok_or_else(|| Failure::null("file"))
}

/// # Safety
/// Both are NULL or strings that live for as long as `'a`.
unsafe fn place<'a>(name: *const c_char, attribute: *const c_char) -> Result<Place<'a>, Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let attribute = if attribute.is_null() { None } else { Some(string(attribute, "attribute")?) };
        Ok(Place { name: string(name, "name")?, attribute })
    }
}

/// # Safety
/// `start` is NULL or leads to `count` integers.
unsafe fn numbers(start: *const i64, count: usize, what: &str) -> Result<Vec<usize>, Failure> {
    // SAFETY: the caller's promise.
    let numbers = unsafe { slice(start, count, what) }?;
    let number = |&number: &i64| {
        usize::try_from(number)
            .map_err(|_| Failure::new(TOX_INVALID_ARGUMENT, format!("{what} has the negative number {number}")))
    };
    numbers.iter().map(number).collect()
}

/// # Safety
/// As [`numbers`], both.
unsafe fn part(first: *const i64, step: *const i64, rank: usize) -> Result<(Vec<usize>, Vec<usize>), Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let step = if step.is_null() { vec![1; rank] } else { numbers(step, rank, "step")? };
        Ok((numbers(first, rank, "first")?, step))
    }
}

/// # Safety
/// `options` is NULL or leads to some, whose chunk is NULL or leads to `rank` integers.
unsafe fn read_options(options: *const tox_storage_options, rank: usize) -> Result<Options, Failure> {
    // SAFETY: the caller's promise.
    let Some(options) = (unsafe { options.as_ref() }) else { return Ok(Options::default()) };
    let chunk = if options.chunk.is_null() {
        None
    } else {
        // SAFETY: the caller's promise.
        Some(unsafe { numbers(options.chunk, rank, "chunk") }?)
    };
    Ok(Options {
        compress: u8::try_from(options.compress).unwrap_or(u8::MAX),
        shuffle: options.shuffle != 0,
        checksum: options.checksum != 0,
        chunk,
    })
}

/// A tensor of any element type that files have, passed off as one of numbers of equal size, which have views.
struct Tensor {
    element: Element,
    moved: DLTensor,
}

/// A tensor whose layout has been checked.
struct Memory<'a> {
    element: Element,
    layout: Layout<'a>,
}

enum Layout<'a> {
    Numbers(Borrowed<'a>),
    Bytes(Typed<'a, u8>),
}

impl Tensor {
    /// # Safety
    /// `tensor` is NULL or leads to a tensor.
    unsafe fn new(tensor: *const DLTensor, name: &str) -> Result<Tensor, Failure> {
        // SAFETY: the caller's promise.
        let mut moved = unsafe { tensor.as_ref() }.copied().ok_or_else(|| Failure::null(name))?;
        let element = Element::try_from(moved.dtype)
            .map_err(|error| Failure { status: TOX_UNSUPPORTED_DTYPE, ..Failure::from(error).about(name) })?;
        moved.dtype = match element {
            Element::I8 | Element::U8 | Element::Bool => Element::Bool.into(),
            Element::I32 | Element::U32 => Element::F32.into(),
            Element::I64 | Element::U64 => Element::F64.into(),
            Element::F32 | Element::F64 | Element::C32 | Element::C64 => moved.dtype,
        };
        Ok(Tensor { element, moved })
    }

    /// # Safety
    /// As [`Borrowed::new`].
    unsafe fn memory(&self, name: &str) -> Result<Memory<'_>, Failure> {
        // SAFETY: the caller's promise; sizes and alignment of the types are equal.
        let layout = unsafe {
            match self.element.size() {
                1 => Typed::new(&self.moved).map(Layout::Bytes),
                _ => Borrowed::new(&self.moved).map(Layout::Numbers),
            }
        };
        let layout = layout.map_err(|error| Failure::from(error).about(name))?;
        Ok(Memory { element: self.element, layout })
    }
}

impl Memory<'_> {
    fn region(&self) -> Region<'_> {
        match &self.layout {
            Layout::Numbers(tensor) => tensor.region(),
            // SAFETY: nothing is read through the view.
            Layout::Bytes(tensor) => unsafe { tensor.view() }.region(),
        }
    }

    fn rank(&self) -> usize {
        self.region().shape.len()
    }

    /// # Safety
    /// Nothing writes the elements while the source lives.
    unsafe fn source(&self, conj: bool) -> Source<'_> {
        let Region { address, shape, strides, .. } = self.region();
        // SAFETY: the layout was checked, and the caller vouches for the memory.
        unsafe { Source::from_raw_parts(self.element, address as *const u8, shape, strides, conj) }
    }

    /// # Safety
    /// Nothing else reads or writes the elements while the target lives.
    unsafe fn target(&self) -> Result<Target<'_>, Failure> {
        let Region { address, shape, strides, .. } = self.region();
        if !is_injective(shape, strides) {
            let error = Error::SelfOverlap { shape: shape.to_vec(), strides: strides.to_vec() };
            return Err(Failure::from(error).about("the output"));
        }
        // SAFETY: the layout was checked, and the caller vouches for the memory.
        Ok(unsafe { Target::from_raw_parts(self.element, address as *mut u8, shape, strides) })
    }
}
