//! Gaussian elimination, B = L·U for B = A with its rows in the order p, and its columns, with complete pivoting, in
//! the order q. The orders are constant, as long as no two pivots are equal.
//!
//! In blocks, after p pivots that are not zero, L = (L₁₁ 0; L₂₁ L₂₂) and U = (U₁₁ U₁₂; 0 U₂₂). With C =
//! L₁₁⁻¹·dB₁₁·U₁₁⁻¹, Φ its part below the diagonal and Ψ the rest (Walter and Lehmann, arXiv:1009.6112; for rectangular
//! matrices as in arXiv:2009.10071),
//!
//! dL₁₁ = L₁₁·Φ, dU₁₁ = Ψ·U₁₁, dL₂₁ = dB₂₁·U₁₁⁻¹ − L₂₁·Ψ, dU₁₂ = L₁₁⁻¹·dB₁₂ − Φ·U₁₂.
//!
//! A zero pivot ends this: L₂₂ and U₂₂ jump in its neighbourhood. But if it is in the last row, L₂₂ = 1 and
//! dU₂₂ = dB₂₂ − dL₂₁·U₁₂ − L₂₁·dU₁₂, so that a singular square matrix may have all its derivatives.

use tensoroxide_dense::Element;
use tensoroxide_tensor::Real;

use super::{inverse, places, Slopes};
use crate::dual::{keep_triangle, norm, Dual, Op, Scope};
use crate::Error;

/// The blocks of an elimination.
struct Blocks<'a, 'w, T: Element> {
    l11: Op<'a, 'w, T>,
    l21: Op<'a, 'w, T>,
    u11: Op<'a, 'w, T>,
    u12: Op<'a, 'w, T>,
    m: usize,
    n: usize,
    /// The number of leading pivots that are not zero.
    p: usize,
}

impl<'a, 'w, T: Element> Blocks<'a, 'w, T> {
    fn new(l: &'a Dual<'w, T>, u: &'a Dual<'w, T>, scope: Scope<'w>) -> Self {
        let (m, n) = (l.rows(), u.cols());
        // A pivot is as uncertain as the column in which it is found.
        let tolerance = scope.options.degeneracy::<T>(m.max(n));
        let modulus = |j: usize| u.value.col(j)[j].abs().to_f64();
        let is_zero = |&j: &usize| modulus(j) <= tolerance * norm(&u.value.col(j)[..j + 1]);
        let p = (0..u.rows()).find(is_zero).unwrap_or(u.rows());
        Blocks {
            l11: l.n().block((0, 0), (p, p)),
            l21: l.n().block((p, 0), (m - p, p)),
            u11: u.n().block((0, 0), (p, p)),
            u12: u.n().block((0, p), (p, n - p)),
            m,
            n,
            p,
        }
    }

    /// Is there a zero pivot that leaves U₂₂, one row, determined?
    fn ends_in_last_row(&self) -> bool {
        self.p + 1 == self.m && self.n > self.p
    }

    /// Is there a zero pivot that leaves L₂₂ and U₂₂ undetermined?
    fn ends_early(&self) -> bool {
        self.p + 1 < self.m && self.n > self.p
    }

    fn jvp(&self, db: Op<'_, 'w, T>, scope: Scope<'w>) -> Result<[Dual<'w, T>; 2], Error> {
        let &Blocks { l11, l21, u11, u12, m, n, p } = self;
        let k = m.min(n);
        let (right, below) = ((0, p), (p, 0));
        // X·U₁₁⁻¹ is got as (U₁₁ᵀ)⁻¹·Xᵀ, transposed.
        let left = scope.solve_triangular(l11, false, true, db.block((0, 0), (p, p)))?;
        let c = scope.solve_triangular(u11.t(), false, false, left.n().t())?;
        let (mut phi, mut psi) = (scope.copy(c.n().t())?, scope.copy(c.n().t())?);
        phi.transform(|x| keep_triangle(x, false, true));
        psi.transform(|x| keep_triangle(x, true, false));
        let transposed = scope.solve_triangular(u11.t(), false, false, db.block(below, (m - p, p)).t())?;
        let mut dl21 = scope.copy(transposed.n().t())?;
        scope.add_product(&mut dl21, -1.0, l21, psi.n())?;
        let mut du12 = scope.solve_triangular(l11, false, true, db.block(right, (p, n - p)))?;
        scope.add_product(&mut du12, -1.0, phi.n(), u12)?;
        let (mut dl, mut du) = (scope.zeros(m, k)?, scope.zeros(k, n)?);
        scope.add(&mut dl, 1.0, scope.product(l11, phi.n())?.n())?;
        scope.add_at(&mut dl, below, 1.0, dl21.n())?;
        scope.add(&mut du, 1.0, scope.product(psi.n(), u11)?.n())?;
        scope.add_at(&mut du, right, 1.0, du12.n())?;
        if p < k {
            let mut ds = scope.copy(db.block((p, p), (m - p, n - p)))?;
            scope.add_product(&mut ds, -1.0, dl21.n(), u12)?;
            scope.add_product(&mut ds, -1.0, l21, du12.n())?;
            if self.ends_in_last_row() {
                scope.add_at(&mut du, (p, p), 1.0, ds.n())?;
            } else {
                let whole = norm(scope.copy(db)?.value.elements());
                scope.gauge_dependent::<T>(norm(ds.value.elements()), whole)?;
            }
        }
        Ok([dl, du])
    }

    fn vjp(&self, lb: &Option<Dual<'w, T>>, ub: &Option<Dual<'w, T>>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let &Blocks { l11, l21, u11, u12, m, n, p } = self;
        let block = |x: &Option<Dual<'w, T>>, at: (usize, usize), extents: (usize, usize)| match x {
            Some(x) => scope.copy(x.n().block(at, extents)),
            None => scope.zeros(extents.0, extents.1),
        };
        let (right, below) = ((0, p), (p, 0));
        let (mut lb21, mut ub12) = (block(lb, below, (m - p, p))?, block(ub, right, (p, n - p))?);
        let mut bb = scope.zeros(m, n)?;
        if self.ends_in_last_row() {
            let ub22 = block(ub, (p, p), (1, n - p))?;
            scope.add_at(&mut bb, (p, p), 1.0, ub22.n())?;
            scope.add_product(&mut lb21, -1.0, ub22.n(), u12.h())?;
            scope.add_product(&mut ub12, -1.0, l21.h(), ub22.n())?;
        } else if self.ends_early() {
            let k = m.min(n);
            for (x, extents) in [(lb, (m - p, k - p)), (ub, (k - p, n - p))] {
                let mut rest = block(x, (p, p), extents)?;
                // Of L the part below the diagonal counts, of U the other.
                let is_l = std::ptr::eq(x, lb);
                rest.transform(|x| keep_triangle(x, !is_l, is_l));
                let whole = x.as_ref().map_or(0.0, |x| norm(x.value.elements()));
                scope.gauge_dependent::<T>(norm(rest.value.elements()), whole)?;
            }
        }
        // Of Φ and of Ψ.
        let mut phi = scope.product(l11.h(), block(lb, (0, 0), (p, p))?.n())?;
        scope.add_product(&mut phi, -1.0, ub12.n(), u12.h())?;
        phi.transform(|x| keep_triangle(x, false, true));
        let mut psi = scope.product(block(ub, (0, 0), (p, p))?.n(), u11.h())?;
        scope.add_product(&mut psi, -1.0, l21.h(), lb21.n())?;
        psi.transform(|x| keep_triangle(x, true, false));
        scope.add(&mut phi, 1.0, psi.n())?;
        let left = scope.solve_triangular(l11.h(), true, true, &phi)?;
        // X·U₁₁⁻ᴴ is got as the transpose of conj(U₁₁)⁻¹·Xᵀ.
        let transposed = scope.solve_triangular(u11.h().t(), true, false, left.n().t())?;
        scope.add(&mut bb, 1.0, transposed.n().t())?;
        let transposed = scope.solve_triangular(u11.h().t(), true, false, lb21.n().t())?;
        scope.add_at(&mut bb, below, 1.0, transposed.n().t())?;
        let solved = scope.solve_triangular(l11.h(), true, true, &ub12)?;
        scope.add_at(&mut bb, right, 1.0, solved.n())?;
        Ok(bb)
    }
}

/// `y` holds L, U, the order of the rows, and with complete pivoting that of the columns.
pub(super) fn jvp<'w, T: Element>(
    y: &[Dual<'w, T>],
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let mut slopes: Slopes<'w, T> = y.iter().map(|_| None).collect();
    if let Some(da) = da {
        let rows = places(&y[2], scope)?;
        let columns = y.get(3).map(|q| places(q, scope)).transpose()?;
        let db = scope.rearranged(da.n(), |i| rows[i], |j| columns.as_ref().map_or(j, |q| q[j]))?;
        let [dl, du] = Blocks::new(&y[0], &y[1], scope).jvp(db.n(), scope)?;
        (slopes[0], slopes[1]) = (Some(dl), Some(du));
    }
    Ok(slopes)
}

pub(super) fn vjp<'w, T: Element>(
    y: &[Dual<'w, T>],
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let rows = inverse(&places(&y[2], scope)?, scope)?;
    let columns = y.get(3).map(|q| inverse(&places(q, scope)?, scope)).transpose()?;
    let bb = Blocks::new(&y[0], &y[1], scope).vjp(&yb[0], &yb[1], scope)?;
    Ok(vec![Some(scope.rearranged(bb.n(), |i| rows[i], |j| columns.as_ref().map_or(j, |q| q[j]))?)])
}
