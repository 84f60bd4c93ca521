//! Values from child to child: C19, C20 and C22. How equal values hash alike is tested in `tuple`.

use serde_json::json;

use crate::tuple::{Value, wire};

use super::super::bolt_talk::Talk;
use super::super::harness::tuple;

/// What a child emits, as another child of this command gets it, by way of another worker.
fn passed_on(value: &str, command: &str) -> String {
    let mut from = Talk::greeted(json!({}));
    from.hear(&format!("{{\"command\":\"emit\",\"tuple\":[{value}],\"need_task_ids\":false}}"));
    let emitted = from.out.emitted().remove(0);
    let value = Value::from_scanned_json(&emitted[1..emitted.len() - 1]);
    let mut bytes = Vec::new();
    wire::put_tuple(&tuple(1, [value]), &mut bytes);
    let mut to = Talk::greeted(json!({"command": [command]}));
    to.give(wire::Reader::new(&bytes).tuple().unwrap());
    let sent = to.sent();
    let (_, tuple) = sent.split_once("\"tuple\":[").unwrap();
    tuple.split_once("]}\nend\n").unwrap().0.to_owned()
}

#[test]
fn c19_values_keep_their_bytes_from_child_to_child() {
    for value in [
        "1180591620717411303424",
        "1e400",
        "1E-7",
        "-0.0",
        "-0",
        "1.50",
        "\"\\ud800\"",
        "\"\\u0061\"",
        "{\"a\": 1,\"a\":  2, \"\\u0061\":3}",
        "[0.1,[null, true]]",
    ] {
        for command in ["python3", "node"] {
            assert_eq!(passed_on(value, command), value, "{command}");
        }
    }
}

#[test]
fn c20_numbers_that_json_has_not_are_taken_and_go_on_to_python_alone() {
    for value in ["NaN", "Infinity", "-Infinity"] {
        assert_eq!(passed_on(value, "python3"), value);
        for command in ["node", "ruby", "./a-program-in-go"] {
            assert_eq!(passed_on(value, command), "null", "{command}");
        }
        let nested = format!("{{\"k\":[1,{value}]}}");
        assert_eq!(passed_on(&nested, "/usr/bin/python3.11"), nested);
        assert_eq!(passed_on(&nested, "perl"), "{\"k\":[1,null]}");
    }
}

#[test]
fn c22_a_scalar_is_a_tuple_of_one_value() {
    let mut talk = Talk::greeted(json!({}));
    for tuple in ["\"a\"", "7", "{\"k\":1}", "[\"b\"]"] {
        let emit = format!("{{\"command\":\"emit\",\"tuple\":{tuple},\"need_task_ids\":false}}");
        talk.hear(&emit);
    }
    assert_eq!(talk.out.emitted(), ["[\"a\"]", "[7]", "[{\"k\":1}]", "[\"b\"]"]);
}
