//! The phases of complex vectors: the entry that leads a vector, the first of largest modulus, is real and positive,
//! and stays so when the matrix changes.
//!
//! A tangent u̇ that knows nothing of that becomes u̇ + iθ·u with θ = −Im(u̇_l)/u_l for the leading entry l. A loss
//! changes by g·θ with g = Im(uᴴū) (and its like for the vectors that turn with u), so that the cotangent of u gets
//! −i·g/u_l at entry l.

use tensoroxide_dense::{Element, Memory};
use tensoroxide_linalg::leading;
use tensoroxide_tensor::Complex64;

use crate::dual::{Dual, Scope};
use crate::Error;

/// The leading entries of the columns of U.
pub(super) struct Leads<'a, 'w, T: Element> {
    u: &'a Dual<'w, T>,
    at: Memory<'w, usize>,
}

impl<'a, 'w, T: Element> Leads<'a, 'w, T> {
    pub(super) fn of(u: &'a Dual<'w, T>, scope: Scope<'w>) -> Result<Self, Error> {
        let mut at = scope.with.zeros(u.cols())?;
        at.iter_mut().enumerate().for_each(|(j, at)| *at = leading(u.value.col(j)).unwrap_or(0));
        Ok(Leads { u, at })
    }

    /// −i·g/u_l for each column, from the imaginary parts of the elements of a column.
    fn turns(&self, mut g: Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let mut lead = scope.gather(self.u, g.rows(), |j| (self.at[j], j))?;
        lead.real();
        lead.map(|x| [T::ONE / x, -T::ONE / (x * x)]);
        g.linear(|_, _, x| T::from_c64(Complex64::new(0.0, -x.to_c64().im)));
        scope.hadamard(&mut g, &lead)?;
        Ok(g)
    }

    /// Turns a tangent of U so that leading entries stay real; returns iθ.
    pub(super) fn turn(&self, du: &mut Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let turns = self.turns(scope.gather(du, du.cols(), |j| (self.at[j], j))?, scope)?;
        let mut turned = scope.copy(self.u.n())?;
        scope.scale_cols(&mut turned, &turns)?;
        scope.add(du, 1.0, turned.n())?;
        Ok(turns)
    }

    /// What the cotangents of the leading entries get; adds to P = UᴴŪ what that makes of it. `g` has the
    /// phase-dependent parts as imaginary parts.
    pub(super) fn correct(&self, p: &mut Dual<'w, T>, g: Dual<'w, T>, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
        let n = g.rows();
        let turns = self.turns(g, scope)?;
        let mut rows = scope.pick(self.u, (n, n), |i, j| (self.at[j], i))?;
        rows.linear(|_, _, x| x.conj());
        scope.scale_cols(&mut rows, &turns)?;
        scope.add(p, 1.0, rows.n())?;
        Ok(turns)
    }

    /// Adds to Ū what [`Leads::correct`] gave.
    pub(super) fn add(&self, ub: &mut Dual<'w, T>, turns: &Dual<'w, T>, scope: Scope<'w>) -> Result<(), Error> {
        scope.scatter(ub, turns, |j| (self.at[j], j))
    }
}
