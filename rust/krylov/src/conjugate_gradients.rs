//! Linear systems with a Hermitian positive definite operator: conjugate gradients.
//!
//! Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952). The residual that the recursion carries along
//! drifts away from the true one, so that this is computed at the end; if it is still too large, the search starts
//! again from there.

use tensoroxide_dense::Element;
use tensoroxide_tensor::{Real, Scalar};

use crate::basis::{axpby, dot, norm, start_norm, Basis};
use crate::{ConvergenceInfo, Error, Linsolve, Solver, Step};

/// Solves (a₀ + a₁·A)·x = b where a₀ + a₁·A is Hermitian and positive definite. At most krylovdim·maxiter iterations.
///
/// ```
/// use tensoroxide_krylov::{solve, ConjugateGradients, Error, Linsolve};
/// let mut gradients = ConjugateGradients::<f64>::default();
/// let (x, b) = gradients.start(2, Linsolve::default())?;
/// x.fill(0.0);
/// b.copy_from_slice(&[3.0, 3.0]);
/// solve(&mut gradients, |x: &[f64], y: &mut [f64]| {
///     (y[0], y[1]) = (2.0 * x[0] + x[1], x[0] + 2.0 * x[1]);
///     Ok::<(), Error>(())
/// })?;
/// assert!(gradients.solution().iter().all(|x| (x - 1.0).abs() < 1e-14));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct ConjugateGradients<T: Element> {
    options: Linsolve,
    /// x, then b.
    given: Basis<T>,
    /// The residual, the direction, and what the operator makes of the direction.
    vectors: Basis<T>,
    state: State,
    goal: f64,
    /// The norm of the residual.
    normres: T::Real,
    /// The same when it was last computed from x.
    from_x: T::Real,
    info: ConvergenceInfo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    Residual,
    Applied,
    Ended,
}

const R: usize = 0;
const P: usize = 1;
const AP: usize = 2;

impl<T: Element> Default for ConjugateGradients<T> {
    /// Without any memory; [`ConjugateGradients::start`] takes it.
    fn default() -> ConjugateGradients<T> {
        let zero = <T::Real as Scalar>::ZERO;
        ConjugateGradients {
            options: Linsolve::default(),
            given: Basis::default(),
            vectors: Basis::default(),
            state: State::Ended,
            goal: 0.0,
            normres: zero,
            from_x: zero,
            info: ConvergenceInfo::default(),
        }
    }
}

impl<T: Element> ConjugateGradients<T> {
    /// Begins a problem in vectors of n elements, and hands out the first guess x and the right-hand side b to be
    /// filled.
    ///
    /// # Errors
    /// [`Error::Argument`], [`Error::Memory`].
    pub fn start(&mut self, n: usize, options: Linsolve) -> Result<(&mut [T], &mut [T]), Error> {
        self.state = State::Ended;
        options.check::<T>(n)?;
        self.given.resize(n, 2)?;
        self.vectors.resize(n, 3)?;
        self.options = options;
        (self.normres, self.from_x) = (T::Real::MAX, T::Real::MAX);
        self.info = ConvergenceInfo::default();
        self.state = State::Begun;
        Ok(self.given.pair_mut())
    }

    /// How it went: `converged` is 1 if the residual has reached the tolerance, else 0.
    pub fn info(&self) -> ConvergenceInfo {
        self.info
    }

    /// x, the best that was found.
    pub fn solution(&self) -> &[T] {
        self.given.col(0)
    }

    /// b − (a₀ + a₁·A)·x.
    pub fn residual(&self) -> &[T] {
        self.vectors.col(R)
    }

    /// The norm of the residual.
    pub fn normres(&self) -> T::Real {
        self.normres
    }

    fn ask_for_residual(&mut self) -> Step<'_, T> {
        self.state = State::Residual;
        Step::Apply { x: self.given.col(0), y: self.vectors.col_mut(R) }
    }

    /// Starts from the residual, which was computed from x; whether that is the end.
    fn begin(&mut self) -> Result<bool, Error> {
        self.normres = norm(self.vectors.col(R));
        if !self.normres.is_finite() {
            return Err(Error::NotFinite("the residual"));
        }
        self.info.converged = usize::from(self.normres.to_f64() <= self.goal);
        let half = T::Real::from_f64(0.5);
        let no_better = self.normres > self.from_x * half;
        self.from_x = self.normres;
        if self.info.converged == 1 || no_better || self.is_out_of_time() {
            return Ok(true);
        }
        self.vectors.copy(R, P);
        Ok(false)
    }

    fn is_out_of_time(&self) -> bool {
        self.info.numiter >= self.options.krylovdim.saturating_mul(self.options.maxiter)
    }

    /// Takes in what the map made of the direction; whether the residual has to be computed from x.
    fn absorb(&mut self) -> Result<bool, Error> {
        self.info.numops += 1;
        self.info.numiter += 1;
        let (p, ap) = self.vectors.pair(P, AP);
        self.options.shift(p, ap);
        let curvature = dot(p, ap).re();
        if !curvature.is_finite() {
            return Err(Error::NotFinite("what the map made of a vector"));
        }
        if curvature <= <T::Real as Scalar>::ZERO {
            return Err(Error::NotPositiveDefinite((curvature / norm(p) / norm(p)).to_f64()));
        }
        // In this order nothing overflows before the residual itself does.
        let alpha = self.normres / curvature * self.normres;
        axpby(T::from_real(alpha), self.vectors.col(P), T::ONE, self.given.col_mut(0));
        let (r, ap) = self.vectors.pair_mut_first(R, AP);
        axpby(-T::from_real(alpha), ap, T::ONE, r);
        let before = std::mem::replace(&mut self.normres, norm(self.vectors.col(R)));
        if !self.normres.is_finite() {
            return Err(Error::NotFinite("the residual"));
        }
        if self.normres.to_f64() <= self.goal || self.is_out_of_time() {
            return Ok(true);
        }
        let ratio = self.normres / before;
        let (r, p) = self.vectors.pair(R, P);
        axpby(T::ONE, r, T::from_real(ratio * ratio), p);
        Ok(false)
    }
}

impl<T: Element> Solver<T> for ConjugateGradients<T> {
    fn next(&mut self) -> Result<Step<'_, T>, Error> {
        let ended = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => true,
            State::Begun => {
                self.goal = self.options.goal(self.given.col(1))?;
                if start_norm(self.given.col(0))? != <T::Real as Scalar>::ZERO {
                    return Ok(self.ask_for_residual());
                }
                self.vectors.col_mut(R).copy_from_slice(self.given.col(1));
                self.begin()?
            }
            State::Residual => {
                self.info.numops += 1;
                self.options.shift(self.given.col(0), self.vectors.col_mut(R));
                axpby(T::ONE, self.given.col(1), -T::ONE, self.vectors.col_mut(R));
                self.begin()?
            }
            State::Applied => {
                if self.absorb()? {
                    return Ok(self.ask_for_residual());
                }
                false
            }
        };
        if ended {
            return Ok(Step::Done);
        }
        self.state = State::Applied;
        let (x, y) = self.vectors.pair(P, AP);
        Ok(Step::Apply { x, y })
    }
}
