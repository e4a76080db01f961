//! Einstein summation over any number of tensors.
//!
//! Floor 3 of the engine. An expression goes one way through the modules, each taking the last one's result:
//!
//! | module | from | to |
//! |---|---|---|
//! | [`notation`] | text | [`Expression`](notation::Expression): labels of each operand, and parentheses |
//! | [`network`] | expression and shapes | [`Network`](network::Network): numbered labels with extents |
//! | [`path`] | network | [`Path`](path::Path): which two tensors to contract, one pair after another |
//! | [`plan`] | network and path | [`Plan`]: the layout of every intermediate and its place in the workspace |
//! | `program` | plan and the operands' strides | kernels ready to run |
//! | [`execute`] | plan and tensors | the result |
//! | `semiring` | plan and tensors | the result over another algebra |

mod error;
mod excerpt;
pub mod execute;
pub mod network;
pub mod notation;
mod options;
pub mod path;
pub mod plan;
mod program;
mod semiring;

pub use error::Error;
pub use excerpt::Excerpt;
pub use execute::{Einsum, Session, SharedRun, Shares};
pub use options::Options;
pub use plan::{Inputs, Plan, Source, Step};
pub use semiring::{SemiringEinsum, NO_VALUE};
