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
pub struct WorkerView(Incarnations);

/// Each batch of acks has a copy of its own: of few workers it is a few bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Incarnations {
    Few(u8, [Incarnation; FEW]),
    Many(Arc<[Incarnation]>),
}

const FEW: usize = 3;

impl WorkerView {
    /// A view of these incarnations, by slot.
    pub fn new(incarnations: impl IntoIterator<Item = Incarnation>) -> Self {
        let all: Vec<_> = incarnations.into_iter().collect();
        if all.len() > FEW {
            return Self(Incarnations::Many(all.into()));
        }
        let mut few = [Incarnation(0); FEW];
        few[..all.len()].copy_from_slice(&all);
        Self(Incarnations::Few(all.len() as u8, few))
    }

    /// The incarnations by slot.
    pub fn incarnations(&self) -> &[Incarnation] {
        match &self.0 {
            Incarnations::Few(count, all) => &all[..usize::from(*count)],
            Incarnations::Many(all) => all,
        }
    }

    /// The workers that have been replaced since `older` was taken.
    #[inline]
    pub fn replaced_since(&self, older: &Self) -> Touched {
        // The cheap test on the hot path.
        let same = match (&self.0, &older.0) {
            (Incarnations::Many(one), Incarnations::Many(other)) => Arc::ptr_eq(one, other),
            (one, other) => one == other,
        };
        if same {
            return Touched::default();
        }
        let pairs = self.incarnations().iter().zip(older.incarnations()).enumerate();
        pairs
            .filter(|(_, (now, then))| now > then)
            .map(|(slot, _)| Touched::worker(WorkerSlot(slot as u16)))
            .fold(Touched::default(), Touched::union)
    }
}
