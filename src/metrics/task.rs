//! A task's counters: written by its loop alone, read by the reporter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::names::{by_drop_reason, by_fail_reason};
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
            $($(#[$doc])* #[serde(default)] pub $field: u64,)*
            /// Failed roots by [`FailReason`], in its order.
            #[serde(default, with = "by_fail_reason")]
            pub failed_by: Vec<u64>,
            /// Dropped things by [`DropReason`], in its order.
            #[serde(default, with = "by_drop_reason")]
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
    /// Messages of spouts, and final results of bolts, that were given out again.
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
    /// Gauge: final results of a bolt that are not done.
    open_finals,
    /// Gauge: bytes waiting in the mailbox.
    queued_bytes,
    /// Gauge: 1 where the component keeps something in memory that a restart would lose.
    keeps_memory,
    /// Nanoseconds in which the task had work, or its child or disk had.
    busy_ns,
    /// Nanoseconds in which the task waited for room downstream.
    blocked_ns,
    /// Nanoseconds in which the task had nothing to do.
    idle_ns,
}

fn add_each(sums: &mut Vec<u64>, more: &[u64]) {
    sums.resize(sums.len().max(more.len()), 0);
    for (sum, count) in sums.iter_mut().zip(more) {
        *sum += count;
    }
}

impl TaskSnapshot {
    /// How many things were dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped_by.get(reason as usize).copied().unwrap_or(0)
    }

    /// The parts of the time so far, of 1, that the task was busy, blocked and idle; none before its
    /// loop has begun.
    pub fn time(&self) -> Option<[f64; 3]> {
        let spans = [self.busy_ns, self.blocked_ns, self.idle_ns].map(|nanos| nanos as f64);
        let all: f64 = spans.iter().sum();
        (all > 0.0).then(|| spans.map(|span| span / all))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_in_json_by_name() {
        let counters = TaskCounters::default();
        counters.count_dropped(DropReason::DropOldest, 7);
        counters.count_failed(FailReason::Shed);
        let snapshot = counters.snapshot();
        let json = serde_json::to_value(&snapshot).unwrap();
        assert_eq!(json["dropped_by"], serde_json::json!({ "drop_oldest": 7 }));
        assert_eq!(json["failed_by"], serde_json::json!({ "shed": 1 }));
        assert_eq!(serde_json::from_value::<TaskSnapshot>(json).unwrap(), snapshot);
    }

    #[test]
    fn parts_of_the_time_are_of_all_tasks_together() {
        let task = |busy_ns, blocked_ns, idle_ns| TaskSnapshot {
            busy_ns,
            blocked_ns,
            idle_ns,
            ..TaskSnapshot::default()
        };
        let mut both = task(50, 0, 50);
        both.add(&task(0, 100, 0));
        assert_eq!(both.time(), Some([0.25, 0.5, 0.25]));
        assert_eq!(task(0, 0, 0).time(), None);
    }
}
