//! What happens to a matrix before and after a factorization: the copy, the search for NaN, and the power of two that
//! brings its largest part to 1..2.
//!
//! faer squares entries without scaling, and returns wrong factors for entries near the ends of the exponent's range.
//! A power of two changes no digit of an entry, unless the entry is so much smaller than the largest one that it
//! vanishes beside it in any case.

use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Real, Scalar};

use crate::workspace::{Plain, Workspace};
use crate::{Error, MatRef, Matrix};

/// Which elements of a matrix count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All.
    Full,
    /// Those on and below the diagonal, and of the diagonal the real parts: a Hermitian matrix has no others.
    Lower,
}

/// Which elements of a matrix count for elimination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// All.
    Both,
    /// Those on and below the diagonal.
    Lower,
    /// Those on and above the diagonal.
    Upper,
    /// Those below the diagonal, which itself is taken to be 1.
    UnitLower,
    /// Those above the diagonal, which itself is taken to be 1.
    UnitUpper,
}

impl Triangle {
    pub(crate) fn is_unit(self) -> bool {
        matches!(self, Triangle::UnitLower | Triangle::UnitUpper)
    }

    pub(crate) fn is_upper(self) -> bool {
        matches!(self, Triangle::Upper | Triangle::UnitUpper)
    }

    /// Rows of column `j` of a matrix with `m` rows.
    fn rows(self, j: usize, m: usize) -> std::ops::Range<usize> {
        match self {
            Triangle::Both => 0..m,
            Triangle::Lower => j.min(m)..m,
            Triangle::UnitLower => (j + 1).min(m)..m,
            Triangle::Upper => 0..(j + 1).min(m),
            Triangle::UnitUpper => 0..j.min(m),
        }
    }
}

/// A copy of `part` of op(A) divided by 2^e, and e; the rest of the copy is 0.
pub(crate) fn scaled_copy<'w, T: Plain + Scalar>(
    a: MatRef<T>,
    conj: bool,
    part: Part,
    workspace: &'w Workspace,
) -> Result<(Matrix<'w, T>, i32), Error> {
    let mut copy = match part {
        Part::Full => Matrix::copy_of(a, conj, workspace)?,
        Part::Lower => lower_copy(a, conj, workspace)?,
    };
    let e = exponent(largest(copy.elements())?);
    if e != 0 {
        let factors = factors::<T::Real>(-e);
        copy.elements_mut().iter_mut().for_each(|x| *x = x.scale(factors.0).scale(factors.1));
    }
    Ok((copy, e))
}

/// A copy of the lower triangle of op(A), with a real diagonal.
fn lower_copy<'w, T: Plain + Scalar>(
    a: MatRef<T>,
    conj: bool,
    workspace: &'w Workspace,
) -> Result<Matrix<'w, T>, Error> {
    let mut copy = Matrix::zeros(a.rows(), a.cols(), workspace)?;
    let below = Triangle::Lower;
    for j in 0..a.cols() {
        for i in below.rows(j, a.rows()) {
            // SAFETY: the indices are in bounds.
            let x = unsafe { a.get_unchecked(i, j) };
            copy.col_mut(j)[i] = match (i == j, conj) {
                (true, _) => T::from_real(x.re()),
                (false, true) => x.conj(),
                (false, false) => x,
            };
        }
    }
    Ok(copy)
}

/// A copy of a triangle of op(A) divided by 2^e, and e; the rest of the copy is 0.
///
/// Elimination neither squares entries nor needs them near 1, and a system whose rows have very different sizes would
/// lose the small ones if it were scaled by its largest entry. So e is 0, unless the largest entry is so near to the
/// end of the range that sums may leave it, or so small that a unit in its last place is not far above the smallest
/// number: it is then moved by as much as that takes. A multiple of 2, so that it has a root.
pub(crate) fn moderate_copy<'w, T: Plain + Scalar>(
    a: MatRef<T>,
    conj: bool,
    triangle: Triangle,
    workspace: &'w Workspace,
) -> Result<(Matrix<'w, T>, i32), Error> {
    let mut copy = Matrix::zeros(a.rows(), a.cols(), workspace)?;
    if triangle == Triangle::Both {
        copy.as_mut().copy_from(a)?;
    } else {
        for j in 0..a.cols() {
            for i in triangle.rows(j, a.rows()) {
                // SAFETY: the indices are in bounds.
                copy.col_mut(j)[i] = unsafe { a.get_unchecked(i, j) };
            }
        }
    }
    if conj && T::DTYPE.is_complex() {
        copy.elements_mut().iter_mut().for_each(|x| *x = x.conj());
    }
    let shift = moderate_shift::<T::Real>(largest(copy.elements())?);
    if shift != 0 {
        let factors = factors::<T::Real>(-shift);
        copy.elements_mut().iter_mut().for_each(|x| *x = x.scale(factors.0).scale(factors.1));
    }
    Ok((copy, shift))
}

/// The e by which [`moderate_copy`] moves a matrix with this largest part; not 0 for NaN and infinity.
pub(crate) fn moderate_shift<R: Real>(largest: f64) -> i32 {
    let (least, most) = moderate::<R>();
    let e = exponent(largest);
    if largest == 0.0 {
        0
    } else {
        (e - e.clamp(least, most)) & !1
    }
}

/// The exponents between which elimination is safe: 2^20 (single precision) or 2^60 below the largest number, for the
/// growth of the entries; twice their digits above the smallest.
fn moderate<R: Real>() -> (i32, i32) {
    let digits = -exponent(R::EPSILON.to_f64());
    let (min, max) = (exponent(R::MIN_POSITIVE.to_f64()), exponent(R::MAX.to_f64()));
    (min + digits, max - if digits < 30 { 20 } else { 60 })
}

/// The largest part of any of the elements; [`Error::NotFinite`] if one is NaN or infinite.
pub(crate) fn largest<T: Scalar>(elements: &[T]) -> Result<f64, Error> {
    let largest = f64::from_bits(Isa::best().run(Largest(elements)));
    if largest.is_finite() {
        Ok(largest)
    } else {
        Err(Error::NotFinite)
    }
}

/// The bits of the largest absolute value of a part. The bits of numbers without a sign are ordered as the numbers
/// are, and those of infinity and NaN come last, so that one maximum tells all.
struct Largest<'a, T>(&'a [T]);

impl<T: Scalar> Task for Largest<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self) -> u64 {
        let bits = |x: T::Real| x.to_f64().to_bits() & (u64::MAX >> 1);
        self.0.iter().fold(0, |largest, x| largest.max(bits(x.re())).max(bits(x.im())))
    }
}

/// Multiplies results by 2^e. They may become larger than the type can hold: [`Error::NotFinite`].
pub(crate) fn scale_back<T: Scalar>(elements: &mut [T], e: i32) -> Result<(), Error> {
    let factors = factors::<T::Real>(e);
    let mut finite = true;
    for x in elements {
        *x = x.scale(factors.0).scale(factors.1);
        finite &= x.is_finite();
    }
    if finite {
        Ok(())
    } else {
        Err(Error::NotFinite)
    }
}

/// 2^e as a product of two factors, since 2^e itself may lie beyond the range of the type.
pub(crate) fn factors<R: Real>(e: i32) -> (R, R) {
    (R::exp2i(e / 2), R::exp2i(e - e / 2))
}

/// The e with 2^e ≤ x < 2^(e+1), for x ≥ 0; 0 for x = 0.
pub(crate) fn exponent(x: f64) -> i32 {
    if x == 0.0 {
        return 0;
    }
    let biased = |x: f64| (x.to_bits() >> 52) as i32;
    match biased(x) {
        0 => biased(x * (1u64 << 54) as f64) - 1023 - 54,
        b => b - 1023,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::{Complex32, Complex64};

    #[test]
    fn exponents() {
        for e in -1074..1024 {
            let x = 2f64.powi(e / 2) * 2f64.powi(e - e / 2);
            assert_eq!(exponent(x), e);
            assert_eq!(exponent(x * 1.5), if e == -1074 { -1073 } else { e });
        }
        assert_eq!(exponent(0.0), 0);
    }

    #[test]
    fn there_and_back_is_exact_over_the_whole_range() {
        let workspace = Workspace::default();
        for x in [5e-324, 3e-310, 1e-300, 1e-170, 0.7, 1.0, 3.0, 1e155, 1e300, f64::MAX] {
            let a = [Complex64::new(0.0, -x), Complex64::new(x, x)];
            let (mut copy, e) =
                scaled_copy(MatRef::from_slice(&a, 2, 1, 1, 2).unwrap(), true, Part::Full, &workspace).unwrap();
            let y = copy.col(0)[0].im;
            assert!((1.0..2.0).contains(&y), "{x}: {y}");
            scale_back(copy.col_mut(0), e).unwrap();
            assert_eq!(copy.col(0), [a[0].conj(), a[1].conj()]);
        }
        let a = [1e-45f32, f32::MAX];
        for x in a {
            let (mut copy, e) =
                scaled_copy(MatRef::from_slice(&[x], 1, 1, 1, 1).unwrap(), false, Part::Full, &workspace).unwrap();
            assert!((1.0..2.0).contains(&copy.col(0)[0]));
            scale_back(copy.col_mut(0), e).unwrap();
            assert_eq!(copy.col(0)[0], x);
        }
        assert_eq!(scale_back(&mut [1.0, 4.0f32], 126), Err(Error::NotFinite));
    }

    #[test]
    fn elimination_moves_only_what_is_near_an_end() {
        let workspace = Workspace::default();
        for (x, shift) in [(1e-290, false), (5e-324, true), (1.0, false), (1e280, false), (1e300, true), (1e308, true)]
        {
            let a = [x, 1e-310, 0.0, 0.0];
            let a = MatRef::from_slice(&a, 2, 2, 1, 2).unwrap();
            let (copy, e) = moderate_copy(a, false, Triangle::Both, &workspace).unwrap();
            assert_eq!((e != 0, e % 2), (shift, 0), "{x}");
            let (down, up) = factors::<f64>(e);
            assert_eq!(copy.col(0)[0] * down * up, x);
        }
        let nan = [1.0f32, 2.0, f32::NAN, 3.0];
        let a = MatRef::from_slice(&nan, 2, 2, 1, 2).unwrap();
        assert_eq!(moderate_copy(a, false, Triangle::Lower, &workspace).unwrap().0.elements(), [1.0, 2.0, 0.0, 3.0]);
        assert_eq!(
            moderate_copy(a.t(), false, Triangle::UnitUpper, &workspace).unwrap().0.elements(),
            [0.0, 0.0, 2.0, 0.0]
        );
        for triangle in [Triangle::Both, Triangle::Upper, Triangle::UnitUpper] {
            assert_eq!(moderate_copy(a, false, triangle, &workspace).err(), Some(Error::NotFinite));
        }
    }

    #[test]
    fn the_upper_triangle_does_not_count() {
        let workspace = Workspace::default();
        let i = Complex32::I;
        let a = [i + 3.0, i * 2.0, Complex32::new(f32::NAN, 0.0), i - 1.0];
        let a = MatRef::from_slice(&a, 2, 2, 1, 2).unwrap();
        let (copy, e) = scaled_copy(a, true, Part::Lower, &workspace).unwrap();
        assert_eq!(e, 1);
        assert_eq!(copy.elements(), [Complex32::from(1.5), -i, Complex32::from(0.0), Complex32::from(-0.5)]);
        assert_eq!(scaled_copy(a, false, Part::Full, &workspace).err(), Some(Error::NotFinite));
        assert_eq!(scaled_copy(a.t(), false, Part::Lower, &workspace).err(), Some(Error::NotFinite));
    }

    #[test]
    fn not_finite_is_found_anywhere() {
        let workspace = Workspace::default();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for at in 0..6 {
                for z in [Complex64::new(bad, 0.0), Complex64::new(0.0, bad)] {
                    let mut a = [Complex64::ONE; 6];
                    a[at] = z;
                    let a = MatRef::from_slice(&a, 2, 3, 1, 2).unwrap();
                    assert_eq!(scaled_copy(a, false, Part::Full, &workspace).err(), Some(Error::NotFinite));
                }
            }
        }
    }
}
