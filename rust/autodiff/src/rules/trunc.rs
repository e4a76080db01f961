//! Truncated decompositions: what was kept is differentiated with regard to what was cut, which needs no vectors of it.
//!
//! Let A′ = A − U·S·Vᴴ be what was cut. Outside of the spaces of U and V, U̇ has γ and V̇ has η with
//!
//! ```text
//! γ·S − A′·η = (1 − UUᴴ)ȦV,   η·S − A′ᴴ·γ = (1 − VVᴴ)ȦᴴU,
//! ```
//!
//! and the cotangent of A has γ·Vᴴ + U·ηᴴ, where γ and η solve the same equations, which are Hermitian, for (1 − UUᴴ)Ū
//! and (1 − VVᴴ)V̄; what is within the spaces is as for the whole decomposition. The error ϵ = ‖A′‖ has the cotangent
//! A′/ϵ, since A′ is orthogonal to all changes of what was kept. For Hermitian A = V·w·Vᴴ + A′: γ·w − A′·γ = (1 −
//! VVᴴ)ȦV. Francuz, Schuch, Vanhecke, arXiv:2311.11894.
//!
//! Who solves the equations: `rest.rs`.

use tensoroxide_dense::Element;
use tensoroxide_tensor::Real;

use super::eigh::{self, hermitian, symmetric};
use super::groups::{inverses, Groups};
use super::rest::{HermitianRest, Rest};
use super::svd::{self, Cotangents, Factors, Middle, Spectrum};
use super::Slopes;
use crate::dual::{norm, Dual, Scope};
use crate::{Error, Phases};

/// A′ = A − U·S·Vᴴ
fn rest<'w, T: Element>(a: &Dual<'w, T>, f: Factors<'_, 'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let (mut rest, mut us) = (scope.copy(a.n())?, scope.copy(f.u.n())?);
    scope.scale_cols(&mut us, f.s)?;
    scope.add_product(&mut rest, -1.0, us.n(), f.vh.n())?;
    Ok(rest)
}

/// A′/ϵ, or 0 if ϵ is no more than rounding.
fn slope_of_error<'w, T: Element>(
    rest: &Dual<'w, T>,
    epsilon: &Dual<'w, T>,
    slack: f64,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let counts = usize::from(epsilon.value.elements()[0].re().to_f64() > slack);
    let mut slope = scope.copy(rest.n())?;
    scope.scale_by(&mut slope, &inverses(epsilon, counts, scope)?)?;
    Ok(slope)
}

/// Re⟨G, Ȧ⟩, 1×1.
pub(super) fn along<'w, T: Element>(g: &Dual<'w, T>, da: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let mut product = scope.copy(g.n())?;
    product.linear(|_, _, x| x.conj());
    scope.hadamard(&mut product, da)?;
    let mut sum = scope.total(&product)?;
    sum.real();
    Ok(sum)
}

/// The tangents of some leading factors, of which the phases are free together.
pub(super) fn thin_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    f: Factors<'_, 'w, T>,
    da: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<[Dual<'w, T>; 2], Error> {
    let spectrum = Spectrum::of(f, scope)?;
    let cut = rest(a, f, scope)?;
    let tangents = outside(f, (&spectrum, &Rest::new(&cut, f.s, &spectrum, scope)?), da, scope)?;
    let [du, _, dvh] = svd::assemble(f, tangents, Phases::Free, scope)?;
    Ok([du, dvh])
}

/// All tangents, those outside of U and V with regard to what was cut.
fn outside<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    (spectrum, solver): (&Spectrum<'w>, &Rest<'_, 'w, T>),
    da: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<svd::Tangents<'w, T>, Error> {
    let mut tangents = svd::tangents(f, da, spectrum, (true, true), scope)?;
    if let (Some(u), Some(vh)) = (tangents.u.take(), tangents.vh.take()) {
        let (gamma, eta) = solver.solve(&u, &scope.copy(vh.h())?, scope)?;
        (tangents.u, tangents.vh) = (Some(gamma), Some(scope.copy(eta.h())?));
    }
    Ok(tangents)
}

pub(super) fn svd_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    y: &[Dual<'w, T>],
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None, None, None]) };
    let f = Factors { u: &y[0], s: &y[1], vh: &y[2] };
    let spectrum = Spectrum::of(f, scope)?;
    let cut = rest(a, f, scope)?;
    let solver = Rest::new(&cut, f.s, &spectrum, scope)?;
    let tangents = outside(f, (&spectrum, &solver), da, scope)?;
    let depsilon = along(&slope_of_error(&cut, &y[3], spectrum.groups.slack, scope)?, da, scope)?;
    let [du, ds, dvh] = svd::assemble(f, tangents, scope.options.phases, scope)?;
    Ok([du, ds, dvh, depsilon].map(Some).into())
}

pub(super) fn svd_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let f = Factors { u: &y[0], s: &y[1], vh: &y[2] };
    let spectrum = Spectrum::of(f, scope)?;
    let cut = rest(a, f, scope)?;
    let solver = Rest::new(&cut, f.s, &spectrum, scope)?;
    let cotangents = Cotangents { u: yb[0].as_ref(), s: yb[1].as_ref(), vh: yb[2].as_ref() };
    let Middle { m, u, vh } = svd::middle(f, cotangents, &spectrum, (true, true), scope)?;
    let mut left = scope.product(f.u.n(), m.n())?;
    let mut right = None;
    if u.is_some() || vh.is_some() {
        let u = u.map_or_else(|| scope.zeros(f.u.rows(), f.s.rows()), Ok)?;
        let v = match vh {
            Some(vh) => scope.copy(vh.h())?,
            None => scope.zeros(f.vh.cols(), f.s.rows())?,
        };
        let (gamma, eta) = solver.solve(&u, &v, scope)?;
        scope.add(&mut left, 1.0, gamma.n())?;
        right = Some(eta);
    }
    let mut ab = scope.product(left.n(), f.vh.n())?;
    if let Some(eta) = right {
        scope.add_product(&mut ab, 1.0, f.u.n(), eta.h())?;
    }
    if let Some(epsilonb) = &yb[3] {
        let mut slope = slope_of_error(&cut, &y[3], spectrum.groups.slack, scope)?;
        scope.scale_by(&mut slope, epsilonb)?;
        scope.add(&mut ab, 1.0, slope.n())?;
    }
    Ok(vec![Some(ab)])
}

/// A′ = A − V·w·Vᴴ
fn hermitian_rest<'w, T: Element>(
    a: &Dual<'w, T>,
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let (mut cut, mut vw) = (hermitian(a, scope)?, scope.copy(v.n())?);
    scope.scale_cols(&mut vw, w)?;
    scope.add_product(&mut cut, -1.0, vw.n(), v.h())?;
    Ok(cut)
}

pub(super) fn eigh_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    y: &[Dual<'w, T>],
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None, None]) };
    let (w, v) = (&y[0], &y[1]);
    let groups = Groups::of(&w.value, v.rows(), scope)?;
    let cut = hermitian_rest(a, (w, v), scope)?;
    let solver = HermitianRest::new(&cut, (w, v), &groups, scope)?;
    let mut tangents = eigh::tangents((w, v), da, true, scope)?;
    if let Some(x) = tangents.outside.take() {
        let (gamma, part) = solver.solve(&x, scope)?;
        scope.gauge_dependent::<T>(part, norm(da.value.elements()))?;
        tangents.outside = Some(gamma);
    }
    let depsilon = along(&slope_of_error(&cut, &y[2], groups.slack, scope)?, da, scope)?;
    let mut slopes = eigh::assemble(v, tangents, scope.options.phases, scope)?;
    slopes.push(Some(depsilon));
    Ok(slopes)
}

pub(super) fn eigh_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (w, v) = (&y[0], &y[1]);
    let groups = Groups::of(&w.value, v.rows(), scope)?;
    let cut = hermitian_rest(a, (w, v), scope)?;
    let solver = HermitianRest::new(&cut, (w, v), &groups, scope)?;
    let (m, outside) = eigh::middle((w, v), (yb[0].as_ref(), yb[1].as_ref()), true, scope)?;
    let mut left = scope.product(v.n(), m.n())?;
    if let (Some(x), Some(vb)) = (outside, &yb[1]) {
        let (gamma, part) = solver.solve(&x, scope)?;
        scope.gauge_dependent::<T>(part, norm(vb.value.elements()))?;
        scope.add(&mut left, 1.0, gamma.n())?;
    }
    let mut ab = scope.product(left.n(), v.h())?;
    if let Some(epsilonb) = &yb[2] {
        let mut slope = slope_of_error(&cut, &y[2], groups.slack, scope)?;
        scope.scale_by(&mut slope, epsilonb)?;
        scope.add(&mut ab, 1.0, slope.n())?;
    }
    Ok(vec![Some(symmetric(ab))])
}
