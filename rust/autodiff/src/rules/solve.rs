//! Systems of equations, A·X = B: A·Ẋ = Ḃ − Ȧ·X, B̄ = A⁻ᴴ·X̄, Ā = −B̄·Xᴴ.

use tensoroxide_dense::Element;

use super::Slopes;
use crate::dual::{Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
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
        scope.add_product(&mut right, -1.0, da.n(), x.n())?;
    }
    Ok(vec![Some(scope.solve(a.n(), &right)?)])
}

pub(super) fn vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    x: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    wanted: &[bool],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(xb) = xb else { return Ok(vec![None, None]) };
    let bb = scope.solve(a.h(), xb)?;
    let mut ab = None;
    if wanted[0] {
        let mut product = scope.zeros(a.rows(), a.cols())?;
        scope.add_product(&mut product, -1.0, bb.n(), x.h())?;
        ab = Some(product);
    }
    Ok(vec![ab, Some(bb)])
}
