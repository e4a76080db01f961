//! Truncated decompositions: what was kept is differentiated with regard to what was cut, which needs no vectors of it.
//!
//! Let A′ = A − U·S·Vᴴ be what was cut. Outside of the spaces of U and V, U̇ has γ and V̇ has η with
//!
//!     γ·S − A′·η = (1 − UUᴴ)ȦV,   η·S − A′ᴴ·γ = (1 − VVᴴ)ȦᴴU,
//!
//! and the cotangent of A has γ·Vᴴ + U·ηᴴ, where γ and η solve the same equations, which are Hermitian, for (1 − UUᴴ)Ū and
//! (1 − VVᴴ)V̄; what is within the spaces is as for the whole decomposition. The error ϵ = ‖A′‖ has the cotangent A′/ϵ, since
//! A′ is orthogonal to all changes of what was kept. For Hermitian A = V·w·Vᴴ + A′: γ·w − A′·γ = (1 − VVᴴ)ȦV.
//! Francuz, Schuch, Vanhecke, arXiv:2311.11894.
//!
//! The equations are solved by the decomposition of A′, which says, too, whether the cut went through a group of equal values.

use tensoroxide_dense::{eigh, svd, Element};
use tensoroxide_tensor::Real;

use super::eigh::{self, hermitian, symmetric};
use super::groups::{inverses, size, Groups};
use super::svd::{self, Cotangents, Factors, Middle, Spectrum};
use super::Slopes;
use crate::dual::{norm, Dual, Scope};
use crate::{Error, Phases};

/// The decomposition of A′ = Q·t·Rᴴ, which is constant.
struct Rest<'a, 'w, T: Element> {
    a: &'a Dual<'w, T>,
    s: &'a Dual<'w, T>,
    q: Dual<'w, T>,
    t: Vec<f64>,
    rh: Dual<'w, T>,
    /// Kept values with numbers from this one on are 0.
    rank: usize,
}

impl<'a, 'w, T: Element> Rest<'a, 'w, T> {
    /// `a` is A′, not A.
    fn new(a: &'a Dual<'w, T>, s: &'a Dual<'w, T>, spectrum: &Spectrum<'_>, scope: Scope<'w>) -> Result<Self, Error> {
        let found = svd(a.value.as_ref(), false, scope.with)?;
        let t: Vec<f64> = found.s.iter().map(|t| t.to_f64()).collect();
        let last = s.value.elements().last().map_or(0.0, |s| s.re().to_f64());
        let first = t.first().copied().unwrap_or(0.0);
        // Values of 0 were cut from those that were kept: nothing may depend on their vectors.
        if s.rows() > 0 && spectrum.rank == s.rows() && last - first <= spectrum.groups.slack {
            return Err(Error::CutsMultiplet { gap: (last - first).max(0.0) / spectrum.groups.unit });
        }
        let (q, rh) = (Dual::constant(found.u), Dual::constant(found.vh));
        Ok(Rest { a, s, q, t, rh, rank: spectrum.rank })
    }

    /// γ and η with γ·S − A′·η = X and η·S − A′ᴴ·γ = Y.
    fn solve(&self, x: &Dual<'w, T>, y: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, Dual<'w, T>), Error> {
        let (mut gamma, mut eta) = self.apply(x, y, scope)?;
        let (da, ds) = (scope.slope(self.a)?, scope.slope(self.s)?);
        if da.is_some() || ds.is_some() {
            if self.rank < self.s.rows() {
                return Err(Error::Undefined("vectors of singular values that vanish have no second derivative"));
            }
            let (g, e) = (scope.value(&gamma)?, scope.value(&eta)?);
            let (mut x, mut y) = (scope.zeros(g.rows(), g.cols())?, scope.zeros(e.rows(), e.cols())?);
            if let Some(da) = &da {
                scope.add_product(&mut x, 1.0, da.n(), e.n())?;
                scope.add_product(&mut y, 1.0, da.h(), g.n())?;
            }
            if let Some(ds) = &ds {
                for (to, from) in [(&mut x, g), (&mut y, e)] {
                    let mut moved = from;
                    scope.scale_cols(&mut moved, ds)?;
                    scope.add(to, -1.0, moved.n())?;
                }
            }
            let (dg, de) = self.apply(&x, &y, scope)?;
            scope.add_slope(&mut gamma, 1.0, &dg)?;
            scope.add_slope(&mut eta, 1.0, &de)?;
        }
        Ok((gamma, eta))
    }

    /// The same for constant A′ and S: in the bases Q and R the equations are those of two numbers,
    /// γ = x/s + τ(y + τx)/(s(1 − τ²)) with τ = t/s, and likewise for η.
    fn apply(&self, x: &Dual<'w, T>, y: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, Dual<'w, T>), Error> {
        let s = self.s.value.elements();
        let part = |p: usize| {
            let mut c = scope.with.matrix::<T>(self.t.len(), s.len())?;
            for (j, s) in s.iter().enumerate().take(self.rank) {
                let s = s.re().to_f64();
                for (c, t) in c.col_mut(j).iter_mut().zip(&self.t) {
                    let ratio = t / s;
                    let weight = ratio.powi(p as i32) / (s * ((s - t) / s) * (1.0 + ratio));
                    *c = T::from_real(crate::dual::real::<T>(weight));
                }
            }
            Ok::<_, Error>(Dual::constant(c))
        };
        let (once, twice) = (part(1)?, part(2)?);
        let inverse = inverses(&scope.value(self.s)?, self.rank, scope)?;
        let (in_q, in_r) = (scope.product(self.q.h(), x.n())?, scope.product(self.rh.n(), y.n())?);
        let one = |same: &Dual<'w, T>, own: &Dual<'w, T>, other: &Dual<'w, T>| {
            let (mut all, mut own, mut other) = (scope.copy(same.n())?, scope.copy(own.n())?, scope.copy(other.n())?);
            scope.scale_cols(&mut all, &inverse)?;
            scope.hadamard(&mut own, &twice)?;
            scope.hadamard(&mut other, &once)?;
            scope.add(&mut other, 1.0, own.n())?;
            Ok::<_, Error>((all, other))
        };
        let (mut gamma, inner) = one(x, &in_q, &in_r)?;
        scope.add_product(&mut gamma, 1.0, self.q.n(), inner.n())?;
        let (mut eta, inner) = one(y, &in_r, &in_q)?;
        scope.add_product(&mut eta, 1.0, self.rh.h(), inner.n())?;
        Ok((gamma, eta))
    }
}

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
    let tangents = outside(f, &Rest::new(&cut, f.s, &spectrum, scope)?, da, scope)?;
    let [du, _, dvh] = svd::assemble(f, tangents, Phases::Free, scope)?;
    Ok([du, dvh])
}

/// All tangents, those outside of U and V with regard to what was cut.
fn outside<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    solver: &Rest<'_, 'w, T>,
    da: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<svd::Tangents<'w, T>, Error> {
    let mut tangents = svd::tangents(f, da, (true, true), scope)?;
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
    let tangents = outside(f, &solver, da, scope)?;
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
    let Middle { m, u, vh } = svd::middle(f, cotangents, (true, true), scope)?;
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

/// The eigenvalues and vectors of Hermitian A′, which is constant, the kept vectors moved to a value out of the way.
struct HermitianRest<'a, 'w, T: Element> {
    a: &'a Dual<'w, T>,
    w: &'a Dual<'w, T>,
    q: Dual<'w, T>,
    /// 1/(w_j − t_i), or 0 where both vanish.
    weights: Dual<'w, T>,
}

impl<'a, 'w, T: Element> HermitianRest<'a, 'w, T> {
    /// `a` is A′ + c·V·Vᴴ.
    fn new(
        (a, c): (&'a Dual<'w, T>, f64),
        w: &'a Dual<'w, T>,
        groups: &Groups<'_>,
        scope: Scope<'w>,
    ) -> Result<Self, Error> {
        let found = eigh(a.value.as_ref(), false, scope.with)?;
        let mut weights = scope.with.matrix::<T>(found.w.len(), w.rows())?;
        for (j, w) in w.value.elements().iter().enumerate() {
            let w = w.re().to_f64();
            for (to, t) in weights.col_mut(j).iter_mut().zip(&found.w[..]) {
                let (gap, zero) = (w - t.to_f64(), w.abs().max(t.to_f64().abs()) <= groups.slack);
                if gap.abs() <= groups.slack && t.to_f64() < c / 2.0 && !zero {
                    return Err(Error::CutsMultiplet { gap: gap.abs() / groups.unit });
                }
                if !zero {
                    *to = T::from_real(crate::dual::real::<T>(1.0 / gap));
                }
            }
        }
        Ok(HermitianRest { a, w, q: Dual::constant(found.v), weights: Dual::constant(weights) })
    }

    /// γ with γ·w − A′·γ = X, for X orthogonal to V; and the norm of what X has where there is none.
    fn solve(&self, x: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, f64), Error> {
        let apply = |x: &Dual<'w, T>| -> Result<(Dual<'w, T>, f64), Error> {
            let mut inner = scope.product(self.q.h(), x.n())?;
            let part = size(&inner.value, |i, j| self.weights.value.col(j)[i] == T::ZERO);
            scope.hadamard(&mut inner, &self.weights)?;
            Ok((scope.product(self.q.n(), inner.n())?, part))
        };
        let (mut gamma, part) = apply(x)?;
        let (da, dw) = (scope.slope(self.a)?, scope.slope(self.w)?);
        if da.is_some() || dw.is_some() {
            if self.weights.value.elements().contains(&T::ZERO) {
                return Err(Error::Undefined(
                    "vectors of eigenvalues that vanish and were cut have no second derivative",
                ));
            }
            let value = scope.value(&gamma)?;
            let mut x = scope.zeros(value.rows(), value.cols())?;
            if let Some(da) = &da {
                scope.add_product(&mut x, 1.0, da.n(), value.n())?;
            }
            if let Some(dw) = &dw {
                let mut moved = value;
                scope.scale_cols(&mut moved, dw)?;
                scope.add(&mut x, -1.0, moved.n())?;
            }
            scope.add_slope(&mut gamma, 1.0, &apply(&x)?.0)?;
        }
        Ok((gamma, part))
    }
}

/// A′ + c·V·Vᴴ for a c far from all eigenvalues, and c; and A′.
fn hermitian_rest<'w, T: Element>(
    a: &Dual<'w, T>,
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    groups: &Groups<'_>,
    scope: Scope<'w>,
) -> Result<(Dual<'w, T>, f64, Dual<'w, T>), Error> {
    let mut cut = hermitian(a, scope)?;
    let c = 2.0 * (groups.unit + norm(cut.value.elements()));
    let mut vw = scope.copy(v.n())?;
    scope.scale_cols(&mut vw, w)?;
    scope.add_product(&mut cut, -1.0, vw.n(), v.h())?;
    let mut moved = scope.copy(cut.n())?;
    scope.add_product(&mut moved, c, v.n(), v.h())?;
    Ok((moved, c, cut))
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
    let (moved, c, cut) = hermitian_rest(a, (w, v), &groups, scope)?;
    let solver = HermitianRest::new((&moved, c), w, &groups, scope)?;
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
    let (moved, c, cut) = hermitian_rest(a, (w, v), &groups, scope)?;
    let solver = HermitianRest::new((&moved, c), w, &groups, scope)?;
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
