//! The thin QR decomposition of a small matrix by reflections, on the stack, in columns whose length the compiler
//! knows.

use tensoroxide_tensor::simd::{Isa, Simd, Task};
use tensoroxide_tensor::{Real, Scalar};

use super::MOST;
use crate::element::Kernels;
use crate::{Error, Matrix, Qr, Workspace};

/// The decomposition of a matrix with at most [`MOST`] rows and columns, not empty, finite, and scaled to about 1. R's
/// diagonal has any phase.
pub(crate) fn qr<'w, T: Kernels>(a: &Matrix<'_, T>, workspace: &'w Workspace) -> Result<Qr<'w, T>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let (mut q, mut r) = (Matrix::zeros(m, k, workspace)?, Matrix::zeros(k, n, workspace)?);
    match m.max(n) <= MOST / 2 {
        true => Isa::best().run(Reflections::<T, { MOST / 2 }, MOST> { a, q: &mut q, r: &mut r }),
        false => Isa::best().run(Reflections::<T, MOST, { 2 * MOST }> { a, q: &mut q, r: &mut r }),
    }
    Ok(Qr { q, r })
}

/// In columns of `N` numbers, with zeros below the last row, of which there are `COLUMNS` = 2·`N`.
struct Reflections<'a, 'w, T: Kernels, const N: usize, const COLUMNS: usize> {
    a: &'a Matrix<'a, T>,
    q: &'a mut Matrix<'w, T>,
    r: &'a mut Matrix<'w, T>,
}

impl<T: Kernels, const N: usize, const COLUMNS: usize> Task for Reflections<'_, '_, T, N, COLUMNS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Reflections { a, q, r } = self;
        let (n, k) = (a.cols(), q.cols());
        // A, which becomes R, and behind it what becomes Q; the vectors of the reflections, and 2/‖v‖² of each, 0 for
        // none.
        let mut work = [[T::Double::ZERO; N]; COLUMNS];
        let (mut vectors, mut factors) = ([[T::Double::ZERO; N]; N], [0.0; N]);
        for (j, column) in work[..n].iter_mut().enumerate() {
            column.iter_mut().zip(a.col(j)).for_each(|(x, y)| *x = Scalar::from_c64(y.to_c64()));
        }
        for j in 0..k {
            let lead = work[j][j];
            let vector = &mut vectors[j];
            *vector = std::array::from_fn(|i| if i < j { T::Double::ZERO } else { work[j][i] });
            let size = unit(vector);
            if size == 0.0 {
                continue;
            }
            // The vector in units of its norm, so that no square underflows. It is reflected to −phase·e_j, away from
            // itself.
            let modulus = lead.abs();
            let phase = match modulus == 0.0 {
                true => T::Double::ONE,
                false => Scalar::from_c64(lead.to_c64() / modulus),
            };
            vector[j] += phase;
            factors[j] = 2.0 / squares(vector);
            for column in &mut work[j + 1..n] {
                reflect(column, vector, factors[j]);
            }
            work[j][j] = -phase.scale(size);
        }
        for j in (0..k).rev() {
            work[n + j][j] = T::Double::ONE;
            for column in &mut work[n + j..n + k] {
                reflect(column, &vectors[j], factors[j]);
            }
        }
        for j in 0..k {
            q.col_mut(j).iter_mut().zip(&work[n + j]).for_each(|(x, y)| *x = T::from_c64(y.to_c64()));
        }
        for (j, column) in work[..n].iter().enumerate() {
            let rows = k.min(j + 1);
            r.col_mut(j)[..rows].iter_mut().zip(column).for_each(|(x, y)| *x = T::from_c64(y.to_c64()));
        }
    }
}

/// Divides a vector by its norm, which is returned; zero stays zero.
#[inline(always)]
fn unit<D: Scalar<Real = f64>, const N: usize>(x: &mut [D; N]) -> f64 {
    let mut scale = 1.0;
    let mut squared = squares(x);
    if squared <= f64::MIN_POSITIVE / f64::EPSILON {
        // Squares that have lost digits. This power of two makes them numbers from 2^-1012 on, and no vector here
        // infinite.
        scale = f64::exp2i(568);
        x.iter_mut().for_each(|x| *x = x.scale(scale));
        squared = squares(x);
        if squared == 0.0 {
            return 0.0;
        }
    }
    let norm = squared.sqrt();
    x.iter_mut().for_each(|x| *x = x.scale(1.0 / norm));
    norm / scale
}

/// ‖x‖².
#[inline(always)]
fn squares<D: Scalar<Real = f64>, const N: usize>(x: &[D; N]) -> f64 {
    sum(std::array::from_fn::<f64, N, _>(|i| x[i].abs_sqr()))
}

/// x ← (1 − factor·v·vᴴ)·x.
#[inline(always)]
fn reflect<D: Scalar<Real = f64>, const N: usize>(x: &mut [D; N], v: &[D; N], factor: f64) {
    let product = sum(std::array::from_fn::<D, N, _>(|i| v[i].conj() * x[i])).scale(factor);
    (0..N).for_each(|i| x[i] -= v[i] * product);
}

/// The sum of 2^l numbers, by halves.
#[inline(always)]
fn sum<D: Copy + std::ops::AddAssign, const N: usize>(mut x: [D; N]) -> D {
    let mut half = N / 2;
    while half > 0 {
        (0..half).for_each(|i| {
            let other = x[i + half];
            x[i] += other;
        });
        half /= 2;
    }
    x[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn vectors_of_any_size_have_a_norm() {
        for size in [5e-324, 1e-310, 1e-200, 1e-160, 1e-146, 1.0, 1.9] {
            let mut x = [Complex64::from(size), Complex64::new(0.0, -size), Complex64::ZERO, Complex64::ZERO];
            let norm = unit(&mut x);
            let root = 0.5f64.sqrt();
            assert!((x[0] - root).norm() < 1e-15 && (x[1] + Complex64::I * root).norm() < 1e-15, "{size}: {x:?}");
            // To rounding, or to the last subnormal unit.
            assert!((norm - size / root).abs() <= (4.0 * f64::EPSILON * size).max(5e-324), "{size}: {norm}");
        }
        assert_eq!(unit(&mut [0.0; 8]), 0.0);
    }

    #[test]
    fn sums_by_halves() {
        assert_eq!((sum([1.0, 2.0, 4.0, 8.0]), sum([7.0])), (15.0, 7.0));
    }
}
