//! What bolts tell a spout task's ledger, in memory and on the wire.

use compact_str::CompactString;

use crate::base::{Incarnation, RootId, TaskId};
use crate::metrics::FailReason;
use crate::tuple::wire::{Reader, WireError, put_varint};

use super::{Touched, WorkerView};

/// All that one batch of work did to a root: the XOR of every edge sent and acked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckEntry {
    /// The root.
    pub root: RootId,
    /// XOR of the edges.
    pub xor: u64,
    /// Workers that edges went to.
    pub touched: Touched,
}

/// A root that is to be given out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailEntry {
    /// The root.
    pub root: RootId,
    /// The task that failed it.
    pub task: TaskId,
    /// Why.
    pub reason: FailReason,
    /// Why, for people; may be empty.
    pub message: CompactString,
}

/// Everything that one task has to say to one spout task's ledger at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckBatch {
    /// What the sender knew of the workers when it sent the edges.
    pub view: WorkerView,
    /// Sums by root.
    pub acks: Vec<AckEntry>,
    /// Failed roots.
    pub fails: Vec<FailEntry>,
    /// Roots whose time-out starts again.
    pub resets: Vec<RootId>,
}

impl AckBatch {
    /// A batch that says nothing yet.
    pub fn new(view: WorkerView) -> Self {
        Self { view, acks: Vec::new(), fails: Vec::new(), resets: Vec::new() }
    }

    /// Appends the wire form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.view.incarnations().len() as u64, out);
        for incarnation in self.view.incarnations() {
            put_varint(u64::from(incarnation.0), out);
        }
        put_varint(self.acks.len() as u64, out);
        for ack in &self.acks {
            out.extend_from_slice(&ack.root.0.to_le_bytes());
            out.extend_from_slice(&ack.xor.to_le_bytes());
            put_varint(ack.touched.0, out);
        }
        put_varint(self.fails.len() as u64, out);
        for fail in &self.fails {
            out.extend_from_slice(&fail.root.0.to_le_bytes());
            put_varint(u64::from(fail.task.0), out);
            out.push(fail.reason as u8);
            put_varint(fail.message.len() as u64, out);
            out.extend_from_slice(fail.message.as_bytes());
        }
        put_varint(self.resets.len() as u64, out);
        for root in &self.resets {
            out.extend_from_slice(&root.0.to_le_bytes());
        }
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// Bytes that are not one.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let mut incarnations = Vec::new();
        for _ in 0..reader.count()? {
            incarnations.push(Incarnation(reader.u32()?));
        }
        let mut batch = Self::new(WorkerView::new(incarnations));
        for _ in 0..reader.count()? {
            let root = RootId(reader.u64()?);
            let xor = reader.u64()?;
            batch.acks.push(AckEntry { root, xor, touched: Touched(reader.varint()?) });
        }
        for _ in 0..reader.count()? {
            let root = RootId(reader.u64()?);
            let task = TaskId(reader.u32()?);
            let reason = *FailReason::ALL
                .get(usize::from(reader.byte()?))
                .ok_or(WireError::Malformed("fail reason"))?;
            batch.fails.push(FailEntry { root, task, reason, message: reader.text()?.into() });
        }
        for _ in 0..reader.count()? {
            batch.resets.push(RootId(reader.u64()?));
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> AckBatch {
        AckBatch {
            view: WorkerView::new([Incarnation(0), Incarnation(3)]),
            acks: vec![AckEntry { root: RootId(7), xor: 9, touched: Touched(2) }],
            fails: vec![FailEntry {
                root: RootId(8),
                task: TaskId(5),
                reason: FailReason::DiedAlone,
                message: "no".into(),
            }],
            resets: vec![RootId(1)],
        }
    }

    #[test]
    fn bytes_on_the_wire_are_pinned_and_read_back() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        let expected = [
            vec![2, 0, 3, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2],
            vec![1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 2, 2, b'n', b'o', 1, 1, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(AckBatch::decode(&bytes), Ok(sample()));
        for cut in 0..bytes.len() {
            assert!(AckBatch::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn every_reason_comes_through_under_its_number() {
        let names: Vec<_> = FailReason::ALL.iter().map(|reason| reason.as_str()).collect();
        let expected =
            ["explicit", "died", "died_alone", "timed_out", "worker_lost", "shed", "restarted"];
        assert_eq!(names, expected);
        for reason in FailReason::ALL {
            let mut batch = sample();
            batch.fails[0].reason = *reason;
            let mut bytes = Vec::new();
            batch.encode(&mut bytes);
            assert_eq!(AckBatch::decode(&bytes), Ok(batch), "{reason:?}");
        }
    }
}
