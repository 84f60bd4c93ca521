//! What the transport tells its worker.

use std::time::Duration;

use bytes::Bytes;

use crate::base::{BootId, TaskId, WorkerSlot};

use super::Lane;

/// Takes what other workers send. The worker implements it.
pub trait Inbound: Send + Sync + 'static {
    /// Takes one part. Must not wait: it runs on the loop that serves all peers.
    ///
    /// `part` is a copy of its own and pins nothing else. Parts of one lane from one life of a worker
    /// come in order, each once. Every [`Lane::Data`] part must be given back by
    /// [`super::Transport::return_credit`] exactly once and in this order, also when it is dropped and
    /// also when its sender is gone by then.
    fn deliver(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes);
}

/// Something that the worker or its supervisor should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// The link to a peer is up (again); nothing was lost on it.
    Connected {
        /// The peer.
        slot: WorkerSlot,
        /// Which life of it.
        boot: BootId,
    },
    /// The link to a peer broke; it is being made anew.
    Disconnected {
        /// The peer.
        slot: WorkerSlot,
        /// Which life of it.
        boot: BootId,
        /// Why.
        reason: String,
    },
    /// A peer has not been heard for `dead_after`; told again each time that span has passed.
    Unresponsive {
        /// The peer.
        slot: WorkerSlot,
        /// Which life of it.
        boot: BootId,
        /// How long it has been silent.
        silent_for: Duration,
        /// What went wrong last, where anything did.
        last_error: Option<String>,
    },
    /// Something came that should not have; it was dropped and counted. Told at most ten times in
    /// ten seconds.
    ProtocolError {
        /// Who sent it, where that is known.
        slot: Option<WorkerSlot>,
        /// What was wrong.
        message: String,
    },
}

/// Where events go. Called from the transport's own loops, so it must not wait.
pub(super) type Events = dyn Fn(TransportEvent) + Send + Sync;
