//! The closed sets of reasons that counters are split by.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
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
    };
}

reasons! {
    /// Why a root tuple failed.
    FailReason {
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
    }
}

reasons! {
    /// Why something was dropped that was not a tuple in need of replay.
    DropReason {
        /// An ack or fail for a root that is not open (any more).
        UnknownRoot = "unknown_root",
        /// A part for a task that this worker does not run.
        UnknownTask = "unknown_task",
        /// A part that could not be decoded.
        Malformed = "malformed",
        /// A tuple for a worker that is gone; its root fails.
        WorkerGone = "worker_gone",
        /// A tuple that is larger than a link takes.
        TooLarge = "too_large",
    }
}
