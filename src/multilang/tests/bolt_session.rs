//! The bolt's session, by events and effects alone.

use std::time::Duration;

use serde_json::json;

use crate::component::{Collector, FailKind};
use crate::multilang::SessionError;
use crate::tuple::Value;

use super::bolt_talk::{HEARTBEAT, Talk, word};
use super::harness::{Event, suspect, tuple};

#[test]
fn c08_nothing_is_sent_before_the_pid() {
    let mut talk = Talk::new(json!({}));
    assert!(!talk.session.ready());
    talk.session.tick(true);
    talk.give(word(1));
    assert_eq!(talk.sent(), "");
    talk.hear("{\"pid\":7}");
    assert!(talk.session.ready());
    assert!(talk.sent().starts_with(
        "{\"id\":\"1\",\"comp\":\"sentences\",\"stream\":\"default\",\"task\":1,\"tuple\":[\"a\"]}"
    ));
}

#[test]
fn c13_the_time_for_the_handshake_is_as_configured() {
    let mut talk = Talk::new(json!({"handshake_timeout_ms": 90_000}));
    assert_eq!(talk.pass(Duration::from_secs(89)), Ok(()));
    let error = talk.pass(Duration::from_secs(2)).unwrap_err();
    assert_eq!(error.to_string(), "did not answer the handshake within 90s");
}

#[test]
fn a_bolt_that_is_starting_gets_nothing_before_it_is_open() {
    let mut talk = Talk::new(json!({"handshake_timeout_ms": 90_000}));
    talk.hear(r#"{"pid":7,"batch":1,"starting":true}"#);
    assert!(!talk.session.ready());
    talk.give(word(1));
    assert_eq!(talk.sent(), "");
    assert_eq!(talk.pass(Duration::from_secs(89)), Ok(()));
    let error = talk.pass(Duration::from_secs(2)).unwrap_err().to_string();
    assert!(
        error.contains("did not open its component within its `handshake_timeout` of 90s"),
        "{error}"
    );
    talk.hear(r#"{"command":"started"}"#);
    assert!(talk.session.ready());
    assert!(talk.sent().contains(r#"["a"]"#));
}

#[test]
fn a_child_that_dies_while_it_starts_has_been_killed_by_no_tuple() {
    let mut talk = Talk::new(json!({}));
    talk.hear(r#"{"pid":7,"batch":1,"starting":true}"#);
    talk.give(suspect(1, [Value::from("a")]));
    talk.session.died("exited with status 1", None, &mut Collector::new(&mut talk.out));
    assert_eq!(talk.out.failed(), [(1, FailKind::Died)]);
}

#[test]
fn the_error_of_a_tuple_that_the_child_survived_is_not_its_last_words() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"fail","id":"1","msg":"no","trace":"Traceback: of the first"}"#);
    assert_eq!(talk.session.desk().last_error(), None);
    talk.hear(r#"{"command":"error","msg":"Traceback: the last"}"#);
    assert_eq!(talk.session.desk().last_error(), Some("Traceback: the last"));
}

#[test]
fn emits_are_anchored_and_answers_spend_the_ticket() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(10));
    talk.give(word(20));
    talk.hear(r#"{"command":"emit","tuple":["x"],"anchors":["1","2"],"stream":"side","need_task_ids":false}"#);
    talk.hear(r#"{"command":"emit","tuple":"scalar","anchors":"2","task":6}"#);
    talk.hear(r#"{"command":"ack","id":"2"}"#);
    talk.hear(r#"{"command":"fail","id":"1","msg":"no such user"}"#);
    let emit = |stream, direct, values: &str, anchors: &[u64]| Event::Emit {
        stream,
        direct,
        values: values.to_owned(),
        anchors: anchors.to_vec(),
        suspect: false,
    };
    assert_eq!(
        talk.out.events,
        [
            emit(1, None, "[\"x\"]", &[10, 20]),
            emit(0, Some(6), "[\"scalar\"]", &[20]),
            Event::Ack(20),
            Event::Fail(10, FailKind::Explicit, "no such user".to_owned()),
        ]
    );
    assert_eq!(talk.session.held(), 0);
}

#[test]
fn c30_task_ids_answer_only_those_who_ask_and_overtake_tuples() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"emit","tuple":["x"]}"#);
    talk.hear(r#"{"command":"emit","tuple":["x"],"need_task_ids":false}"#);
    talk.hear(r#"{"command":"emit","tuple":["x"],"task":5}"#);
    talk.hear(r#"{"command":"emit","tuple":["x"],"stream":"nowhere"}"#);
    assert!(talk.sent().starts_with("[5,6]\nend\n[]\nend\n{\"id\":\"1\""));
    assert!(talk.world.reports.has_error("stream \"nowhere\" is not declared"));
}

#[test]
fn c27_double_unknown_and_stale_answers_are_counted_and_do_no_harm() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    for id in ["1", "1", "99", "x", "-5"] {
        talk.hear(&format!("{{\"command\":\"ack\",\"id\":\"{id}\"}}"));
    }
    talk.hear(r#"{"command":"fail","id":"-5"}"#);
    talk.hear(r#"{"command":"emit","tuple":["x"],"anchors":["1"],"need_task_ids":false}"#);
    assert_eq!(talk.out.acked(), [1]);
    assert_eq!(talk.out.failed(), []);
    let snapshot = talk.world.metrics.snapshot();
    let counter = |value| crate::metrics::UserMetric::Counter { value };
    assert_eq!(snapshot["answers_unknown"], counter(3.0));
    assert_eq!(snapshot["anchors_unknown"], counter(1.0));
}

#[test]
fn a_refused_emission_fails_its_inputs_and_their_ack_means_nothing() {
    let mut talk = Talk::greeted(json!({}));
    talk.out.fields = Some(1);
    talk.give(word(1));
    talk.hear(r#"{"command":"emit","tuple":["x","y"],"anchors":["1"],"need_task_ids":false}"#);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.out.failed(), [(1, FailKind::Explicit)]);
    assert_eq!(talk.out.acked(), [0; 0]);
    assert_eq!(talk.session.held(), 0);
    assert!(talk.world.reports.has_error("has 1 fields (word), but the tuple has 2 values"));
}

#[test]
fn c28_a_child_that_never_acks_is_fed_as_long_as_it_answers_heartbeats() {
    let mut talk = Talk::greeted(json!({"max_in_flight": 8}));
    let mut given = 0;
    for _ in 0..100 {
        while talk.session.ready() {
            given += 1;
            talk.give(word(given));
        }
        let markers = talk.sent().matches(HEARTBEAT).count();
        assert!(markers > 0, "a full window asks how far the child is");
        (0..markers).for_each(|_| talk.hear("{\"command\":\"sync\"}"));
    }
    assert!(given >= 400, "{given}");
    assert_eq!(talk.session.held(), given as usize);
}

#[test]
fn a_full_window_waits_and_an_ack_opens_it() {
    let mut talk = Talk::greeted(json!({"max_in_flight": 2}));
    talk.give(word(1));
    assert!(talk.session.ready());
    talk.give(word(2));
    assert!(!talk.session.ready());
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert!(talk.session.ready());
}

#[test]
fn c43_without_heartbeats_none_is_sent_and_the_window_is_the_pipe() {
    let mut talk = Talk::greeted(json!({"max_in_flight": 2, "heartbeat": false}));
    for edge in 1..=10 {
        assert!(talk.session.ready());
        talk.give(word(edge));
    }
    assert_eq!(talk.pass(Duration::from_secs(3600)), Ok(()));
    assert!(!talk.sent().contains(HEARTBEAT));
}

#[test]
fn c43_silence_behind_a_heartbeat_gives_the_child_up() {
    let mut talk = Talk::greeted(json!({"heartbeat_timeout_ms": 10_000}));
    for _ in 0..30 {
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
        talk.hear(r#"{"command":"log","msg":"busy"}"#);
    }
    assert!(talk.sent().contains(HEARTBEAT));
    let silent = (0..20).find_map(|_| talk.pass(Duration::from_secs(1)).err());
    assert_eq!(silent, Some(SessionError::Silent(Duration::from_secs(10))));
}

#[test]
fn a_suspect_is_given_alone() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.give(suspect(2, [Value::from("poison")]));
    assert!(!talk.session.ready());
    assert!(!talk.sent().contains("poison"));
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert!(talk.sent().contains("poison"));
    assert!(!talk.session.ready(), "nothing is given beside a suspect");
    talk.session.died("gone", None, &mut Collector::new(&mut talk.out));
    assert_eq!(talk.out.failed(), [(2, FailKind::DiedAlone)]);
}

#[test]
fn a_suspect_does_not_wait_for_acks_of_what_was_taken() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.give(suspect(2, [Value::from("poison")]));
    assert!(talk.sent().contains(HEARTBEAT));
    talk.hear("{\"command\":\"sync\"}");
    assert!(talk.sent().contains("poison"));
    talk.session.died("gone", None, &mut Collector::new(&mut talk.out));
    assert_eq!(talk.out.failed(), [(1, FailKind::Died), (2, FailKind::DiedAlone)]);
}

#[test]
fn emissions_of_a_suspect_stay_suspect() {
    let mut talk = Talk::batch(json!({}));
    talk.give(suspect(1, [Value::from("a")]));
    talk.hear(r#"{"done":1,"emits":[[["x"]]]}"#);
    assert!(matches!(talk.out.events[0], Event::Emit { suspect: true, .. }));
    assert!(talk.session.ready());
}

#[test]
fn a_suspect_that_survives_gives_way_after_a_while() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(suspect(1, [Value::from("held")]));
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
    assert!(!talk.session.ready());
    assert_eq!(talk.pass(Duration::from_secs(3)), Ok(()));
    assert!(talk.session.ready());
}

#[test]
fn batch_results_are_anchored_each_to_its_own_input() {
    let mut talk = Talk::batch(json!({}));
    for edge in 10..14 {
        talk.give(word(edge));
    }
    let sent = talk.sent();
    assert!(
        sent.contains("\"first\":1,\"tuples\":[[\"a\"],[\"a\"],[\"a\"],[\"a\"]]}]\nend\n"),
        "{sent}"
    );
    talk.hear(r#"[{"done":1,"emits":[[["a"],["b"]],[]]},{"emit":4,"tuples":[["e"]],"stream":"side"},{"done":3,"count":1},{"command":"fail","id":"4","msg":"no"}]"#);
    let emit = |stream, values: &str, anchor| Event::Emit {
        stream,
        direct: None,
        values: values.to_owned(),
        anchors: vec![anchor],
        suspect: false,
    };
    assert_eq!(
        talk.out.events,
        [
            emit(0, "[\"a\"]", 10),
            emit(0, "[\"b\"]", 10),
            Event::Ack(10),
            Event::Ack(11),
            emit(1, "[\"e\"]", 13),
            Event::Ack(12),
            Event::Fail(13, FailKind::Explicit, "no".to_owned()),
        ]
    );
}

#[test]
fn batch_task_ids_are_a_message_of_their_own() {
    let mut talk = Talk::batch(json!({}));
    talk.hear(r#"{"command":"emit","tuple":["x"]}"#);
    assert_eq!(talk.sent(), "{\"command\":\"task_ids\",\"ids\":[5,6]}\nend\n");
}

#[test]
fn a_malformed_batch_loses_no_tuple() {
    let mut talk = Talk::batch(json!({}));
    talk.give(word(1));
    talk.give(word(2));
    let error = talk.try_hear(r#"{"done":1,"emits":[7,[]]}"#).unwrap_err();
    assert!(matches!(error, SessionError::Malformed(_)));
    talk.session.died("gone", None, &mut Collector::new(&mut talk.out));
    assert_eq!(talk.out.failed().len(), 2);
    talk.hear(r#"{"done":1,"count":1000000000000000000}"#);
}

#[test]
fn a_batch_that_was_not_offered_is_not_spoken() {
    let mut talk = Talk::new(json!({"batch": false}));
    talk.hear("{\"pid\":7,\"batch\":1}");
    talk.give(word(1));
    assert!(talk.sent().starts_with("{\"id\":\"1\""));
}

#[test]
fn reset_timeout_reaches_the_root() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(3));
    talk.hear(r#"{"command":"reset_timeout","id":"1"}"#);
    assert_eq!(talk.out.events, [Event::Reset(3)]);
}

#[test]
fn c17_stray_text_is_logged_and_the_message_counts() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear("debug line\nglued{\"command\":\"ack\",\"id\":\"1\"}");
    assert_eq!(talk.out.acked(), [1]);
    assert!(talk.world.reports.has_log("[stdout 7] debug line"));
    assert!(talk.world.reports.has_log("[stdout 7] glued"));
}

#[test]
fn c51_metrics_of_any_kind_are_kept() {
    let mut talk = Talk::greeted(json!({}));
    for params in [r#"{"type":"counter","add":3}"#, r#"{"type":"counter","add":4}"#] {
        talk.hear(&format!("{{\"command\":\"metrics\",\"name\":\"hits\",\"params\":{params}}}"));
    }
    talk.hear(r#"{"command":"metrics","name":"odd","params":[1,NaN]}"#);
    let snapshot = talk.world.metrics.snapshot();
    assert_eq!(snapshot["hits"], crate::metrics::UserMetric::Counter { value: 7.0 });
    assert_eq!(
        snapshot["odd"],
        crate::metrics::UserMetric::Other { value: "\"[1,NaN]\"".to_owned() }
    );
}

#[test]
fn c29_a_thousand_tuples_may_wait_and_the_number_can_be_set() {
    for (more, window) in [(json!({}), 1000), (json!({"max_in_flight": 120}), 120)] {
        let mut talk = Talk::greeted(more);
        let mut given = 0;
        while talk.session.ready() {
            given += 1;
            talk.give(word(given));
        }
        assert_eq!(given, window);
    }
}

#[test]
fn c29_a_write_holds_whole_messages_and_fits_a_pipe() {
    let mut talk = Talk::greeted(json!({}));
    for edge in 1..=900 {
        talk.give(tuple(edge, [Value::from("w".repeat(100))]));
        if !talk.session.outbox().is_full() {
            continue;
        }
        let (_, data) = talk.session.take_bytes();
        assert!(data.ends_with(b"\nend\n"));
        assert!((32 << 10..=64 << 10).contains(&data.len()), "{} bytes", data.len());
        return;
    }
    panic!("900 tuples of 100 bytes never filled a write");
}
