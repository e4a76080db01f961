//! Linear systems by GMRES with restarts.
//!
//! Saad and Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986), with Arnoldi by repeated classical Gram–Schmidt and the
//! least-squares problem by Givens rotations. The residual is computed anew from x at each restart and at the end.

use tensoroxide_dense::Element;
use tensoroxide_tensor::{Real, Scalar};

use crate::basis::{axpby, hypot, norm, start_norm, Basis};
use crate::lanczos::ROUNDING;
use crate::{ConvergenceInfo, Error, Linsolve, Solver, Step};

/// Solves (a₀ + a₁·A)·x = b for any map A.
///
/// ```
/// use tensoroxide_krylov::{solve, Error, Gmres, Linsolve};
/// let mut gmres = Gmres::<f64>::default();
/// let (x, b) = gmres.start(2, Linsolve::default())?;
/// x.fill(0.0);
/// b.copy_from_slice(&[1.0, 2.0]);
/// solve(&mut gmres, |x: &[f64], y: &mut [f64]| {
///     (y[0], y[1]) = (2.0 * x[1], x[0] + x[1]);
///     Ok::<(), Error>(())
/// })?;
/// assert!((gmres.solution()[0] - 1.5).abs() < 1e-14 && (gmres.solution()[1] - 0.5).abs() < 1e-14);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Gmres<T: Element> {
    options: Linsolve,
    n: usize,
    dimension: usize,
    /// x, then b.
    given: Basis<T>,
    basis: Basis<T>,
    state: State,
    at: usize,
    goal: f64,
    /// The norm of the residual when it was last computed from x.
    normres: T::Real,
    /// Whether the last space could not be made larger.
    invariant: bool,
    scale: T::Real,
    /// R of the Hessenberg matrix's QR decomposition, column by column.
    r: Vec<T>,
    /// Cosines and sines of the rotations.
    rotations: Vec<(T::Real, T)>,
    /// The right-hand side of the least-squares problem, then its solution.
    g: Vec<T>,
    info: ConvergenceInfo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    Residual,
    Applied,
    Ended,
}

impl<T: Element> Default for Gmres<T> {
    /// Without any memory; [`Gmres::start`] takes it.
    fn default() -> Gmres<T> {
        Gmres {
            options: Linsolve::default(),
            n: 0,
            dimension: 0,
            given: Basis::default(),
            basis: Basis::default(),
            state: State::Ended,
            at: 0,
            goal: 0.0,
            normres: <T::Real as Scalar>::ZERO,
            invariant: false,
            scale: <T::Real as Scalar>::ZERO,
            r: Vec::new(),
            rotations: Vec::new(),
            g: Vec::new(),
            info: ConvergenceInfo::default(),
        }
    }
}

impl<T: Element> Gmres<T> {
    /// Begins a problem in vectors of n elements, and hands out the first guess x and the right-hand side b to be
    /// filled.
    ///
    /// # Errors
    /// [`Error::Argument`], [`Error::Memory`].
    pub fn start(&mut self, n: usize, options: Linsolve) -> Result<(&mut [T], &mut [T]), Error> {
        self.state = State::Ended;
        options.check::<T>(n)?;
        let dimension = options.krylovdim.min(n);
        self.given.resize(n, 2)?;
        self.basis.resize(n, dimension + 1)?;
        (self.options, self.n, self.dimension) = (options, n, dimension);
        (self.at, self.invariant) = (0, false);
        self.scale = <T::Real as Scalar>::ZERO;
        self.normres = T::Real::MAX;
        self.info = ConvergenceInfo::default();
        self.r.clear();
        self.r.resize((dimension + 1) * dimension, T::ZERO);
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
        self.basis.col(0)
    }

    /// The norm of the residual.
    pub fn normres(&self) -> T::Real {
        self.normres
    }

    /// Starts a space from the residual in column 0; whether that is the end.
    fn begin(&mut self) -> Result<bool, Error> {
        let (before, now) = (self.normres, norm(self.basis.col(0)));
        if !now.is_finite() {
            return Err(Error::NotFinite("the residual"));
        }
        self.normres = now;
        if now.to_f64() <= self.goal {
            self.info.converged = 1;
            return Ok(true);
        }
        // The last space was all there is, or nothing was won by it, and nothing will be.
        if self.invariant || now >= before || self.info.numiter == self.options.maxiter {
            return Ok(true);
        }
        self.info.numiter += 1;
        self.basis.normalise(0, now);
        self.at = 0;
        self.rotations.clear();
        self.g.clear();
        self.g.push(T::from_real(now));
        Ok(false)
    }

    /// Takes in what the map made of vector `at`; whether the space is done.
    fn absorb(&mut self) -> Result<bool, Error> {
        let (j, k, rows) = (self.at, self.at + 1, self.dimension + 1);
        self.info.numops += 1;
        let (x, y) = self.basis.pair(j, k);
        self.options.shift(x, y);
        let column = &mut self.r[j * rows..][..rows];
        let (before, residue) = self.basis.orthogonalise(k, column)?;
        self.scale = self.scale.max(before);
        let rounding = self.scale * T::Real::EPSILON * T::Real::from_f64(ROUNDING);
        self.invariant = residue <= rounding || k == self.n;
        for (i, &(c, s)) in self.rotations.iter().enumerate() {
            let (upper, lower) = (column[i], column[i + 1]);
            column[i] = upper.scale(c) + s * lower;
            column[i + 1] = lower.scale(c) - s.conj() * upper;
        }
        // The rotation that takes (diagonal, residue) to (r, 0).
        let (diagonal, size) = (column[j], column[j].abs());
        let below = if self.invariant { <T::Real as Scalar>::ZERO } else { residue };
        let r = hypot(size, below);
        let zero = <T::Real as Scalar>::ZERO;
        let (c, s) = match () {
            () if r == zero => (T::Real::ONE, T::ZERO),
            () if size == zero => (zero, T::ONE),
            () => (size / r, (diagonal.scale(T::Real::ONE / size)).scale(below / r)),
        };
        column[j] = diagonal.scale(c) + s.scale(below);
        let last = self.g[j];
        self.g[j] = last.scale(c);
        self.g.push(-s.conj() * last);
        self.rotations.push((c, s));
        let solved = self.g[k].abs().to_f64() <= self.goal;
        if solved || self.invariant || k == self.dimension {
            self.update(k, rounding)?;
            return Ok(true);
        }
        self.basis.normalise(k, residue);
        self.at = k;
        Ok(false)
    }

    /// x ← x + V·R⁻¹·g.
    fn update(&mut self, k: usize, rounding: T::Real) -> Result<(), Error> {
        let rows = self.dimension + 1;
        for i in (0..k).rev() {
            let r = self.r[i * rows + i];
            // Zero only for a singular operator, whose vector there does not help.
            self.g[i] = if r.abs() <= rounding { T::ZERO } else { self.g[i] / r };
            let y = self.g[i];
            (0..i).for_each(|l| self.g[l] += -self.r[i * rows + l] * y);
        }
        self.basis.combine(k, &self.g[..k])?;
        axpby(T::ONE, self.basis.col(0), T::ONE, self.given.col_mut(0));
        Ok(())
    }

    fn ask_for_residual(&mut self) -> Step<'_, T> {
        self.state = State::Residual;
        Step::Apply { x: self.given.col(0), y: self.basis.col_mut(0) }
    }
}

impl<T: Element> Solver<T> for Gmres<T> {
    fn next(&mut self) -> Result<Step<'_, T>, Error> {
        let ended = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => true,
            State::Begun => {
                self.goal = self.options.goal(self.given.col(1))?;
                if start_norm(self.given.col(0))? != <T::Real as Scalar>::ZERO {
                    return Ok(self.ask_for_residual());
                }
                self.basis.col_mut(0).copy_from_slice(self.given.col(1));
                self.begin()?
            }
            State::Residual => {
                self.info.numops += 1;
                self.options.shift(self.given.col(0), self.basis.col_mut(0));
                axpby(T::ONE, self.given.col(1), -T::ONE, self.basis.col_mut(0));
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
        let (x, y) = self.basis.pair(self.at, self.at + 1);
        Ok(Step::Apply { x, y })
    }
}
