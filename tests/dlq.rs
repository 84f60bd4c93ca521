//! Dead letters: written, looked at, replayed and dropped, whatever is killed or full meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Project, Running, wait_for};

/// Numbers go through a bolt that fails those that its file says, to a file.
const TOPOLOGY: &str = r#"
name = "numbers"
[topology]
workers = 2
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, count = 20 }
retry = { max = 1, backoff = "1ms..2ms", dead_letter = "dead.jsonl" }
[bolts.picky]
python = "picky.py:picky"
inputs = ["numbers"]
outputs = ["number"]
[bolts.write]
type = "write"
inputs = ["picky"]
config = { path = "numbers.txt" }
"#;

const PICKY: &str = r#"
import os
import time

import galewire

bad = [int(word) for word in open("bad.txt").read().split()]


@galewire.bolt
def picky(number):
    if number in bad or bad == [0]:
        raise ValueError(f"{number} is bad")
    if os.path.exists("slow"):
        time.sleep(0.005)
    yield number
"#;

fn project(bad: &str) -> Project {
    Project::new().file("topology.toml", TOPOLOGY).file("picky.py", PICKY).file("bad.txt", bad)
}

/// A file of so many letters: all numbers from 1.
fn all_dead(count: usize) -> Project {
    let project = project("0");
    let count_is = format!("spouts.numbers.config.count={count}");
    let arguments = ["--quiet", "--set", &count_is, "--set", "spouts.numbers.retry.max=0"];
    project.run(&arguments).expect_code(0);
    assert_eq!(letters(&project).len(), count);
    project.file("bad.txt", "")
}

fn letters(project: &Project) -> Vec<Value> {
    let text = project.read("dead.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How often each number is in the sink.
fn written(project: &Project) -> BTreeMap<usize, usize> {
    let mut copies = BTreeMap::new();
    for line in project.read("numbers.txt").lines() {
        *copies.entry(line.parse().unwrap()).or_default() += 1;
    }
    copies
}

#[track_caller]
fn assert_each_once(project: &Project, count: usize) {
    let expected: BTreeMap<usize, usize> = (1..=count).map(|number| (number, 1)).collect();
    assert_eq!(written(project), expected);
}

#[test]
fn letters_are_listed_shown_replayed_and_gone() {
    let project = project("7 11");
    project.run(&[]).expect_code(0);
    let all = letters(&project);
    assert_eq!(all.len(), 2);
    let letter = all.iter().find(|letter| letter["values"][0] == 7).unwrap();
    for (key, value) in [("topology", "numbers"), ("spout", "numbers"), ("stream", "default")] {
        assert_eq!(letter[key], value, "{letter}");
    }
    assert_eq!((&letter["attempts"], &letter["fields"][0]), (&2.into(), &"number".into()));
    let failures = letter["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 2, "{letter}");
    for failure in failures {
        assert_eq!(
            (&failure["component"], &failure["reason"]),
            (&"picky".into(), &"explicit".into())
        );
        assert!(failure["traceback"].as_str().unwrap().contains("picky.py"), "{letter}");
        assert!(failure["time"].as_str() >= letter["first_emitted"].as_str());
    }
    let id = letter["id"].as_str().unwrap();
    let list = project.call(&["dlq", "list", "dead.jsonl"]).expect_code(0);
    assert_eq!(list.out.lines().count(), 3, "{}", list.out);
    assert!(list.out.contains(id) && list.out.contains("ValueError: 11 is bad"), "{}", list.out);
    let seven =
        ["dlq", "list", "dead.jsonl", "--json", "--error", "valueerror: 7", "--since", "1h"];
    let seven = project.call(&seven).expect_code(0);
    assert_eq!(serde_json::from_str::<Value>(&seven.out).unwrap(), *letter);
    let none = ["dlq", "list", "dead.jsonl", "--component", "write"];
    assert_eq!(project.call(&none).expect_code(0).out, "");
    let shown = project.call(&["dlq", "show", "dead.jsonl", &id[..6]]).expect_code(0).out;
    for text in [id, "number         7", "Traceback", "picky (task "] {
        assert!(shown.contains(text), "{text} is missing in\n{shown}");
    }
    // As long as the bolt is not mended they come back under the same ids.
    let again = ["dlq", "replay", "dead.jsonl", "--all"];
    let told = "0 letters done, 2 put aside again; 2 letters in dead.jsonl";
    project.call(&again).expect_code(0).expect_told(told);
    let back = letters(&project);
    let back = back.iter().find(|letter| letter["id"] == id).unwrap();
    assert_eq!((&back["replays"], &back["attempts"]), (&1.into(), &4.into()));
    assert_eq!(back["failures"].as_array().unwrap().len(), 4);
    assert_eq!(back["first_emitted"], letter["first_emitted"]);
    // One alone.
    let project = project.file("bad.txt", "");
    let told = "1 letter done, 0 put aside again; 1 letter in dead.jsonl";
    project.call(&["dlq", "replay", "dead.jsonl", id]).expect_code(0).expect_told(told);
    let rest = project.call(&["dlq", "replay", "dead.jsonl", "--all", "--json"]).expect_code(0);
    let rest = rest.expect_told("{\"event\":\"replayed\",\"done\":1,\"failed\":0,\"left\":0}");
    assert_eq!(rest.out, "");
    assert_eq!(project.read("dead.jsonl"), "");
    assert_each_once(&project, 20);
}

#[test]
fn dropped_letters_are_gone_and_all_else_stays() {
    let project = project("7 11 13");
    project.run(&["--quiet"]).expect_code(0);
    let before = project.read("dead.jsonl");
    let choice = ["dlq", "drop", "dead.jsonl", "--error", "11 is bad"];
    project.call(&choice).expect_code(2).expect_told("say `--yes`");
    assert_eq!(project.read("dead.jsonl"), before);
    let out = project.call(&[&choice[..], &["--yes"]].concat()).expect_code(0).out;
    assert_eq!(out, "dropped 1 letter of dead.jsonl\n");
    let kept: Vec<_> = before.lines().filter(|line| !line.contains("11 is bad")).collect();
    assert_eq!(project.read("dead.jsonl").lines().collect::<Vec<_>>(), kept);
    project.call(&["dlq", "drop", "dead.jsonl", "--all", "--yes"]).expect_code(0);
    assert_eq!(project.read("dead.jsonl"), "");
}

#[test]
fn a_replay_that_is_killed_loses_nothing() {
    const COUNT: usize = 400;
    let project = all_dead(COUNT).file("slow", "");
    for part in [20, COUNT / 2] {
        let replay = project.begin(&["dlq", "replay", "dead.jsonl", "--all", "--json"]);
        wait_for("some numbers", || (written(&project).len() >= part).then_some(()));
        Running::signal(replay.pid(), Signal::SIGKILL);
        drop(replay.end());
        project.assert_no_processes();
        let ids: Vec<_> = letters(&project).iter().map(|one| one["values"][0].clone()).collect();
        let copies = written(&project);
        let lost =
            (1..=COUNT).find(|one| !copies.contains_key(one) && !ids.contains(&(*one).into()));
        assert_eq!(lost, None, "neither in the file of letters nor in the sink");
    }
    let replay = project.begin(&["dlq", "replay", "dead.jsonl", "--all", "--json"]);
    wait_for("the run", || replay.counters("numbers").filter(|of| of["acked"].as_u64() > Some(0)));
    Running::signal(replay.process("worker"), Signal::SIGKILL);
    let ended = replay.end().expect_code(0);
    assert!(ended.err.contains("worker_lost"), "the worker was killed too late");
    assert_eq!(project.read("dead.jsonl"), "");
    assert_eq!(written(&project).len(), COUNT);
}

#[test]
fn tasks_of_two_workers_share_a_file_and_no_line_is_torn() {
    const COUNT: usize = 2_000;
    let project = project("0");
    let count = format!("spouts.numbers.config.count={COUNT}");
    let sets = ["spouts.numbers.parallelism=4", "spouts.numbers.retry.max=0", count.as_str()];
    let arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let ended = project.run(&[&["--json"], &arguments[..]].concat()).expect_code(0);
    assert_eq!(ended.counters("numbers")["dead_letters"], COUNT);
    let all = letters(&project);
    let tasks: std::collections::BTreeSet<_> =
        all.iter().map(|letter| letter["task"].as_u64().unwrap()).collect();
    assert_eq!(tasks.len(), 4, "all tasks write");
    let mut numbers: Vec<_> =
        all.iter().map(|letter| letter["values"][0].as_u64().unwrap() as usize).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=COUNT));
    let project = project.file("bad.txt", "");
    let replay = ["dlq", "replay", "dead.jsonl", "--all", "--set", "spouts.numbers.parallelism=3"];
    project.call(&replay).expect_code(0);
    assert_eq!(project.read("dead.jsonl"), "");
    assert_each_once(&project, COUNT);
}

#[test]
fn a_full_disk_holds_messages_back_and_is_told_of_once() {
    assert!(Path::new("/dev/full").exists(), "the test needs /dev/full");
    let project = project("7 11");
    symlink("/dev/full", project.path("dead.jsonl")).unwrap();
    let run = project.start(&["--json"]);
    let told = |run: &Running, text: &str| {
        let events = run.told();
        events
            .iter()
            .filter(|event| event["text"].as_str().is_some_and(|t| t.contains(text)))
            .count()
    };
    wait_for("the warning", || (told(&run, "dead letters cannot be written") > 0).then_some(()));
    wait_for("the others", || (written(&project).len() == 18).then_some(()));
    // Longer than it takes to try again.
    let pending = |of: &Value| of["pending"] == 2;
    let seen = run.told().len();
    wait_for("the two to wait", || {
        (run.told().len() > seen + 2).then(|| run.counters("numbers").filter(pending)).flatten()
    });
    fs::write(project.path("room"), "").unwrap();
    fs::rename(project.path("room"), project.path("dead.jsonl")).unwrap();
    wait_for("the end", || run.has_ended().then_some(()));
    assert_eq!(told(&run, "dead letters cannot be written"), 1);
    assert_eq!(told(&run, "can be written to"), 1);
    let ended = run.end().expect_code(0);
    assert_eq!(ended.counters("numbers")["replayed"], 2, "they were not tried again meanwhile");
    assert_eq!(letters(&project).len(), 2);
}

#[test]
fn values_come_back_as_the_bytes_that_they_were() {
    let values = [
        "1e400",
        "-0.0",
        "1180591620717411303424",
        "\"\\ud800\"",
        "{\"b\":1,\"a\":[1.0],\"b\":2}",
        "\"a\\u0000b\"",
        "null",
    ];
    let topology = r#"
name = "values"
[spouts.source]
type = "file"
config = { path = "input.jsonl", format = "json", fields = ["value"] }
retry = { max = 0, dead_letter = "dead.jsonl" }
"#;
    let broken = "[bolts.broken]\npython = \"broken.py:broken\"\ninputs = [\"source\"]\n";
    let sink = "[bolts.sink]\ntype = \"write\"\ninputs = [\"source\"]\n\
                config = { path = \"out.jsonl\", format = \"json\" }\n";
    let line = |value: &&str| format!("{{\"value\":{value}}}\n");
    let input: String = values.iter().map(line).collect();
    let project = Project::new()
        .file("topology.toml", &format!("{topology}{broken}"))
        .file("mended.toml", &format!("{topology}{sink}"))
        .file("broken.py", "import galewire\n\n@galewire.bolt\ndef broken(tup):\n    1 / 0\n")
        .file("input.jsonl", &input);
    project.run(&["--quiet"]).expect_code(0);
    let replay = ["dlq", "replay", "dead.jsonl", "--all", "--into", "mended.toml"];
    project.call(&replay).expect_code(0);
    let out = project.read("out.jsonl");
    let (mut out, mut input): (Vec<_>, Vec<_>) = (out.lines().collect(), input.lines().collect());
    out.sort_unstable();
    input.sort_unstable();
    assert_eq!(out, input);
    assert_eq!(project.read("dead.jsonl"), "");
}

#[test]
fn a_stream_takes_dead_letters_and_is_tried_until_it_has_them() {
    let topology = r#"
name = "numbers"
[topology]
workers = 2
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, count = 20 }
retry = { max = 1, backoff = "1ms..2ms", dead_letter = { stream = "dead" } }
[bolts.picky]
python = "picky.py:picky"
inputs = ["numbers"]
outputs = ["number"]
[bolts.write]
type = "write"
inputs = ["picky"]
config = { path = "numbers.txt" }
[bolts.grave]
python = "grave.py:grave"
inputs = ["numbers.dead"]
outputs = ["line"]
[bolts.buried]
type = "write"
inputs = ["grave"]
config = { path = "buried.txt" }
"#;
    let grave = "import galewire\n\nseen = {}\n\n\n@galewire.bolt\n\
                 def grave(values, component, error, letter):\n    \
                 seen[letter['id']] = seen.get(letter['id'], 0) + 1\n    \
                 if seen[letter['id']] < 5:\n        raise ValueError('not yet')\n    \
                 yield f\"{values[0]} {component} {error.splitlines()[0]} {letter['attempts']} \
                 {len(letter['failures'])}\"\n";
    let project = Project::new()
        .file("topology.toml", topology)
        .file("picky.py", PICKY)
        .file("bad.txt", "7 11")
        .file("grave.py", grave);
    let plan = project.plan().expect_code(0).out;
    assert!(plan.contains("dead"), "{plan}");
    let ended = project.run(&["--json"]).expect_code(0);
    let buried = project.read("buried.txt");
    let mut buried: Vec<_> = buried.lines().collect();
    buried.sort_unstable();
    assert_eq!(buried.len(), 2, "{buried:?}");
    assert!(buried[0].starts_with("11 picky ValueError: 11 is bad"), "{buried:?}");
    assert!(buried.iter().all(|line| line.ends_with(" 2 2")), "{buried:?}");
    assert_eq!(written(&project).len(), 18);
    let numbers = ended.counters("numbers");
    assert_eq!((&numbers["dead_letters"], &numbers["acked"]), (&2.into(), &18.into()));
}

#[test]
fn what_is_no_dead_letter_is_named_by_file_and_line() {
    let project = project("7").file("notes.txt", "buy milk\n").file("empty", "");
    project.run(&["--quiet"]).expect_code(0);
    let list = |file: &str| project.call(&["dlq", "list", file]);
    list("nowhere.jsonl").expect_code(1).expect_told("nowhere.jsonl cannot be read: No such file");
    let notes =
        list("notes.txt").expect_code(1).expect_told("notes.txt is not a file of dead letters");
    notes.expect_told("notes.txt:1: it is not a JSON object");
    list("topology.toml").expect_code(1).expect_told("topology.toml:2: ");
    list("empty").expect_code(0).expect_told("empty: no dead letters");
    let good = project.read("dead.jsonl");
    let text = format!("{good}{{\"n\":1}}\n{}", &good[..good.len() / 2]);
    fs::write(project.path("dead.jsonl"), text).unwrap();
    let damaged = list("dead.jsonl").expect_code(1);
    assert_eq!(damaged.out.lines().count(), 2, "the others are listed");
    damaged
        .expect_told("dead.jsonl:2: it has no key `dead_letter`")
        .expect_told("dead.jsonl:3: its end is missing");
    let show = |id: &str| project.call(&["dlq", "show", "dead.jsonl", id]);
    show("zzzz").expect_code(2).expect_told("there is no letter `zzzz` in dead.jsonl");
    project.call(&["dlq", "show", "dead.jsonl"]).expect_code(2).expect_told("say which letters");
    let replay =
        |into: &str| project.call(&["dlq", "replay", "dead.jsonl", "--all", "--into", into]);
    let other = TOPOLOGY.replace("{ number =", "{ amount =");
    fs::write(project.path("other.toml"), other).unwrap();
    let told = "stream `default` of spout `numbers` has the fields (amount), the letters (number)";
    replay("other.toml").expect_code(1).expect_told(told).expect_told("nothing was started");
    fs::remove_file(project.path("other.toml")).unwrap();
    let other = TOPOLOGY.replace("numbers", "figures");
    fs::write(project.path("topology.toml"), other).unwrap();
    replay("topology.toml").expect_code(1).expect_told("there is no spout `numbers` (1 letter)");
    let beside = project.call(&["dlq", "replay", "dead.jsonl", "--all"]).expect_code(1);
    beside.expect_told("no topology called `numbers`");
}
