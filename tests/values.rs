//! Values on a path through children, links and built-in bolts: byte for byte, or as documented.

use std::collections::BTreeMap;

use super::harness::{Ended, Project};

/// Values that a parser would bend.
const EXACT: [&str; 42] = [
    "1180591620717411303424",
    "-1180591620717411303424",
    "1e400",
    "-1e400",
    "-0.0",
    "-0",
    "0.1",
    "0.10000000000000001",
    "1E5",
    "1e5",
    "100000.0",
    "1.0",
    "5e-324",
    "1e-400",
    "12345678901234567",
    "9223372036854775807",
    "18446744073709551616",
    "\"\\ud800\"",
    "\"a\\udc00b\"",
    "\"\\u00e9\"",
    "\"\\ud834\\udd1e\"",
    "\"a\\u0000b\"",
    "\"\\/\"",
    "\"/\"",
    "\"\\b\\f\\n\\r\\t\\\"\\\\\"",
    "\"\\u0061\"",
    "[]",
    "{}",
    "null",
    "true",
    "false",
    "\"\"",
    "{\"a\":1,\"a\":2}",
    "{\"b\":1,\"a\":{\"z\":[],\"y\":{}}}",
    "{\"\":0}",
    "[ 1 , 2 ]",
    "{\"a\" : 1}",
    "[1,[2,[3,[]]],{\"k\":[{}]}]",
    "[1e5,1E5,-0,1.50]",
    "\"NaN\"",
    "\"end\"",
    "{\"command\":\"ack\",\"id\":\"1\"}",
];
/// What Python writes, and Node cannot read.
const NOT_JSON: [&str; 4] = ["NaN", "Infinity", "-Infinity", "[NaN,{\"x\":-Infinity}]"];

/// Through a grouping by the value and a built-in bolt.
const BUILT_IN: &str = r#"type = "filter"
inputs = [{ from = "source", grouping = { fields = ["value"] } }]
config = { when = "true" }"#;
const NODE: &str = "node = \"pass.mjs:raw\"\ninputs = [\"source\"]\noutputs = [\"n\", \"value\"]";
const NODE_PARSED: &str =
    "node = \"pass.mjs:parsed\"\ninputs = [\"source\"]\noutputs = [\"n\", \"value\"]";
const PYTHON: &str =
    "python = \"sink.py:again\"\ninputs = [\"source\"]\noutputs = [\"n\", \"value\"]";

fn nested(depth: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

/// The values that came out of a path, by number, and the run.
fn through(bolt: &str, values: &[String]) -> (BTreeMap<usize, String>, Ended, Project) {
    let topology = format!(
        r#"
name = "values"
[topology]
workers = 2
[spouts.source]
command = ["python3", "source.py"]
outputs = ["n", "value"]
retry = {{ max = 1, backoff = "1ms..2ms", dead_letter = "dead.jsonl" }}
[bolts.pass]
{bolt}
parallelism = 3
env = {{ GALEWIRE_JSON = "json" }}
[bolts.sink]
python = "sink.py:Sink"
inputs = ["pass"]
"#
    );
    let topology = if bolt == BUILT_IN { topology.replace("env =", "# env =") } else { topology };
    let project = Project::new()
        .file("topology.toml", &topology)
        .file("source.py", include_str!("values/source.py"))
        .file("sink.py", include_str!("values/sink.py"))
        .file("pass.mjs", include_str!("values/pass.mjs"))
        .file("values.txt", &values.join("\n"));
    let ended = project.run(&["--json"]).expect_code(0);
    let got = project.read("sink.txt");
    let got = got.lines().map(|line| {
        let (number, value) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), value.to_owned())
    });
    (got.collect(), ended, project)
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_same(got: &BTreeMap<usize, String>, values: &[String]) {
    assert_eq!(got.len(), values.len());
    for (number, value) in values.iter().enumerate() {
        let start = &value[..value.len().min(60)];
        assert!(got[&number] == *value, "{start} became {:.60}", got[&number]);
    }
}

#[test]
fn values_pass_links_groupings_and_built_in_bolts_byte_for_byte() {
    let mut values = owned(&[&EXACT[..], &NOT_JSON[..]].concat());
    values.extend([
        nested(1_000, "[", "", "]"),
        nested(100_000, "[", "", "]"),
        nested(50_000, "{\"a\":", "1", "}"),
        "7".repeat(100_000),
        format!("\"{}\"", "s".repeat(8 << 20)),
    ]);
    let (got, ended, _) = through(BUILT_IN, &values);
    assert_same(&got, &values);
    assert_eq!(ended.counters("source")["replayed"], 0);
}

#[test]
fn letters_that_are_not_ascii_arrive_escaped() {
    let (got, ..) = through(BUILT_IN, &owned(&["\"é 日本 𝄞 \u{2028}\u{7f}\""]));
    let escaped = "\"\\u00e9 \\u65e5\\u672c \\ud834\\udd1e \\u2028\\u007f\"";
    assert_eq!(got[&0], escaped);
}

#[test]
fn node_hands_on_raw_what_it_would_bend() {
    let mut values = owned(&EXACT);
    values.extend([nested(100_000, "[", "", "]"), "7".repeat(100_000)]);
    let (got, ..) = through(NODE, &values);
    assert_same(&got, &values);
    // NaN is no JSON for it.
    let (got, ..) = through(NODE, &owned(&NOT_JSON));
    let nulls = ["null", "null", "null", "[null,{\"x\":null}]"];
    assert_eq!(got.into_values().collect::<Vec<_>>(), nulls);
}

#[test]
fn python_reads_and_writes_its_own_numbers_exactly() {
    let values = owned(&[
        "1180591620717411303424",
        "-0.0",
        "0.1",
        "5e-324",
        "100000.0",
        "\"\\ud800\"",
        "\"a\\u0000b\"",
        "NaN",
        "-Infinity",
        "[NaN,{\"x\":-Infinity}]",
        "{\"b\":1,\"a\":[]}",
    ]);
    let (got, ..) = through(PYTHON, &values);
    assert_same(&got, &values);
}

#[test]
fn a_value_that_a_language_cannot_read_fails_its_tuple_alone() {
    let values = [
        "1".to_owned(),
        nested(100_000, "[", "", "]"),
        "2".to_owned(),
        "7".repeat(100_000),
        "3".to_owned(),
    ];
    let (got, ended, project) = through(PYTHON, &values);
    assert_eq!(got.into_values().collect::<Vec<_>>(), ["1", "2", "3"]);
    let dead = project.read("dead.jsonl");
    assert_eq!(dead.lines().count(), 2);
    assert!(dead.lines().all(|line| line.contains("UnreadableValue: value 1")));
    assert_eq!(ended.counters("pass")["restarts"], 0);
    // Node reads what is nested deep, and cannot write it.
    let (got, ended, project) = through(NODE_PARSED, &values[..3]);
    assert_eq!(got.into_values().collect::<Vec<_>>(), ["1", "2"]);
    assert!(project.read("dead.jsonl").contains("RangeError"));
    assert_eq!(ended.counters("pass")["restarts"], 0);
}
