//! What a session is told once, and why it gives a child up. Nothing here acts.

use std::time::Duration;

use crate::base::show_duration;
use crate::tuple::JsonError;

use super::super::framing::{FramingError, Protocol};
use super::outbox::Numbers;

/// The settings of one child's session.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that users write by its name")]
pub(crate) struct Settings {
    /// How messages are framed.
    pub(crate) protocol: Protocol,
    /// Whether batch frames were offered.
    pub(crate) offer_batch: bool,
    /// Whether the child may be sent heartbeats.
    pub(crate) heartbeat: bool,
    /// Whether a spout is told that it is active.
    pub(crate) activation: bool,
    /// Whether the child is told task ids before it asks.
    pub(crate) ids_ahead: bool,
    /// Storm's `next` commands that a spout may have to answer.
    pub(crate) nexts: usize,
    /// Tuples given and not yet taken.
    pub(crate) max_in_flight: u64,
    /// How long a bolt may work on one tuple.
    pub(crate) tuple_timeout: Option<Duration>,
    /// How long the answer to the handshake may take.
    pub(crate) handshake_timeout: Duration,
    /// How long the child may be silent.
    pub(crate) heartbeat_timeout: Duration,
    /// `topology.message_timeout`.
    pub(crate) message_timeout: Duration,
    /// The period of ticks.
    pub(crate) tick: Option<Duration>,
    /// How numbers are written to it.
    pub(crate) numbers: Numbers,
}

/// Why a child is given up and started again. Fits behind the child's command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No answer to the handshake.
    #[error("did not answer the handshake within {}", show_duration(*.0))]
    NoHandshake(Duration),
    /// It has answered, and its component is not open yet.
    #[error(
        "did not open its component within its `handshake_timeout` of {}: open() hangs, or the time is too short",
        show_duration(*.0)
    )]
    NotStarted(Duration),
    /// No output and no answer to a heartbeat or command.
    #[error("was silent for {}: it neither wrote anything nor answered", show_duration(*.0))]
    Silent(Duration),
    /// One tuple took too long.
    #[error(
        "worked on one tuple for longer than its `timeout` of {}: it hangs, or `timeout` is too short",
        show_duration(*.0)
    )]
    TupleTimeout(Duration),
    /// Output without an end.
    #[error("{0}")]
    Framing(#[from] FramingError),
    /// A message of a known form whose inside is not what the form says.
    #[error("sent a malformed message: {0}")]
    Malformed(#[from] JsonError),
    /// A spout's message that cannot be sent on.
    #[error("emitted what its streams do not take: {0}")]
    Refused(String),
}
