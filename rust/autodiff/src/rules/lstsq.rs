//! Least squares, X = P·B with the pseudo-inverse P of A, along matrices of the same rank (Golub and Pereyra, SIAM J.
//! Numer. Anal. 10, 413 (1973)): with the residual E = B − A·X,
//!
//! Ẋ = P·(Ḃ − Ȧ·X) + P·Pᴴ·Ȧᴴ·E + (1 − P·A)·Ȧᴴ·Pᴴ·X,
//!
//! B̄ = Pᴴ·X̄ and Ā = −B̄·Xᴴ + E·(P·B̄)ᴴ + Pᴴ·X·((1 − P·A)·X̄)ᴴ. The second term is left out where the rows of A are
//! independent and E = 0, the third where its columns are and P·A = 1: of these, only rounding would be amplified.

use tensoroxide_dense::{lstsq, Element};
use tensoroxide_tensor::Real;

use super::Slopes;
use crate::dual::{Dual, Op, Scope};
use crate::Error;

/// The pseudo-inverse, and which terms there are.
struct Inverse<'w, T: Element> {
    p: Dual<'w, T>,
    has_residual: bool,
    has_null_space: bool,
}

impl<'w, T: Element> Inverse<'w, T> {
    fn new(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Self, Error> {
        let (m, n) = (a.rows(), a.cols());
        let rounding = m.max(n) as f64 * T::Real::EPSILON.to_f64();
        let rtol = scope.options.degeneracy.unwrap_or(rounding);
        let one = scope.identity(m)?;
        let (p, rank) = lstsq(a.value.as_ref(), false, one.value.as_ref(), false, 0.0, rtol, scope.with)?;
        let mut inverse = Inverse { p: Dual::constant(p), has_residual: rank < m, has_null_space: rank < n };
        if let Some(tangent) = &a.tangent {
            // P is the solution for B = 1.
            let value = Dual::constant(scope.with.copy_of(a.value.as_ref(), false)?);
            let da = Dual::constant(scope.with.copy_of(tangent.as_ref(), false)?);
            let slope = inverse.along(&value, one.n(), inverse.p.n(), Some(da.n()), None, scope)?;
            inverse.p.tangent = Some(slope.value);
        }
        Ok(inverse)
    }

    fn along(
        &self,
        a: &Dual<'w, T>,
        b: Op<'_, 'w, T>,
        x: Op<'_, 'w, T>,
        da: Option<Op<'_, 'w, T>>,
        db: Option<Op<'_, 'w, T>>,
        scope: Scope<'w>,
    ) -> Result<Dual<'w, T>, Error> {
        let p = &self.p;
        let mut right = match db {
            Some(db) => scope.copy(db)?,
            None => scope.zeros(b.rows(), b.cols())?,
        };
        if let Some(da) = da {
            scope.add_product(&mut right, -1.0, da, x)?;
        }
        let mut dx = scope.product(p.n(), right.n())?;
        if let (Some(da), true) = (da, self.has_residual) {
            let residual = self.residual(a, b, x, scope)?;
            let turned = scope.product(p.h(), scope.product(da.h(), residual.n())?.n())?;
            scope.add_product(&mut dx, 1.0, p.n(), turned.n())?;
        }
        if let (Some(da), true) = (da, self.has_null_space) {
            let turned = scope.product(da.h(), scope.product(p.h(), x)?.n())?;
            scope.add(&mut dx, 1.0, self.null_part(a, turned, scope)?.n())?;
        }
        Ok(dx)
    }

    /// B − A·X
    fn residual(
        &self,
        a: &Dual<'w, T>,
        b: Op<'_, 'w, T>,
        x: Op<'_, 'w, T>,
        scope: Scope<'w>,
    ) -> Result<Dual<'w, T>, Error> {
        let mut residual = scope.copy(b)?;
        scope.add_product(&mut residual, -1.0, a.n(), x)?;
        Ok(residual)
    }

    /// (1 − P·A)·Y
    fn null_part(&self, a: &Dual<'w, T>, mut y: Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let image = scope.product(a.n(), y.n())?;
        scope.add_product(&mut y, -1.0, self.p.n(), image.n())?;
        Ok(y)
    }
}

pub(super) fn jvp<'w, T: Element>(
    inputs: &[Dual<'w, T>],
    x: &Dual<'w, T>,
    slopes: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (a, b) = (&inputs[0], &inputs[1]);
    let slope = |i: usize| slopes[i].as_ref().map(Dual::n);
    Ok(vec![Some(Inverse::new(a, scope)?.along(a, b.n(), x.n(), slope(0), slope(1), scope)?)])
}

pub(super) fn vjp<'w, T: Element>(
    inputs: &[Dual<'w, T>],
    x: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    wanted: &[bool],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (a, b) = (&inputs[0], &inputs[1]);
    let Some(xb) = xb else { return Ok(vec![None, None]) };
    let inverse = Inverse::new(a, scope)?;
    let p = &inverse.p;
    let bb = scope.product(p.h(), xb.n())?;
    if !wanted[0] {
        return Ok(vec![None, Some(bb)]);
    }
    let mut ab = scope.zeros(a.rows(), a.cols())?;
    scope.add_product(&mut ab, -1.0, bb.n(), x.h())?;
    if inverse.has_residual {
        let residual = inverse.residual(a, b.n(), x.n(), scope)?;
        scope.add_product(&mut ab, 1.0, residual.n(), scope.product(p.n(), bb.n())?.h())?;
    }
    if inverse.has_null_space {
        let rest = inverse.null_part(a, scope.copy(xb.n())?, scope)?;
        scope.add_product(&mut ab, 1.0, scope.product(p.h(), x.n())?.n(), rest.h())?;
    }
    Ok(vec![Some(ab), Some(bb)])
}
