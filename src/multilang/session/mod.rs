//! The conversation with a child, as pure state machines: messages and time in, bytes and effects
//! out. Nothing here does I/O, reads a clock or waits; effects go through the component's collector
//! and reporter, bytes through an outbox that the shells empty.

mod ahead;
mod answers;
mod bolt;
mod desk;
mod due;
mod flow;
mod greet;
mod handshake;
mod hear;
mod listen;
mod liveness;
mod marks;
mod open;
mod outbox;
mod settings;
mod spout;
mod spout_hear;
mod streams;
mod uptake;

pub use bolt::BoltSession;
pub(super) use handshake::handshake;
pub(super) use outbox::{BatchLimits, Numbers, Outbox};
pub use settings::SessionError;
pub(super) use settings::Settings;
pub(super) use spout::{SpoutSession, Wanted};
