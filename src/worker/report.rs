//! What a worker's tasks show, gathered for the supervisor.

use std::time::Duration;

use crate::base::Timestamp;
use crate::control::{FromWorker, RunState, TaskReport};
use crate::executor::{TaskHandle, TaskState};

use super::rss::resident_bytes;

/// How often tasks are reported.
pub(crate) const REPORT_EVERY: Duration = Duration::from_millis(200);
/// A task is congested when its oldest input has waited for this part of the message time-out.
const CONGESTED_PART: u32 = 4;

/// The report of all tasks.
pub(crate) fn report(
    tasks: &[TaskHandle],
    message_timeout: Duration,
    now: Timestamp,
) -> FromWorker {
    let tasks = tasks.iter().map(|handle| TaskReport {
        task: handle.task,
        counters: handle.snapshot(now),
        congested: handle.backlog_age(now) >= message_timeout / CONGESTED_PART,
        wanted: handle.is_wanted(),
        blocked_on: handle.blocked_on(),
        user: handle.user_metrics.snapshot(),
    });
    FromWorker::Report { tasks: tasks.collect(), rss: resident_bytes() }
}

/// The state as the supervisor knows it.
pub(crate) fn run_state(state: TaskState) -> RunState {
    match state {
        TaskState::Starting => RunState::Starting,
        TaskState::Running => RunState::Running,
        TaskState::Drained => RunState::Drained,
        TaskState::Ended => RunState::Ended,
        TaskState::Failed => RunState::Failed,
    }
}
