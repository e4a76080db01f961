//! Derivatives of what the engine computes: rules without state, and a tape over them.
//!
//! Floor 4 of the engine. For a real function L, the cotangent x̄ of x satisfies δL = Re⟨x̄, δx⟩, where ⟨·,·⟩ conjugates
//! its first argument. A `jvp` takes tangents of the inputs to tangents of the outputs, a `vjp` cotangents of the outputs
//! to cotangents of the inputs; the tangent of a `vjp` is the second order.

mod apply;
mod dual;
pub mod einsum;
mod error;
mod evaluate;
mod operation;
mod options;
mod rules;

pub use apply::{hvp, jvp, vjp, Operand, OperandMut, Report};
pub use error::Error;
pub use evaluate::{evaluate, Settings};
pub use operation::{Class, Extent, Operation, Slot, Support};
pub use options::{OnGauge, Options, Phases};
