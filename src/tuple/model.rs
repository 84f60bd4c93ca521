//! The tuple itself.

use smallvec::SmallVec;

use crate::base::{StreamIdx, TaskId};

use super::{Anchors, Value};

/// A tuple's values, in the order of its stream's fields.
pub type Values = SmallVec<[Value; 2]>;

/// Marks on a single tuple.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Its root has been open in two children that died: a child gets it alone.
    pub const SUSPECT: Self = Self(1);
    /// Its root has killed a child that had nothing else.
    pub const CONVICTED: Self = Self(2);
    /// Its root has been open in a child that died.
    pub const WITNESS: Self = Self(4);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One tuple on its way to, or in the hands of, a bolt task.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuple {
    /// The values, in the order of the stream's fields.
    pub values: Values,
    /// The roots it belongs to; empty where nothing is tracked.
    pub anchors: Anchors,
    /// The task that emitted it.
    pub source: TaskId,
    /// The stream of the source's component that it was emitted on.
    pub stream: StreamIdx,
    /// Marks on it.
    pub flags: Flags,
}

impl Tuple {
    /// A tuple without anchors.
    pub fn new(source: TaskId, stream: StreamIdx, values: impl IntoIterator<Item = Value>) -> Self {
        Self {
            values: values.into_iter().collect(),
            anchors: Anchors::new(),
            source,
            stream,
            flags: Flags::default(),
        }
    }

    /// What is needed to ack or fail the tuple later, once its values have gone elsewhere.
    pub fn ticket(&self) -> Ticket {
        Ticket { anchors: self.anchors.clone() }
    }

    /// The same, giving the tuple up.
    pub fn into_ticket(self) -> Ticket {
        Ticket { anchors: self.anchors }
    }

    /// About how many bytes the tuple takes in a queue.
    #[inline]
    pub fn weight(&self) -> usize {
        let inline = size_of::<Self>();
        inline
            + self.anchors.len().saturating_sub(1) * size_of::<super::Anchor>()
            + self.values.iter().map(Value::heap_bytes).sum::<usize>()
    }
}

/// A received tuple without its values: the right, and the duty, to ack or fail it once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticket {
    /// The anchors of the tuple.
    pub anchors: Anchors,
}
