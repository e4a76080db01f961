//! What a call on an open file does inside HDF5: finding things, making them, and moving elements.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::{null, null_mut};

use crate::functions::*;
use crate::item::{c_name, new_name};
use crate::memory::Room;
use crate::pieces::pieces;
use crate::session::{Id, Session};
use crate::types::{Content, Described};
use crate::{Element, Error, Options, Place, Source, Target};

/// Elements that are packed at a time: some MiB.
const PACKED: usize = 1 << 19;

/// HDF5's extents of a shape: its last axis is the fastest.
fn reversed(shape: &[usize]) -> Vec<Hsize> {
    shape.iter().rev().map(|&extent| extent as Hsize).collect()
}

/// A call on an open file, while the lock is held.
pub(crate) struct Work<'f> {
    pub(crate) session: Session<'f>,
    pub(crate) id: Hid,
}

/// A dataset or an attribute.
pub(crate) struct Found<'w> {
    pub(crate) id: Id<'w>,
    pub(crate) kind: Id<'w>,
    pub(crate) content: Content,
    pub(crate) shape: Vec<usize>,
    pub(crate) chunk: Option<Vec<usize>>,
    pub(crate) attribute: bool,
}

pub(crate) struct FoundTensor<'w> {
    pub(crate) id: Id<'w>,
    pub(crate) described: Described,
    pub(crate) shape: Vec<usize>,
    pub(crate) attribute: bool,
}

impl Work<'_> {
    /// Closes what was written to; chunks that HDF5 held back are written now.
    pub(crate) fn close(&self, dataset: Id<'_>) -> Result<(), Error> {
        self.session.check(dataset.close(), "writing the rest of a tensor").map(drop)
    }

    /// Whether the name and all groups above it are there.
    pub(crate) fn exists(&self, name: &str) -> Result<bool, Error> {
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
    pub(crate) fn object(&self, name: &str) -> Result<Id<'_>, Error> {
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

    pub(crate) fn has_attribute(&self, object: &Id<'_>, attribute: &str) -> Result<bool, Error> {
        let name = c_name(attribute)?;
        // SAFETY: the lock is held, the object is open, and the name is a string.
        let found = unsafe { (self.session.hdf5().H5Aexists)(object.get(), name.as_ptr()) };
        Ok(self.session.check(found, "looking for an attribute")? > 0)
    }

    /// Opens a dataset or an attribute, and finds out what it is; `None` for a group.
    pub(crate) fn find(&self, place: Place<'_>) -> Result<Option<Found<'_>>, Error> {
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

    pub(crate) fn tensor(&self, place: Place<'_>) -> Result<FoundTensor<'_>, Error> {
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

    pub(crate) fn space(&self, shape: &[usize]) -> Result<Id<'_>, Error> {
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

    pub(crate) fn create(
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
    pub(crate) fn make_dataset(
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
    pub(crate) fn make_groups_above(&self, name: &str) -> Result<(), Error> {
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

    pub(crate) fn put_attribute(
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
    pub(crate) fn transfer_in(
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

    pub(crate) fn transfer_out(
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
    pub(crate) fn collect(
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
