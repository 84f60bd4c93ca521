//! What happens when something cannot be kept alive: the run stops, or pauses until it is mended.

use std::fs;

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

const START: &str = r#"
name = "start"
[spouts.lines]
type = "generate"
config = { fields = { line = "line" }, count = 5 }
retry = { max = 2, backoff = "1ms..5ms", dead_letter = "dead.jsonl" }
[bolts.upper]
HOW
inputs = ["lines"]
outputs = ["text"]
restart = { max = 3, backoff = "10ms..20ms" }
[bolts.sink]
type = "null"
inputs = ["upper"]
"#;
const CANNOT_OPEN: &str = r#"
import galewire

class Upper(galewire.Bolt):
    def open(self):
        raise RuntimeError("no database")

    def process(self, tup):
        self.emit([tup.line.upper()])
"#;
const CANNOT_LOAD: &str = "import { bolt } from 'galewire';\nthrow new Error('no database');\n\
                           export const upper = bolt((line) => line);\n";

#[test]
fn no_message_is_to_blame_for_a_bolt_that_cannot_begin() {
    let ways = [
        ("python = 'upper.py:upper'", "upper.py", BROKEN),
        ("python = 'upper.py:Upper'", "upper.py", CANNOT_OPEN),
        ("node = 'upper.mjs:upper'", "upper.mjs", CANNOT_LOAD),
    ];
    for (how, file, script) in ways {
        let topology = START.replace("HOW", how);
        let project = Project::new().file("topology.toml", &topology).file(file, script);
        let ended = project.run(&["--json"]).expect_code(1);
        let (told, counters) = (&ended.err, ended.counters("lines"));
        assert!(told.contains("restarted 3 times"), "{how}: {told}");
        assert!(!told.contains("killed upper"), "{how}: {told}");
        assert_eq!(counters["dead_letters"], 0, "{how}: {counters}");
        assert_eq!(counters["failed"], 0, "{how}: {counters}");
        assert_eq!(project.read("dead.jsonl"), "", "{how}");
    }
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
    Running::signal(run.pid(), Signal::SIGCONT);
    let ended = run.end().expect_code(0);
    let counters = ended.counters("lines");
    assert_eq!(counters["failed"], 0, "what cannot begin is given nothing: {counters}");
    assert_exact(&project);
}

#[test]
fn a_paused_run_says_how_to_go_on_and_pauses_again_when_it_is_not_mended() {
    let project = project(BROKEN);
    let run = project.start(&[]);
    let hint = format!("kill -CONT {}", run.pid());
    wait_for("the hint", || project.read("told").contains(&hint).then_some(()));
    Running::signal(run.pid(), Signal::SIGCONT);
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
    Running::signal(run.pid(), Signal::SIGCONT);
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
