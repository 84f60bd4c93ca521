//! Task ids: C30 and C31.

use serde_json::json;

use crate::base::TaskId;

use super::super::bolt_talk::Talk;
use super::super::spout_session::Talk as SpoutTalk;

const EMIT: &str = r#"{"command":"emit","tuple":["x"]}"#;

#[test]
fn c30_answers_come_in_the_order_of_the_emits() {
    let mut talk = Talk::greeted(json!({}));
    for task in 7..=9 {
        talk.out.takers = Some(vec![TaskId(task)]);
        talk.hear(EMIT);
        talk.hear(r#"{"command":"emit","tuple":["x"],"need_task_ids":false}"#);
    }
    assert_eq!(talk.sent(), "[7]\nend\n[8]\nend\n[9]\nend\n");
}

#[test]
fn c30_a_spout_that_asks_is_answered_ahead_of_commands() {
    let mut talk = SpoutTalk::storm();
    talk.hear(EMIT);
    talk.hear(r#"{"command":"emit","id":1,"tuple":["x"],"need_task_ids":false}"#);
    talk.hear(r#"{"command":"emit","id":2,"tuple":["x"],"task":5}"#);
    let sent = talk.sent();
    assert!(sent.starts_with("[5,6]\nend\n{\"command\":\"activate\""), "{sent}");
    assert_eq!(sent.matches('[').count(), 1, "{sent}");
}

#[test]
fn c31_the_answer_is_empty_where_nobody_subscribes() {
    let mut bolt = Talk::greeted(json!({}));
    bolt.out.takers = Some(Vec::new());
    bolt.hear(EMIT);
    assert_eq!(bolt.sent(), "[]\nend\n");
    let mut spout = SpoutTalk::storm();
    spout.sent();
    spout.out.takers = Some(Vec::new());
    spout.hear(EMIT);
    assert_eq!(spout.sent(), "[]\nend\n");
}
