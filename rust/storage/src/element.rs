//! Element types of tensors in files.

use std::fmt;

use tensoroxide_tensor::dlpack::DLDataType;
use tensoroxide_tensor::{Complex32, Complex64};

/// The element type of a tensor in a file or in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Element {
    F32,
    F64,
    C32,
    C64,
    I8,
    I32,
    I64,
    U8,
    U32,
    U64,
    /// A byte, 0 or 1.
    Bool,
}

use Element::{Bool, C32, C64, F32, F64, I32, I64, I8, U32, U64, U8};

impl Element {
    /// Every element type.
    pub const ALL: [Element; 11] = [F32, F64, C32, C64, I8, I32, I64, U8, U32, U64, Bool];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            I8 | U8 | Bool => 1,
            F32 | I32 | U32 => 4,
            F64 | C32 | I64 | U64 => 8,
            C64 => 16,
        }
    }

    /// The type of the two parts of a complex number; other types themselves.
    pub(crate) const fn part(self) -> Element {
        match self {
            C32 => F32,
            C64 => F64,
            other => other,
        }
    }

    /// Whether the type has an imaginary part.
    pub const fn is_complex(self) -> bool {
        matches!(self, C32 | C64)
    }

    /// Whether values of type `self` may be read into `memory`: the same type, or floating point of another precision.
    pub(crate) fn converts_to(self, memory: Element) -> bool {
        self == memory
            || (matches!(self, F32 | F64) && matches!(memory, F32 | F64))
            || (self.is_complex() && memory.is_complex())
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            F32 => "Float32",
            F64 => "Float64",
            C32 => "ComplexF32",
            C64 => "ComplexF64",
            I8 => "Int8",
            I32 => "Int32",
            I64 => "Int64",
            U8 => "UInt8",
            U32 => "UInt32",
            U64 => "UInt64",
            Bool => "Bool",
        })
    }
}

impl From<Element> for DLDataType {
    fn from(element: Element) -> DLDataType {
        let code = match element {
            I8 | I32 | I64 => 0,
            U8 | U32 | U64 => 1,
            F32 | F64 => 2,
            C32 | C64 => 5,
            Bool => 6,
        };
        DLDataType { code, bits: 8 * element.size() as u8, lanes: 1 }
    }
}

impl TryFrom<DLDataType> for Element {
    type Error = crate::Error;
    fn try_from(dtype: DLDataType) -> Result<Element, Self::Error> {
        let known = Element::ALL.into_iter().find(|&element| DLDataType::from(element) == dtype);
        known.ok_or_else(|| {
            let DLDataType { code, bits, lanes } = dtype;
            let names: Vec<String> = Element::ALL.iter().map(Element::to_string).collect();
            crate::Error::Argument(format!(
                "elements of DLPack type code {code} with {bits} bits and {lanes} lanes are not stored; {} are",
                names.join(", ")
            ))
        })
    }
}

/// A Rust type whose values files hold.
///
/// # Safety
/// Values of the type lie in memory as those of `ELEMENT` do, and every value of all zero bits is valid.
pub unsafe trait Stored: Copy {
    /// The run-time name.
    const ELEMENT: Element;
}

macro_rules! stored {
    ($($t:ty => $element:ident;)*) => {$(
        // SAFETY: the names are those of the types; a bool is a byte that is 0 or 1, and what is read is made so.
        unsafe impl Stored for $t {
            const ELEMENT: Element = $element;
        }
    )*};
}
stored! {
    f32 => F32; f64 => F64; Complex32 => C32; Complex64 => C64; i8 => I8; i32 => I32; i64 => I64; u8 => U8; u32 => U32;
    u64 => U64; bool => Bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_go_there_and_back() {
        for element in Element::ALL {
            assert_eq!(Element::try_from(DLDataType::from(element)), Ok(element));
            assert_eq!(element.part().size() * if element.is_complex() { 2 } else { 1 }, element.size());
        }
        for (code, bits, lanes) in [(2, 16, 1), (0, 16, 1), (2, 64, 2), (6, 1, 1), (3, 64, 1)] {
            assert!(Element::try_from(DLDataType { code, bits, lanes }).is_err());
        }
    }

    #[test]
    fn nothing_is_read_as_less_than_it_is() {
        assert!(F64.converts_to(F32) && C32.converts_to(C64));
        assert!(!F64.converts_to(C64) && !C64.converts_to(F64) && !I64.converts_to(F64) && !I32.converts_to(I64));
    }
}
