//! What goes ahead of a child's asking: task ids, and several `next`.

use std::time::Duration;

use serde_json::json;

use crate::base::Timestamp;
use crate::component::SpoutCollector;
use crate::multilang::session::{SpoutSession, Wanted};

use super::bolt_talk::{Talk, word};
use super::harness::{Event, Recorder, World, options};

const EMIT: &str = "{\"command\":\"emit\",\"tuple\":[\"a\"]}";
const SYNC: &str = "{\"command\":\"sync\"}";

fn greeted() -> Talk {
    let mut talk = Talk::new(json!({"task_ids": "ahead"}));
    talk.out.ahead = Some(1);
    talk.hear("{\"pid\":7}");
    talk
}

fn answers(sent: &str) -> usize {
    sent.split("\nend\n").filter(|message| message.starts_with('[')).count()
}

#[test]
fn c33_ids_go_ahead_of_the_first_tuple() {
    let mut talk = greeted();
    talk.give(word(1));
    let sent = talk.sent();
    assert!(sent.starts_with("[1]\nend\n[2]\nend\n[3]\nend\n"), "{sent}");
    assert!(sent.find("\"tuple\"").unwrap() > sent.rfind("[1024]").unwrap(), "{sent}");
}

#[test]
fn c33_what_was_told_ahead_is_kept_and_not_told_again() {
    let mut talk = greeted();
    talk.sent();
    talk.hear(EMIT);
    talk.hear("{\"command\":\"emit\",\"tuple\":[\"a\"],\"need_task_ids\":false}");
    talk.hear("{\"command\":\"emit\",\"tuple\":[\"a\"],\"task\":5}");
    talk.hear(EMIT);
    assert_eq!(talk.out.chosen, [1, 2]);
    assert_eq!(talk.out.emitted().len(), 4);
    assert_eq!(talk.sent(), "");
}

#[test]
fn c33_the_stock_is_filled_before_it_is_used_up() {
    let mut talk = greeted();
    let mut told = answers(&talk.sent());
    for used in 1..=5000 {
        talk.hear(EMIT);
        told += answers(&talk.sent());
        assert!(told > used + 500, "after {used} emits {told} answers were told");
    }
    let kept: Vec<u32> = (1..=5000).collect();
    assert_eq!(talk.out.chosen, kept);
}

#[test]
fn c33_a_refused_emission_has_used_its_answer() {
    let mut talk = greeted();
    talk.out.fields = Some(1);
    talk.hear("{\"command\":\"emit\",\"tuple\":[1,2]}");
    talk.hear(EMIT);
    assert_eq!(talk.out.chosen, [2]);
}

#[test]
fn c33_another_stream_is_not_sent_where_the_answer_was_for_the_first() {
    let mut talk = greeted();
    talk.hear("{\"command\":\"emit\",\"tuple\":[\"a\"],\"stream\":\"side\"}");
    talk.hear(EMIT);
    assert_eq!(talk.out.chosen, [2]);
    let streams = talk.out.events.iter().filter_map(|event| match event {
        Event::Emit { stream, .. } => Some(*stream),
        _ => None,
    });
    assert_eq!(streams.collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn c33_where_the_values_decide_answers_come_on_request() {
    let mut talk = Talk::new(json!({"task_ids": "ahead"}));
    talk.hear("{\"pid\":7}");
    assert_eq!(talk.sent(), "");
    talk.hear(EMIT);
    assert_eq!(talk.sent(), "[5,6]\nend\n");
}

#[test]
fn c33_batch_children_do_not_wait_and_get_nothing_ahead() {
    let mut talk = Talk::new(json!({"task_ids": "ahead"}));
    talk.out.ahead = Some(1);
    talk.hear("{\"pid\":7,\"batch\":1}");
    assert_eq!(talk.sent(), "");
    talk.hear(EMIT);
    assert_eq!(talk.sent(), "{\"command\":\"task_ids\",\"ids\":[5,6]}\nend\n");
}

/// A spout's session with a script in the child's place.
struct Spout {
    /// Its runtimes live as long as the session.
    _world: World,
    session: SpoutSession,
    out: Recorder,
    now: Timestamp,
}

impl Spout {
    fn greeted(more: serde_json::Value) -> Self {
        let world = World::new();
        let context = world.context("lines");
        let now = Timestamp(1_000_000_000);
        let mut session = SpoutSession::new(&options(more), &context, b"{}", 1, now);
        session.set_active(true);
        let out = Recorder { ahead: Some(1), ..Recorder::default() };
        let mut spout = Self { _world: world, session, out, now };
        spout.hear("{\"pid\":7}");
        spout.hear(SYNC);
        spout.sent();
        spout
    }

    fn hear(&mut self, message: &str) {
        let frame = format!("{message}\nend\n");
        let mut out = SpoutCollector::new(&mut self.out);
        self.session.read(frame.as_bytes(), self.now, &mut out).unwrap();
    }

    fn sent(&mut self) -> String {
        let outbox = self.session.outbox();
        let mut bytes = outbox.take_urgent();
        bytes.extend(outbox.take_data());
        String::from_utf8(bytes).unwrap()
    }

    /// How many `next` follow when `max` messages are wanted.
    fn nexts(&mut self, max: usize) -> usize {
        assert_eq!(self.session.want(max, self.now), Wanted::Asked);
        self.sent().matches("\"next\"").count()
    }

    fn answer(&mut self, emits: bool) {
        if emits {
            self.hear("{\"command\":\"emit\",\"id\":0,\"tuple\":[\"a\"]}");
        }
        self.hear(SYNC);
    }
}

#[test]
fn c33_a_spout_gets_ids_ahead_too() {
    let mut spout = Spout::greeted(json!({"task_ids": "ahead"}));
    assert_eq!(spout.nexts(1), 1);
    spout.answer(true);
    assert_eq!(spout.sent(), "");
    assert_eq!(spout.out.chosen, [1]);
}

#[test]
fn c41_without_leave_one_next_waits_for_its_answer() {
    let mut spout = Spout::greeted(json!({}));
    for _ in 0..5 {
        assert_eq!(spout.nexts(100), 1);
        assert_eq!(spout.nexts(100), 0);
        spout.answer(true);
    }
}

#[test]
fn c41_next_commands_go_ahead_as_long_as_there_is_something() {
    let mut spout = Spout::greeted(json!({"nexts": 8}));
    for expected in [1, 2, 8, 8] {
        let asked = spout.nexts(100);
        assert_eq!(asked, expected);
        for _ in 0..asked {
            spout.answer(true);
        }
    }
}

#[test]
fn c41_no_more_are_asked_than_may_be_pending() {
    let mut spout = Spout::greeted(json!({"nexts": 64}));
    for _ in 0..10 {
        let asked = spout.nexts(3);
        assert!(asked <= 3);
        for _ in 0..asked {
            spout.answer(true);
        }
    }
    assert_eq!(spout.nexts(3), 3);
    assert_eq!(spout.nexts(3), 0);
}

#[test]
fn c41_an_empty_next_ends_the_run_ahead() {
    let mut spout = Spout::greeted(json!({"nexts": 64}));
    let mut under_way = spout.nexts(100);
    for _ in 0..3 {
        for _ in 0..under_way {
            spout.answer(true);
        }
        under_way = spout.nexts(100);
    }
    assert_eq!(under_way, 64);
    for _ in 0..under_way {
        spout.answer(false);
    }
    assert!(matches!(spout.session.want(100, spout.now), Wanted::NotBefore(_)));
    spout.now = spout.now + Duration::from_secs(1);
    assert_eq!(spout.nexts(100), 1);
}

#[test]
fn c41_acks_do_not_wait_for_the_nexts_under_way() {
    let mut spout = Spout::greeted(json!({"nexts": 8}));
    spout.nexts(100);
    spout.answer(true);
    assert_eq!(spout.nexts(1), 1);
    let id = spout.out.events.iter().find_map(|event| match event {
        Event::Message { id, .. } => *id,
        _ => None,
    });
    spout.session.ack(crate::component::MessageId(id.unwrap()));
    spout.session.pump(spout.now);
    assert_eq!(spout.sent(), "{\"command\":\"ack\",\"id\":0}\nend\n");
}
