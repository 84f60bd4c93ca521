//! One producing task's way to one consuming task: everything on it stays in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ack::Touched;
use crate::base::{Signal, TaskId, WorkerSlot};
use crate::topology::{BATCH_BYTES, OnFull};
use crate::tuple::wire::{Reader, WireError, put_tuple, put_varint};
use crate::tuple::{Tuple, Values};

use super::mailbox::Gathering;
use super::{Delivery, Mailbox, Mark};

/// Why a part was not taken.
#[derive(Debug)]
pub enum Refused {
    /// No credit, or no room: the waiter is rung when there is.
    Full(Vec<u8>),
    /// No link takes a part of that size, now or later.
    TooLarge(Vec<u8>),
}

/// The way to another worker. Calls never wait.
pub trait RemoteLink: Send + Sync {
    /// Sends a part to a task there.
    fn try_send(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused>;
    /// Sends acks to a spout task there.
    fn try_send_acks(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused>;
}

/// A local batch closes at this many tuples, or [`BATCH_BYTES`],
const BATCH_TUPLES: usize = 256;
/// and a part for another worker at this many bytes.
const PART_BYTES: usize = BATCH_BYTES / 2;

const PART_TUPLES: u8 = 0;
const PART_MARK: u8 = 1;

pub(crate) enum Destination {
    Local(Arc<Mailbox>),
    Remote(WorkerSlot, Arc<dyn RemoteLink>),
}

enum Load {
    Delivery(Delivery),
    Part(Vec<u8>),
}

/// A batch that waits to be taken, all of it under one policy, or a mark.
struct Closed {
    load: Load,
    on_full: OnFull,
    tuples: usize,
    weight: usize,
}

/// Tuples and marks on their way to one task.
pub(crate) struct Lane {
    task: TaskId,
    destination: Destination,
    touched: Touched,
    open: Vec<Tuple>,
    open_part: Vec<u8>,
    open_bytes: usize,
    open_count: usize,
    open_on_full: OnFull,
    /// Tuples of the batch before this one; on the way to another worker its bytes.
    before: usize,
    closed: VecDeque<Closed>,
    closed_bytes: Bytes,
    /// Bytes that may wait under policies that do not block.
    budget: usize,
    /// The open batch grows behind what the other side has not taken yet.
    gathering: Gathering,
}

/// Bytes under the policy that blocks, and under the others.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    blocking: usize,
    others: usize,
}

impl Bytes {
    fn of(&mut self, on_full: OnFull) -> &mut usize {
        if on_full.blocks() { &mut self.blocking } else { &mut self.others }
    }
}

/// What a flush came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    /// Parts that no link takes.
    pub(crate) too_large: Vec<Vec<u8>>,
}

impl Lane {
    /// A lane on which `budget` bytes may wait under policies that do not block.
    pub(crate) fn new(task: TaskId, destination: Destination, budget: usize) -> Self {
        let touched = match &destination {
            Destination::Local(_) => Touched::default(),
            Destination::Remote(slot, _) => Touched::worker(*slot),
        };
        Self {
            task,
            destination,
            touched,
            open: Vec::new(),
            open_part: Vec::new(),
            open_bytes: 0,
            open_count: 0,
            open_on_full: OnFull::Block,
            before: 0,
            closed: VecDeque::new(),
            closed_bytes: Bytes::default(),
            budget,
            gathering: Gathering::default(),
        }
    }

    /// The consuming task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// The worker that a tuple on this lane touches beside the producer's own.
    #[inline]
    pub(crate) fn touched(&self) -> Touched {
        self.touched
    }

    /// The other worker, where the lane leaves this one.
    pub(crate) fn remote(&self) -> Option<WorkerSlot> {
        match &self.destination {
            Destination::Local(_) => None,
            Destination::Remote(slot, _) => Some(*slot),
        }
    }

    /// Whether nothing has been refused lately.
    pub(crate) fn has_room(&self) -> bool {
        self.closed.is_empty()
    }

    /// Bytes on the lane that the other side has not taken.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.open_bytes + self.closed_bytes.blocking + self.closed_bytes.others
    }

    /// Those of them that hold the producer up.
    pub(crate) fn blocking_bytes(&self) -> usize {
        let open = if self.open_on_full.blocks() { self.open_bytes } else { 0 };
        open + self.closed_bytes.blocking
    }

    /// Whether something was refused and no more may wait under policies that do not block.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        let open = if self.open_on_full.blocks() { 0 } else { self.open_bytes };
        !self.closed.is_empty() && open + self.closed_bytes.others >= self.budget
    }

    /// Whether the lane has to be made ready for a tuple under this policy: always where tuples may
    /// be dropped.
    #[inline]
    pub(crate) fn needs_care(&self, on_full: OnFull) -> bool {
        !on_full.blocks() || !self.open_on_full.blocks()
    }

    /// The policy of the tuples to come; the open batch must fit.
    pub(crate) fn set_policy(&mut self, on_full: OnFull) {
        self.open_on_full = on_full;
    }

    /// Whether a tuple under this policy may join the open batch; if not, a flush comes first.
    pub(crate) fn fits(&self, on_full: OnFull) -> bool {
        self.open_on_full == on_full || self.open_count == 0
    }

    /// Puts a tuple on the lane; true where its batch is full and wants to be flushed.
    #[expect(clippy::inline_always, reason = "what it makes is written where it stays")]
    #[inline(always)]
    pub(crate) fn push(&mut self, tuple: Tuple) -> bool {
        if matches!(self.destination, Destination::Remote(..)) {
            return self.push_remote(&tuple);
        }
        if self.open.len() == self.open.capacity() {
            self.grow();
        }
        self.open_bytes += tuple.weight();
        self.open.push(tuple);
        self.open_count = self.open.len();
        self.open_count >= BATCH_TUPLES || self.open_bytes >= BATCH_BYTES
    }

    /// Room is taken when it is needed, and then for as much as came the last time: what is free again is
    /// still in the caches, while room that is kept on a thousand lanes is not.
    #[inline(never)]
    fn grow(&mut self) {
        let room = match self.open.len() {
            0 => self.before.next_power_of_two().max(4),
            _ => BATCH_TUPLES,
        };
        self.open.reserve_exact(room - self.open.len());
    }

    #[inline(never)]
    fn push_remote(&mut self, tuple: &Tuple) -> bool {
        if self.open_part.is_empty() {
            self.open_part.reserve(self.before);
            self.open_part.push(PART_TUPLES);
        }
        let start = self.open_part.len();
        put_tuple(tuple, &mut self.open_part);
        if self.open_count > 0 && self.open_part.len() - start >= PART_BYTES {
            self.set_apart(start);
        }
        self.open_count += 1;
        self.open_bytes = self.open_part.len();
        self.open_bytes >= PART_BYTES
    }

    /// A large tuple goes alone: where no link takes it, those before it are not refused with it.
    fn set_apart(&mut self, start: usize) {
        let large = self.open_part.split_off(start);
        self.open_bytes = start;
        self.close();
        self.open_part = Vec::with_capacity(large.len() + 1);
        self.open_part.push(PART_TUPLES);
        self.open_part.extend_from_slice(&large);
    }

    /// Puts a mark behind everything on the lane.
    pub(crate) fn push_mark(&mut self, from: TaskId, mark: Mark) {
        self.close();
        let load = match &self.destination {
            Destination::Local(_) => Load::Delivery(Delivery::Mark(from, mark)),
            Destination::Remote(..) => {
                let mut part = vec![PART_MARK];
                put_varint(u64::from(from.0), &mut part);
                part.push(mark.code());
                Load::Part(part)
            }
        };
        self.closed.push_back(Closed { load, on_full: OnFull::Block, tuples: 0, weight: 0 });
    }

    /// Takes back the batch that has waited longest under `drop_oldest`.
    pub(crate) fn take_oldest(&mut self) -> Option<Vec<Tuple>> {
        let is_oldest = |closed: &Closed| closed.on_full == OnFull::DropOldest;
        let place = self.closed.iter().position(is_oldest).or_else(|| {
            self.close();
            self.closed.iter().position(is_oldest)
        })?;
        let closed = self.closed.remove(place)?;
        *self.closed_bytes.of(closed.on_full) -= closed.weight;
        match closed.load {
            Load::Delivery(Delivery::Tuples(tuples)) => Some(tuples),
            Load::Part(part) => match open_part(&part) {
                Ok(Opened::Tuples(tuples)) => Some(tuples),
                _ => unreachable!("a lane reads what it has written"),
            },
            Load::Delivery(_) => unreachable!("only tuples wait under drop_oldest"),
        }
    }

    /// Sends full batches that the other side takes, and an open one where it has nothing: so batches leave
    /// at once for a task that waits, and grow for one that has more than it can do. `waiter` is rung when
    /// there is more to send.
    pub(crate) fn offer(&mut self, waiter: &Signal) -> Flushed {
        let grows = match &self.destination {
            Destination::Local(mailbox) if self.open_count > 0 && self.open_on_full.blocks() => {
                mailbox.is_busy(&self.gathering, waiter)
            }
            _ => false,
        };
        if grows { self.send_closed(waiter) } else { self.flush(waiter) }
    }

    /// Whether nothing is on the lane.
    pub(crate) fn is_clear(&self) -> bool {
        self.open_count == 0 && self.closed.is_empty()
    }

    /// Sends what the other side takes; `waiter` is rung when it takes more.
    pub(crate) fn flush(&mut self, waiter: &Signal) -> Flushed {
        if self.closed.is_empty() && self.send_open(waiter) {
            return Flushed::default();
        }
        self.close();
        self.send_closed(waiter)
    }

    /// Sends the open batch to a task of this worker, where nothing is before it; whether it left.
    #[inline]
    fn send_open(&mut self, waiter: &Signal) -> bool {
        let Destination::Local(mailbox) = &self.destination else { return false };
        if self.open_count == 0 {
            return true;
        }
        let delivery = Delivery::Tuples(std::mem::take(&mut self.open));
        if let Err(refused) = mailbox.push(delivery, self.open_bytes, waiter) {
            let Delivery::Tuples(tuples) = refused else { unreachable!("these were tuples") };
            self.open = tuples;
            return false;
        }
        self.before = self.open_count;
        (self.open_bytes, self.open_count) = (0, 0);
        true
    }

    fn send_closed(&mut self, waiter: &Signal) -> Flushed {
        let mut flushed = Flushed::default();
        while let Some(closed) = self.closed.pop_front() {
            let Closed { load, on_full, tuples, weight } = closed;
            let refused = match (load, &self.destination) {
                (Load::Delivery(delivery), Destination::Local(mailbox)) => {
                    mailbox.push(delivery, weight, waiter).err().map(Load::Delivery)
                }
                (Load::Part(part), Destination::Remote(_, link)) => {
                    match link.try_send(self.task, part, waiter) {
                        Ok(()) => None,
                        Err(Refused::Full(part)) => Some(Load::Part(part)),
                        Err(Refused::TooLarge(part)) => {
                            flushed.too_large.push(part);
                            None
                        }
                    }
                }
                _ => unreachable!("a lane closes batches in its destination's form"),
            };
            if let Some(load) = refused {
                self.closed.push_front(Closed { load, on_full, tuples, weight });
                return flushed;
            }
            *self.closed_bytes.of(on_full) -= weight;
        }
        flushed
    }

    /// Drops all that is on the lane: its worker is gone. Returns how many tuples that were.
    pub(crate) fn discard(&mut self) -> usize {
        let closed = self.closed.iter().map(|closed| closed.tuples);
        let dropped = self.open_count + closed.sum::<usize>();
        self.open.clear();
        self.open_part.clear();
        self.closed.clear();
        (self.open_bytes, self.open_count, self.closed_bytes) = (0, 0, Bytes::default());
        dropped
    }

    fn close(&mut self) {
        if self.open_count == 0 {
            return;
        }
        let (weight, tuples, on_full) = (self.open_bytes, self.open_count, self.open_on_full);
        let load = match &self.destination {
            Destination::Local(_) => {
                self.before = tuples;
                Load::Delivery(Delivery::Tuples(std::mem::take(&mut self.open)))
            }
            Destination::Remote(..) => {
                // One that was set apart is no measure.
                self.before = weight.min(BATCH_BYTES);
                Load::Part(std::mem::take(&mut self.open_part))
            }
        };
        self.closed.push_back(Closed { load, on_full, tuples, weight });
        *self.closed_bytes.of(on_full) += weight;
        (self.open_bytes, self.open_count) = (0, 0);
    }
}

/// What a part holds.
pub(crate) enum Opened {
    Tuples(Vec<Tuple>),
    Mark(TaskId, Mark),
}

/// Reads a part.
pub(crate) fn open_part(bytes: &[u8]) -> Result<Opened, WireError> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        PART_TUPLES => {
            let smallest = size_of::<Values>() / 8;
            let mut tuples = Vec::with_capacity(bytes.len() / (smallest + 20) + 1);
            while !reader.is_empty() {
                tuples.push(reader.tuple()?);
            }
            Ok(Opened::Tuples(tuples))
        }
        PART_MARK => {
            let from = TaskId(reader.u32()?);
            let mark = Mark::from_code(reader.byte()?).ok_or(WireError::Malformed("mark"))?;
            Ok(Opened::Mark(from, mark))
        }
        _ => Err(WireError::Malformed("part")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::base::StreamIdx;
    use crate::tuple::Value;

    use super::*;

    fn tuple(number: i64) -> Tuple {
        Tuple::new(TaskId(1), StreamIdx(0), [Value::Int(number)])
    }

    #[test]
    fn marks_stay_behind_the_tuples_before_them() {
        let signal = Signal::new();
        let mailbox = Arc::new(Mailbox::new(300, signal.clone()));
        let mut lane = Lane::new(TaskId(2), Destination::Local(Arc::clone(&mailbox)), 300);
        lane.push(tuple(1));
        lane.flush(&signal);
        for number in 2..4 {
            lane.push(tuple(number));
        }
        lane.flush(&signal);
        lane.push_mark(TaskId(1), Mark::Drain);
        lane.push(tuple(4));
        let mut seen = Vec::new();
        for _ in 0..10 {
            lane.flush(&signal);
            match mailbox.take() {
                Some(Delivery::Tuples(tuples)) => {
                    seen.extend(tuples.iter().map(|tuple| tuple.values[0].to_json()));
                }
                Some(Delivery::Mark(..)) => seen.push("drain".to_owned()),
                _ => {}
            }
        }
        assert_eq!(seen, ["1", "2", "3", "drain", "4"]);
        assert_eq!(lane.waiting_bytes(), 0);
    }

    /// Takes parts of up to 100,000 bytes.
    #[derive(Default)]
    struct Narrow(Mutex<Vec<Vec<u8>>>);

    impl RemoteLink for Narrow {
        fn try_send(&self, _task: TaskId, part: Vec<u8>, _: &Signal) -> Result<(), Refused> {
            if part.len() > 100_000 {
                return Err(Refused::TooLarge(part));
            }
            self.0.lock().unwrap().push(part);
            Ok(())
        }

        fn try_send_acks(&self, _: TaskId, _: Vec<u8>, _: &Signal) -> Result<(), Refused> {
            Ok(())
        }
    }

    #[test]
    fn a_tuple_that_no_link_takes_takes_no_other_with_it() {
        // What stood in one part with it once failed with it.
        let signal = Signal::new();
        let link = Arc::new(Narrow::default());
        let way = Destination::Remote(WorkerSlot(1), Arc::clone(&link) as Arc<dyn RemoteLink>);
        let mut lane = Lane::new(TaskId(2), way, 300);
        let mut too_large = Vec::new();
        for number in 0..5 {
            let mut tuple = tuple(number);
            if number == 2 {
                tuple.values.push(Value::from("x".repeat(200_000)));
            }
            if lane.push(tuple) {
                too_large.extend(lane.flush(&signal).too_large);
            }
        }
        too_large.extend(lane.flush(&signal).too_large);
        let numbers = |parts: &[Vec<u8>]| -> Vec<String> {
            let opened = parts.iter().flat_map(|part| match open_part(part) {
                Ok(Opened::Tuples(tuples)) => tuples,
                _ => panic!("tuples"),
            });
            opened.map(|tuple| tuple.values[0].to_json()).collect()
        };
        assert_eq!(numbers(&too_large), ["2"]);
        assert_eq!(numbers(&link.0.lock().unwrap()), ["0", "1", "3", "4"]);
        assert_eq!(lane.waiting_bytes(), 0);
    }

    #[test]
    fn parts_read_back() {
        let mut part = vec![PART_TUPLES];
        put_tuple(&tuple(5), &mut part);
        put_tuple(&tuple(6), &mut part);
        let Ok(Opened::Tuples(tuples)) = open_part(&part) else { panic!("tuples") };
        assert_eq!(tuples, [tuple(5), tuple(6)]);
        assert!(matches!(open_part(&[PART_MARK, 7, 2]), Ok(Opened::Mark(TaskId(7), Mark::End))));
        assert!(open_part(&[9]).is_err());
        assert!(open_part(&[]).is_err());
    }
}
