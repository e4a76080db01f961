//! The polar decomposition A = W·P, with W of orthonormal columns and P Hermitian; A = P·Wᴴ is that of Aᴴ.
//!
//! WᴴȦ = Ω·P + Ṗ with Ω = WᴴẆ, antihermitian, so that Ω solves Ω·P + P·Ω = WᴴȦ − ȦᴴW, and
//!
//! ```text
//! Ẇ = W·Ω + (1 − WWᴴ)Ȧ·P⁻¹,   Ṗ = WᴴȦ − Ω·P.
//! ```
//!
//! Reversed, with X↓ = (X − Xᴴ)/2, X↑ = (X + Xᴴ)/2, and Z·P + P·Z = (WᴴW̄ − P̄↑·P)↓:
//!
//! ```text
//! Ā = 2·W·Z + W·P̄↑ + (1 − WWᴴ)W̄·P⁻¹.
//! ```
//!
//! Only sums of singular values are divided by: equal ones do no harm. Where values vanish, W is not unique, and P has
//! a kink as |x| has: what depends on either is reported.

use tensoroxide_dense::{eigh, Element};
use tensoroxide_tensor::Real;

use super::eigh::symmetric;
use super::groups::{inverses, reciprocals, size};
use crate::dual::{norm, Dual, Op, Scope};
use crate::Error;

/// P with its eigenvalues and vectors, which are constants: derivatives of what P is divided by are found without
/// theirs.
struct Divisor<'a, 'w, T: Element> {
    p: &'a Dual<'w, T>,
    v: Dual<'w, T>,
    /// 1/(s_i + s_j) and 1/s_i, or 0.
    sums: Dual<'w, T>,
    inverses: Dual<'w, T>,
    /// Values with numbers below are 0.
    zeros: usize,
    /// Whether the signs of W and P cannot change smoothly.
    kinked: bool,
}

impl<'a, 'w, T: Element> Divisor<'a, 'w, T> {
    /// `rows` are those of W.
    fn new(p: &'a Dual<'w, T>, rows: usize, scope: Scope<'w>) -> Result<Self, Error> {
        let n = p.rows();
        let found = eigh(p.value.as_ref(), false, scope.with)?;
        let slack = scope.options.degeneracy::<T>(rows) * found.w.last().map_or(0.0, |w| w.to_f64());
        let zeros = found.w.iter().take_while(|w| w.to_f64() <= slack).count();
        if zeros > 0 && p.tangent.is_some() {
            return Err(Error::Undefined("the polar factors of a matrix that lacks rank have no second derivative"));
        }
        let mut w = scope.with.matrix::<T>(n, 1)?;
        w.elements_mut().iter_mut().zip(&found.w[..]).for_each(|(to, w)| *to = T::from_real(*w));
        let w = Dual::constant(w);
        let sums = reciprocals(&w, (1.0, 1.0), |i, j| i < zeros && j < zeros, scope)?;
        let mut inverses = inverses(&w, n, scope)?;
        inverses.value.elements_mut()[..zeros].fill(T::ZERO);
        let kinked = zeros > 1 || zeros == 1 && (T::DTYPE.is_complex() || rows > n);
        Ok(Divisor { p, v: Dual::constant(found.v), sums, inverses, zeros, kinked })
    }

    /// The X with X·P + P·X = C, and the norm of what C has where there is none.
    fn lyapunov(&self, c: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, f64), Error> {
        let apply = |c: &Dual<'w, T>| -> Result<(Dual<'w, T>, f64), Error> {
            let mut inner = scope.product(scope.product(self.v.h(), c.n())?.n(), self.v.n())?;
            let part = size(&inner.value, |i, j| i.max(j) < self.zeros);
            scope.hadamard(&mut inner, &self.sums)?;
            Ok((scope.product(scope.product(self.v.n(), inner.n())?.n(), self.v.h())?, part))
        };
        let (mut x, part) = apply(c)?;
        if let Some(slope) = scope.slope(self.p)? {
            let value = scope.value(&x)?;
            let mut moved = scope.product(value.n(), slope.n())?;
            scope.add_product(&mut moved, 1.0, slope.n(), value.n())?;
            scope.add_slope(&mut x, -1.0, &apply(&moved)?.0)?;
        }
        Ok((x, part))
    }

    /// X·P⁻¹, and the norm of what X has where there is none.
    fn divide(&self, x: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, f64), Error> {
        let apply = |x: &Dual<'w, T>| -> Result<(Dual<'w, T>, f64), Error> {
            let mut inner = scope.product(x.n(), self.v.n())?;
            let part = size(&inner.value, |_, j| j < self.zeros);
            scope.scale_cols(&mut inner, &self.inverses)?;
            Ok((scope.product(inner.n(), self.v.h())?, part))
        };
        let (mut y, part) = apply(x)?;
        if let Some(slope) = scope.slope(self.p)? {
            let moved = scope.product(scope.value(&y)?.n(), slope.n())?;
            scope.add_slope(&mut y, -1.0, &apply(&moved)?.0)?;
        }
        Ok((y, part))
    }

    /// The norm of what X has between vectors of values that are 0, if P has a kink there.
    fn at_kink(&self, x: &Dual<'w, T>, scope: Scope<'w>) -> Result<f64, Error> {
        if !self.kinked {
            return Ok(0.0);
        }
        let inner = scope.product(scope.product(self.v.h(), x.n())?.n(), self.v.n())?;
        Ok(size(&inner.value, |i, j| i.max(j) < self.zeros))
    }
}

/// The tangents of W and P.
pub(super) fn jvp<'w, T: Element>(
    w: Op<'_, 'w, T>,
    p: &Dual<'w, T>,
    da: Option<Op<'_, 'w, T>>,
    scope: Scope<'w>,
) -> Result<[Option<Dual<'w, T>>; 2], Error> {
    let Some(da) = da else { return Ok([None, None]) };
    let divisor = Divisor::new(p, w.rows(), scope)?;
    let x = scope.product(w.h(), da)?;
    let mut c = scope.copy(x.n())?;
    c.fold(-1.0);
    let (omega, mut part) = divisor.lyapunov(&c, scope)?;
    part = part.hypot(divisor.at_kink(&x, scope)?);
    let mut dw = scope.product(w, omega.n())?;
    if w.rows() > w.cols() {
        let mut outside = scope.copy(da)?;
        scope.add_product(&mut outside, -1.0, w, x.n())?;
        let (quotient, left_out) = divisor.divide(&outside, scope)?;
        part = part.hypot(left_out);
        scope.add(&mut dw, 1.0, quotient.n())?;
    }
    let mut dp = x;
    scope.add_product(&mut dp, -1.0, omega.n(), p.n())?;
    if part > 0.0 {
        scope.gauge_dependent::<T>(part, norm(scope.copy(da)?.value.elements()))?;
    }
    Ok([Some(dw), Some(symmetric(dp))])
}

/// The cotangent of A.
pub(super) fn vjp<'w, T: Element>(
    w: Op<'_, 'w, T>,
    p: &Dual<'w, T>,
    wb: Option<Op<'_, 'w, T>>,
    pb: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let n = p.rows();
    let divisor = Divisor::new(p, w.rows(), scope)?;
    let pb = pb.as_ref().map(|pb| Ok::<_, Error>(symmetric(scope.copy(pb.n())?))).transpose()?;
    let inner = wb.map(|wb| scope.product(w.h(), wb)).transpose()?;
    let mut y = match &inner {
        Some(inner) => scope.copy(inner.n())?,
        None => scope.zeros(n, n)?,
    };
    if let Some(pb) = &pb {
        scope.add_product(&mut y, -1.0, pb.n(), p.n())?;
    }
    y.fold(-1.0); // twice the antihermitian part, as 2·Z is asked for
    let (mut within, mut part) = divisor.lyapunov(&y, scope)?;
    let unit = norm(p.value.elements());
    if let Some(pb) = &pb {
        part = part.hypot(divisor.at_kink(pb, scope)? * unit);
        scope.add(&mut within, 1.0, pb.n())?;
    }
    let mut ab = scope.product(w, within.n())?;
    if let (true, Some(wb), Some(inner)) = (w.rows() > n, wb, &inner) {
        let mut outside = scope.copy(wb)?;
        scope.add_product(&mut outside, -1.0, w, inner.n())?;
        let (quotient, left_out) = divisor.divide(&outside, scope)?;
        part = part.hypot(left_out);
        scope.add(&mut ab, 1.0, quotient.n())?;
    }
    if part > 0.0 {
        let wb = wb.map(|wb| scope.copy(wb)).transpose()?;
        let size = |x: &Option<Dual<'w, T>>| x.as_ref().map_or(0.0, |x| norm(x.value.elements()));
        scope.gauge_dependent::<T>(part, size(&wb).hypot(size(&pb) * unit))?;
    }
    Ok(ab)
}
