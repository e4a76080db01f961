//! What a plan may be asked for.

use tensoroxide_tensor::Threads;

use crate::path::{Path, Search};

/// What a plan may be asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Most bytes of workspace, intermediates and scratch together; for dense column-major operands and output.
    pub memory_limit: Option<usize>,
    /// The most threads that a run may use; each needs memory of its own, which counts as workspace.
    pub threads: Threads,
    /// The least number of slices, for runs that are shared out ([`Plan::shares`](crate::Plan::shares)): the slowest of
    /// the sliced labels are then those of the output. 0 for a plan that is run as a whole.
    pub shares: usize,
    /// The path to take; `None` to search one.
    pub path: Option<Path>,
    /// How to search a path.
    pub search: Search,
}
