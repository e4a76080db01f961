//! The vectors of a method: the columns of one matrix, orthonormal as far as the method has got.

use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_tensor::{Buffer, Real, Scalar, Threads};

use crate::Error;

/// Rows that are combined at a time: so many of all columns together stay in the cache.
const ROWS: usize = 512;

/// Columns of equal length in one piece of memory, each at a cache line's start.
#[derive(Debug)]
pub(crate) struct Basis<T: Element> {
    data: Buffer<T>,
    n: usize,
    stride: usize,
    scratch: Vec<T>,
}

impl<T: Element> Default for Basis<T> {
    fn default() -> Basis<T> {
        let data = Buffer::zeroed(0).expect("nothing takes no memory");
        Basis { data, n: 0, stride: 0, scratch: Vec::new() }
    }
}

impl<T: Element> Basis<T> {
    /// Makes room for columns of length n, which hold anything.
    pub(crate) fn resize(&mut self, n: usize, columns: usize) -> Result<(), Error> {
        let too_large = || tensoroxide_tensor::Error::TooLarge { shape: vec![n, columns] };
        let stride = n.checked_next_multiple_of(64 / size_of::<T>().min(64)).ok_or_else(too_large)?;
        let needed = stride.checked_mul(columns).ok_or_else(too_large)?;
        if self.data.len() < needed {
            // The old memory goes before the new one comes.
            self.data = Buffer::zeroed(0)?;
            self.data = Buffer::zeroed(needed)?;
        }
        (self.n, self.stride) = (n, stride);
        Ok(())
    }

    pub(crate) fn col(&self, j: usize) -> &[T] {
        &self.data[j * self.stride..][..self.n]
    }

    pub(crate) fn col_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.data[j * self.stride..][..self.n]
    }

    /// The first k columns.
    pub(crate) fn columns(&self, k: usize) -> Result<MatRef<'_, T>, Error> {
        Ok(MatRef::from_slice(&self.data, self.n, k, 1, self.stride as isize)?)
    }

    /// Column i to read and column j > i to write.
    pub(crate) fn pair(&mut self, i: usize, j: usize) -> (&[T], &mut [T]) {
        let (before, from) = self.data.split_at_mut(j * self.stride);
        (&before[i * self.stride..][..self.n], &mut from[..self.n])
    }

    /// Column i to write and column j > i to read.
    pub(crate) fn pair_mut_first(&mut self, i: usize, j: usize) -> (&mut [T], &[T]) {
        let (before, from) = self.data.split_at_mut(j * self.stride);
        (&mut before[i * self.stride..][..self.n], &from[..self.n])
    }

    /// The first two columns to write.
    pub(crate) fn pair_mut(&mut self) -> (&mut [T], &mut [T]) {
        let (first, second) = self.data.split_at_mut(self.stride);
        (&mut first[..self.n], &mut second[..self.n])
    }

    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        self.data.copy_within(from * self.stride..from * self.stride + self.n, to * self.stride);
    }

    /// Makes column k orthogonal to those before it, which are orthonormal, and writes their overlaps with what it
    /// was to the first k of `overlaps`. Returns the norm of what it was, and of what it is.
    ///
    /// Classical Gram–Schmidt, once more if little is left: with that, the columns are orthogonal up to rounding
    /// (Giraud, Langou, Rozložník and van den Eshof, Numer. Math. 101, 87 (2005); Daniel, Gragg, Kaufman and Stewart,
    /// Math. Comp. 30, 772 (1976)).
    pub(crate) fn orthogonalise(&mut self, k: usize, overlaps: &mut [T]) -> Result<(T::Real, T::Real), Error> {
        let overlaps = &mut overlaps[..k];
        overlaps.fill(T::ZERO);
        self.project_out(k, Some(overlaps))?;
        let mut after = norm(self.col(k));
        let before = hypot(norm(overlaps), after);
        if after < before.scale(T::Real::from_f64(0.5f64.sqrt())) {
            self.project_out(k, Some(overlaps))?;
            after = norm(self.col(k));
        }
        match before.is_finite() && after.is_finite() {
            true => Ok((before, after)),
            false => Err(Error::NotFinite("what the map made of a vector")),
        }
    }

    /// Takes from column k its overlaps with the columns before it, and adds these to `overlaps`.
    fn project_out(&mut self, k: usize, overlaps: Option<&mut [T]>) -> Result<(), Error> {
        self.scratch.clear();
        self.scratch.resize(k.max(1), T::ZERO);
        let (n, stride) = (self.n, self.stride);
        let (before, column) = self.data.split_at_mut(k * stride);
        let basis = MatRef::from_slice(before, n, k, 1, stride as isize)?;
        let column = &mut column[..n];
        let vector = |x| MatRef::from_slice(x, k, 1, 1, k.max(1) as isize);
        let x = MatRef::from_slice(column, n, 1, 1, n as isize)?;
        let h = MatMut::from_slice(&mut self.scratch[..k], k, 1, 1, k.max(1) as isize)?;
        gemm(T::ONE, basis.t(), true, x, false, T::ZERO, h, Threads::ONE)?;
        let y = MatMut::from_slice(column, n, 1, 1, n as isize)?;
        gemm(-T::ONE, basis, false, vector(&self.scratch[..k])?, false, T::ONE, y, Threads::ONE)?;
        if let Some(overlaps) = overlaps {
            overlaps.iter_mut().zip(&self.scratch).for_each(|(sum, &h)| *sum += h);
        }
        Ok(())
    }

    /// Makes the first column, a start vector, a unit vector.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let norm = start_norm(self.col(0))?;
        if norm == <T::Real as Scalar>::ZERO {
            return Err(Error::ZeroStart);
        }
        self.normalise(0, norm);
        Ok(())
    }

    /// Divides column j, whose norm is given, by it.
    pub(crate) fn normalise(&mut self, j: usize, mut norm: T::Real) {
        let column = self.col_mut(j);
        // The inverse of the smallest numbers is beyond the largest.
        if !(T::Real::ONE / norm).is_finite() {
            let factor = T::Real::exp2i(100);
            column.iter_mut().for_each(|x| *x = x.scale(factor));
            norm *= factor;
        }
        let inverse = T::Real::ONE / norm;
        column.iter_mut().for_each(|x| *x = x.scale(inverse));
    }

    /// Fills column k < n with a unit vector orthogonal to those before it: always the same for the same k.
    pub(crate) fn invent(&mut self, k: usize) -> Result<(), Error> {
        let mut state = k as u64;
        loop {
            // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
            let mut random = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            };
            let column = self.col_mut(k);
            column.iter_mut().for_each(|x| *x = T::from_c64(tensoroxide_tensor::Complex64::new(random(), random())));
            let before = norm(column);
            self.project_out(k, None)?;
            self.project_out(k, None)?;
            let after = norm(self.col(k));
            // Little is left only if the other columns fill the space almost; the digits are then lost, too.
            if after > before.scale(T::Real::from_f64(1e-3)) {
                self.normalise(k, after);
                return Ok(());
            }
        }
    }

    /// Replaces the first columns by combinations of the first k: column j by that with the coefficients `s[j·k..]`.
    pub(crate) fn combine(&mut self, k: usize, s: &[T]) -> Result<(), Error> {
        let p = s.len() / k;
        self.scratch.clear();
        self.scratch.resize(ROWS.min(self.n) * p, T::ZERO);
        for start in (0..self.n).step_by(ROWS) {
            let rows = ROWS.min(self.n - start);
            let part = MatRef::from_slice(&self.data[start..], rows, k, 1, self.stride as isize)?;
            let coefficients = MatRef::from_slice(s, k, p, 1, k as isize)?;
            let combined = MatMut::from_slice(&mut self.scratch, rows, p, 1, rows as isize)?;
            gemm(T::ONE, part, false, coefficients, false, T::ZERO, combined, Threads::ONE)?;
            for (j, combined) in self.scratch.chunks_exact(rows).take(p).enumerate() {
                self.data[j * self.stride + start..][..rows].copy_from_slice(combined);
            }
        }
        Ok(())
    }
}

/// Σ f(xᵢ, yᵢ): eight sums side by side, which the compiler keeps in registers, added up in a fixed order.
fn sum<T: Scalar, S: Scalar>(x: &[T], y: &[T], f: impl Fn(T, T) -> S) -> S {
    let mut lanes = [S::ZERO; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: S = xs.remainder().iter().zip(ys.remainder()).map(|(&x, &y)| f(x, y)).sum();
    for (x, y) in xs.zip(ys) {
        lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(lane, (&x, &y))| *lane += f(x, y));
    }
    let pairs = [0, 1, 2, 3].map(|i| lanes[i] + lanes[i + 4]);
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]) + rest
}

/// xᴴ·y of vectors of one length.
pub(crate) fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    sum(x, y, |x, y| x.conj() * y)
}

/// The norm of a start vector, which has to be finite.
pub(crate) fn start_norm<T: Scalar>(x: &[T]) -> Result<T::Real, Error> {
    let norm = norm(x);
    if norm.is_finite() {
        Ok(norm)
    } else {
        Err(Error::NotFinite("the start vector"))
    }
}

/// The 2-norm, without undue overflow or underflow; not finite only if an element is not, or if the norm is too large.
pub(crate) fn norm<T: Scalar>(x: &[T]) -> T::Real {
    let squares = sum(x, x, |x, _| x.abs_sqr());
    if squares.is_finite() && squares > T::Real::MIN_POSITIVE / T::Real::EPSILON {
        return squares.sqrt();
    }
    let largest = x.iter().fold(<T::Real as Scalar>::ZERO, |largest, x| {
        let size = x.re().abs() + x.im().abs();
        // What is not finite takes the place of any number, and no number takes its place.
        if size > largest || !size.is_finite() {
            size
        } else {
            largest
        }
    });
    if largest == <T::Real as Scalar>::ZERO || !largest.is_finite() {
        return largest;
    }
    // Two factors: 1/largest may be beyond the largest number.
    let half = T::Real::ONE / largest.sqrt();
    largest * sum(x, x, |x, _| x.scale(half).scale(half).abs_sqr()).sqrt()
}

/// √(x² + y²), without undue overflow.
pub(crate) fn hypot<R: Real>(x: R, y: R) -> R {
    R::from_f64(x.to_f64().hypot(y.to_f64()))
}

/// y ← α·x + β·y.
pub(crate) fn axpby<T: Scalar>(alpha: T, x: &[T], beta: T, y: &mut [T]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = alpha * x + beta * *y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn norms_over_the_whole_range() {
        for size in [5e-324, 1e-310, 1e-200, 1.0, 1e200, 1e307] {
            let x: Vec<f64> = (0..11).map(|i| if i % 3 == 0 { size } else { -size }).collect();
            let expected = size * 11f64.sqrt();
            assert!((norm(&x) - expected).abs() <= 4.0 * f64::EPSILON * expected + 5e-324, "{size}");
            let z = [Complex64::new(3.0 * size, -4.0 * size)];
            assert!((norm(&z) - 5.0 * size).abs() <= 4.0 * f64::EPSILON * 5.0 * size + 5e-324, "{size}");
        }
        assert!(norm(&[1.0f32, f32::NAN, 2.0]).is_nan());
        assert!(norm(&[Complex64::new(0.0, f64::INFINITY)]).is_infinite());
        assert_eq!(norm::<f64>(&[]), 0.0);
        assert_eq!(norm(&[0.0f32; 20]), 0.0);
    }

    #[test]
    fn columns_become_orthonormal_however_close_they_are() {
        let (n, k) = (37, 6);
        let mut basis = Basis::<Complex64>::default();
        basis.resize(n, k).unwrap();
        for j in 0..k {
            basis.invent(j).unwrap();
        }
        // Column 5 is within 1e-9 of the others' span.
        for i in 0..n {
            let near = basis.col(0)[i] * 2.0 + basis.col(3)[i] * Complex64::I;
            basis.col_mut(5)[i] = near + basis.col(5)[i] * 1e-9;
        }
        let mut overlaps = [Complex64::ZERO; 5];
        let (before, after) = basis.orthogonalise(5, &mut overlaps).unwrap();
        assert!((before - 5f64.sqrt()).abs() < 1e-12 && (after - 1e-9).abs() < 1e-15);
        assert!((overlaps[0] - 2.0).norm() < 1e-8 && (overlaps[3] - Complex64::I).norm() < 1e-8);
        basis.normalise(5, after);
        for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((dot(basis.col(i), basis.col(j)) - expected).norm() < 1e-14, "{i} {j}");
        }
    }

    #[test]
    fn combinations_in_place() {
        let n = 1300;
        let mut basis = Basis::<f32>::default();
        basis.resize(n, 3).unwrap();
        for j in 0..3 {
            basis.col_mut(j).iter_mut().enumerate().for_each(|(i, x)| *x = (i * (j + 1)) as f32);
        }
        basis.combine(3, &[1.0, 2.0, 3.0, 0.0, 0.0, 1.0]).unwrap();
        for i in 0..n {
            assert_eq!((basis.col(0)[i], basis.col(1)[i]), (14.0 * i as f32, 3.0 * i as f32));
        }
    }
}
