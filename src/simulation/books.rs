//! The bytes on every link, counted where they go in and where they are taken off.
//!
//! Nothing here asks the engine's own accounts.

use std::collections::{HashMap, VecDeque};

use crate::base::{TaskId, WorkerSlot};
use crate::transport::Lane;

/// A worker's life.
pub(super) type Life = (WorkerSlot, u32);

/// One life of a worker that sends to one life of another.
type Pair = (Life, Life);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) credit: u64,
    pub(super) window: u64,
    pub(super) ack_window: u64,
}

#[derive(Debug, Default)]
struct Carried {
    last: u64,
    bytes: u64,
    delivered: u64,
    largest: [u64; 2],
}

/// The accounts.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) violations: Vec<String>,
    limits: Limits,
    /// Bytes that a consuming task has not taken.
    outstanding: HashMap<(Pair, TaskId), u64>,
    carried: HashMap<Pair, Carried>,
    /// Parts in mailboxes: of which life of the sender, and how long.
    held: HashMap<(Life, WorkerSlot, TaskId), VecDeque<(u32, u64)>>,
    /// Which life of a peer a worker sends to.
    peers: HashMap<(Life, WorkerSlot), u32>,
    successors: HashMap<(Life, WorkerSlot), u32>,
    /// Whose frame is being taken.
    pub(super) sender: Option<Life>,
    /// The most that was ever outstanding to one task.
    pub(super) peak: u64,
}

impl Books {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            violations: Vec::new(),
            limits,
            outstanding: HashMap::new(),
            carried: HashMap::new(),
            held: HashMap::new(),
            peers: HashMap::new(),
            successors: HashMap::new(),
            sender: None,
            peak: 0,
        }
    }

    /// A worker hears that a peer is lost: all before this successor is past.
    pub(super) fn lost(&mut self, me: Life, successor: Life) {
        self.successors.insert((me, successor.0), successor.1);
    }

    /// A worker sends to this life from now on, and to begin with the acks that the one before did not take.
    pub(super) fn peer(&mut self, me: Life, peer: Life) {
        let Some(before) = self.peers.insert((me, peer.0), peer.1) else { return };
        let largest = |carried: &Carried| carried.largest[Lane::Ack as usize];
        let acks = self.carried.get(&(me, (peer.0, before))).map_or(0, largest);
        let carried = self.carried.entry((me, peer)).or_default();
        carried.largest[Lane::Ack as usize] = acks.max(largest(carried));
    }

    /// A link has accepted a part.
    pub(super) fn sent(&mut self, me: Life, to: WorkerSlot, task: TaskId, lane: Lane, bytes: u64) {
        let Some(&life) = self.peers.get(&(me, to)) else {
            return self.violations.push(format!("{me:?} sent to {to}, which it does not know"));
        };
        let pair = (me, (to, life));
        let largest = &mut self.carried.entry(pair).or_default().largest[lane as usize];
        *largest = bytes.max(*largest);
        if lane == Lane::Ack {
            return;
        }
        let outstanding = self.outstanding.entry((pair, task)).or_default();
        *outstanding += bytes;
        self.peak = self.peak.max(*outstanding);
        if *outstanding > self.limits.credit && *outstanding != bytes {
            let text = format!(
                "{me:?} has {outstanding} bytes under way to task {task}, its credit is {}",
                self.limits.credit
            );
            self.violations.push(text);
        }
    }

    /// A batch goes on the wire.
    pub(super) fn carried(&mut self, me: Life, to: WorkerSlot, sequence: u64, bytes: u64) {
        let life = self.peers[&(me, to)];
        let carried = self.carried.entry((me, (to, life))).or_default();
        if sequence <= carried.last {
            return; // Again.
        }
        carried.last = sequence;
        carried.bytes += bytes;
        let most = self.limits.window.max(carried.largest[Lane::Data as usize])
            + self.limits.ack_window.max(carried.largest[Lane::Ack as usize]);
        let in_flight = carried.bytes - carried.delivered;
        if in_flight > most {
            let text = format!("{me:?} has {in_flight} bytes in flight to {to}, {most} at most");
            self.violations.push(text);
        }
    }

    /// A part has come out of a link.
    pub(super) fn delivered(&mut self, me: Life, task: TaskId, lane: Lane, bytes: u64) {
        let sender = self.sender.expect("parts come while a frame is taken");
        if self.successors.get(&(me, sender.0)).is_some_and(|life| sender.1 < *life) {
            let text = format!("{me:?} was delivered a part of {sender:?}, which is lost");
            self.violations.push(text);
        }
        let carried = self.carried.entry((sender, me)).or_default();
        carried.delivered += bytes;
        if carried.delivered > carried.bytes {
            self.violations.push(format!("{me:?} was delivered a part of {sender:?} twice"));
        }
        if lane == Lane::Data {
            self.held.entry((me, sender.0, task)).or_default().push_back((sender.1, bytes));
        }
    }

    /// A task has taken a part.
    pub(super) fn taken(&mut self, me: Life, from: WorkerSlot, task: TaskId, bytes: u64) {
        let held = self.held.entry((me, from, task)).or_default();
        let Some((life, length)) = held.pop_front().filter(|(_, length)| *length == bytes) else {
            return self.violations.push(format!("task {task} gave back what it never had"));
        };
        let key = (((from, life), me), task);
        let outstanding = self.outstanding.entry(key).or_default();
        *outstanding = outstanding.saturating_sub(length);
    }

    /// Bytes that wait in a task's mailbox, of all senders.
    pub(super) fn held(&self, me: Life, task: TaskId) -> u64 {
        let mine = self.held.iter().filter(|((life, _, own), _)| *life == me && *own == task);
        mine.flat_map(|(_, parts)| parts).map(|(_, bytes)| bytes).sum()
    }
}
