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
    /// The path to take; `None` to search one.
    pub path: Option<Path>,
    /// How to search a path.
    pub search: Search,
}
