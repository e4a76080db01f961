//! The inverse: X = A⁻¹, Ẋ = −X·Ȧ·X, Ā = −Xᴴ·X̄·Xᴴ.

use tensoroxide_dense::Element;

use super::Slopes;
use crate::dual::{Dual, Op, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    x: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    between(x.n(), da, scope)
}

pub(super) fn vjp<'w, T: Element>(
    x: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    between(x.h(), xb, scope)
}

/// −X·S·X
fn between<'w, T: Element>(
    x: Op<'_, 'w, T>,
    slope: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(slope) = slope else { return Ok(vec![None]) };
    let mut product = scope.product(scope.product(x, slope.n())?.n(), x)?;
    product.scale(-1.0);
    Ok(vec![Some(product)])
}
