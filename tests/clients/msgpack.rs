//! Values on a path through children that speak msgpack, a link and a child that speaks JSON.

use super::installed::project;

const TOPOLOGY: &str = r#"
name = "packed"
[topology]
workers = 2
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 0 } } }, count = 34 }
[bolts.first]
command = ["python3", "talk.py", "first"]
protocol = "msgpack"
inputs = ["numbers"]
outputs = ["number", "value"]
[bolts.again]
command = ["python3", "talk.py", "again"]
protocol = "msgpack"
inputs = [{ from = "first", grouping = { fields = ["value"] } }]
outputs = ["number", "value", "seen"]
parallelism = 3
[bolts.sink]
python = "sink.py:Sink"
inputs = ["again"]
env = { GALEWIRE_JSON = "json" }
"#;

#[test]
fn values_of_every_kind_pass_children_that_speak_msgpack() {
    let project = project("msgpack", &[]).file("topology.toml", TOPOLOGY);
    let ended = project.run(&["--json"]).expect_code(0);
    assert_eq!(ended.counters("numbers")["replayed"], 0, "{}", ended.err);
    let told = project.read("sink.txt");
    let mut told: Vec<(usize, &str)> = told
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(number, verdict)| (number.parse().unwrap(), verdict))
        .collect();
    told.sort_unstable();
    let all: Vec<_> = (0..34).map(|number| (number, "same")).collect();
    assert_eq!(told, all);
}
