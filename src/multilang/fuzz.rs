//! A target for fuzzing: what a child writes, through a whole session of a bolt or spout.
//!
//! Compiled for tests and fuzzing alone.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;

use crate::base::{
    EdgeId, RootId, Runtimes, Signal, StreamIdx, TaskId, Timestamp, WorkerSlot, now,
};
use crate::component::{
    Collector, Context, Emission, EmitError, Emitter, FailKind, Input, Level, MessageId, Output,
    Report, Reporter, SpoutCollector, SpoutEmission, SpoutEmitter, StreamDecl, Subscriber, Tasks,
};
use crate::tuple::{Anchor, Anchors, Tuple, Value};

use super::options::CommandOptions;
use super::session::{BoltSession, SpoutSession, handshake};
use super::trace::Trace;

/// What is done to a session between two chunks.
const STEP: Duration = Duration::from_millis(700);

/// A child's output. The first byte says what it is of (a spout, msgpack, task ids ahead, no batch
/// frames, a child that has not greeted yet, one of batch frames), the second how it is cut.
///
/// # Panics
/// Where an input is settled twice or never, and where a session does, which is what is looked for.
pub fn child(data: &[u8]) {
    let [what, cut, output @ ..] = data else {
        return;
    };
    let options = options(*what);
    let context = context();
    let greeting: &[u8] = match (what & 0x10 == 0, what & 0x20 == 0, what & 2 == 0) {
        (false, ..) => b"",
        (true, true, true) => b"{\"pid\":1}\nend\n",
        (true, false, true) => b"{\"pid\":1,\"batch\":1,\"replay\":\"engine\"}\nend\n",
        (true, _, false) => b"\x81\xa3pid\x01",
    };
    let output = [greeting, output].concat();
    let chunk = usize::from(*cut) * 7 + 1;
    let mut trace = Trace::new(options.protocol, context.reporter.clone());
    output.chunks(chunk).for_each(|chunk| trace.received(chunk));
    if what & 1 == 0 {
        bolt(&options, &context, &output, chunk);
    } else {
        spout(&options, &context, &output, chunk);
    }
}

fn bolt(options: &CommandOptions, context: &Context, output: &[u8], chunk: usize) {
    let hello = handshake(context, &options.config, None, &context.run_dir);
    let mut at = now();
    let mut engine = Engine::default();
    let mut session = BoltSession::new(options, context, &hello, at);
    let mut given = 0;
    for (number, chunk) in output.chunks(chunk).enumerate() {
        let mut out = Collector::new(&mut engine);
        if given < 64 && session.ready() {
            given += 1;
            session.give(input(given), at);
        }
        let heard = session.read(chunk, at, &mut out);
        at = at + STEP;
        if heard.is_err() || session.advance(at, true, &mut out).is_err() {
            break;
        }
        match number % 8 {
            3 => session.tick(true),
            6 => drop(session.drain(at)),
            7 => drop(session.end(at)),
            _ => {}
        }
        let _ = session.take_bytes();
    }
    session.finish();
    session.died("the end", None, &mut Collector::new(&mut engine));
    assert_eq!(engine.settled.len() as u64, given, "an input was not settled");
}

fn spout(options: &CommandOptions, context: &Context, output: &[u8], chunk: usize) {
    let hello = handshake(context, &options.config, None, &context.run_dir);
    let mut at: Timestamp = now();
    let mut engine = Engine::default();
    let mut session = SpoutSession::new(options, context, &hello, 1, at);
    session.set_active(true);
    for chunk in output.chunks(chunk) {
        let _ = session.want(10, at);
        let heard = session.read(chunk, at, &mut SpoutCollector::new(&mut engine));
        at = at + STEP;
        for (number, id) in engine.messages.drain(..).enumerate() {
            if number % 2 == 0 {
                session.ack(id);
            } else {
                let _ = session.fail(id);
            }
        }
        if heard.is_err() || session.advance(at).is_err() {
            break;
        }
        session.pump(at);
        let _ = (session.outbox().take_urgent(), session.outbox().take_data());
    }
    session.finish();
}

fn options(what: u8) -> CommandOptions {
    let options = json!({
        "command": ["python3"],
        "protocol": if what & 2 == 0 { "json" } else { "msgpack" },
        "task_ids": if what & 4 == 0 { "on_request" } else { "ahead" },
        "batch": what & 8 == 0,
        "nexts": 4,
    });
    serde_json::from_value(options).expect("the options are right")
}

fn input(number: u64) -> Tuple {
    let values = [Value::from("to be"), Value::Int(7)];
    let mut tuple = Tuple::new(TaskId(1), StreamIdx(0), values);
    tuple.anchors.push(Anchor { root: RootId(number), edge: EdgeId(number), spout: TaskId(1) });
    tuple
}

/// The engine's side of both collectors.
#[derive(Debug, Default)]
struct Engine {
    settled: BTreeSet<u64>,
    messages: Vec<MessageId>,
}

impl Engine {
    fn settle(&mut self, anchors: &Anchors) {
        for anchor in anchors {
            assert!(self.settled.insert(anchor.edge.0), "an input was settled twice");
        }
    }

    fn tell(tasks: Tasks<'_>) {
        if let Tasks::Tell(tasks) = tasks {
            tasks.extend([TaskId(5), TaskId(6)]);
        }
    }
}

impl Emitter for Engine {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        if emission.values.len() > 3 {
            return Err(EmitError::NotSubscribed { task: TaskId(9), stream: "side".to_owned() });
        }
        for anchor in emission.anchors.iter().flat_map(|anchors| anchors.iter()) {
            assert!(!self.settled.contains(&anchor.edge.0), "anchored to what is settled");
        }
        Self::tell(emission.tasks);
        Ok(())
    }

    fn ack(&mut self, anchors: &Anchors) {
        self.settle(anchors);
    }

    fn fail(&mut self, anchors: &Anchors, _kind: FailKind, _reason: &str) {
        self.settle(anchors);
    }

    fn reset_timeout(&mut self, _anchors: &Anchors) {}

    fn choose_ahead(&mut self, _stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        tasks.push(TaskId(5));
        true
    }
}

impl SpoutEmitter for Engine {
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        self.messages.extend(emission.id);
        Self::tell(emission.tasks);
        Ok(())
    }

    fn choose_ahead(&mut self, _stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        tasks.push(TaskId(6));
        true
    }
}

/// Nobody listens.
struct Silent;

impl Report for Silent {
    fn log(&self, _level: Level, _message: &str) {}
    fn error(&self, _message: &str, _detail: Option<&str>) {}
}

fn context() -> Context {
    static RUNTIMES: OnceLock<Runtimes> = OnceLock::new();
    let runtimes = RUNTIMES.get_or_init(|| Runtimes::io_only().expect("a thread can be started"));
    let outputs = ["default", "side"].map(|name| Output {
        decl: StreamDecl {
            name: name.to_owned(),
            fields: vec!["word".to_owned()],
            direct: name == "side",
        },
        subscribers: vec![Subscriber {
            component: "count".to_owned(),
            tasks: vec![TaskId(5), TaskId(6)],
            grouping: "SHUFFLE",
            grouping_fields: Vec::new(),
        }],
    });
    let tasks = [(1, "lines"), (3, "split"), (5, "count"), (6, "count")];
    Context {
        topology: "fuzz".to_owned(),
        component: "split".to_owned(),
        task: TaskId(3),
        task_index: 0,
        task_count: 1,
        worker: WorkerSlot(0),
        restarted: false,
        tasks: Arc::new(tasks.map(|(task, name)| (TaskId(task), name.to_owned())).into()),
        inputs: vec![Input {
            component: "lines".to_owned(),
            tasks: vec![TaskId(1)],
            stream: StreamIdx(0),
            decl: StreamDecl::default_stream(["line", "number"]),
            grouping: "SHUFFLE",
            grouping_fields: Vec::new(),
        }],
        outputs: outputs.into(),
        conf: Arc::default(),
        // What times out is settled elsewhere.
        message_timeout: Duration::from_secs(1_000_000),
        tick: Some(Duration::from_secs(1)),
        dir: PathBuf::new(),
        state_dir: PathBuf::new(),
        run_dir: PathBuf::from("/run/fuzz"),
        waker: Signal::new(),
        io: runtimes.io(),
        reporter: Reporter::new(Arc::new(Silent), Arc::default()),
    }
}
