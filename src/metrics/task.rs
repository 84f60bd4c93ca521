//! A task's counters: written by its loop alone, read by the reporter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::{DropReason, FailReason, Latency, LatencySummary};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Counters of one task. All only grow, but for the gauges that say so.
        #[derive(Debug, Default)]
        pub struct TaskCounters {
            $($(#[$doc])* pub $field: AtomicU64,)*
            /// Failed roots by [`FailReason`].
            pub failed_by: [AtomicU64; FailReason::ALL.len()],
            /// Dropped things by [`DropReason`].
            pub dropped_by: [AtomicU64; DropReason::ALL.len()],
            /// Spouts: emit to ack of the whole tree. Bolts: time in `execute`, or from giving a
            /// tuple to a child until its answer.
            pub latency: Latency,
        }

        /// What a task's counters showed at one moment.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct TaskSnapshot {
            $($(#[$doc])* pub $field: u64,)*
            /// Failed roots by [`FailReason`], in its order.
            pub failed_by: Vec<u64>,
            /// Dropped things by [`DropReason`], in its order.
            pub dropped_by: Vec<u64>,
            /// Latency so far.
            pub latency: LatencySummary,
        }

        impl TaskCounters {
            /// The counters now.
            pub fn snapshot(&self) -> TaskSnapshot {
                TaskSnapshot {
                    $($field: self.$field.load(Relaxed),)*
                    failed_by: self.failed_by.iter().map(|count| count.load(Relaxed)).collect(),
                    dropped_by: self.dropped_by.iter().map(|count| count.load(Relaxed)).collect(),
                    latency: self.latency.summary(),
                }
            }
        }

        impl TaskSnapshot {
            /// Adds another task's counters; latencies are merged.
            pub fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
                add_each(&mut self.failed_by, &other.failed_by);
                add_each(&mut self.dropped_by, &other.dropped_by);
                self.latency.merge(&other.latency);
            }
        }
    };
}

counters! {
    /// Tuples emitted, replays included.
    emitted,
    /// Copies of emitted tuples handed to consuming tasks.
    transferred,
    /// Tuples taken from the mailbox.
    executed,
    /// Bolts: tuples acked. Spouts: roots whose tree is complete.
    acked,
    /// Bolts: tuples failed. Spouts: roots failed.
    failed,
    /// Spouts: emissions that were given out again.
    replayed,
    /// Spouts: messages put aside because their retries were spent.
    dead_letters,
    /// Spouts: time-outs put off because a task downstream had a full mailbox.
    timeouts_deferred,
    /// How often the component was started again.
    restarts,
    /// Errors that the component reported.
    errors,
    /// Gauge: roots open (spouts) or tuples held (bolts).
    pending,
    /// Gauge: bytes waiting in the mailbox.
    queued_bytes,
    /// Gauge: 1 where the component keeps something in memory that a restart would lose.
    keeps_memory,
}

fn add_each(sums: &mut Vec<u64>, more: &[u64]) {
    sums.resize(sums.len().max(more.len()), 0);
    for (sum, count) in sums.iter_mut().zip(more) {
        *sum += count;
    }
}

impl TaskCounters {
    /// Adds to a counter. One loop writes each counter, so a plain load and store is enough.
    #[inline]
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// Counts a failed root.
    pub fn count_failed(&self, reason: FailReason) {
        Self::add(&self.failed, 1);
        Self::add(&self.failed_by[reason as usize], 1);
    }

    /// Counts something dropped; any thread may.
    pub fn count_dropped(&self, reason: DropReason, count: u64) {
        self.dropped_by[reason as usize].fetch_add(count, Relaxed);
    }
}
