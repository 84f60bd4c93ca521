//! What every other module stands on: identifiers, time, back-off, threads, exit codes.
//!
//! Nothing here knows what a tuple is.

mod alarm;
mod backoff;
mod executors;
mod exit;
mod id;
mod runtime;
mod signal;
mod strays;
mod text;
mod time;
mod units;

pub use alarm::{Alarm, Alarms};
pub use backoff::{Backoff, Budget};
pub use executors::end_turn;
pub use exit::ExitCode;
pub use id::{BootId, ComponentIdx, EdgeId, Incarnation, RootId, StreamIdx, TaskId, WorkerSlot};
pub use runtime::{Job, Runtimes, Spawner, TaskSpawner, panic_text, start_thread};
pub use signal::Signal;
pub use strays::{NotedGroup, RUN_MARK, RunMark, Swept, end_groups, end_marked};
pub use text::beginning;
#[cfg(test)]
pub(crate) use time::virtual_clock;
pub use time::{Timestamp, hand_on, just_now, now, unix_millis, unix_nanos};
pub use units::{ByteSize, UnitError, parse_duration, show_duration};
