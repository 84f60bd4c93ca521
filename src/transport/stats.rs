//! What a transport counts. Written by its loops and its callers, read by the reporter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::base::{BootId, WorkerSlot};

/// Parts of tuples that will not reach their peer, because it is gone. (Acks wait for its successor.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Parts queued, and parts sent that the peer had not said it took.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What one peer's two links have carried, both directions.
        #[derive(Debug, Default)]
        pub(super) struct Counters { $($(#[$doc])* pub(super) $field: AtomicU64,)* }

        /// One peer's links at one moment. Counters grow over all lives of the peer; the last four
        /// are gauges, in bytes.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct PeerStats {
            /// The peer.
            pub slot: WorkerSlot,
            /// Which life of it is sent to; `None` while sending to it is refused.
            pub boot: Option<BootId>,
            $($(#[$doc])* pub $field: u64,)*
            /// Data and acks that wait for the link.
            pub queued_bytes: u64,
            /// Sent and not yet taken by the peer's process.
            pub in_flight_bytes: u64,
            /// Credit spent: not yet taken by the peer's tasks, wherever it is.
            pub spent_credit_bytes: u64,
            /// Received from the peer and not yet taken by this worker's tasks.
            pub held_bytes: u64,
        }

        impl Counters {
            /// Copies the counters.
            pub(super) fn fill(&self, stats: &mut PeerStats) {
                $(stats.$field += self.$field.load(Relaxed);)*
            }
        }
    };
}

counters! {
    /// Parts put on the link, repetitions not counted.
    sent_parts,
    /// Their bytes.
    sent_bytes,
    /// Batches put on the link, repetitions not counted.
    sent_batches,
    /// Batches sent again on a new connection.
    resent_batches,
    /// Parts that were dropped because the peer is gone.
    dropped_parts,
    /// Their bytes.
    dropped_bytes,
    /// Connections that the peer welcomed.
    connections,
    /// Parts taken from the peer.
    received_parts,
    /// Their bytes.
    received_bytes,
    /// Batches taken from the peer.
    received_batches,
    /// Batches that came again, or late on a former connection, and were dropped.
    repeated_batches,
    /// Messages that should not have come, or not so, and were dropped.
    protocol_errors,
}

impl Counters {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }
}

/// All of a transport at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportStats {
    /// By slot.
    pub peers: Vec<PeerStats>,
    /// Messages and connections that nobody known can have meant, and that were dropped.
    pub garbage: u64,
}
