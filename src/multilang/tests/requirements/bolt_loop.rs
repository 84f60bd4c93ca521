//! The bolt loop: C23 to C28.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::component::{Bolt, FailKind, Level, Progress};

use super::super::bolt_talk::{HEARTBEAT, Talk, word};
use super::super::harness::{BoltRig, Event, python, text};

fn sent(talk: &mut Talk) -> Vec<Json> {
    let sent = talk.sent();
    let messages = sent.split_terminator("\nend\n");
    messages.map(|message| serde_json::from_str(message).unwrap()).collect()
}

#[test]
fn c23_ids_are_strings_that_differ_and_all_keys_are_there() {
    let mut talk = Talk::greeted(json!({}));
    (1..=3).for_each(|edge| talk.give(word(edge)));
    talk.session.tick(true);
    talk.session.tick(true);
    talk.pass(Duration::from_secs(2)).unwrap();
    let messages = sent(&mut talk);
    assert_eq!(messages.len(), 6);
    for message in &messages {
        for key in ["id", "comp", "stream", "task", "tuple"] {
            assert!(message.get(key).is_some(), "{key} in {message}");
        }
        assert!(message["comp"].is_string() || message["stream"] == "__heartbeat");
    }
    let ids: BTreeSet<&str> =
        messages.iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), messages.len());
}

#[test]
fn c24_a_bolt_may_emit_before_any_input() {
    let mut talk = Talk::greeted(json!({}));
    talk.hear(r#"{"command":"emit","tuple":["early"],"need_task_ids":false}"#);
    assert_eq!(talk.out.emitted(), ["[\"early\"]"]);
}

#[test]
fn c24_what_is_emitted_after_the_ack_is_taken_without_an_anchor() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    talk.hear(r#"{"command":"emit","tuple":["late"],"need_task_ids":false}"#);
    let is_late =
        |event: &Event| matches!(event, Event::Emit { anchors, .. } if anchors.is_empty());
    assert!(talk.out.events.iter().any(is_late));
    assert!(!talk.world.metrics.snapshot().contains_key("anchors_unknown"));
}

#[test]
fn c24_an_emit_seconds_later_keeps_its_anchor() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(7));
    for _ in 0..25 {
        talk.pass(Duration::from_secs(1)).unwrap();
        talk.hear("{\"command\":\"sync\"}");
    }
    talk.hear(r#"{"command":"emit","tuple":["slow"],"anchors":["1"],"need_task_ids":false}"#);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert!(matches!(&talk.out.events[0], Event::Emit { anchors, .. } if *anchors == [7]));
    assert_eq!(talk.out.acked(), [7]);
}

#[test]
fn c24_other_threads_may_emit_and_ack_in_any_order() {
    let script = r#"
import threading
lock, held = threading.Lock(), []
def work():
    while len(held) < 20:
        time.sleep(0.001)
    for t in reversed(held):
        with lock:
            emit(t, t["tuple"][0])
            ack(t)
hello()
threading.Thread(target=work).start()
for t in tuples():
    held.append(t)
"#;
    let mut rig = BoltRig::new(python(script, json!({"heartbeat": false})));
    (1..=20).for_each(|edge| rig.give(text(edge, "x")));
    rig.until("acked", |rig| rig.out.acked().len() == 20);
    assert_eq!(rig.out.acked(), (1..=20).rev().collect::<Vec<_>>());
    assert_eq!(rig.out.emitted().len(), 20);
}

#[test]
fn c24_a_storm_bolts_end_passes_behind_what_it_emits_at_the_end_of_its_input() {
    let script = r#"
hello()
total = 0
while True:
    line = sys.stdin.readline()
    if not line:
        break
    message = json.loads(line) if line.startswith("{") else {}
    if message.get("stream") == "__heartbeat":
        send({"command": "sync"})
    elif "tuple" in message:
        total += 1
        ack(message)
send({"command": "emit", "tuple": [total]})
"#;
    let mut rig = BoltRig::new(python(script, json!({})));
    (1..=3).for_each(|edge| rig.give(text(edge, "x")));
    for pass in [Bolt::drain, Bolt::end] {
        rig.until("the mark", |rig| {
            let mut out = crate::component::Collector::new(&mut rig.out);
            pass(&mut rig.bolt, &mut out).unwrap() == Progress::Done
        });
    }
    assert_eq!(rig.out.acked(), [1, 2, 3]);
    assert_eq!(rig.out.emitted(), ["[3]"]);
    rig.close();
}

#[test]
fn c25_all_forms_of_an_emit_reach_their_stream_task_and_anchors() {
    let mut talk = Talk::greeted(json!({}));
    (1..=2).for_each(|edge| talk.give(word(edge)));
    talk.sent();
    let mut emitted = |keys: &str| {
        talk.hear(&format!("{{\"command\":\"emit\",\"tuple\":[\"x\"]{keys}}}"));
        let answered = !talk.sent().is_empty();
        match talk.out.events.pop().unwrap() {
            Event::Emit { stream, direct, anchors, .. } => (stream, direct, anchors, answered),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(emitted(""), (0, None, vec![], true));
    let nulls = r#","stream":null,"task":null,"need_task_ids":null,"anchors":null"#;
    assert_eq!(emitted(nulls), (0, None, vec![], true));
    assert_eq!(emitted(r#","task":0,"anchors":[]"#), (0, None, vec![], true));
    assert_eq!(emitted(r#","anchors":["1","2"]"#), (0, None, vec![1, 2], true));
    assert_eq!(emitted(r#","anchors":"2","stream":"side""#), (1, None, vec![2], true));
    assert_eq!(emitted(r#","need_task_ids":false"#), (0, None, vec![], false));
    assert_eq!(emitted(r#","task":6,"need_task_ids":true"#), (0, Some(6), vec![], false));
}

#[test]
fn c26_answers_to_ticks_and_heartbeats_are_taken_and_mean_nothing() {
    let mut talk = Talk::greeted(json!({}));
    talk.session.tick(true);
    talk.pass(Duration::from_secs(2)).unwrap();
    let ids: Vec<Json> = sent(&mut talk).iter().map(|message| message["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(talk.session.held(), 0, "ticks are not tracked");
    for id in ids {
        talk.hear(&format!("{{\"command\":\"ack\",\"id\":{id}}}"));
        talk.hear(&format!("{{\"command\":\"fail\",\"id\":{id}}}"));
        let emit = format!("{{\"command\":\"emit\",\"tuple\":[\"junk\"],\"anchors\":[{id}]}}");
        talk.hear(&emit);
    }
    assert!(talk.out.acked().is_empty() && talk.out.failed().is_empty());
    assert_eq!(talk.out.emitted().len(), 1, "what is emitted for a heartbeat is dropped");
    let metrics = talk.world.metrics.snapshot();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["heartbeats_taken_for_tuples"]);
    talk.hear(r#"{"command":"fail","id":"-1","msg":"no such table"}"#);
    assert!(talk.world.reports.has_log("no such table"), "a reason is not lost");
}

#[test]
fn c27_an_answer_that_comes_after_its_time_out_is_logged_and_the_child_goes_on() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    for _ in 0..130 {
        talk.hear("{\"command\":\"sync\"}");
        talk.pass(Duration::from_secs(1)).unwrap();
    }
    assert_eq!(talk.session.held(), 0);
    talk.hear(r#"{"command":"emit","tuple":["x"],"anchors":["1"]}"#);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.world.reports.level_of("which is not open"), Some(Level::Warn));
    talk.give(word(2));
    talk.hear(r#"{"command":"ack","id":"2"}"#);
    assert_eq!(talk.out.acked(), [2]);
}

#[test]
fn c28_a_child_that_reports_errors_and_never_acks_keeps_being_fed() {
    let mut talk = Talk::greeted(json!({"max_in_flight": 8}));
    let mut given = 0;
    for _ in 0..50 {
        while talk.session.ready() {
            given += 1;
            talk.give(word(given));
        }
        talk.pass(Duration::from_secs(1)).unwrap();
        let markers = talk.sent().matches(HEARTBEAT).count();
        assert!(markers > 0, "after {given}");
        for _ in 0..markers {
            talk.hear(r#"{"command":"error","msg":"no such word"}"#);
            talk.hear("{\"command\":\"sync\"}");
        }
    }
    assert!(given >= 200, "{given}");
}

#[test]
fn c28_a_child_that_reads_nothing_is_held_back_by_its_pipe() {
    let script = "hello()\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n\
                  for t in tuples():\n    ack(t)";
    let more = json!({"heartbeat": false});
    let mut rig = BoltRig::new(python(script, more));
    let large = "y".repeat(50_000);
    rig.until("up", |rig| rig.bolt.ready());
    let mut given = 0;
    while rig.bolt.ready() {
        given += 1;
        assert!(given < 100, "the pipe and what waits for it are bounded");
        rig.give(text(given, &large));
    }
    std::fs::write(rig.context.dir.join("go"), "").unwrap();
    rig.until("all acked", |rig| rig.out.acked().len() as u64 == given);
    assert!(rig.bolt.ready());
    assert_eq!(rig.out.failed(), [(0, FailKind::Died); 0]);
}
