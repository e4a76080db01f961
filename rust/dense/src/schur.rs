//! The Schur decomposition A = Z·T·Zᴴ.
//!
//! Roads: the own QR iteration for matrices up to a size; LAPACK's gees, if lent; the own iteration. The next one is
//! taken if the one before did not converge.

use tensoroxide_tensor::{Complex64, Scalar};

use crate::driver::{first, Driver};
use crate::eig::{scaled_back, OWN_UP_TO};
use crate::element::Kernels;
use crate::own::{Ask, Values};
use crate::scaling::{scale_back, scaled_copy, Part};
use crate::workspace::{Memory, Plain};
use crate::{Element, Error, MatRef, Matrix, Provider, Resources};

/// The factors of A = Z·T·Zᴴ.
#[derive(Debug)]
pub struct Schur<'w, T: Element> {
    /// n×n. Of a complex matrix upper triangular. Of a real one quasi-triangular, with blocks of 1×1 and 2×2 on the
    /// diagonal; a block (a, b; c, d) of 2×2 has a = d and b·c < 0, and so a pair of conjugate eigenvalues.
    pub t: Matrix<'w, T>,
    /// n×n, unitary.
    pub z: Matrix<'w, T>,
    /// The eigenvalues on T's diagonal, in its order; of a pair, the one with the positive imaginary part first.
    pub w: Memory<'w, T::Complex>,
}

/// The Schur decomposition of op(A), where op conjugates the elements if asked to. The order of the eigenvalues is
/// the driver's.
///
/// # Errors
/// [`Error::Shape`] if A is not square; [`Error::NotFinite`] if A holds NaN or infinity, or if an element of T is too
/// large for the type; [`Error::Exhausted`]; [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{schur, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [0.0f64, 1.0, -1.0, 0.0];
/// let schur = schur(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((schur.t.col(0)[1] * schur.t.col(1)[0] + 1.0).abs() < 1e-15);
/// assert!((schur.w[0].im - 1.0).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn schur<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Schur<'w, T>, Error> {
    let (values, e) = decompose(a, conj, true, with)?;
    let Values { mut t, v: z, .. } = values;
    scale_back(t.elements_mut(), e)?;
    let mut w = with.zeros::<T::Complex>(t.rows())?;
    let diagonal = diagonal_values(&t, with)?;
    w.iter_mut().zip(&diagonal[..]).for_each(|(w, &value)| *w = Scalar::from_c64(value));
    Ok(Schur { t, z, w })
}

/// The eigenvalues of op(A) alone, equal to those of [`schur`] up to rounding and order; of a real matrix, the two of
/// a pair are neighbours, and the one with the positive imaginary part comes first.
///
/// # Errors
/// As [`schur`].
///
/// ```
/// use tensoroxide_dense::{schur_values, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [2.0f64, 0.0, 1.0, 3.0];
/// let w = schur_values(MatRef::from_slice(&a, 2, 2, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((w[0] * w[1] - 6.0).norm() < 1e-14);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn schur_values<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    with: Resources<'w>,
) -> Result<Memory<'w, T::Complex>, Error> {
    let (values, e) = decompose(a, conj, false, with)?;
    scaled_back(&values.w, e, with)
}

/// What the diagonal blocks say.
fn diagonal_values<'w, T: Plain + Scalar>(
    t: &Matrix<'_, T>,
    with: Resources<'w>,
) -> Result<Memory<'w, Complex64>, Error> {
    let n = t.rows();
    let mut w = with.zeros(n)?;
    let at = |i: usize, j: usize| t.col(j)[i].to_c64();
    for j in 0..n {
        w[j] = at(j, j);
        if j > 0 && at(j, j - 1) != Complex64::ZERO {
            let im = at(j, j - 1).norm().sqrt() * at(j - 1, j).norm().sqrt();
            (w[j - 1].im, w[j].im) = (im, -im);
        }
    }
    Ok(w)
}

/// The decomposition of A divided by 2^e, and e.
fn decompose<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    vectors: bool,
    with: Resources<'w>,
) -> Result<(Values<'w, T>, i32), Error> {
    use Driver::*;
    let n = a.rows();
    if a.cols() != n {
        return Err(Error::Shape { operand: "A", expected: (n, n), found: (n, a.cols()) });
    }
    let (a, e) = scaled_copy(a, conj, Part::Full, with.workspace)?;
    if n == 0 {
        return Ok((Values { w: with.zeros(0)?, t: with.matrix(0, 0)?, v: with.matrix(0, 0)? }, e));
    }
    let chain: &[Driver] = match with.provider {
        Provider::Own => &[Iteration],
        Provider::Auto if n <= OWN_UP_TO => &[Iteration, Gees],
        Provider::Auto | Provider::Lent => &[Gees, Iteration],
    };
    let values = first(chain, |driver| match driver {
        Gees => T::lent_gees(&a, vectors, with.workspace).map(sound),
        _ => Some(sound(own(&a, vectors, with))),
    });
    Ok((values?, e))
}

/// A result with NaN is none.
fn sound<T: Kernels>(result: Result<Values<'_, T>, Error>) -> Result<Values<'_, T>, Error> {
    let finite = |x: &Matrix<'_, T>| x.elements().iter().all(|x| x.is_finite());
    let values = result?;
    match finite(&values.t) && finite(&values.v) && values.w.iter().all(|w| w.is_finite()) {
        true => Ok(values),
        false => Err(Error::NoConvergence),
    }
}

/// The own iteration, in double precision.
fn own<'w, T: Kernels>(a: &Matrix<'_, T>, vectors: bool, with: Resources<'w>) -> Result<Values<'w, T>, Error> {
    let ask = if vectors { Ask::Schur } else { Ask::Values };
    let double = converted::<T, T::Double>(a, with)?;
    let Values { w, t, v } = T::own_nonsymmetric(double, ask, false, with.workspace)?;
    Ok(Values { w, t: converted(&t, with)?, v: converted(&v, with)? })
}

/// A copy with elements of another precision.
fn converted<'w, T: Plain + Scalar, U: Plain + Scalar>(
    a: &Matrix<'_, T>,
    with: Resources<'w>,
) -> Result<Matrix<'w, U>, Error> {
    let mut copy = with.matrix::<U>(a.rows(), a.cols())?;
    copy.elements_mut().iter_mut().zip(a.elements()).for_each(|(x, y)| *x = U::from_c64(y.to_c64()));
    Ok(copy)
}
