//! Triangular systems, A·X = B: A·Ẋ = Ḃ − Ȧ·X, B̄ = A⁻ᴴ·X̄, Ā = −B̄·Xᴴ, where of Ȧ and Ā the triangle counts, without
//! its diagonal if that is taken to be 1.

use tensoroxide_dense::Element;
use tensoroxide_linalg::Triangle;

use super::Slopes;
use crate::dual::{keep_triangle, Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    Triangle { upper, unit_diagonal }: Triangle,
    a: &Dual<'w, T>,
    x: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    db: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let mut right = match db {
        Some(db) => scope.copy(db.n())?,
        None => scope.zeros(x.rows(), x.cols())?,
    };
    if let Some(da) = da {
        let mut da = scope.copy(da.n())?;
        da.transform(|da| keep_triangle(da, upper, unit_diagonal));
        scope.add_product(&mut right, -1.0, da.n(), x.n())?;
    }
    Ok(vec![Some(scope.solve_triangular(a.n(), upper, unit_diagonal, &right)?)])
}

pub(super) fn vjp<'w, T: Element>(
    Triangle { upper, unit_diagonal }: Triangle,
    a: &Dual<'w, T>,
    x: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    wanted: &[bool],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(xb) = xb else { return Ok(vec![None, None]) };
    let bb = scope.solve_triangular(a.h(), !upper, unit_diagonal, xb)?;
    let mut ab = None;
    if wanted[0] {
        let mut product = scope.zeros(a.rows(), a.cols())?;
        scope.add_product(&mut product, -1.0, bb.n(), x.h())?;
        product.transform(|product| keep_triangle(product, upper, unit_diagonal));
        ab = Some(product);
    }
    Ok(vec![ab, Some(bb)])
}
