//! The derivatives of linear algebra, one file an operation, for one matrix each.
//!
//! A rule knows inputs x, outputs y, and tangents or cotangents, all as [`Dual`]s of the one type in which it computes. A missing
//! (co)tangent is zero. Names: `dx` is a tangent, `x̄` is written `xb`.

mod cholesky;
mod det;
mod eig;
mod eigh;
mod expm;
mod functions;
mod groups;
mod inv;
mod lq;
mod lstsq;
mod lu;
mod norm;
mod phases;
mod pinv;
mod polar;
mod qr;
mod qr_pivoted;
mod rest;
mod schur;
mod solve;
mod svd;
mod triangular;
mod trunc;

use tensoroxide_dense::{Element, Memory};
use tensoroxide_tensor::Real;

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
        Operation::SvdCompact => svd::jvp(svd::Factors { u: &y[0], s: &y[1], vh: &y[2] }, &dx[0], scope),
        Operation::SvdFull => svd::full_jvp(y, &dx[0], scope),
        Operation::SvdVals => svd::values_jvp(&x[0], &dx[0], scope),
        Operation::SvdTrunc => trunc::svd_jvp(&x[0], y, &dx[0], scope),
        Operation::QrCompact | Operation::QrFull => qr::jvp(y[0].n(), y[1].n(), dx[0].as_ref().map(Dual::n), scope),
        Operation::QrNull => qr::null_jvp(x[0].n(), y[0].n(), dx[0].as_ref().map(Dual::n), scope),
        Operation::QrPivoted => qr_pivoted::jvp(y, &dx[0], scope),
        Operation::LqCompact | Operation::LqFull => lq::jvp(&y[0], &y[1], &dx[0], scope),
        Operation::LqNull => lq::null_jvp(&x[0], &y[0], &dx[0], scope),
        Operation::LeftPolar => Ok(polar::jvp(y[0].n(), &y[1], dx[0].as_ref().map(Dual::n), scope)?.into()),
        Operation::RightPolar => {
            let [dw, dp] = polar::jvp(y[1].h(), &y[0], dx[0].as_ref().map(Dual::h), scope)?;
            Ok(vec![dp, dw.map(|dw| scope.copy(dw.h())).transpose()?])
        }
        Operation::Lu | Operation::LuComplete => lu::jvp(y, &dx[0], scope),
        Operation::Cholesky => cholesky::jvp(&y[0], &dx[0], scope),
        Operation::EighFull => eigh::jvp(&y[0], &y[1], &dx[0], scope),
        Operation::EighVals => eigh::values_jvp(&x[0], &dx[0], scope),
        Operation::EighTrunc => trunc::eigh_jvp(&x[0], y, &dx[0], scope),
        Operation::EigFull => eig::jvp(&y[0], &y[1], &x[0], &dx[0], scope),
        Operation::EigVals | Operation::SchurVals => eig::values_jvp(&x[0], &y[0], &dx[0], scope),
        Operation::SchurFull => schur::jvp(&y[0], &y[1], &dx[0], scope),
        Operation::Solve => solve::jvp(&x[0], &y[0], &dx[0], &dx[1], scope),
        Operation::SolveTriangular(triangle) => triangular::jvp(triangle, &x[0], &y[0], &dx[0], &dx[1], scope),
        Operation::Lstsq => lstsq::jvp(x, &y[0], dx, scope),
        Operation::Inv => inv::jvp(&y[0], &dx[0], scope),
        Operation::Pinv => pinv::jvp(&x[0], &y[0], &dx[0], scope),
        Operation::Det => det::jvp(&x[0], &dx[0], scope),
        Operation::LogAbsDet => det::log_jvp(&x[0], &y[1], &dx[0], scope),
        Operation::Expm => expm::jvp(&x[0], &dx[0], scope),
        Operation::HermitianFunction(f) => functions::jvp(f, &x[0], &dx[0], scope),
        Operation::Norm(kind) => norm::jvp(kind, &x[0], &y[0], &dx[0], scope),
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
        Operation::SvdCompact => {
            let factors = svd::Factors { u: &y[0], s: &y[1], vh: &y[2] };
            let slopes = svd::Cotangents { u: yb[0].as_ref(), s: yb[1].as_ref(), vh: yb[2].as_ref() };
            svd::vjp(factors, slopes, scope)
        }
        Operation::SvdFull => svd::full_vjp(y, yb, scope),
        Operation::SvdVals => svd::values_vjp(&x[0], &yb[0], scope),
        Operation::SvdTrunc => trunc::svd_vjp(&x[0], y, yb, scope),
        Operation::QrCompact | Operation::QrFull => {
            qr::vjp(y[0].n(), y[1].n(), yb[0].as_ref().map(Dual::n), yb[1].as_ref().map(Dual::n), scope)
        }
        Operation::QrNull => qr::null_vjp(x[0].n(), y[0].n(), yb[0].as_ref().map(Dual::n), scope),
        Operation::QrPivoted => qr_pivoted::vjp(y, yb, scope),
        Operation::LqCompact | Operation::LqFull => lq::vjp(&y[0], &y[1], &yb[0], &yb[1], scope),
        Operation::LqNull => lq::null_vjp(&x[0], &y[0], &yb[0], scope),
        Operation::LeftPolar => {
            Ok(vec![Some(polar::vjp(y[0].n(), &y[1], yb[0].as_ref().map(Dual::n), &yb[1], scope)?)])
        }
        Operation::RightPolar => {
            let ab = polar::vjp(y[1].h(), &y[0], yb[1].as_ref().map(Dual::h), &yb[0], scope)?;
            Ok(vec![Some(scope.copy(ab.h())?)])
        }
        Operation::Lu | Operation::LuComplete => lu::vjp(y, yb, scope),
        Operation::Cholesky => cholesky::vjp(&y[0], &yb[0], scope),
        Operation::EighFull => eigh::vjp(&y[0], &y[1], yb, scope),
        Operation::EighVals => eigh::values_vjp(&x[0], &yb[0], scope),
        Operation::EighTrunc => trunc::eigh_vjp(&x[0], y, yb, scope),
        Operation::EigFull => eig::vjp(&y[0], &y[1], &x[0], yb, scope),
        Operation::EigVals | Operation::SchurVals => eig::values_vjp(&x[0], &y[0], &yb[0], scope),
        Operation::SchurFull => schur::vjp(&y[0], &y[1], yb, scope),
        Operation::Solve => solve::vjp(&x[0], &y[0], &yb[0], wanted, scope),
        Operation::SolveTriangular(triangle) => triangular::vjp(triangle, &x[0], &y[0], &yb[0], wanted, scope),
        Operation::Lstsq => lstsq::vjp(x, &y[0], &yb[0], wanted, scope),
        Operation::Inv => inv::vjp(&y[0], &yb[0], scope),
        Operation::Pinv => pinv::vjp(&x[0], &y[0], &yb[0], scope),
        Operation::Det => det::vjp(&x[0], &yb[0], scope),
        Operation::LogAbsDet => det::log_vjp(&x[0], &y[1], yb, scope),
        Operation::Expm => expm::vjp(&x[0], &yb[0], scope),
        Operation::HermitianFunction(f) => functions::vjp(f, &x[0], &yb[0], scope),
        Operation::Norm(kind) => norm::vjp(kind, &x[0], &y[0], &yb[0], scope),
    }
}

/// A column of positions.
fn places<'w, T: Element>(column: &Dual<'_, T>, scope: Scope<'w>) -> Result<Memory<'w, usize>, Error> {
    let mut places = scope.with.zeros(column.rows())?;
    places.iter_mut().zip(column.value.elements()).for_each(|(to, x)| *to = x.re().to_f64() as usize);
    Ok(places)
}

/// Where each position is found.
fn inverse<'w>(places: &[usize], scope: Scope<'w>) -> Result<Memory<'w, usize>, Error> {
    let mut inverse = scope.with.zeros(places.len())?;
    places.iter().enumerate().for_each(|(i, &place)| inverse[place] = i);
    Ok(inverse)
}
