//! Least squares of least norm, and the pseudo-inverse, for matrices of any rank.

use tensoroxide_tensor::{Real, Threads};

use crate::own::divide;
use crate::scaling::{moderate_copy, scale_back, Triangle};
use crate::{gemm, svd, Element, Error, MatRef, Matrix, Resources, Svd};

/// How many singular values count: those above both `atol` and `rtol` times the largest.
fn rank<T: Element>(svd: &Svd<'_, T>, atol: f64, rtol: f64) -> usize {
    let largest = svd.s.first().map_or(0.0, |s| s.to_f64());
    svd.s.iter().take_while(|s| s.to_f64() > atol.max(rtol * largest)).count()
}

/// The X of least norm among those for which the columns of op(A)·X − op(B) have the least norms, and the rank of A:
/// the number of singular values above both `atol` and `rtol` times the largest one. Each op conjugates the elements
/// if asked to.
///
/// # Errors
/// [`Error::Shape`]; [`Error::NotFinite`] if A or B holds NaN or infinity, or if an element of X is too large for the
/// type; [`Error::NoConvergence`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{lstsq, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let (a, b) = ([1.0, 1.0, 1.0, 1.0], [1.0, 3.0]);
/// let (a, b) = (MatRef::from_slice(&a, 2, 2, 1, 2)?, MatRef::from_slice(&b, 2, 1, 1, 2)?);
/// let (x, rank) = lstsq(a, false, b, false, 0.0, 1e-12, Resources::of(&workspace))?;
/// assert_eq!(rank, 1);
/// assert!(x.col(0).iter().all(|x: &f64| (x - 1.0).abs() < 1e-14));
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn lstsq<'w, T: Element>(
    a: MatRef<T>,
    conj_a: bool,
    b: MatRef<T>,
    conj_b: bool,
    atol: f64,
    rtol: f64,
    with: Resources<'w>,
) -> Result<(Matrix<'w, T>, usize), Error> {
    if b.rows() != a.rows() {
        return Err(Error::Shape { operand: "B", expected: (a.rows(), b.cols()), found: (b.rows(), b.cols()) });
    }
    let (b, e) = moderate_copy(b, conj_b, Triangle::Both, with.workspace)?;
    let svd = svd(a, conj_a, with)?;
    let rank = rank(&svd, atol, rtol);
    let mut y = with.matrix(rank, b.cols())?;
    let (u, vh) = (svd.u.as_ref().block(0, 0, a.rows(), rank)?, svd.vh.as_ref().block(0, 0, rank, a.cols())?);
    gemm(T::ONE, u.t(), true, b.as_ref(), false, T::ZERO, y.as_mut(), Threads::ONE)?;
    for j in 0..y.cols() {
        (0..rank).for_each(|l| divide(&mut y.col_mut(j)[l..=l], T::from_real(svd.s[l])));
    }
    let mut x = with.matrix(a.cols(), b.cols())?;
    gemm(T::ONE, vh.t(), true, y.as_ref(), false, T::ZERO, x.as_mut(), Threads::ONE)?;
    scale_back(x.elements_mut(), e)?;
    Ok((x, rank))
}

/// The pseudo-inverse of op(A) by Moore and Penrose, n×m for A of m×n, where singular values count as in [`lstsq`].
///
/// # Errors
/// As [`lstsq`].
///
/// ```
/// use tensoroxide_dense::{pinv, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [3.0f64, 4.0];
/// let x = pinv(MatRef::from_slice(&a, 2, 1, 1, 2)?, false, 0.0, 1e-12, Resources::of(&workspace))?;
/// assert!((x.col(0)[0] - 0.12).abs() < 1e-15 && (x.col(1)[0] - 0.16).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn pinv<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    atol: f64,
    rtol: f64,
    with: Resources<'w>,
) -> Result<Matrix<'w, T>, Error> {
    let (m, n) = (a.rows(), a.cols());
    let mut svd = svd(a, conj, with)?;
    let rank = rank(&svd, atol, rtol);
    for l in 0..rank {
        let s = T::from_real(svd.s[l]);
        divide(svd.u.col_mut(l), s);
    }
    let (u, vh) = (svd.u.as_ref().block(0, 0, m, rank)?, svd.vh.as_ref().block(0, 0, rank, n)?);
    let mut x = with.matrix(n, m)?;
    gemm(T::ONE, vh.t(), true, u.t(), true, T::ZERO, x.as_mut(), Threads::ONE)?;
    scale_back(x.elements_mut(), 0)?; // an error if an element is too large
    Ok(x)
}
