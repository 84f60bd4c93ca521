//! How a child is stopped: C48.

use serde_json::json;

use super::super::bolt_deaths::{grandchild_of, is_gone};
use super::super::harness::{BoltRig, python, text};
use super::super::spout_children::SpoutRig;

/// A child that says what it gets, and leaves after `at_end` when its input ends.
fn stopped(at_end: &str, grace: u64) -> BoltRig {
    let script = format!(
        r#"
def terminated(number, frame):
    print("terminated", file=sys.stderr, flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, terminated)
os.system("sleep 1000 >/dev/null & echo started $! >&2")
hello()
while sys.stdin.readline():
    pass
print("no more input", file=sys.stderr, flush=True)
{at_end}
"#
    );
    let mut rig = BoltRig::new(python(&script, json!({ "stop_grace_ms": grace })));
    rig.until("up", |rig| rig.world.reports.has_log("is up"));
    rig.until("started", |rig| rig.world.reports.has_log("started"));
    rig.close();
    rig
}

#[test]
fn c48_a_childs_input_ends_first_and_a_grace_is_given() {
    let rig = stopped("sys.exit(0)", 20_000);
    assert!(rig.world.reports.has_log("no more input"));
    assert!(!rig.world.reports.has_log("terminated"));
}

#[test]
fn c48_a_child_that_stays_gets_sigterm_after_the_grace() {
    let rig = stopped("time.sleep(1000)", 1000);
    let (input, term) = (rig.world.reports.log_at("no more input"), "terminated");
    assert!(input < rig.world.reports.log_at(term), "{:?}", rig.world.reports);
}

#[test]
fn c48_the_whole_group_of_a_stopped_child_is_killed() {
    let mut rig = stopped("sys.exit(0)", 20_000);
    let grandchild = grandchild_of(&rig);
    rig.until("the grandchild is gone", |_| is_gone(grandchild));
}

#[test]
fn c48_errors_and_statuses_after_the_input_was_closed_are_not_reported() {
    let script = r#"
hello()
read()
try:
    read()
except SystemExit:
    send({"command": "error", "msg": "Read EOF"})
    sys.exit(2)
"#;
    let mut rig = BoltRig::new(python(script, json!({"heartbeat": false})));
    rig.give(text(1, "x"));
    rig.close();
    assert!(rig.world.reports.has_log("Read EOF"), "it is in the log");
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c48_a_spout_is_deactivated_before_its_input_ends() {
    let script = r#"
hello()
try:
    while True:
        send({"command": "log", "msg": "told to " + read()["command"]})
        send({"command": "sync"})
finally:
    send({"command": "log", "msg": "no more input"})
"#;
    let mut rig = SpoutRig::new(python(script, json!({})));
    rig.until("active", |rig| rig.world.reports.has_log("told to next"));
    rig.close();
    let at = |part| rig.world.reports.log_at(part);
    assert_eq!(at("told to deactivate").len(), 1);
    assert!(at("told to deactivate") < at("no more input"), "{:?}", rig.world.reports);
}
