//! The thin singular value decomposition, A = U·Diagonal(S)·Vᴴ.
//!
//! Roads, in this order: LAPACK's gesdd (divide and conquer), then gesvd (QR iteration), each if lent; then faer on A,
//! on Aᴴ, and on the triangular factor of A. Each next one is taken only if the one before did not converge, or returned
//! a number that is not finite. The later roads round differently, so that an iteration stuck on one ends on another.

use tensoroxide_tensor::{Buffer, Scalar};

use crate::element::Kernels;
use crate::owned::zeros;
use crate::scaling::{scale_back, scaled_copy, Part};
use crate::{gemm, provider, qr, Element, Error, MatRef, Matrix, Provider, Qr};

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

fn any_driver<T: Kernels>(a: &Matrix<T>) -> Result<Svd<T>, Error> {
    if provider() == Provider::Lent {
        for driver in [T::lent_gesdd, T::lent_gesvd] {
            match driver(a).map(sound) {
                None | Some(Err(Error::NoConvergence)) => {}
                Some(result) => return result,
            }
        }
    }
    with_remedies(a, T::own_svd)
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
    let adjoint = |a: &Matrix<T>| Matrix::copy_of(a.as_ref().t(), true);
    let swap = |svd: Svd<T>| Ok(Svd { u: adjoint(&svd.vh)?, s: svd.s, vh: adjoint(&svd.u)? });
    match attempt(a) {
        Err(Error::NoConvergence) => {}
        result => return result,
    }
    let ah = adjoint(a)?;
    match attempt(&ah) {
        Err(Error::NoConvergence) => {}
        result => return swap(result?),
    }
    // A = Q·R or Aᴴ = Q·R, whichever has the smaller R.
    let wide = a.rows() < a.cols();
    let Qr { q, r } = qr(if wide { ah.as_ref() } else { a.as_ref() }, false)?;
    let Svd { u: inner, s, vh } = attempt(&r)?;
    let mut u = Matrix::zeros(q.rows(), inner.cols())?;
    let one = tensoroxide_tensor::Threads::ONE;
    gemm(T::ONE, q.as_ref(), false, inner.as_ref(), false, T::ZERO, u.as_mut(), one)?;
    let svd = Svd { u, s, vh };
    if wide {
        swap(svd)
    } else {
        Ok(svd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
