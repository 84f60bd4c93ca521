//! The bolt's session: marks, time-outs, and a property over all of it.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use crate::component::{Collector, FailKind, Progress};
use crate::multilang::SessionError;

use super::bolt_talk::{Talk, word};
use super::harness::{Event, suspect, tuple};

#[test]
fn drain_and_end_pass_batch_children_when_they_say_so() {
    let mut talk = Talk::batch(json!({}));
    talk.give(word(1));
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    assert!(talk.sent().contains("},{\"command\":\"drain\",\"id\":\"1\"}]\nend\n"));
    talk.hear(r#"{"command":"drained","id":"99"}"#);
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear(r#"[{"done":1,"count":1},{"command":"drained","id":"1"}]"#);
    assert_eq!(talk.session.drain(talk.now), Progress::Done);
    assert_eq!(talk.session.end(talk.now), Progress::Pending);
    talk.hear(r#"[{"command":"emit","tuple":["total"],"need_task_ids":false},{"command":"ended","id":"2"}]"#);
    assert_eq!(talk.session.end(talk.now), Progress::Done);
    assert_eq!(talk.out.emitted(), ["[\"total\"]"]);
}

#[test]
fn drain_passes_storm_children_behind_a_heartbeat() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.session.drain(talk.now), Progress::Done);
}

#[test]
fn a_sync_behind_an_error_lets_no_mark_pass() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear(r#"{"command":"error","msg":"boom"}"#);
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.session.drain(talk.now), Progress::Done);
}

#[test]
fn a_tuple_that_is_overdue_alone_is_the_one_to_blame() {
    // A client that works on many tuples at once has taken them all.
    let mut talk = Talk::greeted(json!({"timeout_ms": 1000}));
    talk.give(word(1));
    talk.hear("{\"command\":\"sync\"}");
    talk.pass(Duration::from_millis(700)).unwrap();
    talk.give(word(2));
    talk.hear("{\"command\":\"sync\"}");
    let error = talk.pass(Duration::from_millis(700)).unwrap_err();
    assert!(matches!(error, SessionError::TupleTimeout(_)), "{error}");
    talk.session.died("hangs", Some("detail"), &mut Collector::new(&mut talk.out));
    assert_eq!(talk.out.failed(), [(1, FailKind::DiedAlone), (2, FailKind::Died)]);
    let reasons = talk.out.events.iter().filter_map(|event| match event {
        Event::Fail(_, _, reason) => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), ["hangs\ndetail", "hangs"]);
}

#[test]
fn drain_waits_for_open_tuples_where_there_are_no_heartbeats() {
    let mut talk = Talk::greeted(json!({"heartbeat": false}));
    talk.give(word(1));
    assert_eq!(talk.session.drain(talk.now), Progress::Pending);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.session.drain(talk.now), Progress::Done);
}

#[test]
fn a_tuple_within_its_timeout_keeps_its_root_alive_and_beyond_it_the_child_hangs() {
    let mut talk = Talk::greeted(json!({"timeout_ms": 60_000, "heartbeat_timeout_ms": 5000}));
    talk.give(word(1));
    for _ in 0..59 {
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
    }
    let resets = talk.out.events.iter().filter(|event| **event == Event::Reset(1)).count();
    assert_eq!(resets, 5, "every third of 30 s");
    let hang = (0..4).find_map(|_| talk.pass(Duration::from_secs(1)).err());
    assert_eq!(hang, Some(SessionError::TupleTimeout(Duration::from_secs(60))));
}

#[test]
fn tuples_that_wait_behind_a_slow_one_do_not_count_as_hanging() {
    let mut talk = Talk::greeted(json!({"timeout_ms": 10_000}));
    (1..=5).for_each(|edge| talk.give(word(edge)));
    for id in 1..=5 {
        for _ in 0..8 {
            assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
        }
        talk.hear(&format!("{{\"command\":\"ack\",\"id\":\"{id}\"}}"));
        assert_eq!(talk.pass(Duration::ZERO), Ok(()));
    }
    assert_eq!(talk.out.acked(), [1, 2, 3, 4, 5]);
}

/// Seconds in which the child answers heartbeats and nothing else.
fn alive(talk: &mut Talk, seconds: u64) {
    for _ in 0..seconds {
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
        talk.hear(r#"{"command":"sync"}"#);
    }
    assert_eq!(talk.pass(Duration::ZERO), Ok(()));
}

#[test]
fn c28_tuples_that_are_never_answered_are_forgotten_after_their_time_out() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    alive(&mut talk, 100);
    assert_eq!(talk.session.held(), 1);
    alive(&mut talk, 30);
    assert_eq!(talk.session.held(), 0);
    assert!(talk.world.reports.has_log("neither acked nor failed"));
}

/// A child that stood still for five time-outs and more had lost all that waited for it.
#[test]
fn tuples_that_a_child_has_not_taken_are_not_forgotten_however_long_it_stands_still() {
    let mut talk = Talk::greeted(json!({"heartbeat_timeout_ms": 3_600_000}));
    talk.give(word(1));
    talk.give(word(2));
    for _ in 0..600 {
        assert_eq!(talk.pass(Duration::from_secs(1)), Ok(()));
    }
    assert_eq!(talk.session.held(), 2);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.out.acked(), [1]);
    // The second one is taken now, and has all of its time.
    alive(&mut talk, 100);
    assert_eq!(talk.session.held(), 1);
    alive(&mut talk, 30);
    assert_eq!(talk.session.held(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Give(bool),
    Ack(u64),
    Fail(u64),
    Done(u64, u64),
    Emit(u64),
    Sync,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0_u64..30;
    let step = prop_oneof![
        4 => prop::bool::weighted(0.1).prop_map(Step::Give),
        2 => id.clone().prop_map(Step::Ack),
        1 => id.clone().prop_map(Step::Fail),
        1 => (id.clone(), 0_u64..4).prop_map(|(id, count)| Step::Done(id, count)),
        1 => id.prop_map(Step::Emit),
        2 => Just(Step::Sync),
        1 => (0_u64..3000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn every_tuple_is_answered_exactly_once(batch in any::<bool>(), steps in steps()) {
        let hello = if batch { Talk::batch } else { Talk::greeted };
        let mut talk = hello(json!({"max_in_flight": 5}));
        let mut given = 0;
        for step in steps {
            match step {
                Step::Give(is_suspect) => {
                    if talk.session.ready() {
                        given += 1;
                        let make = if is_suspect { suspect(given, []) } else { tuple(given, []) };
                        talk.give(make);
                    }
                }
                Step::Ack(id) => talk.hear(&format!("{{\"command\":\"ack\",\"id\":\"{id}\"}}")),
                Step::Fail(id) => talk.hear(&format!("{{\"command\":\"fail\",\"id\":\"{id}\"}}")),
                Step::Done(id, count) => talk.hear(&format!("{{\"done\":{id},\"count\":{count}}}")),
                Step::Emit(id) => talk.hear(&format!(
                    "{{\"command\":\"emit\",\"tuple\":[1],\"anchors\":[\"{id}\"]}}"
                )),
                Step::Sync => talk.hear("{\"command\":\"sync\"}"),
                Step::Pass(millis) => talk.pass(Duration::from_millis(millis)).unwrap(),
            }
        }
        talk.session.died("gone", None, &mut Collector::new(&mut talk.out));
        prop_assert_eq!(talk.session.held(), 0);
        let mut answered = talk.out.acked();
        answered.extend(talk.out.failed().into_iter().map(|(edge, _)| edge));
        answered.sort_unstable();
        prop_assert_eq!(answered, (1..=given).collect::<Vec<_>>());
    }
}
