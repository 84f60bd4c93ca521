//! The plan: what the engine runs. Complete, checked, and the same on every worker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{ByteSize, ComponentIdx, StreamIdx, TaskId, WorkerSlot};
use crate::component::{Role, StreamDecl};
use crate::grouping::Grouping;

use super::on_full::OnFull;

/// What is promised for tracked tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Nothing is tracked; what is lost is lost.
    AtMostOnce,
    /// Every tree is tracked and given out again until it completes.
    AtLeastOnce,
}

/// What carries the links between workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Unix sockets in the run's private folder.
    Ipc,
    /// TCP on the loopback interface.
    Tcp,
}

/// The engine's settings, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Worker processes.
    pub workers: u16,
    /// What is promised.
    pub guarantee: Guarantee,
    /// How long a tree may take before its root is given out again.
    pub message_timeout: Duration,
    /// Roots in flight per spout task.
    pub max_spout_pending: usize,
    /// Bytes that may wait in front of a task, per producing worker.
    pub mailbox: ByteSize,
    /// Bytes on their way on a link that the other side has not taken off yet.
    pub link_window: ByteSize,
    /// What carries the links.
    pub link: LinkKind,
    /// Where others connect to worker 0, and a port higher to each further one, if not to their own ports.
    pub link_relay: Option<SocketAddr>,
    /// Threads that run tasks, per worker; 0: the cores are shared among the workers.
    pub executor_threads: usize,
    /// How long a drain may take at the end before the run is given up.
    pub drain_timeout: Duration,
    /// Where positions of acked input are kept between runs.
    pub state_dir: PathBuf,
    /// How often a worker may be replaced.
    pub worker_restart: RestartPolicy,
    /// Log more, and tell children so.
    pub debug: bool,
}

/// What becomes of a run when something in it has used up its restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The run fails.
    #[default]
    Stop,
    /// The run takes no more input and keeps what is open, until somebody lets it go on.
    Pause,
}

/// How often a component or worker may be started again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// At most this often …
    pub max: u32,
    /// … within this span.
    pub within: Duration,
    /// Least delay before a restart.
    pub backoff_least: Duration,
    /// Greatest delay before a restart.
    pub backoff_greatest: Duration,
    /// What happens after that.
    #[serde(default)]
    pub then: Then,
}

/// What becomes of a task that makes no progress while input waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStall {
    /// It is told.
    #[default]
    Report,
    /// It is told, and the component is started again.
    Restart,
    /// The run fails.
    Stop,
}

/// When a task counts as stalled, and what is done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StallPolicy {
    /// No progress for this long while input waits; zero: it is not looked for.
    pub after: Duration,
    /// What is done.
    pub then: OnStall,
}

/// How often a failed message is given out again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How often at most; without it there is no limit.
    pub max: Option<u32>,
    /// Least delay.
    pub backoff_least: Duration,
    /// Greatest delay.
    pub backoff_greatest: Duration,
    /// Where messages go whose retries are spent.
    pub dead_letter: Option<DeadLetters>,
}

/// Where messages go whose retries are spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetters {
    /// A file, one JSON object a line.
    File(PathBuf),
    /// A stream of the spout, with [`DeadLetters::FIELDS`].
    Stream(String),
}

impl DeadLetters {
    /// The fields of a stream of dead letters.
    pub const FIELDS: [&'static str; 4] = ["values", "component", "error", "letter"];
}

/// The program that a multilang component runs, for people and for the check before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The argument list; `{sdk}` stands for the folder of the SDKs.
    pub command: Vec<String>,
    /// Its working directory.
    pub dir: PathBuf,
    /// Variables set beside the inherited ones.
    pub env: BTreeMap<String, String>,
    /// What it may take of the machine and see of the environment, where the file says so; for people.
    #[serde(default)]
    pub bounds: Vec<String>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedInput {
    /// The emitting component.
    pub from: ComponentIdx,
    /// Which of its streams.
    pub stream: StreamIdx,
    /// Who gets a tuple.
    pub grouping: Grouping,
    /// What becomes of a tuple when the way to its task is full.
    #[serde(default)]
    pub on_full: OnFull,
}

/// A component of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedComponent {
    /// Its name in the file.
    pub name: String,
    /// Spout or bolt.
    pub role: Role,
    /// The kind in the registry (`command` for multilang components).
    pub kind: String,
    /// What the kind is built from.
    pub options: serde_json::Value,
    /// The program, for multilang components.
    pub program: Option<Program>,
    /// How its program is spoken to otherwise than by default without the file saying so, and why.
    #[serde(default)]
    pub chosen: Vec<String>,
    /// The streams it emits on.
    pub outputs: Vec<StreamDecl>,
    /// What it is subscribed to.
    pub inputs: Vec<PlannedInput>,
    /// Ticks, where asked for.
    pub tick: Option<Duration>,
    /// When and how often it is started again.
    pub restart: RestartPolicy,
    /// When its tasks count as stalled (bolts).
    #[serde(default)]
    pub stall: StallPolicy,
    /// When and how often its messages are given out again (spouts).
    pub retry: RetryPolicy,
    /// Whether a restart loses something that it keeps in memory.
    pub keeps_memory: bool,
}

/// A task of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Its id.
    pub id: TaskId,
    /// Its component.
    pub component: ComponentIdx,
    /// Its place among the component's tasks, from 0.
    pub index: usize,
    /// The worker that runs it.
    pub worker: WorkerSlot,
}

/// What the engine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Counts up with every change of a running topology; frames carry it.
    pub version: u64,
    /// The topology's name.
    pub name: String,
    /// The folder of the topology file.
    pub dir: PathBuf,
    /// The engine's settings.
    pub settings: Settings,
    /// Components; a [`ComponentIdx`] is a place in this list. Producers stand before consumers.
    pub components: Vec<PlannedComponent>,
    /// Tasks, by id.
    pub tasks: Vec<PlannedTask>,
}

impl Plan {
    /// The component at an index of this plan.
    ///
    /// # Panics
    /// Where the index is not of this plan.
    pub fn component(&self, index: ComponentIdx) -> &PlannedComponent {
        &self.components[index.index()]
    }

    /// The task of that id.
    pub fn task(&self, id: TaskId) -> Option<&PlannedTask> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The tasks of a component, by index.
    pub fn tasks_of(&self, component: ComponentIdx) -> impl Iterator<Item = &PlannedTask> {
        self.tasks.iter().filter(move |task| task.component == component)
    }

    /// The tasks that a worker runs.
    pub fn tasks_on(&self, worker: WorkerSlot) -> impl Iterator<Item = &PlannedTask> {
        self.tasks.iter().filter(move |task| task.worker == worker)
    }

    /// The components that subscribe to any stream of `component`, each with its inputs from it.
    pub fn consumers_of(
        &self,
        component: ComponentIdx,
    ) -> impl Iterator<Item = (ComponentIdx, &PlannedInput)> {
        self.components.iter().enumerate().flat_map(move |(index, consumer)| {
            let inputs = consumer.inputs.iter().filter(move |input| input.from == component);
            inputs.map(move |input| (ComponentIdx(index as u16), input))
        })
    }
}
