//! What the tests of built-ins drive components with: contexts, and emitters that remember.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{
    EdgeId, RootId, Runtimes, Signal, Spawner, StreamIdx, TaskId, Timestamp, WorkerSlot, now,
};
use crate::component::{
    Bolt, BoltKind, Collector, Context, Declaring, Emission, EmitError, Emitter, FailKind, Input,
    InputDecl, Level, MessageId, Next, OptionProblem, Report, Reporter, Spout, SpoutCollector,
    SpoutEmission, SpoutEmitter, SpoutKind, StreamDecl,
};
use crate::tuple::{Anchor, Anchors, Tuple, Value, Values};

/// The errors that were reported.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<String>>>);

impl Report for Heard {
    fn log(&self, _: Level, _: &str) {}

    fn error(&self, message: &str, _: Option<&str>) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

impl Heard {
    pub(super) fn reporter(&self) -> Reporter {
        Reporter::new(Arc::new(self.clone()), Arc::default())
    }

    pub(super) fn errors(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn io() -> Spawner {
    static RUNTIMES: std::sync::OnceLock<Runtimes> = std::sync::OnceLock::new();
    RUNTIMES.get_or_init(|| Runtimes::io_only().unwrap()).io()
}

/// A context for a lone task in `dir`.
pub(super) fn context_in(dir: &Path) -> Context {
    Context {
        topology: "test".to_owned(),
        component: "part".to_owned(),
        task: TaskId(2),
        task_index: 0,
        task_count: 1,
        worker: WorkerSlot(0),
        restarted: false,
        tasks: Arc::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        conf: Arc::default(),
        message_timeout: Duration::from_secs(30),
        tick: None,
        dir: dir.to_owned(),
        state_dir: dir.join("state"),
        run_dir: dir.join("run"),
        waker: Signal::new(),
        io: io(),
        reporter: Heard::default().reporter(),
    }
}

/// The same with inputs; each is emitted by a task of its own, from 1.
pub(super) fn context_with_inputs(dir: &Path, inputs: &[(&str, &[&str])]) -> Context {
    let inputs = inputs.iter().zip(1..).map(|((component, fields), task)| Input {
        component: (*component).to_owned(),
        tasks: vec![TaskId(task)],
        stream: StreamIdx(0),
        decl: StreamDecl::default_stream(fields.iter().copied()),
        grouping: "SHUFFLE",
        grouping_fields: Vec::new(),
    });
    Context { inputs: inputs.collect(), ..context_in(dir) }
}

/// A context for a bolt that touches no files.
pub(super) fn bolt_context(inputs: &[(&str, &[&str])]) -> Arc<Context> {
    Arc::new(context_with_inputs(Path::new("/nonexistent"), inputs))
}

/// What a kind is told about such inputs.
pub(super) fn declaring(inputs: &[(&str, &[&str])], tasks: usize) -> Declaring {
    let inputs = inputs.iter().map(|(component, fields)| InputDecl {
        component: (*component).to_owned(),
        stream: "default".to_owned(),
        fields: fields.iter().map(ToString::to_string).collect(),
        grouping_fields: None,
    });
    Declaring { inputs: inputs.collect(), tasks, outputs: None }
}

/// The problems of a bolt's options, by message.
pub(super) fn bolt_problems<K: BoltKind>(
    options: serde_json::Value,
    declaring: &Declaring,
) -> Vec<OptionProblem> {
    K::declare(&serde_json::from_value(options).unwrap(), declaring).unwrap_err()
}

/// A bolt from options as written.
pub(super) fn bolt<K: BoltKind>(options: serde_json::Value) -> Box<dyn Bolt> {
    K::build(serde_json::from_value(options).unwrap())
}

/// A spout from options as written.
pub(super) fn spout<K: SpoutKind>(options: serde_json::Value) -> Box<dyn Spout> {
    K::build(serde_json::from_value(options).unwrap())
}

/// A tuple of the first input, with an anchor of its own.
pub(super) fn tuple(values: impl IntoIterator<Item = Value>) -> Tuple {
    let mut tuple = Tuple::new(TaskId(1), StreamIdx(0), values);
    tuple.anchors.push(Anchor {
        root: RootId(fastrand::u64(1..)),
        edge: EdgeId::random(),
        spout: TaskId(1),
    });
    tuple
}

/// What a bolt did.
#[derive(Default)]
pub(super) struct BoltOut {
    pub(super) emitted: Vec<Values>,
    pub(super) acked: Vec<Anchors>,
    pub(super) failed: Vec<(Anchors, String)>,
}

impl Emitter for BoltOut {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        self.emitted.push(emission.values);
        Ok(())
    }

    fn ack(&mut self, anchors: &Anchors) {
        self.acked.push(anchors.clone());
    }

    fn fail(&mut self, anchors: &Anchors, _: FailKind, reason: &str) {
        self.failed.push((anchors.clone(), reason.to_owned()));
    }

    fn reset_timeout(&mut self, _: &Anchors) {}
}

impl BoltOut {
    /// Emitted values as JSON, one string a tuple.
    pub(super) fn texts(&self) -> Vec<String> {
        self.emitted.iter().map(|values| text_of(values)).collect()
    }

    /// Opens a bolt.
    pub(super) fn open(&mut self, bolt: &mut dyn Bolt, context: &Arc<Context>) {
        bolt.open(context, &mut Collector::new(self)).unwrap();
    }

    /// Gives a bolt a tuple of the first input.
    pub(super) fn give(
        &mut self,
        bolt: &mut dyn Bolt,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<(), crate::component::ComponentError> {
        let tuple = tuple(values);
        let (ticket, flags) = (tuple.ticket(), tuple.flags);
        bolt.execute(tuple, &mut Collector::holding(self, &ticket.anchors, flags))
    }
}

/// Values as JSON, separated by spaces.
pub(super) fn text_of(values: &[Value]) -> String {
    let texts: Vec<_> = values.iter().map(Value::to_json).collect();
    texts.join(" ")
}

/// What a spout gave out.
#[derive(Default)]
pub(super) struct SpoutOut {
    pub(super) emitted: Vec<(MessageId, Values)>,
}

impl SpoutEmitter for SpoutOut {
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        let id = emission.id.expect("built-in spouts are reliable");
        self.emitted.push((id, emission.values));
        Ok(())
    }
}

impl SpoutOut {
    /// Emitted values as JSON, one string a tuple.
    pub(super) fn texts(&self) -> Vec<String> {
        self.emitted.iter().map(|(_, values)| text_of(values)).collect()
    }

    /// The first values as text.
    pub(super) fn lines(&self) -> Vec<String> {
        self.emitted.iter().map(|(_, values)| values[0].to_text().into_owned()).collect()
    }

    /// Asks once for up to `max` messages.
    pub(super) fn ask(&mut self, spout: &mut dyn Spout, max: usize) -> Next {
        spout.next_batch(max, &mut SpoutCollector::new(self)).unwrap()
    }

    /// Asks until there is nothing at the moment, and says what that was.
    pub(super) fn drain(&mut self, spout: &mut dyn Spout) -> Next {
        loop {
            match self.ask(spout, 100) {
                Next::More => {}
                other => return other,
            }
        }
    }
}

/// Calls `step` until it is true.
///
/// # Panics
/// When it is not within 20 seconds.
pub(super) fn until(what: &str, mut step: impl FnMut() -> bool) {
    let deadline: Timestamp = now() + Duration::from_secs(20);
    while !step() {
        assert!(now() < deadline, "gave up waiting: {what}");
        std::thread::yield_now();
    }
}
