//! Logs, errors and metrics: C49 to C52.

use serde_json::json;

use crate::component::Level;
use crate::metrics::UserMetric;

use super::super::bolt_talk::{Talk, word};
use super::super::harness::{BoltRig, python, text};

#[test]
fn c49_lines_of_stderr_carry_the_process_id() {
    let script = "hello()\nfor t in tuples():\n    print('oops', file=sys.stderr, flush=True)\n    \
                  emit(t, os.getpid())\n    ack(t)";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("logged", |rig| rig.out.acked() == [1] && rig.world.reports.has_log("oops"));
    let pid = rig.out.emitted().remove(0);
    let line = format!("[stderr {}] oops", pid.trim_matches(['[', ']']));
    assert!(rig.world.reports.has_log(&line), "{:?}", rig.world.reports);
}

#[test]
fn c50_levels_are_storms_and_info_where_there_is_none() {
    let mut talk = Talk::greeted(json!({}));
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
    for number in 0..5 {
        talk.hear(&format!("{{\"command\":\"log\",\"msg\":\"at {number}\",\"level\":{number}}}"));
    }
    talk.hear(r#"{"command":"log","msg":"at none"}"#);
    for (number, level) in levels.into_iter().enumerate() {
        assert_eq!(talk.world.reports.level_of(&format!("at {number}")), Some(level));
    }
    assert_eq!(talk.world.reports.level_of("at none"), Some(Level::Info));
}

#[test]
fn c50_a_message_may_have_lines_and_any_characters() {
    let mut talk = Talk::greeted(json!({}));
    talk.hear(r#"{"command":"log","msg":"one\ntwo \ud834\udd1e"}"#);
    talk.hear("{\"command\":\"log\",\"msg\":\"raw 𝄞\"}");
    let logs = talk.world.reports.logs.lock().unwrap();
    let lines: Vec<&str> = logs[1..].iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["one\ntwo 𝄞", "raw 𝄞"]);
}

#[test]
fn c50_an_error_is_listed_and_the_child_goes_on() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"error","msg":"no such table\n  at line 7 \ud834\udd1e"}"#);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    let errors = talk.world.reports.errors.lock().unwrap();
    assert_eq!(*errors, [("no such table".to_owned(), Some("  at line 7 𝄞".to_owned()))]);
    assert_eq!(talk.out.acked(), [1]);
}

#[test]
fn c51_names_and_params_may_be_anything() {
    let mut talk = Talk::greeted(json!({}));
    let all = ["7", "\"text\"", "null", "[1,{\"a\":[]}]", "{\"type\":\"counter\"}", "{}"];
    for (number, params) in all.into_iter().enumerate() {
        talk.hear(&format!(
            "{{\"command\":\"metrics\",\"name\":\"any name/{number} ü\",\"params\":{params}}}"
        ));
    }
    talk.hear(r#"{"command":"metrics","name":"bare"}"#);
    let snapshot = talk.world.metrics.snapshot();
    assert_eq!(snapshot.len(), 7);
    assert_eq!(snapshot["any name/0 ü"], UserMetric::Other { value: "7".to_owned() });
    assert_eq!(snapshot["any name/4 ü"], UserMetric::Counter { value: 1.0 });
    assert!(talk.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c52_unknown_commands_are_warned_of_and_ignored() {
    let mut talk = Talk::greeted(json!({}));
    talk.give(word(1));
    talk.hear(r#"{"command":"dance","id":"1"}"#);
    let warned = talk.world.reports.level_of("unknown message: {\"command\":\"dance\"");
    assert_eq!(warned, Some(Level::Warn));
    assert_eq!(talk.session.held(), 1);
    talk.hear(r#"{"command":"ack","id":"1"}"#);
    assert_eq!(talk.out.acked(), [1]);
}
