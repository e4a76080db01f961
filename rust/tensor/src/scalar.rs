//! The four element types and what every kernel may ask of them.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

pub use num_complex::{Complex32, Complex64};

use crate::simd::{Simd, Vector};

/// The run-time name of an element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// Two binary32: real part, imaginary part.
    C32,
    /// Two binary64: real part, imaginary part.
    C64,
}

impl DType {
    /// All element types, in a fixed order.
    pub const ALL: [DType; 4] = [DType::F32, DType::F64, DType::C32, DType::C64];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::C32 => 8,
            DType::C64 => 16,
        }
    }

    /// Bytes that an element's address must be a multiple of: those of a real number.
    pub const fn alignment(self) -> usize {
        match self {
            DType::F32 | DType::C32 => 4,
            DType::F64 | DType::C64 => 8,
        }
    }

    /// Whether the type has an imaginary part.
    pub const fn is_complex(self) -> bool {
        matches!(self, DType::C32 | DType::C64)
    }
}

impl fmt::Display for DType {
    /// Julia's names, since most readers of an error text are Julia users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DType::F32 => "Float32",
            DType::F64 => "Float64",
            DType::C32 => "ComplexF32",
            DType::C64 => "ComplexF64",
        })
    }
}

/// An element of a tensor.
///
/// # Safety
/// A value of all zero bits is valid, and `DTYPE` describes the type's layout in memory: kernels cast pointers by it.
#[allow(unsafe_code)]
pub unsafe trait Scalar:
    Copy
    + Default
    + fmt::Debug
    + PartialEq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// The type of absolute values: `f32` or `f64`.
    type Real: Real;
    /// The run-time name.
    const DTYPE: DType;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// Complex conjugate; the value itself for a real type.
    fn conj(self) -> Self;
    /// Real part.
    fn re(self) -> Self::Real;
    /// Imaginary part; 0 for a real type.
    fn im(self) -> Self::Real;
    /// A real number as this type.
    fn from_real(x: Self::Real) -> Self;
    /// The value nearest to a complex number; a real type keeps the real part only.
    fn from_c64(z: Complex64) -> Self;
    /// This value in double precision.
    fn to_c64(self) -> Complex64;
    /// |x|², without the square root.
    fn abs_sqr(self) -> Self::Real;
    /// |x|, without undue overflow or underflow.
    fn abs(self) -> Self::Real;
    /// Product with a real number.
    fn scale(self, x: Self::Real) -> Self;
    /// Neither part is NaN or infinite.
    fn is_finite(self) -> bool;
}

/// A real element type: what singular values, norms and tolerances are made of.
pub trait Real: Scalar<Real = Self> + PartialOrd + fmt::Display {
    /// The register of an instruction set that holds such numbers.
    type Register<S: Simd>: Vector<Lane = Self>;
    /// Distance from 1 to the next larger value.
    const EPSILON: Self;
    /// Smallest positive normal value.
    const MIN_POSITIVE: Self;
    /// Largest finite value.
    const MAX: Self;
    /// Rounds a double to this type.
    fn from_f64(x: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// 2ⁿ; 0 or infinity beyond the range.
    fn exp2i(n: i32) -> Self;
    /// The larger of two values; the other one if one is NaN.
    fn max(self, other: Self) -> Self;
}

macro_rules! real {
    ($t:ident, $dtype:ident, $register:ident) => {
        // SAFETY: `$t` is the IEEE type that `DType::$dtype` names; zero bits are 0.0.
        #[allow(unsafe_code)]
        unsafe impl Scalar for $t {
            type Real = $t;
            const DTYPE: DType = DType::$dtype;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn conj(self) -> Self {
                self
            }
            #[inline(always)]
            fn re(self) -> $t {
                self
            }
            #[inline(always)]
            fn im(self) -> $t {
                0.0
            }
            #[inline(always)]
            fn from_real(x: $t) -> Self {
                x
            }
            #[inline(always)]
            fn from_c64(z: Complex64) -> Self {
                z.re as $t
            }
            #[inline(always)]
            fn to_c64(self) -> Complex64 {
                Complex64::new(f64::from(self), 0.0)
            }
            #[inline(always)]
            fn abs_sqr(self) -> $t {
                self * self
            }
            #[inline(always)]
            fn abs(self) -> $t {
                $t::abs(self)
            }
            #[inline(always)]
            fn scale(self, x: $t) -> Self {
                self * x
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
        }

        impl Real for $t {
            type Register<S: Simd> = S::$register;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const MAX: Self = $t::MAX;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline]
            fn exp2i(n: i32) -> Self {
                (2.0 as $t).powi(n)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $t::max(self, other)
            }
        }
    };
}

macro_rules! complex {
    ($t:ident, $real:ident, $dtype:ident) => {
        // SAFETY: `num_complex::Complex` is `repr(C)`, real part first, as `DType::$dtype` says; zero bits are 0 + 0i.
        #[allow(unsafe_code)]
        unsafe impl Scalar for $t {
            type Real = $real;
            const DTYPE: DType = DType::$dtype;
            const ZERO: Self = $t::new(0.0, 0.0);
            const ONE: Self = $t::new(1.0, 0.0);

            #[inline(always)]
            fn conj(self) -> Self {
                $t::new(self.re, -self.im)
            }
            #[inline(always)]
            fn re(self) -> $real {
                self.re
            }
            #[inline(always)]
            fn im(self) -> $real {
                self.im
            }
            #[inline(always)]
            fn from_real(x: $real) -> Self {
                $t::new(x, 0.0)
            }
            #[inline(always)]
            fn from_c64(z: Complex64) -> Self {
                $t::new(z.re as $real, z.im as $real)
            }
            #[inline(always)]
            fn to_c64(self) -> Complex64 {
                Complex64::new(f64::from(self.re), f64::from(self.im))
            }
            #[inline(always)]
            fn abs_sqr(self) -> $real {
                self.re * self.re + self.im * self.im
            }
            #[inline(always)]
            fn abs(self) -> $real {
                self.re.hypot(self.im)
            }
            #[inline(always)]
            fn scale(self, x: $real) -> Self {
                $t::new(self.re * x, self.im * x)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
        }
    };
}

real!(f32, F32, F32);
real!(f64, F64, F64);
complex!(Complex32, f32, C32);
complex!(Complex64, f64, C64);

/// Calls a generic function with the type that a [`DType`] names.
///
/// ```
/// use tensoroxide_tensor::{with_scalar, DType, Scalar};
/// fn bytes<T: Scalar>() -> usize { std::mem::size_of::<T>() }
/// assert_eq!(with_scalar!(DType::C32, T => bytes::<T>()), 8);
/// ```
#[macro_export]
macro_rules! with_scalar {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::DType::C32 => {
                type $t = $crate::Complex32;
                $body
            }
            $crate::DType::C64 => {
                type $t = $crate::Complex64;
                $body
            }
        }
    };
}
