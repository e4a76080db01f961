//! Cholesky's factor, A = L·Lᴴ (Murray, arXiv:1602.07527): dL = L·Φ(L⁻¹·dA·L⁻ᴴ), where Φ keeps what is below the
//! diagonal and half of what is on it; and Ā is the Hermitian part of L⁻ᴴ·Φ(Lᴴ·L̄)·L⁻¹. Tangents count by their
//! Hermitian part.

use tensoroxide_dense::{Element, Matrix};
use tensoroxide_tensor::Real;

use super::Slopes;
use crate::dual::{keep_triangle, Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    l: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    let twice = scope.sum(da.n(), 1.0, da.h())?;
    let left = scope.solve_triangular(l.n(), false, false, &twice)?;
    let mut c = scope.solve_triangular(l.n(), false, false, left.h())?;
    c.scale(0.5);
    c.transform(half);
    Ok(vec![Some(scope.product(l.n(), c.n())?)])
}

pub(super) fn vjp<'w, T: Element>(
    l: &Dual<'w, T>,
    lb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(lb) = lb else { return Ok(vec![None]) };
    let mut c = scope.product(l.h(), lb.n())?;
    c.transform(half);
    // (L⁻ᴴ·C·L⁻¹)ᴴ = L⁻ᴴ·(L⁻ᴴ·C)ᴴ
    let left = scope.solve_triangular(l.h(), true, false, &c)?;
    let both = scope.solve_triangular(l.h(), true, false, left.h())?;
    let mut ab = scope.sum(both.n(), 1.0, both.h())?;
    ab.scale(0.5);
    Ok(vec![Some(ab)])
}

/// Φ: the diagonal, halved, is real, since that of L is.
fn half<T: Element>(x: &mut Matrix<'_, T>) {
    keep_triangle(x, false, false);
    for j in 0..x.cols() {
        x.col_mut(j)[j] = T::from_real(x.col(j)[j].re() * T::Real::from_f64(0.5));
    }
}
