//! Eigenvalues and eigenvectors of a small Hermitian matrix.
//!
//! With a shift A + σ·1 is positive definite and has a factor L·Lᴴ, whose left singular vectors are A's eigenvectors: no
//! vectors have to be accumulated beside it (Veselić and Hari, Numer. Math. 56, 627 (1989)). The eigenvalues are the Rayleigh
//! quotients of A, accurate relative to its norm, which is all that a Hermitian matrix promises.

use tensoroxide_tensor::{Complex64, Real, Scalar};

use super::columns::{padded, Columns};
use super::jacobi::orthogonalize;
use super::svd::norm;
use super::MOST_EIGH;
use crate::workspace::Plain;
use crate::{Eigh, Error, Matrix, Workspace};

/// The decomposition of a matrix, given by its lower triangle, with at most [`MOST_EIGH`] rows, not empty, finite, and scaled
/// to about 1.
pub(crate) fn eigh<'w, T: Plain + Scalar<Real: Plain>>(
    a: &Matrix<'_, T>,
    workspace: &'w Workspace,
) -> Result<Eigh<'w, T>, Error> {
    let (n, complex) = (a.rows(), T::DTYPE.is_complex());
    let mut columns = Columns::of(a, 0, workspace)?;
    let squares: f64 = (0..n)
        .flat_map(|j| (j..n).map(move |i| (i, j)))
        .fold(0.0, |sum, (i, j)| sum + columns.get(i, j).norm_sqr() * if i == j { 1.0 } else { 2.0 });
    // No eigenvalue is larger than the norm; a matrix of zeros takes any shift.
    let shift = if squares > 0.0 { 2.0 * squares.sqrt() } else { 1.0 };
    (0..n).for_each(|i| columns.set(i, i, columns.get(i, i) + shift));
    cholesky(&mut columns, n);
    orthogonalize(&mut columns, padded(n), n, complex)?;

    let (mut values, mut order) = ([0.0; MOST_EIGH], [0; MOST_EIGH]);
    for j in 0..n {
        (values[j], order[j]) = (quotient(a, &columns, j), j);
    }
    order[..n].sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let (mut w, mut v) = (workspace.zeros::<T::Real>(n)?, Matrix::zeros(n, n, workspace)?);
    for (l, &j) in order[..n].iter().enumerate() {
        let size = norm(&columns, j, n);
        w[l] = T::Real::from_f64(values[j]);
        (0..n).for_each(|i| v.col_mut(l)[i] = T::from_c64(columns.get(i, j) / size));
    }
    Ok(Eigh { w, v })
}

/// xᴴ·A·x/xᴴ·x for a column x: the eigenvalue without the digits that the shift cost, and to the last one where A is diagonal.
fn quotient<T: Plain + Scalar>(a: &Matrix<'_, T>, columns: &Columns<'_>, j: usize) -> f64 {
    let n = a.rows();
    let (mut product, mut norm_sqr) = (0.0, 0.0);
    for k in 0..n {
        let x = columns.get(k, j);
        let below: Complex64 = (k + 1..n).map(|i| columns.get(i, j).conj() * a.col(k)[i].to_c64()).sum();
        product += a.col(k)[k].to_c64().re * x.norm_sqr() + 2.0 * (below * x).re;
        norm_sqr += x.norm_sqr();
    }
    product / norm_sqr
}

/// The lower triangle of L in the place of that of L·Lᴴ, which is far from singular.
fn cholesky(a: &mut Columns<'_>, n: usize) {
    for j in 0..n {
        for i in j..n {
            let known: Complex64 = (0..j).map(|k| a.get(i, k) * a.get(j, k).conj()).sum();
            let rest = a.get(i, j) - known;
            let x = if i == j { Complex64::from(rest.re.sqrt()) } else { rest / a.get(j, j).re };
            a.set(i, j, x);
        }
    }
}
