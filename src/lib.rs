//! Storm-style stream processing: topologies of spouts and bolts, in worker processes that talk over
//! ZeroMQ, acked by XOR trees, with bolts in any language that speaks Storm's multilang protocol.
//!
//! See `ARCHITECTURE.md` for the layers; each module may import only from those before it.

pub mod base;
pub mod component;
pub mod metrics;
pub mod multilang;
pub mod tuple;
