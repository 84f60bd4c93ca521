//! What surrounds a task: the worker's services, and the handle by which the worker watches it.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Alarms, TaskId, Timestamp, WorkerSlot, now, panic_text};
use crate::component::{BuildError, Component, ComponentError, Context};
use crate::metrics::{TaskCounters, TaskSnapshot, UserMetrics};
use crate::topology::{DeadLetters, RestartPolicy, RetryPolicy, Settings};

use super::Mailbox;
use super::hours::{Hours, Occupation, Present};

/// Something that the worker has to know at once. There are few: their number is bounded by the
/// tasks and their restart budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// The task has come to another state.
    State(TaskId, TaskState),
    /// The component could not be kept alive.
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
    /// Nobody wants what the component makes any more: the run is over.
    Unwanted {
        /// The task.
        task: TaskId,
        /// Why, one line.
        reason: String,
    },
    /// What a component that was asked for its stacks has shown.
    Stacks {
        /// The task.
        task: TaskId,
        /// The stacks, in the words of its language.
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
        /// Whether the life before had kept something in memory.
        lost_memory: bool,
    },
}

/// How far a task has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum TaskState {
    /// Not open yet.
    Starting = 0,
    /// At work.
    Running = 1,
    /// No more input; spouts: and nothing pending.
    Drained = 2,
    /// Closed, and all that it emitted is taken.
    Ended = 3,
    /// Given up.
    Failed = 4,
}

impl TaskState {
    const ALL: [Self; 5] =
        [Self::Starting, Self::Running, Self::Drained, Self::Ended, Self::Failed];
}

/// Gives a link's credit back when a task takes a part.
pub trait CreditReturn: Send + Sync {
    /// `task` has taken `bytes` that came from `from`.
    fn credit_back(&self, from: WorkerSlot, task: TaskId, bytes: usize);
}

/// Keeps spouts' positions for a later life of their tasks.
pub trait PositionStore: Send + Sync {
    /// Keeps a position; the old one stays where this fails.
    fn save(&self, task: TaskId, position: &serde_json::Value);
    /// The last position kept in this run.
    fn load(&self, task: TaskId) -> Option<serde_json::Value>;
    /// Whether an earlier life of a task, which may have been another worker's, has begun its work in
    /// this run.
    fn begun(&self, _task: TaskId) -> bool {
        false
    }
    /// A life of a task has begun its work.
    fn note_begun(&self, _task: TaskId) {}
    /// Sees that dead letters can be written there, before the first one has to be.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    fn prepare_dead_letters(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
    /// Appends dead letters, one line each.
    ///
    /// # Errors
    /// Where the lines are not safely written; their messages then stay pending.
    fn dead_letters(&self, path: &Path, lines: &[u8]) -> std::io::Result<()>;
}

/// The tasks of all workers whose input has waited for long: time-outs upstream are deferred.
#[derive(Debug, Default)]
pub struct Congestion {
    any: AtomicBool,
    tasks: RwLock<BTreeSet<TaskId>>,
}

impl Congestion {
    /// Replaces the set.
    pub fn set(&self, tasks: BTreeSet<TaskId>) {
        self.any.store(!tasks.is_empty(), Relaxed);
        *self.tasks.write().unwrap_or_else(PoisonError::into_inner) = tasks;
    }

    /// Whether one of `tasks` is congested.
    pub fn meets(&self, tasks: &BTreeSet<TaskId>) -> bool {
        self.any.load(Relaxed)
            && !self.tasks.read().unwrap_or_else(PoisonError::into_inner).is_disjoint(tasks)
    }
}

/// What all tasks of a worker share.
#[derive(Clone)]
pub struct Workshop {
    /// The engine's settings.
    pub settings: Arc<Settings>,
    /// Fine timers.
    pub alarms: Alarms,
    /// Where credit goes back.
    pub credit: Arc<dyn CreditReturn>,
    /// Where positions are kept.
    pub positions: Arc<dyn PositionStore>,
    /// Which tasks hold their producers up.
    pub congestion: Arc<Congestion>,
    /// Where events go.
    pub events: UnboundedSender<TaskEvent>,
}

impl fmt::Debug for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workshop")
    }
}

/// Makes a fresh, unopened component.
pub(crate) type Build = Box<dyn Fn() -> Result<Component, BuildError> + Send + Sync>;

/// What belongs to one task and outlives its component's lives.
pub(crate) struct Housing {
    pub(crate) context: Arc<Context>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) counters: Arc<TaskCounters>,
    pub(crate) status: Arc<Status>,
    pub(crate) build: Build,
    pub(crate) restart: RestartPolicy,
    pub(crate) retry: RetryPolicy,
    pub(crate) shop: Workshop,
    /// Tasks downstream, directly or through others.
    pub(crate) downstream: BTreeSet<TaskId>,
    /// Tasks whose marks this one waits for.
    pub(crate) producers: Vec<TaskId>,
    /// Messages that a spout task may have in flight.
    pub(crate) max_pending: usize,
    pub(crate) hours: Hours,
}

impl Housing {
    /// Sees that dead letters can be written, where the spout has a file for them.
    pub(crate) fn prepare_dead_letters(&self) -> Result<(), ComponentError> {
        let Some(DeadLetters::File(path)) = &self.retry.dead_letter else { return Ok(()) };
        let path = self.context.dir.join(path);
        self.shop.positions.prepare_dead_letters(&path).map_err(|error| {
            let path = path.display();
            let message = format!("the dead-letter file {path} cannot be opened: {error}");
            ComponentError::of_system(message, &error)
        })
    }

    /// From `at` on the task is at `what`.
    #[inline]
    pub(crate) fn turn_to(&mut self, what: Occupation, at: Timestamp) {
        self.hours.turn_to(what, at, &self.counters, &self.status.present);
    }

    /// The loop is over.
    pub(crate) fn close_hours(&mut self) {
        self.hours.close(now(), &self.counters, &self.status.present);
    }

    /// Whether nobody has to be told again that the task has ended: there are no other workers, and no task of
    /// this one that it does not know of has ended in an earlier life.
    pub(crate) fn is_alone(&self) -> bool {
        self.shop.settings.workers == 1 && !self.context.restarted
    }

    /// A fresh, unopened component.
    pub(crate) fn make(&self) -> Result<Component, ComponentError> {
        match catch_unwind(AssertUnwindSafe(|| (self.build)())) {
            Ok(made) => made.map_err(|error| ComponentError::give_up(error.to_string())),
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    }

    /// What the next life is told; `begun`: one before it has begun its work, in this worker.
    pub(crate) fn context_of_life(&self, begun: bool) -> Arc<Context> {
        let earlier = || self.context.restarted && self.shop.positions.begun(self.context.task);
        let restarted = begun || earlier();
        if restarted == self.context.restarted {
            return Arc::clone(&self.context);
        }
        Arc::new(Context { restarted, ..Context::clone(&self.context) })
    }

    /// Tells the worker, once per state.
    pub(crate) fn enter(&self, state: TaskState) {
        if self.status.state.swap(state as u8, Relaxed) != state as u8 {
            self.send(TaskEvent::State(self.context.task, state));
        }
    }

    /// Tells the worker. It stops listening only when the process ends.
    pub(crate) fn send(&self, event: TaskEvent) {
        if self.shop.events.send(event).is_err() {
            tracing::debug!(task = self.context.task.0, "the worker no longer listens");
        }
    }
}

/// A component's panic is a reason to start it again.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> ComponentError {
    ComponentError::restart(format!("panicked: {}", panic_text(panic)))
}

/// What a task's loop shows without being asked.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) state: AtomicU8,
    /// Since when the oldest tuple waits inside the task or its component, in nanoseconds; 0: none does.
    pub(crate) inner_since: AtomicU64,
    /// Whether the component is up.
    pub(crate) is_up: AtomicBool,
    /// Whether it was given something that it has not got further than.
    pub(crate) is_behind: AtomicBool,
    /// The task that does not take what this one emits; 0: all do.
    pub(crate) blocked_on: AtomicU32,
    /// What the loop is at.
    pub(crate) present: Present,
}

/// The worker's handle on a task.
#[derive(Clone, Debug)]
pub struct TaskHandle {
    /// The task.
    pub task: TaskId,
    /// Its mailbox.
    pub mailbox: Arc<Mailbox>,
    /// Its counters.
    pub counters: Arc<TaskCounters>,
    /// The component's own metrics.
    pub user_metrics: Arc<UserMetrics>,
    pub(crate) status: Arc<Status>,
}

impl TaskHandle {
    /// A handle on a task that has not started.
    pub fn new(task: TaskId, mailbox: Arc<Mailbox>) -> Self {
        Self {
            task,
            mailbox,
            counters: Arc::default(),
            user_metrics: Arc::default(),
            status: Arc::default(),
        }
    }

    /// How far the task has come.
    pub fn state(&self) -> TaskState {
        let state = self.status.state.load(Relaxed);
        *TaskState::ALL.get(usize::from(state)).unwrap_or(&TaskState::Failed)
    }

    /// Whether input waits for a component that is up.
    pub fn is_wanted(&self) -> bool {
        let status = &self.status;
        let behind = status.is_behind.load(Relaxed) || status.inner_since.load(Relaxed) > 0;
        status.is_up.load(Relaxed) && (behind || !self.mailbox.is_empty())
    }

    /// The task that does not take what this one emits, where that holds it up.
    pub fn blocked_on(&self) -> Option<TaskId> {
        Some(TaskId(self.status.blocked_on.load(Relaxed))).filter(|task| task.0 > 0)
    }

    /// What the task's counters show at this time.
    pub fn snapshot(&self, now: Timestamp) -> TaskSnapshot {
        let mut snapshot = self.counters.snapshot();
        self.status.present.add_to(&mut snapshot, &self.counters, now);
        snapshot.queued_bytes = self.mailbox.queued_bytes() as u64;
        snapshot
    }

    /// How long the oldest tuple that the task has not taken up has waited.
    pub fn backlog_age(&self, now: Timestamp) -> Duration {
        let inner = match self.status.inner_since.load(Relaxed) {
            0 => Duration::ZERO,
            since => now.since(Timestamp(since)),
        };
        self.mailbox.head_age(now).max(inner)
    }
}
