//! What comes in from outside, as targets for fuzzing: each takes any bytes and must neither panic, nor
//! hang, nor take more memory than a small multiple of them.
//!
//! Compiled for tests and for `fuzz/` alone, never into the binary. The driver mutates what our own
//! encoders, examples and transcripts make, with a fixed seed; `fuzz/` hands the same targets to libFuzzer.

mod control;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod driver;
mod topology;
mod values;

pub use crate::multilang::fuzz::child;
pub use crate::transport::fuzz::link;
pub use control::control;
pub use topology::topology;
pub use values::{json, tuple};
