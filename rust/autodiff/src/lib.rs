//! Derivatives of what the engine computes: rules without state, and a tape over them.
//!
//! Floor 5 of the engine, above `krylov`, whose solver the derivative of an eigenpair needs. For a real function L,
//! the cotangent x̄ of x satisfies δL = Re⟨x̄, δx⟩, where ⟨·,·⟩ conjugates its first argument. A `jvp` takes tangents of
//! the inputs to tangents of the outputs, a `vjp` cotangents of the outputs to cotangents of the inputs; the tangent of
//! a `vjp` is the second order.
//!
//! A [`tape::Tape`] puts them together. Two spins whose state is a product of matrices find the ground state of a
//! Heisenberg bond, S₁·S₂ = (P − 1/2)/2 with the swap P, by following the gradient of their energy:
//!
//! ```
//! use tensoroxide_autodiff::tape::{Elementwise, Tape};
//! use tensoroxide_tensor::Tensor;
//! let mut sites = [[1.0, -0.25, 0.5, 0.75], [0.5, 1.0, -0.25, 0.75]];
//! let mut energy = f64::INFINITY;
//! for _ in 0..100 {
//!     let mut tape = Tape::<f64>::new();
//!     let mut x = Vec::new();
//!     for site in &sites {
//!         x.push(tape.variable(Tensor::from_fn(&[2, 2], |i| site[i[0] + 2 * i[1]])?.view())?);
//!     }
//!     let state = tape.einsum("ia,aj->ij", &x)?;
//!     let swapped = tape.einsum("ij,ji->", &[state, state])?;
//!     let norm = tape.norm_squared(state)?;
//!     let inverse = tape.map(Elementwise::Inverse, norm)?;
//!     let swap = tape.einsum(",->", &[swapped, inverse])?;
//!     energy = (tape.value(swap)?.data()[0] - 0.5) / 2.0;
//!     for (site, slope) in sites.iter_mut().zip(tape.gradient(swap, &x)?) {
//!         site.iter_mut().zip(slope.data()).for_each(|(x, slope)| *x -= 0.25 * slope);
//!     }
//! }
//! assert!((energy + 0.75).abs() < 1e-6, "{energy} is not that of the singlet");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod dual;
pub mod einsum;
mod error;
mod evaluate;
pub mod krylov;
mod operation;
mod options;
mod rules;
pub mod tape;

pub use apply::{hvp, jvp, vjp, Operand, OperandMut, Report};
pub use error::Error;
pub use evaluate::{evaluate, Settings};
pub use operation::{Class, Extent, Operation, Slot, Support};
pub use options::{OnGauge, Options, Phases};
