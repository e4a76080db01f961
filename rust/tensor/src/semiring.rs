//! Other algebras than that of numbers: two operations under which a sum of products makes sense.
//!
//! | semiring | elements | ⊕ | ⊗ | zero | one |
//! |---|---|---|---|---|---|
//! | [`MaxPlus`] | `f32`, `f64` | maximum | + | −∞ | 0 |
//! | [`MinPlus`] | `f32`, `f64` | minimum | + | +∞ | 0 |
//! | [`MaxTimes`] | `f32`, `f64`, none negative | maximum | · | 0 | 1 |
//! | [`AndOr`] | bytes that are 0 or 1 | or | and | 0 | 1 |
//! | [`Wrapping`] | `i64`, modulo 2⁶⁴ | + | · | 0 | 1 |
//!
//! Each ⊕ is associative and commutative without a rounding, so that the order of a sum never shows.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::dlpack::DLDataType;

/// What a semiring computes with: plain data of which zero bits are a value.
///
/// # Safety
/// A value of all zero bits is valid, and `DATA_TYPE` describes the type's memory.
#[allow(unsafe_code)]
pub unsafe trait Plain: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// DLPack's name of the type.
    const DATA_TYPE: DLDataType;
    /// Julia's name of the type, for texts.
    const NAME: &'static str;
}

macro_rules! plain {
    ($($t:ty, $code:literal, $name:literal;)*) => {$(
        // SAFETY: as DLPack defines its codes 0 (int), 2 (float) and 6 (bool: a byte, 0 or 1).
        #[allow(unsafe_code)]
        unsafe impl Plain for $t {
            const DATA_TYPE: DLDataType = DLDataType { code: $code, bits: 8 * size_of::<$t>() as u8, lanes: 1 };
            const NAME: &'static str = $name;
        }
    )*};
}
plain! { f32, 2, "Float32"; f64, 2, "Float64"; i64, 0, "Int64"; u8, 6, "Bool"; }

/// A set with two operations: ⊕ commutative with a zero, ⊗ with a one; ⊗ distributes over ⊕, and the zero annihilates.
pub trait Semiring: Copy + Debug + Send + Sync + 'static {
    /// What tensors hold.
    type Element: Plain;
    /// What ⊕ leaves as it is.
    const ZERO: Self::Element;
    /// What ⊗ leaves as it is.
    const ONE: Self::Element;
    /// Its name in texts.
    const NAME: &'static str;
    /// x ⊕ y.
    fn add(x: Self::Element, y: Self::Element) -> Self::Element;
    /// x ⊗ y.
    fn mul(x: Self::Element, y: Self::Element) -> Self::Element;
}

/// A semiring whose ⊕ chooses one of its arguments: a sum then has a term that it is equal to.
pub trait Selective: Semiring {
    /// Whether x ⊕ y is x and not y.
    fn better(x: Self::Element, y: Self::Element) -> bool;
}

/// Maximum and +: logarithms of weights, the ground state of a spin glass, the longest path. NaN, also that of −∞ + ∞,
/// counts as the zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxPlus<T>(PhantomData<T>);

/// Minimum and +: the shortest path. NaN counts as the zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct MinPlus<T>(PhantomData<T>);

/// Maximum and · of numbers that are not negative: the most probable configuration. NaN, also that of 0·∞, counts as
/// the zero; what comes out of negative numbers has no meaning.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxTimes<T>(PhantomData<T>);

/// Or, and: whether there is a way at all. Bytes, 0 or 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct AndOr;

/// Integers modulo 2⁶⁴, as Julia's `Int64`: the number of ways.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wrapping;

macro_rules! selective {
    ($($semiring:ident<$t:ty>, $zero:expr, $one:expr, $x:ident $y:ident => $better:expr, $product:expr;)*) => {$(
        impl Semiring for $semiring<$t> {
            type Element = $t;
            const ZERO: $t = $zero;
            const ONE: $t = $one;
            const NAME: &'static str = stringify!($semiring);
            #[inline(always)]
            fn add($x: $t, $y: $t) -> $t {
                if $better { $x } else { $y }
            }
            #[inline(always)]
            fn mul($x: $t, $y: $t) -> $t {
                $product
            }
        }
        impl Selective for $semiring<$t> {
            #[inline(always)]
            fn better($x: $t, $y: $t) -> bool {
                $better
            }
        }
    )*};
}
// The comparison is false for a NaN on either side: a NaN on the left is never taken.
selective! {
    MaxPlus<f32>, f32::NEG_INFINITY, 0.0, x y => x > y, x + y;
    MaxPlus<f64>, f64::NEG_INFINITY, 0.0, x y => x > y, x + y;
    MinPlus<f32>, f32::INFINITY, 0.0, x y => x < y, x + y;
    MinPlus<f64>, f64::INFINITY, 0.0, x y => x < y, x + y;
    MaxTimes<f32>, 0.0, 1.0, x y => x > y, x * y;
    MaxTimes<f64>, 0.0, 1.0, x y => x > y, x * y;
}

impl Semiring for AndOr {
    type Element = u8;
    const ZERO: u8 = 0;
    const ONE: u8 = 1;
    const NAME: &'static str = "AndOr";
    #[inline(always)]
    fn add(x: u8, y: u8) -> u8 {
        x | y
    }
    #[inline(always)]
    fn mul(x: u8, y: u8) -> u8 {
        x & y
    }
}

impl Semiring for Wrapping {
    type Element = i64;
    const ZERO: i64 = 0;
    const ONE: i64 = 1;
    const NAME: &'static str = "Wrapping";
    #[inline(always)]
    fn add(x: i64, y: i64) -> i64 {
        x.wrapping_add(y)
    }
    #[inline(always)]
    fn mul(x: i64, y: i64) -> i64 {
        x.wrapping_mul(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laws<S: Semiring>(values: &[S::Element]) {
        for &x in values {
            assert_eq!((S::add(x, S::ZERO), S::add(S::ZERO, x)), (x, x), "{} {x:?}", S::NAME);
            assert_eq!((S::mul(x, S::ONE), S::mul(S::ONE, x)), (x, x));
            assert_eq!(S::add(S::ZERO, S::mul(x, S::ZERO)), S::ZERO);
            for &y in values {
                assert_eq!((S::add(x, y), S::mul(x, y)), (S::add(y, x), S::mul(y, x)));
                for &z in values {
                    assert_eq!(S::add(S::add(x, y), z), S::add(x, S::add(y, z)));
                    assert_eq!(S::mul(x, S::add(y, z)), S::add(S::mul(x, y), S::mul(x, z)));
                }
            }
        }
    }

    #[test]
    fn the_laws_hold() {
        let small = [f64::NEG_INFINITY, -2.0, 0.0, 1.0, 3.5];
        laws::<MaxPlus<f64>>(&small);
        laws::<MaxPlus<f32>>(&small.map(|x| x as f32));
        laws::<MinPlus<f64>>(&small.map(|x| -x));
        laws::<MinPlus<f32>>(&small.map(|x| -x as f32));
        laws::<MaxTimes<f64>>(&[0.0, 0.5, 1.0, 4.0]);
        laws::<MaxTimes<f32>>(&[0.0, 0.5, 1.0, 4.0]);
        laws::<AndOr>(&[0, 1]);
        laws::<Wrapping>(&[i64::MIN, -3, 0, 1, i64::MAX]);
    }

    #[test]
    fn a_nan_counts_as_the_zero_in_a_sum() {
        assert_eq!(MaxPlus::<f64>::add(f64::NAN, 1.0), 1.0);
        let annihilated = MaxPlus::<f64>::mul(f64::INFINITY, f64::NEG_INFINITY);
        assert_eq!(MaxPlus::<f64>::add(annihilated, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(MaxTimes::<f64>::add(MaxTimes::<f64>::mul(0.0, f64::INFINITY), 0.0), 0.0);
    }
}
