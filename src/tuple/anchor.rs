//! What ties a tuple to the spout tuples it came from.

use smallvec::SmallVec;

use crate::base::{EdgeId, RootId, TaskId};

/// One root that a tuple belongs to, and the tuple's own edge in that root's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The emission of the spout.
    pub root: RootId,
    /// This tuple's edge; XORed in when it is sent and again when it is acked.
    pub edge: EdgeId,
    /// The spout task whose ledger keeps the root.
    pub spout: TaskId,
}

/// A tuple's anchors: one for most tuples, none for an untracked one.
pub type Anchors = SmallVec<[Anchor; 1]>;
