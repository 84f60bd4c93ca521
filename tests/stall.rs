//! Bolts that stop working without dying: the one to blame is named, and the policy is followed.

use std::fs;

use serde_json::Value;

use super::harness::{Project, Running, wait_for};

const LINES: usize = 2_000;

/// The second bolt hangs at one line until a file is there; little fits in front of it.
const TOPOLOGY: &str = r#"
name = "stall"
[topology]
workers = 2
mailbox = "1KiB"
max_in_flight = 10
stall = { after = "1s" }
restart = { max = 1, backoff = "10ms..20ms" }
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.fast]
python = "bolts.py:fast"
inputs = ["lines"]
outputs = ["text"]
[bolts.slow]
python = "bolts.py:slow"
inputs = ["fast"]
outputs = ["text"]
config = { concurrency = 2 }
[bolts.sink]
type = "write"
inputs = ["slow"]
config = { path = "output.txt" }
"#;

const HANGS: &str = r#"
import os, time
import galewire

@galewire.bolt
def fast(line):
    return line

def hang():
    while not os.path.exists("go"):
        time.sleep(0.02)

@galewire.bolt
def slow(text):
    if text == "line 1000":
        hang()
    return text
"#;

/// The same, as a coroutine that waits for what does not come.
const WAITS: &str = r#"
import asyncio, os
import galewire

@galewire.bolt
def fast(line):
    return line

async def never_comes():
    while not os.path.exists("go"):
        await asyncio.sleep(0.02)

@galewire.bolt
async def slow(text):
    if text >= "line 1000":
        await never_comes()
    return text
"#;

fn project(bolts: &str, topology: &str) -> Project {
    let input: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
    Project::new().file("topology.toml", topology).file("bolts.py", bolts).file("input.txt", &input)
}

fn stalls(run: &Running) -> Vec<Value> {
    run.told().into_iter().filter(|event| event["event"] == "stalled").collect()
}

fn lines(project: &Project) -> Vec<String> {
    let mut found: Vec<_> = project.read("output.txt").lines().map(str::to_owned).collect();
    found.sort();
    found
}

fn every_line_once() -> Vec<String> {
    let mut all: Vec<_> = (0..LINES).map(|n| format!("line {n}")).collect();
    all.sort();
    all
}

#[test]
fn the_bolt_that_hangs_is_named_with_its_edge_and_its_stack_and_nothing_else_is() {
    let project = project(HANGS, TOPOLOGY);
    let run = project.start(&["--json"]);
    let stall = wait_for("the stall", || stalls(&run).pop());
    assert_eq!((&stall["component"], &stall["from"][0]), (&"slow".into(), &"fast".into()));
    let stack = stall["stack"].as_str().unwrap_or_else(|| panic!("no stack: {stall}"));
    assert!(stack.contains("in hang") && stack.contains("bolts.py"), "{stack}");
    assert!(stall["held"].as_u64().unwrap() > 0, "{stall}");
    fs::write(project.path("go"), "").unwrap();
    let ended = run.end().expect_code(0);
    let told = ended.err.matches(r#""event":"stalled""#).count();
    assert_eq!(told, 1, "{}", ended.err);
    assert_eq!(ended.counters("lines")["failed"], 0, "it was only told of");
    assert_eq!(lines(&project), every_line_once());
}

#[test]
fn what_a_coroutine_waits_for_is_shown() {
    let project = project(WAITS, TOPOLOGY);
    let run = project.start(&["--json"]);
    let stall = wait_for("the stall", || stalls(&run).pop());
    assert_eq!(stall["component"], "slow", "{stall}");
    let stack = stall["stack"].as_str().unwrap_or_else(|| panic!("no stack: {stall}"));
    assert!(stack.contains("never_comes"), "{stack}");
    fs::write(project.path("go"), "").unwrap();
    run.end().expect_code(0);
    assert_eq!(lines(&project), every_line_once());
}

#[test]
fn a_bolt_that_hangs_is_started_again_where_the_file_says_so() {
    let topology = TOPOLOGY.replace(r#"after = "1s""#, r#"after = "1s", then = "restart""#);
    // The first life leaves the file that lets the second one work.
    let once = HANGS.replace(
        "def hang():\n",
        "def hang():\n    if os.path.exists(\"tried\"):\n        return\n    open(\"tried\", \"w\").close()\n",
    );
    let project = project(&once, &topology);
    let ended = project.run(&[]).expect_code(0);
    let ended =
        ended.expect_told("made no progress for 1s while input waited; it is started again");
    assert!(ended.err.contains("in hang"), "{}", ended.err);
    let mut found = lines(&project);
    found.dedup();
    assert_eq!(found, every_line_once());
}

#[test]
fn a_bolt_that_hangs_ends_the_run_where_the_file_says_so() {
    let topology = TOPOLOGY
        .replace("config = { concurrency = 2 }", r#"stall = { after = "1s", then = "stop" }"#);
    let project = project(HANGS, &topology);
    let ended = project.run(&[]).expect_code(1);
    ended
        .expect_told("slow (task 3) made no progress for 1s while input waited")
        .expect_told("in hang");
    project.assert_no_processes();
}
