//! The coordinator's decisions, by tables of events.

mod harness;
mod runs;
mod trouble;

pub(crate) use harness::{chain, millis};
