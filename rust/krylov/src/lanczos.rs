//! Extreme eigenvalues of a Hermitian map: Lanczos with full orthogonalisation and thick restarts.
//!
//! Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 602 (2000); the same as Krylov–Schur for a Hermitian map, Stewart,
//! SIAM J. Matrix Anal. Appl. 23, 601 (2002). When the space is full, the best Ritz vectors and the residual, which
//! they have in common, span a smaller one that is a Krylov space still.

use tensoroxide_dense::Element;
use tensoroxide_linalg::fix_vector;
use tensoroxide_tensor::{Real, Scalar};

use crate::basis::Basis;
use crate::projected::Projected;
use crate::{ConvergenceInfo, Error, Solver, Step};

/// Which eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The smallest, ascending.
    SmallestReal,
    /// The largest, descending.
    LargestReal,
    /// The largest in magnitude, descending; of two with the same magnitude the one with the smaller real part first.
    LargestMagnitude,
    /// Those with the smallest imaginary part, ascending; for [`Arnoldi`](crate::Arnoldi) with complex vectors only.
    SmallestImaginary,
    /// Those with the largest imaginary part, descending; likewise.
    LargestImaginary,
}

/// What is asked of [`Lanczos`] or [`Arnoldi`](crate::Arnoldi).
#[derive(Clone, Copy, Debug)]
pub struct Eigsolve {
    /// How many eigenvalues.
    pub howmany: usize,
    /// Which ones.
    pub which: Which,
    /// The most vectors of a Krylov space: more than `howmany`, unless that is the whole space.
    pub krylovdim: usize,
    /// The most Krylov spaces.
    pub maxiter: usize,
    /// An eigenvalue has converged when its residual ‖A·v − λ·v‖ is no larger than this, or than what rounding allows.
    pub tol: f64,
    /// Look at the residuals after every application and not only when the space is full: ends earlier, costs a small
    /// eigenproblem each time.
    pub eager: bool,
}

impl Default for Eigsolve {
    /// The smallest eigenvalue, to 1e-12.
    fn default() -> Eigsolve {
        Eigsolve { howmany: 1, which: Which::SmallestReal, krylovdim: 30, maxiter: 100, tol: 1e-12, eager: false }
    }
}

/// A residual below so many eps times the norm of the map is rounding.
pub(crate) const ROUNDING: f64 = 10.0;

/// Eigenvalues and eigenvectors of a Hermitian map. See [`crate::solve`] for an example.
///
/// Every eigenvector is orthogonal to the others, has norm 1 and the gauge of all eigenvectors: the entry of largest
/// modulus, the first of equals, is real and positive. Only what the start vector has a part in is found; where it
/// spans an invariant space of fewer than `howmany` dimensions, the search goes on from another vector.
#[derive(Debug)]
pub struct Lanczos<T: Element> {
    options: Eigsolve,
    n: usize,
    dimension: usize,
    basis: Basis<T>,
    projected: Projected<T>,
    state: State,
    /// The vector that the map is applied to; those before it and itself are orthonormal.
    at: usize,
    /// The norm that the map has at least.
    scale: T::Real,
    /// Norm of the last vector, before it is normalised.
    residue: T::Real,
    /// The eigenvectors of the projected map that are wanted, the first first.
    order: Vec<usize>,
    combination: Vec<T>,
    values: Vec<T::Real>,
    normres: Vec<T::Real>,
    /// The residual of each eigenvector as a multiple of the vector behind the space.
    residuals: Vec<T>,
    info: ConvergenceInfo,
}

/// Where a method is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Begun,
    Applied,
    Ended,
}

impl<T: Element> Default for Lanczos<T> {
    /// Without any memory; [`Lanczos::start`] takes it.
    fn default() -> Lanczos<T> {
        Lanczos {
            options: Eigsolve::default(),
            n: 0,
            dimension: 0,
            basis: Basis::default(),
            projected: Projected::default(),
            state: State::Ended,
            at: 0,
            scale: <T::Real as Scalar>::ZERO,
            residue: <T::Real as Scalar>::ZERO,
            order: Vec::new(),
            combination: Vec::new(),
            values: Vec::new(),
            normres: Vec::new(),
            residuals: Vec::new(),
            info: ConvergenceInfo::default(),
        }
    }
}

/// Refuses what no problem can have.
pub(crate) fn check_arguments(n: usize, krylovdim: usize, maxiter: usize, tolerances: &[f64]) -> Result<(), Error> {
    let refuse = |text: &str| Err(Error::Argument(text.into()));
    match () {
        () if n == 0 => refuse("the vectors have no elements"),
        () if krylovdim == 0 => refuse("krylovdim = 0 leaves no vector to start from"),
        () if maxiter == 0 => refuse("maxiter = 0 allows no Krylov space"),
        () if tolerances.iter().any(|tol| tol.is_nan() || *tol < 0.0) => refuse("a tolerance is negative or NaN"),
        () => Ok(()),
    }
}

/// The most vectors of a Krylov space: `more` than `howmany`, or the whole space.
pub(crate) fn check_count(n: usize, options: &Eigsolve, more: usize) -> Result<usize, Error> {
    let Eigsolve { howmany, krylovdim, .. } = *options;
    check_arguments(n, krylovdim, options.maxiter, &[options.tol])?;
    if howmany == 0 || howmany > n {
        return Err(Error::Argument(format!("howmany = {howmany}, but there are 1 to {n} eigenvalues")));
    }
    let dimension = krylovdim.min(n);
    if dimension < n && dimension < howmany + more {
        let least = howmany + more;
        let text = format!("krylovdim = {krylovdim} is too small for howmany = {howmany}; take {least} or more");
        return Err(Error::Argument(text));
    }
    Ok(dimension)
}

impl<T: Element> Lanczos<T> {
    /// Begins a problem in vectors of n elements, and hands out the start vector to be filled.
    ///
    /// # Errors
    /// [`Error::Argument`], [`Error::Memory`].
    pub fn start(&mut self, n: usize, options: Eigsolve) -> Result<&mut [T], Error> {
        self.state = State::Ended;
        self.forget();
        if matches!(options.which, Which::SmallestImaginary | Which::LargestImaginary) {
            return Err(Error::Argument("the eigenvalues of a Hermitian map have no imaginary parts".into()));
        }
        let dimension = check_count(n, &options, 1)?;
        self.basis.resize(n, dimension + 1)?;
        self.projected.clear(dimension);
        (self.options, self.n, self.dimension) = (options, n, dimension);
        self.state = State::Begun;
        Ok(self.basis.col_mut(0))
    }

    fn forget(&mut self) {
        self.at = 0;
        self.scale = <T::Real as Scalar>::ZERO;
        self.values.clear();
        self.normres.clear();
        self.residuals.clear();
        self.info = ConvergenceInfo { numiter: 1, ..ConvergenceInfo::default() };
    }

    /// How it went.
    pub fn info(&self) -> ConvergenceInfo {
        self.info
    }

    /// The `howmany` eigenvalues, in the order that was asked for; none before the end.
    pub fn values(&self) -> &[T::Real] {
        &self.values
    }

    /// ‖A·v − λ·v‖ for each eigenvalue.
    pub fn normres(&self) -> &[T::Real] {
        &self.normres
    }

    /// The `i`-th eigenvector.
    ///
    /// # Panics
    /// If there is no `i`-th eigenvalue.
    pub fn vector(&self, i: usize) -> &[T] {
        assert!(i < self.values.len(), "there is no eigenvector {i}");
        self.basis.col(i)
    }

    /// Writes A·v − λ·v of the `i`-th eigenvector to `residual`.
    ///
    /// # Panics
    /// If there is no `i`-th eigenvalue.
    pub fn residual(&self, i: usize, residual: &mut [T]) {
        let last = self.basis.col(self.at + 1);
        residual.iter_mut().zip(last).for_each(|(r, &x)| *r = self.residuals[i] * x);
    }

    /// Takes in what the map made of vector `at`; whether that is the end.
    fn absorb(&mut self) -> Result<bool, Error> {
        let Eigsolve { howmany, eager, maxiter, .. } = self.options;
        let (j, k) = (self.at, self.at + 1);
        self.info.numops += 1;
        let (before, residue) = self.basis.orthogonalise(k, self.projected.column_mut(j))?;
        self.scale = self.scale.max(before);
        self.projected.check(j, self.scale)?;
        let full = k == self.dimension;
        // The space is invariant up to rounding, or there is no vector outside of it.
        let invariant = residue <= self.rounding() || k == self.n;
        self.residue = if k == self.n && residue > self.rounding() { self.rounding() } else { residue };
        if k >= howmany && (invariant || full || eager) {
            self.select(k)?;
            if invariant || self.info.converged == howmany || full && self.info.numiter == maxiter {
                self.finish(k)?;
                return Ok(true);
            }
        }
        if invariant {
            self.basis.invent(k)?;
            self.at = k;
            return Ok(false);
        }
        self.basis.normalise(k, residue);
        if full {
            self.restart(k)?;
        } else {
            self.projected.expect(k, j, T::from_real(residue));
            self.at = k;
        }
        Ok(false)
    }

    fn rounding(&self) -> T::Real {
        self.scale * T::Real::EPSILON * T::Real::from_f64(ROUNDING)
    }

    /// Sorts the Ritz values of the first k vectors, and counts those that have converged.
    fn select(&mut self, k: usize) -> Result<(), Error> {
        self.projected.eigh(k)?;
        let Lanczos { projected, order, options, .. } = self;
        let values = projected.values();
        order.clear();
        match options.which {
            Which::SmallestReal => order.extend(0..k),
            Which::LargestReal => order.extend((0..k).rev()),
            _ => {
                // Ascending values: the largest magnitude is at one of the ends of what is left.
                let (mut low, mut high) = (0, k);
                while low < high {
                    let from_below = values[low].abs() >= values[high - 1].abs();
                    order.push(if from_below { low } else { high - 1 });
                    if from_below {
                        low += 1;
                    } else {
                        high -= 1;
                    }
                }
            }
        }
        let tol = self.options.tol.max(self.rounding().to_f64());
        let residual = |&i: &usize| (self.residue * self.projected.vector(i)[k - 1].abs()).to_f64();
        let wanted = &self.order[..self.options.howmany.min(k)];
        self.info.converged = wanted.iter().take_while(|i| residual(i) <= tol).count();
        Ok(())
    }

    /// Replaces the first p vectors by the first p Ritz vectors.
    fn rotate(&mut self, k: usize, p: usize) -> Result<(), Error> {
        self.combination.clear();
        for &i in &self.order[..p] {
            self.combination.extend_from_slice(self.projected.vector(i));
        }
        self.basis.combine(k, &self.combination)
    }

    /// Keeps some of the Ritz vectors, and the residual behind them.
    fn restart(&mut self, k: usize) -> Result<(), Error> {
        // Three fifths of the vectors, more if many have converged: what KrylovKit.jl keeps.
        let kept = ((3 * k + 2 * self.info.converged) / 5).max(self.options.howmany).min(k - 1);
        self.rotate(k, kept)?;
        self.basis.copy(k, kept);
        self.values.clear();
        self.values.extend(self.order[..kept].iter().map(|&i| self.projected.values()[i]));
        self.residuals.clear();
        self.residuals.extend(self.order[..kept].iter().map(|&i| self.projected.vector(i)[k - 1].scale(self.residue)));
        self.projected.clear(self.dimension);
        for i in 0..kept {
            self.projected.column_mut(i)[i] = T::from_real(self.values[i]);
            self.projected.expect(kept, i, self.residuals[i]);
        }
        self.values.clear();
        self.residuals.clear();
        self.info.numiter += 1;
        self.at = kept;
        Ok(())
    }

    fn finish(&mut self, k: usize) -> Result<(), Error> {
        let howmany = self.options.howmany;
        self.rotate(k, howmany)?;
        for (j, &i) in self.order[..howmany].iter().enumerate() {
            let last = self.projected.vector(i)[k - 1];
            let phase = fix_vector(self.basis.col_mut(j));
            self.values.push(self.projected.values()[i]);
            self.normres.push(self.residue * last.abs());
            self.residuals.push(last * phase.conj());
        }
        Ok(())
    }
}

impl<T: Element> Solver<T> for Lanczos<T> {
    fn next(&mut self) -> Result<Step<'_, T>, Error> {
        // An error leaves it ended.
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Ok(Step::Done),
            State::Begun => self.basis.begin()?,
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
