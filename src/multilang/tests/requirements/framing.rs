//! Framing: C14 to C18. What stands beside the framer and the salvage is tested there.

use std::time::Duration;

use serde_json::json;

use crate::component::{Collector, MessageId};
use crate::tuple::{RawJson, Value};

use super::super::bolt_talk::{Talk, word};
use super::super::harness::{BoltRig, python, text, tuple};
use super::super::spout_session::{FIRST, Talk as SpoutTalk};

fn raw(json: &str) -> Value {
    Value::Json(RawJson::new(json).unwrap())
}

/// The messages in what was sent; each has to be one line of JSON.
fn messages(sent: &str) -> Vec<&str> {
    assert!(sent.ends_with("\nend\n") && !sent.contains('\r'), "{sent:?}");
    let messages: Vec<&str> = sent.trim_end_matches("\nend\n").split("\nend\n").collect();
    for message in &messages {
        assert!(!message.contains('\n'), "{message}");
        assert!(serde_json::from_str::<serde_json::Value>(message).is_ok(), "{message}");
    }
    messages
}

#[test]
fn c14_every_message_to_a_bolt_is_one_compact_line_and_the_line_end() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(tuple(1, [raw("{\"a\":\r\n [1]}"), Value::from("b\nc\r")]));
    talk.session.tick(true);
    talk.pass(Duration::from_secs(2)).unwrap();
    talk.hear(r#"{"command":"emit","tuple":["x"]}"#);
    let sent = talk.sent();
    let messages = messages(&sent);
    assert_eq!(messages.len(), 4, "ids, a tuple, a tick and a heartbeat: {sent}");
    assert_eq!(messages[0], "[5,6]");
    let expected =
        "{\"id\":\"1\",\"comp\":\"sentences\",\"stream\":\"default\",\"task\":1,\"tuple\":[";
    assert!(messages[1].starts_with(expected), "{sent}");
    assert!(messages[2..].iter().all(|message| !message.contains(' ')), "{sent}");
}

#[test]
fn c14_every_message_to_a_spout_is_one_compact_line_and_the_line_end() {
    let mut talk = SpoutTalk::storm();
    talk.hear("{\"command\":\"sync\"}");
    talk.hear("{\"command\":\"emit\",\"id\":{\"a\":\n1},\"tuple\":[\"a\"]}");
    talk.session.ack(MessageId(FIRST));
    talk.pass(Duration::ZERO);
    let sent = talk.sent();
    assert_eq!(messages(&sent).len(), 3, "ids, activate and ack: {sent}");
}

#[test]
fn c15_messages_are_ascii_with_surrogate_pairs() {
    let mut talk = Talk::greeted(json!({}));
    let map = Value::Map(Box::new(vec![("ключ".into(), Value::from("\u{7f}é"))]));
    talk.give(tuple(1, [Value::from("naïve 𝄞"), raw("[\"日本 𝄞\"]"), map]));
    let sent = talk.sent();
    assert!(sent.is_ascii(), "{sent}");
    assert!(sent.contains("\"na\\u00efve \\ud834\\udd1e\",[\"\\u65e5\\u672c \\ud834\\udd1e\"]"));
}

#[test]
fn c16_a_message_may_span_lines_with_its_keys_in_any_order() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(
        "{\n  \"tuple\" : [\n    \"a\"\n  ],\n\t\"need_task_ids\": false,\r\n\"anchors\":[\"1\"],\n\n\"command\"\n:\"emit\"\n}",
    );
    assert_eq!(talk.out.emitted(), ["[\"a\"]"]);
    assert!(talk.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c16_a_message_may_have_tens_of_megabytes() {
    let mut talk = Talk::greeted(json!({}));
    let large = format!("{{\"command\":\"emit\",\"tuple\":[\"{}\"]}}\nend\n", "z".repeat(48 << 20));
    for chunk in large.as_bytes().chunks(64 << 10) {
        talk.session.read(chunk, talk.now, &mut Collector::new(&mut talk.out)).unwrap();
    }
    assert_eq!(talk.out.emitted()[0].len(), (48 << 20) + 4);
}

#[test]
fn c17_printed_lines_and_glued_text_are_logged_in_all_three_ways() {
    let mut talk = Talk::greeted(json!({}));
    (1..=3).for_each(|edge| talk.give(word(edge)));
    talk.hear("printed first\n{\"command\":\"ack\",\"id\":\"1\"}");
    talk.hear("[1, 2\n{ \"command\" : \"ack\", \"id\" : \"2\" }");
    talk.hear("[3, 4\n{\"k\": 1} glued {\"command\":\"ack\",\"id\":\"3\"}");
    assert_eq!(talk.out.acked(), [1, 2, 3]);
    let reports = &talk.world.reports;
    for text in ["printed first", "[1, 2", "[3, 4", "{\"k\": 1} glued "] {
        assert!(reports.has_log(&format!("[stdout 7] {text}")), "{text}: {reports:?}");
    }
    assert!(reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c17_a_frame_without_any_message_is_an_error_that_does_not_end_the_child() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear("{\"command\":\"ack\",\"id\":\"1");
    assert!(talk.world.reports.has_error("a frame that no message can be read from: \"{\\\"comm"));
    assert!(talk.world.reports.has_log("[stdout 7] {\"command\":\"ack\""));
    talk.hear("E_BOLTFAILED__Split__no such word");
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.out.acked(), [1]);
}

#[test]
fn c18_text_that_is_left_when_a_child_ends_is_logged_and_no_error() {
    let script = r"
import atexit
atexit.register(lambda: os.write(1, b'Exiting'))
hello()
for t in tuples():
    ack(t)
";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    rig.close();
    assert!(rig.world.reports.has_log("] Exiting"), "{:?}", rig.world.reports);
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}
