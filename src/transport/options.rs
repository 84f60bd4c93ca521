//! What a worker says about its transport: its settings, and the address it gives to others.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{BootId, Incarnation, WorkerSlot};

/// Which queue and window a part uses. Parts of one lane stay in order; acks overtake data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Tuples and marks; each spends credit of its consuming task.
    Data = 0,
    /// Acks and fails; they never wait for tuple credit.
    Ack = 1,
}

impl Lane {
    /// Both lanes, the overtaking one first.
    pub(super) const ALL: [Self; 2] = [Self::Ack, Self::Data];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Data),
            1 => Some(Self::Ack),
            _ => None,
        }
    }
}

/// Where one life of a worker process takes what is sent to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// The worker's place in the plan.
    pub slot: WorkerSlot,
    /// Which replacement of that worker it is; a greater one is newer.
    pub incarnation: Incarnation,
    /// The process's own id.
    pub boot: BootId,
    /// `ipc://PATH`, or `tcp://127.0.0.1:PORT`.
    pub endpoint: String,
}

/// What kind of socket a worker binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointKind {
    /// A Unix socket in the endpoint folder.
    #[default]
    Ipc,
    /// A free port on the loopback interface.
    Tcp,
}

/// The settings of a [`super::Transport`]. All workers of a topology use the same sizes.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// This worker's slot.
    pub slot: WorkerSlot,
    /// This process.
    pub boot: BootId,
    /// Which replacement of the slot's worker this process is.
    pub incarnation: Incarnation,
    /// A folder that only this user can enter; made where it is missing.
    pub endpoint_dir: PathBuf,
    /// What to bind.
    pub kind: EndpointKind,
    /// Bytes of data on a link that the receiving process has not yet taken.
    pub window: usize,
    /// Bytes of acks queued on a link, and as many on their way.
    pub ack_window: usize,
    /// Bytes that a batch grows to while the link is busy.
    pub batch_bytes: usize,
    /// Bytes that this worker may have under way to one consuming task.
    pub credit: usize,
    /// How often a link asks its peer for a sign of life.
    pub heartbeat: Duration,
    /// After this long a silence a peer is reported and its connection made anew.
    pub dead_after: Duration,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// Bytes of the largest part.
    pub max_frame: usize,
}

impl TransportOptions {
    /// The defaults, for one life of a worker.
    pub fn new(
        slot: WorkerSlot,
        boot: BootId,
        incarnation: Incarnation,
        endpoint_dir: PathBuf,
    ) -> Self {
        Self {
            slot,
            boot,
            incarnation,
            endpoint_dir,
            kind: EndpointKind::Ipc,
            window: 1 << 20,
            ack_window: 256 << 10,
            batch_bytes: 64 << 10,
            credit: 1 << 20,
            heartbeat: Duration::from_millis(250),
            dead_after: Duration::from_secs(2),
            connect_timeout: Duration::from_millis(200),
            max_frame: 64 << 20,
        }
    }
}
