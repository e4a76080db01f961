//! What a plan may be asked for.

use tensoroxide_tensor::Threads;

/// What a plan may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of workspace, intermediates and scratch together; for dense column-major operands and output.
    pub memory_limit: Option<usize>,
    /// The most threads that a run may use; each needs memory of its own, which counts as workspace.
    pub threads: Threads,
}
