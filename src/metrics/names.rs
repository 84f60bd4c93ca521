//! The closed sets of reasons that counters are split by.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident in $module:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason as it stands in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        /// Counts in the order of the reasons, as JSON: an object of those that are not zero.
        pub(super) mod $module {
            use std::collections::BTreeMap;

            use serde::{Deserialize, Deserializer, Serializer};

            use super::$name;

            pub(crate) fn serialize<S: Serializer>(
                counts: &[u64],
                to: S,
            ) -> Result<S::Ok, S::Error> {
                let named = $name::ALL.iter().map(|reason| reason.as_str()).zip(counts);
                to.collect_map(named.filter(|(_, count)| **count > 0))
            }

            pub(crate) fn deserialize<'d, D: Deserializer<'d>>(
                from: D,
            ) -> Result<Vec<u64>, D::Error> {
                let named = BTreeMap::<String, u64>::deserialize(from)?;
                let count = |reason: &$name| named.get(reason.as_str()).copied().unwrap_or(0);
                Ok($name::ALL.iter().map(count).collect())
            }
        }
    };
}

reasons! {
    /// Why a root tuple failed.
    FailReason in by_fail_reason {
        /// A bolt said so.
        Explicit = "explicit",
        /// A component died while it held the tuple together with others.
        Died = "died",
        /// A component died while it held this tuple alone.
        DiedAlone = "died_alone",
        /// The tree was not complete within `message_timeout`.
        TimedOut = "timed_out",
        /// A worker that the tree had touched is gone.
        WorkerLost = "worker_lost",
        /// An input with `on_full = "shed"` was full.
        Shed = "shed",
        /// A component held the tuple that had to be started again for a reason of its own.
        Restarted = "restarted",
    }
}

reasons! {
    /// Why something was dropped that was not a tuple in need of replay.
    DropReason in by_drop_reason {
        /// An ack or fail for a root that is not open (any more).
        UnknownRoot = "unknown_root",
        /// A part for a task that this worker does not run.
        UnknownTask = "unknown_task",
        /// A part that could not be decoded.
        Malformed = "malformed",
        /// A tuple for a worker that is gone; its root fails.
        WorkerGone = "worker_gone",
        /// A tuple that a task emitted once more that had ended, in a worker that was replaced.
        AfterEnd = "after_end",
        /// A tuple that is larger than a link takes.
        TooLarge = "too_large",
        /// A tuple for an input that was full, with `on_full = "drop_newest"`.
        DropNewest = "drop_newest",
        /// A tuple that waited longest before an input that was full, with `on_full = "drop_oldest"`.
        DropOldest = "drop_oldest",
        /// A tuple for an input that was full, with `on_full = "shed"`; its root fails.
        Shed = "shed",
    }
}
