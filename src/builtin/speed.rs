//! How fast the built-ins are when nothing else is in the way. Run by hand, in release mode:
//! `cargo test --release --lib builtin::speed -- --ignored --nocapture --test-threads=1`.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use crate::base::{StreamIdx, TaskId, now};
use crate::component::{
    Bolt, Collector, Emission, EmitError, Emitter, FailKind, MessageId, Next, Spout,
    SpoutCollector, SpoutEmission, SpoutEmitter,
};
use crate::tuple::{Anchors, Tuple, Value};

use super::count::CountKind;
use super::file::FileKind;
use super::generate::GenerateKind;
use super::split::SplitKind;
use super::testing::{bolt, bolt_context, context_in, spout};

/// Counts, and remembers ids to ack.
#[derive(Default)]
struct Sink {
    count: u64,
    ids: Vec<MessageId>,
}

impl SpoutEmitter for Sink {
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        self.count += 1;
        self.ids.extend(emission.id);
        std::hint::black_box(emission.values);
        Ok(())
    }
}

impl Emitter for Sink {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        self.count += 1;
        std::hint::black_box(emission.values);
        Ok(())
    }

    fn ack(&mut self, _: &Anchors) {}

    fn fail(&mut self, _: &Anchors, _: FailKind, _: &str) {}

    fn reset_timeout(&mut self, _: &Anchors) {}
}

const SENTENCE: &str = "the quick brown fox jumps over the lazy dog";

fn report(what: &str, count: u64, run: impl FnOnce()) {
    let start = now();
    run();
    let seconds = now().since(start).as_secs_f64();
    println!("{what}: {:.1} M/s", count as f64 / seconds / 1e6);
}

/// Takes everything a spout has in batches of 256, each acked after the next.
fn exhaust(spout: &mut dyn Spout) -> u64 {
    let mut sink = Sink::default();
    let mut before = Vec::new();
    while spout.next_batch(256, &mut SpoutCollector::new(&mut sink)).unwrap() != Next::Exhausted {
        for id in std::mem::replace(&mut before, std::mem::take(&mut sink.ids)) {
            spout.ack(id);
        }
    }
    sink.count
}

fn execute_all(bolt: &mut dyn Bolt, tuples: &[Tuple], rounds: usize) -> u64 {
    let mut sink = Sink::default();
    for _ in 0..rounds {
        for tuple in tuples {
            let mut out = Collector::new(&mut sink);
            out.take_in_hand(tuple);
            bolt.execute(tuple.clone(), &mut out).unwrap();
        }
    }
    sink.count
}

#[test]
#[ignore = "measures; run by hand in release mode"]
fn spouts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), format!("{SENTENCE}\n").repeat(5_000_000)).unwrap();
    fs::write(
        folder.path().join("j"),
        "{\"name\": \"fox\", \"size\": 12, \"at\": 1700000000}\n".repeat(2_000_000),
    )
    .unwrap();
    let context = Arc::new(context_in(folder.path()));
    let run = |what: &str, mut spout: Box<dyn Spout>, count| {
        spout.open(&context).unwrap();
        report(what, count, || assert_eq!(exhaust(spout.as_mut()), count));
    };
    run("file, text lines", spout::<FileKind>(json!({"path": "a"})), 5_000_000);
    let options = json!({"path": "j", "format": "json", "fields": ["name", "size", "at"]});
    run("file, json lines", spout::<FileKind>(options), 2_000_000);
    let fields = json!({"sentence": [SENTENCE, "a stitch in time saves nine and more"]});
    let options = json!({"fields": fields, "count": 10_000_000});
    run("generate, sentences", spout::<GenerateKind>(options), 10_000_000);
    let fields = json!({"user": {"template": "user-{random:1..1000}"}, "n": {"counter": {}}});
    let options = json!({"fields": fields, "count": 5_000_000});
    run("generate, template and counter", spout::<GenerateKind>(options), 5_000_000);
}

#[test]
#[ignore = "measures; run by hand in release mode"]
fn bolts() {
    let tuple = |value: Value| Tuple::new(TaskId(1), StreamIdx(0), [value]);
    let context = bolt_context(&[("in", &["line"])]);
    let open = |mut bolt: Box<dyn Bolt>| {
        bolt.open(&context, &mut Collector::new(&mut Sink::default())).unwrap();
        bolt
    };
    let sentences = vec![tuple(Value::from(SENTENCE)); 1000];
    let mut split = open(bolt::<SplitKind>(json!({})));
    report("split, sentences of 9 words", 1_000_000, || {
        assert_eq!(execute_all(split.as_mut(), &sentences, 1000), 9_000_000);
    });
    let words: Vec<_> =
        (0..10_000).map(|word| tuple(Value::from(format!("word-{word}")))).collect();
    let mut count = open(bolt::<CountKind>(json!({"by": ["line"]})));
    report("count, 10,000 different words", 10_000_000, || {
        assert_eq!(execute_all(count.as_mut(), &words, 1000), 10_000_000);
    });
    let numbers: Vec<_> = (0..10_000).map(|number| tuple(Value::Int(number))).collect();
    let mut filter = open(bolt::<super::filter::FilterKind>(json!({"when": "line % 2 == 0"})));
    report("filter, arithmetic", 2_000_000, || {
        assert_eq!(execute_all(filter.as_mut(), &numbers, 200), 1_000_000);
    });
    let mut filter = open(bolt::<super::filter::FilterKind>(json!({"when": "line == 'x'"})));
    report("filter, text", 1_000_000, || {
        assert_eq!(execute_all(filter.as_mut(), &sentences, 1000), 0);
    });
}
