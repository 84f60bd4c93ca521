//! How many bytes may wait between a component's task and a child process of it.

/// Bytes of input that wait for a child before its component is not ready for more.
pub const CHILD_INPUT_BYTES: usize = 256 << 10;
/// Bytes of output that wait for a component's loop before the child's pipe is left to fill.
pub const CHILD_OUTPUT_BYTES: usize = 1 << 20;
