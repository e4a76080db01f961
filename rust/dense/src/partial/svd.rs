//! The leading singular values and vectors.
//!
//! From orthonormal columns Q, which begin with a basis of A times the random start, AᴴQ = P·R; what A·P adds to Q is
//! the next block of Q. With R = W·S·Zᴴ, the leading columns of U = Q·Z and V = P·W converge to the singular vectors.
//! AᴴU = V·S holds by itself; A·V − U·S is the residual.

use tensoroxide_tensor::Scalar;

use super::{frobenius, most_columns, orthonormal, random, Basis, Coefficients, Next, Partial, Product, Progress};
use crate::scaling::{factors, scale_back, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{svd, Element, Error, MatRef, Matrix, Resources};

/// The leading part of A = U·Diagonal(S)·Vᴴ.
#[derive(Debug)]
pub struct PartialSvd<'w, T: Plain + Scalar<Real: Plain>> {
    /// As many orthonormal columns as were asked for, each up to a phase.
    pub u: Matrix<'w, T>,
    /// The leading singular values, descending, and the one after them.
    pub s: Memory<'w, T::Real>,
    /// As many orthonormal rows.
    pub vh: Matrix<'w, T>,
    /// ‖A − U·Diagonal(S)·Vᴴ‖ in the Frobenius norm, computed element by element: the 2-norm of all singular values
    /// that are not among the leading ones, up to some eps·‖A‖.
    pub rest: f64,
    /// ‖A·V − U·Diagonal(S)‖ in the Frobenius norm. As far from a leading one of these numbers there is a singular
    /// value of A.
    pub residual: f64,
}

/// The leading singular values of op(A) and their vectors, where op conjugates the elements if asked to; `None` if the
/// residual that is asked for cannot be had for less than a whole decomposition.
///
/// # Errors
/// As [`svd`].
///
/// ```
/// use tensoroxide_dense::{svd_partial, MatRef, Partial, Resources, Workspace};
/// use tensoroxide_tensor::Threads;
/// let a: Vec<f64> = (0..40 * 40).map(|i| 1.0 / (1.0 + (i % 40 + i / 40) as f64)).collect();
/// let a = MatRef::from_slice(&a, 40, 40, 1, 40)?;
/// let wanted = Partial { count: 3, tol: None, seed: 0, threads: Threads::ONE };
/// let workspace = Workspace::default();
/// let svd = svd_partial(a, false, wanted, Resources::of(&workspace))?.expect("the values of this matrix fall fast");
/// assert_eq!((svd.u.cols(), svd.s.len(), svd.vh.rows()), (3, 4, 3));
/// assert!(svd.rest >= svd.s[3] && svd.rest < 1.1 * svd.s[3] && svd.residual < 1e-11);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn svd_partial<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    wanted: Partial,
    with: Resources<'w>,
) -> Result<Option<PartialSvd<'w, T>>, Error> {
    let (m, n, k) = (a.rows(), a.cols(), a.rows().min(a.cols()));
    let Some(block) = wanted.block(k) else {
        return Ok(None);
    };
    let (mut a, e) = scaled_copy(a, conj, Part::Full, with.workspace)?;
    let tolerance = wanted.tolerance::<T::Real>(k) * frobenius(&a);
    let (count, most) = (wanted.count, most_columns(k, block));
    let product = Product { with, threads: wanted.threads };
    let (mut left, mut right) = (Basis::new(m, most + block, with)?, Basis::new(n, most, with)?);
    left.extend(product.of(a.as_ref(), random(n, block, wanted.seed, with)?.as_ref())?, product)?;
    let mut triangle = with.matrix::<T>(most, most)?;
    let mut progress = Progress::new(tolerance, most);
    let inner = loop {
        let at = right.len;
        let Coefficients { old, new } = right.extend(product.adjoint_of(a.as_ref(), left.last(block)?)?, product)?;
        triangle.as_mut().block(0, at, at, block)?.copy_from(old.as_ref())?;
        triangle.as_mut().block(at, at, block, block)?.copy_from(new.as_ref())?;
        let Coefficients { new, .. } = left.extend(product.of(a.as_ref(), right.last(block)?)?, product)?;
        let inner = svd(triangle.as_ref().block(0, 0, right.len, right.len)?, false, with)?;
        // A·V − U·S lies in the new block: the one of Q for which there is no counterpart in P yet.
        let residual = product.of(new.as_ref(), inner.u.as_ref().block(at, 0, block, count + 1)?)?;
        match progress.after(frobenius(&residual), right.len, block) {
            Next::Done => break inner,
            Next::Continue => {}
            Next::GiveUp => return Ok(None),
        }
    };

    let len = right.len;
    let (w, zh) = (inner.u.as_ref().block(0, 0, len, count)?, inner.vh.as_ref().block(0, 0, count, len)?);
    let u = product.make((left.columns(0, len)?, false), (zh.t(), true))?;
    let vh = product.make((w.t(), true), (right.columns(0, len)?.t(), true))?;
    let mut scaled = with.copy_of(u.as_ref(), false)?;
    (0..count).for_each(|l| scaled.col_mut(l).iter_mut().for_each(|x| *x = x.scale(inner.s[l])));
    // From here on, A is what is left of it.
    product.add(-T::ONE, (scaled.as_ref(), false), (vh.as_ref(), false), a.as_mut())?;
    let residual = frobenius(&product.make((a.as_ref(), false), (vh.as_ref().t(), true))?);
    let sound = residual <= tolerance && orthonormal(u.as_ref(), product)? && orthonormal(vh.as_ref().t(), product)?;
    if !sound {
        return Ok(None);
    }
    let mut s = with.zeros(count + 1)?;
    s.copy_from_slice(&inner.s[..=count]);
    scale_back(&mut s, e)?;
    let back = factors::<f64>(e);
    let [rest, residual] = [frobenius(&a), residual].map(|x| x * back.0 * back.1);
    Ok(Some(PartialSvd { u, s, vh, rest, residual }))
}
