//! Contractions over the ranks of an MPI communicator.
//!
//! Floor 4 of the engine. Nothing links MPI: the host lends the library that it has initialised.
//!
//! | module | is |
//! |---|---|
//! | [`transport`] | what carries messages: [`mpi`], or [`loopback`] between threads |
//! | [`group`] | ranks that make calls together, each of which ends on all of them within a bounded time |
//! | [`shared`] | a contraction whose slices are shared out |
//! | [`split`] | a contraction of tensors that are split along an index |
//! | `exchange` | messages of all with all; sums over ranks |
//! | `run`, `deal`, `sum` | one run of it: who talks, who computes what, and how it is added up |

mod bytes;
mod deal;
mod error;
mod exchange;
pub mod group;
pub mod loopback;
pub mod mpi;
mod run;
pub mod shared;
pub mod split;
mod sum;
pub mod transport;

pub use error::Error;
pub use exchange::sum;
pub use group::Group;
pub use loopback::Loopback;
pub use shared::{Progress, ShareOptions, SharedEinsum, Target};
pub use split::{SplitEinsum, SplitOptions};
