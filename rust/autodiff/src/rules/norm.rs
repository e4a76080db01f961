//! Norms: the cotangent of A is x̄·G, and the tangent of the norm Re⟨G, Ȧ⟩, for the gradient G of the norm.
//!
//! | norm | G |
//! |---|---|
//! | Frobenius | A/‖A‖ |
//! | spectral | u₁·v₁ᴴ |
//! | nuclear | U·Vᴴ over the values that are not 0 |
//! | 1, ∞ | the phases of the column, or row, of the largest sum |
//!
//! Where a norm has a kink, at 0, for equal largest values, columns or rows, for elements or singular values that
//! vanish, G is a subgradient: the mean over the equal ones, 0 for what vanishes. Watson, Linear Algebra Appl. 170, 33
//! (1992).

use tensoroxide_dense::{Element, Matrix};
use tensoroxide_linalg::Norm;
use tensoroxide_tensor::Complex64;

use super::groups::{inverses, Groups};
use super::svd::{self, Factors};
use super::trunc::along;
use super::{polar, trunc, Slopes};
use crate::dual::{Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    kind: Norm,
    a: &Dual<'w, T>,
    norm: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    Ok(vec![Some(along(&gradient(kind, a, norm, scope)?, da, scope)?)])
}

pub(super) fn vjp<'w, T: Element>(
    kind: Norm,
    a: &Dual<'w, T>,
    norm: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(xb) = xb else { return Ok(vec![None]) };
    let mut ab = gradient(kind, a, norm, scope)?;
    scope.scale_by(&mut ab, xb)?;
    Ok(vec![Some(ab)])
}

fn gradient<'w, T: Element>(
    kind: Norm,
    a: &Dual<'w, T>,
    norm: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    if norm.value.elements()[0] == T::ZERO {
        return match a.tangent {
            Some(_) if a.rows() * a.cols() > 0 => Err(Error::Undefined("a norm has no second derivative at 0")),
            _ => scope.zeros(a.rows(), a.cols()),
        };
    }
    match kind {
        Norm::Frobenius => {
            let mut g = scope.copy(a.n())?;
            scope.scale_by(&mut g, &inverses(norm, 1, scope)?)?;
            Ok(g)
        }
        Norm::Spectral => spectral(a, scope),
        Norm::Nuclear => nuclear(a, scope),
        Norm::One => largest(a, scope),
        Norm::Infinity => {
            let g = largest(&scope.copy(a.h())?, scope)?;
            scope.copy(g.h())
        }
    }
}

/// The mean of u·vᴴ over the largest values.
fn spectral<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let [u, s, vh] = svd::factors(&scope.value(a)?, scope)?;
    let groups = Groups::of(&s.value, a.rows().max(a.cols()), scope)?;
    let count = (0..s.rows()).take_while(|&i| groups.same(0, i)).count();
    let mut u = scope.block(&u, (0, 0), (a.rows(), count))?;
    let mut vh = scope.block(&vh, (0, 0), (count, a.cols()))?;
    if let Some(da) = scope.slope(a)? {
        if count > 1 {
            return Err(Error::Undefined("a spectral norm has no second derivative at equal largest values"));
        }
        let s = scope.block(&s, (0, 0), (1, 1))?;
        let slopes = trunc::thin_jvp(&scope.value(a)?, Factors { u: &u, s: &s, vh: &vh }, &da, scope)?;
        [u.tangent, vh.tangent] = slopes.map(|slope| Some(slope.value));
    }
    let mut g = scope.product(u.n(), vh.n())?;
    g.scale(1.0 / count as f64);
    Ok(g)
}

/// The isometry of A's polar decomposition, on the values that are not 0.
fn nuclear<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let tall = a.rows() >= a.cols();
    let [u, s, vh] = svd::factors(&scope.value(a)?, scope)?;
    let rank = svd::Spectrum::of(Factors { u: &u, s: &s, vh: &vh }, scope)?.rank;
    let (left, right) = (scope.block(&u, (0, 0), (a.rows(), rank))?, scope.block(&vh, (0, 0), (rank, a.cols()))?);
    let mut g = scope.product(left.n(), right.n())?;
    if let Some(da) = scope.slope(a)? {
        // W of A = W·P, or of its adjoint.
        let mut p = if tall { scope.copy(vh.h())? } else { scope.copy(u.n())? };
        scope.scale_cols(&mut p, &s)?;
        let p = scope.product(p.n(), if tall { vh.n() } else { u.h() })?;
        let slope = match tall {
            true => polar::jvp(g.n(), &p, Some(da.n()), scope)?,
            false => polar::jvp(g.h(), &p, Some(da.h()), scope)?,
        };
        if rank < s.rows() {
            return Err(Error::Undefined("a nuclear norm has no second derivative where singular values vanish"));
        }
        if let [Some(dw), _] = slope {
            let dw = scope.copy(if tall { dw.n() } else { dw.h() })?;
            scope.add_slope(&mut g, 1.0, &dw)?;
        }
    }
    Ok(g)
}

/// The phases of the column of the largest sum of moduli; their mean over equal ones.
fn largest<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let sum = |x: &Matrix<'_, T>, j: usize| x.col(j).iter().map(|x| x.to_c64().norm()).sum::<f64>();
    let most = (0..a.cols()).map(|j| sum(&a.value, j)).fold(0.0, f64::max);
    let bound = most * (1.0 - scope.options.degeneracy::<T>(a.rows()));
    let columns: Vec<usize> = (0..a.cols()).filter(|&j| sum(&a.value, j) >= bound).collect();
    if columns.len() > 1 && a.tangent.is_some() {
        return Err(Error::Undefined("a norm has no second derivative at equal largest sums"));
    }
    let share = 1.0 / columns.len() as f64;
    let mut g = scope.zeros(a.rows(), a.cols())?;
    let mut slope = scope.zeros::<T>(a.rows(), a.cols())?;
    for j in columns {
        for i in 0..a.rows() {
            let x = a.value.col(j)[i].to_c64();
            if x == Complex64::ZERO {
                continue;
            }
            let modulus = x.norm();
            let phase = x / modulus;
            g.value.col_mut(j)[i] = T::from_c64(phase * share);
            if let Some(da) = &a.tangent {
                let dx = da.col(j)[i].to_c64() / modulus;
                slope.value.col_mut(j)[i] = T::from_c64((dx - phase * (phase.conj() * dx).re) * share);
            }
        }
    }
    if a.tangent.is_some() {
        scope.add_slope(&mut g, 1.0, &slope)?;
    }
    Ok(g)
}
