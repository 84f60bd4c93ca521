//! The handshake: C7 to C13.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::component::Context;
use crate::multilang::session::{BatchLimits, handshake};

use super::super::bolt_talk::{Talk, word};
use super::super::harness::{BoltRig, World, options, python, text};

/// The handshake of a bolt with this config.
fn sent(config: &Json, change: impl FnOnce(&mut Context)) -> Json {
    let world = World::new();
    let mut context = world.context("split");
    change(&mut context);
    let config = config.as_object().unwrap();
    let line = handshake(&context, config, Some(BatchLimits::OFFER), Path::new("/run/pids"));
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn c07_conf_pid_dir_and_context_are_all_there() {
    let sent = sent(&json!({}), |_| {});
    let keys: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(sent["conf"].is_object() && sent["context"].is_object());
    assert_eq!(sent["pidDir"], "/run/pids");
}

#[test]
fn c08_a_child_that_emits_before_its_pid_gets_the_ids_it_waits_for_and_nothing_else() {
    let mut talk = Talk::new(json!({}));
    talk.give(word(1));
    talk.session.tick(true);
    talk.pass(Duration::from_secs(5)).unwrap();
    talk.hear(r#"{"command":"emit","tuple":["early"]}"#);
    assert_eq!(talk.sent(), "[5,6]\nend\n");
}

#[test]
fn c08_a_pid_that_comes_before_the_handshake_was_read_is_taken() {
    let script = "send({'pid': os.getpid()})\nread()\nfor t in tuples():\n    ack(t)";
    let mut rig = BoltRig::new(python(script, json!({})));
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
}

#[test]
fn c09_a_child_behind_a_shell_names_a_pid_of_its_own_and_leaves_no_file() {
    let script = r#"
h = read()
send({"pid": os.getpid()})
for t in tuples():
    emit(t, os.getpid() != os.getpgrp(), os.listdir(h["pidDir"]))
    ack(t)
"#;
    let mut options = python(script, json!({}));
    let python = std::mem::take(&mut options.command);
    options.command = ["bash", "-c", "\"$@\"; exit 0", "bash"].map(str::to_owned).to_vec();
    options.command.extend(python);
    let mut rig = BoltRig::new(options);
    rig.give(text(1, "x"));
    rig.until("acked", |rig| rig.out.acked() == [1]);
    assert_eq!(rig.out.emitted(), ["[true,[]]"]);
    rig.close();
    assert!(rig.world.reports.errors.lock().unwrap().is_empty());
}

#[test]
fn c10_the_context_has_all_maps_with_the_types_that_clients_read() {
    let sent = sent(&json!({}), |context| {
        let global = &mut context.outputs[1].subscribers[0];
        (global.grouping, global.component) = ("FIELDS", "total".to_owned());
    });
    let expected = json!({
        "task->component": {"1": "sentences", "2": "__acker", "3": "split", "5": "count", "6": "count"},
        "taskid": 3,
        "componentid": "split",
        "streams": ["default", "side"],
        "stream->outputfields": {"default": ["word"], "side": ["word"]},
        "stream->target->grouping": {
            "default": {"count": {"type": "FIELDS", "fields": ["word"]}},
            "side": {"total": {"type": "FIELDS", "fields": []}},
        },
        "source->stream->grouping": {"sentences": {"default": {"type": "SHUFFLE"}}},
        "source->stream->fields": {"sentences": {"default": ["sentence"]}},
    });
    assert_eq!(sent["context"], expected);
    assert!(sent["context"]["taskid"].is_u64());
}

#[test]
fn c11_conf_has_storms_keys_and_those_of_the_component_over_them() {
    let own = json!({
        "topology.debug": true, "pystorm.log.path": "/tmp/a.log", "limit": 1.50, "deep": {"a": [1]},
    });
    let sent = sent(&own, |context| {
        let conf = json!({"topology.workers": 2, "topology.acker.executors": 0});
        context.conf = std::sync::Arc::new(conf.as_object().unwrap().clone());
        context.tick = Some(Duration::from_millis(2500));
    });
    let conf = sent["conf"].as_object().unwrap();
    let expected = json!({
        "topology.name": "probe", "topology.debug": true, "topology.message.timeout.secs": 30,
        "topology.acker.executors": 0, "topology.workers": 2, "topology.tick.tuple.freq.secs": 2.5,
        "pystorm.log.path": "/tmp/a.log", "limit": 1.50, "deep": {"a": [1]},
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&conf[key], value, "{key}");
    }
}

#[test]
fn c12_conf_is_flat_and_small_but_for_what_users_add() {
    let sent = sent(&json!({}), |_| {});
    let conf = sent["conf"].as_object().unwrap();
    for (key, value) in conf {
        let is_flat = !value.is_object() && !value.is_array();
        assert!(is_flat || key.starts_with("galewire."), "{key}");
    }
    assert!(sent["conf"].to_string().len() < 1000);
}

#[test]
fn c13_a_minute_at_least_is_given_where_nothing_else_is_said() {
    assert!(options(json!({})).handshake_timeout_ms >= 60_000);
    let mut talk = Talk::new(json!({}));
    (0..59).for_each(|_| talk.pass(Duration::from_secs(1)).unwrap());
    talk.hear("{\"pid\":7}");
    assert!(talk.session.ready());
}
