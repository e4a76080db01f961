//! Eigenvalues and eigenvectors of Hermitian matrices, A = V·Diagonal(w)·Vᴴ: all, and values alone.
//!
//! With M = VᴴȦV: ẇ = diag M, and V̇ = V·Ω with Ω_ij = M_ij/(w_j − w_i). Reversed, with P = VᴴV̄ and X↓ = (X − Xᴴ)/2:
//!
//! ```text
//! Ā = V·M̄·Vᴴ,   M̄_ij = P↓_ij/(w_j − w_i) + w̄_i·δ_ij.
//! ```
//!
//! A tangent of A counts with its Hermitian part, and Ā is Hermitian. Equal values: `groups.rs`; phases: `phases.rs`.

use tensoroxide_dense::{eigh, Element, Matrix};
use tensoroxide_tensor::Real;

use super::groups::{antihermitian, reciprocals, Groups};
use super::phases::Leads;
use super::svd::imaginary;
use super::Slopes;
use crate::dual::{norm, Dual, Scope};
use crate::{Error, Phases};

/// A as the operations read it: the lower triangle and its mirror image, and of the tangent the Hermitian part.
pub(super) fn hermitian<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let mut a = scope.copy(a.n())?;
    for j in 0..a.cols() {
        for i in 0..j {
            a.value.col_mut(j)[i] = a.value.col(i)[j].conj();
        }
        let x = &mut a.value.col_mut(j)[j];
        *x = T::from_real(x.re());
    }
    if let Some(tangent) = a.tangent.take() {
        a.tangent = Some(symmetric(Dual::constant(tangent)).value);
    }
    Ok(a)
}

/// The Hermitian part.
pub(super) fn symmetric<T: Element>(mut x: Dual<'_, T>) -> Dual<'_, T> {
    x.fold(1.0);
    x.scale(0.5);
    x
}

/// V·M·Vᴴ for Hermitian M, Hermitian to the last bit.
fn sandwich<'w, T: Element>(v: &Dual<'w, T>, m: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let (left, mut a) = (scope.product(v.n(), m.n())?, scope.zeros(v.rows(), v.rows())?);
    scope.add_product(&mut a, 0.5, left.n(), v.h())?;
    a.fold(1.0);
    Ok(a)
}

/// What a vjp has within the space of V, and what is left of V̄ outside, if that was asked for.
pub(super) fn middle<'w, T: Element>(
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    (wb, vb): (Option<&Dual<'w, T>>, Option<&Dual<'w, T>>),
    outside: bool,
    scope: Scope<'w>,
) -> Result<(Dual<'w, T>, Option<Dual<'w, T>>), Error> {
    let n = w.rows();
    let groups = Groups::of(&w.value, v.rows(), scope)?;
    let norm = |x: Option<&Dual<'w, T>>| x.map_or(0.0, |x| norm(x.value.elements()));
    let whole = || norm(vb).hypot(norm(wb) * groups.unit);
    let mut part = 0.0f64;
    let (mut m, mut left, mut block) = (scope.zeros(n, n)?, None, None);
    if let Some(vb) = vb {
        let mut p = scope.product(v.h(), vb.n())?;
        let mut turns = None;
        if T::DTYPE.is_complex() {
            let g = scope.diagonal(&p)?;
            match scope.options.phases {
                Phases::Free => part = imaginary(&g),
                Phases::Fixed => {
                    let leads = Leads::of(v, scope)?;
                    turns = Some((leads.correct(&mut p, g, scope)?, leads));
                }
            }
        }
        groups.refuse_second(w, &[Some(&p)], wb, scope)?;
        if outside {
            let mut x = scope.copy(vb.n())?;
            if let Some((turns, leads)) = &turns {
                leads.add(&mut x, turns, scope)?;
            }
            scope.add_product(&mut x, -1.0, v.n(), p.n())?;
            left = Some(x);
        }
        if groups.any && wb.is_some() {
            block = Some(symmetric(scope.copy(p.n())?));
        }
        part = part.hypot(groups.antihermitian_between(&p.value));
        m = within(w, &p, &groups, scope)?;
    } else {
        groups.refuse_second(w, &[], wb, scope)?;
    }
    if let Some(wb) = wb {
        part = part.hypot(groups.add_values(&mut m, wb, block.as_ref(), (n, whole()), scope)?);
    }
    if part > 0.0 {
        scope.gauge_dependent::<T>(part, whole())?;
    }
    Ok((m, left))
}

/// P↓_ij/(w_j − w_i)
fn within<'w, T: Element>(
    w: &Dual<'w, T>,
    p: &Dual<'w, T>,
    groups: &Groups<'_>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let at = |x: &Matrix<'w, T>, i: usize| x.elements()[i].re().to_f64();
    let gap = |i: usize, j: usize| if groups.same(i, j) { 0.0 } else { 1.0 / (at(&w.value, j) - at(&w.value, i)) };
    let slopes =
        w.tangent.as_ref().map(|dw| move |i: usize, j: usize| [-gap(i, j).powi(2) * (at(dw, j) - at(dw, i)); 2]);
    let slopes = slopes.as_ref().map(|slopes| slopes as &dyn Fn(usize, usize) -> [f64; 2]);
    antihermitian(w.rows(), [Some(p), None], |i, j| [gap(i, j); 2], slopes, scope)
}

pub(super) fn vjp<'w, T: Element>(
    w: &Dual<'w, T>,
    v: &Dual<'w, T>,
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (m, _) = middle((w, v), (yb[0].as_ref(), yb[1].as_ref()), false, scope)?;
    Ok(vec![Some(sandwich(v, &m, scope)?)])
}

/// ẇ, Ω, and (1 − VVᴴ)ȦV if that was asked for.
pub(super) struct Tangents<'w, T: Element> {
    pub(super) dw: Dual<'w, T>,
    pub(super) omega: Dual<'w, T>,
    pub(super) outside: Option<Dual<'w, T>>,
}

pub(super) fn tangents<'w, T: Element>(
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    da: &Dual<'w, T>,
    outside: bool,
    scope: Scope<'w>,
) -> Result<Tangents<'w, T>, Error> {
    let groups = Groups::of(&w.value, v.rows(), scope)?;
    let da = symmetric(scope.copy(da.n())?);
    let right = scope.product(da.n(), v.n())?;
    let m = scope.product(v.h(), right.n())?;
    let mut dw = scope.diagonal(&m)?;
    dw.real();
    scope.gauge_dependent::<T>(groups.between(&m.value, w.rows()), norm(da.value.elements()))?;
    let left = match outside {
        true => {
            let mut x = right;
            scope.add_product(&mut x, -1.0, v.n(), m.n())?;
            Some(x)
        }
        false => None,
    };
    let mut omega = m;
    scope.hadamard(&mut omega, &reciprocals(w, (1.0, -1.0), |i, j| groups.same(i, j), scope)?)?;
    Ok(Tangents { dw, omega, outside: left })
}

/// V̇ = V·Ω + what is outside.
pub(super) fn assemble<'w, T: Element>(
    v: &Dual<'w, T>,
    tangents: Tangents<'w, T>,
    phases: Phases,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let mut dv = scope.product(v.n(), tangents.omega.n())?;
    if let Some(x) = tangents.outside {
        scope.add(&mut dv, 1.0, x.n())?;
    }
    if T::DTYPE.is_complex() && phases == Phases::Fixed {
        Leads::of(v, scope)?.turn(&mut dv, scope)?;
    }
    Ok(vec![Some(tangents.dw), Some(dv)])
}

pub(super) fn jvp<'w, T: Element>(
    w: &Dual<'w, T>,
    v: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None]) };
    assemble(v, tangents((w, v), da, false, scope)?, scope.options.phases, scope)
}

/// The values and vectors of A, with tangents if it has one.
pub(super) fn factors<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 2], Error> {
    let found = eigh(a.value.as_ref(), false, scope.with)?;
    let mut w = scope.with.matrix::<T>(found.w.len(), 1)?;
    w.elements_mut().iter_mut().zip(&found.w[..]).for_each(|(to, w)| *to = T::from_real(*w));
    let [mut w, mut v] = [w, found.v].map(Dual::constant);
    if let Some(tangent) = &a.tangent {
        let da = Dual::constant(scope.with.copy_of(tangent.as_ref(), false)?);
        // These phases are not those of the standard.
        let slopes = assemble(&v, tangents((&w, &v), &da, false, scope)?, Phases::Free, scope)?;
        for (factor, slope) in [&mut w, &mut v].into_iter().zip(slopes) {
            factor.tangent = slope.map(|slope| slope.value);
        }
    }
    Ok([w, v])
}

/// Of the values alone, which need vectors.
pub(super) fn values_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    let [w, v] = factors(a, scope)?;
    Ok(vec![Some(tangents((&w, &v), da, false, scope)?.dw)])
}

pub(super) fn values_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    wb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(wb) = wb else { return Ok(vec![None]) };
    let [w, v] = factors(a, scope)?;
    let (m, _) = middle((&w, &v), (Some(wb), None), false, scope)?;
    Ok(vec![Some(sandwich(&v, &m, scope)?)])
}
