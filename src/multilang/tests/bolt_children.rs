//! Bolts in real processes, good and bad.

use std::time::Duration;

use serde_json::json;

use crate::component::{Bolt, Collector, FailKind, Level, Progress, Recovery};
use crate::tuple::{Tuple, Value};

use super::harness::{BoltRig, Event, options, python, suspect, tuple};

fn text(edge: u64, text: &str) -> Tuple {
    tuple(edge, [Value::from(text)])
}

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
fn the_handshake_tells_config_context_and_folders() {
    let script = r#"
h = hello()
for t in tuples():
    emit(t, h["conf"]["galewire.config"], h["conf"]["min"], h["context"]["componentid"],
         os.path.isdir(h["pidDir"]), os.environ["EXTRA"], os.getcwd() == os.path.realpath(os.getcwd()),
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
fn prints_become_log_lines_and_the_tuple_counts() {
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
fn an_exception_kills_the_child_and_its_tuples_fail_at_once() {
    let script = r#"
hello()
for t in tuples():
    if t["tuple"][0] == "boom":
        raise ValueError("no such word")
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    for edge in 1..=3 {
        rig.give(text(edge, "fine"));
    }
    rig.give(text(4, "boom"));
    let error = rig.death();
    assert!(error.message.ends_with("exited with status 1"), "{error}");
    assert!(error.message.starts_with("python3 -c "), "{error}");
    assert!(error.detail.unwrap().contains("ValueError: no such word"));
    assert_eq!(error.recovery, Recovery::Restart);
    assert_eq!(rig.out.failed(), [1, 2, 3, 4].map(|edge| (edge, FailKind::Died)));
}

#[test]
fn a_poison_tuple_given_alone_is_told_from_the_others() {
    let script = r#"
hello()
for t in tuples():
    if t["tuple"][0] == "poison":
        os._exit(3)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "held"));
    rig.give(suspect(2, [Value::from("poison")]));
    let error = rig.death();
    assert!(error.message.ends_with("exited with status 3"), "{error}");
    assert_eq!(rig.out.failed(), [(1, FailKind::Died), (2, FailKind::DiedAlone)]);
}

#[test]
fn exit_with_0_while_running_is_a_death_and_last_words_count() {
    let script = r#"
hello()
for t in tuples():
    emit(t, "last")
    ack(t)
    sys.stdout.write("bye")
    sys.exit(0)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    let error = rig.death();
    assert!(error.message.ends_with("exited with status 0"), "{error}");
    assert_eq!(rig.out.acked(), [1]);
    assert_eq!(rig.out.emitted(), ["[\"last\"]"]);
    assert!(rig.world.reports.has_log("bye"));
}

#[test]
fn a_signal_is_named() {
    let script = "hello()\nread()\nos.kill(os.getpid(), signal.SIGSEGV)";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    let error = rig.death();
    assert!(error.message.ends_with("was killed by signal 11 (SIGSEGV)"), "{error}");
    assert_eq!(rig.out.failed(), [(1, FailKind::DiedAlone)]);
}

#[test]
fn a_child_that_hangs_is_killed_with_its_group() {
    let script = r#"
hello()
os.system("sleep 1000 & echo started $! >&2")
for t in tuples():
    time.sleep(1000)
"#;
    let mut rig = BoltRig::new(python(script, json!({"heartbeat_timeout_ms": 1500})));
    rig.give(text(1, "x"));
    rig.until("grandchild", |rig| rig.world.reports.has_log("started"));
    let error = rig.death();
    assert!(error.message.contains("was silent for 1500ms"), "{error}");
    let grandchild = grandchild_of(&rig);
    rig.until("grandchild is gone", |_| is_gone(grandchild));
}

fn grandchild_of(rig: &BoltRig) -> i32 {
    let logs = rig.world.reports.logs.lock().unwrap();
    let line = logs.iter().find(|(_, line)| line.contains("started")).unwrap();
    line.1.split(' ').next_back().unwrap().parse().unwrap()
}

/// Whether the process has ended (a zombie has).
fn is_gone(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}

#[test]
fn a_tuple_beyond_its_own_timeout_kills_the_child() {
    let script = "hello()\nfor t in tuples():\n    pass";
    let mut rig = BoltRig::new(python(script, json!({"timeout_ms": 1000})));
    rig.give(text(1, "x"));
    let error = rig.death();
    assert!(error.message.contains("longer than its `timeout` of 1s"), "{error}");
    assert_eq!(rig.out.failed(), [(1, FailKind::DiedAlone)]);
}

#[test]
fn a_child_that_never_acks_keeps_being_fed() {
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
fn a_flood_on_stderr_never_blocks_the_child() {
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
fn a_child_that_ignores_its_end_is_killed() {
    let script = r"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
hello()
while True:
    time.sleep(1)
";
    let mut rig = BoltRig::new(python(script, json!({"stop_grace_ms": 200})));
    rig.until("up", |rig| rig.bolt.ready());
    rig.close();
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn what_a_child_says_after_its_input_ended_still_counts() {
    let script = r#"
hello()
held = []
while True:
    line = sys.stdin.readline()
    if not line:
        break
    if '"tuple":["x"]' in line:
        held.append(json.loads(line))
for t in held:
    emit(t, "late")
    ack(t)
send({"command": "error", "msg": "Read EOF"})
sys.exit(2)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.close();
    assert_eq!(rig.out.acked(), [1]);
    assert_eq!(rig.out.emitted(), ["[\"late\"]"]);
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hold_up_the_end() {
    let script = r"
hello()
if os.fork() == 0:
    os.setsid()
    time.sleep(20)
    os._exit(0)
for t in tuples():
    sys.exit(1)
";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    let error = rig.death();
    assert!(error.message.ends_with("exited with status 1"), "{error}");
}

#[test]
fn a_child_that_closes_its_output_is_dead() {
    let script = "hello()\nsys.stdout.flush()\nos.close(1)\ntime.sleep(1000)";
    let mut rig = BoltRig::new(python(script, json!({"stop_grace_ms": 100})));
    let error = rig.death();
    assert!(error.message.contains("was killed by signal 15"), "{error}");
}

#[test]
fn a_missing_program_is_hopeless_and_says_so() {
    let mut rig = BoltRig::new(options(json!({"command": ["no-such-program-here"]})));
    let error = rig.death();
    assert_eq!(error.recovery, Recovery::GiveUp);
    assert_eq!(error.message, "the program \"no-such-program-here\" of split was not found");
}

#[test]
fn a_child_that_says_nothing_fails_its_handshake_with_its_stderr() {
    let script = "print('loading the model', file=sys.stderr, flush=True)\ntime.sleep(1000)";
    let mut rig = BoltRig::new(python(script, json!({"handshake_timeout_ms": 1500})));
    let error = rig.death();
    assert!(error.message.contains("did not answer the handshake within 1500ms"), "{error}");
    assert!(error.detail.unwrap().contains("loading the model"));
}

#[test]
fn a_large_tuple_goes_there_and_back() {
    let mut rig = BoltRig::new(python(SPLIT, json!({})));
    let large = "z".repeat(8 << 20);
    rig.give(text(1, &large));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    assert_eq!(rig.out.emitted()[0].len(), large.len() + 4);
}

#[test]
fn task_ids_reach_a_child_that_waits_for_them() {
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
fn ticks_come_as_storm_sends_them() {
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
fn node_children_get_null_where_python_says_nan() {
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
fn dropping_a_bolt_kills_its_child() {
    let script =
        "hello()\nprint('pid', os.getpid(), file=sys.stderr, flush=True)\ntime.sleep(1000)";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.until("started", |rig| rig.world.reports.has_log("pid "));
    let pid = {
        let logs = rig.world.reports.logs.lock().unwrap();
        let line = logs.iter().find(|(_, line)| line.contains("pid ")).unwrap();
        line.1.split(' ').next_back().unwrap().parse().unwrap()
    };
    rig.bolt = crate::multilang::ShellBolt::new(options(json!({})));
    rig.until("gone", |_| is_gone(pid));
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
