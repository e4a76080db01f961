//! exp(t·A)·x for a Hermitian map: Lanczos with adaptive time steps.
//!
//! A step of length τ takes exp(τ·H) of the projected map (Saad, SIAM J. Numer. Anal. 29, 209 (1992)). What it misses
//! is an integral over the rate at which the exact flow leaves the Krylov space (Hochbruck and Lubich, SIAM J. Numer.
//! Anal. 34, 1911 (1997)); its estimate says how long a step may be (Niesen and Wright, ACM Trans. Math. Softw. 38,
//! 22 (2012)).

use tensoroxide_dense::Element;
use tensoroxide_tensor::{Complex64, Real, Scalar};

use crate::basis::{norm, start_norm, Basis};
use crate::lanczos::{check_arguments, State, ROUNDING};
use crate::projected::Projected;
use crate::{ConvergenceInfo, Error, Solver, Step};

/// What is asked of [`Exponential`].
#[derive(Clone, Copy, Debug)]
pub struct Exponentiate {
    /// The factor of the map in the exponent, the time; for real vectors a real number.
    pub t: Complex64,
    /// The most vectors of a Krylov space.
    pub krylovdim: usize,
    /// The most time steps. The last one goes to the end, whatever its error.
    pub maxiter: usize,
    /// The error that is allowed for each unit of time, or what rounding makes inevitable.
    pub tol: f64,
    /// Look at the error after every application and not only when the space is full.
    pub eager: bool,
}

impl Default for Exponentiate {
    /// exp(A)·x, to 1e-12.
    fn default() -> Exponentiate {
        Exponentiate { t: Complex64::ONE, krylovdim: 30, maxiter: 100, tol: 1e-12, eager: false }
    }
}

/// Points at which the integral of the error is sampled.
const SAMPLES: usize = 16;

/// The exponential of a Hermitian map, applied to a vector.
///
/// ```
/// use tensoroxide_krylov::{solve, Error, Exponential, Exponentiate};
/// let mut exponential = Exponential::<f64>::default();
/// exponential.start(2, Exponentiate::default())?.copy_from_slice(&[1.0, 0.0]);
/// solve(&mut exponential, |x: &[f64], y: &mut [f64]| {
///     (y[0], y[1]) = (x[1], x[0]);
///     Ok::<(), Error>(())
/// })?;
/// assert!((exponential.result()[0] - 1f64.cosh()).abs() < 1e-14);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Exponential<T: Element> {
    options: Exponentiate,
    n: usize,
    dimension: usize,
    basis: Basis<T>,
    projected: Projected<T>,
    state: State,
    at: usize,
    scale: T::Real,
    /// The norm of what column 0 stands for.
    size: T::Real,
    /// What is left of |t|.
    left: f64,
    coefficients: Vec<T>,
    error: f64,
    info: ConvergenceInfo,
}

impl<T: Element> Default for Exponential<T> {
    /// Without any memory; [`Exponential::start`] takes it.
    fn default() -> Exponential<T> {
        Exponential {
            options: Exponentiate::default(),
            n: 0,
            dimension: 0,
            basis: Basis::default(),
            projected: Projected::default(),
            state: State::Ended,
            at: 0,
            scale: <T::Real as Scalar>::ZERO,
            size: <T::Real as Scalar>::ZERO,
            left: 0.0,
            coefficients: Vec::new(),
            error: 0.0,
            info: ConvergenceInfo::default(),
        }
    }
}

impl<T: Element> Exponential<T> {
    /// Begins a problem in vectors of n elements, and hands out x to be filled.
    ///
    /// # Errors
    /// [`Error::Argument`], [`Error::Memory`].
    pub fn start(&mut self, n: usize, options: Exponentiate) -> Result<&mut [T], Error> {
        self.state = State::Ended;
        let Exponentiate { t, krylovdim, maxiter, tol, .. } = options;
        check_arguments(n, krylovdim, maxiter, &[tol])?;
        if !t.is_finite() || !T::DTYPE.is_complex() && t.im != 0.0 {
            return Err(Error::Argument(format!("t = {t} is no time for vectors of {}", T::DTYPE)));
        }
        let dimension = krylovdim.min(n);
        self.basis.resize(n, dimension + 1)?;
        self.projected.clear(dimension);
        (self.options, self.n, self.dimension) = (options, n, dimension);
        (self.at, self.error, self.left) = (0, 0.0, t.norm());
        self.scale = <T::Real as Scalar>::ZERO;
        self.info = ConvergenceInfo { converged: 1, ..ConvergenceInfo::default() };
        self.state = State::Begun;
        Ok(self.basis.col_mut(0))
    }

    /// How it went: `converged` is 1 if every time step has kept the tolerance, else 0; `numiter` counts the steps.
    pub fn info(&self) -> ConvergenceInfo {
        self.info
    }

    /// exp(t·A)·x.
    pub fn result(&self) -> &[T] {
        self.basis.col(0)
    }

    /// The estimate of the result's error: the sum over the time steps.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// t/|t|.
    fn direction(&self) -> Complex64 {
        self.options.t / self.options.t.norm()
    }

    /// The sum over the projected map's eigenvectors of (i-th component)·(first component)*·exp(τ·λ).
    fn flow(&self, i: usize, tau: f64) -> Complex64 {
        let direction = self.direction() * tau;
        let values = self.projected.values().iter().enumerate();
        let part = |(j, value): (usize, &T::Real)| {
            let vector = self.projected.vector(j);
            vector[i].to_c64() * vector[0].to_c64().conj() * (direction * value.to_f64()).exp()
        };
        values.map(part).sum()
    }

    /// Norm of the part that a step of length τ misses, if the residue behind the k vectors has this norm.
    fn missed(&self, k: usize, residue: f64, tau: f64) -> f64 {
        if residue == 0.0 {
            return 0.0;
        }
        // What leaves the space at time s grows until τ at most as the whole flow does.
        let direction = self.direction();
        let growth = self.projected.values().iter().map(|value| (direction * value.to_f64()).re);
        let growth = growth.fold(f64::NEG_INFINITY, f64::max);
        let rate = |sample: usize| {
            let s = tau * (sample as f64 + 0.5) / SAMPLES as f64;
            self.flow(k - 1, s).norm() * ((tau - s) * growth).exp()
        };
        let missed = self.size.to_f64() * residue * tau / SAMPLES as f64 * (0..SAMPLES).map(rate).sum::<f64>();
        // What overflows is too large.
        if missed.is_nan() {
            f64::INFINITY
        } else {
            missed
        }
    }

    /// The error that a step of length τ may have: what was asked for, or what rounding does.
    fn allowed(&self, tau: f64) -> f64 {
        let eps = T::Real::EPSILON.to_f64();
        let rounding = ROUNDING * eps * self.size.to_f64() * (1.0 + tau * self.scale.to_f64());
        (self.options.tol * tau).max(rounding)
    }

    /// Takes in what the map made of vector `at`; whether that is the end.
    fn absorb(&mut self) -> Result<bool, Error> {
        let (j, k) = (self.at, self.at + 1);
        self.info.numops += 1;
        let (before, residue) = self.basis.orthogonalise(k, self.projected.column_mut(j))?;
        self.scale = self.scale.max(before);
        self.projected.check(j, self.scale)?;
        let rounding = self.scale * T::Real::EPSILON * T::Real::from_f64(ROUNDING);
        let invariant = residue <= rounding || k == self.n;
        let full = k == self.dimension;
        if invariant || full || self.options.eager {
            self.projected.eigh(k)?;
            let residue = if invariant { 0.0 } else { residue.to_f64() };
            let mut tau = self.left;
            let mut missed = self.missed(k, residue, tau);
            let last = self.info.numiter + 1 >= self.options.maxiter;
            if full && !last {
                // The error goes with the k-th power of the time; the bound with the first.
                while missed > self.allowed(tau) {
                    let wanted = (self.allowed(tau) / missed).powf(1.0 / k as f64);
                    tau *= (0.9 * wanted).clamp(0.1, 0.9);
                    if tau <= self.left * 1e-12 {
                        break;
                    }
                    missed = self.missed(k, residue, tau);
                }
            }
            let kept = missed <= self.allowed(tau);
            if kept || full {
                self.info.converged &= usize::from(kept);
                self.error += missed;
                return self.advance(k, tau);
            }
        }
        self.projected.expect(k, j, T::from_real(residue));
        self.basis.normalise(k, residue);
        self.at = k;
        Ok(false)
    }

    /// Goes on by the time τ; whether that was all.
    fn advance(&mut self, k: usize, tau: f64) -> Result<bool, Error> {
        self.coefficients.clear();
        for i in 0..k {
            let coefficient = T::from_c64(self.flow(i, tau));
            self.coefficients.push(coefficient);
        }
        let grown = norm(&self.coefficients) * self.size;
        if !grown.is_finite() {
            return Err(Error::NotFinite("the exponential"));
        }
        self.basis.combine(k, &self.coefficients)?;
        self.info.numiter += 1;
        let ended = tau >= self.left;
        self.left -= tau;
        let size = norm(self.basis.col(0));
        if ended || size == <T::Real as Scalar>::ZERO {
            let factor = self.size;
            self.basis.col_mut(0).iter_mut().for_each(|x| *x = x.scale(factor));
            return Ok(true);
        }
        self.basis.normalise(0, size);
        self.size *= size;
        self.projected.clear(self.dimension);
        self.at = 0;
        Ok(false)
    }
}

impl<T: Element> Solver<T> for Exponential<T> {
    fn next(&mut self) -> Result<Step<'_, T>, Error> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Ok(Step::Done),
            State::Begun => {
                self.size = start_norm(self.basis.col(0))?;
                if self.size == <T::Real as Scalar>::ZERO || self.left == 0.0 {
                    return Ok(Step::Done);
                }
                self.basis.normalise(0, self.size);
            }
            State::Applied => {
                if self.absorb()? {
                    return Ok(Step::Done);
                }
            }
        }
        self.state = State::Applied;
        let (x, y) = self.basis.pair(self.at, self.at + 1);
        Ok(Step::Apply { x, y })
    }
}
