//! The thin singular value decomposition, A = U·Diagonal(S)·Vᴴ, with or without the vectors.
//!
//! Roads, in this order: rotations for small matrices; LAPACK's gesdd (divide and conquer), then gesvd (QR iteration),
//! each if lent; then faer on A, on Aᴴ, and on the triangular factor of A. Each next one is taken only if the one
//! before did not converge, or returned a number that is not finite. Matrices of middling size go to faer first, which
//! is faster there. The later roads round differently, so that an iteration stuck on one ends on another.
//!
//! On the own road the decomposition of a matrix much longer than wide is that of its triangular factor (T. F. Chan,
//! ACM Trans. Math. Softw. 8, 72 (1982)), which is cheaper. faer would do the same with its own QR, which drops digits:
//! see `own/qr.rs`.

use tensoroxide_tensor::{Scalar, Threads};

use crate::driver::{first, Driver};
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
/// [`Error::Exhausted`]; [`Error::OutOfMemory`].
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
    use Driver::*;
    let chain: &[Driver] = match with.provider {
        Provider::Own => &[Rotations, Faer, FaerAdjoint, FaerTriangle],
        Provider::Auto if a.rows().min(a.cols()) <= own_up_to::<T>() => {
            &[Rotations, Faer, FaerAdjoint, FaerTriangle, Gesdd, Gesvd]
        }
        Provider::Auto | Provider::Lent => &[Gesdd, Gesvd, Faer, FaerAdjoint, FaerTriangle],
    };
    first(chain, |driver| {
        let result = match driver {
            Rotations if a.rows().max(a.cols()) <= small::MOST => small::svd(a, with.workspace),
            Gesdd => by_lent(a, vectors, with.workspace, T::lent_gesdd)?,
            Gesvd => by_lent(a, vectors, with.workspace, T::lent_gesvd)?,
            Faer | FaerAdjoint | FaerTriangle => own(a, vectors, with.workspace, driver),
            _ => return None,
        };
        Some(sound(result))
    })
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
        return driver(a, vectors, workspace);
    }
    match Matrix::copy_of(a.as_ref().t(), true, workspace) {
        Ok(ah) => driver(&ah, vectors, workspace).map(|svd| svd?.adjoint(workspace)),
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
fn own<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    workspace: &'w Workspace,
    driver: Driver,
) -> Result<Svd<'w, T>, Error> {
    let decompose = |a: &Matrix<'w, T>| rewritten(a, vectors, workspace, driver, |a| T::own_svd(a, vectors, workspace));
    if 6 * a.cols() >= 11 * a.rows() {
        own(&Matrix::copy_of(a.as_ref().t(), true, workspace)?, vectors, workspace, driver)?.adjoint(workspace)
    } else if 6 * a.rows() >= 11 * a.cols() {
        through_qr(a, vectors, workspace, decompose)
    } else {
        decompose(a)
    }
}

/// The decomposition of A from that of the matrix that the driver makes of it.
fn rewritten<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    workspace: &'w Workspace,
    driver: Driver,
    decompose: impl FnOnce(&Matrix<'w, T>) -> Result<Svd<'w, T>, Error>,
) -> Result<Svd<'w, T>, Error> {
    let adjoint = || Matrix::copy_of(a.as_ref().t(), true, workspace);
    match driver {
        Driver::FaerAdjoint => decompose(&adjoint()?)?.adjoint(workspace),
        Driver::FaerTriangle if a.rows() < a.cols() => {
            through_qr(&adjoint()?, vectors, workspace, decompose)?.adjoint(workspace)
        }
        Driver::FaerTriangle => through_qr(a, vectors, workspace, decompose),
        _ => decompose(a),
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
    fn each_driver_gives_the_decomposition_of_a() {
        let workspace = Workspace::default();
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 3), (3, 1)] {
            let a = sample(m, n, &workspace);
            for driver in [Driver::Faer, Driver::FaerAdjoint, Driver::FaerTriangle] {
                let decompose = |a: &Matrix<'_, _>| Kernels::own_svd(a, true, &workspace);
                let all = [own(&a, true, &workspace, driver), rewritten(&a, true, &workspace, driver, decompose)];
                for svd in all.map(Result::unwrap) {
                    assert_eq!((svd.u.rows(), svd.u.cols(), svd.vh.cols()), (m, m.min(n), n));
                    assert!(residual(&a, &svd) < 1e-14, "{m}×{n}, {driver}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_no_result() {
        let workspace = Workspace::default();
        let mut svd = Kernels::own_svd(&sample(4, 3, &workspace), true, &workspace).unwrap();
        svd.vh.col_mut(0)[0].im = f64::NAN;
        assert_eq!(sound::<Complex64>(Ok(svd)).err(), Some(Error::NoConvergence));
        assert_eq!(sound::<Complex64>(Err(Error::OutOfMemory)).err(), Some(Error::OutOfMemory));
    }
}
