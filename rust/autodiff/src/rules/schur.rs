//! The Schur decomposition A = Z·T·Zᴴ with triangular T.
//!
//! With M = ZᴴȦZ and antihermitian Ω = ZᴴŻ: Ṫ = M + T·Ω − Ω·T, of which nothing is below the diagonal. With L the part
//! of Ω below the diagonal this is (T·L − L·T)_ij = −M_ij for i > j, a triangular system, and Ω = L − Lᴴ + iθ with the
//! phases θ of `phases.rs`. Reversed, with Y = ZᴴZ̄ + TᴴT̄ − T̄Tᴴ for the upper triangle T̄:
//!
//! ```text
//! Ā = Z·(T̄ − X)·Zᴴ,   (TᴴX − XTᴴ)_ij = (Y − Yᴴ)_ij for i > j.
//! ```
//!
//! Equal values on the diagonal have no derivative but along directions, and for losses, that do not ask for their
//! part. A block of 2×2 on the diagonal of a real T is turned into its standard form by a driver's choice: undefined.

use tensoroxide_dense::{Element, Matrix};

use super::groups::Groups;
use super::phases::Leads;
use super::svd::imaginary;
use super::Slopes;
use crate::dual::{keep_triangle, norm, Dual, Scope};
use crate::{Error, Phases};

/// The systems of a triangular T.
struct Triangular<'a, 'w, T: Element> {
    t: &'a Dual<'w, T>,
    groups: Groups<'w>,
}

impl<'a, 'w, T: Element> Triangular<'a, 'w, T> {
    fn new(t: &'a Dual<'w, T>, scope: Scope<'w>) -> Result<Self, Error> {
        if (1..t.rows()).any(|j| t.value.col(j - 1)[j] != T::ZERO) {
            return Err(Error::Undefined("a real Schur form with a pair of complex eigenvalues"));
        }
        let diagonal = scope.diagonal(t)?;
        Ok(Triangular { t, groups: Groups::of(&diagonal.value, t.rows(), scope)? })
    }

    /// Below the diagonal, where only that of C counts: the X with T·X − X·T = C, or with Tᴴ·X − X·Tᴴ = C there; and
    /// the norm of what C has where there is none.
    fn solve(&self, c: &Dual<'w, T>, adjoint: bool, scope: Scope<'w>) -> Result<(Dual<'w, T>, f64), Error> {
        let apply = |c: &Matrix<'w, T>| -> Result<(Matrix<'w, T>, f64), Error> {
            let mut x = scope.with.copy_of(c.as_ref(), false)?;
            keep_triangle(&mut x, false, true);
            let part = if adjoint { self.backward(&mut x) } else { self.forward(&mut x) };
            Ok((x, part))
        };
        let (value, part) = apply(&c.value)?;
        let mut x = Dual::constant(value);
        let dt = scope.slope(self.t)?;
        if dt.is_some() || c.tangent.is_some() {
            let mut slope = scope.slope(c)?.map_or_else(|| scope.zeros(x.rows(), x.cols()), Ok)?;
            if let Some(dt) = &dt {
                let dt = if adjoint { dt.h() } else { dt.n() };
                scope.add_product(&mut slope, -1.0, dt, x.n())?;
                scope.add_product(&mut slope, 1.0, x.n(), dt)?;
            }
            x.tangent = Some(apply(&slope.value)?.0);
        }
        Ok((x, part))
    }

    /// The quotient by the difference of two values, or the norm of its numerator if they are equal.
    fn quotient(&self, x: T, i: usize, j: usize, conj: bool, part: &mut f64) -> T {
        if self.groups.same(i, j) {
            *part = part.hypot(x.to_c64().norm());
            return T::ZERO;
        }
        let gap = self.t.value.col(i)[i].to_c64() - self.t.value.col(j)[j].to_c64();
        T::from_c64(x.to_c64().fdiv(if conj { gap.conj() } else { gap }))
    }

    /// Column after column, each from the last row up.
    fn forward(&self, x: &mut Matrix<'_, T>) -> f64 {
        let (n, t, mut part) = (x.rows(), &self.t.value, 0.0);
        for j in 0..n {
            for k in 0..j {
                let factor = t.col(j)[k];
                for i in j + 1..n {
                    let known = x.col(k)[i];
                    x.col_mut(j)[i] += known * factor;
                }
            }
            for i in (j + 1..n).rev() {
                let value = self.quotient(x.col(j)[i], i, j, false, &mut part);
                let column = x.col_mut(j);
                column[i] = value;
                column[j + 1..i].iter_mut().zip(&t.col(i)[j + 1..i]).for_each(|(x, t)| *x -= *t * value);
            }
        }
        part
    }

    /// Column before column, each from the first row down.
    fn backward(&self, x: &mut Matrix<'_, T>) -> f64 {
        let (n, t, mut part) = (x.rows(), &self.t.value, 0.0);
        for j in (0..n).rev() {
            for k in j + 1..n {
                let factor = t.col(k)[j].conj();
                for i in k + 1..n {
                    let known = x.col(k)[i];
                    x.col_mut(j)[i] += known * factor;
                }
            }
            for i in j + 1..n {
                let column = x.col_mut(j);
                let sum =
                    t.col(i)[j + 1..i].iter().zip(&column[j + 1..i]).fold(T::ZERO, |sum, (t, x)| sum + t.conj() * *x);
                column[i] = self.quotient(column[i] - sum, i, j, true, &mut part);
            }
        }
        part
    }
}

pub(super) fn jvp<'w, T: Element>(
    t: &Dual<'w, T>,
    z: &Dual<'w, T>,
    da: &Option<Dual<'w, T>>,
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let Some(da) = da else { return Ok(vec![None, None, None]) };
    let mut dt = scope.product(z.h(), scope.product(da.n(), z.n())?.n())?;
    let (mut omega, part) = Triangular::new(t, scope)?.solve(&dt, false, scope)?;
    scope.gauge_dependent::<T>(part, norm(da.value.elements()))?;
    omega.scale(-1.0);
    omega.fold(-1.0);
    let mut dz = scope.product(z.n(), omega.n())?;
    if T::DTYPE.is_complex() && scope.options.phases == Phases::Fixed {
        let turns = Leads::of(z, scope)?.turn(&mut dz, scope)?;
        scope.add_diagonal(&mut omega, 1.0, &turns)?;
    }
    scope.add_product(&mut dt, 1.0, t.n(), omega.n())?;
    scope.add_product(&mut dt, -1.0, omega.n(), t.n())?;
    dt.transform(|dt| keep_triangle(dt, true, false));
    let dw = scope.diagonal(&dt)?;
    Ok(vec![Some(dt), Some(dz), Some(dw)])
}

pub(super) fn vjp<'w, T: Element>(
    t: &Dual<'w, T>,
    z: &Dual<'w, T>,
    yb: &[Option<Dual<'w, T>>],
    scope: Scope<'w>,
) -> Result<Slopes<'w, T>, Error> {
    let n = t.rows();
    let triangular = Triangular::new(t, scope)?;
    let mut tb = match &yb[0] {
        Some(tb) => scope.copy(tb.n())?,
        None => scope.zeros(n, n)?,
    };
    tb.transform(|tb| keep_triangle(tb, true, false));
    if let Some(wb) = &yb[2] {
        scope.add_diagonal(&mut tb, 1.0, wb)?;
    }
    let mut y = scope.product(t.h(), tb.n())?;
    scope.add_product(&mut y, -1.0, tb.n(), t.h())?;
    if let Some(zb) = &yb[1] {
        scope.add_product(&mut y, 1.0, z.h(), zb.n())?;
    }
    let mut part = 0.0f64;
    if T::DTYPE.is_complex() {
        let g = scope.diagonal(&y)?;
        match scope.options.phases {
            Phases::Free => part = imaginary(&g),
            Phases::Fixed => _ = Leads::of(z, scope)?.correct(&mut y, g, scope)?,
        }
    }
    y.fold(-1.0);
    let (x, left_out) = triangular.solve(&y, true, scope)?;
    part = part.hypot(left_out);
    if part > 0.0 {
        let whole = yb[1].as_ref().map_or(0.0, |zb| norm(zb.value.elements()));
        scope.gauge_dependent::<T>(part, whole.hypot(norm(tb.value.elements()) * norm(t.value.elements())))?;
    }
    scope.add(&mut tb, -1.0, x.n())?;
    Ok(vec![Some(scope.product(scope.product(z.n(), tb.n())?.n(), z.h())?)])
}
