//! What a run tells whoever watches it, and how it ends.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::base::{ExitCode, Incarnation, TaskId, WorkerSlot};
use crate::component::Role;
use crate::metrics::TaskSnapshot;
use crate::topology::OnStall;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// All workers are bound and the tasks start.
    Started {
        /// How many workers.
        workers: usize,
        /// How many tasks.
        tasks: usize,
    },
    /// A worker is gone and will be replaced.
    WorkerLost {
        /// The slot.
        slot: WorkerSlot,
        /// How it ended.
        how: String,
        /// After which delay it is replaced.
        delay: Duration,
    },
    /// A worker's successor is at work.
    WorkerReplaced {
        /// The slot.
        slot: WorkerSlot,
        /// The successor.
        incarnation: Incarnation,
    },
    /// A component was started again.
    Restarted {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
        /// More lines.
        detail: Option<String>,
    },
    /// What a component kept in memory is gone.
    MemoryLost {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
    },
    /// A component's log line.
    Log {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
        /// Storm's level, 0 to 4.
        level: u8,
        /// The text.
        text: String,
    },
    /// An error that a component reported and survived.
    Error {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
        /// One line.
        text: String,
        /// More lines.
        detail: Option<String>,
    },
    /// Messages of a spout were not fully acked in time.
    TimedOut {
        /// The spout.
        component: String,
        /// How many since this was last told.
        count: u64,
        /// Bolts that hold tuples, and how many.
        holding: Vec<(String, u64)>,
    },
    /// Log lines of a task that are not told one by one.
    LogDropped {
        /// The component.
        component: String,
        /// Its task.
        task: TaskId,
        /// How often the last line came again.
        repeated: u64,
        /// Others, which came too fast.
        dropped: u64,
    },
    /// The run takes no more input and finishes what it has.
    Draining {
        /// Why.
        reason: &'static str,
    },
    /// A task makes no progress although input waits for it.
    Stalled {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
        /// The components whose tuples wait.
        from: Vec<String>,
        /// For how long.
        span: Duration,
        /// Bytes that wait in front of it.
        queued_bytes: u64,
        /// Tuples that it has in hand.
        held: u64,
        /// Where its program stands, where that can be told.
        stack: Option<String>,
        /// What is done about it.
        then: OnStall,
    },
    /// Something could not be kept alive: the run takes no more input and keeps what is open, until
    /// somebody lets it go on.
    Paused {
        /// What failed.
        culprit: Culprit,
        /// Why, one line.
        reason: String,
        /// More lines.
        detail: Option<String>,
    },
    /// The run goes on after a pause.
    Resumed,
    /// Counters at this time.
    Progress(Totals),
}

/// What could not be kept alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// A component's task.
    Task {
        /// The component.
        component: String,
        /// The task.
        task: TaskId,
    },
    /// A worker.
    Worker(WorkerSlot),
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { component, task } => write!(f, "{component} (task {task})"),
            Self::Worker(slot) => write!(f, "worker {slot}"),
        }
    }
}

/// One component's counters over all its tasks and their lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComponentCounts {
    /// The component.
    pub component: String,
    /// Spout or bolt.
    pub role: Role,
    /// How many tasks.
    pub tasks: usize,
    /// The sums.
    pub counters: TaskSnapshot,
    /// Where the time of each task has gone, as far as its loop has begun.
    pub time: Vec<TaskTime>,
}

/// What parts of its loop's time a task was at what; together they are 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TaskTime {
    /// The task.
    pub task: TaskId,
    /// It had work, or its child or disk had.
    pub busy: f64,
    /// It waited for room downstream.
    pub blocked: f64,
    /// It had nothing to do.
    pub idle: f64,
}

/// All components' counters, producers before consumers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// By component.
    pub components: Vec<ComponentCounts>,
    /// Resident bytes of all workers.
    pub rss: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every tuple was done and every result written.
    Complete,
    /// The same, but these components had lost what they kept in memory.
    MemoryLost(Vec<String>),
    /// The run failed.
    Failed {
        /// One line: what and why.
        reason: String,
        /// More lines: a traceback, the last lines of a child.
        detail: Option<String>,
    },
    /// Nobody wants its output any more; what was not finished was not wanted either.
    Unwanted {
        /// Why, one line.
        reason: String,
    },
    /// A second interrupt ended it.
    Killed,
}

impl Finish {
    /// The exit code for it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Complete | Self::Unwanted { .. } => ExitCode::Success,
            Self::MemoryLost(_) => ExitCode::MemoryLost,
            Self::Failed { .. } => ExitCode::RunFailed,
            Self::Killed => ExitCode::Killed,
        }
    }
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub finish: Finish,
    /// The last counters.
    pub totals: Totals,
}
