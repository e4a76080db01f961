//! Extreme eigenvalues of a map that need not be Hermitian: Arnoldi with full orthogonalisation and Krylov–Schur
//! restarts.
//!
//! Stewart, SIAM J. Matrix Anal. Appl. 23, 601 (2002). When the space is full, the Schur vectors of the projected map
//! that belong to the eigenvalues that are wanted span a smaller space, which with the residual is a Krylov space
//! still. Unlike eigenvectors, they are orthonormal, also where the map is defective.

use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_linalg::fix_vector;
use tensoroxide_tensor::{Complex64, Real, Scalar, Threads};

use crate::basis::Basis;
use crate::lanczos::{check_count, State, ROUNDING};
use crate::schur::Rayleigh;
use crate::{ConvergenceInfo, Eigsolve, Error, Solver, Step, Which};

/// Eigenvalues and eigenvectors of any linear map, for [`crate::solve`].
///
/// Values and vectors are complex, also where the map is real; then those that are not real come in pairs of exact
/// conjugates, the one with the positive imaginary part first, unless `howmany` cuts the last pair. Each eigenvector
/// has norm 1 and the gauge of all eigenvectors: the entry of largest modulus, the first of equals, is real and
/// positive. Only what the start vector has a part in is found; where it spans an invariant space of fewer than
/// `howmany` dimensions, the search goes on from another vector.
///
/// ```
/// use tensoroxide_krylov::{solve, Arnoldi, Eigsolve, Error, Which};
/// let mut arnoldi = Arnoldi::<f64>::default();
/// let options = Eigsolve { howmany: 2, which: Which::LargestMagnitude, ..Eigsolve::default() };
/// arnoldi.start(3, options)?.copy_from_slice(&[1.0, 1.0, 1.0]);
/// solve(&mut arnoldi, |x: &[f64], y: &mut [f64]| {
///     y.copy_from_slice(&[-2.0 * x[1], 2.0 * x[0], x[2]]);
///     Ok::<(), Error>(())
/// })?;
/// assert!((arnoldi.values()[0].im - 2.0).abs() < 1e-14);
/// assert_eq!(arnoldi.values()[1], arnoldi.values()[0].conj());
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Arnoldi<T: Element> {
    options: Eigsolve,
    n: usize,
    dimension: usize,
    basis: Basis<T>,
    projected: Rayleigh<T>,
    state: State,
    /// The vector that the map is applied to; those before it and itself are orthonormal.
    at: usize,
    /// The norm that the map has at least.
    scale: T::Real,
    /// Norm of the last vector, before it is normalised.
    residue: T::Real,
    values: Vec<T::Complex>,
    normres: Vec<T::Real>,
    vectors: Vec<T::Complex>,
    /// The residual of each eigenvector as a multiple of the vector behind the space, which is not normalised.
    residuals: Vec<T::Complex>,
    info: ConvergenceInfo,
}

impl<T: Element> Default for Arnoldi<T> {
    /// Without any memory; [`Arnoldi::start`] takes it.
    fn default() -> Arnoldi<T> {
        Arnoldi {
            options: Eigsolve::default(),
            n: 0,
            dimension: 0,
            basis: Basis::default(),
            projected: Rayleigh::default(),
            state: State::Ended,
            at: 0,
            scale: <T::Real as Scalar>::ZERO,
            residue: <T::Real as Scalar>::ZERO,
            values: Vec::new(),
            normres: Vec::new(),
            vectors: Vec::new(),
            residuals: Vec::new(),
            info: ConvergenceInfo::default(),
        }
    }
}

impl<T: Element> Arnoldi<T> {
    /// Begins a problem in vectors of n elements, and hands out the start vector to be filled. Of a real map,
    /// krylovdim must leave room for a whole pair: it must be larger than `howmany + 1`, unless it is the whole
    /// space.
    ///
    /// # Errors
    /// [`Error::Argument`], also for the extreme imaginary parts of a real map, which come in pairs; [`Error::Memory`].
    pub fn start(&mut self, n: usize, options: Eigsolve) -> Result<&mut [T], Error> {
        self.state = State::Ended;
        self.at = 0;
        self.scale = <T::Real as Scalar>::ZERO;
        self.values.clear();
        self.normres.clear();
        self.vectors.clear();
        self.residuals.clear();
        self.info = ConvergenceInfo { numiter: 1, ..ConvergenceInfo::default() };
        let complex = T::DTYPE.is_complex();
        if !complex && matches!(options.which, Which::LargestImaginary | Which::SmallestImaginary) {
            let text =
                "the imaginary parts of a real map come in pairs: take complex vectors for the largest or smallest";
            return Err(Error::Argument(text.into()));
        }
        let dimension = check_count(n, &options, if complex { 1 } else { 2 })?;
        self.basis.resize(n, dimension + 1)?;
        self.projected.clear(dimension);
        (self.options, self.n, self.dimension) = (options, n, dimension);
        self.state = State::Begun;
        Ok(self.basis.col_mut(0))
    }

    /// How it went.
    pub fn info(&self) -> ConvergenceInfo {
        self.info
    }

    /// The `howmany` eigenvalues, in the order that was asked for; none before the end.
    pub fn values(&self) -> &[T::Complex] {
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
    pub fn vector(&self, i: usize) -> &[T::Complex] {
        assert!(i < self.values.len(), "there is no eigenvector {i}");
        &self.vectors[i * self.n..][..self.n]
    }

    /// Writes A·v − λ·v of the `i`-th eigenvector to `residual`.
    ///
    /// # Panics
    /// If there is no `i`-th eigenvalue.
    pub fn residual(&self, i: usize, residual: &mut [T::Complex]) {
        let last = self.basis.col(self.at + 1);
        let factor = self.residuals[i];
        residual.iter_mut().zip(last).for_each(|(r, &x)| *r = factor * <T::Complex as Scalar>::from_c64(x.to_c64()));
    }

    /// Takes in what the map made of vector `at`; whether that is the end.
    fn absorb(&mut self) -> Result<bool, Error> {
        let Eigsolve { howmany, eager, maxiter, .. } = self.options;
        let (j, k) = (self.at, self.at + 1);
        self.info.numops += 1;
        let (before, residue) = self.basis.orthogonalise(k, self.projected.column_mut(j))?;
        self.scale = self.scale.max(before);
        let full = k == self.dimension;
        // The space is invariant up to rounding, or there is no vector outside of it.
        let invariant = residue <= self.rounding() || k == self.n;
        self.residue = if k == self.n && residue > self.rounding() { self.rounding() } else { residue };
        if k >= howmany && (invariant || full || eager) {
            self.projected.eigenvectors(k, self.options.which)?;
            let tol = self.options.tol.max(self.rounding().to_f64());
            let residual = |i: usize| self.residue.to_f64() * self.projected.last(i).norm();
            self.info.converged = (0..howmany).take_while(|&i| residual(i) <= tol).count();
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
            self.projected.column_mut(j)[k] = T::from_real(residue);
            self.at = k;
        }
        Ok(false)
    }

    fn rounding(&self) -> T::Real {
        self.scale * T::Real::EPSILON * T::Real::from_f64(ROUNDING)
    }

    /// Keeps the Schur vectors of some of the Ritz values, and the residual behind them.
    fn restart(&mut self, k: usize) -> Result<(), Error> {
        // Three fifths of the vectors, more if many have converged: what KrylovKit.jl keeps.
        let wish = ((3 * k + 2 * self.info.converged) / 5).max(self.options.howmany).min(k - 1);
        let kept = self.projected.compress(k, wish, self.options.which, self.residue)?;
        self.basis.combine(k, self.projected.combination())?;
        self.basis.copy(k, kept);
        self.info.numiter += 1;
        self.at = kept;
        Ok(())
    }

    fn finish(&mut self, k: usize) -> Result<(), Error> {
        let (howmany, n) = (self.options.howmany, self.n);
        // Real parts of the coefficients, then, for real vectors, imaginary parts.
        let parts = if T::DTYPE.is_complex() { 1 } else { 2 };
        let mut coefficients = vec![T::ZERO; k * howmany * parts];
        for (at, x) in coefficients.iter_mut().enumerate() {
            let (i, j) = (at % k, at / k);
            let y = self.projected.vector(j % howmany)[i];
            *x = T::from_c64(if j < howmany { y } else { Complex64::from(y.im) });
        }
        let mut product = vec![T::ZERO; n * howmany * parts];
        let basis = self.basis.columns(k)?;
        let coefficients = MatRef::from_slice(&coefficients, k, howmany * parts, 1, k as isize)?;
        let to = MatMut::from_slice(&mut product, n, howmany * parts, 1, n as isize)?;
        gemm(T::ONE, basis, false, coefficients, false, T::ZERO, to, Threads::ONE)?;
        self.vectors.resize(n * howmany, Scalar::ZERO);
        for i in 0..howmany {
            let value = self.projected.value(i);
            let (before, vector) = self.vectors.split_at_mut(i * n);
            let vector = &mut vector[..n];
            // The second one of a pair, to the last bit.
            let pair = parts == 2 && value.im < 0.0 && i > 0 && self.projected.value(i - 1) == value.conj();
            for (l, x) in vector.iter_mut().enumerate() {
                let re = product[l + i * n].to_c64();
                let im = if parts == 2 { product[l + (howmany + i) * n].to_c64().re } else { 0.0 };
                *x = match pair {
                    true => before[l + (i - 1) * n].conj(),
                    false => Scalar::from_c64(re + Complex64::new(0.0, im)),
                };
            }
            let real = vector.iter().all(|x| x.im() == Scalar::ZERO);
            let mut last = self.projected.last(i);
            self.normres.push(T::Real::from_f64(self.residue.to_f64() * last.norm()));
            if pair {
                last = self.residuals[i - 1].to_c64().conj();
            } else {
                last *= fix_vector(vector).to_c64().conj();
            }
            if real {
                vector.iter_mut().for_each(|x| *x = Scalar::from_real(x.re()));
            }
            self.values.push(Scalar::from_c64(value));
            self.residuals.push(Scalar::from_c64(last));
        }
        Ok(())
    }
}

impl<T: Element> Solver<T> for Arnoldi<T> {
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
