//! The singular value decomposition A = U·S·Vᴴ: thin, full, and values alone; and what the truncated one shares with
//! it.
//!
//! With M = UᴴȦV, antihermitian ΩU = UᴴU̇ and ΩV = VᴴV̇ follow from M = ΩU·S + Ṡ − S·ΩV. Their sum and difference
//! decouple:
//!
//! ```text
//! (ΩU + ΩV)_ij = (M + Mᴴ)_ij/(s_j − s_i),   (ΩU − ΩV)_ij = (M − Mᴴ)_ij/(s_j + s_i),   Ṡ = Re diag M,
//! ```
//!
//! where i = j of the second says what the phases of U and V have to do with each other, and the first leaves them free
//! together. Outside of U, U̇ has (1 − UUᴴ)ȦV·S⁻¹, and V̇ has (1 − VVᴴ)ȦᴴU·S⁻¹. Reversed, with P = UᴴŪ, Q = VᴴV̄ and X↓
//! = (X − Xᴴ)/2:
//!
//! ```text
//! Ā = U·M̄·Vᴴ + (1 − UUᴴ)Ū·S⁻¹·Vᴴ + U·S⁻¹·V̄ᴴ(1 − VVᴴ),
//! M̄_ij = (P + Q)↓_ij/(s_j − s_i) + (P − Q)↓_ij/(s_j + s_i) + S̄_i·δ_ij.
//! ```
//!
//! Townsend, "Differentiating the singular value decomposition" (2016); Wan and Zhang, arXiv:1909.02659, for complex
//! numbers. Differences of equal values: `groups.rs`; phases: `phases.rs`. Vectors of values that are 0 mix freely with
//! each other and with all that is orthogonal to U (or V), and on the two sides independently: none of their terms may
//! stay, nor may S̄, unless there is one such vector on either side, and a sign cannot change.

use tensoroxide_dense::{svd, Element, Matrix};
use tensoroxide_tensor::Real;

use super::eigh::symmetric;
use super::groups::{antihermitian, inverses, reciprocals, size, Groups};
use super::phases::Leads;
use super::Slopes;
use crate::dual::{norm, Dual, Scope};
use crate::{Error, Phases};

/// The factors, thin or truncated.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a, 'w, T: Element> {
    pub(super) u: &'a Dual<'w, T>,
    pub(super) s: &'a Dual<'w, T>,
    pub(super) vh: &'a Dual<'w, T>,
}

/// Cotangents of the factors.
#[derive(Clone, Copy)]
pub(super) struct Cotangents<'a, 'w, T: Element> {
    pub(super) u: Option<&'a Dual<'w, T>>,
    pub(super) s: Option<&'a Dual<'w, T>>,
    pub(super) vh: Option<&'a Dual<'w, T>>,
}

/// What is known of singular values.
pub(super) struct Spectrum<'w> {
    pub(super) groups: Groups<'w>,
    /// How many are not 0.
    pub(super) rank: usize,
    /// Whether vectors of the values that are 0 are fixed.
    rigid: bool,
}

impl<'w> Spectrum<'w> {
    pub(super) fn of<T: Element>(f: Factors<'_, 'w, T>, scope: Scope<'w>) -> Result<Self, Error> {
        let (m, n, k) = (f.u.rows(), f.vh.cols(), f.s.rows());
        let groups = Groups::of(&f.s.value, m.max(n), scope)?;
        let rank = match f.s.value.elements().last() {
            Some(s) if s.re().to_f64() <= groups.slack => (0..k).find(|&i| groups.same(i, k - 1)).unwrap_or(k),
            _ => k,
        };
        let rigid = !T::DTYPE.is_complex() && m == k && n == k && rank + 1 == k;
        Ok(Spectrum { groups, rank, rigid })
    }

    /// Whether the reciprocals of the difference and of the sum of two values are finite.
    fn regular(&self, i: usize, j: usize) -> [bool; 2] {
        [!self.groups.same(i, j), i.min(j) < self.rank]
    }

    /// M̄ without the values' part, and the norm of what depends on the gauge.
    fn antihermitian<T: Element>(
        &self,
        s: &Dual<'w, T>,
        [p, q]: [Option<&Dual<'w, T>>; 2],
        scope: Scope<'w>,
    ) -> Result<(Dual<'w, T>, f64), Error> {
        let (n, at) = (s.rows(), |x: &Matrix<'w, T>, i: usize| x.elements()[i].re().to_f64());
        // 1/(s_j − s_i) and 1/(s_j + s_i).
        let reciprocals = |i: usize, j: usize| -> [f64; 2] {
            let ([difference, sum], x, y) = (self.regular(i, j), at(&s.value, i), at(&s.value, j));
            [if difference { 1.0 / (y - x) } else { 0.0 }, if sum { 1.0 / (y + x) } else { 0.0 }]
        };
        let slopes = s.tangent.as_ref().map(|ds| {
            move |i: usize, j: usize| -> [f64; 2] {
                let ([f, g], dx, dy) = (reciprocals(i, j), at(ds, i), at(ds, j));
                let (f, g) = (-f * f * (dy - dx), -g * g * (dy + dx));
                [f + g, f - g]
            }
        });
        let weights = |i: usize, j: usize| {
            let [f, g] = reciprocals(i, j);
            [f + g, f - g]
        };
        let slopes = slopes.as_ref().map(|slopes| slopes as &dyn Fn(usize, usize) -> [f64; 2]);
        let m = antihermitian(n, [p, q], weights, slopes, scope)?;
        if !self.groups.any && self.rank == n {
            return Ok((m, 0.0));
        }
        let mut part = 0.0f64;
        for (i, j) in (0..n).flat_map(|j| (0..=j).map(move |i| (i, j))) {
            let half = |x: Option<&Dual<'w, T>>| {
                x.map_or(T::ZERO, |x| x.value.col(j)[i] - x.value.col(i)[j].conj()).to_c64() / 2.0
            };
            let (p, q) = (half(p), half(q));
            part = match self.regular(i, j) {
                [false, false] => part.hypot(p.norm()).hypot(q.norm()),
                [false, true] if i < j => part.hypot((p + q).norm()),
                _ => part,
            };
        }
        Ok((m, part))
    }

    /// The norm of the rows and columns of X that belong to values of 0.
    fn of_zero<T: Element>(&self, x: &Dual<'_, T>) -> f64 {
        if self.rank == x.cols() {
            return 0.0;
        }
        size(&x.value, |i, j| i >= self.rank && j >= self.rank)
    }
}

/// What a vjp has within the spaces of U and V.
pub(super) struct Middle<'w, T: Element> {
    /// M̄
    pub(super) m: Dual<'w, T>,
    /// Ū − U·UᴴŪ, if that was asked for.
    pub(super) u: Option<Dual<'w, T>>,
    /// V̄ᴴ − V̄ᴴV·Vᴴ, likewise.
    pub(super) vh: Option<Dual<'w, T>>,
}

/// `outside` asks for what is outside of U and of V.
pub(super) fn middle<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    b: Cotangents<'_, 'w, T>,
    spectrum: &Spectrum<'w>,
    outside: (bool, bool),
    scope: Scope<'w>,
) -> Result<Middle<'w, T>, Error> {
    let (k, Spectrum { groups, rank, .. }) = (f.s.rows(), spectrum);
    let mut p = b.u.map(|ub| scope.product(f.u.h(), ub.n())).transpose()?;
    let q = b.vh.map(|vb| scope.product(f.vh.n(), vb.h())).transpose()?;
    let whole = || {
        let norm = |x: Option<&Dual<'w, T>>| x.map_or(0.0, |x| norm(x.value.elements()));
        norm(b.u).hypot(norm(b.vh)).hypot(norm(b.s) * groups.unit)
    };
    let mut part = 0.0f64;
    let mut turns = None;
    if T::DTYPE.is_complex() && (p.is_some() || q.is_some()) {
        let mut g = scope.zeros(k, 1)?;
        for (x, end) in [(&p, k), (&q, *rank)] {
            let Some(x) = x else { continue };
            let mut x = scope.diagonal(x)?;
            x.weigh(|i, _| if i < end { 1.0 } else { 0.0 });
            scope.add(&mut g, 1.0, x.n())?;
        }
        match scope.options.phases {
            Phases::Free => part = imaginary(&g),
            Phases::Fixed => {
                let p = match &mut p {
                    Some(p) => p,
                    none => none.insert(scope.zeros(k, k)?),
                };
                let leads = Leads::of(f.u, scope)?;
                turns = Some((leads.correct(p, g, scope)?, leads));
            }
        }
    }
    groups.refuse_second(f.s, &[p.as_ref(), q.as_ref()], b.s, scope)?;
    let mut block = None;
    if let (true, true, Some(one)) = (groups.any, b.s.is_some(), p.as_ref().or(q.as_ref())) {
        let mut sum = scope.copy(one.n())?;
        if let (Some(_), Some(q)) = (&p, &q) {
            scope.add(&mut sum, 1.0, q.n())?;
        }
        block = Some(symmetric(sum));
    }
    let mut m = scope.zeros(k, k)?;
    if p.is_some() || q.is_some() {
        let (within, left_out) = spectrum.antihermitian(f.s, [p.as_ref(), q.as_ref()], scope)?;
        (m, part) = (within, part.hypot(left_out));
    }
    if let Some(sb) = b.s {
        let mut kept = scope.copy(sb.n())?;
        if *rank < k && !spectrum.rigid {
            part = part.hypot(size(&sb.value, |i, _| i >= *rank) * groups.unit);
            kept.weigh(|i, _| if i < *rank { 1.0 } else { 0.0 });
        }
        let left_out = groups.add_values(&mut m, &kept, block.as_ref(), (*rank, whole()), scope)?;
        part = part.hypot(left_out);
    }
    let mut u = None;
    if let (true, Some(p)) = (outside.0, &p) {
        let mut x = match b.u {
            Some(ub) => scope.copy(ub.n())?,
            None => scope.zeros(f.u.rows(), k)?,
        };
        if let Some((turns, leads)) = &turns {
            leads.add(&mut x, turns, scope)?;
        }
        scope.add_product(&mut x, -1.0, f.u.n(), p.n())?;
        part = part.hypot(size(&x.value, |_, j| j >= *rank));
        u = Some(x);
    }
    let mut vh = None;
    if let (true, Some(q), Some(vb)) = (outside.1, &q, b.vh) {
        let mut x = scope.copy(vb.n())?;
        scope.add_product(&mut x, -1.0, q.h(), f.vh.n())?;
        part = part.hypot(size(&x.value, |i, _| i >= *rank));
        vh = Some(x);
    }
    if part > 0.0 {
        scope.gauge_dependent::<T>(part, whole())?;
    }
    Ok(Middle { m, u, vh })
}

/// The norm of the imaginary parts.
pub(super) fn imaginary<T: Element>(x: &Dual<'_, T>) -> f64 {
    x.value.elements().iter().fold(0.0f64, |norm, x| norm.hypot(x.im().to_f64()))
}

pub(super) fn vjp<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    b: Cotangents<'_, 'w, T>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (m, n, k) = (f.u.rows(), f.vh.cols(), f.s.rows());
    let spectrum = Spectrum::of(f, scope)?;
    let Middle { m: middle, u, vh } = middle(f, b, &spectrum, (m > k, n > k), scope)?;
    let mut left = scope.product(f.u.n(), middle.n())?;
    if let Some(mut u) = u {
        scope.scale_cols(&mut u, &inverses(f.s, spectrum.rank, scope)?)?;
        scope.add(&mut left, 1.0, u.n())?;
    }
    let mut ab = scope.product(left.n(), f.vh.n())?;
    if let Some(mut vh) = vh {
        scope.scale_rows(&mut vh, &inverses(f.s, spectrum.rank, scope)?)?;
        scope.add_product(&mut ab, 1.0, f.u.n(), vh.n())?;
    }
    Ok(vec![Some(ab)])
}

/// What a jvp has within the spaces of U and V, and what it has to be divided by S outside.
pub(super) struct Tangents<'w, T: Element> {
    /// ΩU and ΩV.
    pub(super) omega: (Dual<'w, T>, Dual<'w, T>),
    pub(super) ds: Dual<'w, T>,
    /// (1 − UUᴴ)ȦV, if that was asked for.
    pub(super) u: Option<Dual<'w, T>>,
    /// UᴴȦ(1 − VVᴴ), likewise.
    pub(super) vh: Option<Dual<'w, T>>,
}

pub(super) fn tangents<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    da: &Dual<'w, T>,
    spectrum: &Spectrum<'w>,
    outside: (bool, bool),
    scope: Scope<'w>,
) -> Result<Tangents<'w, T>, Error> {
    let Spectrum { groups, rank, rigid } = spectrum;
    let right = scope.product(da.n(), f.vh.h())?;
    let m = scope.product(f.u.h(), right.n())?;
    let mut ds = scope.diagonal(&m)?;
    ds.real();
    let (mut sum, mut difference) = (scope.copy(m.n())?, scope.copy(m.n())?);
    sum.fold(1.0);
    difference.fold(-1.0);
    let mut part = groups.between(&sum.value, *rank) / 2.0;
    if !rigid {
        part = part.hypot(spectrum.of_zero(&m));
        ds.weigh(|i, _| if i < *rank { 1.0 } else { 0.0 });
    }
    let differences = reciprocals(f.s, (0.5, -1.0), |i, j| !spectrum.regular(i, j)[0], scope)?;
    let sums = reciprocals(f.s, (0.5, 1.0), |i, j| !spectrum.regular(i, j)[1], scope)?;
    scope.hadamard(&mut sum, &differences)?;
    scope.hadamard(&mut difference, &sums)?;
    let omega = (scope.sum(sum.n(), 1.0, difference.n())?, scope.sum(sum.n(), -1.0, difference.n())?);
    let mut u = None;
    if outside.0 {
        let mut x = right;
        scope.add_product(&mut x, -1.0, f.u.n(), m.n())?;
        part = part.hypot(size(&x.value, |_, j| j >= *rank));
        u = Some(x);
    }
    let mut vh = None;
    if outside.1 {
        let mut x = scope.product(f.u.h(), da.n())?;
        scope.add_product(&mut x, -1.0, m.n(), f.vh.n())?;
        part = part.hypot(size(&x.value, |i, _| i >= *rank));
        vh = Some(x);
    }
    scope.gauge_dependent::<T>(part, norm(da.value.elements()))?;
    Ok(Tangents { omega, ds, u, vh })
}

/// U̇ = U·ΩU + what is outside, and V̇ᴴ likewise.
pub(super) fn assemble<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    tangents: Tangents<'w, T>,
    phases: Phases,
    scope: Scope<'w>,
) -> Result<[Dual<'w, T>; 3], Error> {
    let Tangents { omega, ds, u, vh } = tangents;
    let mut du = scope.product(f.u.n(), omega.0.n())?;
    if let Some(u) = u {
        scope.add(&mut du, 1.0, u.n())?;
    }
    let mut dvh = scope.product(omega.1.h(), f.vh.n())?;
    if let Some(vh) = vh {
        scope.add(&mut dvh, 1.0, vh.n())?;
    }
    if T::DTYPE.is_complex() && phases == Phases::Fixed {
        let turns = Leads::of(f.u, scope)?.turn(&mut du, scope)?;
        let mut turned = scope.copy(f.vh.n())?;
        scope.scale_rows(&mut turned, &turns)?;
        scope.add(&mut dvh, -1.0, turned.n())?;
    }
    Ok([du, ds, dvh])
}

pub(super) fn jvp<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    match da {
        Some(da) => Ok(thin_jvp(f, da, scope.options.phases, scope)?.map(Some).into()),
        None => Ok(vec![None, None, None]),
    }
}

fn thin_jvp<'w, T: Element>(
    f: Factors<'_, 'w, T>,
    da: &Dual<'w, T>,
    phases: Phases,
    scope: Scope<'w>,
) -> Result<[Dual<'w, T>; 3], Error> {
    let (m, n, k) = (f.u.rows(), f.vh.cols(), f.s.rows());
    let spectrum = Spectrum::of(f, scope)?;
    let mut tangents = tangents(f, da, &spectrum, (m > k, n > k), scope)?;
    if let Some(u) = &mut tangents.u {
        scope.scale_cols(u, &inverses(f.s, spectrum.rank, scope)?)?;
    }
    if let Some(vh) = &mut tangents.vh {
        scope.scale_rows(vh, &inverses(f.s, spectrum.rank, scope)?)?;
    }
    assemble(f, tangents, phases, scope)
}

/// The thin factors of A, with tangents if it has one.
pub(super) fn factors<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 3], Error> {
    let found = svd(a.value.as_ref(), false, scope.with)?;
    let mut s = scope.with.matrix::<T>(found.s.len(), 1)?;
    s.elements_mut().iter_mut().zip(&found.s[..]).for_each(|(to, s)| *to = T::from_real(*s));
    let [mut u, mut s, mut vh] = [found.u, s, found.vh].map(Dual::constant);
    if let Some(tangent) = &a.tangent {
        let da = Dual::constant(scope.with.copy_of(tangent.as_ref(), false)?);
        // These phases are not those of the standard.
        let slopes = thin_jvp(Factors { u: &u, s: &s, vh: &vh }, &da, Phases::Free, scope)?;
        for (factor, slope) in [&mut u, &mut s, &mut vh].into_iter().zip(slopes) {
            factor.tangent = Some(slope.value);
        }
    }
    Ok([u, s, vh])
}

/// Of the values alone, which need vectors.
pub(super) fn values_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    let [u, s, vh] = factors(a, scope)?;
    let f = Factors { u: &u, s: &s, vh: &vh };
    Ok(vec![Some(tangents(f, da, &Spectrum::of(f, scope)?, (false, false), scope)?.ds)])
}

pub(super) fn values_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    sb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(sb) = sb else { return Ok(vec![None]) };
    let [u, s, vh] = factors(a, scope)?;
    vjp(Factors { u: &u, s: &s, vh: &vh }, Cotangents { u: None, s: Some(sb), vh: None }, scope)
}

/// The full factors: U and V have more columns, of which only the space is determined.
pub(super) fn full_jvp<'w, T: Element>(
    y: &[Dual<'w, T>],
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (m, n, k) = (y[0].rows(), y[2].rows(), y[1].rows());
    let u = scope.block(&y[0], (0, 0), (m, k))?;
    let vh = scope.block(&y[2], (0, 0), (k, n))?;
    let mut slopes = jvp(Factors { u: &u, s: &y[1], vh: &vh }, da, scope)?;
    if m > k {
        slopes[0] = slopes[0].take().map(|du| further_jvp(&y[0], &u, du, scope)).transpose()?;
    }
    if n > k {
        let (all, v) = (scope.copy(y[2].h())?, scope.copy(vh.h())?);
        if let Some(dvh) = slopes[2].take() {
            let dv = further_jvp(&all, &v, scope.copy(dvh.h())?, scope)?;
            slopes[2] = Some(scope.copy(dv.h())?);
        }
    }
    Ok(slopes)
}

pub(super) fn full_vjp<'w, T: Element>(
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (m, n, k) = (y[0].rows(), y[2].rows(), y[1].rows());
    let u = scope.block(&y[0], (0, 0), (m, k))?;
    let vh = scope.block(&y[2], (0, 0), (k, n))?;
    let ub = match &yb[0] {
        Some(ub) => Some(further_vjp(&y[0], &u, ub, scope)?),
        None => None,
    };
    let vhb = match &yb[2] {
        Some(vhb) => {
            let (all, v, vb) = (scope.copy(y[2].h())?, scope.copy(vh.h())?, scope.copy(vhb.h())?);
            Some(scope.copy(further_vjp(&all, &v, &vb, scope)?.h())?)
        }
        None => None,
    };
    let b = Cotangents { u: ub.as_ref(), s: yb[1].as_ref(), vh: vhb.as_ref() };
    vjp(Factors { u: &u, s: &y[1], vh: &vh }, b, scope)
}

/// The tangent of all columns from that of the first ones, U₁: the others have −U₁·U̇₁ᴴ·U₂, with their phases as they
/// are fixed.
fn further_jvp<'w, T: Element>(
    all: &Dual<'w, T>,
    first: &Dual<'w, T>,
    dfirst: Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let (m, k) = (first.rows(), first.cols());
    let others = scope.block(all, (0, k), (m, m - k))?;
    let mut slope = scope.product(first.n(), scope.product(dfirst.h(), others.n())?.n())?;
    slope.scale(-1.0);
    if T::DTYPE.is_complex() && scope.options.phases == Phases::Fixed {
        Leads::of(&others, scope)?.turn(&mut slope, scope)?;
    }
    let mut d = scope.zeros(m, m)?;
    scope.add(&mut d, 1.0, dfirst.n())?;
    scope.add_at(&mut d, (0, k), 1.0, slope.n())?;
    Ok(d)
}

/// The cotangent of the first columns that stands for that of all: Ū₁ − U₂·Ū₂ᴴ·U₁.
fn further_vjp<'w, T: Element>(
    all: &Dual<'w, T>,
    first: &Dual<'w, T>,
    allb: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let (m, k) = (first.rows(), first.cols());
    let mut firstb = scope.block(allb, (0, 0), (m, k))?;
    if m == k {
        return Ok(firstb);
    }
    let others = scope.block(all, (0, k), (m, m - k))?;
    let mut othersb = scope.block(allb, (0, k), (m, m - k))?;
    let mut p = scope.product(others.h(), othersb.n())?;
    if T::DTYPE.is_complex() && scope.options.phases == Phases::Fixed {
        let leads = Leads::of(&others, scope)?;
        let g = scope.diagonal(&p)?;
        let turns = leads.correct(&mut p, g, scope)?;
        leads.add(&mut othersb, &turns, scope)?;
    }
    p.fold(-1.0);
    scope.gauge_dependent::<T>(norm(p.value.elements()) / 2.0, norm(allb.value.elements()))?;
    let inner = scope.product(othersb.h(), first.n())?;
    scope.add_product(&mut firstb, -1.0, others.n(), inner.n())?;
    Ok(firstb)
}
