//! How executors send: a handle to one peer. It never waits.

use std::sync::Arc;

use crate::base::{Signal, TaskId, WorkerSlot};

use super::Lane;
use super::peer::Peer;

/// A part that was not taken, given back as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No credit, or no room in the ack queue; the waiter is rung when there may be.
    Full(Vec<u8>),
    /// The peer is gone, and no other is set in its place.
    Gone(Vec<u8>),
    /// Empty, or larger than any part may be: it will never be taken.
    BadSize(Vec<u8>),
}

impl Refused {
    /// The part.
    pub fn into_part(self) -> Vec<u8> {
        match self {
            Self::Full(part) | Self::Gone(part) | Self::BadSize(part) => part,
        }
    }
}

/// Sends to one peer, whichever life of it is current. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound(pub(super) Arc<Peer>);

impl Outbound {
    /// The peer.
    pub fn slot(&self) -> WorkerSlot {
        self.0.slot
    }

    /// Queues a part for a task, and spends as many bytes of this worker's credit there. A part larger
    /// than the whole credit goes when all of it is free. Never waits.
    ///
    /// # Errors
    /// The part comes back untouched. After [`Refused::Full`] the waiter is rung once: when the task has
    /// given credit back, or when the peer is replaced or removed.
    pub fn try_send(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused> {
        self.0.offer(Lane::Data, task, part, waiter)
    }

    /// Queues acks for a task. They wait for no tuple credit; only the link's own small ack queue
    /// bounds them. Never waits.
    ///
    /// # Errors
    /// As [`Self::try_send`]; the waiter is rung when the ack queue has been emptied.
    pub fn try_send_acks(
        &self,
        task: TaskId,
        part: Vec<u8>,
        waiter: &Signal,
    ) -> Result<(), Refused> {
        self.0.offer(Lane::Ack, task, part, waiter)
    }
}
