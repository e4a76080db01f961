//! Equal values: singular values or eigenvalues that differ by no more than rounding, and what a derivative is there.
//!
//! The vectors of equal values mix freely, so that a smooth function of the matrix cannot depend on the mixture. Terms
//! with the reciprocal of a difference of equal values then have vanishing numerators; they are dropped, and numerators
//! that do not vanish are reported. What is left of such a term in the limit of equal values is a Hermitian matrix H on
//! the space of the vectors. The cotangents x̄ of the values are its diagonal; let B be the Hermitian part of UᴴŪ +
//! VᴴV̄ (or of VᴴV̄) there.
//!
//! - A loss that knows the values by symmetric functions, and the vectors by the space that they span, has H = c·1: the
//!   cotangents of equal values are equal.
//! - A loss of U·f(S)·Vᴴ (or V·f(w)·Vᴴ) has H = f′/(2f)·B, since Ū = N·f and V̄ = Nᴴ·f in the basis of the vectors, so
//!   that B = f·(N + Nᴴ), and H = f′·(N + Nᴴ)/2. Its factor is known where the diagonals of both are proportional.
//! - A loss with both terms is known from three equal values on, where c and the factor are overdetermined.
//!
//! Where none of these fits, or two fit and differ, the loss depends on the mixture, or is not known from its
//! cotangents: reported.

use tensoroxide_dense::{Element, Matrix, Memory};
use tensoroxide_tensor::Real;

use crate::dual::{norm, real, Dual, Scope};
use crate::Error;

/// Which of a list of values are equal.
pub(super) struct Groups<'w> {
    /// Of each value, the position of the first that is equal to it, through others perhaps.
    first: Memory<'w, usize>,
    /// Values that differ by no more are equal.
    pub(super) slack: f64,
    /// The largest modulus.
    pub(super) unit: f64,
    /// Whether two are equal.
    pub(super) any: bool,
}

impl<'w> Groups<'w> {
    /// Of the values of a matrix of size `n`.
    pub(super) fn of<T: Element>(values: &Matrix<'_, T>, n: usize, scope: Scope<'w>) -> Result<Self, Error> {
        let values = values.elements();
        let unit = values.iter().map(|x| x.to_c64().norm()).fold(0.0, f64::max);
        let slack = scope.options.degeneracy::<T>(n) * unit;
        let mut groups = Groups { first: scope.with.zeros(values.len())?, slack, unit, any: false };
        for (i, x) in values.iter().enumerate() {
            let equal = |j: &usize| {
                let difference = *x - values[*j];
                difference.re().to_f64().abs() + difference.im().to_f64().abs() <= slack
            };
            groups.first[i] = match (0..i).rev().find(equal) {
                Some(j) => groups.first[j],
                None => i,
            };
            groups.any |= groups.first[i] != i;
        }
        Ok(groups)
    }

    pub(super) fn same(&self, i: usize, j: usize) -> bool {
        self.first[i] == self.first[j]
    }

    /// The norm of what X has between different members of groups; members with numbers from `end` on do not count.
    pub(super) fn between<T: Element>(&self, x: &Matrix<'_, T>, end: usize) -> f64 {
        if !self.any {
            return 0.0;
        }
        size(x, |i, j| i != j && i.max(j) < end && self.same(i, j))
    }

    /// The same of the antihermitian part of X.
    pub(super) fn antihermitian_between<T: Element>(&self, x: &Matrix<'_, T>) -> f64 {
        if !self.any {
            return 0.0;
        }
        let mut norm = 0.0f64;
        for (i, j) in (0..x.cols()).flat_map(|j| (0..x.cols()).map(move |i| (i, j))) {
            if i != j && self.same(i, j) {
                norm = norm.hypot((x.col(j)[i] - x.col(i)[j].conj()).to_c64().norm() / 2.0);
            }
        }
        norm
    }

    /// A second derivative at equal values needs more than the first derivatives, but for losses that do not depend on
    /// the vectors of a group and depend on its values alike. Refuses all others: `blocks` are P and Q, `xb` the
    /// cotangents of the values.
    pub(super) fn refuse_second<T: Element>(
        &self,
        w: &Dual<'_, T>,
        blocks: &[Option<&Dual<'_, T>>],
        xb: Option<&Dual<'_, T>>,
        scope: Scope<'w>,
    ) -> Result<(), Error> {
        let all = || blocks.iter().copied().chain([xb, Some(w)]).flatten();
        if !self.any || all().all(|x| x.tangent.is_none()) {
            return Ok(());
        }
        let uneven = |x: &Matrix<'_, T>| {
            let (x, first) = (x.elements(), |i: usize| x.elements()[self.first[i]]);
            let tolerance = scope.options.gauge_tolerance::<T>() * norm(x);
            x.iter().enumerate().any(|(i, x)| (*x - first(i)).to_c64().norm() > tolerance)
        };
        let mixes = |x: &Matrix<'_, T>| {
            size(x, |i, j| (0..self.first.len()).any(|k| k != i && self.same(i, k)) && self.same(i, j)) > 0.0
        };
        let either =
            |x: &Dual<'_, T>, f: &dyn Fn(&Matrix<'_, T>) -> bool| f(&x.value) || x.tangent.as_ref().is_some_and(f);
        match blocks.iter().flatten().any(|x| either(x, &mixes)) || xb.is_some_and(|x| either(x, &uneven)) {
            true => Err(Error::Undefined("a second derivative at equal values does not follow from the first ones")),
            false => Ok(()),
        }
    }

    /// Adds H to M: the cotangents of the values on the diagonal, and what the head of this file says for equal ones.
    /// Values with numbers from `end` on are left out. Returns the norm of what depends on the gauge, in units of a
    /// cotangent of vectors, `whole` being that of the whole.
    pub(super) fn add_values<T: Element>(
        &self,
        m: &mut Dual<'w, T>,
        xb: &Dual<'_, T>,
        block: Option<&Dual<'_, T>>,
        (end, whole): (usize, f64),
        scope: Scope<'w>,
    ) -> Result<f64, Error> {
        scope.add_diagonal(m, 1.0, xb)?;
        let tolerance = scope.options.gauge_tolerance::<T>() * whole;
        let mut part = 0.0f64;
        for g in (0..end).filter(|&g| self.any && self.first[g] == g) {
            let members: Vec<usize> = (g..end).filter(|&i| self.first[i] == g).collect();
            if members.len() == 1 {
                continue;
            }
            let xb = |i: usize| xb.value.col(0)[i].re();
            let b = |i: usize, j: usize| block.map_or(T::ZERO, |b| b.value.col(j)[i]);
            let values: Vec<f64> = members.iter().map(|&i| xb(i).to_f64() * self.unit).collect();
            let diagonal: Vec<f64> = members.iter().map(|&i| b(i, i).re().to_f64()).collect();
            let off = block.map_or(0.0, |b| size(&b.value, |i, j| i != j && self.first[i] == g && self.first[j] == g));
            let (constant, factor, left_out) = fit(&values, &diagonal, off, tolerance);
            part = part.hypot(left_out);
            for &j in &members {
                for &i in &members {
                    let h = b(i, j).scale(real::<T>(factor / self.unit));
                    m.value.col_mut(j)[i] += match i == j {
                        true => h + T::from_real(real::<T>(constant / self.unit) - xb(i)),
                        false => h,
                    };
                }
            }
        }
        Ok(part)
    }
}

/// The constant c and the factor ρ of H = c·1 + ρ·B from the diagonals of H and B and the norm of the rest of B; and
/// the norm of what does not fit, if that is not below the tolerance.
fn fit(h: &[f64], b: &[f64], off: f64, tolerance: f64) -> (f64, f64, f64) {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let minus =
        |x: &[f64], factor: f64, y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x - factor * y).collect() };
    let norm = |x: &[f64]| dot(x, x).sqrt();
    let (c, mean_b) = (mean(h), mean(b));
    let ones = vec![1.0; h.len()];
    let (dh, db) = (minus(h, c, &ones), minus(b, mean_b, &ones));
    if norm(&dh) <= tolerance {
        // Of a constant diagonal both explanations may fit; they agree if one of the factors is 0 then.
        let two = norm(&db) <= tolerance && (c.abs() <= tolerance) == (mean_b.abs() <= tolerance);
        return (c, 0.0, if two && off > tolerance { off } else { 0.0 });
    }
    if norm(b) > tolerance {
        let factor = dot(h, b) / dot(b, b);
        if norm(&minus(h, factor, b)) <= tolerance {
            return (0.0, factor, 0.0);
        }
    }
    if h.len() > 2 && norm(&db) > tolerance {
        let factor = dot(&dh, &db) / dot(&db, &db);
        if norm(&minus(&dh, factor, &db)) <= tolerance {
            return (c - factor * mean_b, factor, 0.0);
        }
    }
    (c, 0.0, norm(&dh))
}

/// The norm of some elements.
pub(super) fn size<T: Element>(x: &Matrix<'_, T>, some: impl Fn(usize, usize) -> bool) -> f64 {
    let mut norm = 0.0f64;
    for j in 0..x.cols() {
        x.col(j)
            .iter()
            .enumerate()
            .filter(|(i, _)| some(*i, j))
            .for_each(|(_, x)| norm = norm.hypot(x.to_c64().norm()));
    }
    norm
}

/// For i ≤ j and the weights [a, b] of such a pair, the matrix of P↓_ij·a + Q↓_ij·b at (i, j) and of P↓_ij*·b +
/// Q↓_ij*·a at (j, i), where X↓ = (X − Xᴴ)/2: what antihermitian parts become when those of P + Q are multiplied by the
/// antisymmetric (a + b)/2, and those of P − Q by the symmetric (a − b)/2. `slopes` are the tangents of the weights, if
/// they have any. In one pass, since next to the products of a rule the passes over matrices count.
pub(super) fn antihermitian<'w, T: Element>(
    n: usize,
    [p, q]: [Option<&Dual<'w, T>>; 2],
    weights: impl Fn(usize, usize) -> [f64; 2],
    slopes: Option<&dyn Fn(usize, usize) -> [f64; 2]>,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let pass = |p: Option<&Matrix<'w, T>>, q: Option<&Matrix<'w, T>>, weights: &dyn Fn(usize, usize) -> [f64; 2]| {
        let mut m = scope.with.matrix::<T>(n, n)?;
        let to = m.elements_mut();
        for j in 0..n {
            for i in 0..=j {
                let [a, b] = weights(i, j).map(|weight| real::<T>(weight / 2.0));
                let twice = |x: Option<&Matrix<'w, T>>| {
                    x.map_or(T::ZERO, |x| x.elements()[i + n * j] - x.elements()[j + n * i].conj())
                };
                let (p, q) = (twice(p), twice(q));
                to[i + n * j] = p.scale(a) + q.scale(b);
                if i < j {
                    to[j + n * i] = (p.scale(b) + q.scale(a)).conj();
                }
            }
        }
        Ok::<_, Error>(Dual::constant(m))
    };
    let values = [p, q].map(|x| x.map(|x| &x.value));
    let mut m = pass(values[0], values[1], &weights)?;
    let tangents = [p, q].map(|x| x.and_then(|x| x.tangent.as_ref()));
    if tangents.iter().any(Option::is_some) {
        let [p, q] = tangents;
        scope.add_slope(&mut m, 1.0, &pass(p, q, &weights)?)?;
    }
    if let Some(slopes) = slopes {
        scope.add_slope(&mut m, 1.0, &pass(values[0], values[1], slopes)?)?;
    }
    Ok(m)
}

/// The matrix of alpha/(w_j + sign·w_i) for real values w, with zeros where `skip` says so.
pub(super) fn reciprocals<'w, T: Element>(
    w: &Dual<'_, T>,
    (alpha, sign): (f64, f64),
    skip: impl Fn(usize, usize) -> bool,
    scope: Scope<'w>,
) -> Result<Dual<'w, T>, Error> {
    let n = w.rows();
    let (alpha, sign) = (real::<T>(alpha), real::<T>(sign));
    let mut c = scope.zeros(n, n)?;
    let values = w.value.elements();
    for j in 0..n {
        for (i, c) in c.value.col_mut(j).iter_mut().enumerate() {
            if !skip(i, j) {
                *c = T::from_real(alpha / (values[j].re() + sign * values[i].re()));
            }
        }
    }
    if let Some(slopes) = &w.tangent {
        let slopes = slopes.elements();
        let mut tangent = scope.with.matrix::<T>(n, n)?;
        for j in 0..n {
            for (i, (to, c)) in tangent.col_mut(j).iter_mut().zip(c.value.col(j)).enumerate() {
                *to = -(*c * *c).scale((slopes[j].re() + sign * slopes[i].re()) / alpha);
            }
        }
        c.tangent = Some(tangent);
    }
    Ok(c)
}

/// The column of alpha/w for real values w, with zeros from the one with the number `end` on.
pub(super) fn inverses<'w, T: Element>(w: &Dual<'w, T>, end: usize, scope: Scope<'w>) -> Result<Dual<'w, T>, Error> {
    let mut c = scope.copy(w.n())?;
    for i in 0..w.rows() {
        let value = if i < end { T::ONE / w.value.elements()[i] } else { T::ZERO };
        c.value.elements_mut()[i] = value;
        if let Some(tangent) = &mut c.tangent {
            tangent.elements_mut()[i] *= -(value * value);
        }
    }
    Ok(c)
}
