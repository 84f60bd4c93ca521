//! Messages that wait to be given out again, and the ones that are given up. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::{Backoff, StreamIdx, TaskId, Timestamp};
use crate::component::MessageId;
use crate::metrics::FailReason;
use crate::topology::RetryPolicy;
use crate::tuple::{Flags, Values};

use super::history::History;

/// A spout message as the engine keeps it until its tree is done. There may be millions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) id: MessageId,
    pub(crate) values: Values,
    pub(crate) stream: StreamIdx,
    /// Which life of the spout's component emitted it.
    pub(crate) life: u32,
    /// When it was first emitted.
    pub(crate) first: Timestamp,
    particulars: Option<Box<Particulars>>,
}

/// What few messages have: those of direct streams, and those that have failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Particulars {
    pub(crate) direct: Option<TaskId>,
    pub(crate) flags: Flags,
    /// How many failures count against `retry.max`.
    pub(crate) spent: u32,
    /// How many times it has failed at all.
    pub(crate) failures: u32,
    /// Its failures, where they are wanted.
    pub(crate) history: Option<Box<History>>,
    /// It is a message's dead letter, on its stream: it is given out again until that succeeds.
    pub(crate) is_letter: bool,
}

static ORDINARY: Particulars = Particulars {
    direct: None,
    flags: Flags(0),
    spent: 0,
    failures: 0,
    history: None,
    is_letter: false,
};

impl Kept {
    /// A message of a component's `life` that goes on a stream, or on a direct one to a task.
    #[inline]
    pub(crate) fn fresh(
        id: MessageId,
        (stream, direct): (StreamIdx, Option<TaskId>),
        values: Values,
        first: Timestamp,
        life: u32,
    ) -> Self {
        let particulars =
            direct.map(|_| Box::new(Particulars { direct, ..Particulars::default() }));
        Self { id, values, stream, life, first, particulars }
    }

    /// The dead letter of a message, which is given out in its place.
    pub(crate) fn letter(self, stream: StreamIdx, values: Values) -> Self {
        let letter = Particulars { is_letter: true, ..Particulars::default() };
        Self { values, stream, particulars: Some(Box::new(letter)), ..self }
    }

    /// What it has and most have not.
    #[inline]
    pub(crate) fn particulars(&self) -> &Particulars {
        self.particulars.as_deref().unwrap_or(&ORDINARY)
    }

    /// The same, to be changed.
    pub(crate) fn particulars_mut(&mut self) -> &mut Particulars {
        self.particulars.get_or_insert_default()
    }
}

struct Due {
    at: Timestamp,
    number: u64,
    kept: Kept,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What to do with a failed message.
#[derive(Debug, PartialEq)]
pub(crate) enum Fate {
    /// It will be given out again.
    Retry,
    /// Its retries are spent.
    DeadLetter(Kept),
}

/// Failed messages in the order in which they are due.
pub(crate) struct Replays {
    policy: RetryPolicy,
    heap: BinaryHeap<Reverse<Due>>,
    numbers: u64,
}

impl Replays {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, heap: BinaryHeap::new(), numbers: 0 }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes a failed message. What its component did itself (a fail, a death while alone, a
    /// time-out) or was done as the file says (a tuple shed) spends the budget and backs off; what befell
    /// it (another tuple's death, a lost worker, a disk that is full) does neither.
    pub(crate) fn failed(
        &mut self,
        mut kept: Kept,
        reason: FailReason,
        now: Timestamp,
        jitter: f64,
    ) -> Fate {
        let spends = match reason {
            FailReason::Explicit
            | FailReason::DiedAlone
            | FailReason::TimedOut
            | FailReason::Shed => true,
            FailReason::Died | FailReason::WorkerLost | FailReason::Restarted => false,
        };
        let known = kept.particulars_mut();
        known.flags = known.flags.union(match reason {
            // Most deaths are nobody's fault, so what was there once goes on in company.
            FailReason::Died if known.flags.contains(Flags::WITNESS) => Flags::SUSPECT,
            FailReason::Died => Flags::WITNESS,
            FailReason::DiedAlone => Flags::SUSPECT.union(Flags::CONVICTED),
            _ => Flags::default(),
        });
        known.failures += 1;
        known.spent += u32::from(spends);
        let (spent, is_letter) = (known.spent, known.is_letter);
        if !is_letter && self.policy.max.is_some_and(|max| spent > max) {
            return Fate::DeadLetter(kept);
        }
        let at = if spends { now + self.delay(spent, jitter) } else { now };
        self.put(kept, at);
        Fate::Retry
    }

    /// Puts a message in, due at `at`.
    pub(crate) fn put(&mut self, kept: Kept, at: Timestamp) {
        self.numbers += 1;
        self.heap.push(Reverse(Due { at, number: self.numbers, kept }));
    }

    /// The next message that is due.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Kept> {
        if self.heap.peek().is_some_and(|Reverse(due)| due.at <= now) {
            return self.heap.pop().map(|Reverse(due)| due.kept);
        }
        None
    }

    /// When the next message is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    fn delay(&self, spent: u32, jitter: f64) -> std::time::Duration {
        let mut backoff = Backoff::new(self.policy.backoff_least, self.policy.backoff_greatest);
        for _ in 1..spent.min(32) {
            backoff.next_delay(jitter);
        }
        backoff.next_delay(jitter)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smallvec::smallvec;

    use super::*;

    fn kept(id: u64) -> Kept {
        Kept::fresh(MessageId(id), (StreamIdx(0), None), smallvec![], Timestamp(0), 0)
    }

    fn replays(max: Option<u32>) -> Replays {
        Replays::new(RetryPolicy {
            max,
            backoff_least: Duration::from_nanos(100),
            backoff_greatest: Duration::from_micros(1),
            dead_letter: None,
        })
    }

    #[test]
    fn explicit_fails_back_off_and_spend_the_budget() {
        let mut replays = replays(Some(2));
        let mut message = kept(1);
        for (at, expected) in [(0, 100), (200, 400)] {
            let fate = replays.failed(message, FailReason::Explicit, Timestamp(at), 1.0);
            assert_eq!(fate, Fate::Retry);
            assert_eq!(replays.next_due(), Some(Timestamp(expected)));
            assert_eq!(replays.due(Timestamp(expected - 1)), None);
            message = replays.due(Timestamp(expected)).unwrap();
        }
        let fate = replays.failed(message, FailReason::TimedOut, Timestamp(0), 1.0);
        assert!(matches!(fate, Fate::DeadLetter(kept) if kept.particulars().spent == 3));
    }

    #[test]
    fn a_dead_letter_on_its_stream_is_never_given_up() {
        let mut replays = replays(Some(0));
        let mut letter = kept(1).letter(StreamIdx(1), smallvec![]);
        for _ in 0..10 {
            let fate = replays.failed(letter, FailReason::Explicit, Timestamp(0), 1.0);
            assert_eq!(fate, Fate::Retry);
            letter = replays.due(Timestamp(u64::MAX)).unwrap();
        }
    }

    #[test]
    fn what_befell_a_message_costs_it_nothing_and_makes_it_suspect_the_second_time() {
        let mut replays = replays(Some(0));
        let unharmed = [FailReason::WorkerLost, FailReason::Restarted];
        let mut message = kept(1);
        for (reason, flags) in [
            (unharmed[0], Flags::default()),
            (unharmed[1], Flags::default()),
            (FailReason::Died, Flags::WITNESS),
            (unharmed[0], Flags::WITNESS),
            (FailReason::Died, Flags::WITNESS.union(Flags::SUSPECT)),
        ] {
            assert_eq!(replays.failed(message, reason, Timestamp(5), 1.0), Fate::Retry);
            message = replays.due(Timestamp(5)).unwrap();
            let known = message.particulars();
            assert_eq!((known.flags, known.spent), (flags, 0), "{reason:?}");
        }
        let fate = replays.failed(kept(1), FailReason::DiedAlone, Timestamp(5), 1.0);
        let Fate::DeadLetter(kept) = fate else { panic!("{fate:?}") };
        assert!(kept.particulars().flags.contains(Flags::SUSPECT.union(Flags::CONVICTED)));
    }
}
