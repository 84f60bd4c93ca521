//! The control messages. Unknown fields are skipped, so that versions may differ by additions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{BootId, Incarnation, TaskId, WorkerSlot};
use crate::metrics::{TaskSnapshot, UserMetric};

/// Counts up when a message changes its meaning; both sides must have the same.
pub const CONTROL_VERSION: u32 = 4;

/// Where a worker's links end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerAddress {
    /// Its slot.
    pub slot: WorkerSlot,
    /// Which of the slot's workers it is.
    pub incarnation: Incarnation,
    /// Its boot id.
    pub boot: BootId,
    /// What other workers connect to.
    pub endpoint: String,
}

/// How far a task has come, as far as the supervisor needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Not open yet.
    Starting,
    /// At work.
    Running,
    /// No more input; spouts: and nothing pending.
    Drained,
    /// Closed, and all that it emitted is taken.
    Ended,
    /// Given up.
    Failed,
}

/// What one task shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task.
    pub task: TaskId,
    /// Its counters.
    pub counters: TaskSnapshot,
    /// Its input has waited for long.
    pub congested: bool,
    /// Input waits for it, and its component is up.
    pub wanted: bool,
    /// The task that does not take what it emits, where that holds it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<TaskId>,
    /// The component's own metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, UserMetric>,
}

/// Supervisor to worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum ToWorker {
    /// Start the tasks; every worker is bound.
    Begin {
        /// The workers that are bound, this one included; others follow as replaced.
        workers: Vec<WorkerAddress>,
        /// The incarnation of every slot's worker, present or expected.
        incarnations: Vec<Incarnation>,
        /// Whether spouts are to produce, or the run is already draining.
        producing: bool,
        /// Whether the run is paused.
        paused: bool,
        /// The worker's tasks that had ended before it was replaced: they have nothing to do any more.
        ended: Vec<TaskId>,
    },
    /// A worker is gone; its successor will be the given incarnation.
    PeerLost {
        /// The slot.
        slot: WorkerSlot,
        /// The successor's incarnation.
        successor: Incarnation,
    },
    /// A worker's successor is bound.
    PeerReplaced {
        /// The successor.
        address: WorkerAddress,
    },
    /// The tasks of all workers whose input has waited for long.
    Congested {
        /// The tasks.
        tasks: Vec<TaskId>,
    },
    /// Spouts produce no more; the run drains.
    StopInput,
    /// Something could not be kept alive: spouts give nothing out, and what is open stays so.
    Pause,
    /// The run goes on after a pause, with fresh budgets; what had failed starts again.
    Resume,
    /// A task makes no progress: show where its component has stopped.
    ShowStacks {
        /// The task.
        task: TaskId,
    },
    /// Start a task's component again.
    Restart {
        /// The task.
        task: TaskId,
        /// Why, one line.
        reason: String,
    },
    /// Every tuple of the run is done.
    End,
    /// Everything has ended: exit.
    Exit,
}

/// Worker to supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum FromWorker {
    /// The first message: the worker is bound.
    Hello {
        /// [`CONTROL_VERSION`].
        version: u32,
        /// Where its links end.
        address: WorkerAddress,
    },
    /// A task has come to another state.
    State {
        /// The task.
        task: TaskId,
        /// The state.
        state: RunState,
    },
    /// What the tasks show; sent several times a second.
    Report {
        /// The tasks.
        tasks: Vec<TaskReport>,
        /// Resident memory of the worker, in bytes.
        rss: u64,
    },
    /// A component could not be kept alive.
    Failed {
        /// The task.
        task: TaskId,
        /// Why, one line.
        reason: String,
        /// More lines.
        detail: Option<String>,
        /// Whether it had kept something in memory.
        lost_memory: bool,
    },
    /// Nobody wants what a component makes any more: the run is over.
    Unwanted {
        /// The task.
        task: TaskId,
        /// Why, one line.
        reason: String,
    },
    /// Where a component has stopped.
    Stacks {
        /// The task.
        task: TaskId,
        /// In the words of its language.
        text: String,
    },
    /// A component was started again.
    Restarted {
        /// The task.
        task: TaskId,
        /// Why, one line.
        reason: String,
        /// More lines.
        detail: Option<String>,
        /// Whether it had kept something in memory.
        lost_memory: bool,
    },
    /// A component's log line.
    Log {
        /// The task.
        task: TaskId,
        /// Storm's level, 0 to 4.
        level: u8,
        /// The text.
        text: String,
    },
    /// An error that a component reported and survived.
    Error {
        /// The task.
        task: TaskId,
        /// One line.
        text: String,
        /// More lines.
        detail: Option<String>,
    },
    /// Log lines of a task that were not passed on.
    LogDropped {
        /// The task.
        task: TaskId,
        /// How often the last line that was passed on came again.
        repeated: u64,
        /// Others, which came too fast.
        dropped: u64,
    },
    /// Another worker answers no heartbeats.
    PeerUnresponsive {
        /// The slot.
        slot: WorkerSlot,
        /// Its boot id.
        boot: BootId,
    },
    /// The worker cannot go on.
    Fatal {
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_pinned_and_skip_what_they_do_not_know() {
        let lost = ToWorker::PeerLost { slot: WorkerSlot(1), successor: Incarnation(2) };
        let json = r#"{"message":"peer_lost","slot":1,"successor":2}"#;
        assert_eq!(serde_json::to_string(&lost).unwrap(), json);
        let newer = r#"{"message":"peer_lost","slot":1,"successor":2,"later":true}"#;
        assert_eq!(serde_json::from_str::<ToWorker>(newer).unwrap(), lost);
        let state = FromWorker::State { task: TaskId(3), state: RunState::Drained };
        let json = r#"{"message":"state","task":3,"state":"drained"}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), json);
    }
}
