//! The thin singular value decomposition, A = U·Diagonal(S)·Vᴴ.
//!
//! Roads, in this order: LAPACK's gesdd (divide and conquer), then gesvd (QR iteration), each if lent; then faer on A,
//! on Aᴴ, and on the triangular factor of A. Each next one is taken only if the one before did not converge, or returned
//! a number that is not finite. The later roads round differently, so that an iteration stuck on one ends on another.
//!
//! On the own road the decomposition of a matrix much longer than wide is that of its triangular factor (T. F. Chan,
//! ACM Trans. Math. Softw. 8, 72 (1982)), which is cheaper. faer would do the same with its own QR, which drops digits:
//! see `own/qr.rs`.

use tensoroxide_tensor::{Buffer, Scalar, Threads};

use crate::owned::zeros;
use crate::scaling::{scale_back, scaled_copy, Part};
use crate::{gemm, provider, Element, Error, MatRef, Matrix, Provider, Qr};

/// The factors of A = U·Diagonal(S)·Vᴴ for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct Svd<T: Scalar> {
    /// m×k, orthonormal columns, each up to a phase.
    pub u: Matrix<T>,
    /// k singular values, descending.
    pub s: Buffer<T::Real>,
    /// k×n, orthonormal rows.
    pub vh: Matrix<T>,
}

impl<T: Scalar> Svd<T> {
    /// Room for the factors of an m×n matrix.
    pub(crate) fn room(m: usize, n: usize) -> Result<Self, Error> {
        let k = m.min(n);
        Ok(Self { u: Matrix::zeros(m, k)?, s: zeros(k)?, vh: Matrix::zeros(k, n)? })
    }

    /// The factors of Aᴴ.
    fn adjoint(self) -> Result<Self, Error> {
        Ok(Self {
            u: Matrix::copy_of(self.vh.as_ref().t(), true)?,
            s: self.s,
            vh: Matrix::copy_of(self.u.as_ref().t(), true)?,
        })
    }

    fn is_finite(&self) -> bool {
        let finite = |a: &Matrix<T>| a.elements().iter().all(|x| x.is_finite());
        self.s.iter().all(|x| x.is_finite()) && finite(&self.u) && finite(&self.vh)
    }
}

/// The thin singular value decomposition of op(A), where op conjugates the elements if asked to.
///
/// # Errors
/// [`Error::NotFinite`] if A holds NaN or infinity, or if a singular value is too large for the type;
/// [`Error::NoConvergence`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{svd, MatRef};
/// let a = [0.0f64, 2.0, 3.0, 0.0];
/// let svd = svd(MatRef::from_slice(&a, 2, 2, 1, 2)?, false)?;
/// assert!((svd.s[0] - 3.0).abs() < 1e-15 && (svd.s[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn svd<T: Element>(a: MatRef<T>, conj: bool) -> Result<Svd<T>, Error> {
    let (a, e) = scaled_copy(a, conj, Part::Full)?;
    if a.elements().is_empty() {
        return Svd::room(a.rows(), a.cols());
    }
    let mut svd = any_driver(&a)?;
    scale_back(&mut svd.s, e)?;
    Ok(svd)
}

fn any_driver<T: Element>(a: &Matrix<T>) -> Result<Svd<T>, Error> {
    if provider() != Provider::Own {
        for driver in [T::lent_gesdd, T::lent_gesvd] {
            match driver(a).map(sound) {
                None | Some(Err(Error::NoConvergence)) => {}
                Some(result) => return result,
            }
        }
    }
    own(a)
}

/// The decomposition by faer. From 11/6 of the shorter side on, the triangular factor pays.
fn own<T: Element>(a: &Matrix<T>) -> Result<Svd<T>, Error> {
    if 6 * a.cols() >= 11 * a.rows() {
        own(&Matrix::copy_of(a.as_ref().t(), true)?)?.adjoint()
    } else if 6 * a.rows() >= 11 * a.cols() {
        through_qr(a, |r| with_remedies(r, T::own_svd))
    } else {
        with_remedies(a, T::own_svd)
    }
}

/// The decomposition of A = Q·R, with no fewer rows than columns, from that of R.
fn through_qr<T: Element>(
    a: &Matrix<T>,
    decompose: impl FnOnce(&Matrix<T>) -> Result<Svd<T>, Error>,
) -> Result<Svd<T>, Error> {
    let Qr { q, r } = T::own_qr(a)?;
    let Svd { u: inner, s, vh } = decompose(&r)?;
    let mut u = Matrix::zeros(q.rows(), inner.cols())?;
    gemm(T::ONE, q.as_ref(), false, inner.as_ref(), false, T::ZERO, u.as_mut(), Threads::ONE)?;
    Ok(Svd { u, s, vh })
}

/// A result with NaN is none.
fn sound<T: Scalar>(result: Result<Svd<T>, Error>) -> Result<Svd<T>, Error> {
    result.and_then(|svd| if svd.is_finite() { Ok(svd) } else { Err(Error::NoConvergence) })
}

/// The decomposition by `attempt`, of A itself or of a matrix from whose decomposition A's follows.
fn with_remedies<T: Element>(
    a: &Matrix<T>,
    mut attempt: impl FnMut(&Matrix<T>) -> Result<Svd<T>, Error>,
) -> Result<Svd<T>, Error> {
    let mut attempt = |a: &Matrix<T>| sound(attempt(a));
    match attempt(a) {
        Err(Error::NoConvergence) => {}
        result => return result,
    }
    let ah = Matrix::copy_of(a.as_ref().t(), true)?;
    match attempt(&ah) {
        Err(Error::NoConvergence) => {}
        result => return result?.adjoint(),
    }
    if a.rows() < a.cols() {
        through_qr(&ah, attempt)?.adjoint()
    } else {
        through_qr(a, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Kernels;
    use tensoroxide_tensor::Complex64;

    fn sample(m: usize, n: usize) -> Matrix<Complex64> {
        let mut a = Matrix::zeros(m, n).unwrap();
        a.as_mut().update(|i, j, x| {
            *x = Complex64::new((i as f64 + 1.3 * j as f64).sin(), (2.0 * i as f64 - j as f64).cos())
        });
        a
    }

    /// ‖A − U·S·Vᴴ‖ in the largest element.
    fn residual(a: &Matrix<Complex64>, svd: &Svd<Complex64>) -> f64 {
        let (u, vh) = (svd.u.as_ref(), svd.vh.as_ref());
        let mut worst = 0.0f64;
        for (i, j) in (0..a.rows()).flat_map(|i| (0..a.cols()).map(move |j| (i, j))) {
            let sum: Complex64 =
                (0..svd.s.len()).map(|l| u.get(i, l).unwrap() * svd.s[l] * vh.get(l, j).unwrap()).sum();
            worst = worst.max((sum - a.as_ref().get(i, j).unwrap()).norm());
        }
        worst
    }

    #[test]
    fn each_remedy_gives_the_decomposition_of_a() {
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 3), (3, 1)] {
            let a = sample(m, n);
            for failures in 0..3 {
                for nan in [false, true] {
                    let mut calls = 0;
                    let svd = with_remedies(&a, |a| {
                        calls += 1;
                        let mut svd = Kernels::own_svd(a)?;
                        match (calls <= failures, nan) {
                            (false, _) => Ok(svd),
                            (true, false) => Err(Error::NoConvergence),
                            (true, true) => {
                                svd.vh.col_mut(0)[0].im = f64::NAN;
                                Ok(svd)
                            }
                        }
                    })
                    .unwrap();
                    assert_eq!(calls, failures + 1);
                    assert_eq!((svd.u.rows(), svd.u.cols(), svd.vh.cols()), (m, m.min(n), n));
                    assert!(residual(&a, &svd) < 1e-14, "{m}×{n}, after {failures} failures");
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_remedies_is_an_error() {
        let mut calls = 0;
        let result = with_remedies(&sample(4, 3), |_| {
            calls += 1;
            Err(Error::NoConvergence)
        });
        assert_eq!((result.err(), calls), (Some(Error::NoConvergence), 3));
        let result = with_remedies(&sample(4, 3), |_| Err(Error::OutOfMemory));
        assert_eq!(result.err(), Some(Error::OutOfMemory));
    }
}
