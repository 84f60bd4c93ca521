//! How fast the engine's side of a child is: sentences of six words in compact batch frames.
//!
//! `cargo bench --bench multilang` measures the session alone (encoding inputs, scanning results);
//! with `-- python`, `-- python-sdk` or `-- node-sdk` it also runs such a child end to end.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use galewire::base::{EdgeId, RootId, Runtimes, Signal, StreamIdx, TaskId, WorkerSlot, now};
use galewire::component::{
    Bolt, Collector, Context, Emission, EmitError, Emitter, FailKind, Input, Level, Output, Report,
    Reporter, StreamDecl,
};
use galewire::metrics::UserMetrics;
use galewire::multilang::{BoltSession, CommandOptions, ShellBolt};
use galewire::tuple::{Anchor, Anchors, Tuple, Value};

const SENTENCE: &str = "the cow jumped over the moon";
const BATCH: usize = 500;

/// Counts, and does nothing else, like a very fast engine.
#[derive(Default)]
struct Counter {
    emitted: u64,
    acked: u64,
}

impl Emitter for Counter {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        black_box(&emission.values);
        self.emitted += 1;
        Ok(())
    }

    fn ack(&mut self, anchors: &Anchors) {
        black_box(anchors);
        self.acked += 1;
    }

    fn fail(&mut self, _anchors: &Anchors, kind: FailKind, reason: &str) {
        panic!("a tuple failed: {kind:?} {reason}");
    }

    fn reset_timeout(&mut self, _anchors: &Anchors) {}
}

struct Quiet;

impl Report for Quiet {
    fn log(&self, level: Level, message: &str) {
        assert!(level < Level::Warn, "{message}");
    }

    fn error(&self, message: &str, detail: Option<&str>) {
        panic!("{message} {detail:?}");
    }
}

fn context(runtimes: &Runtimes, dir: &std::path::Path) -> Context {
    Context {
        topology: "bench".to_owned(),
        component: "split".to_owned(),
        task: TaskId(2),
        task_index: 0,
        task_count: 1,
        worker: WorkerSlot(0),
        restarted: false,
        tasks: Arc::default(),
        inputs: vec![Input {
            component: "lines".to_owned(),
            tasks: vec![TaskId(1)],
            stream: StreamIdx(0),
            decl: StreamDecl::default_stream(["line"]),
            grouping: "SHUFFLE",
            grouping_fields: Vec::new(),
        }],
        outputs: vec![Output {
            decl: StreamDecl::default_stream(["word"]),
            subscribers: Vec::new(),
        }],
        conf: Arc::default(),
        message_timeout: Duration::from_secs(30),
        tick: None,
        dir: dir.to_owned(),
        state_dir: dir.to_owned(),
        run_dir: dir.to_owned(),
        waker: Signal::new(),
        io: runtimes.io(),
        reporter: Reporter::new(Arc::new(Quiet), Arc::new(UserMetrics::default())),
    }
}

fn tuple(id: u64) -> Tuple {
    let mut tuple = Tuple::new(TaskId(1), StreamIdx(0), [Value::from(SENTENCE)]);
    tuple.anchors.push(Anchor { root: RootId(id), edge: EdgeId(id), spout: TaskId(1) });
    tuple
}

fn options(command: &[&str]) -> CommandOptions {
    serde_json::from_value(serde_json::json!({"command": command})).expect("options are right")
}

fn results(first: u64) -> Vec<u8> {
    let words: Vec<String> = SENTENCE.split(' ').map(|word| format!("[\"{word}\"]")).collect();
    let emits = vec![format!("[{}]", words.join(",")); BATCH].join(",");
    format!("{{\"done\":{first},\"emits\":[{emits}]}}\nend\n").into_bytes()
}

/// The session alone: the two directions timed apart.
fn session_alone(context: &Context) {
    let mut counter = Counter::default();
    let mut out = Collector::new(&mut counter);
    let mut session = BoltSession::new(&options(&["none"]), context, b"{}", now());
    session.read(b"{\"pid\":1,\"batch\":1}\nend\n", now(), &mut out).expect("it is a pid");
    session.take_bytes();
    let (mut encoding, mut scanning) = (Duration::ZERO, Duration::ZERO);
    let (mut encoded, mut scanned) = (0, 0);
    let rounds: u64 = 2000;
    for round in 0..rounds {
        let first = round * BATCH as u64 + 1;
        let tuples: Vec<Tuple> = (first..first + BATCH as u64).map(tuple).collect();
        let frame = results(first);
        let start = Instant::now();
        for tuple in tuples {
            session.give(tuple, now());
        }
        encoded += session.take_bytes().1.len();
        encoding += start.elapsed();
        scanned += frame.len();
        let start = Instant::now();
        for chunk in frame.chunks(64 << 10) {
            session.read(chunk, now(), &mut out).expect("the frame is right");
        }
        scanning += start.elapsed();
    }
    let total = rounds * BATCH as u64;
    assert_eq!((counter.acked, counter.emitted), (total, total * 6));
    let sentences = total as f64;
    for (what, bytes, took) in [("encode", encoded, encoding), ("scan", scanned, scanning)] {
        let seconds = took.as_secs_f64();
        println!(
            "{what}: {:.2} M sentences/s, {:.0} ns each, {:.0} MB/s",
            sentences / seconds / 1e6,
            seconds / sentences * 1e9,
            bytes as f64 / seconds / 1e6,
        );
    }
}

const CHILD: &str = r#"
import json, os, sys
try:
    import orjson
    loads, dumps = orjson.loads, orjson.dumps
except ImportError:
    loads, dumps = json.loads, lambda m: json.dumps(m, separators=(",", ":")).encode()
src, dst = sys.stdin.buffer, sys.stdout.buffer
def say(m):
    dst.write(dumps(m) + b"\nend\n"); dst.flush()
src.readline(); src.readline()
say({"pid": os.getpid(), "batch": 1})
while True:
    line = src.readline()
    if not line: break
    src.readline()
    out = []
    for m in loads(line):
        if "tuples" in m:
            out.append({"done": m["first"], "emits": [[[w] for w in t[0].split()] for t in m["tuples"]]})
        elif m.get("stream") == "__heartbeat":
            out.append({"command": "sync"})
    say(out)
"#;

/// A child, driven by this one thread.
fn with_child(name: &str, context: Context, command: &[&str]) {
    let context = Arc::new(context);
    let mut counter = Counter::default();
    let mut bolt = ShellBolt::new(options(command));
    bolt.open(&context, &mut Collector::new(&mut counter)).expect("the folders can be made");
    while !bolt.ready() {
        context.io.block_on(context.waker.wait());
        bolt.wake(&mut Collector::new(&mut counter)).expect("the child lives");
    }
    let total = 2_000_000;
    let mut given = 0;
    let start = Instant::now();
    while counter.acked < total {
        let mut out = Collector::new(&mut counter);
        while given < total && bolt.ready() {
            given += 1;
            bolt.execute(tuple(given), &mut out).expect("the child lives");
        }
        bolt.idle(&mut out).expect("the child lives");
        context.io.block_on(context.waker.wait());
        bolt.wake(&mut out).expect("the child lives");
    }
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(counter.emitted, total * 6);
    println!("{name}: {:.0} k sentences/s", total as f64 / seconds / 1e3);
}

const PYTHON_SPLIT: &str = "
import galewire

@galewire.bolt
def split(line):
    for word in line.split():
        yield word
";

const NODE_SPLIT: &str = "
import { bolt } from 'galewire';
export const split = bolt(function* ({ line }) { for (const word of line.split(' ')) yield [word]; });
";

fn main() {
    let runtimes = Runtimes::io_only().expect("a runtime starts");
    let dir = tempfile::tempdir().expect("a folder for the run");
    std::fs::write(dir.path().join("split.py"), PYTHON_SPLIT).expect("the folder is writable");
    std::fs::write(dir.path().join("split.mjs"), NODE_SPLIT).expect("the folder is writable");
    session_alone(&context(&runtimes, dir.path()));
    let node = "{sdk}/node/galewire/run.mjs";
    let children: [(&str, &[&str]); 3] = [
        ("python", &["python3", "-c", CHILD]),
        ("python-sdk", &["python3", "-m", "galewire", "split.py:split"]),
        ("node-sdk", &["node", node, "split.mjs:split"]),
    ];
    for (name, command) in children {
        if std::env::args().any(|argument| argument == name) {
            with_child(name, context(&runtimes, dir.path()), command);
        }
    }
}
