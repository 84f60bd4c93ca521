//! The spout's session, by events and effects alone.

use std::time::Duration;

use serde_json::json;

use crate::base::Timestamp;
use crate::component::{MessageId, Replay, SpoutCollector};
use crate::multilang::session::{SpoutSession, Wanted};

use super::harness::{Event, Recorder, World, options};

pub(super) const FIRST: u64 = 1000;

pub(super) struct Talk {
    pub(super) world: World,
    pub(super) session: SpoutSession,
    pub(super) out: Recorder,
    pub(super) now: Timestamp,
}

impl Talk {
    pub(super) fn new(hello: &str, more: serde_json::Value) -> Self {
        let world = World::new();
        let context = world.context("lines");
        let now = Timestamp(1_000_000_000);
        let mut session = SpoutSession::new(&options(more), &context, b"{}", FIRST, now);
        session.set_active(true);
        let mut talk = Self { world, session, out: Recorder::default(), now };
        assert_eq!(talk.sent(), "{}\nend\n");
        talk.hear(hello);
        talk
    }

    pub(super) fn storm() -> Self {
        Self::new("{\"pid\":7}", json!({}))
    }

    pub(super) fn batch(hello: &str) -> Self {
        Self::new(hello, json!({}))
    }

    pub(super) fn hear(&mut self, message: &str) {
        let frame = format!("{message}\nend\n");
        let mut out = SpoutCollector::new(&mut self.out);
        self.session.read(frame.as_bytes(), self.now, &mut out).unwrap();
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.session.advance(self.now).unwrap();
    }

    pub(super) fn want(&mut self, max: usize) -> Wanted {
        self.session.want(max, self.now)
    }

    pub(super) fn sent(&mut self) -> String {
        let outbox = self.session.outbox();
        let mut bytes = outbox.take_urgent();
        bytes.extend(outbox.take_data());
        String::from_utf8(bytes).unwrap()
    }
}

pub(super) fn command(word: &str, id: &str) -> String {
    format!("{{\"command\":\"{word}\",\"id\":{id}}}\nend\n")
}

#[test]
fn c38_activate_comes_before_the_first_next() {
    let mut talk = Talk::storm();
    assert_eq!(talk.sent(), command("activate", "\"\""));
    assert!(!talk.session.ready());
    talk.hear("{\"command\":\"sync\"}");
    assert!(talk.session.ready());
    assert_eq!(talk.want(10), Wanted::Asked);
    assert_eq!(talk.sent(), command("next", "\"\""));
    assert_eq!(talk.want(10), Wanted::Asked);
    assert_eq!(talk.sent(), "");
}

#[test]
fn c38_a_client_that_never_syncs_an_activate_is_waited_for_once() {
    let mut talk = Talk::storm();
    talk.sent();
    talk.pass(Duration::from_millis(500));
    assert!(!talk.session.ready());
    talk.pass(Duration::from_millis(600));
    assert!(talk.session.ready());
    assert!(talk.world.reports.has_log("does not answer `activate`"));
    talk.hear("{\"command\":\"sync\"}");
    assert!(talk.session.ready(), "a late sync is no fault");
}

#[test]
fn c38_without_activation_nothing_but_next_is_sent() {
    let mut talk = Talk::new("{\"pid\":7}", json!({"activation": false}));
    assert_eq!(talk.want(1), Wanted::Asked);
    assert_eq!(talk.sent(), command("next", "\"\""));
}

#[test]
fn c35_ids_come_back_as_they_went() {
    let mut talk = Talk::storm();
    talk.hear("{\"command\":\"sync\"}");
    talk.sent();
    for id in ["0", "\"u-1\"", "false", "\"\"", "[1, 2]"] {
        talk.hear(&format!(
            "{{\"command\":\"emit\",\"id\":{id},\"tuple\":[\"a\"],\"need_task_ids\":false}}"
        ));
    }
    talk.hear(r#"{"command":"emit","id":null,"tuple":["b"],"need_task_ids":false}"#);
    let ids: Vec<Option<u64>> = talk
        .out
        .events
        .iter()
        .map(|event| match event {
            Event::Message { id, .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    let expected: Vec<_> = (FIRST..FIRST + 5).map(Some).chain([None]).collect();
    assert_eq!(ids, expected);
    talk.session.ack(MessageId(FIRST));
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), command("ack", "0"));
    talk.hear("{\"command\":\"sync\"}");
    assert_eq!(talk.session.fail(MessageId(FIRST + 4)), Replay::Source);
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), command("fail", "[1, 2]"));
}

#[test]
fn messages_of_another_life_are_left_to_the_engine() {
    let mut talk = Talk::storm();
    talk.sent();
    assert_eq!(talk.session.fail(MessageId(3)), Replay::Engine);
    talk.session.ack(MessageId(4));
    talk.hear("{\"command\":\"sync\"}");
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), "");
}

#[test]
fn c42_a_failed_message_that_is_emitted_again_is_a_new_one() {
    let mut talk = Talk::storm();
    let emit = r#"{"command":"emit","id":1,"tuple":["a"],"need_task_ids":false}"#;
    talk.hear(emit);
    assert_eq!(talk.session.fail(MessageId(FIRST)), Replay::Source);
    talk.hear(emit);
    assert!(matches!(talk.out.events[1], Event::Message { id: Some(id), .. } if id == FIRST + 1));
}

#[test]
fn c40_an_empty_next_is_followed_by_a_pause_and_a_full_one_is_not() {
    let mut talk = Talk::storm();
    talk.hear("{\"command\":\"sync\"}");
    talk.want(1);
    talk.hear("{\"command\":\"sync\"}");
    assert!(matches!(talk.want(1), Wanted::NotBefore(_)));
    talk.pass(Duration::from_millis(2));
    assert_eq!(talk.want(1), Wanted::Asked);
    talk.hear(r#"{"command":"emit","tuple":["a"],"need_task_ids":false}"#);
    talk.hear("{\"command\":\"sync\"}");
    talk.sent();
    assert_eq!(talk.want(1), Wanted::Asked);
    assert_eq!(talk.sent(), command("next", "\"\""));
}

#[test]
fn batch_children_are_asked_for_many_and_told_of_many() {
    let mut talk = Talk::batch("{\"pid\":7,\"batch\":1,\"replay\":\"engine\"}");
    assert_eq!(talk.sent(), format!("[{}]\nend\n", r#"{"command":"activate","id":""}"#));
    assert_eq!(talk.want(300), Wanted::Asked);
    assert_eq!(talk.want(300), Wanted::Asked);
    assert_eq!(
        talk.sent(),
        "[{\"command\":\"next\",\"max\":256},{\"command\":\"next\",\"max\":44}]\nend\n"
    );
    assert!(!talk.session.ready());
    talk.hear(r#"[{"messages":[[1,["a"]],["x",["b"]],[null,["c"]]]},{"command":"sync"}]"#);
    assert_eq!(talk.out.emitted(), ["[\"a\"]", "[\"b\"]", "[\"c\"]"]);
    assert!(talk.session.ready());
    talk.session.ack(MessageId(FIRST));
    assert_eq!(talk.session.fail(MessageId(FIRST + 1)), Replay::Engine);
    talk.pass(Duration::ZERO);
    assert_eq!(
        talk.sent(),
        "[{\"command\":\"ack\",\"ids\":[1]},{\"command\":\"fail\",\"ids\":[\"x\"]}]\nend\n"
    );
    talk.session.ack(MessageId(FIRST + 1));
    talk.pass(Duration::ZERO);
    assert_eq!(talk.sent(), "[{\"command\":\"ack\",\"ids\":[\"x\"]}]\nend\n");
}

#[test]
fn a_spout_is_exhausted_when_its_last_next_is_answered() {
    let mut talk = Talk::batch("{\"pid\":7,\"batch\":1}");
    assert_eq!(talk.want(10), Wanted::Asked);
    talk.hear(r#"[{"messages":[[1,["a"]]]},{"command":"exhausted"}]"#);
    assert_eq!(talk.want(10), Wanted::Asked);
    talk.hear("{\"command\":\"sync\"}");
    assert!(talk.session.ready());
    assert_eq!(talk.want(10), Wanted::Exhausted);
    talk.session.ack(MessageId(FIRST));
    talk.sent();
    talk.pass(Duration::ZERO);
    assert!(talk.sent().contains("\"ack\""));
}

#[test]
fn c43_a_silent_spout_is_given_up_only_while_it_owes_an_answer() {
    let mut talk = Talk::new("{\"pid\":7}", json!({"heartbeat_timeout_ms": 5000}));
    talk.hear("{\"command\":\"sync\"}");
    (0..100).for_each(|_| talk.pass(Duration::from_secs(1)));
    talk.want(1);
    let now = talk.now;
    let given_up =
        (1..20).find(|second| talk.session.advance(now + Duration::from_secs(*second)).is_err());
    assert_eq!(given_up, Some(6));
}

#[test]
fn a_spout_that_emits_what_its_stream_does_not_take_is_an_error() {
    let mut talk = Talk::storm();
    talk.out.fields = Some(1);
    let frame = b"{\"command\":\"emit\",\"id\":1,\"tuple\":[1,2]}\nend\n";
    let mut out = SpoutCollector::new(&mut talk.out);
    let error = talk.session.read(frame, talk.now, &mut out).unwrap_err();
    assert!(error.to_string().contains("the tuple has 2 values"), "{error}");
}
