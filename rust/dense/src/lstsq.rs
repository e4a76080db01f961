//! Least squares of least norm, and the pseudo-inverse, for matrices of any rank.
//!
//! The singular values define the rank. Where the triangular factor R of A, or of Aᴴ if that is the taller one, proves
//! that none of them counts as zero, R solves the problem for a fraction of their price: σ₁ ≤ ‖R‖ and 1/σ_k ≤ ‖R⁻¹‖ in
//! the Frobenius norm.
//!
//! For deficient rank r there is no such short cut. A complete orthogonal decomposition (LAPACK's gelsy) drops the
//! trailing block R₂₂ of a pivoted QR, and so solves for a matrix that is not the nearest one of rank r: its
//! pseudo-inverse differs by up to about 2·‖R₂₂‖/σ_r² from that of the singular values (P.-Å. Wedin, BIT 13, 217
//! (1973)), which is rounding only where ‖R₂₂‖ is, and never where the tolerance is larger. Two meanings of X, chosen
//! by a norm near a threshold, are not worth the factor of less than two that the pivoting would leave.

use tensoroxide_tensor::{Real, Threads};

use crate::own::divide;
use crate::scaling::{largest, moderate_copy, scale_back, Triangle};
use crate::{gemm, qr, solve_triangular, svd, Element, Error, MatRef, Matrix, Qr, Resources, Svd};

/// The triangular decomposition of the taller one of op(A) and its adjoint, if it proves that A has full rank.
fn of_full_rank<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    atol: f64,
    rtol: f64,
    with: Resources<'w>,
) -> Result<Option<Qr<'w, T>>, Error> {
    let tall = a.rows() >= a.cols();
    let attempt = || {
        let qr = if tall { qr(a, conj, with) } else { qr(a.t(), !conj, with) }?;
        let mut identity = with.matrix(qr.r.rows(), qr.r.cols())?;
        (0..identity.cols()).for_each(|j| identity.col_mut(j)[j] = T::ONE);
        let inverse = solve_triangular(qr.r.as_ref(), false, true, false, identity.as_ref(), false, with)?;
        let most = norm(&qr.r)?;
        // Half of the bound, for the rounding of the inverse.
        Ok((0.5 / norm(&inverse)? > atol.max(rtol * most)).then_some(qr))
    };
    match attempt() {
        // What is beyond the range here may be within it for the singular values, and if not, they will say so.
        Err(Error::Singular { .. } | Error::NotFinite) => Ok(None),
        result => result,
    }
}

/// The Frobenius norm, over the whole range.
fn norm<T: Element>(a: &Matrix<'_, T>) -> Result<f64, Error> {
    let largest = largest(a.elements())?;
    if largest == 0.0 {
        return Ok(0.0);
    }
    let square = |x: &T| {
        let (re, im) = (x.re().to_f64() / largest, x.im().to_f64() / largest);
        re * re + im * im
    };
    Ok(largest * a.elements().iter().map(square).sum::<f64>().sqrt())
}

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
/// type; [`Error::Exhausted`]; [`Error::OutOfMemory`].
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
    if let Some(Qr { q, r }) = of_full_rank(a, conj_a, atol, rtol, with)? {
        let k = r.rows();
        let (q, r) = (q.as_ref(), r.as_ref());
        let solution = if a.rows() >= a.cols() {
            let mut y = with.matrix(k, b.cols())?;
            gemm(T::ONE, q.t(), true, b.as_ref(), false, T::ZERO, y.as_mut(), Threads::ONE)?;
            solve_triangular(r, false, true, false, y.as_ref(), false, with)
        } else {
            solve_triangular(r.t(), true, false, false, b.as_ref(), false, with).and_then(|y| {
                let mut x = with.matrix(a.cols(), b.cols())?;
                gemm(T::ONE, q, false, y.as_ref(), false, T::ZERO, x.as_mut(), Threads::ONE)?;
                Ok(x)
            })
        };
        let mut x = solution?;
        scale_back(x.elements_mut(), e)?;
        return Ok((x, k));
    }
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
    if let Some(Qr { q, r }) = of_full_rank(a, conj, atol, rtol, with)? {
        let x = solve_triangular(r.as_ref(), false, true, false, q.as_ref().t(), true, with)?;
        return if m >= n { Ok(x) } else { Matrix::copy_of(x.as_ref().t(), true, with.workspace) };
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workspace;

    /// Full rank is only taken for proven where it is true, and not missed far from the bound.
    #[test]
    fn the_triangle_proves_no_wrong_rank() {
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        for (x, scale) in [(1e-3, 1.0), (1e-12, 1.0), (1e-3, 1e300), (1e-3, 1e-300)] {
            for (factor, proven) in [(0.9, false), (1.1, false), (8.0, true)] {
                // Singular values 1 and x in vectors that are no unit vectors.
                let (c, s) = (0.6 * scale, 0.8 * scale);
                let a = [c * 0.8, s * 0.8, 0.0, -s * 0.6 * x, c * 0.6 * x, 0.0];
                let a = MatRef::from_slice(&a, 3, 2, 1, 3).unwrap();
                let size = norm(&Matrix::copy_of(a, false, &workspace).unwrap()).unwrap();
                let smallest = svd(a, false, with).unwrap().s[1];
                for (atol, rtol) in [(smallest / factor, 0.0), (0.0, smallest / size / factor)] {
                    for a in [a, a.t()] {
                        let found = of_full_rank(a, true, atol, rtol, with).unwrap().is_some();
                        assert_eq!(found, proven, "{x} {scale} {factor}");
                    }
                }
            }
        }
    }
}
