//! What is to happen, in the order of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::{Incarnation, Timestamp, WorkerSlot};
use crate::control::{FromWorker, ToWorker};
use crate::transport::simulated::Parcel;

use super::books::Life;
use super::faults::Fault;

/// One thing that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// A task's loop goes round; the number tells whether that is still wanted, the flag whether its
    /// doorbell began it.
    Turn(Life, usize, u64, bool),
    /// A child looks at its input.
    Child(Life, usize, u64),
    /// Children's loops look at their time-outs.
    Pulse(Life),
    /// A frame arrives at the end of a wire, which had carried so many bytes with it.
    Forward(u64, u64, Parcel),
    /// An answer arrives at the beginning of a wire.
    Back(u64, u64, Parcel),
    /// A worker connects to a peer.
    Connect(Life, WorkerSlot),
    /// A worker sees that a connection is gone.
    Broken(Life, WorkerSlot, u64),
    /// The heartbeat of a worker's links.
    Heartbeat(Life),
    /// Answers that could wait have waited.
    Answer(Life),
    /// A worker reports.
    Report(Life),
    /// A worker's message reaches the supervisor.
    Up(Life, FromWorker),
    /// The supervisor's message reaches a worker.
    Down(Life, ToWorker),
    /// A worker's process begins.
    Boot(WorkerSlot, Incarnation),
    /// A worker's process ends.
    Die(Life),
    /// The supervisor sees that it has.
    Exited(Life),
    /// The supervisor looks at the time.
    Tick,
    /// The time given with `--for` is up.
    TimeIsUp,
    /// Somebody has mended what the run was paused for.
    Resume,
    /// Something goes wrong.
    Fault(Fault),
}

struct Entry {
    at: Timestamp,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The queue of events; those of one time in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    numbers: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at: Timestamp, event: Event) {
        self.numbers += 1;
        self.heap.push(Reverse(Entry { at, number: self.numbers, event }));
    }

    /// Forgets all but what goes wrong from outside.
    pub(super) fn keep_faults(&mut self) {
        self.heap.retain(|Reverse(entry)| matches!(entry.event, Event::Fault(_)));
    }

    pub(super) fn next(&mut self) -> Option<(Timestamp, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}
