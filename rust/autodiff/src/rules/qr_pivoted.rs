//! The QR decomposition with column pivoting, A\[:, p\] = Q·R: that of a matrix whose columns are in another order,
//! which is constant as long as no two pivots are equal.

use tensoroxide_dense::Element;

use super::{inverse, places, qr, Slopes};
use crate::dual::{Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    y: &[Dual<'w, T>],
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None, None]) };
    let p = places(&y[2], scope)?;
    let da = scope.rearranged(da.n(), |i| i, |j| p[j])?;
    let mut slopes = qr::jvp(y[0].n(), y[1].n(), Some(da.n()), scope)?;
    slopes.push(None);
    Ok(slopes)
}

pub(super) fn vjp<'w, T: Element>(
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let slopes = |i: usize| yb[i].as_ref().map(Dual::n);
    let back = inverse(&places(&y[2], scope)?, scope)?;
    let mut ab = qr::vjp(y[0].n(), y[1].n(), slopes(0), slopes(1), scope)?;
    if let Some(ab) = &mut ab[0] {
        *ab = scope.rearranged(ab.n(), |i| i, |j| back[j])?;
    }
    Ok(ab)
}
