//! Eigenvalues and eigenvectors of any matrix, A·V = V·Diagonal(w), and the values alone. Computed with complex
//! numbers.
//!
//! With M = V⁻¹ȦV: ẇ = diag M, and V̇ = V·Ω with Ω_ij = M_ij/(w_j − w_i), but for the norms and phases: to v̇ belongs
//! c·v with Re c = −Re(vᴴv̇), so that norms stay 1, and Im c as in `phases.rs`. Reversed, v̄ becomes v̄ − Re(vᴴv̄)·v
//! and what phases ask for, and then
//!
//! ```text
//! Ā = V⁻ᴴ·M̄·Vᴴ,   M̄_ij = (VᴴV̄)_ij/(w_j − w_i)* + w̄_i·δ_ij.
//! ```
//!
//! Boeddeker, Hanebrink, Drude, Heymann, Haeb-Umbach, arXiv:1701.00392; Giles, "Collected matrix derivative results"
//! (2008). The vectors of equal values mix freely, as for Hermitian matrices, and their values have equal cotangents. A
//! defective matrix has no derivative.

use tensoroxide_dense::{eig as decompose, lu, Element};
use tensoroxide_tensor::{Complex64, Real, Scalar};

use super::groups::Groups;
use super::phases::Leads;
use super::svd::imaginary;
use super::Slopes;
use crate::dual::{norm, Dual, Scope};
use crate::{Error, Phases};

/// V⁻¹, with its tangent.
///
/// Its rows are as long as the values are sensitive. Rounding makes two values of what should be one of a defective
/// matrix, whose distance is then as small as that sensitivity makes rounding large; if it does not, V⁻¹ is larger than
/// 1/√eps.
fn inverse<'w, T: Element>(
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    groups: &Groups<'_>,
    a: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    const DEFECTIVE: Error = Error::Undefined("eigenvectors of a matrix that is defective, or nearly so");
    let found = lu(v.value.as_ref(), false, scope.with)?.inverse(scope.with);
    let mut inverse = Dual::constant(found.map_err(|_| DEFECTIVE)?);
    let (epsilon, n) = (T::Real::EPSILON.to_f64(), w.rows());
    let scale = norm(a.value.elements());
    for i in 0..n {
        let sensitivity = (0..n).map(|j| inverse.value.col(j)[i].to_c64().norm_sqr()).sum::<f64>().sqrt();
        let gap = |j: usize| (w.value.elements()[i] - w.value.elements()[j]).to_c64().norm();
        let distance = (0..n).filter(|&j| !groups.same(i, j)).map(gap).fold(f64::INFINITY, f64::min);
        let defective = (0..n).any(|j| i != j && groups.same(i, j)) && sensitivity > 0.1 / epsilon.sqrt();
        if sensitivity.is_nan() || defective || epsilon * scale * sensitivity > 0.01 * distance {
            return Err(DEFECTIVE);
        }
    }
    if let Some(dv) = scope.slope(v)? {
        let value = scope.value(&inverse)?;
        let slope = scope.product(scope.product(value.n(), dv.n())?.n(), value.n())?;
        scope.add_slope(&mut inverse, -1.0, &slope)?;
    }
    Ok(inverse)
}

/// 1/(w_j − w_i), and 0 for equal values.
fn gaps<'w, T: Element>(w: &Dual<'w, T>, groups: &Groups<'_>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let n = w.rows();
    let mut c = scope.zeros(n, n)?;
    let fill = |to: &mut [T], f: &dyn Fn(usize, usize) -> Complex64| {
        for (k, to) in to.iter_mut().enumerate() {
            *to = if groups.same(k % n, k / n) { T::ZERO } else { T::from_c64(f(k % n, k / n)) };
        }
    };
    let difference = |w: &[T], i: usize, j: usize| w[j].to_c64() - w[i].to_c64();
    let values = w.value.elements();
    fill(c.value.elements_mut(), &|i, j| difference(values, i, j).finv());
    if let Some(dw) = &w.tangent {
        let mut tangent = scope.with.matrix::<T>(n, n)?;
        fill(tangent.elements_mut(), &|i, j| {
            let gap = difference(values, i, j).finv();
            -gap * gap * difference(dw.elements(), i, j)
        });
        c.tangent = Some(tangent);
    }
    Ok(c)
}

pub(super) fn vjp<'w, T: Element>(
    w: &Dual<'w, T>,
    v: &Dual<'w, T>,
    a: &Dual<'w, T>,
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    cotangent((w, v), a, (yb[0].as_ref(), yb[1].as_ref()), scope)
}

fn cotangent<'w, T: Element>(
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    a: &Dual<'w, T>,
    (wb, vb): (Option<&Dual<'w, T>>, Option<&Dual<'w, T>>),
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let n = w.rows();
    let groups = Groups::of(&w.value, n, scope)?;
    let inverse = inverse((w, v), &groups, a, scope)?;
    let size_of = |x: Option<&Dual<'w, T>>| x.map_or(0.0, |x| norm(x.value.elements()));
    let mut part = 0.0f64;
    let mut m = scope.zeros(n, n)?;
    if let Some(vb) = vb {
        let mut p = scope.product(v.h(), vb.n())?;
        let g = scope.diagonal(&p)?;
        let mut along = scope.product(v.h(), v.n())?;
        let mut real = scope.diagonal(&p)?;
        real.real();
        scope.scale_cols(&mut along, &real)?;
        match scope.options.phases {
            Phases::Free => part = imaginary(&g),
            Phases::Fixed => _ = Leads::of(v, scope)?.correct(&mut p, g, scope)?,
        }
        scope.add(&mut p, -1.0, along.n())?;
        groups.refuse_second(w, &[Some(&p)], wb, scope)?;
        part = part.hypot(groups.between(&p.value, n));
        let mut gaps = gaps(w, &groups, scope)?;
        gaps.linear(|_, _, x| x.conj());
        scope.hadamard(&mut p, &gaps)?;
        m = p;
    } else {
        groups.refuse_second(w, &[], wb, scope)?;
    }
    if let Some(wb) = wb {
        part = part.hypot(add_values(&mut m, wb, &groups, scope)?);
    }
    if part > 0.0 {
        scope.gauge_dependent::<T>(part, size_of(vb).hypot(size_of(wb) * groups.unit))?;
    }
    let inner = scope.product(m.n(), v.h())?;
    Ok(vec![Some(scope.product(inverse.h(), inner.n())?)])
}

/// Adds the cotangents of the values to the diagonal, their mean for equal ones; returns the norm of the rest, in units
/// of a cotangent of vectors.
fn add_values<'w, T: Element>(
    m: &mut Dual<'w, T>,
    wb: &Dual<'w, T>,
    groups: &Groups<'_>,
    scope: Scope<'w>,
) -> Result<f64, Error> {
    let mut mean = scope.copy(wb.n())?;
    let mut part = 0.0f64;
    for i in (0..wb.rows()).filter(|_| groups.any) {
        let members = || (0..wb.rows()).filter(|&j| groups.same(i, j));
        let count = members().count() as f64;
        if count > 1.0 {
            let given = wb.value.elements();
            let sum = members().fold(T::ZERO, |sum, j| sum + given[j]);
            let value = T::from_c64(sum.to_c64() / count);
            part = part.hypot((given[i] - value).to_c64().norm() * groups.unit);
            mean.value.elements_mut()[i] = value;
        }
    }
    scope.add_diagonal(m, 1.0, &mean)?;
    Ok(part)
}

/// ẇ and Ω.
fn tangents<'w, T: Element>(
    (w, v): (&Dual<'w, T>, &Dual<'w, T>),
    a: &Dual<'w, T>,
    da: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<(Dual<'w, T>, Dual<'w, T>), Error> {
    let groups = Groups::of(&w.value, w.rows(), scope)?;
    let inverse = inverse((w, v), &groups, a, scope)?;
    let mut m = scope.product(inverse.n(), scope.product(da.n(), v.n())?.n())?;
    let whole = norm(m.value.elements());
    scope.gauge_dependent::<T>(groups.between(&m.value, w.rows()), whole)?;
    let dw = scope.diagonal(&m)?;
    scope.hadamard(&mut m, &gaps(w, &groups, scope)?)?;
    Ok((dw, m))
}

pub(super) fn jvp<'w, T: Element>(
    w: &Dual<'w, T>,
    v: &Dual<'w, T>,
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None]) };
    let (dw, omega) = tangents((w, v), a, da, scope)?;
    let mut dv = scope.product(v.n(), omega.n())?;
    let mut along = scope.diagonal(&scope.product(v.h(), dv.n())?)?;
    along.real();
    if scope.options.phases == Phases::Fixed {
        Leads::of(v, scope)?.turn(&mut dv, scope)?;
    }
    let mut lengths = scope.copy(v.n())?;
    scope.scale_cols(&mut lengths, &along)?;
    scope.add(&mut dv, -1.0, lengths.n())?;
    Ok(vec![Some(dw), Some(dv)])
}

/// The values of A in the order of `w`, and the vectors, of any length and phase, with tangents if A has one.
fn factors<'w, T: Element>(a: &Dual<'w, T>, w: &Dual<'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 2], Error> {
    let n = w.rows();
    let found = decompose(a.value.as_ref(), false, scope.with)?;
    let (mut values, mut v) = (scope.with.matrix::<T>(n, 1)?, scope.with.matrix::<T>(n, n)?);
    let mut free: Vec<usize> = (0..n).collect();
    for (j, w) in w.value.elements().iter().enumerate() {
        let distance = |i: usize| (found.w[i].to_c64() - w.to_c64()).norm();
        let Some(at) = (0..free.len()).min_by(|&i, &j| distance(free[i]).total_cmp(&distance(free[j]))) else { break };
        let from = free.swap_remove(at);
        values.elements_mut()[j] = T::from_c64(found.w[from].to_c64());
        v.col_mut(j).iter_mut().zip(found.v.col(from)).for_each(|(to, x)| *to = T::from_c64(x.to_c64()));
    }
    let [mut values, mut v] = [values, v].map(Dual::constant);
    if let Some(da) = scope.slope(a)? {
        let (dw, omega) = tangents((&values, &v), a, &da, scope)?;
        v.tangent = Some(scope.product(v.n(), omega.n())?.value);
        values.tangent = Some(dw.value);
    }
    Ok([values, v])
}

/// Of the values alone, which need vectors.
pub(super) fn values_jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    w: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None]) };
    let [w, v] = factors(a, w, scope)?;
    Ok(vec![Some(tangents((&w, &v), a, da, scope)?.0)])
}

pub(super) fn values_vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    w: &Dual<'w, T>,
    wb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(wb) = wb else { return Ok(vec![None]) };
    let [w, v] = factors(a, w, scope)?;
    cotangent((&w, &v), a, (Some(wb), None), scope)
}
