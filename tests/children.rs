//! What children may rely on, seen from outside: scripts that speak Storm's protocol by hand, run by
//! the real binary. The numbers are those of `multilang/REQUIREMENTS.md`.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use galewire::topology::{Overrides, load};

use super::check::environment;
use super::harness::{Project, Running, alive, wait_for};
use super::kinds::registry;

/// Reads, answers heartbeats, and gives on everything else.
const CLIENT: &str = r#"
import json, os, sys

def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()

def messages():
    lines = []
    for line in sys.stdin:
        if line != "end\n":
            lines.append(line)
            continue
        message, lines = json.loads("".join(lines)), []
        if isinstance(message, dict) and message.get("stream") == "__heartbeat":
            send({"command": "sync"})
        else:
            yield message

stream = messages()
handshake = next(stream)
send({"pid": os.getpid()})
"#;

fn project(spout: &str, bolts: &str) -> Project {
    let topology = format!(
        "name = \"children\"\n[spouts.numbers]\ntype = \"generate\"\n\
         config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, {spout} }}\n{bolts}"
    );
    Project::new().file("topology.toml", &topology).file("client.py", CLIENT)
}

/// A bolt that runs a script of its own behind `from client import *`.
fn bolt(name: &str, input: &str, more: &str) -> String {
    format!(
        "[bolts.{name}]\ncommand = [\"python3\", \"{name}.py\"]\ninputs = [\"{input}\"]\n{more}\n"
    )
}

fn script(body: &str) -> String {
    format!("from client import *\n{body}")
}

#[test]
fn c11_the_handshake_of_a_run_has_the_keys_of_the_plan_and_of_the_user() {
    let config = "config = { \"topology.debug\" = true, \"pystorm.log.path\" = \"a b\", n = 1.5 }";
    let more = format!("{config}\nparallelism = 2\nenv = {{ PATH = \"${{PATH}}:/own/bin\" }}");
    let sink = bolt("sink", "numbers", &more);
    let body = r"
open('told%d' % handshake['context']['taskid'], 'w').write(json.dumps([handshake, os.environ['PATH']]))
for t in stream:
    send({'command': 'ack', 'id': t['id']})
";
    let project = project("count = 5", &sink).file("sink.py", &script(body));
    project.run(&["--workers", "2"]).expect_code(0);
    let told: Value = serde_json::from_str(&project.read("told2")).unwrap();
    let (conf, context) = (&told[0]["conf"], &told[0]["context"]);
    let expected = json!({
        "topology.name": "children", "topology.debug": true, "topology.message.timeout.secs": 30,
        "topology.acker.executors": 1, "topology.workers": 2,
        "topology.tick.tuple.freq.secs": null, "pystorm.log.path": "a b", "n": 1.5,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(conf.get(key), Some(value), "{key}");
    }
    let components: Vec<&Value> =
        context["task->component"].as_object().unwrap().values().collect();
    assert_eq!(components, ["numbers", "sink", "sink"], "tasks of both workers");
    assert!(told[1].as_str().unwrap().ends_with(":/own/bin"), "{}", told[1]);
}

#[test]
fn c12_field_names_that_python_cannot_use_are_warned_of() {
    let path = Path::new("tests/check/python-names.toml");
    let told = load(path, &Overrides::default(), &environment(), &registry()).render_plain();
    assert!(told.contains("warning: field `first name` is not a Python name"), "{told}");
    assert!(!told.contains("not-seen-by-python` is not"), "{told}");
}

#[test]
fn c13_children_have_a_minute_and_more_by_default() {
    let defaults: toml::Table =
        std::fs::read_to_string("conf/defaults.toml").unwrap().parse().unwrap();
    for key in ["handshake_timeout", "child_timeout"] {
        let span = defaults["topology"][key].as_str().unwrap();
        let seconds: u64 = span.strip_suffix('s').unwrap().parse().unwrap();
        assert!(seconds >= 60, "{key} = {span}");
    }
}

#[test]
fn c24_what_a_bolt_emits_at_the_end_of_its_input_reaches_the_next_bolt() {
    let bolts = bolt("total", "numbers", "outputs = [\"total\"]")
        + "[bolts.print]\ntype = \"print\"\ninputs = [\"total\"]\n";
    let body = r"
total = 0
for t in stream:
    total += t['tuple'][0]
    send({'command': 'ack', 'id': t['id']})
send({'command': 'emit', 'tuple': [total]})
";
    let project = project("count = 100", &bolts).file("total.py", &script(body));
    let ended = project.run(&[]).expect_code(0);
    assert_eq!(ended.out, "5050\n", "{}", ended.err);
}

#[test]
fn c31_a_bolt_that_waits_for_task_ids_goes_on_where_nobody_subscribes() {
    let body = r"
waiting = []
def ids():
    for message in stream:
        if isinstance(message, list):
            return message
        waiting.append(message)
for t in stream:
    waiting.append(t)
    while waiting:
        t = waiting.pop(0)
        send({'command': 'emit', 'tuple': [1], 'anchors': [t['id']]})
        assert ids() == []
        send({'command': 'ack', 'id': t['id']})
";
    let lonely = bolt("lonely", "numbers", "outputs = [\"number\"]");
    let ended = project("count = 50", &lonely).file("lonely.py", &script(body)).run(&["--json"]);
    let ended = ended.expect_code(0);
    assert_eq!(ended.counters("numbers")["acked"], 50, "{}", ended.err);
    assert_eq!(ended.counters("lonely")["restarts"], 0, "{}", ended.err);
}

#[test]
fn c44_ticks_go_only_to_components_that_ask_for_them() {
    let bolts = bolt("asks", "numbers", "tick = \"50ms\"") + &bolt("does_not", "numbers", "");
    let body = r"
log = open(sys.argv[0] + '.ticks', 'a')
for t in stream:
    if t['stream'] == '__tick':
        log.write(json.dumps(t['tuple']) + '\n')
        log.flush()
    else:
        send({'command': 'ack', 'id': t['id']})
";
    let project = project("rate = 100", &bolts)
        .file("asks.py", &script(body))
        .file("does_not.py", &script(body));
    let run = project.start(&[]);
    wait_for("ticks", || (project.lines("asks.py.ticks") > 3).then_some(()));
    wait_for("the other bolt", || project.path("does_not.py.ticks").exists().then_some(()));
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(0);
    assert!(project.read("asks.py.ticks").starts_with("[0.05]\n[0.05]\n"));
    assert_eq!(project.read("does_not.py.ticks"), "");
}

#[test]
fn c47_the_death_of_a_child_leaves_its_worker_and_its_neighbours_alone() {
    let body = r"
for t in stream:
    open(sys.argv[0] + '.seen', 'a').write('x\n')
    send({'command': 'ack', 'id': t['id']})
";
    let restart = "restart = { backoff = \"10ms..20ms\" }";
    let bolts = bolt("dies", "numbers", restart) + &bolt("lives", "numbers", "");
    let project = project("rate = 200", &bolts)
        .file("dies.py", &script(body))
        .file("lives.py", &script(body));
    let run = project.start(&[]);
    let seen = |file: &str| project.lines(&format!("{file}.py.seen"));
    wait_for("tuples", || (seen("dies") > 5 && seen("lives") > 5).then_some(()));
    let (worker, victim, neighbour) =
        (run.process("worker"), run.process("dies.py"), run.process("lives.py"));
    Running::signal(victim, Signal::SIGKILL);
    let next = wait_for("a new child", || {
        run.processes("dies.py").into_iter().find(|pid| *pid != victim && alive(*pid))
    });
    let before = seen("dies");
    wait_for("tuples for it", || (seen("dies") > before + 5).then_some(()));
    assert_ne!(next, victim);
    assert_eq!(run.process("worker"), worker);
    assert_eq!(run.process("lives.py"), neighbour);
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(0).expect_told("started again");
}

#[test]
fn c49_stderr_and_logs_are_told_with_component_and_task() {
    let body = r"
for t in stream:
    print('oops', t['tuple'][0], file=sys.stderr, flush=True)
    send({'command': 'log', 'msg': 'first line\nsecond \U0001d11e', 'level': 3})
    send({'command': 'ack', 'id': t['id']})
";
    let sink = bolt("sink", "numbers", "");
    let ended = project("count = 1", &sink).file("sink.py", &script(body)).run(&[]);
    let ended = ended.expect_code(0).expect_told("second \u{1d11e}");
    let line = ended.err.lines().find(|line| line.contains("oops 1")).unwrap();
    assert!(line.contains("sink") && line.contains("[stderr "), "{line}");
}
