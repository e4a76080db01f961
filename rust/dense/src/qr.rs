//! The QR decomposition, A = Q·R, thin or with the whole of Q: reflections for small matrices; for larger ones LAPACK's
//! geqrf and orgqr (ungqr) if both were lent, but for the shapes where faer's kernels are faster; these otherwise.

use crate::scaling::{scale_back, scaled_copy, Part};
use crate::workspace::Plain;
use crate::{small, Element, Error, MatRef, Matrix, Provider, Resources, Workspace};

/// The factors of A = Q·R for A of m×n, with k = min(m, n).
#[derive(Debug)]
pub struct Qr<'w, T: Plain> {
    /// Orthonormal columns: k of them, or m in the full decomposition, whose further ones are orthogonal to the first.
    pub q: Matrix<'w, T>,
    /// k×n, zero below the diagonal. The diagonal may have any sign, and with faer any phase.
    pub r: Matrix<'w, T>,
}

impl<'w, T: Plain> Qr<'w, T> {
    /// R from a factored matrix, which holds it on and above the diagonal.
    pub(crate) fn upper(factored: &Matrix<'_, T>, workspace: &'w Workspace) -> Result<Matrix<'w, T>, Error> {
        let mut r = Matrix::zeros(factored.rows().min(factored.cols()), factored.cols(), workspace)?;
        for j in 0..r.cols() {
            let len = r.rows().min(j + 1);
            r.col_mut(j)[..len].copy_from_slice(&factored.col(j)[..len]);
        }
        Ok(r)
    }
}

/// The thin QR decomposition of op(A), where op conjugates the elements if asked to.
///
/// # Errors
/// [`Error::NotFinite`] if A holds NaN or infinity, or if an element of R is too large for the type;
/// [`Error::OutOfMemory`].
///
/// ```
/// use tensoroxide_dense::{qr, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [3.0f64, 4.0];
/// let qr = qr(MatRef::from_slice(&a, 2, 1, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((qr.r.col(0)[0].abs() - 5.0).abs() < 1e-14);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn qr<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Qr<'w, T>, Error> {
    decompose(a, conj, a.rows().min(a.cols()), with)
}

/// The QR decomposition of op(A) with all m columns of Q; R is that of [`qr`].
///
/// # Errors
/// As [`qr`].
///
/// ```
/// use tensoroxide_dense::{qr_full, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [3.0f64, 4.0];
/// let qr = qr_full(MatRef::from_slice(&a, 2, 1, 1, 2)?, false, Resources::of(&workspace))?;
/// assert!((qr.q.col(1)[0].abs() - 0.8).abs() < 1e-15);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
pub fn qr_full<'w, T: Element>(a: MatRef<T>, conj: bool, with: Resources<'w>) -> Result<Qr<'w, T>, Error> {
    decompose(a, conj, a.rows(), with)
}

/// The decomposition with so many columns of Q: 0, k or m.
fn decompose<'w, T: Element>(
    a: MatRef<T>,
    conj: bool,
    columns: usize,
    with: Resources<'w>,
) -> Result<Qr<'w, T>, Error> {
    let (a, e) = scaled_copy(a, conj, Part::Full, with.workspace)?;
    let (m, n) = (a.rows(), a.cols());
    if a.elements().is_empty() {
        let mut q = with.matrix::<T>(m, columns)?;
        (0..columns).for_each(|j| q.col_mut(j)[j] = T::ONE);
        return Ok(Qr { q, r: with.matrix(0, n)? });
    }
    let lent = || match with.provider {
        Provider::Own => None,
        Provider::Auto if own_is_faster(m, n) => None,
        _ => T::lent_qr(&a, columns, with.workspace),
    };
    let mut qr = if with.provider != Provider::Lent && m.max(n) <= small::MOST && columns == m.min(n) {
        small::qr(&a, with.workspace)
    } else {
        match lent() {
            None | Some(Err(Error::NoConvergence)) => T::own_qr(&a, columns, with.workspace),
            Some(result) => result,
        }
    }?;
    (0..n).try_for_each(|j| scale_back(qr.r.col_mut(j), e))?;
    Ok(qr)
}

/// Whether the own kernels took less time than a good LAPACK (OpenBLAS with kernels for AVX-512), measured: on one
/// thread, up to two thirds where most of the work is a product of blocks.
fn own_is_faster(m: usize, n: usize) -> bool {
    let wide = n >= 2 * m && m >= 32;
    m <= 512 && (wide || n >= m && m >= 128)
}
