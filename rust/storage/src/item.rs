//! What a file holds: names, kinds, and how tensors are laid out.

use std::ffi::CString;
use std::fmt;

use tensoroxide_tensor::layout::element_count;

use crate::{Element, Error};

/// The name of something in a file, groups and the name within them parted by `/`; or of an attribute of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The object; `/` is the file itself.
    pub name: &'a str,
    /// Its attribute, if that is meant.
    pub attribute: Option<&'a str>,
}

impl<'a> From<&'a str> for Place<'a> {
    fn from(name: &'a str) -> Place<'a> {
        Place { name, attribute: None }
    }
}

impl Place<'_> {
    /// The attribute of the same object.
    pub fn attribute<'b>(self, attribute: &'b str) -> Place<'b>
    where
        Self: 'b,
    {
        Place { name: self.name, attribute: Some(attribute) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute {
            Some(attribute) => write!(f, "{attribute} of {}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// A name as HDF5 takes it.
pub(crate) fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::Argument(format!("the name {name:?} contains a NUL character")))
}

/// A name that something new can have: not empty, and without parts that HDF5 reads as the group itself.
pub(crate) fn new_name(name: &str) -> Result<&str, Error> {
    let name = name.trim_matches('/');
    if name.split('/').any(|part| part.is_empty() || part == ".") {
        return Err(Error::Argument(format!("{name:?} is no name for something new: a part of it is empty or a dot")));
    }
    Ok(name)
}

/// What something in a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Names, as a folder has them.
    Group,
    /// Numbers of one type; no extents for a single one.
    Tensor(Element),
    /// A text.
    Text,
    /// Something that is not read here.
    Other(String),
}

/// What is known of something in a file before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Extents, the first axis fastest in the file; those that HDF5 itself has are reversed.
    pub shape: Vec<usize>,
    /// Extents of the chunks in which it is kept, if it is.
    pub chunk: Option<Vec<usize>>,
}

/// How a tensor is kept in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// From 1, fast, to 9, small: deflate. 0: as it is.
    pub compress: u8,
    /// Bytes of equal rank stand together before they are compressed, which numbers mostly gain from.
    pub shuffle: bool,
    /// A checksum of each chunk (Fletcher 32), so that reading notices damage.
    pub checksum: bool,
    /// Extents of the chunks; `None` leaves the choice open. Compressed tensors are chunked in any case, others only if
    /// asked.
    pub chunk: Option<Vec<usize>>,
}

impl Options {
    /// The chunks of a tensor, if it is to have some; a single number and no numbers at all have none.
    pub(crate) fn chunk_of(&self, shape: &[usize], element: Element) -> Result<Option<Vec<usize>>, Error> {
        if self.compress > 9 {
            return Err(Error::Argument(format!("compress is from 0 to 9, not {}", self.compress)));
        }
        if let Some(chunk) = &self.chunk {
            let bytes = chunk.iter().try_fold(element.size(), |bytes, &extent| bytes.checked_mul(extent));
            if chunk.len() != shape.len() || chunk.contains(&0) || bytes.is_none_or(|bytes| bytes > MAX_CHUNK) {
                return Err(Error::Argument(format!(
                    "chunks of extents {chunk:?} do not suit a tensor of extents {shape:?}: for each one extent of at \
                     least 1 is needed, and less than 4 GiB in all"
                )));
            }
        }
        if shape.is_empty() || shape.contains(&0) {
            return Ok(None);
        }
        Ok(match &self.chunk {
            // No chunk of a tensor of fixed extents is longer than the tensor.
            Some(chunk) => Some(chunk.iter().zip(shape).map(|(&chunk, &extent)| chunk.min(extent)).collect()),
            None if self.compress > 0 || self.checksum => Some(usual_chunk(shape, element)),
            None => None,
        })
    }
}

impl Options {
    /// Bytes that a tensor takes in the file at most: as many chunks as it touches, in whole, with what finds each.
    pub(crate) fn room(&self, shape: &[usize], element: Element) -> Result<u64, Error> {
        let bytes = (element_count(shape)? * element.size()) as u64;
        let Some(chunk) = self.chunk_of(shape, element)? else { return Ok(bytes) };
        let chunks = chunk.iter().zip(shape).map(|(&chunk, &extent)| extent.div_ceil(chunk) as u64);
        let chunks = chunks.fold(1, u64::saturating_mul);
        let one = chunk.iter().fold(element.size() as u64, |bytes, &extent| bytes.saturating_mul(extent as u64));
        Ok(chunks.saturating_mul(one + 64 + 16 * chunk.len() as u64))
    }
}

const MAX_CHUNK: usize = u32::MAX as usize;

/// Chunks of up to 64 KiB, long along the first axes. Larger ones compress by a few per cent more, and take half as long
/// again.
fn usual_chunk(shape: &[usize], element: Element) -> Vec<usize> {
    let mut chunk = shape.to_vec();
    for axis in (0..chunk.len()).rev() {
        let rest = chunk[..axis].iter().fold(element.size(), |bytes, &extent| bytes.saturating_mul(extent));
        chunk[axis] = ((1 << 16) / rest).clamp(1, chunk[axis]);
        if chunk[axis] > 1 {
            break;
        }
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        let plain = Options::default();
        assert_eq!(plain.chunk_of(&[1000, 1000], Element::F64), Ok(None));
        let packed = Options { compress: 1, ..Options::default() };
        assert_eq!(packed.chunk_of(&[1000, 1000], Element::F64), Ok(Some(vec![1000, 8])));
        assert_eq!(packed.chunk_of(&[1 << 20, 7], Element::C64), Ok(Some(vec![1 << 12, 1])));
        assert_eq!(packed.chunk_of(&[3, 1 << 17, 2], Element::C64), Ok(Some(vec![3, 1365, 1])));
        assert_eq!(packed.chunk_of(&[4, 5], Element::Bool), Ok(Some(vec![4, 5])));
        assert_eq!(packed.chunk_of(&[], Element::F64), Ok(None));
        assert_eq!(packed.chunk_of(&[3, 0], Element::F64), Ok(None));
        let chosen = Options { chunk: Some(vec![10, 10]), ..Options::default() };
        assert_eq!(chosen.chunk_of(&[7, 20], Element::F32), Ok(Some(vec![7, 10])));
        for (chunk, shape) in [(vec![1], vec![2, 2]), (vec![0, 1], vec![2, 2]), (vec![1 << 31, 2], vec![1 << 31, 2])] {
            let chosen = Options { chunk: Some(chunk), ..Options::default() };
            assert!(matches!(chosen.chunk_of(&shape, Element::F32), Err(Error::Argument(_))));
        }
        assert!(Options { compress: 10, ..Options::default() }.chunk_of(&[2], Element::F32).is_err());
    }

    #[test]
    fn room() {
        let plain = Options::default();
        assert_eq!(plain.room(&[3, 5], Element::C64), Ok(240));
        assert_eq!(plain.room(&[], Element::F32), Ok(4));
        let chosen = Options { chunk: Some(vec![2, 4]), ..plain };
        assert_eq!(chosen.room(&[3, 5], Element::C64), Ok(4 * (128 + 64 + 32)));
        assert!(chosen.room(&[1 << 40, 1 << 40], Element::C64).is_err());
    }

    #[test]
    fn names() {
        assert_eq!(new_name("/a/b/"), Ok("a/b"));
        for bad in ["", "/", "a//b", "a/./b", "."] {
            assert!(new_name(bad).is_err(), "{bad:?}");
        }
        assert!(c_name("a\0b").is_err());
        assert_eq!(Place::from("a").attribute("unit").to_string(), "unit of a");
    }
}
