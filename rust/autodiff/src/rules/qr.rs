//! QR decompositions, A = Q·R with R's diagonal real: thin, full, pivoted, of any rank.
//!
//! Let Q₁ be the first p columns of Q and A₁ = Q₁·R₁₁ those of A, R₁₁ being regular: p = n for a tall A of full rank.
//! Then (Walter and Lehmann, arXiv:1710.08717)
//!
//! dQ₁ = dA₁·R₁₁⁻¹ − Q₁·T and dR₁₁ = T·R₁₁, where T is the part of C = Q₁ᴴ·dA₁·R₁₁⁻¹ that is upper triangular with a
//! real diagonal while C − T is antihermitian.
//!
//! Of the other columns A₂ = Q·R₂ (arXiv:2009.10071, §3.2, for a wide A of full rank), dR₁₂ = dQ₁ᴴ·A₂ + Q₁ᴴ·dA₂. What
//! follows Q₁ in Q, W, spans a complement: the further columns of the full decomposition, or those that A leaves free,
//! since its columns depend on those before them. Of W only the space is determined: dW = −Q₁·dQ₁ᴴ·W is the choice that
//! turns nothing in it, and with it dR₂₂ = W₂ᴴ·dA₂ − W₂ᴴ·dQ₁·R₁₂, where W₂ belongs to rows of R. A cotangent which is
//! not the same for all turns of W in itself depends on the gauge (but for the phase of a single further column, which
//! is fixed), and so does one that asks for R where a dependent column makes it zero: there R grows in every direction,
//! as a modulus does.

use tensoroxide_dense::{qr, Element, Matrix};
use tensoroxide_tensor::Real;

use super::phases::Leads;
use super::Slopes;
use crate::dual::{norm, Dual, Op, Scope};
use crate::{Error, Phases};

/// A decomposition, and what of it is determined.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a, 'w, T: Element> {
    /// m×k, or m×m.
    q: Op<'a, 'w, T>,
    /// k×n, or with rows of zeros below.
    r: Op<'a, 'w, T>,
    k: usize,
    /// The number of leading columns of A that are independent.
    p: usize,
    /// What is left of a column after those before it is zero up to this, relative to the whole column: a QR
    /// decomposition errs in each column relative to that column's norm.
    tolerance: f64,
}

impl<'a, 'w, T: Element> Factors<'a, 'w, T> {
    pub(super) fn new(q: Op<'a, 'w, T>, r: Op<'a, 'w, T>, scope: Scope<'w>) -> Result<Self, Error> {
        let k = q.rows().min(r.cols());
        let tolerance = scope.options.degeneracy::<T>(q.rows().max(r.cols()));
        let mut factors = Factors { q, r, k, p: 0, tolerance };
        while factors.p < k && !factors.depends(factors.p)? {
            factors.p += 1;
        }
        Ok(factors)
    }

    /// Does column j of A depend on the first p, up to rounding?
    fn depends(&self, j: usize) -> Result<bool, Error> {
        let r = self.r.value()?;
        let rows = self.k.min(j + 1);
        let parts = |i| r.get(i, j).map_or([0.0; 2], |x| [x.re().to_f64(), x.im().to_f64()]);
        let largest = (0..rows).flat_map(parts).fold(0.0, |largest: f64, x| largest.max(x.abs()));
        let weight = |from: usize| (from..rows).flat_map(parts).map(|x| (x / largest).powi(2)).sum::<f64>();
        Ok(largest == 0.0 || weight(self.p).sqrt() <= self.tolerance * weight(0).sqrt())
    }

    /// Zeros in those columns that depend on the first p, from a row on; column j of X belongs to column `first` + j of
    /// A.
    fn clear_dependent(&self, x: &mut Dual<'w, T>, row: usize, first: usize) -> Result<(), Error> {
        for j in self.p..self.r.cols() {
            if self.depends(j)? {
                x.transform(|x| x.col_mut(j - first)[row..].fill(T::ZERO));
            }
        }
        Ok(())
    }

    /// The tangents of Q and R.
    pub(super) fn jvp(&self, da: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 2], Error> {
        let Factors { q, r, k, p, .. } = *self;
        let (q1, r11, rest) = (q.left(p), r.block((0, 0), (p, p)), r.cols() - p);
        let transposed = scope.solve_triangular(r11.t(), false, false, da.left(p).t())?;
        let mut t = scope.product(q1.h(), transposed.t())?;
        t.transform(fold_up);
        let mut dq1 = scope.copy(transposed.t())?;
        scope.add_product(&mut dq1, -1.0, q1, t.n())?;
        let mut dr = scope.zeros(r.rows(), r.cols())?;
        scope.add_at(&mut dr, (0, 0), 1.0, scope.product(t.n(), r11)?.n())?;
        if p == q.cols() && rest == 0 {
            return Ok([dq1, dr]);
        }
        // How W and the further columns of R turn with Q₁.
        let turn = scope.product(dq1.h(), q)?;
        let mut dq = scope.zeros(q.rows(), q.cols())?;
        scope.add_at(&mut dq, (0, 0), 1.0, dq1.n())?;
        let mut dw = scope.product(q1, turn.n().right(p))?;
        dw.scale(-1.0);
        if self.has_single_phase(scope) {
            Leads::of(&scope.copy(q.right(p))?, scope)?.turn(&mut dw, scope)?;
        }
        scope.add_at(&mut dq, (0, p), 1.0, dw.n())?;
        let (r2, r12) = (r.block((0, p), (k, rest)), r.block((0, p), (p, rest)));
        scope.add_at(&mut dr, (0, p), 1.0, scope.product(q.left(k).h(), da.right(p))?.n())?;
        scope.add_at(&mut dr, (0, p), 1.0, scope.product(turn.n().left(k), r2)?.n())?;
        let back = turn.n().block((0, p), (p, k - p));
        scope.add_at(&mut dr, (p, p), -1.0, scope.product(back.h(), r12)?.n())?;
        if p < k {
            // A path is smooth only if dependent columns stay so, and others in the space of Q.
            let w = q.block((0, p), (q.rows(), k - p));
            let mut leaves = scope.copy(da.right(p))?;
            scope.add_product(&mut leaves, -1.0, dq1.n(), r12)?;
            let along = scope.product(q1.h(), leaves.n())?;
            scope.add_product(&mut leaves, -1.0, q1, along.n())?;
            let mut within = scope.product(w.h(), leaves.n())?;
            self.clear_dependent(&mut within, 0, p)?;
            scope.add_product(&mut leaves, -1.0, w, within.n())?;
            scope.gauge_dependent::<T>(norm(leaves.value.elements()), norm(scope.copy(da)?.value.elements()))?;
        }
        Ok([dq, dr])
    }

    /// The cotangent of A, those of Q and R being given.
    pub(super) fn vjp(
        &self,
        qb: Option<Op<'_, 'w, T>>,
        rb: Option<Op<'_, 'w, T>>,
        scope: Scope<'w>,
    ) -> Result<Dual<'w, T>, Error> {
        let Factors { q, r, k, p, .. } = *self;
        let (q1, w, r11, rest) = (q.left(p), q.right(p), r.block((0, 0), (p, p)), r.cols() - p);
        let (r2, r12) = (r.block((0, p), (k, rest)), r.block((0, p), (p, rest)));
        let cleared = match rb {
            Some(rb) if p < k => Some(self.determined(rb, scope)?),
            _ => None,
        };
        let rb = cleared.as_ref().map(Dual::n).or(rb);
        let turned = match qb {
            Some(qb) if self.has_single_phase(scope) => Some(self.turned(qb, scope)?),
            _ => None,
        };
        let qb = turned.as_ref().map(Dual::n).or(qb);
        if p < q.cols() {
            self.check_turns(qb, rb, scope)?;
        }
        // Q̄₁ with all that reaches A through Q₁, and M = R₁₁·R̄₁₁ᴴ − Q̄₁ᴴ·Q₁ − R̄₁₂·R₁₂ᴴ.
        let mut q1b = match qb {
            Some(qb) => scope.copy(qb.left(p))?,
            None => scope.zeros(q.rows(), p)?,
        };
        let mut m = scope.zeros(p, p)?;
        if let Some(qb) = qb {
            scope.add_lower_product(&mut m, -1.0, qb.left(p).h(), false, q1)?;
            if p < q.cols() {
                scope.add_product(&mut q1b, -1.0, w, scope.product(qb.right(p).h(), q1)?.n())?;
            }
        }
        let mut right = scope.zeros(q.rows(), rest)?;
        if let Some(rb) = rb {
            scope.add_lower_product(&mut m, 1.0, r11, true, rb.block((0, 0), (p, p)).h())?;
            if rest > 0 {
                let rb2 = rb.block((0, p), (k, rest));
                scope.add_product(&mut right, 1.0, q.left(k), rb2)?;
                let back = scope.product(r2, rb2.block((0, 0), (p, rest)).h())?;
                scope.add_product(&mut q1b, 1.0, q.left(k), back.n())?;
                scope.add(&mut m, -1.0, back.n().block((0, 0), (p, p)).h())?;
                let back = scope.product(rb2.block((p, 0), (k - p, rest)), r12.h())?;
                scope.add_product(&mut q1b, -1.0, w.left(k - p), back.n())?;
            }
        }
        m.transform(mirror);
        scope.add_product(&mut q1b, 1.0, q1, m.n())?;
        let transposed = scope.solve_triangular(r11.h().t(), true, false, q1b.n().t())?;
        if rest == 0 {
            return scope.copy(transposed.t());
        }
        let mut ab = scope.zeros(q.rows(), r.cols())?;
        scope.add_at(&mut ab, (0, 0), 1.0, transposed.t())?;
        scope.add_at(&mut ab, (0, p), 1.0, right.n())?;
        Ok(ab)
    }

    /// Is there a single further column, whose phase is fixed by its leading entry?
    fn has_single_phase(&self, scope: Scope<'w>) -> bool {
        let (m, columns) = (self.q.rows(), self.q.cols());
        let fixed = T::DTYPE.is_complex() && scope.options.phases == Phases::Fixed;
        fixed && self.p == self.k && columns == self.k + 1 && m == columns
    }

    /// Q̄ with what the phase of a single further column adds.
    fn turned(&self, qb: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let n = scope.copy(self.q.right(self.p))?;
        let leads = Leads::of(&n, scope)?;
        let mut along = scope.product(n.h(), qb.right(self.p))?;
        let of_phase = scope.copy(along.n())?;
        let turns = leads.correct(&mut along, of_phase, scope)?;
        let (mut turned, mut change) = (scope.copy(qb)?, scope.zeros(n.rows(), 1)?);
        leads.add(&mut change, &turns, scope)?;
        scope.add_at(&mut turned, (0, self.p), 1.0, change.n())?;
        Ok(turned)
    }

    /// R̄ without that which asks for zeros of dependent columns.
    fn determined(&self, rb: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let mut cleared = scope.copy(rb)?;
        self.clear_dependent(&mut cleared, self.p, 0)?;
        let rest = scope.sum(rb, -1.0, cleared.n())?;
        let rest = rest.n().block((0, 0), (self.k, rb.cols()));
        scope.gauge_dependent::<T>(size(rest, scope)?, size(rb, scope)?)?;
        Ok(cleared)
    }

    /// Is the cotangent the same for all turns of W?
    fn check_turns(&self, qb: Option<Op<'_, 'w, T>>, rb: Option<Op<'_, 'w, T>>, scope: Scope<'w>) -> Result<(), Error> {
        let Factors { q, r, k, p, .. } = *self;
        let (w, rest) = (q.right(p), r.cols() - p);
        let (mut part, mut whole) = (0.0f64, 0.0);
        let mut turn = scope.zeros(w.cols(), w.cols())?;
        if let Some(qb) = qb {
            scope.add_product(&mut turn, 1.0, w.h(), qb.right(p))?;
            whole += size(qb, scope)?;
            if q.cols() < q.rows() {
                let mut outside = scope.copy(qb.right(p))?;
                let inside = scope.product(q.h(), outside.n())?;
                scope.add_product(&mut outside, -1.0, q, inside.n())?;
                part = part.hypot(norm(outside.value.elements()));
            }
        }
        if let Some(rb) = rb {
            let (at, extents) = ((p, p), (k - p, rest));
            let back = scope.product(rb.block(at, extents), r.block(at, extents).h())?;
            scope.add_at(&mut turn, (0, 0), -1.0, back.n())?;
            whole += size(rb, scope)? * size(r, scope)?;
        }
        let antihermitian = scope.sum(turn.n(), -1.0, turn.h())?;
        scope.gauge_dependent::<T>(part.hypot(norm(antihermitian.value.elements()) / 2.0), whole)
    }
}

/// The Frobenius norm.
fn size<'w, T: Element>(x: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<f64, Error> {
    Ok(norm(scope.copy(x)?.value.elements()))
}

/// C becomes T: what is below the diagonal is added, conjugated, to what is above it, and the diagonal becomes real.
fn fold_up<T: Element>(c: &mut Matrix<'_, T>) {
    for j in 0..c.cols() {
        for i in 0..j {
            let below = std::mem::replace(&mut c.col_mut(i)[j], T::ZERO);
            c.col_mut(j)[i] += below.conj();
        }
        c.col_mut(j)[j] = T::from_real(c.col(j)[j].re());
    }
}

/// The adjoint of that: what is below the diagonal takes the place of what is above it, conjugated, and the diagonal
/// becomes real.
fn mirror<T: Element>(m: &mut Matrix<'_, T>) {
    // Tile by tile, since one side runs across the columns.
    const TILE: usize = 16;
    let n = m.cols();
    for (j0, i0) in (0..n).step_by(TILE).flat_map(|j| (0..=j).step_by(TILE).map(move |i| (j, i))) {
        for j in j0..n.min(j0 + TILE) {
            for i in i0..j.min(i0 + TILE) {
                m.col_mut(j)[i] = m.col(i)[j].conj();
            }
        }
    }
    (0..n).for_each(|j| m.col_mut(j)[j] = T::from_real(m.col(j)[j].re()));
}

pub(super) fn jvp<'w, T: Element>(
    q: Op<'_, 'w, T>,
    r: Op<'_, 'w, T>,
    da: Option<Op<'_, 'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None]) };
    Ok(Factors::new(q, r, scope)?.jvp(da, scope)?.map(Some).into())
}

pub(super) fn vjp<'w, T: Element>(
    q: Op<'_, 'w, T>,
    r: Op<'_, 'w, T>,
    qb: Option<Op<'_, 'w, T>>,
    rb: Option<Op<'_, 'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    Ok(vec![Some(Factors::new(q, r, scope)?.vjp(qb, rb, scope)?)])
}

/// The tangent of N, the columns that complete those of A's thin decomposition.
pub(super) fn null_jvp<'w, T: Element>(
    a: Op<'_, 'w, T>,
    n: Op<'_, 'w, T>,
    da: Option<Op<'_, 'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (Some(da), true) = (da, n.cols() > 0) else { return Ok(vec![None]) };
    let [q, r] = completed(a, n, scope)?;
    let [dq, _] = Factors::new(q.n(), r.n(), scope)?.jvp(da, scope)?;
    Ok(vec![Some(scope.copy(dq.n().right(n.rows() - n.cols()))?)])
}

/// The cotangent of A, that of N being given.
pub(super) fn null_vjp<'w, T: Element>(
    a: Op<'_, 'w, T>,
    n: Op<'_, 'w, T>,
    nb: Option<Op<'_, 'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let (Some(nb), true) = (nb, n.cols() > 0) else { return Ok(vec![None]) };
    let [q, r] = completed(a, n, scope)?;
    let mut qb = scope.zeros(q.rows(), q.cols())?;
    scope.add_at(&mut qb, (0, n.rows() - n.cols()), 1.0, nb)?;
    Ok(vec![Some(Factors::new(q.n(), r.n(), scope)?.vjp(Some(qb.n()), None, scope)?)])
}

/// Q with N as its further columns, and R. That R may have any phases on its diagonal does not matter: they are
/// constant.
fn completed<'w, T: Element>(a: Op<'_, 'w, T>, n: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 2], Error> {
    let a = scope.copy(a)?;
    let thin = qr(a.value.as_ref(), false, scope.with)?;
    let (mut thin, mut r) = (Dual::constant(thin.q), Dual::constant(thin.r));
    if let Some(da) = a.tangent {
        let [dq, dr] = Factors::new(thin.n(), r.n(), scope)?.jvp(Dual::constant(da).n(), scope)?;
        (thin.tangent, r.tangent) = (Some(dq.value), Some(dr.value));
    }
    let mut q = scope.zeros(n.rows(), n.rows())?;
    scope.add_at(&mut q, (0, 0), 1.0, thin.n())?;
    scope.add_at(&mut q, (0, n.rows() - n.cols()), 1.0, n)?;
    Ok([q, r])
}
