//! What a task is told about itself and its topology.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Signal, Spawner, StreamIdx, TaskId, WorkerSlot};
use crate::tuple::{Tuple, Value};

use super::Reporter;

/// A stream that a component emits on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDecl {
    /// Its name; `default` is the one that is meant where none is named.
    pub name: String,
    /// Names of the values, in order.
    pub fields: Vec<String>,
    /// Whether the emitter names the task that gets each tuple.
    pub direct: bool,
}

impl StreamDecl {
    /// The default stream with these fields.
    pub fn default_stream(fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let fields = fields.into_iter().map(Into::into).collect();
        Self { name: "default".to_owned(), fields, direct: false }
    }
}

/// One subscription of a bolt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The emitting component.
    pub component: String,
    /// The emitting component's tasks.
    pub tasks: Vec<TaskId>,
    /// The stream's place among the component's streams.
    pub stream: StreamIdx,
    /// The stream, with its fields.
    pub decl: StreamDecl,
    /// Storm's name of the grouping: `SHUFFLE`, `FIELDS`, …
    pub grouping: &'static str,
    /// The fields of a fields or partial-key grouping.
    pub grouping_fields: Vec<String>,
}

/// One of the component's streams and who listens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The stream.
    pub decl: StreamDecl,
    /// The components that subscribe to it.
    pub subscribers: Vec<Subscriber>,
}

/// A component that subscribes to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its name.
    pub component: String,
    /// Its tasks.
    pub tasks: Vec<TaskId>,
    /// Storm's name of the grouping.
    pub grouping: &'static str,
    /// The fields of a fields or partial-key grouping.
    pub grouping_fields: Vec<String>,
}

/// What a task is told when it is opened.
#[derive(Clone, Debug)]
pub struct Context {
    /// The topology's name.
    pub topology: String,
    /// The component's name.
    pub component: String,
    /// This task.
    pub task: TaskId,
    /// This task's place among the tasks of its component, from 0.
    pub task_index: usize,
    /// How many tasks the component has.
    pub task_count: usize,
    /// The worker that runs it.
    pub worker: WorkerSlot,
    /// Whether an earlier life of this task has run in this run: it continues, it does not begin.
    pub restarted: bool,
    /// Every task of the topology and its component's name, by task.
    pub tasks: Arc<Vec<(TaskId, String)>>,
    /// What it is subscribed to.
    pub inputs: Vec<Input>,
    /// What it emits; the index is the [`StreamIdx`].
    pub outputs: Vec<Output>,
    /// The topology's settings under Storm's names (`topology.workers`, …), for children.
    pub conf: Arc<serde_json::Map<String, serde_json::Value>>,
    /// `topology.message_timeout`.
    pub message_timeout: Duration,
    /// `tick`, where the component asked for ticks.
    pub tick: Option<Duration>,
    /// The folder of the topology file; relative paths start here.
    pub dir: PathBuf,
    /// A folder that outlives the run, private to the topology.
    pub state_dir: PathBuf,
    /// A private folder that ends with the run.
    pub run_dir: PathBuf,
    /// Rings the task's loop: `wake` is called soon after.
    pub waker: Signal,
    /// Where jobs that wait for pipes, sockets and timers are started.
    pub io: Spawner,
    /// Log, errors, metrics.
    pub reporter: Reporter,
}

impl Context {
    /// The subscription that a tuple came by.
    pub fn input_of(&self, source: TaskId, stream: StreamIdx) -> Option<&Input> {
        self.inputs.iter().find(|input| input.stream == stream && input.tasks.contains(&source))
    }

    /// The stream of that name.
    pub fn output_named(&self, name: &str) -> Option<StreamIdx> {
        let index = self.outputs.iter().position(|output| output.decl.name == name)?;
        Some(StreamIdx(index as u16))
    }

    /// A path from the topology file, relative to its folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }
}

/// Finds a named field in tuples of any of a bolt's inputs.
#[derive(Clone, Debug)]
pub struct FieldSlots {
    /// Streams, the tasks that emit on them, and the field's place, one entry an input.
    slots: Vec<(StreamIdx, Vec<TaskId>, Option<usize>)>,
    /// The place, where it is the same in all inputs.
    same: Option<usize>,
}

impl FieldSlots {
    /// Where `field` stands in each input of `context`.
    pub fn new(context: &Context, field: &str) -> Self {
        let slots: Vec<_> = context
            .inputs
            .iter()
            .map(|input| {
                let place = input.decl.fields.iter().position(|name| name == field);
                (input.stream, input.tasks.clone(), place)
            })
            .collect();
        let first = slots.first().and_then(|slot| slot.2);
        let same = first.filter(|_| slots.iter().all(|slot| slot.2 == first));
        Self { slots, same }
    }

    /// The field's value in `tuple`.
    #[inline]
    pub fn of<'t>(&self, tuple: &'t Tuple) -> Option<&'t Value> {
        let place = match self.same {
            Some(place) => place,
            None => self
                .slots
                .iter()
                .find(|(stream, tasks, _)| *stream == tuple.stream && tasks.contains(&tuple.source))
                .and_then(|slot| slot.2)?,
        };
        tuple.values.get(place)
    }
}
