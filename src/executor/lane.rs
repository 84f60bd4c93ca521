//! One producing task's way to one consuming task: everything on it stays in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ack::Touched;
use crate::base::{Signal, TaskId, WorkerSlot};
use crate::tuple::wire::{Reader, WireError, put_tuple, put_varint};
use crate::tuple::{Tuple, Values};

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

/// A local batch closes at this many tuples …
const BATCH_TUPLES: usize = 256;
/// … or bytes,
const BATCH_BYTES: usize = 64 * 1024;
/// and a part for another worker at this many.
const PART_BYTES: usize = 32 * 1024;

const PART_TUPLES: u8 = 0;
const PART_MARK: u8 = 1;

pub(crate) enum Destination {
    Local(Arc<Mailbox>),
    Remote(WorkerSlot, Arc<dyn RemoteLink>),
}

enum Closed {
    Delivery(Delivery, usize),
    Part(Vec<u8>, usize),
}

/// Tuples and marks on their way to one task.
pub(crate) struct Lane {
    task: TaskId,
    destination: Destination,
    open: Vec<Tuple>,
    open_part: Vec<u8>,
    open_bytes: usize,
    open_count: usize,
    closed: VecDeque<Closed>,
    closed_bytes: usize,
}

/// What a flush came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    /// Parts that no link takes.
    pub(crate) too_large: Vec<Vec<u8>>,
}

impl Lane {
    pub(crate) fn new(task: TaskId, destination: Destination) -> Self {
        Self {
            task,
            destination,
            open: Vec::new(),
            open_part: Vec::new(),
            open_bytes: 0,
            open_count: 0,
            closed: VecDeque::new(),
            closed_bytes: 0,
        }
    }

    /// The consuming task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// The worker that a tuple on this lane touches beside the producer's own.
    pub(crate) fn touched(&self) -> Touched {
        match &self.destination {
            Destination::Local(_) => Touched::default(),
            Destination::Remote(slot, _) => Touched::worker(*slot),
        }
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
        self.open_bytes + self.closed_bytes
    }

    /// Puts a tuple on the lane; true where its batch is full and wants to be flushed.
    #[inline]
    pub(crate) fn push(&mut self, tuple: Tuple) -> bool {
        match &self.destination {
            Destination::Local(_) => {
                if self.open.capacity() == 0 {
                    self.open.reserve(if self.open_count == 0 { 4 } else { BATCH_TUPLES });
                }
                self.open_bytes += tuple.weight();
                self.open.push(tuple);
                self.open_count = self.open.len();
                self.open_count >= BATCH_TUPLES || self.open_bytes >= BATCH_BYTES
            }
            Destination::Remote(..) => {
                if self.open_part.is_empty() {
                    self.open_part.push(PART_TUPLES);
                }
                put_tuple(&tuple, &mut self.open_part);
                self.open_count += 1;
                self.open_bytes = self.open_part.len();
                self.open_bytes >= PART_BYTES
            }
        }
    }

    /// Puts a mark behind everything on the lane.
    pub(crate) fn push_mark(&mut self, from: TaskId, mark: Mark) {
        self.close();
        let closed = match &self.destination {
            Destination::Local(_) => Closed::Delivery(Delivery::Mark(from, mark), 0),
            Destination::Remote(..) => {
                let mut part = vec![PART_MARK];
                put_varint(u64::from(from.0), &mut part);
                part.push(mark.code());
                Closed::Part(part, 0)
            }
        };
        self.closed.push_back(closed);
    }

    /// Sends what the other side takes; `waiter` is rung when it takes more.
    pub(crate) fn flush(&mut self, waiter: &Signal) -> Flushed {
        self.close();
        let mut flushed = Flushed::default();
        while let Some(closed) = self.closed.pop_front() {
            match (closed, &self.destination) {
                (Closed::Delivery(delivery, weight), Destination::Local(mailbox)) => {
                    if let Err(delivery) = mailbox.push(delivery, weight, waiter) {
                        self.closed.push_front(Closed::Delivery(delivery, weight));
                        return flushed;
                    }
                    self.closed_bytes -= weight;
                }
                (Closed::Part(part, count), Destination::Remote(_, link)) => {
                    let weight = part.len();
                    match link.try_send(self.task, part, waiter) {
                        Ok(()) => {}
                        Err(Refused::Full(part)) => {
                            self.closed.push_front(Closed::Part(part, count));
                            return flushed;
                        }
                        Err(Refused::TooLarge(part)) => flushed.too_large.push(part),
                    }
                    self.closed_bytes = self.closed_bytes.saturating_sub(weight);
                }
                _ => unreachable!("a lane closes batches in its destination's form"),
            }
        }
        flushed
    }

    /// Drops all that is on the lane: its worker is gone. Returns how many tuples that were.
    pub(crate) fn discard(&mut self) -> usize {
        let closed = self.closed.iter().map(|closed| match closed {
            Closed::Part(_, count) => *count,
            Closed::Delivery(..) => 0,
        });
        let dropped = self.open_count + closed.sum::<usize>();
        self.open.clear();
        self.open_part.clear();
        self.closed.clear();
        (self.open_bytes, self.open_count, self.closed_bytes) = (0, 0, 0);
        dropped
    }

    fn close(&mut self) {
        if self.open_count == 0 {
            return;
        }
        let weight = self.open_bytes;
        let closed = match &self.destination {
            Destination::Local(_) => {
                let next = Vec::with_capacity(self.open.len().next_power_of_two());
                Closed::Delivery(Delivery::Tuples(std::mem::replace(&mut self.open, next)), weight)
            }
            Destination::Remote(..) => {
                let next = Vec::with_capacity(weight);
                Closed::Part(std::mem::replace(&mut self.open_part, next), self.open_count)
            }
        };
        self.closed.push_back(closed);
        self.closed_bytes += weight;
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
        let mut lane = Lane::new(TaskId(2), Destination::Local(Arc::clone(&mailbox)));
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
