//! Drives the traits with recorders in the engine's place.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::base::{EdgeId, RootId, Runtimes, Signal, StreamIdx, TaskId, WorkerSlot};
use crate::component::{
    Bolt, Collector, ComponentError, Context, Emission, EmitError, Emitter, FailKind, Input, Level,
    Output, Report, Reporter, SpoutEmission, SpoutEmitter, StreamDecl, Subscriber, Tasks,
};
use crate::metrics::UserMetrics;
use crate::multilang::{CommandOptions, ShellBolt};
use crate::tuple::{Anchor, Anchors, Flags, Tuple, Value, Values};

/// Longer than anything a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What the engine was asked to do. Anchors and tickets are named by their edges.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Emit { stream: u16, direct: Option<u32>, values: String, anchors: Vec<u64>, suspect: bool },
    Message { id: Option<u64>, values: String },
    Ack(u64),
    Fail(u64, FailKind, String),
    Reset(u64),
}

/// The engine's side of both collectors.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) events: Vec<Event>,
    /// The outputs are full after so many events.
    pub(super) room: Option<usize>,
    /// The next task that is chosen ahead; without it none is.
    pub(super) ahead: Option<u32>,
    /// The tasks that emissions brought with them.
    pub(super) chosen: Vec<u32>,
    /// Refuses tuples with another number of values.
    pub(super) fields: Option<usize>,
    /// The tasks that get what is emitted; 5 and 6 where nothing else is said.
    pub(super) takers: Option<Vec<TaskId>>,
}

fn edge(anchors: &Anchors) -> u64 {
    anchors.first().map_or(0, |anchor| anchor.edge.0)
}

fn show(values: &Values) -> String {
    let parts: Vec<String> = values.iter().map(Value::to_json).collect();
    format!("[{}]", parts.join(","))
}

impl Recorder {
    fn admit(&mut self, values: &Values, tasks: Tasks<'_>) -> Result<(), EmitError> {
        if let Some(expected) = self.fields.filter(|fields| *fields != values.len()) {
            return Err(EmitError::FieldCount {
                stream: "default".to_owned(),
                fields: "word".to_owned(),
                expected,
                found: values.len(),
            });
        }
        match tasks {
            Tasks::Any => {}
            Tasks::Tell(tasks) => {
                tasks.extend(self.takers.clone().unwrap_or(vec![TaskId(5), TaskId(6)]));
            }
            Tasks::Chosen(tasks) => self.chosen.extend(tasks.iter().map(|task| task.0)),
        }
        Ok(())
    }

    fn choose(&mut self, tasks: &mut Vec<TaskId>) -> bool {
        let Some(next) = &mut self.ahead else {
            return false;
        };
        tasks.push(TaskId(*next));
        *next += 1;
        true
    }

    pub(super) fn emitted(&self) -> Vec<String> {
        let values = self.events.iter().filter_map(|event| match event {
            Event::Emit { values, .. } | Event::Message { values, .. } => Some(values.clone()),
            _ => None,
        });
        values.collect()
    }

    pub(super) fn acked(&self) -> Vec<u64> {
        let edges = self.events.iter().filter_map(|event| match event {
            Event::Ack(edge) => Some(*edge),
            _ => None,
        });
        edges.collect()
    }

    pub(super) fn failed(&self) -> Vec<(u64, FailKind)> {
        let edges = self.events.iter().filter_map(|event| match event {
            Event::Fail(edge, kind, _) => Some((*edge, *kind)),
            _ => None,
        });
        edges.collect()
    }
}

impl Emitter for Recorder {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        self.admit(&emission.values, emission.tasks)?;
        self.events.push(Event::Emit {
            stream: emission.stream.0,
            direct: emission.direct.map(|task| task.0),
            values: show(&emission.values),
            anchors: emission.anchors.iter().map(|one| edge(one)).collect(),
            suspect: emission.flags.contains(Flags::SUSPECT),
        });
        Ok(())
    }

    fn ack(&mut self, anchors: &Anchors) {
        self.events.push(Event::Ack(edge(anchors)));
    }

    fn fail(&mut self, anchors: &Anchors, kind: FailKind, reason: &str) {
        let event = Event::Fail(edge(anchors), kind, reason.to_owned());
        self.events.push(event);
    }

    fn reset_timeout(&mut self, anchors: &Anchors) {
        self.events.push(Event::Reset(edge(anchors)));
    }

    fn choose_ahead(&mut self, _stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.choose(tasks)
    }

    fn has_room(&self) -> bool {
        self.room.is_none_or(|room| self.events.len() < room)
    }
}

impl SpoutEmitter for Recorder {
    fn choose_ahead(&mut self, _stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.choose(tasks)
    }

    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        self.admit(&emission.values, emission.tasks)?;
        self.events.push(Event::Message {
            id: emission.id.map(|id| id.0),
            values: show(&emission.values),
        });
        Ok(())
    }
}

/// Keeps what was reported.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) logs: Mutex<Vec<(Level, String)>>,
    pub(super) errors: Mutex<Vec<(String, Option<String>)>>,
}

impl Reports {
    pub(super) fn has_log(&self, part: &str) -> bool {
        self.logs.lock().unwrap().iter().any(|(_, line)| line.contains(part))
    }

    /// The numbers of the lines that contain this.
    pub(super) fn log_at(&self, part: &str) -> Vec<usize> {
        let logs = self.logs.lock().unwrap();
        let numbered = logs.iter().enumerate();
        numbered.filter(|(_, (_, line))| line.contains(part)).map(|(number, _)| number).collect()
    }

    pub(super) fn level_of(&self, part: &str) -> Option<Level> {
        let logs = self.logs.lock().unwrap();
        logs.iter().find(|(_, line)| line.contains(part)).map(|(level, _)| *level)
    }

    pub(super) fn has_error(&self, part: &str) -> bool {
        self.errors.lock().unwrap().iter().any(|(line, _)| line.contains(part))
    }
}

impl Report for Reports {
    fn log(&self, level: Level, message: &str) {
        self.logs.lock().unwrap().push((level, message.to_owned()));
    }

    fn error(&self, message: &str, detail: Option<&str>) {
        let entry = (message.to_owned(), detail.map(str::to_owned));
        self.errors.lock().unwrap().push(entry);
    }
}

/// A tuple of the source `sentences`, known by its edge.
pub(super) fn tuple(edge: u64, values: impl IntoIterator<Item = Value>) -> Tuple {
    let mut tuple = Tuple::new(TaskId(1), StreamIdx(0), values);
    tuple.anchors.push(Anchor { root: RootId(edge), edge: EdgeId(edge), spout: TaskId(1) });
    tuple
}

pub(super) fn text(edge: u64, text: &str) -> Tuple {
    tuple(edge, [Value::from(text)])
}

pub(super) fn suspect(edge: u64, values: impl IntoIterator<Item = Value>) -> Tuple {
    let mut tuple = tuple(edge, values);
    tuple.flags = Flags::SUSPECT;
    tuple
}

/// The world of one task: the topology that the transcripts were taken in.
pub(super) struct World {
    pub(super) reports: Arc<Reports>,
    pub(super) metrics: Arc<UserMetrics>,
    pub(super) runtimes: Runtimes,
    dir: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            reports: Arc::default(),
            metrics: Arc::default(),
            runtimes: Runtimes::io_only().unwrap(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn context(&self, component: &str) -> Context {
        let sides = ["default", "side"].map(|name| StreamDecl {
            name: name.to_owned(),
            fields: vec!["word".to_owned()],
            direct: false,
        });
        let subscriber = |grouping: &'static str, fields: &[&str]| Subscriber {
            component: "count".to_owned(),
            tasks: vec![TaskId(5), TaskId(6)],
            grouping,
            grouping_fields: fields.iter().map(ToString::to_string).collect(),
        };
        let subscribers = [subscriber("FIELDS", &["word"]), subscriber("SHUFFLE", &[])];
        let outputs = sides
            .into_iter()
            .zip(subscribers)
            .map(|(decl, subscriber)| Output { decl, subscribers: vec![subscriber] });
        let tasks = [(1, "sentences"), (2, "__acker"), (3, component), (5, "count"), (6, "count")];
        Context {
            topology: "probe".to_owned(),
            component: component.to_owned(),
            task: TaskId(3),
            task_index: 0,
            task_count: 1,
            worker: WorkerSlot(0),
            restarted: false,
            tasks: Arc::new(tasks.map(|(task, name)| (TaskId(task), name.to_owned())).into()),
            inputs: vec![Input {
                component: "sentences".to_owned(),
                tasks: vec![TaskId(1)],
                stream: StreamIdx(0),
                decl: StreamDecl::default_stream(["sentence"]),
                grouping: "SHUFFLE",
                grouping_fields: Vec::new(),
            }],
            outputs: outputs.collect(),
            conf: Arc::default(),
            message_timeout: Duration::from_secs(30),
            tick: Some(Duration::from_secs(60)),
            dir: self.dir.path().to_owned(),
            state_dir: self.dir.path().to_owned(),
            run_dir: self.dir.path().to_owned(),
            waker: Signal::new(),
            io: self.runtimes.io(),
            reporter: Reporter::new(self.reports.clone(), self.metrics.clone()),
        }
    }
}

pub(super) fn options(more: serde_json::Value) -> CommandOptions {
    let mut options = json!({"command": ["true"]});
    if let (Some(all), Some(more)) = (options.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    serde_json::from_value(options).unwrap()
}

pub(super) fn python(script: &str, more: serde_json::Value) -> CommandOptions {
    let mut options = options(more);
    let preamble = include_str!("child.py");
    let script = format!("{preamble}\n{script}");
    options.command = vec!["python3".to_owned(), "-c".to_owned(), script];
    options
}

/// A bolt in a real child, driven like a task's loop drives it.
pub(super) struct BoltRig {
    pub(super) world: World,
    pub(super) context: Arc<Context>,
    pub(super) bolt: ShellBolt,
    pub(super) out: Recorder,
}

impl BoltRig {
    pub(super) fn new(options: CommandOptions) -> Self {
        Self::with_context(options, |_| {})
    }

    pub(super) fn with_context(options: CommandOptions, change: impl FnOnce(&mut Context)) -> Self {
        let world = World::new();
        let mut context = world.context("split");
        change(&mut context);
        let context = Arc::new(context);
        let mut bolt = ShellBolt::new(options);
        let mut out = Recorder::default();
        bolt.open(&context, &mut Collector::new(&mut out)).unwrap();
        Self { world, context, bolt, out }
    }

    /// Wakes the bolt whenever its bell rings, until `done`.
    pub(super) fn try_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), ComponentError> {
        let start = crate::base::now();
        loop {
            let mut collector = Collector::new(&mut self.out);
            self.bolt.wake(&mut collector)?;
            if done(self) {
                return Ok(());
            }
            let waited = crate::base::now().since(start);
            assert!(waited < PATIENCE, "waited in vain: {what}; {:?}", self.world.reports);
            let bell = self.context.waker.clone();
            self.context.io.block_on(async {
                let ring = tokio::time::timeout(Duration::from_secs(1), bell.wait());
                let _rang = ring.await.is_ok();
            });
        }
    }

    pub(super) fn until(&mut self, what: &str, done: impl FnMut(&mut Self) -> bool) {
        self.try_until(what, done).unwrap();
    }

    /// The error that ends this life.
    pub(super) fn death(&mut self) -> ComponentError {
        self.try_until("death", |_| false).unwrap_err()
    }

    pub(super) fn give(&mut self, tuple: Tuple) {
        self.until("ready", |rig| rig.bolt.ready());
        let mut collector = Collector::new(&mut self.out);
        self.bolt.execute(tuple, &mut collector).unwrap();
        self.bolt.idle(&mut collector).unwrap();
    }

    pub(super) fn close(&mut self) {
        self.until("closed", |rig| {
            let mut collector = Collector::new(&mut rig.out);
            rig.bolt.close(&mut collector) == crate::component::Progress::Done
        });
    }
}
