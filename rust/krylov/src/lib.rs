//! Eigenvalues, exponentials and linear systems of a linear map that is known by what it does to vectors.
//!
//! Floor 4 of the engine. Each method is a state machine that calls nobody back ("reverse communication", as in
//! ARPACK): it says which vector the map is to be applied to and where the result goes, so that any host can do that.
//!
//! | | problem | method |
//! |---|---|---|
//! | [`Lanczos`] | extreme eigenvalues of a Hermitian map | thick-restarted Lanczos |
//! | [`Arnoldi`] | extreme eigenvalues of any map | Arnoldi with Krylov–Schur restarts |
//! | [`Exponential`] | exp(t·A)·x for a Hermitian map | Lanczos with adaptive time steps |
//! | [`Gmres`] | (a₀ + a₁·A)·x = b | restarted GMRES |
//! | [`ConjugateGradients`] | the same, positive definite | conjugate gradients |
//!
//! All own their vectors, in one piece of memory that is kept from problem to problem: a problem of no larger size
//! takes none. [`PlannedMap`] makes a contraction plan the map. The same input gives the same bits.

mod arnoldi;
mod basis;
mod conjugate_gradients;
mod error;
mod exponential;
mod gmres;
mod lanczos;
mod planned;
mod projected;
mod schur;
mod system;

pub use arnoldi::Arnoldi;
pub use conjugate_gradients::ConjugateGradients;
pub use error::Error;
pub use exponential::{Exponential, Exponentiate};
pub use gmres::Gmres;
pub use lanczos::{Eigsolve, Lanczos, Which};
pub use planned::PlannedMap;
pub use system::Linsolve;

/// What a method asks for next.
#[derive(Debug, PartialEq)]
pub enum Step<'a, T> {
    /// y ← A·x, then ask again. `y` holds anything.
    Apply {
        /// What the map is applied to.
        x: &'a [T],
        /// Where the result goes.
        y: &'a mut [T],
    },
    /// Nothing: the results are there.
    Done,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConvergenceInfo {
    /// How many of the results, from the first on without a gap, have reached the tolerance.
    pub converged: usize,
    /// How many Krylov spaces were built: restarts, or time steps, and one; of conjugate gradients, the iterations.
    pub numiter: usize,
    /// How often the map was applied.
    pub numops: usize,
}

/// A method on its way.
pub trait Solver<T> {
    /// Takes over the result of the last application, if there was one, and goes on to the next.
    ///
    /// # Errors
    /// Those of the method; it has then ended, and has no results.
    fn next(&mut self) -> Result<Step<'_, T>, Error>;
}

/// Runs a method to its end; `map` writes A·x to y.
///
/// ```
/// use tensoroxide_krylov::{solve, Eigsolve, Error, Lanczos};
/// let mut lanczos = Lanczos::<f64>::default();
/// lanczos.start(3, Eigsolve::default())?.copy_from_slice(&[1.0, 1.0, 1.0]);
/// solve(&mut lanczos, |x: &[f64], y: &mut [f64]| {
///     y.iter_mut().zip(x).zip([3.0, -1.0, 2.0]).for_each(|((y, x), d)| *y = d * x);
///     Ok::<(), Error>(())
/// })?;
/// assert!((lanczos.values()[0] + 1.0).abs() < 1e-14);
/// assert_eq!(lanczos.info().converged, 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Those of the method and of the map.
pub fn solve<T, E: From<Error>>(
    solver: &mut impl Solver<T>,
    mut map: impl FnMut(&[T], &mut [T]) -> Result<(), E>,
) -> Result<(), E> {
    while let Step::Apply { x, y } = solver.next()? {
        map(x, y)?;
    }
    Ok(())
}
