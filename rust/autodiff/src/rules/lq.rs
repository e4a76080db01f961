//! LQ decompositions, A = L·Q: those of Aᴴ = Qᴴ·Lᴴ, whose rules are in `qr.rs`.

use tensoroxide_dense::Element;

use super::{qr, Slopes};
use crate::dual::{Dual, Op, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    l: &Dual<'w, T>,
    q: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let mut slopes = adjoints(qr::jvp(q.h(), l.h(), adjoint(da), scope)?, scope)?;
    slopes.reverse();
    Ok(slopes)
}

pub(super) fn vjp<'w, T: Element>(
    l: &Dual<'w, T>,
    q: &Dual<'w, T>,
    lb: &Option<Dual<'w, T>>,
    qb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    adjoints(qr::vjp(q.h(), l.h(), adjoint(qb), adjoint(lb), scope)?, scope)
}

pub(super) fn null_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    n: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    adjoints(qr::null_jvp(a.h(), n.h(), adjoint(da), scope)?, scope)
}

pub(super) fn null_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    n: &Dual<'w, T>,
    nb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    adjoints(qr::null_vjp(a.h(), n.h(), adjoint(nb), scope)?, scope)
}

fn adjoint<'a, 'w, T: Element>(x: &'a Option<Dual<'w, T>>) -> Option<Op<'a, 'w, T>> {
    x.as_ref().map(Dual::h)
}

fn adjoints<'w, T: Element>(slopes: Slopes<'w, T>, scope: Scope<'w>) -> Result<Slopes<'w, T>, Error> {
    slopes.into_iter().map(|x| x.map(|x| scope.copy(x.h())).transpose()).collect()
}
