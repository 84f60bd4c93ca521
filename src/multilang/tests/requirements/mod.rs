//! What Storm's clients expect of the engine, by the numbers of `multilang/REQUIREMENTS.md`.
//!
//! A test's name begins with the number. Others stand beside the code that they test, or run the
//! whole binary; `tests/requirements.rs` sees to it that no number is left out.

mod bolt_loop;
mod framing;
mod handshake;
mod liveness;
mod logs;
mod numbers;
mod spout_loop;
mod start;
mod stopping;
mod task_ids;
