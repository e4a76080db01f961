//! Eigenvalues and eigenvectors of a Hermitian matrix, A = V·Diagonal(w)·Vᴴ.
//!
//! Roads, in this order: rotations for small matrices; LAPACK's syevd (heevd), then syevr (heevr), each if lent; faer
//! on A; faer on A with rows and columns in reverse order, which has the same eigenvalues and rounds differently. Where
//! faer is faster, its roads come before those of LAPACK. A small part of the eigenvalues comes from syevr alone, if
//! lent. The next road is taken only if the one before did not converge, or returned a number that is not finite.

use std::ops::Range;

use tensoroxide_tensor::{Real, Scalar, Threads};

use crate::driver::{first, Driver};
use crate::element::Kernels;
use crate::scaling::{largest, scale_back, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{gemm, small, Element, Error, MatRef, Matrix, Provider, Resources, Workspace};

/// The factors of A = V·Diagonal(w)·Vᴴ for A of n×n.
#[derive(Debug)]
pub struct Eigh<'w, T: Plain + Scalar<Real: Plain>> {
    /// n eigenvalues, ascending.
    pub w: Memory<'w, T::Real>,
    /// n×n, orthonormal columns, each up to a phase.
    pub v: Matrix<'w, T>,
}

/// Eigenvalues and eigenvectors of op(A), where A is Hermitian and op conjugates the elements if asked to. Only the
/// elements below the diagonal and the real parts of those on it are read.
///
/// # Errors
/// [`Error::Shape`] if A is not square; [`Error::NotFinite`] if what is read holds NaN or infinity, or if an eigenvalue
/// is too large for the type; [`Error::Exhausted`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{eigh, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [2.0, 1.0, f64::NAN, 2.0];
/// let eigh = eigh(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((eigh.w[0] - 1.0).abs() < 1e-15 && (eigh.w[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eigh<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Eigh<'w, T>, Error> {
    decompose(a, conj, true, None, with)
}

/// The eigenvalues of op(A) alone, ascending; A is read as [`eigh`] reads it.
///
/// # Errors
/// As [`eigh`].
///
/// ```
/// use tensoroxide_dense::{eigh_values, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [2.0, 1.0, f64::NAN, 2.0];
/// let w = eigh_values(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((w[0] - 1.0).abs() < 1e-15 && (w[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eigh_values<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    with: Resources<'w>,
) -> Result<Memory<'w, T::Real>, Error> {
    Ok(decompose(a, conj, false, None, with)?.w)
}

/// Neighbours of the ascending eigenvalues of op(A), those with the numbers `part`, counted from 0, and their vectors
/// as columns of V; otherwise as [`eigh`], up to rounding.
///
/// # Errors
/// As [`eigh`], and [`Error::OutOfBounds`] for a part that reaches beyond n.
///
/// ```
/// use tensoroxide_dense::{eigh_part, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [2.0, 1.0, f64::NAN, 2.0];
/// let top = eigh_part(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, 1..2, Resources::of(&workspace))?;
/// assert!((top.w[0] - 3.0).abs() < 1e-15 && top.v.cols() == 1);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eigh_part<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    part: Range<usize>,
    with: Resources<'w>,
) -> Result<Eigh<'w, T>, Error> {
    let n = a.rows();
    if part.start > part.end || part.end > n {
        return Err(Error::OutOfBounds);
    }
    let eigh = decompose(a, conj, true, Some(part.clone()), with)?;
    if eigh.w.len() == part.len() {
        return Ok(eigh);
    }
    let mut w = with.zeros(part.len())?;
    w.copy_from_slice(&eigh.w[part.clone()]);
    Ok(Eigh { w, v: with.copy_of(eigh.v.as_ref().block(0, part.start, n, part.len())?, false)? })
}

/// The decomposition; without vectors, V is empty. If only a part is wanted, it may be all that there is.
fn decompose<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    vectors: bool,
    part: Option<Range<usize>>,
    with: Resources<'w>,
) -> Result<Eigh<'w, T>, Error> {
    let n = a.rows();
    if a.cols() != n {
        return Err(Error::Shape { operand: "A", expected: (n, n), found: (n, a.cols()) });
    }
    let (a, e) = scaled_copy(a, conj, Part::Lower, with.workspace)?;
    if n == 0 {
        return Ok(Eigh { w: with.zeros(0)?, v: a });
    }
    let mut eigh = any_driver(&a, vectors, part, with)?;
    scale_back(&mut eigh.w, e)?;
    Ok(eigh)
}

/// The largest matrix for which faer took no longer than a good LAPACK (OpenBLAS with kernels for AVX-512), measured.
fn own_up_to<T: Scalar>() -> usize {
    // heevd takes 1.2 times as long as faer for n = 320, and 2.7 times for 2000.
    if T::DTYPE.is_complex() {
        usize::MAX
    } else {
        32
    }
}

/// Whether heevr finds so few of n values sooner than another driver finds all, if it was lent: measured, likewise.
fn part_pays(count: usize, n: usize) -> bool {
    n >= 32 && 0 < count && count <= n / 8
}

fn any_driver<'w, T: Element>(
    a: &Matrix<'w, T>,
    vectors: bool,
    part: Option<Range<usize>>,
    with: Resources<'w>,
) -> Result<Eigh<'w, T>, Error> {
    use Driver::*;
    let n = a.rows();
    let part = part.filter(|part| part_pays(part.len(), n));
    let chain: &[Driver] = match with.provider {
        Provider::Own => &[Rotations, Faer, FaerReversed],
        Provider::Auto if n <= own_up_to::<T>() => &[HeevrPart, Rotations, Faer, FaerReversed, Heevd, Heevr],
        Provider::Auto | Provider::Lent => &[HeevrPart, Heevd, Heevr, Faer, FaerReversed],
    };
    first(chain, |driver| {
        let result = match driver {
            HeevrPart => {
                T::lent_heevr(a, vectors, part.clone()?, with.workspace)?.and_then(|eigh| checked(a, eigh, with))
            }
            Rotations if n <= small::MOST_EIGH => small::eigh(a, with.workspace),
            Heevd => T::lent_heevd(a, vectors, with.workspace)?,
            Heevr => T::lent_heevr(a, vectors, 0..n, with.workspace)?,
            Faer => T::own_eigh(a, vectors, with.workspace),
            FaerReversed => reversed(a, with.workspace, |a| T::own_eigh(a, vectors, with.workspace)),
            _ => return None,
        };
        Some(sound(result))
    })
}

/// Vectors from inverse iteration, which may fail to be orthogonal where values are close, and say nothing: they count
/// if VᴴV = 1 and A·V = V·Diagonal(w) up to 10·n·eps, in the Frobenius norm and relative to that of A.
fn checked<'w, T: Element>(a: &Matrix<'w, T>, eigh: Eigh<'w, T>, with: Resources<'w>) -> Result<Eigh<'w, T>, Error> {
    let (n, v) = (a.rows(), eigh.v.as_ref());
    let bound = 10.0 * n as f64 * T::Real::EPSILON.to_f64();
    let square = |x: T| x.abs_sqr().to_f64();
    let mut gram = with.matrix(v.cols(), v.cols())?;
    gemm(T::ONE, v.t(), true, v, false, T::ZERO, gram.as_mut(), Threads::ONE)?;
    (0..v.cols()).for_each(|j| gram.col_mut(j)[j] -= T::ONE);
    let skew: f64 = gram.elements().iter().map(|&x| square(x)).sum();

    // The elements above the diagonal are not A's.
    let mut whole = with.copy_of(a.as_ref(), false)?;
    let mut size = 0.0;
    for j in 0..n {
        size += square(T::from_real(a.col(j)[j].re()));
        whole.col_mut(j)[j] = T::from_real(a.col(j)[j].re());
        for i in j + 1..n {
            size += 2.0 * square(a.col(j)[i]);
            whole.col_mut(i)[j] = a.col(j)[i].conj();
        }
    }
    let mut residual = with.matrix(n, v.cols())?;
    gemm(T::ONE, whole.as_ref(), false, v, false, T::ZERO, residual.as_mut(), Threads::ONE)?;
    let mut sum = 0.0;
    for (j, &w) in eigh.w.iter().enumerate() {
        let differences = residual.col(j).iter().zip(eigh.v.col(j)).map(|(&x, &v)| square(x - v.scale(w)));
        sum += differences.sum::<f64>();
    }
    match skew <= bound * bound && sum <= bound * bound * size {
        true => Ok(eigh),
        false => Err(Error::NoConvergence),
    }
}

/// A result with NaN is none.
fn sound<T: Kernels>(result: Result<Eigh<'_, T>, Error>) -> Result<Eigh<'_, T>, Error> {
    let finite = |x: &Eigh<'_, T>| largest(&x.w).is_ok() && largest(x.v.elements()).is_ok();
    result.and_then(|eigh| if finite(&eigh) { Ok(eigh) } else { Err(Error::NoConvergence) })
}

/// The decomposition of A, given by its lower triangle, from that of A back to front.
fn reversed<'w, T: Kernels>(
    a: &Matrix<'w, T>,
    workspace: &'w Workspace,
    decompose: impl FnOnce(&Matrix<'w, T>) -> Result<Eigh<'w, T>, Error>,
) -> Result<Eigh<'w, T>, Error> {
    // Element (i, j) of the reversed matrix is (n−1−i, n−1−j) of A: the lower triangle of the one is the upper triangle
    // of the other, hence the transposition and the conjugate.
    let Eigh { w, v } = decompose(&Matrix::copy_of(a.as_ref().t().reverse_rows().reverse_cols(), true, workspace)?)?;
    Ok(Eigh { w, v: Matrix::copy_of(v.as_ref().reverse_rows(), false, workspace)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn back_to_front_gives_the_decomposition_of_a() {
        let (n, workspace) = (5, &Workspace::default());
        let entry = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Equal => Complex64::from((3.0 * i as f64).cos()),
            std::cmp::Ordering::Greater => Complex64::new((i + 2 * j) as f64, 1.0 + j as f64),
            std::cmp::Ordering::Less => Complex64::new((j + 2 * i) as f64, -1.0 - i as f64),
        };
        let mut a = Matrix::zeros(n, n, workspace).unwrap();
        a.as_mut().update(|i, j, x| *x = if i < j { Complex64::ZERO } else { entry(i, j) });
        let eigh = reversed(&a, workspace, |a| Kernels::own_eigh(a, true, workspace)).unwrap();
        for k in 0..n {
            let v = eigh.v.col(k);
            for i in 0..n {
                let av: Complex64 = (0..n).map(|j| entry(i, j) * v[j]).sum();
                assert!((av - v[i] * eigh.w[k]).norm() < 1e-13);
            }
        }
    }
}
