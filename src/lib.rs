//! Storm-style stream processing: topologies of spouts and bolts, in worker processes that talk over
//! ZeroMQ, acked by XOR trees, with bolts in any language that speaks Storm's multilang protocol.
//!
//! See `ARCHITECTURE.md` for the layers; each module may import only from those before it.

pub mod ack;
pub mod base;
pub mod builtin;
pub mod cli;
pub mod component;
pub mod control;
pub mod dead_letter;
pub mod executor;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod grouping;
pub mod metrics;
pub mod multilang;
#[cfg(test)]
mod simulation;
pub mod supervisor;
pub mod topology;
pub mod transport;
pub mod tuple;
pub mod worker;
