//! The derivatives of linear algebra, one file an operation, for one matrix each.
//!
//! A rule knows inputs x, outputs y, and tangents or cotangents, all as [`Dual`]s of the one type in which it computes. A missing
//! (co)tangent is zero. Names: `dx` is a tangent, `x̄` is written `xb`.

mod inv;
mod solve;

use tensoroxide_dense::Element;

use crate::dual::{Dual, Scope};
use crate::{Error, Operation};

/// The tangents or cotangents of several operands; `None` is zero.
pub(crate) type Slopes<'w, T> = Vec<Option<Dual<'w, T>>>;

/// The tangents of the outputs, those of the inputs being given.
pub(crate) fn jvp<'w, T: Element>(
    operation: Operation,
    x: &[Dual<'w, T>],
    y: &[Dual<'w, T>],
    dx: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    match operation {
        Operation::Inv => inv::jvp(&y[0], &dx[0], scope),
        Operation::Solve => solve::jvp(&x[0], &y[0], &dx[0], &dx[1], scope),
        _ => Err(Error::Undefined("this operation has no rule yet")),
    }
}

/// The cotangents of those inputs that are `wanted`, those of the outputs being given.
pub(crate) fn vjp<'w, T: Element>(
    operation: Operation,
    x: &[Dual<'w, T>],
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    wanted: &[bool],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    match operation {
        Operation::Inv => inv::vjp(&y[0], &yb[0], scope),
        Operation::Solve => solve::vjp(&x[0], &y[0], &yb[0], wanted, scope),
        _ => Err(Error::Undefined("this operation has no rule yet")),
    }
}
