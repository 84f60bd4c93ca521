//! `galewire bolt`: one component alone, by the real binary.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::harness::{Project, galewire};

const TOPOLOGY: &str = r#"
name = "alone"
[spouts.lines]
type = "generate"
config = { fields = { line = "a b" }, count = 1000 }
[bolts.split]
python = "words.py:Split"
inputs = ["lines"]
outputs = { default = ["word"], errors = ["text", "length"] }
[bolts.upper]
node = "words.mjs:upper"
inputs = ["split"]
outputs = ["word"]
[bolts.words]
type = "split"
inputs = ["lines"]
[bolts.count]
type = "count"
inputs = [{ from = "words", grouping = { fields = ["word"] } }]
[bolts.both]
python = "words.py:Both"
inputs = ["split", "split.errors"]
outputs = ["text"]
[bolts.dies]
python = "words.py:Dies"
inputs = ["lines"]
outputs = ["word"]
[bolts.out]
type = "null"
inputs = ["upper", "count", "both", "dies"]
"#;

const PYTHON: &str = r#"
import os
import galewire

class Split(galewire.Bolt):
    def process(self, line):
        if line == "bad":
            raise ValueError("no such line")
        if line == "odd":
            self.emit(line, len(line), stream="errors")
            return
        for word in line.split():
            self.emit(word)

class Both(galewire.Bolt):
    def process(self, *values):
        self.emit(repr(values))

class Dies(galewire.Bolt):
    def process(self, line):
        os._exit(7)
"#;

const NODE: &str = r#"
import { bolt } from "galewire";

export const upper = bolt(function* ({ word }) { yield [word.toUpperCase()]; });
"#;

struct Alone {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Alone {
    #[track_caller]
    fn expect(self, code: i32, out: &str) -> Self {
        assert_eq!((self.code, self.out.as_str()), (Some(code), out), "{}", self.err);
        self
    }

    #[track_caller]
    fn told(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is missing in\n{}", self.err);
        self
    }
}

fn run(arguments: &[&str], input: &str) -> Alone {
    let project = Project::new()
        .file("topology.toml", TOPOLOGY)
        .file("words.py", PYTHON)
        .file("words.mjs", NODE);
    let mut command: Command = galewire();
    command.args(["bolt", "topology.toml"]).args(arguments).current_dir(project.path(""));
    command.env("XDG_STATE_HOME", project.path("state")).env("TMPDIR", project.path("tmp"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses closes its input before it is read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    project.assert_no_leftovers();
    Alone {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

#[test]
fn a_python_bolt_takes_arrays_and_objects_and_prints_what_it_emits() {
    let input = "[\"to be\"]\n\n{\"line\": \"odd\"}\n[\"or\"]";
    let ran =
        run(&["split"], input).told("acked line 4").told("3 taken: 3 acked, 0 failed; 4 emitted");
    assert_eq!(ran.code, Some(0));
    // Streams are not in order towards each other: a child may send each in one go.
    let (words, others): (Vec<&str>, Vec<&str>) =
        ran.out.lines().partition(|line| line.starts_with("{\"word\""));
    assert_eq!(words, ["{\"word\":\"to\"}", "{\"word\":\"be\"}", "{\"word\":\"or\"}"]);
    assert_eq!(others, ["{\"$stream\":\"errors\",\"text\":\"odd\",\"length\":3}"]);
}

#[test]
fn a_node_bolt_runs_alone() {
    run(&["upper"], "{\"word\": \"naïve\"}\n").expect(0, "{\"word\":\"NA\\u00cfVE\"}\n");
}

#[test]
fn built_in_bolts_run_alone_and_emit_their_results_at_the_end() {
    let expected = "{\"word\":\"to\"}\n{\"word\":\"be\"}\n";
    run(&["words"], "[\"to be\"]\n").expect(0, expected);
    let counted = run(&["count"], "[\"a\"]\n[\"b\"]\n[\"a\"]\n");
    assert_eq!(counted.code, Some(0), "{}", counted.err);
    let last = |word: &str| {
        let mut lines =
            counted.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.rfind(|line| line["word"] == word).unwrap()["count"].clone()
    };
    assert_eq!((last("a"), last("b")), (json!(2), json!(1)));
}

#[test]
fn another_input_is_chosen_by_its_stream() {
    let input = "{\"$stream\": \"errors\", \"text\": \"t\", \"length\": 1}\n{\"word\": \"w\"}\n";
    run(&["both"], input).expect(0, "{\"text\":\"('t', 1)\"}\n{\"text\":\"('w',)\"}\n");
}

#[test]
fn a_failed_tuple_and_a_line_that_is_none_are_told_and_exit_1() {
    run(&["split"], "[\"bad\"]\n[\"good\"]\n")
        .expect(1, "{\"word\":\"good\"}\n")
        .told("failed line 1: ")
        .told("no such line")
        .told("acked line 2");
    run(&["split"], "{\"lime\": 1}\n[\"good\"]\n")
        .expect(1, "{\"word\":\"good\"}\n")
        .told("line 1 is no tuple: `line` is missing; the fields of lines.default are line");
}

#[test]
fn a_bolt_that_dies_fails_what_it_held_and_is_not_started_again() {
    run(&["dies"], "[\"a\"]\n")
        .expect(1, "")
        .told("failed line 1: ")
        .told("error: dies died: ")
        .told("exited with status 7");
}

#[test]
fn the_trace_shows_frames_both_ways() {
    let traced = run(&["split", "--trace-protocol"], "[\"to\"]\n").expect(0, "{\"word\":\"to\"}\n");
    let has = |start: &str, part: &str| {
        traced.err.lines().any(|line| line.starts_with(start) && line.contains(part))
    };
    assert!(has("> {\"conf\"", "\"pidDir\""), "{}", traced.err);
    assert!(has("< ", "\"pid\""), "{}", traced.err);
    assert!(has("> ", "[[\"to\"]]") && has("< ", "[[[\"to\"]]]"), "{}", traced.err);
    run(&["count", "--trace-protocol"], "").expect(2, "").told("has no protocol to trace");
}

#[test]
fn events_are_json_where_that_is_wanted() {
    let told = run(&["split", "--json"], "[\"bad\"]\n[\"a\"]\n").expect(1, "{\"word\":\"a\"}\n");
    let event = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {line}"));
    let events: Vec<Value> = told.err.lines().map(event).collect();
    assert!(events.contains(&json!({"event": "acked", "line": 2})), "{}", told.err);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["failed"]), (&json!("finished"), &json!(1)));
}

#[test]
fn a_spout_runs_only_up_to_so_many_messages() {
    run(&["lines"], "").expect(2, "").told("such as --max 10");
    let taken = "{\"line\":\"a b\"}\n".repeat(3);
    run(&["lines", "--max", "3"], "").expect(0, &taken).told("3 taken: 3 acked");
}

#[test]
fn what_cannot_be_run_is_refused() {
    run(&["splitt"], "").expect(2, "").told("there is no component `splitt`; there are lines,");
    run(&["split", "--inspect"], "").expect(2, "").told("debugpy");
}
