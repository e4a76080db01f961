//! The eigenvalues of largest modulus of a Hermitian matrix and their vectors.
//!
//! From orthonormal columns Q, which begin with a basis of A times the random start, the part of A·Q that is not among
//! them is the next block. With the eigenvectors Y of QᴴAQ, those columns of V = Q·Y converge that belong to
//! eigenvalues far from the others.

use tensoroxide_tensor::{Real, Scalar};

use super::{frobenius, most_columns, orthonormal, random, Basis, Coefficients, Next, Partial, Product, Progress};
use crate::scaling::{factors, scale_back, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{eigh, Element, Error, MatRef, Matrix, Resources};

/// The leading part of A = V·Diagonal(w)·Vᴴ.
#[derive(Debug)]
pub struct PartialEigh<'w, T: Plain + Scalar<Real: Plain>> {
    /// The eigenvalues of largest modulus, this descending, and the one after them.
    pub w: Memory<'w, T::Real>,
    /// As many orthonormal columns as were asked for, each up to a phase.
    pub v: Matrix<'w, T>,
    /// ‖A − V·Diagonal(w)·Vᴴ‖ in the Frobenius norm, computed element by element: the 2-norm of the other eigenvalues,
    /// up to some eps·‖A‖.
    pub rest: f64,
    /// ‖A·V − V·Diagonal(w)‖ in the Frobenius norm. As far from a leading one of these numbers there is an eigenvalue
    /// of A.
    pub residual: f64,
}

/// The eigenvalues of largest modulus of op(A), of which only the lower triangle is read, and their vectors; `None` if
/// the residual that is asked for cannot be had for less than a whole decomposition. Of equal moduli the order is free.
///
/// # Errors
/// As [`eigh`].
///
/// ```
/// use tensoroxide_dense::{eigh_partial, MatRef, Partial, Resources, Workspace};
/// use tensoroxide_tensor::Threads;
/// let a: Vec<f64> = (0..40 * 40).map(|i| 1.0 / (1.0 + (i % 40 + i / 40) as f64)).collect();
/// let a = MatRef::from_slice(&a, 40, 40, 1, 40)?;
/// let wanted = Partial { count: 3, tol: None, seed: 0, threads: Threads::ONE };
/// let workspace = Workspace::default();
/// let eigh = eigh_partial(a, false, wanted, Resources::of(&workspace))?.expect("the values of this matrix fall fast");
/// assert_eq!((eigh.w.len(), eigh.v.cols()), (4, 3));
/// assert!(eigh.rest >= eigh.w[3] && eigh.rest < 1.1 * eigh.w[3] && eigh.residual < 1e-11);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn eigh_partial<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    wanted: Partial,
    with: Resources<'w>,
) -> Result<Option<PartialEigh<'w, T>>, Error> {
    let n = a.rows();
    if a.cols() != n {
        return Err(Error::Shape { operand: "A", expected: (n, n), found: (n, a.cols()) });
    }
    let Some(block) = wanted.block(n) else {
        return Ok(None);
    };
    let (mut a, e) = scaled_copy(a, conj, Part::Lower, with.workspace)?;
    mirror(&mut a);
    let tolerance = wanted.tolerance::<T::Real>(n) * frobenius(&a);
    let (count, most) = (wanted.count, most_columns(n, block));
    let product = Product { with, threads: wanted.threads };
    let mut basis = Basis::new(n, most + block, with)?;
    basis.extend(product.of(a.as_ref(), random(n, block, wanted.seed, with)?.as_ref())?, product)?;
    // The lower triangle of QᴴAQ.
    let mut projected = with.matrix::<T>(most + block, most)?;
    let mut progress = Progress::new(tolerance, most);
    let mut order = with.zeros::<usize>(most)?;
    let inner = loop {
        let at = basis.len - block;
        let Coefficients { old, new } = basis.extend(product.of(a.as_ref(), basis.last(block)?)?, product)?;
        projected.as_mut().block(at, at, block, block)?.copy_from(old.as_ref().block(at, 0, block, block)?)?;
        projected.as_mut().block(at + block, at, block, block)?.copy_from(new.as_ref())?;
        let inner = eigh(projected.as_ref().block(0, 0, at + block, at + block)?, false, with)?;
        by_modulus(&inner.w, &mut order);
        // A·V − V·w lies in the new block.
        let mut leading = with.matrix(block, count + 1)?;
        for (l, &from) in order[..=count].iter().enumerate() {
            leading.col_mut(l).copy_from_slice(&inner.v.col(from)[at..]);
        }
        let residual = product.of(new.as_ref(), leading.as_ref())?;
        match progress.after(frobenius(&residual), at + block, block) {
            Next::Done => break inner,
            Next::Continue => {}
            Next::GiveUp => return Ok(None),
        }
    };

    let len = inner.w.len();
    let (mut w, mut leading) = (with.zeros(count + 1)?, with.matrix::<T>(len, count)?);
    order[..=count].iter().zip(&mut w[..]).for_each(|(&from, w)| *w = inner.w[from]);
    (0..count).for_each(|l| leading.col_mut(l).copy_from_slice(inner.v.col(order[l])));
    let v = product.of(basis.columns(0, len)?, leading.as_ref())?;
    let mut scaled = with.copy_of(v.as_ref(), false)?;
    (0..count).for_each(|l| scaled.col_mut(l).iter_mut().for_each(|x| *x = x.scale(w[l])));
    // From here on, A is what is left of it.
    product.add(-T::ONE, (scaled.as_ref(), false), (v.as_ref().t(), true), a.as_mut())?;
    let residual = frobenius(&product.of(a.as_ref(), v.as_ref())?);
    if residual > tolerance || !orthonormal(v.as_ref(), product)? {
        return Ok(None);
    }
    scale_back(&mut w, e)?;
    let back = factors::<f64>(e);
    let [rest, residual] = [frobenius(&a), residual].map(|x| x * back.0 * back.1);
    Ok(Some(PartialEigh { w, v, rest, residual }))
}

/// The order of ascending values by descending modulus: the largest one is at one of the ends.
fn by_modulus<R: Real>(w: &[R], order: &mut [usize]) {
    let (mut low, mut high) = (0, w.len());
    for at in &mut order[..w.len()] {
        if w[high - 1].abs() >= w[low].abs() {
            high -= 1;
            *at = high;
        } else {
            *at = low;
            low += 1;
        }
    }
}

/// Writes the adjoint of the lower triangle into the upper one, tile by tile, so that neither side leaves the cache.
fn mirror<T: Element>(a: &mut Matrix<'_, T>) {
    const TILE: usize = 16;
    let n = a.rows();
    let elements = a.elements_mut();
    for (top, left) in (0..n).step_by(TILE).flat_map(|i| (0..=i).step_by(TILE).map(move |j| (i, j))) {
        for j in left..(left + TILE).min(n) {
            for i in top.max(j + 1)..(top + TILE).min(n) {
                elements[i * n + j] = elements[j * n + i].conj();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workspace;
    use tensoroxide_tensor::Complex64;

    #[test]
    fn the_mirror_image_is_hermitian() {
        let workspace = Workspace::default();
        for n in [0, 1, 15, 16, 17, 40] {
            let mut a = Matrix::zeros(n, n, &workspace).unwrap();
            a.as_mut().update(|i, j, x| match i >= j {
                true => *x = Complex64::new((i + 2 * j) as f64, (i - j) as f64),
                false => *x = Complex64::new(f64::NAN, 0.0),
            });
            mirror(&mut a);
            let a = a.as_ref();
            assert!((0..n * n).all(|x| a.get(x / n, x % n) == a.get(x % n, x / n).map(|x| x.conj())));
        }
    }

    #[test]
    fn moduli_descend() {
        let mut order = [0; 5];
        by_modulus(&[-3.0, -1.0, 0.5, 2.0, 3.0], &mut order);
        assert_eq!(order, [4, 0, 3, 1, 2]);
        by_modulus::<f64>(&[], &mut order);
    }
}
