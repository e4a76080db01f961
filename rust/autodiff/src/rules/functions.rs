//! Functions of Hermitian matrices, X = V·f(w)·Vᴴ.
//!
//! The derivative along a Hermitian D is V·(f[w_i, w_j]·(VᴴDV)_ij)·Vᴴ with the divided differences of f (Daleckii and
//! Kreĭn; Higham, *Functions of Matrices*, Theorem 3.11), its own adjoint. The second one along D and E has
//!
//! ```text
//! Σ_j f[w_i, w_j, w_k]·(D_ij·E_jk + E_ij·D_jk) = ([F∘D, E] + [F∘E, D])_ik/(w_i − w_k),   F_ij = f[w_i, w_j],
//! ```
//!
//! commutators where w_i and w_k are far from each other, the sum elsewhere. Divided differences are computed without
//! differences of function values as far as there are such formulas: equal and nearly equal eigenvalues do no harm.

use tensoroxide_dense::{eigh, Element};
use tensoroxide_linalg::Function;
use tensoroxide_tensor::Real;

use super::eigh::{hermitian, symmetric};
use super::groups::size;
use super::Slopes;
use crate::dual::{norm, real, Dual, Scope};
use crate::Error;

pub(super) fn jvp<'w, T: Element>(
    f: Function,
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    vjp(f, a, da, scope)
}

pub(super) fn vjp<'w, T: Element>(
    f: Function,
    a: &Dual<'w, T>,
    d: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(d) = d else { return Ok(vec![None]) };
    let (a, n) = (hermitian(a, scope)?, a.rows());
    let found = eigh(a.value.as_ref(), false, scope.with)?;
    let v = Dual::constant(found.v);
    let mut w: Vec<f64> = found.w.iter().map(|w| w.to_f64()).collect();
    if f == Function::Sqrt {
        w.iter_mut().for_each(|w| *w = w.max(0.0)); // as the operation does with what is negative by rounding
    }
    let mut table = scope.with.matrix::<T>(n, n)?;
    for j in 0..n {
        table.col_mut(j).iter_mut().zip(&w).for_each(|(to, x)| *to = T::from_real(real::<T>(first(f, *x, w[j]))));
    }
    let table = Dual::constant(table);
    let infinite = |i: usize, j: usize| !table.value.col(j)[i].is_finite();
    let within = |x: &Dual<'w, T>| scope.product(scope.product(v.h(), x.n())?.n(), v.n());
    let outside = |x: &Dual<'w, T>| scope.product(scope.product(v.n(), x.n())?.n(), v.h());
    let mut inner = within(&symmetric(scope.copy(d.n())?))?;
    let scale = norm(inner.value.elements());
    if size(&inner.value, infinite) > scope.options.gauge_tolerance::<T>() * scale {
        return Err(Error::Undefined("the function has no derivative at an eigenvalue"));
    }
    inner.linear(|i, j, x| if infinite(i, j) { T::ZERO } else { x });
    let mut finite = scope.copy(table.n())?;
    finite.linear(|_, _, x| if x.is_finite() { x } else { T::ZERO });
    let mut slope = None;
    if let Some(da) = scope.slope(&a)? {
        if table.value.elements().iter().any(|x| !x.is_finite()) {
            return Err(Error::Undefined("the function has no second derivative at an eigenvalue"));
        }
        slope = Some(outside(&curvature(f, &w, &table, [&scope.value(&inner)?, &within(&da)?], scope)?)?);
    }
    scope.hadamard(&mut inner, &finite)?;
    let mut x = outside(&inner)?;
    if let Some(slope) = slope {
        scope.add_slope(&mut x, 1.0, &slope)?;
    }
    Ok(vec![Some(symmetric(x))])
}

/// The second derivative along two directions, in the basis of the eigenvectors.
fn curvature<'w, T: Element>(
    f: Function,
    w: &[f64],
    table: &Dual<'w, T>,
    [d, e]: [&Dual<'w, T>; 2],
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let n = w.len();
    let mut sum = scope.zeros(n, n)?;
    for (d, e) in [(d, e), (e, d)] {
        let mut fd = scope.copy(d.n())?;
        scope.hadamard(&mut fd, table)?;
        scope.add_product(&mut sum, 1.0, fd.n(), e.n())?;
        scope.add_product(&mut sum, -1.0, e.n(), fd.n())?;
    }
    let (d, e) = (&d.value, &e.value);
    for k in 0..n {
        for i in 0..n {
            let to = &mut sum.value.col_mut(k)[i];
            if far(f, w[i], w[k]) {
                *to = to.scale(real::<T>(1.0 / (w[i] - w[k])));
                continue;
            }
            *to = (0..n).fold(T::ZERO, |sum, j| {
                let both = d.col(j)[i] * e.col(k)[j] + e.col(j)[i] * d.col(k)[j];
                sum + both.scale(real::<T>(second(f, w[i], w[j], w[k])))
            });
        }
    }
    Ok(sum)
}

/// Whether a difference of divided differences, divided by that of two arguments, loses no more than a digit.
fn far(f: Function, a: f64, b: f64) -> bool {
    match f {
        Function::Exp => (a - b).abs() > 0.5,
        _ => (a - b).abs() > 0.2 * a.abs().max(b.abs()),
    }
}

/// f[a, b]
fn first(f: Function, a: f64, b: f64) -> f64 {
    match f {
        Function::Exp => {
            let half = (a - b).abs() / 2.0;
            let ratio = if half < 1e-4 { 1.0 + half * half / 6.0 } else { half.sinh() / half };
            match ratio.is_finite() {
                true => ((a + b) / 2.0).exp() * ratio,
                false => (a.exp() - b.exp()) / (a - b),
            }
        }
        Function::Log => {
            let ratio = (a - b) / (a + b);
            let quotient = if ratio.abs() < 1e-4 { 1.0 + ratio * ratio / 3.0 } else { ratio.atanh() / ratio };
            match quotient.is_finite() {
                true => quotient * 2.0 / (a + b),
                false => (a.ln() - b.ln()) / (a - b),
            }
        }
        Function::Sqrt => 1.0 / (a.sqrt() + b.sqrt()),
        Function::Inverse => -1.0 / a / b,
        Function::InverseSqrt => -1.0 / (a.sqrt() * b.sqrt()) / (a.sqrt() + b.sqrt()),
    }
}

/// f[a, b, c]
fn second(f: Function, a: f64, b: f64, c: f64) -> f64 {
    let roots = || (a.sqrt(), b.sqrt(), c.sqrt());
    match f {
        Function::Sqrt => {
            let (a, b, c) = roots();
            -1.0 / (a + b) / (b + c) / (a + c)
        }
        Function::Inverse => 1.0 / a / b / c,
        Function::InverseSqrt => {
            let (a, b, c) = roots();
            (a + b + c) / (a * b * c) / (a + b) / (b + c) / (a + c)
        }
        Function::Exp | Function::Log => {
            let (low, high) = (a.min(b).min(c), a.max(b).max(c));
            let middle = (a - low) + (b - high) + c; // without rounding where all are equal
            if far(f, low, high) {
                return (first(f, high, middle) - first(f, middle, low)) / (high - low);
            }
            series(f, [low, middle, high])
        }
    }
}

/// The Taylor series of f[a, b, c] about the mean: Σ f⁽ⁿ⁺²⁾/(n + 2)!·h_n(a, b, c) with the complete homogeneous
/// polynomials of the distances. These are below 1/2, or a fifth of the mean, so that 30 terms are more than enough.
fn series(f: Function, x: [f64; 3]) -> f64 {
    let mean = (x[0] + x[1] + x[2]) / 3.0;
    let unit = if f == Function::Log { mean } else { 1.0 };
    let [a, b, c] = x.map(|x| (x - mean) / unit);
    // h_n(a, b, c) = a·h_(n−1)(a, b, c) + h_n(b, c), and h_n(b, c) = b·h_(n−1)(b, c) + cⁿ.
    let (mut three, mut two, mut one) = (1.0, 1.0, 1.0);
    let (mut sum, mut factorial) = (0.0, 2.0);
    for n in 0..30 {
        let k = (n + 2) as f64;
        sum += three
            * match f {
                Function::Log if n % 2 == 0 => -1.0 / k,
                Function::Log => 1.0 / k,
                _ => 1.0 / factorial,
            };
        one *= c;
        two = b * two + one;
        three = a * three + two;
        factorial *= k + 1.0;
    }
    match f {
        Function::Log => sum / unit / unit,
        _ => sum * mean.exp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against differences of divided differences of arguments that are far from each other, and by continuity near
    /// equal ones.
    #[test]
    fn divided_differences() {
        let value = |f: Function, x: f64| match f {
            Function::Exp => x.exp(),
            Function::Log => x.ln(),
            Function::Sqrt => x.sqrt(),
            Function::Inverse => 1.0 / x,
            Function::InverseSqrt => 1.0 / x.sqrt(),
        };
        let derivatives = |f: Function, x: f64| match f {
            Function::Exp => [x.exp(), x.exp()],
            Function::Log => [1.0 / x, -1.0 / (x * x)],
            Function::Sqrt => [0.5 / x.sqrt(), -0.25 * x.powf(-1.5)],
            Function::Inverse => [-1.0 / (x * x), 2.0 / (x * x * x)],
            Function::InverseSqrt => [-0.5 * x.powf(-1.5), 0.75 * x.powf(-2.5)],
        };
        let close = |x: f64, y: f64, tolerance: f64| assert!((x - y).abs() <= tolerance * y.abs(), "{x} {y}");
        for f in [Function::Exp, Function::Log, Function::Sqrt, Function::Inverse, Function::InverseSqrt] {
            let (a, b, c) = (0.7, 2.0, 5.0);
            let divided = |a: f64, b: f64| (value(f, a) - value(f, b)) / (a - b);
            close(first(f, a, b), divided(a, b), 1e-14);
            close(second(f, a, b, c), (divided(a, b) - divided(b, c)) / (a - c), 1e-13);
            for (order, [x, y, z]) in [(0, [a, b, c]), (1, [c, a, b]), (2, [b, c, a])] {
                close(second(f, x, y, z), second(f, a, b, c), 1e-14 * (1 + order) as f64);
            }
            let [slope, curvature] = derivatives(f, b);
            for h in [0.0, 1e-12, 1e-8] {
                close(first(f, b, b + h), slope + curvature * h / 2.0, 1e-15);
                close(second(f, b, b + h, b - h), curvature / 2.0, 1e-14);
            }
            // Where one formula takes over from the other.
            for h in [0.19, 0.21, 0.24, 0.26] {
                let (x, y, z) = (b, b * (1.0 + h), b * (1.0 + h / 3.0));
                close(second(f, x, y, z), (first(f, y, z) - first(f, z, x)) / (y - x), 1e-14 / h);
            }
        }
    }
}
