//! What a plan may be asked for.

/// What a plan may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of workspace, intermediates and scratch together; for dense column-major operands and output.
    pub memory_limit: Option<usize>,
}
