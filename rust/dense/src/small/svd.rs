//! The thin singular value decomposition of a small matrix.

use tensoroxide_tensor::{Complex64, Real, Scalar};

use super::columns::{padded, Columns};
use super::jacobi::orthogonalize;
use super::MOST;
use crate::workspace::Plain;
use crate::{Error, Matrix, Svd, Workspace};

/// The decomposition of a matrix with at most [`MOST`] rows and columns, not empty, finite, and scaled to about 1.
pub(crate) fn svd<'w, T: Plain + Scalar<Real: Plain>>(
    a: &Matrix<'_, T>,
    workspace: &'w Workspace,
) -> Result<Svd<'w, T>, Error> {
    if a.rows() < a.cols() {
        let svd = tall(&Matrix::copy_of(a.as_ref().t(), true, workspace)?, workspace)?;
        return svd.adjoint(workspace);
    }
    tall(a, workspace)
}

fn tall<'w, T: Plain + Scalar<Real: Plain>>(a: &Matrix<'_, T>, workspace: &'w Workspace) -> Result<Svd<'w, T>, Error> {
    let (m, n, complex) = (a.rows(), a.cols(), T::DTYPE.is_complex());
    let rows = padded(m);
    // A, and below it the identity, which becomes V.
    let mut columns = Columns::of(a, n, workspace)?;
    (0..n).for_each(|j| columns.set(rows + j, j, Complex64::ONE));
    orthogonalize(&mut columns, rows, n, complex)?;

    let (mut values, mut order) = ([0.0; MOST], [0; MOST]);
    for j in 0..n {
        (values[j], order[j]) = (norm(&columns, j, m), j);
    }
    order[..n].sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    let mut svd = Svd::room(m, n, true, workspace)?;
    // Below this, squares of products of two columns have lost digits, so that the rotations leave them as they are; they
    // are what rounding left, and their directions are free.
    let least = values[order[0]] * f64::MIN_POSITIVE.sqrt().sqrt() / f64::EPSILON;
    let mut basis = Columns::zeros(m, n, complex, workspace)?;
    for (l, &j) in order[..n].iter().enumerate() {
        svd.s[l] = T::Real::from_f64(values[j]);
        if values[j] > least {
            (0..m).for_each(|i| basis.set(i, l, columns.get(i, j) / values[j]));
        } else {
            complete(&mut basis, l, m);
        }
        for i in 0..m {
            svd.u.col_mut(l)[i] = T::from_c64(basis.get(i, l));
        }
        for i in 0..n {
            svd.vh.col_mut(i)[l] = T::from_c64(columns.get(rows + i, j).conj());
        }
    }
    Ok(svd)
}

/// The norm of the first `rows` numbers of a column, without underflow.
pub(super) fn norm(columns: &Columns<'_>, j: usize, rows: usize) -> f64 {
    let parts = || (0..rows).flat_map(|i| [columns.get(i, j).re, columns.get(i, j).im]);
    let squares: f64 = parts().map(|x| x * x).sum();
    if squares > f64::MIN_POSITIVE / f64::EPSILON {
        return squares.sqrt();
    }
    let largest = parts().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    match largest {
        0.0 => 0.0,
        _ => largest * parts().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt(),
    }
}

/// Makes column `l` a unit vector orthogonal to those before it: what is left of the unit vector that they cover least.
fn complete(basis: &mut Columns<'_>, l: usize, rows: usize) {
    let covered = |i: usize| (0..l).map(|j| basis.get(i, j).norm_sqr()).sum::<f64>();
    let start = (0..rows).min_by(|&i, &j| covered(i).total_cmp(&covered(j))).unwrap_or(0);
    (0..rows).for_each(|i| basis.set(i, l, if i == start { Complex64::ONE } else { Complex64::ZERO }));
    // Twice is enough (Giraud, Langou and Rozložník, Comput. Math. Appl. 50, 1069 (2005)).
    for _ in 0..2 {
        for j in 0..l {
            let product: Complex64 = (0..rows).map(|i| basis.get(i, j).conj() * basis.get(i, l)).sum();
            (0..rows).for_each(|i| basis.set(i, l, basis.get(i, l) - product * basis.get(i, j)));
        }
        let size = norm(basis, l, rows);
        (0..rows).for_each(|i| basis.set(i, l, basis.get(i, l) / size));
    }
}
