//! From a plan to a finished run: starts worker processes, watches and replaces them, ends the run.
//!
//! [`Coordinator`] decides and is pure; `run` is the loop around it that has the processes and sockets.

mod coordinator;
mod event;
mod guard;
mod hangup;
mod ledger;
mod process;
mod programs;
mod run;
mod run_dir;
mod slot;
mod stall;
mod strays;

pub use coordinator::{Coordinator, Effect, Event};
pub use event::{ComponentCounts, Culprit, Finish, Outcome, RunEvent, TaskTime, Totals};
pub use guard::guard;
pub use programs::missing_programs;
pub use run::{RunError, RunOptions, run};
pub use run_dir::RunDir;
