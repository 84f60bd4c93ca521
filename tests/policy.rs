//! What happens when something cannot be kept alive: the run stops, or pauses until it is mended.

use std::fs;

use galewire::metrics::FailReason;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Project, Running, wait_for};

const LINES: usize = 3_000;

/// Restarts are used up at once; time-outs are short, so that one that ran on would show.
const TOPOLOGY: &str = r#"
name = "policy"
[topology]
workers = 2
message_timeout = "1s"
restart = { max = 1, backoff = "10ms..20ms", then = "pause" }
worker_restart = { max = 0, then = "pause" }
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.upper]
python = "upper.py:upper"
inputs = ["lines"]
outputs = ["text"]
[bolts.sink]
type = "write"
inputs = ["upper"]
config = { path = "output.txt" }
"#;

const SOUND: &str =
    "import galewire\n\n@galewire.bolt\ndef upper(line):\n    return line.upper()\n";
const BROKEN: &str = "import galewire\n\nthis is no Python\n";

fn project(script: &str) -> Project {
    let input: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
    Project::new()
        .file("topology.toml", TOPOLOGY)
        .file("upper.py", script)
        .file("input.txt", &input)
}

fn event(run: &Running, name: &str) -> Option<Value> {
    run.told().into_iter().find(|event| event["event"] == name)
}

/// Every line stands in the sink exactly once.
fn assert_exact(project: &Project) {
    let output = project.read("output.txt");
    let mut found: Vec<_> = output.lines().map(str::to_owned).collect();
    let mut wanted: Vec<_> = (0..LINES).map(|n| format!("LINE {n}")).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn a_bolt_that_is_mended_while_the_run_is_paused_loses_and_repeats_nothing() {
    let project = project(BROKEN);
    let run = project.start(&["--json"]);
    let paused = wait_for("the pause", || event(&run, "paused"));
    assert_eq!(paused["component"], "upper");
    assert!(paused["reason"].as_str().unwrap().contains("restarted once within"), "{paused}");
    assert!(paused["detail"].as_str().unwrap().contains("SyntaxError"), "{paused}");
    assert_eq!(paused["pid"], run.pid());
    // Time-outs come due and are put off; nothing is given out again.
    wait_for("time-outs that are put off", || {
        let counters = run.counters("lines")?;
        (counters["timeouts_deferred"].as_u64()? > 0).then_some(())
    });
    fs::write(project.path("upper.py"), SOUND).unwrap();
    Running::signal(run.pid(), Signal::SIGHUP);
    let ended = run.end().expect_code(0);
    let counters = ended.counters("lines");
    // What the broken lives had in hand is given out again, and nothing else is.
    let failed = |reason: FailReason| counters["failed_by"][reason as usize].as_u64().unwrap();
    assert_eq!(counters["failed"], failed(FailReason::Died), "{counters}");
    assert_eq!(counters["failed"], counters["replayed"], "{counters}");
    assert_exact(&project);
}

#[test]
fn a_paused_run_says_how_to_go_on_and_pauses_again_when_it_is_not_mended() {
    let project = project(BROKEN);
    let run = project.start(&[]);
    let hint = format!("kill -HUP {}", run.pid());
    wait_for("the hint", || project.read("told").contains(&hint).then_some(()));
    Running::signal(run.pid(), Signal::SIGHUP);
    wait_for("a second pause", || {
        (project.read("told").matches("the run is paused: upper").count() > 1).then_some(())
    });
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(1).expect_told("interrupted while the run was paused");
    project.assert_no_processes();
    project.assert_no_leftovers();
}

#[test]
fn a_worker_whose_restarts_are_used_up_starts_again_after_the_pause() {
    let project = project(SOUND);
    let run = project.start(&["--json"]);
    Running::signal(run.process("--slot 1"), Signal::SIGKILL);
    let paused = wait_for("the pause", || event(&run, "paused"));
    assert_eq!(paused["worker"], 1);
    Running::signal(run.pid(), Signal::SIGHUP);
    let ended = run.end().expect_code(0);
    assert!(ended.err.contains(r#""event":"resumed""#), "{}", ended.err);
    let output = project.read("output.txt");
    for n in 0..LINES {
        let line = format!("LINE {n}");
        assert!(output.lines().any(|found| found == line), "lost: {line}");
    }
}

#[test]
fn without_a_word_in_the_file_a_component_that_cannot_be_kept_alive_fails_the_run() {
    let stop = TOPOLOGY.replace(", then = \"pause\"", "");
    let ended = project(BROKEN).file("topology.toml", &stop).run(&[]).expect_code(1);
    ended.expect_told("upper (task 2) failed");
}
