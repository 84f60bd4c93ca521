//! Signs of life: C43, C45 and C46.

use std::time::Duration;

use serde_json::json;

use crate::component::{Collector, FailKind, Level, Progress};
use crate::multilang::SessionError;

use super::super::bolt_talk::{HEARTBEAT, Talk, word};
use super::super::harness::{BoltRig, options, python, text};

#[test]
fn c43_a_heartbeat_has_the_form_that_storm_gave_it() {
    let mut talk = Talk::greeted(json!({}));
    talk.pass(Duration::from_secs(1)).unwrap();
    let expected =
        "{\"id\":\"-1\",\"comp\":null,\"stream\":\"__heartbeat\",\"task\":-1,\"tuple\":[]}\nend\n";
    assert_eq!(talk.sent(), expected);
}

#[test]
fn c43_the_time_out_is_long_where_nothing_else_is_said() {
    assert!(options(json!({})).heartbeat_timeout_ms >= 60_000);
    let mut talk = Talk::greeted(json!({}));
    for _ in 0..59 {
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
    }
}

#[test]
fn c43_any_output_is_a_sign_of_life() {
    let mut talk = Talk::greeted(json!({"heartbeat_timeout_ms": 10_000}));
    talk.give(word(1));
    let frames = [
        "{\"command\":\"emit\",\"tuple\":[1],\"need_task_ids\":false}\nend\n",
        "{\"command\":\"log\",\"msg\":\"busy\"}\nend\n",
        "{\"command\":\"error\",\"msg\":\"odd\"}\nend\n",
        "{\"command\":\"metrics\",\"name\":\"n\"}\nend\n",
        "{\"command\":\"ack\",\"id\":\"99\"}\nend\n",
        "{\"command\":\"dance\"}\nend\n",
        "printed\n",
        "{\"comm",
        "x",
    ];
    for frame in frames {
        let silent = (0..9).find_map(|_| talk.pass(Duration::from_secs(1)).err());
        assert_eq!(silent, None, "before {frame:?}");
        let mut out = Collector::new(&mut talk.out);
        talk.session.read(frame.as_bytes(), talk.now, &mut out).unwrap();
    }
    assert!(talk.sent().contains(HEARTBEAT));
    let silent = (0..12).find_map(|_| talk.pass(Duration::from_secs(1)).err());
    assert_eq!(silent, Some(SessionError::Silent(Duration::from_secs(10))));
}

#[test]
fn c45_syncs_that_answer_nothing_are_taken_and_let_no_mark_pass() {
    let mut talk = Talk::greeted(json!({}));
    (0..3).for_each(|_| talk.hear("{\"command\":\"sync\"}"));
    talk.give(word(1));
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.session.drain(talk.now), Progress::Done);
    let logs = talk.world.reports.logs.lock().unwrap();
    assert!(logs.iter().all(|(level, _)| *level < Level::Warn), "{logs:?}");
}

#[test]
fn c45_a_sync_behind_an_error_leaves_a_quiet_child_alive() {
    let mut talk = Talk::greeted(json!({"heartbeat_timeout_ms": 10_000}));
    talk.pass(Duration::from_secs(1)).unwrap();
    talk.hear(r#"{"command":"error","msg":"odd"}"#);
    for _ in 0..60 {
        // The child has nothing to say but its answers to heartbeats.
        for _ in 0..talk.sent().matches(HEARTBEAT).count() {
            talk.hear("{\"command\":\"sync\"}");
        }
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
    }
}

#[test]
fn c46_everything_up_to_the_end_of_the_output_counts_before_the_exit() {
    let script = r#"
hello()
held = [t for t, _ in zip(tuples(), range(4))]
for n in range(50000):
    sys.stdout.write('{"command":"emit","tuple":[%d],"need_task_ids":false}\nend\n' % n)
ack(held[0])
send({"command": "log", "msg": "the last line"})
send({"command": "error", "msg": "the last error"})
send({"command": "sync"})
send({"command": "fail", "id": held[1]["id"]})
os._exit(1)
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    (1..=5).for_each(|edge| rig.give(text(edge, "x")));
    let error = rig.death();
    assert!(error.message.ends_with("exited with status 1"), "{error}");
    assert_eq!(rig.out.emitted().len(), 50_000);
    assert_eq!(rig.out.acked(), [1]);
    assert_eq!(rig.out.failed()[0], (2, FailKind::Explicit));
    assert_eq!(rig.out.failed()[1..], [3, 4, 5].map(|edge| (edge, FailKind::Died)));
    assert!(rig.world.reports.has_log("the last line"));
    assert!(rig.world.reports.has_error("the last error"));
}
