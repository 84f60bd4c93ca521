//! Parts that wait for a link, and the batches that they become. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::TaskId;
use crate::tuple::wire::Reader;

use super::Lane;
use super::frame::{PartHead, put_part_head, read_part_heads};

/// A part with its address within the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) task: TaskId,
    pub(super) bytes: Vec<u8>,
}

/// One number for each lane.
pub(super) type PerLane<T> = [T; 2];

/// Parts in order, by lane.
#[derive(Clone, Debug, Default)]
pub(super) struct PartQueue {
    parts: PerLane<VecDeque<Part>>,
    bytes: PerLane<usize>,
}

impl PartQueue {
    /// Appends a part.
    pub(super) fn push(&mut self, lane: Lane, part: Part) {
        self.bytes[lane as usize] += part.bytes.len();
        self.parts[lane as usize].push_back(part);
    }

    /// Bytes that wait in a lane.
    pub(super) fn bytes(&self, lane: Lane) -> usize {
        self.bytes[lane as usize]
    }

    /// Parts that wait, in both lanes.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(VecDeque::len).sum()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of a lane's next part.
    pub(super) fn next_length(&self, lane: Lane) -> Option<usize> {
        Some(self.parts[lane as usize].front()?.bytes.len())
    }

    /// Takes everything.
    pub(super) fn drain(&mut self) -> Vec<(Lane, Part)> {
        let taken = std::mem::take(self);
        let [data, acks] = taken.parts;
        let data = data.into_iter().map(|part| (Lane::Data, part));
        data.chain(acks.into_iter().map(|part| (Lane::Ack, part))).collect()
    }

    /// Takes the parts of one batch: acks first, then data, up to `limit` bytes in all and `room` bytes
    /// of each lane. The first part of a lane is taken whatever its length where its room is
    /// [`Room::Open`].
    pub(super) fn take(&mut self, limit: usize, room: PerLane<Room>) -> Vec<(Lane, Part)> {
        let mut taken = Vec::new();
        let mut total = 0;
        for lane in Lane::ALL {
            let mut left = room[lane as usize];
            while let Some(length) = self.next_length(lane) {
                if !left.fits(length) || (!taken.is_empty() && total + length > limit) {
                    break;
                }
                let part = self.parts[lane as usize].pop_front().expect("its length was just read");
                self.bytes[lane as usize] -= length;
                total += length;
                left = left.less(length);
                taken.push((lane, part));
            }
        }
        taken
    }
}

/// How much more of a lane may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Nothing of the lane is under way: one part of any length fits.
    Open(usize),
    /// So many bytes.
    Left(usize),
}

impl Room {
    fn fits(self, length: usize) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Left(bytes) => length <= bytes,
        }
    }

    fn less(self, length: usize) -> Self {
        let (Self::Open(bytes) | Self::Left(bytes)) = self;
        Self::Left(bytes.saturating_sub(length))
    }
}

/// Parts made ready to send, and to send again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// The table's lines.
    pub(super) table: Bytes,
    /// The parts' bytes, end to end.
    pub(super) body: Bytes,
    /// How many parts.
    pub(super) parts: u32,
    /// Bytes of each lane.
    pub(super) bytes: PerLane<usize>,
}

impl Batch {
    /// Joins parts; a lone one is not copied.
    pub(super) fn join(parts: Vec<(Lane, Part)>) -> Self {
        let mut table = Vec::with_capacity(parts.len() * 8);
        let mut bytes = [0; 2];
        let count = parts.len() as u32;
        for (lane, part) in &parts {
            let length = part.bytes.len();
            bytes[*lane as usize] += length;
            let head = PartHead { lane: *lane, task: part.task, length };
            put_part_head(head, &mut table);
        }
        let mut parts = parts.into_iter().map(|(_, part)| part.bytes);
        let body = match (parts.next(), count) {
            (Some(only), 1) => only,
            (Some(first), _) => {
                let mut body = Vec::with_capacity(bytes[0] + bytes[1]);
                body.extend_from_slice(&first);
                parts.for_each(|part| body.extend_from_slice(&part));
                body
            }
            (None, _) => Vec::new(),
        };
        Self { table: table.into(), body: body.into(), parts: count, bytes }
    }

    /// The parts again.
    pub(super) fn split(&self) -> Vec<(Lane, Part)> {
        let mut table = Reader::new(&self.table);
        let heads = read_part_heads(&mut table, self.parts as usize, self.body.len());
        let mut rest = &self.body[..];
        let part = |head: PartHead| {
            let (bytes, after) = rest.split_at(head.length);
            rest = after;
            (head.lane, Part { task: head.task, bytes: bytes.to_vec() })
        };
        heads.expect("a batch reads what it has written").into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(task: u32, length: usize) -> Part {
        Part { task: TaskId(task), bytes: vec![task as u8; length] }
    }

    const FREE: PerLane<Room> = [Room::Open(1000); 2];

    #[test]
    fn acks_overtake_data_and_each_lane_keeps_its_order() {
        let mut queue = PartQueue::default();
        for task in 1..4 {
            queue.push(Lane::Data, part(task, 10));
            queue.push(Lane::Ack, part(task + 10, 1));
        }
        let taken = queue.take(23, FREE);
        let tasks: Vec<_> = taken.iter().map(|(_, part)| part.task.0).collect();
        assert_eq!(tasks, [11, 12, 13, 1, 2]);
        assert_eq!(queue.bytes(Lane::Data), 10);
        let batch = Batch::join(taken);
        assert_eq!((batch.parts, batch.bytes, batch.body.len()), (5, [20, 3], 23));
    }

    #[test]
    fn a_closed_window_holds_data_back_but_not_acks() {
        let mut queue = PartQueue::default();
        queue.push(Lane::Data, part(1, 10));
        queue.push(Lane::Ack, part(2, 1));
        let taken = queue.take(100, [Room::Left(9), Room::Left(5)]);
        assert_eq!(taken, [(Lane::Ack, part(2, 1))]);
        assert!(queue.take(100, [Room::Left(9), Room::Left(5)]).is_empty());
        let large = queue.take(1, [Room::Open(1), Room::Left(0)]);
        assert_eq!(large, [(Lane::Data, part(1, 10))]);
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn batches_hold_to_their_limit_unless_one_part_is_larger(
            lengths in prop::collection::vec(1..200_usize, 1..50), limit in 1..300_usize,
        ) {
            let mut queue = PartQueue::default();
            for (at, &length) in lengths.iter().enumerate() {
                queue.push(Lane::Data, part(at as u32, length));
            }
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let taken = queue.take(limit, FREE);
                let total: usize = taken.iter().map(|(_, part)| part.bytes.len()).sum();
                prop_assert!(total <= limit || taken.len() == 1);
                prop_assert_eq!(&Batch::join(taken.clone()).split(), &taken);
                seen.extend(taken.into_iter().map(|(_, part)| part.task.0));
            }
            prop_assert_eq!(seen, (0..lengths.len() as u32).collect::<Vec<_>>());
        }
    }
}
