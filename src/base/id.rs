//! Identifiers as newtypes, so that no bare number crosses a module.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// A task of the topology. Starts at 1 and is never used again within a run.
    TaskId(u32)
}
number_id! {
    /// A component's place in the plan.
    ComponentIdx(u16)
}
number_id! {
    /// A stream's place among its component's declared streams; 0 is `default` where that exists.
    StreamIdx(u16)
}
number_id! {
    /// A worker's place in the plan; a replaced worker keeps its predecessor's slot.
    WorkerSlot(u16)
}
number_id! {
    /// How many times the worker of a slot has been replaced; counts up from 0.
    Incarnation(u32)
}
number_id! {
    /// One emission of a spout: the root of a tuple tree. Never used twice by one ledger.
    RootId(u64)
}
number_id! {
    /// One tuple on its way from a task to a task; random, never zero.
    EdgeId(u64)
}

impl ComponentIdx {
    /// The index as a slice index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl StreamIdx {
    /// The index as a slice index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl WorkerSlot {
    /// The slot as a slice index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl EdgeId {
    /// A fresh random edge id.
    #[inline]
    pub fn random() -> Self {
        Self(fastrand::u64(1..))
    }

    /// The same from a source of one's own.
    #[inline]
    pub fn drawn(random: &mut fastrand::Rng) -> Self {
        Self(random.u64(..).max(1))
    }
}

/// One life of one worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub Uuid);

impl BootId {
    /// A fresh random boot id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}
