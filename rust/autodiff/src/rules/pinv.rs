//! The pseudo-inverse X of A, along directions that keep the rank of A:
//!
//! ```text
//! Ẋ = −X·Ȧ·X + X·Xᴴ·Ȧᴴ·(1 − A·X) + (1 − X·A)·Ȧᴴ·Xᴴ·X,
//! Ā = −Xᴴ·X̄·Xᴴ + (1 − A·X)·X̄ᴴ·X·Xᴴ + Xᴴ·X·X̄ᴴ·(1 − X·A).
//! ```
//!
//! Golub and Pereyra, SIAM J. Numer. Anal. 10, 413 (1973). The rank is the one that X was made with. Along other
//! directions X is not even continuous.

use tensoroxide_dense::Element;

use super::Slopes;
use crate::dual::{Dual, Op, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    x: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    between(a.n(), x.n(), da, scope)
}

pub(super) fn vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    x: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(xb) = xb else { return Ok(vec![None]) };
    // The rule is its own adjoint, but for (A, X) in place of their adjoints.
    between(a.h(), x.h(), xb, scope)
}

/// −X·D·X + X·Xᴴ·Dᴴ·(1 − A·X) + (1 − X·A)·Dᴴ·Xᴴ·X
fn between<'w, T: Element>(
    a: Op<'_, 'w, T>,
    x: Op<'_, 'w, T>,
    d: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let right = scope.product(d.n(), x)?;
    let left = scope.product(x, d.n())?;
    let mut sum = scope.product(left.n(), x)?;
    sum.scale(-1.0);
    let from_right = scope.product(x, right.h())?;
    scope.add(&mut sum, 1.0, from_right.n())?;
    scope.add_product(&mut sum, -1.0, scope.product(from_right.n(), a)?.n(), x)?;
    let from_left = scope.product(left.h(), x)?;
    scope.add(&mut sum, 1.0, from_left.n())?;
    scope.add_product(&mut sum, -1.0, x, scope.product(a, from_left.n())?.n())?;
    Ok(vec![Some(sum)])
}
