//! What was cut off by a truncation, and the equations in which it counts (`trunc.rs`).
//!
//! With A′ = Q·t·Rᴴ they are equations of two numbers in the bases Q and R. That costs a decomposition. Where few
//! values are kept, and their smallest s stands clear of the largest t, products with A′ are enough: (1 − A′A′ᴴ/s²)·γ =
//! (x + A′y/s)/s is positive definite with a condition of 1/(1 − t²/s²), for each kept vector with its own s, and
//! conjugate gradients solve all of them together. How large t is, ‖A′‖ bounds, or else a few steps of the Lanczos
//! method estimate.

use tensoroxide_dense::{eigh, gemm, svd, Element, MatMut, MatRef};
use tensoroxide_krylov::{solve, Eigsolve, Lanczos, Which};
use tensoroxide_tensor::Real;

use super::groups::{inverses, size, Groups};
use super::svd::Spectrum;
use crate::dual::{norm, real, Dual, Scope};
use crate::Error;

/// Products are tried for so many times fewer values than there are.
const FEW: usize = 8;
/// And for a t of at most this times s, which makes for some 40 steps;
const CLEAR: f64 = 0.9;
/// more than these mean that t was larger.
const STEPS: usize = 80;

/// The equations γ·S − A′·η = X and η·S − A′ᴴ·γ = Y.
pub(super) struct Rest<'a, 'w, T: Element> {
    a: &'a Dual<'w, T>,
    s: &'a Dual<'w, T>,
    /// The decomposition of A′ = Q·t·Rᴴ, unless products are enough.
    whole: Option<(Dual<'w, T>, Vec<f64>, Dual<'w, T>)>,
    /// Kept values with numbers from this one on are 0.
    rank: usize,
}

impl<'a, 'w, T: Element> Rest<'a, 'w, T> {
    /// `a` is A′, not A.
    pub(super) fn new(
        a: &'a Dual<'w, T>,
        s: &'a Dual<'w, T>,
        spectrum: &Spectrum<'_>,
        scope: Scope<'w>,
    ) -> Result<Self, Error> {
        let rank = spectrum.rank;
        if rank == s.rows() && products_are_enough(a, s, scope)? {
            return Ok(Rest { a, s, whole: None, rank });
        }
        let found = svd(a.value.as_ref(), false, scope.with)?;
        let t: Vec<f64> = found.s.iter().map(|t| t.to_f64()).collect();
        let last = s.value.elements().last().map_or(0.0, |s| s.re().to_f64());
        let first = t.first().copied().unwrap_or(0.0);
        // Values of 0 were cut from those that were kept: nothing may depend on their vectors.
        if s.rows() > 0 && rank == s.rows() && last - first <= spectrum.groups.slack {
            return Err(Error::CutsMultiplet { gap: (last - first).max(0.0) / spectrum.groups.unit });
        }
        let (q, rh) = (Dual::constant(found.u), Dual::constant(found.vh));
        Ok(Rest { a, s, whole: Some((q, t, rh)), rank })
    }

    /// γ and η with γ·S − A′·η = X and η·S − A′ᴴ·γ = Y.
    pub(super) fn solve(
        &self,
        x: &Dual<'w, T>,
        y: &Dual<'w, T>,
        scope: Scope<'w>,
    ) -> Result<(Dual<'w, T>, Dual<'w, T>), Error> {
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
        let (s, constant) = (self.s.value.elements(), scope.value(self.s)?);
        let Some((q, t, rh)) = &self.whole else {
            return by_products(&scope.value(self.a)?, &constant, x, y, scope);
        };
        let part = |p: usize| {
            let mut c = scope.with.matrix::<T>(t.len(), s.len())?;
            for (j, s) in s.iter().enumerate().take(self.rank) {
                let s = s.re().to_f64();
                for (c, t) in c.col_mut(j).iter_mut().zip(t) {
                    let ratio = t / s;
                    let weight = ratio.powi(p as i32) / (s * ((s - t) / s) * (1.0 + ratio));
                    *c = T::from_real(real::<T>(weight));
                }
            }
            Ok::<_, Error>(Dual::constant(c))
        };
        let (once, twice) = (part(1)?, part(2)?);
        let inverse = inverses(&constant, self.rank, scope)?;
        let (in_q, in_r) = (scope.product(q.h(), x.n())?, scope.product(rh.n(), y.n())?);
        let one = |same: &Dual<'w, T>, own: &Dual<'w, T>, other: &Dual<'w, T>| {
            let (mut all, mut own, mut other) = (scope.copy(same.n())?, scope.copy(own.n())?, scope.copy(other.n())?);
            scope.scale_cols(&mut all, &inverse)?;
            scope.hadamard(&mut own, &twice)?;
            scope.hadamard(&mut other, &once)?;
            scope.add(&mut other, 1.0, own.n())?;
            Ok::<_, Error>((all, other))
        };
        let (mut gamma, inner) = one(x, &in_q, &in_r)?;
        scope.add_product(&mut gamma, 1.0, q.n(), inner.n())?;
        let (mut eta, inner) = one(y, &in_r, &in_q)?;
        scope.add_product(&mut eta, 1.0, rh.h(), inner.n())?;
        Ok((gamma, eta))
    }
}

/// The equations γ·w − A′·γ = X of Hermitian A′ = A − V·w·Vᴴ, for X orthogonal to V.
pub(super) struct HermitianRest<'a, 'w, T: Element> {
    cut: &'a Dual<'w, T>,
    w: &'a Dual<'w, T>,
    whole: Option<Shifted<'w, T>>,
}

/// A′ + c·V·Vᴴ, where c is far from all eigenvalues, and its decomposition, which is constant: the kept vectors are out
/// of the way, as 0 may be among the values, too.
struct Shifted<'w, T: Element> {
    a: Dual<'w, T>,
    q: Dual<'w, T>,
    /// 1/(w_j − t_i), or 0 where both vanish.
    weights: Dual<'w, T>,
}

impl<'a, 'w, T: Element> HermitianRest<'a, 'w, T> {
    pub(super) fn new(
        cut: &'a Dual<'w, T>,
        (w, v): (&'a Dual<'w, T>, &Dual<'w, T>),
        groups: &Groups<'_>,
        scope: Scope<'w>,
    ) -> Result<Self, Error> {
        if products_are_enough(cut, w, scope)? {
            return Ok(HermitianRest { cut, w, whole: None });
        }
        let c = 2.0 * (groups.unit + norm(cut.value.elements()));
        let mut a = scope.copy(cut.n())?;
        scope.add_product(&mut a, c, v.n(), v.h())?;
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
                    *to = T::from_real(real::<T>(1.0 / gap));
                }
            }
        }
        let [q, weights] = [found.v, weights].map(Dual::constant);
        Ok(HermitianRest { cut, w, whole: Some(Shifted { a, q, weights }) })
    }

    /// γ with γ·w − A′·γ = X, for X orthogonal to V; and the norm of what X has where there is none.
    pub(super) fn solve(&self, x: &Dual<'w, T>, scope: Scope<'w>) -> Result<(Dual<'w, T>, f64), Error> {
        let (cut, w) = (scope.value(self.cut)?, scope.value(self.w)?);
        let apply = |x: &Dual<'w, T>| -> Result<(Dual<'w, T>, f64), Error> {
            let Some(Shifted { q, weights, .. }) = &self.whole else {
                return Ok((by_products(&cut, &w, x, x, scope)?.0, 0.0));
            };
            let mut inner = scope.product(q.h(), x.n())?;
            let part = size(&inner.value, |i, j| weights.value.col(j)[i] == T::ZERO);
            scope.hadamard(&mut inner, weights)?;
            Ok((scope.product(q.n(), inner.n())?, part))
        };
        let (mut gamma, part) = apply(x)?;
        let da = scope.slope(self.whole.as_ref().map_or(self.cut, |whole| &whole.a))?;
        let dw = scope.slope(self.w)?;
        if da.is_some() || dw.is_some() {
            if self.whole.as_ref().is_some_and(|whole| whole.weights.value.elements().contains(&T::ZERO)) {
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

/// Whether A′ is so far below the smallest modulus of the values that conjugate gradients cost less than a
/// decomposition.
fn products_are_enough<T: Element>(a: &Dual<'_, T>, s: &Dual<'_, T>, scope: Scope<'_>) -> Result<bool, Error> {
    let (m, n) = (a.rows(), a.cols());
    let least = s.value.elements().iter().map(|s| s.re().to_f64().abs()).fold(f64::INFINITY, f64::min);
    if s.rows() == 0 || s.rows() * FEW > m.min(n) {
        return Ok(false);
    }
    let size = norm(a.value.elements());
    if size <= CLEAR * least {
        return Ok(true);
    }
    // Of A′/‖A′‖, so that no square over- or underflows. The start is not orthogonal to the vector of t, or hardly
    // ever.
    let unit = T::from_real(real::<T>(1.0 / size));
    let options = Eigsolve { which: Which::LargestReal, krylovdim: 24, maxiter: 1, tol: 1e-3, ..Eigsolve::default() };
    let mut lanczos = Lanczos::<T>::default();
    let start = lanczos.start(m, options)?;
    start
        .iter_mut()
        .enumerate()
        .for_each(|(i, x)| *x = T::from_real(real::<T>((1.7 * i as f64 * i as f64).sin() + 0.1)));
    let mut inner = scope.with.zeros::<T>(n)?;
    solve(&mut lanczos, |x: &[T], y: &mut [T]| {
        let (a, zero) = (a.value.as_ref(), T::ZERO);
        let (rows, cols) = (m as isize, n as isize);
        let to = MatMut::from_slice(&mut inner, n, 1, 1, cols)?;
        gemm(unit, a.t(), true, MatRef::from_slice(x, m, 1, 1, rows)?, false, zero, to, scope.threads)?;
        let from = MatRef::from_slice(&inner, n, 1, 1, cols)?;
        gemm(unit, a, false, from, false, zero, MatMut::from_slice(y, m, 1, 1, rows)?, scope.threads)?;
        Ok::<(), Error>(())
    })?;
    let largest = lanczos.values().first().map_or(0.0, |t| t.to_f64().max(0.0)).sqrt() * size;
    Ok(largest <= CLEAR * least)
}

/// γ and η of both equations by conjugate gradients; s may be negative for Hermitian A′.
fn by_products<'w, T: Element>(
    a: &Dual<'w, T>,
    s: &Dual<'w, T>,
    x: &Dual<'w, T>,
    y: &Dual<'w, T>,
    scope: Scope<'w>,
) -> Result<(Dual<'w, T>, Dual<'w, T>), Error> {
    let inverse = inverses(s, s.rows(), scope)?;
    let over = |z: &Dual<'w, T>| {
        let mut z = scope.copy(z.n())?;
        scope.scale_cols(&mut z, &inverse)?;
        Ok::<_, Error>(z)
    };
    let mut right = scope.copy(x.n())?;
    scope.add_product(&mut right, 1.0, a.n(), over(y)?.n())?;
    let operator = |p: &Dual<'w, T>| -> Result<Dual<'w, T>, Error> {
        let inner = over(&scope.product(a.h(), over(p)?.n())?)?;
        let mut q = scope.copy(p.n())?;
        scope.add_product(&mut q, -1.0, a.n(), inner.n())?;
        Ok(q)
    };
    let gamma = conjugate_gradients(&over(&right)?, operator, scope)?;
    let mut eta = scope.copy(y.n())?;
    scope.add_product(&mut eta, 1.0, a.h(), gamma.n())?;
    Ok((gamma, over(&eta)?))
}

/// The X with operator(X) = C, where the operator is constant, and positive definite on each column by itself.
fn conjugate_gradients<'w, T: Element>(
    c: &Dual<'w, T>,
    operator: impl Fn(&Dual<'w, T>) -> Result<Dual<'w, T>, Error>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let mut x = solution(&scope.value(c)?, &operator, scope)?;
    if let Some(slope) = scope.slope(c)? {
        x.tangent = Some(solution(&slope, &operator, scope)?.value);
    }
    Ok(x)
}

fn solution<'w, T: Element>(
    c: &Dual<'w, T>,
    operator: &impl Fn(&Dual<'w, T>) -> Result<Dual<'w, T>, Error>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let columns = c.cols();
    let dot = |x: &Dual<'w, T>, y: &Dual<'w, T>, j: usize| {
        let terms = x.value.col(j).iter().zip(y.value.col(j)).map(|(x, y)| (x.conj() * *y).re());
        terms.map(|x| x.to_f64()).sum::<f64>()
    };
    let add = |x: &mut Dual<'w, T>, alpha: f64, y: &Dual<'w, T>, j: usize| {
        let alpha = real::<T>(alpha);
        x.value.col_mut(j).iter_mut().zip(y.value.col(j)).for_each(|(x, y)| *x += y.scale(alpha));
    };
    // Of columns of norm 1, whose squares are safe.
    let sizes: Vec<f64> = (0..columns).map(|j| norm(c.value.col(j))).collect();
    let mut r = scope.value(c)?;
    r.weigh(|_, j| if sizes[j] > 0.0 { 1.0 / sizes[j] } else { 0.0 });
    let (mut x, mut p) = (scope.zeros(c.rows(), columns)?, scope.value(&r)?);
    let mut squares: Vec<f64> = (0..columns).map(|j| dot(&r, &r, j)).collect();
    let goal = T::Real::EPSILON.to_f64().powi(2);
    let mut steps = 0;
    while !squares.iter().all(|&square| square <= goal) {
        steps += 1;
        if steps > STEPS {
            return Err(Error::NotConverged { residual: squares.iter().fold(0.0, |most: f64, x| most.max(*x)).sqrt() });
        }
        let q = operator(&p)?;
        for (j, square) in squares.iter_mut().enumerate().filter(|(_, square)| **square > goal) {
            let alpha = *square / dot(&p, &q, j);
            add(&mut x, alpha, &p, j);
            add(&mut r, -alpha, &q, j);
            let next = dot(&r, &r, j);
            let beta = real::<T>(next / *square);
            *square = next;
            p.value.col_mut(j).iter_mut().for_each(|p| *p = p.scale(beta));
            add(&mut p, 1.0, &r, j);
        }
    }
    x.weigh(|_, j| sizes[j]);
    Ok(x)
}
