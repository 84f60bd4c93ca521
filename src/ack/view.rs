//! Which lives of which workers a tree has touched, so that a worker's death fails just its roots.

use std::sync::Arc;

use crate::base::{Incarnation, WorkerSlot};

/// A set of worker slots. Beyond 64 workers two slots share a bit: a death may then fail a few
/// roots that had not touched it, which costs a replay and loses nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched(pub u64);

impl Touched {
    /// The set of one worker.
    pub fn worker(slot: WorkerSlot) -> Self {
        Self(1 << (slot.0 % 64))
    }

    /// Both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a worker in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The incarnation of every worker as known at one time and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView(Arc<[Incarnation]>);

impl WorkerView {
    /// A view of these incarnations, by slot.
    pub fn new(incarnations: impl IntoIterator<Item = Incarnation>) -> Self {
        Self(incarnations.into_iter().collect())
    }

    /// The incarnations by slot.
    pub fn incarnations(&self) -> &[Incarnation] {
        &self.0
    }

    /// The workers that have been replaced since `older` was taken.
    #[inline]
    pub fn replaced_since(&self, older: &Self) -> Touched {
        // The same allocation: the cheap test on the hot path.
        if Arc::ptr_eq(&self.0, &older.0) {
            return Touched::default();
        }
        let pairs = self.0.iter().zip(older.0.iter()).enumerate();
        pairs
            .filter(|(_, (now, then))| now > then)
            .map(|(slot, _)| Touched::worker(WorkerSlot(slot as u16)))
            .fold(Touched::default(), Touched::union)
    }
}
