//! Bolts in real processes: how they end, and what becomes of their tuples.

use serde_json::json;

use crate::component::{Bolt, FailKind, Recovery};
use crate::multilang::ShellBolt;
use crate::tuple::Value;

use super::harness::{BoltRig, options, python, suspect, text};

#[test]
fn c46_the_tuples_of_a_child_that_died_fail_at_once() {
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
fn c46_exit_with_0_while_running_is_a_death_and_last_words_count() {
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
fn c43_a_child_that_hangs_is_killed_with_its_group() {
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

pub(super) fn grandchild_of(rig: &BoltRig) -> i32 {
    let logs = rig.world.reports.logs.lock().unwrap();
    let line = logs.iter().find(|(_, line)| line.contains("started")).unwrap();
    line.1.split(' ').next_back().unwrap().parse().unwrap()
}

/// Whether the process has ended (a zombie has).
pub(super) fn is_gone(pid: i32) -> bool {
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
fn c48_a_child_that_ignores_its_end_is_killed() {
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
fn c24_what_is_emitted_after_the_input_was_closed_still_counts() {
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
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.close();
    assert_eq!(rig.out.acked(), [1]);
    assert_eq!(rig.out.emitted(), ["[\"late\"]"]);
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
    assert!(error.message.ends_with("closed its standard output and had to be ended"), "{error}");
    assert!(rig.world.reports.has_log("did not end within 100ms and was sent SIGTERM"));
}

#[test]
fn a_missing_program_is_hopeless_and_says_so() {
    let mut rig = BoltRig::new(options(json!({"command": ["no-such-program-here"]})));
    let error = rig.death();
    assert_eq!(error.recovery, Recovery::GiveUp);
    assert_eq!(error.message, "the program \"no-such-program-here\" of split was not found");
}

#[test]
fn c13_a_handshake_without_an_answer_fails_with_the_childs_stderr() {
    let script = "echo loading the model >&2; exec sleep 1000";
    let command = json!({"command": ["sh", "-c", script], "handshake_timeout_ms": 1500});
    let mut rig = BoltRig::new(options(command));
    let error = rig.death();
    assert!(error.message.contains("did not answer the handshake within 1500ms"), "{error}");
    assert!(error.detail.unwrap().contains("loading the model"));
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
    rig.bolt = ShellBolt::new(options(json!({})));
    rig.until("gone", |_| is_gone(pid));
}
