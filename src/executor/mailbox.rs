//! What waits in front of a task: deliveries in order, acks and control beside them.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::ack::{AckBatch, WorkerView};
use crate::base::{Signal, TaskId, Timestamp, WorkerSlot, now};
use crate::tuple::Tuple;

use super::Mark;

/// Something that came by the data lane.
#[derive(Debug)]
pub enum Delivery {
    /// Tuples of one task of this worker.
    Tuples(Vec<Tuple>),
    /// A part from another worker: encoded tuples of one task, or a mark.
    Part(WorkerSlot, Bytes),
    /// A mark of a task of this worker.
    Mark(TaskId, Mark),
}

/// An order to a task's loop.
#[derive(Clone, Debug)]
pub enum Control {
    /// Spouts: produce.
    Activate,
    /// Spouts: no more input, as if exhausted.
    StopInput,
    /// Spouts: no input for now; what is open stays open.
    Pause,
    /// The run goes on: budgets are fresh, what was given up starts again, spouts produce again.
    Resume,
    /// Bolts: show where the component has stopped.
    ShowStacks,
    /// Bolts: start the component again, for this reason.
    Restart(String),
    /// Spouts: every tuple of the run is done; send the end mark.
    End,
    /// Another worker is gone; its successor is not there yet. The view counts the successor.
    PeerLost(WorkerSlot, WorkerView),
    /// Another worker's successor is there.
    PeerReplaced(WorkerSlot),
}

/// So many batches of acks are not left without a ring.
const ACKS_LEFT: usize = 32;

#[derive(Debug, Default)]
struct Inside {
    data: VecDeque<Queued>,
    /// Bytes of local deliveries; parts are bounded by the link's credit.
    local_bytes: usize,
    acks: Vec<AckBatch>,
    control: Vec<Control>,
    waiters: Vec<Signal>,
    gathering: Vec<(Gathering, Signal)>,
}

/// Whether a producer gathers behind what waits in a mailbox, and is rung when the task has done that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathering(Arc<AtomicBool>);

#[derive(Debug)]
struct Queued {
    delivery: Delivery,
    weight: usize,
    since: Timestamp,
}

/// The queue in front of one task, bounded in bytes for the producers of its own worker; those of
/// other workers are bounded by credit.
#[derive(Debug)]
pub struct Mailbox {
    inside: Mutex<Inside>,
    signal: Signal,
    limit: usize,
    /// Bytes that wait; written under the lock alone, as is the next.
    bytes: AtomicUsize,
    /// When the delivery at the head came, in nanoseconds; 0 where nothing waits.
    head_since: AtomicU64,
    /// Whether there are acks, orders, producers that gather: a turn looks for each, and mostly there are
    /// none.
    has_acks: AtomicBool,
    has_control: AtomicBool,
    has_gathering: AtomicBool,
}

impl Mailbox {
    /// A mailbox for `limit` bytes from local producers, which rings `signal`.
    pub fn new(limit: usize, signal: Signal) -> Self {
        Self {
            inside: Mutex::default(),
            signal,
            limit,
            bytes: AtomicUsize::new(0),
            head_since: AtomicU64::new(0),
            has_acks: AtomicBool::new(false),
            has_control: AtomicBool::new(false),
            has_gathering: AtomicBool::new(false),
        }
    }

    /// The doorbell of the task's loop.
    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// Puts in a local producer's delivery of `weight` bytes. An empty mailbox takes any weight.
    ///
    /// # Errors
    /// Gives the delivery back where it does not fit; `waiter` is rung when there is room.
    pub fn push(&self, delivery: Delivery, weight: usize, waiter: &Signal) -> Result<(), Delivery> {
        let mut inside = self.lock();
        if inside.local_bytes > 0 && inside.local_bytes + weight > self.limit {
            if !inside.waiters.iter().any(|other| other.is_same(waiter)) {
                inside.waiters.push(waiter.clone());
            }
            return Err(delivery);
        }
        inside.local_bytes += weight;
        self.enqueue(inside, delivery, weight);
        Ok(())
    }

    /// Puts in a part from another worker, whose sender had credit for it.
    pub fn push_part(&self, from: WorkerSlot, part: Bytes) {
        let weight = part.len();
        self.enqueue(self.lock(), Delivery::Part(from, part), weight);
    }

    /// Whether something waits, so that a producer may gather behind it. If so, `waiter` is rung when the
    /// task looks for more and finds nothing.
    #[inline]
    pub(crate) fn is_busy(&self, gathering: &Gathering, waiter: &Signal) -> bool {
        // The producer's own flag is asked first: it seldom changes, while the mailbox often does.
        gathering.0.load(Acquire) || !self.is_empty() && self.note_gathering(gathering, waiter)
    }

    fn note_gathering(&self, gathering: &Gathering, waiter: &Signal) -> bool {
        let mut inside = self.lock();
        let busy = !inside.data.is_empty();
        if busy {
            gathering.0.store(true, Relaxed);
            inside.gathering.push((gathering.clone(), waiter.clone()));
            self.has_gathering.store(true, Release);
        }
        busy
    }

    fn enqueue(&self, mut inside: MutexGuard<'_, Inside>, delivery: Delivery, weight: usize) {
        let since = now();
        if inside.data.is_empty() {
            self.head_since.store(since.0.max(1), Relaxed);
        }
        inside.data.push_back(Queued { delivery, weight, since });
        self.bytes.store(self.bytes.load(Relaxed) + weight, Relaxed);
        let first = inside.data.len() == 1;
        drop(inside);
        if first {
            self.signal.ring();
        }
    }

    /// Takes the delivery at the head. Where there is none, producers that gather are rung.
    pub fn take(&self) -> Option<Delivery> {
        // What comes from here on rings.
        if self.head_since.load(Acquire) == 0 && !self.has_gathering.load(Acquire) {
            return None;
        }
        let mut inside = self.lock();
        let Some(queued) = inside.data.pop_front() else {
            let gathering = std::mem::take(&mut inside.gathering);
            self.has_gathering.store(false, Release);
            drop(inside);
            for (gathering, waiter) in gathering {
                gathering.0.store(false, Release);
                waiter.ring();
            }
            return None;
        };
        self.bytes.store(self.bytes.load(Relaxed) - queued.weight, Relaxed);
        let head = inside.data.front().map_or(0, |next| next.since.0.max(1));
        self.head_since.store(head, Relaxed);
        if !matches!(queued.delivery, Delivery::Part(..)) {
            inside.local_bytes -= queued.weight;
        }
        let waiters = std::mem::take(&mut inside.waiters);
        drop(inside);
        for waiter in waiters {
            waiter.ring();
        }
        Some(queued.delivery)
    }

    /// Puts in acks; they never wait for room.
    pub fn push_acks(&self, batch: AckBatch) {
        self.put_acks(batch);
        self.signal.ring();
    }

    /// Puts in acks of which none completes a tree. Those that do come later, and ring for both.
    pub(crate) fn leave_acks(&self, batch: AckBatch) {
        if self.put_acks(batch) >= ACKS_LEFT {
            self.signal.ring();
        }
    }

    /// Rings where acks wait.
    pub(crate) fn ring_for_acks(&self) {
        if self.has_acks.load(Acquire) {
            self.signal.ring();
        }
    }

    fn put_acks(&self, batch: AckBatch) -> usize {
        let mut inside = self.lock();
        inside.acks.push(batch);
        self.has_acks.store(true, Release);
        inside.acks.len()
    }

    /// Takes all acks.
    pub fn take_acks(&self, into: &mut Vec<AckBatch>) {
        if self.has_acks.load(Acquire) {
            let mut inside = self.lock();
            self.has_acks.store(false, Release);
            into.append(&mut inside.acks);
        }
    }

    /// Puts in an order.
    pub fn push_control(&self, control: Control) {
        let mut inside = self.lock();
        inside.control.push(control);
        self.has_control.store(true, Release);
        drop(inside);
        self.signal.ring();
    }

    /// Takes all orders.
    pub fn take_control(&self) -> Vec<Control> {
        if !self.has_control.load(Acquire) {
            return Vec::new();
        }
        let mut inside = self.lock();
        self.has_control.store(false, Release);
        std::mem::take(&mut inside.control)
    }

    /// Whether nothing waits in the data lane.
    pub fn is_empty(&self) -> bool {
        self.head_since.load(Relaxed) == 0
    }

    /// Bytes that wait in the data lane.
    pub fn queued_bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Since when the delivery at the head has waited.
    pub(crate) fn head_since(&self) -> Option<Timestamp> {
        Some(Timestamp(self.head_since.load(Relaxed))).filter(|since| since.0 > 0)
    }

    /// How long the delivery at the head has waited.
    pub fn head_age(&self, now: Timestamp) -> Duration {
        self.head_since().map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Bytes and deliveries that wait and came from tasks of the same worker.
    #[cfg(test)]
    pub(crate) fn local_load(&self) -> (usize, usize) {
        let inside = self.lock();
        let local = |queued: &&Queued| matches!(queued.delivery, Delivery::Tuples(_));
        (inside.local_bytes, inside.data.iter().filter(local).count())
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn mark() -> Delivery {
        Delivery::Mark(TaskId(1), Mark::Drain)
    }

    #[tokio::test]
    async fn a_full_mailbox_refuses_and_rings_when_there_is_room() {
        let mailbox = Mailbox::new(100, Signal::new());
        let producer = Signal::new();
        assert!(mailbox.push(mark(), 60, &producer).is_ok());
        assert!(mailbox.push(mark(), 60, &producer).is_err());
        assert!(mailbox.take().is_some());
        producer.wait().await;
        assert!(mailbox.push(mark(), 60, &producer).is_ok());
    }

    #[test]
    fn acks_that_complete_nothing_ring_once_there_are_many() {
        let mailbox = Mailbox::new(100, Signal::new());
        let batch = || AckBatch::new(WorkerView::new([]));
        let rung = || {
            let mut context = Context::from_waker(Waker::noop());
            pin!(mailbox.signal().wait()).poll(&mut context).is_ready()
        };
        (1..ACKS_LEFT).for_each(|_| mailbox.leave_acks(batch()));
        assert!(!rung());
        mailbox.leave_acks(batch());
        assert!(rung());
        let mut all = Vec::new();
        mailbox.take_acks(&mut all);
        assert_eq!(all.len(), ACKS_LEFT);
        mailbox.push_acks(batch());
        assert!(rung());
    }

    #[tokio::test]
    async fn who_gathers_is_rung_when_the_task_finds_nothing_more() {
        let mailbox = Mailbox::new(100, Signal::new());
        let (producer, gathering) = (Signal::new(), Gathering::default());
        assert!(!mailbox.is_busy(&gathering, &producer));
        for _ in 0..2 {
            assert!(mailbox.push(mark(), 10, &producer).is_ok());
        }
        for _ in 0..2 {
            assert!(mailbox.is_busy(&gathering, &producer));
        }
        assert_eq!(mailbox.lock().gathering.len(), 1);
        for _ in 0..2 {
            assert!(mailbox.take().is_some());
            assert!(mailbox.is_busy(&gathering, &producer));
        }
        assert!(mailbox.take().is_none());
        producer.wait().await;
        assert!(!mailbox.is_busy(&gathering, &producer));
    }

    #[test]
    fn an_empty_mailbox_takes_what_is_larger_than_its_bound() {
        let mailbox = Mailbox::new(100, Signal::new());
        assert!(mailbox.push(mark(), 5_000, &Signal::new()).is_ok());
        assert!(mailbox.push(mark(), 1, &Signal::new()).is_err());
        assert_eq!(mailbox.queued_bytes(), 5_000);
    }

    #[test]
    fn parts_from_other_workers_do_not_use_up_the_local_bound() {
        let mailbox = Mailbox::new(100, Signal::new());
        mailbox.push_part(WorkerSlot(1), Bytes::from_static(&[0; 90]));
        assert!(mailbox.push(mark(), 90, &Signal::new()).is_ok());
        assert!(matches!(mailbox.take(), Some(Delivery::Part(..))));
        assert!(matches!(mailbox.take(), Some(Delivery::Mark(..))));
        assert!(mailbox.is_empty());
        assert_eq!(mailbox.queued_bytes(), 0);
    }
}
