//! The exponential. Its derivative L(A, E) is that of the algorithm itself, scaling and squaring of a Padé approximant
//! (Al-Mohy and Higham, SIAM J. Matrix Anal. Appl. 30, 1639 (2009)): evaluated at dual matrices, it gives both at the
//! cost of three exponentials. The adjoint of L(A, ·) is L(Aᴴ, ·). For the second order, L(A, E) is needed as a
//! function of A and E: it is the upper right block of the exponential of (A E; 0 A) (Najfeld and Havel, Adv. Appl.
//! Math. 16, 321 (1995)).

use tensoroxide_dense::{Element, Matrix};
use tensoroxide_tensor::Real;

use super::Slopes;
use crate::dual::{Dual, Op, Scope};
use crate::Error;

/// The degrees of the approximants, and the largest 1-norm for which the derivative has a backward error of rounding in
/// double precision (Table 6.1 of Al-Mohy and Higham).
const DEGREES: [(usize, f64); 5] = [(3, 1.08e-2), (5, 0.2), (7, 0.783), (9, 1.78), (13, 4.74)];

pub(super) fn jvp<'w, T: Element>(
    a: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    slope(a.n(), da, scope)
}

pub(super) fn vjp<'w, T: Element>(
    a: &Dual<'w, T>,
    xb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    slope(a.h(), xb, scope)
}

/// L(A, E)
fn slope<'w, T: Element>(a: Op<'_, 'w, T>, e: &Option<Dual<'w, T>>, scope: Scope<'w>) -> Result<Slopes<'w, T>, Error> {
    let Some(e) = e else { return Ok(vec![None]) };
    let (n, mut a) = (a.rows(), scope.copy(a)?);
    let size = one_norm(&a.value);
    if !size.is_finite() {
        return Err(tensoroxide_linalg::Error::NotFinite.into());
    }
    let block = if a.tangent.is_none() && e.tangent.is_none() {
        a.tangent = Some(scope.with.copy_of(e.value.as_ref(), false)?);
        exponential(a, size, scope)?.tangent.map(Dual::constant)
    } else {
        let mut pair = scope.zeros(2 * n, 2 * n)?;
        scope.add(&mut pair, 1.0, a.n())?;
        scope.add_at(&mut pair, (n, n), 1.0, a.n())?;
        scope.add_at(&mut pair, (0, n), 1.0, e.n())?;
        Some(scope.block(&exponential(pair, size, scope)?, (0, n), (n, n))?)
    };
    Ok(vec![block])
}

/// exp(A), where `size` is the 1-norm of A, or of a block of A that occurs on the diagonal only.
fn exponential<'w, T: Element>(mut a: Dual<'w, T>, size: f64, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let last = DEGREES[DEGREES.len() - 1];
    let (degree, most) = DEGREES.into_iter().find(|(_, most)| size <= *most).unwrap_or(last);
    let squarings = (size / most).log2().ceil().max(0.0) as i32;
    a.scale(2f64.powi(-squarings));
    let mut b = vec![1.0; degree + 1];
    let m = degree;
    (0..m).for_each(|j| b[j + 1] = b[j] * (m - j) as f64 / ((2 * m - j) * (j + 1)) as f64);
    // A², A⁴ and so on, as far as they are needed: degree 13 gets along with A⁶.
    let mut powers = vec![scope.product(a.n(), a.n())?];
    while powers.len() < (degree / 2).min(if degree == 13 { 3 } else { 4 }) {
        powers.push(scope.product(powers[powers.len() - 1].n(), powers[0].n())?);
    }
    let one = scope.identity(a.rows())?;
    // c₀ + c₁·A² + c₂·A⁴ + ..., in two parts for degree 13.
    let sum = |c: &[f64]| -> Result<Dual<'w, T>, Error> {
        let mut sum = scope.copy(one.n())?;
        sum.scale(c[0]);
        c[1..].iter().zip(&powers).try_for_each(|(c, power)| scope.add(&mut sum, *c, power.n()))?;
        Ok(sum)
    };
    let polynomial = |c: &[f64]| -> Result<Dual<'w, T>, Error> {
        if c.len() <= powers.len() + 1 {
            return sum(c);
        }
        let mut low = sum(&c[..4])?;
        scope.add_product(&mut low, 1.0, powers[2].n(), sum(&[&[0.0], &c[4..]].concat())?.n())?;
        Ok(low)
    };
    let (even, odd): (Vec<f64>, Vec<f64>) = b.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    let u = scope.product(a.n(), polynomial(&odd)?.n())?;
    let v = polynomial(&even)?;
    let (minus, plus) = (scope.sum(v.n(), -1.0, u.n())?, scope.sum(v.n(), 1.0, u.n())?);
    let mut x = scope.solve(minus.n(), &plus)?;
    for _ in 0..squarings {
        x = scope.product(x.n(), x.n())?;
    }
    Ok(x)
}

fn one_norm<T: Element>(a: &Matrix<'_, T>) -> f64 {
    (0..a.cols()).map(|j| a.col(j).iter().map(|x| x.abs().to_f64()).sum()).fold(0.0, f64::max)
}
