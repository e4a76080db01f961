//! Determinants. d(det A) = tr(adj(A)·dA), where the adjugate adj(A) = det(A)·A⁻¹ exists for a singular A, too: it is a
//! polynomial. With A = U·S·Vᴴ it is det(U)·det(Vᴴ)·V·adj(S)·Uᴴ, without a division. Its tangent follows from that of
//! the adjugate of S + E for E = Uᴴ·dA·V, with products over all values but two: d adj(S)ᵢⱼ = −Eᵢⱼ·∏(l ≠ i, j) sₗ, and
//! d adj(S)ᵢᵢ = Σ(j ≠ i) Eⱼⱼ·∏(l ≠ i, j) sₗ.
//!
//! With t = tr(A⁻¹·dA), the logarithm of the modulus changes by Re t, and the phase z by i·z·Im t.

use tensoroxide_dense::{lu, svd, Element, Matrix, Svd};
use tensoroxide_tensor::{Complex64, Real};

use super::Slopes;
use crate::dual::{real, Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    let product = scope.product(adjugate(a, scope)?.n(), da.n())?;
    Ok(vec![Some(scope.total(&scope.diagonal(&product)?)?)])
}

pub(super) fn vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    yb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(yb) = yb else { return Ok(vec![None]) };
    let mut ab = scope.copy(adjugate(a, scope)?.h())?;
    scope.scale_by(&mut ab, yb)?;
    Ok(vec![Some(ab)])
}

fn adjugate<'w, T: Element>(a: &Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    if a.tangent.is_none() {
        if let Some(adjugate) = of_regular(&a.value, scope)? {
            return Ok(Dual::constant(adjugate));
        }
    }
    let n = a.rows();
    let Svd { u, s, vh } = svd(a.value.as_ref(), false, scope.with)?;
    let s: Vec<f64> = s.iter().map(|s| s.to_f64()).collect();
    let phase = unit_determinant(&u, scope)? * unit_determinant(&vh, scope)?;
    let (u, vh) = (Dual::constant(u), Dual::constant(vh));
    // V·K·Uᴴ times the phase.
    let framed = |k: &Dual<'w, T>| -> Result<Matrix<'w, T>, Error> {
        let mut framed = scope.product(scope.product(vh.h(), k.n())?.n(), u.h())?.value;
        framed.elements_mut().iter_mut().for_each(|x| *x *= T::from_c64(phase));
        Ok(framed)
    };
    let product = |without: [usize; 2]| -> f64 {
        let others = s.iter().enumerate().filter(|(l, _)| !without.contains(l));
        others.map(|(_, s)| s).product()
    };
    let mut k = scope.zeros(n, n)?;
    (0..n).for_each(|i| k.value.col_mut(i)[i] = T::from_real(real::<T>(product([i, i]))));
    let mut adjugate = Dual::constant(framed(&k)?);
    if let Some(da) = &a.tangent {
        let da = Dual::constant(scope.with.copy_of(da.as_ref(), false)?);
        let e = scope.product(scope.product(u.h(), da.n())?.n(), vh.h())?.value;
        let mut k = scope.zeros::<T>(n, n)?;
        for (i, j) in (0..n).flat_map(|j| (0..n).map(move |i| (i, j))).filter(|(i, j)| i != j) {
            let rest = real::<T>(product([i, j]));
            k.value.col_mut(j)[i] = -e.col(j)[i].scale(rest);
            k.value.col_mut(i)[i] += e.col(j)[j].scale(rest);
        }
        adjugate.tangent = Some(framed(&k)?);
    }
    Ok(adjugate)
}

/// det(A)·A⁻¹, if elimination leaves half of the digits.
fn of_regular<'w, T: Element>(a: &Matrix<'w, T>, scope: Scope<'w>) -> Result<Option<Matrix<'w, T>>, Error> {
    let factors = lu(a.as_ref(), false, scope.with)?;
    let pivots = || (0..a.rows()).map(|i| factors.factors.col(i)[i].abs().to_f64());
    let (least, most) = pivots().fold((f64::INFINITY, 0.0f64), |(least, most), x| (least.min(x), most.max(x)));
    if least <= T::Real::EPSILON.to_f64().sqrt() * most {
        return Ok(None);
    }
    let (z, e) = factors.det();
    let mut inverse = factors.inverse(scope.with)?;
    // In two steps: the determinant alone may be out of range.
    let halves = [e / 2, e - e / 2].map(|e| real::<T>(2f64.powi(e.clamp(-2000, 2000) as i32)));
    for x in inverse.elements_mut() {
        *x = (*x * T::from_c64(z)).scale(halves[0]).scale(halves[1]);
    }
    Ok(Some(inverse))
}

/// The determinant of a unitary matrix.
fn unit_determinant<T: Element>(u: &Matrix<'_, T>, scope: Scope<'_>) -> Result<Complex64, Error> {
    let (z, _) = lu(u.as_ref(), false, scope.with)?.det();
    Ok(if z == Complex64::ZERO { z } else { z / z.norm() })
}

/// Of log|det A| and of the phase.
pub(super) fn log_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    phase: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None]) };
    let trace = scope.total(&scope.diagonal(&scope.solve(a.n(), da)?)?)?;
    let (mut log, mut turn) = (scope.copy(trace.n())?, trace);
    log.real();
    turn.linear(|_, _, x| imaginary(x));
    scope.scale_by(&mut turn, phase)?;
    Ok(vec![Some(log), Some(turn)])
}

/// Ā = (l̄ + i·Im(z̄·conj(z)))·A⁻ᴴ for the cotangents l̄ of the logarithm and z̄ of the phase.
pub(super) fn log_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    phase: &Dual<'w, T>,
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let mut factor = scope.zeros(1, 1)?;
    if let Some(turn) = &yb[1] {
        scope.add_product(&mut factor, 1.0, phase.h(), turn.n())?;
        factor.linear(|_, _, x| imaginary(x));
    }
    if let Some(log) = &yb[0] {
        scope.add(&mut factor, 1.0, log.n())?;
    }
    let mut ab = scope.solve(a.h(), &scope.identity(a.rows())?)?;
    scope.scale_by(&mut ab, &factor)?;
    Ok(vec![Some(ab)])
}

/// i·Im x
fn imaginary<T: Element>(x: T) -> T {
    x - T::from_real(x.re())
}
