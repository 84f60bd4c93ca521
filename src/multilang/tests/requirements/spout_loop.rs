//! The spout loop: C34 to C40. The rest stands in `spout_session`.

use std::time::Duration;

use crate::component::{Level, MessageId, Replay};
use crate::multilang::session::Wanted;

use super::super::harness::Event;
use super::super::spout_session::{FIRST, Talk, command};

const SYNC: &str = "{\"command\":\"sync\"}";

fn emit(id: &str) -> String {
    format!("{{\"command\":\"emit\",\"id\":{id},\"tuple\":[\"a\"],\"need_task_ids\":false}}")
}

#[test]
fn c34_each_command_has_an_id_and_waits_for_the_sync_of_the_one_before() {
    let mut talk = Talk::storm();
    assert_eq!(talk.sent(), command("activate", "\"\""));
    assert_eq!(talk.want(10), Wanted::Asked);
    assert_eq!(talk.sent(), "", "activate is not answered yet");
    talk.hear(SYNC);
    talk.want(10);
    assert_eq!(talk.sent(), command("next", "\"\""));
    talk.hear(&emit("\"a\""));
    talk.hear(&emit("\"b\""));
    talk.session.ack(MessageId(FIRST));
    assert_eq!(talk.session.fail(MessageId(FIRST + 1)), Replay::Source);
    talk.session.set_active(false);
    for expected in [("ack", "\"a\""), ("fail", "\"b\""), ("deactivate", "\"\"")] {
        talk.pass(Duration::ZERO);
        assert_eq!(talk.sent(), "", "{expected:?} waits");
        talk.hear(SYNC);
        talk.pass(Duration::ZERO);
        assert_eq!(talk.sent(), command(expected.0, expected.1));
    }
}

#[test]
fn c36_only_an_id_that_is_absent_or_null_is_none() {
    let mut talk = Talk::storm();
    for id in ["0", "\"\"", "false", "null"] {
        talk.hear(&emit(id));
    }
    talk.hear(r#"{"command":"emit","tuple":["a"],"need_task_ids":false}"#);
    let tracked: Vec<bool> = talk
        .out
        .events
        .iter()
        .map(|event| matches!(event, Event::Message { id: Some(_), .. }))
        .collect();
    assert_eq!(tracked, [true, true, true, false, false]);
}

#[test]
fn c37_a_spout_may_speak_before_the_first_command_and_after_a_sync() {
    let all = [
        emit("1"),
        r#"{"command":"log","msg":"said"}"#.to_owned(),
        r#"{"command":"error","msg":"seen"}"#.to_owned(),
        r#"{"command":"metrics","name":"hits","params":{"type":"counter","add":1}}"#.to_owned(),
    ];
    let mut talk = Talk::storm();
    for message in &all {
        talk.hear(message);
    }
    assert_eq!(talk.sent(), command("activate", "\"\""));
    talk.hear(SYNC);
    talk.want(1);
    talk.hear(SYNC);
    for message in &all {
        talk.hear(message);
    }
    assert_eq!(talk.out.emitted().len(), 2);
    assert_eq!(talk.world.reports.log_at("said").len(), 2);
    assert_eq!(talk.world.reports.errors.lock().unwrap().len(), 2);
    let hits = talk.world.metrics.snapshot().remove("hits");
    assert_eq!(hits, Some(crate::metrics::UserMetric::Counter { value: 2.0 }));
}

#[test]
fn c38_late_and_extra_syncs_are_no_fault_and_messages_go_on() {
    let mut talk = Talk::storm();
    talk.pass(Duration::from_secs(2));
    (0..3).for_each(|_| talk.hear(SYNC));
    for id in 1..=5 {
        talk.pass(Duration::from_millis(20));
        assert_eq!(talk.want(1), Wanted::Asked);
        talk.hear(SYNC);
        talk.hear(&emit(&id.to_string()));
        talk.hear(SYNC);
    }
    assert_eq!(talk.out.emitted().len(), 5);
    let warned = talk.world.reports.log_at("does not answer").len();
    assert_eq!(warned, 1, "{:?}", talk.world.reports);
    assert!(talk.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c39_a_client_that_never_syncs_acks_and_fails_is_waited_for_once() {
    let mut talk = Talk::storm();
    talk.hear(SYNC);
    (0..6).for_each(|id| talk.hear(&emit(&id.to_string())));
    talk.sent();
    talk.session.ack(MessageId(FIRST));
    talk.session.ack(MessageId(FIRST + 1));
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), command("ack", "0"));
    talk.pass(Duration::from_millis(900));
    assert_eq!(talk.sent(), "");
    talk.pass(Duration::from_millis(200));
    assert_eq!(talk.sent(), command("ack", "1"));
    talk.session.fail(MessageId(FIRST + 2));
    talk.session.fail(MessageId(FIRST + 3));
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), command("fail", "2"), "an ack is not waited for any more");
    talk.pass(Duration::from_millis(1100));
    assert_eq!(talk.sent(), command("fail", "3"));
    talk.session.ack(MessageId(FIRST + 4));
    talk.session.fail(MessageId(FIRST + 5));
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), command("ack", "4") + &command("fail", "5"));
    assert_eq!(talk.world.reports.log_at("does not answer").len(), 1);
    assert_eq!(talk.world.reports.level_of("does not answer `ack`"), Some(Level::Warn));
    assert_eq!(talk.want(1), Wanted::Asked);
    assert_eq!(talk.sent(), command("next", "\"\""));
}
