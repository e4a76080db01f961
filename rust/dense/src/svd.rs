//! The thin singular value decomposition, A = U·Diagonal(S)·Vᴴ, with or without the vectors.
//!
//! Roads, in this order: rotations for small matrices; for larger ones LAPACK's gesdd (divide and conquer), then gesvd
//! (QR iteration), each if lent; then faer on A, on Aᴴ, and on the triangular factor of A. Each next one is taken only
//! if the one before did not converge, or returned a number that is not finite. Matrices of middling size leave LAPACK
//! out, since faer is faster. The later roads round differently, so that an iteration stuck on one ends on another.
//!
//! On the own road the decomposition of a matrix much longer than wide is that of its triangular factor (T. F. Chan,
//! ACM Trans. Math. Softw. 8, 72 (1982)), which is cheaper. faer would do the same with its own QR, which drops digits:
//! see `own/qr.rs`.

use tensoroxide_tensor::{Scalar, Threads};

use crate::scaling::{largest, scale_back, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{gemm, small, Element, Error, MatRef, Matrix, Provider, Qr, Resources, Workspace};

/// The factors of A = U·Diagonal(S)·Vᴴ for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct Svd<'w, T: Plain + Scalar<Real: Plain>> {
    /// m×k, orthonormal columns, each up to a phase.
    pub u: Matrix<'w, T>,
    /// k singular values, descending.
    pub s: Memory<'w, T::Real>,
    /// k×n, orthonormal rows.
    pub vh: Matrix<'w, T>,
}

impl<'w, T: Plain + Scalar<Real: Plain>> Svd<'w, T> {
    /// Room for the factors of an m×n matrix; without vectors, U and Vᴴ are empty.
    pub(crate) fn room(m: usize, n: usize, vectors: bool, workspace: &'w Workspace) -> Result<Self, Error> {
        let k = m.min(n);
        let room =
            |rows, cols| if vectors { Matrix::zeros(rows, cols, workspace) } else { Matrix::zeros(0, 0, workspace) };
        Ok(Self { u: room(m, k)?, s: workspace.zeros(k)?, vh: room(k, n)? })
    }

    /// The factors of Aᴴ.
    pub(crate) fn adjoint(self, workspace: &'w Workspace) -> Result<Self, Error> {
        Ok(Self {
            u: Matrix::copy_of(self.vh.as_ref().t(), true, workspace)?,
            s: self.s,
            vh: Matrix::copy_of(self.u.as_ref().t(), true, workspace)?,
        })
    }

    fn is_finite(&self) -> bool {
        largest(&self.s).is_ok() && largest(self.u.elements()).is_ok() && largest(self.vh.elements()).is_ok()
    }
}

/// The thin singular value decomposition of op(A), where op conjugates the elements if asked to.
///
/// # Errors
/// [`Error::NotFinite`] if A holds NaN or infinity, or if a singular value is too large for the type;
/// [`Error::NoConvergence`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{svd, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [0.0f64, 2.0, 3.0, 0.0];
/// let svd = svd(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((svd.s[0] - 3.0).abs() < 1e-15 && (svd.s[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn svd<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Svd<'w, T>, Error> {
    decompose(a, conj, true, with)
}

/// The singular values of op(A) alone, descending.
///
/// # Errors
/// As [`svd`].
///
/// ```
/// use tensoroxide_dense::{svd_values, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [0.0f64, 2.0, 3.0, 0.0];
/// let s = svd_values(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((s[0] - 3.0).abs() < 1e-15 && (s[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn svd_values<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Memory<'w, T::Real>, Error> {
    Ok(decompose(a, conj, false, with)?.s)
}

fn decompose<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    vectors: bool,
    with: Resources<'w>,
) -> Result<Svd<'w, T>, Error> {
    let (a, e) = scaled_copy(a, conj, Part::Full, with.workspace)?;
    if a.elements().is_empty() {
        return Svd::room(a.rows(), a.cols(), vectors, with.workspace);
    }
    let mut svd = any_driver(&a, vectors, with)?;
    scale_back(&mut svd.s, e)?;
    Ok(svd)
}

fn any_driver<'w, T: Element>(a: &Matrix<'w, T>, vectors: bool, with: Resources<'w>) -> Result<Svd<'w, T>, Error> {
    if with.provider != Provider::Lent && a.rows().max(a.cols()) <= small::MOST {
        match sound(small::svd(a, with.workspace)) {
            Err(Error::NoConvergence) => {}
            result => return result,
        }
    }
    let lent = match with.provider {
        Provider::Auto => a.rows().min(a.cols()) > own_up_to::<T>(),
        Provider::Lent => true,
        Provider::Own => false,
    };
    if lent {
        for driver in [T::lent_gesdd, T::lent_gesvd] {
            match by_lent(a, vectors, with.workspace, driver) {
                None | Some(Err(Error::NoConvergence)) => {}
                Some(result) => return result,
            }
        }
    }
    own(a, vectors, with.workspace)
}

/// The decomposition by a lent driver. That of a wide matrix is the adjoint of that of its adjoint: LAPACK's way
/// through the LQ decomposition took up to 1.8 times as long as the one through QR (OpenBLAS, measured).
fn by_lent<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    workspace: &'w Workspace,
    driver: impl Fn(&Matrix<'_, T>, bool, &'w Workspace) -> Option<Result<Svd<'w, T>, Error>>,
) -> Option<Result<Svd<'w, T>, Error>> {
    if 6 * a.cols() < 11 * a.rows() {
        return driver(a, vectors, workspace).map(sound);
    }
    match Matrix::copy_of(a.as_ref().t(), true, workspace) {
        Ok(ah) => driver(&ah, vectors, workspace).map(|svd| sound(svd)?.adjoint(workspace)),
        Err(error) => Some(Err(error)),
    }
}

/// The largest matrix for which faer took no longer than a good LAPACK (OpenBLAS with kernels for AVX-512), measured.
fn own_up_to<T: Scalar>() -> usize {
    if T::DTYPE.is_complex() {
        64
    } else {
        32
    }
}

/// The decomposition by faer. From 11/6 of the shorter side on, the triangular factor pays.
fn own<'w, T: Element>(a: &Matrix<'w, T>, vectors: bool, workspace: &'w Workspace) -> Result<Svd<'w, T>, Error> {
    if 6 * a.cols() >= 11 * a.rows() {
        own(&Matrix::copy_of(a.as_ref().t(), true, workspace)?, vectors, workspace)?.adjoint(workspace)
    } else if 6 * a.rows() >= 11 * a.cols() {
        through_qr(a, vectors, workspace, |r| with_remedies(r, vectors, workspace, T::own_svd))
    } else {
        with_remedies(a, vectors, workspace, T::own_svd)
    }
}

/// The decomposition of A = Q·R, with no fewer rows than columns, from that of R.
fn through_qr<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    workspace: &'w Workspace,
    decompose: impl FnOnce(&Matrix<'w, T>) -> Result<Svd<'w, T>, Error>,
) -> Result<Svd<'w, T>, Error> {
    let Qr { q, r } = T::own_qr(a, if vectors { a.cols() } else { 0 }, workspace)?;
    let Svd { u: inner, s, vh } = decompose(&r)?;
    if !vectors {
        return Ok(Svd { u: inner, s, vh });
    }
    let mut u = Matrix::zeros(q.rows(), inner.cols(), workspace)?;
    gemm(T::ONE, q.as_ref(), false, inner.as_ref(), false, T::ZERO, u.as_mut(), Threads::ONE)?;
    Ok(Svd { u, s, vh })
}

/// A result with NaN is none.
fn sound<T: Element>(result: Result<Svd<'_, T>, Error>) -> Result<Svd<'_, T>, Error> {
    result.and_then(|svd| if svd.is_finite() { Ok(svd) } else { Err(Error::NoConvergence) })
}

/// The decomposition by `attempt`, of A itself or of a matrix from whose decomposition A's follows.
fn with_remedies<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    workspace: &'w Workspace,
    mut attempt: impl FnMut(&Matrix<'w, T>, bool, &'w Workspace) -> Result<Svd<'w, T>, Error>,
) -> Result<Svd<'w, T>, Error> {
    let mut attempt = |a: &Matrix<'w, T>| sound(attempt(a, vectors, workspace));
    match attempt(a) {
        Err(Error::NoConvergence) => {}
        result => return result,
    }
    let ah = Matrix::copy_of(a.as_ref().t(), true, workspace)?;
    match attempt(&ah) {
        Err(Error::NoConvergence) => {}
        result => return result?.adjoint(workspace),
    }
    if a.rows() < a.cols() {
        through_qr(&ah, vectors, workspace, attempt)?.adjoint(workspace)
    } else {
        through_qr(a, vectors, workspace, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Kernels;
    use tensoroxide_tensor::Complex64;

    fn sample(m: usize, n: usize, workspace: &Workspace) -> Matrix<'_, Complex64> {
        let mut a = Matrix::zeros(m, n, workspace).unwrap();
        a.as_mut().update(|i, j, x| {
            *x = Complex64::new((i as f64 + 1.3 * j as f64).sin(), (2.0 * i as f64 - j as f64).cos())
        });
        a
    }

    /// ‖A − U·S·Vᴴ‖ in the largest element.
    fn residual(a: &Matrix<'_, Complex64>, svd: &Svd<'_, Complex64>) -> f64 {
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
        let workspace = Workspace::default();
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 3), (3, 1)] {
            let a = sample(m, n, &workspace);
            for failures in 0..3 {
                for nan in [false, true] {
                    let mut calls = 0;
                    let svd = with_remedies(&a, true, &workspace, |a, vectors, workspace| {
                        calls += 1;
                        let mut svd = Kernels::own_svd(a, vectors, workspace)?;
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
        let workspace = Workspace::default();
        let mut calls = 0;
        let result = with_remedies(&sample(4, 3, &workspace), true, &workspace, |_, _, _| {
            calls += 1;
            Err(Error::NoConvergence)
        });
        assert_eq!((result.err(), calls), (Some(Error::NoConvergence), 3));
        let result = with_remedies(&sample(4, 3, &workspace), true, &workspace, |_, _, _| Err(Error::OutOfMemory));
        assert_eq!(result.err(), Some(Error::OutOfMemory));
    }
}
