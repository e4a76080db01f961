//! Element types as HDF5 describes them: what a file has, and what memory has.

use std::ffi::{c_uint, CStr, CString};

use crate::functions::*;
use crate::session::{Id, Session};
use crate::{Element, Error};

/// How a file describes elements of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) element: Element,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// A number of HDF5's own.
    Plain,
    /// Names of the real and the imaginary part, or of what is false and what is true.
    Pair(CString, CString),
    /// A byte as a field of bits, as HDF5.jl writes a Bool.
    Bits,
    /// The complex numbers of HDF5 2.
    Complex,
}

/// What a type is in a file.
pub(crate) enum Content {
    Tensor(Described),
    Text,
    Other(String),
}

impl Described {
    /// As new tensors are described: complex numbers as h5py and HDF5.jl do, booleans as h5py does.
    pub(crate) fn standard(element: Element) -> Described {
        let form = match element {
            Element::C32 | Element::C64 => Form::Pair(c"r".into(), c"i".into()),
            Element::Bool => Form::Pair(c"FALSE".into(), c"TRUE".into()),
            _ => Form::Plain,
        };
        Described { element, form }
    }
}

impl Session<'_> {
    fn native(&self, element: Element) -> Hid {
        let natives = &self.constants().natives;
        natives.iter().find(|(known, _)| *known == element.part()).map_or(-1, |(_, id)| *id)
    }

    fn copied(&self, kind: Hid) -> Result<Id<'_>, Error> {
        // SAFETY: the lock is held; an identifier of a type, or -1, which is refused.
        self.id(unsafe { (self.hdf5().H5Tcopy)(kind) }, self.hdf5().H5Tclose, "copying a type")
    }

    /// The type of elements in memory, described so that values of a file with the description `as_in` convert to it.
    pub(crate) fn memory_type(&self, element: Element, as_in: &Described) -> Result<Id<'_>, Error> {
        let hdf5 = self.hdf5();
        let doing = "making a type";
        match (&as_in.form, element) {
            (Form::Bits, _) => self.copied(self.constants().bits),
            (Form::Complex, _) => match hdf5.H5Tcomplex_create {
                // SAFETY: the lock is held; the type is one of HDF5's own.
                Some(create) => self.id(unsafe { create(self.native(element)) }, hdf5.H5Tclose, doing),
                None => Err(Error::Library("this version of HDF5 has no complex numbers".to_owned())),
            },
            (Form::Pair(no, yes), Element::Bool) => {
                // SAFETY: the lock is held; the names are strings, and the values are of the type that is named first.
                unsafe {
                    let id = (hdf5.H5Tenum_create)(self.native(Element::I8));
                    let id = self.id(id, hdf5.H5Tclose, doing)?;
                    for (name, value) in [(no, 0i8), (yes, 1)] {
                        let status = (hdf5.H5Tenum_insert)(id.get(), name.as_ptr(), (&raw const value).cast());
                        self.check(status, doing)?;
                    }
                    Ok(id)
                }
            }
            (Form::Pair(re, im), _) => {
                let (part, size) = (self.native(element), element.part().size());
                // SAFETY: the lock is held; two parts of this size follow each other in the compound.
                unsafe {
                    let id = (hdf5.H5Tcreate)(H5T_COMPOUND, 2 * size);
                    let id = self.id(id, hdf5.H5Tclose, doing)?;
                    self.check((hdf5.H5Tinsert)(id.get(), re.as_ptr(), 0, part), doing)?;
                    self.check((hdf5.H5Tinsert)(id.get(), im.as_ptr(), size, part), doing)?;
                    Ok(id)
                }
            }
            (Form::Plain, _) => self.copied(self.native(element)),
        }
    }

    /// What the type of something in a file is.
    pub(crate) fn content(&self, kind: &Id<'_>) -> Result<Content, Error> {
        let hdf5 = self.hdf5();
        let plain = |element| Content::Tensor(Described { element, form: Form::Plain });
        let other = |text: &str| Ok(Content::Other(text.to_owned()));
        // SAFETY: the lock is held, and the identifier is an open type's, here and below.
        let (class, size) = unsafe { ((hdf5.H5Tget_class)(kind.get()), (hdf5.H5Tget_size)(kind.get())) };
        Ok(match class {
            H5T_STRING => Content::Text,
            H5T_FLOAT => match self.float(kind) {
                Some(element) => plain(element),
                None => return other("has floating-point numbers of another precision than 32 or 64 bits"),
            },
            H5T_INTEGER => {
                // SAFETY: as above.
                let signed = unsafe { (hdf5.H5Tget_sign)(kind.get()) } == H5T_SGN_2;
                // Of 16 bits there are none in memory here: the next larger ones hold them.
                plain(match (signed, size) {
                    (true, 1) => Element::I8,
                    (true, 2 | 4) => Element::I32,
                    (true, 8) => Element::I64,
                    (false, 1) => Element::U8,
                    (false, 2 | 4) => Element::U32,
                    (false, 8) => Element::U64,
                    _ => return other("has integers of an unusual size"),
                })
            }
            H5T_BITFIELD if size == 1 => Content::Tensor(Described { element: Element::Bool, form: Form::Bits }),
            H5T_ENUM => match self.names_of_two(kind)? {
                Some((no, yes))
                    if no.to_bytes().eq_ignore_ascii_case(b"FALSE") && yes.to_bytes().eq_ignore_ascii_case(b"TRUE") =>
                {
                    Content::Tensor(Described { element: Element::Bool, form: Form::Pair(no, yes) })
                }
                _ => return other("is an enumeration"),
            },
            H5T_COMPOUND => match self.complex(kind)? {
                Some(described) => Content::Tensor(described),
                None => return other("is a compound that is no complex number"),
            },
            H5T_COMPLEX => {
                // SAFETY: as above.
                let part = unsafe { (hdf5.H5Tget_super)(kind.get()) };
                let part = self.id(part, hdf5.H5Tclose, "reading a type")?;
                match self.float(&part) {
                    Some(Element::F32) => Content::Tensor(Described { element: Element::C32, form: Form::Complex }),
                    Some(_) => Content::Tensor(Described { element: Element::C64, form: Form::Complex }),
                    None => return other("has complex numbers of an unusual precision"),
                }
            }
            _ => return other("is of a type that is not read here"),
        })
    }

    /// The precision of a floating-point type, if all its values can be had; half precision fits single.
    fn float(&self, kind: &Id<'_>) -> Option<Element> {
        let hdf5 = self.hdf5();
        // SAFETY: the lock is held, and the identifier is an open type's.
        match unsafe { ((hdf5.H5Tget_class)(kind.get()), (hdf5.H5Tget_size)(kind.get())) } {
            (H5T_FLOAT, 2 | 4) => Some(Element::F32),
            (H5T_FLOAT, 8) => Some(Element::F64),
            _ => None,
        }
    }

    /// Names of the members of a compound or an enumeration that has two.
    fn names_of_two(&self, kind: &Id<'_>) -> Result<Option<(CString, CString)>, Error> {
        let hdf5 = self.hdf5();
        // SAFETY: the lock is held, and the identifier is an open type's.
        if unsafe { (hdf5.H5Tget_nmembers)(kind.get()) } != 2 {
            return Ok(None);
        }
        let name = |member: c_uint| {
            // SAFETY: as above; there are two members.
            let text = unsafe { (hdf5.H5Tget_member_name)(kind.get(), member) };
            if text.is_null() {
                return Err(self.failure("reading a type"));
            }
            // SAFETY: a string that HDF5 allocated for the caller, who gives it back.
            unsafe {
                let name = CStr::from_ptr(text).to_owned();
                (hdf5.H5free_memory)(text.cast());
                Ok(name)
            }
        };
        Ok(Some((name(0)?, name(1)?)))
    }

    /// A compound of a real and an imaginary part under one of the pairs of names that are in use, in any order.
    fn complex(&self, kind: &Id<'_>) -> Result<Option<Described>, Error> {
        let hdf5 = self.hdf5();
        let Some((first, second)) = self.names_of_two(kind)? else { return Ok(None) };
        let is = |a: &CStr, b: &CStr| [(c"r", c"i"), (c"re", c"im"), (c"real", c"imag")].contains(&(a, b));
        let part = |member: c_uint| {
            // SAFETY: the lock is held, the identifier is an open type's, and there are two members.
            let part = unsafe { (hdf5.H5Tget_member_type)(kind.get(), member) };
            Ok::<_, Error>(self.float(&self.id(part, hdf5.H5Tclose, "reading a type")?))
        };
        let element = match (part(0)?, part(1)?) {
            (Some(Element::F32), Some(Element::F32)) => Element::C32,
            (Some(Element::F64), Some(Element::F64)) => Element::C64,
            _ => return Ok(None),
        };
        let form = match (is(&first, &second), is(&second, &first)) {
            (true, _) => Form::Pair(first, second),
            (_, true) => Form::Pair(second, first),
            _ => return Ok(None),
        };
        Ok(Some(Described { element, form }))
    }
}
