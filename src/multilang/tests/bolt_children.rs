//! Bolts in real processes: what they are told and what they say.

use std::time::Duration;

use serde_json::json;

use crate::component::{Bolt, Collector, FailKind, Level, Progress};
use crate::tuple::Value;

use super::harness::{BoltRig, Event, options, python, text, tuple};

const SPLIT: &str = r#"
hello()
for t in tuples():
    for word in t["tuple"][0].split():
        emit(t, word)
    ack(t)
"#;

#[test]
fn a_bolt_splits_acks_and_stops_cleanly() {
    let mut rig = BoltRig::new(python(SPLIT, json!({})));
    rig.give(text(1, "the cow"));
    rig.give(text(2, "naïve 日本 𝄞"));
    rig.until("acked", |rig| rig.out.acked() == [1, 2]);
    assert_eq!(
        rig.out.emitted(),
        ["\"the\"", "\"cow\"", "\"na\\u00efve\"", "\"\\u65e5\\u672c\"", "\"\\ud834\\udd1e\""]
            .map(|word| format!("[{word}]"))
    );
    rig.close();
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c07_the_handshake_has_config_context_and_a_folder_for_pid_files() {
    let script = r#"
h = hello()
for t in tuples():
    emit(t, h["conf"]["galewire.config"], h["conf"]["min"], h["context"]["componentid"],
         os.access(h["pidDir"], os.W_OK) and not h["pidDir"].endswith("/"), os.environ["EXTRA"], os.getcwd() == os.path.realpath(os.getcwd()),
         os.environ["PYTHONPATH"].endswith("/sdk/python"), "galewire.batch" in h["conf"])
    ack(t)
"#;
    let more = json!({"config": {"min": 3}, "env": {"EXTRA": "a b"}});
    let mut rig = BoltRig::new(python(script, more));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| !rig.out.acked().is_empty());
    assert_eq!(rig.out.emitted(), ["[{\"min\": 3},3,\"split\",true,\"a b\",true,true,true]"]);
}

#[test]
fn c17_prints_become_log_lines_and_the_tuple_counts() {
    let script = r#"
hello()
for t in tuples():
    print("debugging", flush=True)
    sys.stdout.write("glued")
    print("to stderr", file=sys.stderr, flush=True)
    ack(t)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    rig.until("logged", |rig| rig.world.reports.has_log("to stderr"));
    assert!(rig.world.reports.has_log("debugging"));
    assert!(rig.world.reports.has_log("glued"));
}

#[test]
fn c28_a_child_that_never_acks_keeps_being_fed() {
    let script = r#"
hello()
seen = 0
for t in tuples():
    seen += 1
    if seen == 500:
        send({"command": "emit", "tuple": [seen], "need_task_ids": False})
"#;
    let mut rig = BoltRig::new(python(script, json!({"max_in_flight": 20})));
    for edge in 1..=500 {
        rig.give(text(edge, "x"));
    }
    rig.until("all seen", |rig| rig.out.emitted() == ["[500]"]);
    assert_eq!(rig.bolt.held(), 500);
    let mut out = Collector::new(&mut rig.out);
    rig.bolt.abandon(FailKind::Died, &mut out);
    assert_eq!(rig.out.failed().len(), 500);
}

#[test]
fn a_child_that_floods_its_output_and_reads_nothing_does_not_deadlock() {
    let script = r#"
hello()
line = json.dumps({"command": "log", "msg": "x" * 1000, "level": 0}) + "\nend\n"
for _ in range(5000):
    sys.stdout.write(line)
sys.stdout.flush()
for t in tuples():
    ack(t)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    let big = "y".repeat(100_000);
    for edge in 1..=20 {
        rig.give(text(edge, &big));
    }
    rig.until("acked", |rig| rig.out.acked().len() == 20);
    let logs = rig.world.reports.logs.lock().unwrap();
    let count = logs.iter().filter(|(level, _)| *level == Level::Trace).count();
    assert_eq!(count, 5000);
}

#[test]
fn c49_a_flood_on_stderr_never_blocks_the_child() {
    let script = r#"
hello()
for _ in range(20000):
    print("x" * 50, file=sys.stderr)
for t in tuples():
    ack(t)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
}

#[test]
fn c16_a_large_tuple_goes_there_and_back() {
    let mut rig = BoltRig::new(python(SPLIT, json!({})));
    let large = "z".repeat(8 << 20);
    rig.give(text(1, &large));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    assert_eq!(rig.out.emitted()[0].len(), large.len() + 4);
}

#[test]
fn c30_task_ids_reach_a_child_that_waits_for_them() {
    let script = r#"
hello()
for t in tuples():
    send({"command": "emit", "tuple": ["a"], "anchors": [t["id"]]})
    ids = read()
    emit(t, ids)
    ack(t)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    assert_eq!(rig.out.emitted(), ["[\"a\"]", "[[5, 6]]"]);
}

#[test]
fn a_batch_child_drains_ends_and_closes() {
    let script = r#"
hello(batch=1, memory=True)
total = 0
while True:
    for m in read():
        if "tuples" in m:
            total += len(m["tuples"])
            send([{"done": m["first"], "emits": [[t] for t in m["tuples"]]}])
        elif m.get("command") == "drain":
            send({"command": "drained", "id": m["id"]})
        elif m.get("command") == "end":
            send({"command": "emit", "tuple": [total], "need_task_ids": False})
            send({"command": "ended", "id": m["id"]})
        elif m.get("stream") == "__heartbeat":
            send({"command": "sync"})
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    for edge in 1..=3 {
        rig.give(text(edge, "w"));
    }
    rig.until("drained", |rig| {
        let mut out = Collector::new(&mut rig.out);
        rig.bolt.drain(&mut out).unwrap() == Progress::Done
    });
    assert_eq!(rig.out.acked(), [1, 2, 3]);
    assert!(rig.bolt.holds_memory());
    rig.until("ended", |rig| {
        let mut out = Collector::new(&mut rig.out);
        rig.bolt.end(&mut out).unwrap() == Progress::Done
    });
    assert_eq!(rig.out.emitted(), ["[\"w\"]", "[\"w\"]", "[\"w\"]", "[3]"]);
    rig.close();
}

#[test]
fn c44_ticks_come_as_storm_sends_them_also_with_a_fraction() {
    let script = r#"
hello()
for t in tuples():
    send({"command": "emit", "tuple": [t["comp"], t["stream"], t["tuple"]], "need_task_ids": False})
    ack(t)
"#;
    let mut rig = BoltRig::with_context(python(script, json!({})), |context| {
        context.tick = Some(Duration::from_millis(2500));
    });
    rig.until("up", |rig| rig.bolt.ready());
    rig.bolt.tick(&mut Collector::new(&mut rig.out)).unwrap();
    rig.until("tick", |rig| !rig.out.emitted().is_empty());
    assert_eq!(rig.out.emitted(), ["[\"__system\",\"__tick\",[2.5]]"]);
    assert!(!rig.out.events.iter().any(|event| matches!(event, Event::Ack(_))));
}

#[test]
fn c20_node_children_get_null_where_python_says_nan() {
    let script = r"
const rl = require('readline').createInterface({ input: process.stdin });
let lines = [];
const send = (m) => process.stdout.write(JSON.stringify(m) + '\nend\n');
rl.on('line', (line) => {
  if (line !== 'end') { lines.push(line); return; }
  const m = JSON.parse(lines.join('\n')); lines = [];
  if (m.pidDir) send({ pid: process.pid });
  else if (m.stream === '__heartbeat') send({ command: 'sync' });
  else {
    send({ command: 'emit', tuple: [m.tuple], anchors: [m.id], need_task_ids: false });
    send({ command: 'ack', id: m.id });
  }
});
";
    let mut rig = BoltRig::new(options(json!({"command": ["node", "-e", script]})));
    rig.give(tuple(1, [Value::Float(f64::NAN), Value::from("NaN")]));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    assert_eq!(rig.out.emitted(), ["[[null,\"NaN\"]]"]);
    rig.close();
}

#[test]
fn a_childs_output_is_left_in_the_pipe_while_the_outputs_are_full() {
    let script = r#"
hello()
for n in range(100000):
    sys.stdout.write('{"command":"emit","tuple":[%d],"need_task_ids":false}\nend\n' % n)
sys.stdout.flush()
for t in tuples():
    ack(t)
"#;
    let more = json!({"heartbeat_timeout_ms": 60_000});
    let mut rig = BoltRig::new(python(script, more));
    rig.out.room = Some(1000);
    rig.until("full", |rig| rig.out.emitted().len() >= 1000);
    for _ in 0..100 {
        rig.bolt.wake(&mut Collector::new(&mut rig.out)).unwrap();
    }
    let chunk = 64 * 1024 / 50;
    assert!(rig.out.emitted().len() <= 1000 + chunk, "{}", rig.out.emitted().len());
    rig.out.room = None;
    rig.until("all", |rig| rig.out.events.len() == 100_000);
}
