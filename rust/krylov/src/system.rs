//! What the solvers of linear systems (a₀ + a₁·A)·x = b have in common.

use tensoroxide_dense::Element;
use tensoroxide_tensor::Complex64;

use crate::basis::norm;
use crate::lanczos::check_arguments;
use crate::Error;

/// What is asked of [`crate::Gmres`] and of [`crate::ConjugateGradients`].
#[derive(Clone, Copy, Debug)]
pub struct Linsolve {
    /// The multiple of the identity that is added to the map.
    pub a0: Complex64,
    /// The factor of the map.
    pub a1: Complex64,
    /// The most vectors of a Krylov space.
    pub krylovdim: usize,
    /// The most Krylov spaces.
    pub maxiter: usize,
    /// Solved when the residual ‖b − (a₀ + a₁·A)·x‖ is no larger than this,
    pub atol: f64,
    /// or than this times ‖b‖.
    pub rtol: f64,
}

impl Default for Linsolve {
    /// A·x = b, to 1e-12 of ‖b‖.
    fn default() -> Linsolve {
        let (a0, a1) = (Complex64::ZERO, Complex64::ONE);
        Linsolve { a0, a1, krylovdim: 30, maxiter: 100, atol: 1e-12, rtol: 1e-12 }
    }
}

impl Linsolve {
    pub(crate) fn check<T: Element>(&self, n: usize) -> Result<(), Error> {
        check_arguments(n, self.krylovdim, self.maxiter, &[self.atol, self.rtol])?;
        for (name, a) in [("a₀", self.a0), ("a₁", self.a1)] {
            if !a.is_finite() || !T::DTYPE.is_complex() && a.im != 0.0 {
                return Err(Error::Argument(format!("{name} = {a} cannot multiply vectors of {}", T::DTYPE)));
            }
        }
        Ok(())
    }

    /// The norm that the residual has to reach.
    pub(crate) fn goal<T: Element>(&self, b: &[T]) -> Result<f64, Error> {
        let size = tensoroxide_tensor::Real::to_f64(norm(b));
        match size.is_finite() {
            true => Ok(self.atol.max(self.rtol * size)),
            false => Err(Error::NotFinite("the right-hand side")),
        }
    }

    /// y ← a₀·x + a₁·y: what the map made of x becomes what the system's operator makes of it.
    pub(crate) fn shift<T: Element>(&self, x: &[T], y: &mut [T]) {
        if self.a0 != Complex64::ZERO || self.a1 != Complex64::ONE {
            crate::basis::axpby(T::from_c64(self.a0), x, T::from_c64(self.a1), y);
        }
    }
}
