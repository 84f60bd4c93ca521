//! `galewire conformance`: the SDKs pass, wrong children do not, and the page is what is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::harness::galewire;

const PYTHON: &[&str] =
    &["python3", "-m", "galewire", "multilang/conformance/python/components.py:{component}"];
const NODE: &[&str] =
    &["node", "multilang/node/run.mjs", "multilang/conformance/node/components.mjs:{component}"];
const PERL: &[&str] = &["perl", "multilang/conformance/perl/components.pl"];

/// A busy machine is no reason to fail.
const PATIENT: &str = "--timeout=60s";
/// How long a child that does not answer is waited for: longer where the machine was too busy to
/// let it come as far as that.
const BRIEF: &[&str] = &["--timeout=2s", "--timeout=10s", "--timeout=50s"];

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn conformance(options: &[&str], command: &[&str]) -> Ran {
    let mut run: Command = galewire();
    run.arg("conformance").args(options).arg("--").args(command);
    let output = run.output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One run of the whole suite for each SDK, with the wire: more than one test looks at it.
fn of_python() -> &'static Ran {
    static RAN: OnceLock<Ran> = OnceLock::new();
    RAN.get_or_init(|| conformance(&[PATIENT, "--trace-protocol"], PYTHON))
}

fn of_node() -> &'static Ran {
    static RAN: OnceLock<Ran> = OnceLock::new();
    RAN.get_or_init(|| conformance(&[PATIENT, "--trace-protocol"], NODE))
}

fn of_perl() -> &'static Ran {
    static RAN: OnceLock<Ran> = OnceLock::new();
    RAN.get_or_init(|| conformance(&[PATIENT, "--trace-protocol", "--level", "batch"], PERL))
}

#[track_caller]
fn assert_passed(ran: &Ran, skipped: usize) {
    let wrong: Vec<_> = ran.err.lines().filter(|line| !line.starts_with(['>', '<'])).collect();
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, wrong.join("\n"));
    let passed = cases().len() - skipped;
    let last = format!("{passed} cases passed, 0 failed, {skipped} skipped");
    assert_eq!(ran.out.lines().last(), Some(last.as_str()));
}

#[test]
fn the_python_sdk_passes_every_case() {
    assert_passed(of_python(), 0);
}

#[test]
fn the_node_sdk_passes_every_case() {
    assert_passed(of_node(), 0);
}

#[test]
fn a_client_in_one_page_of_another_language_passes_all_but_the_sdks_cases() {
    let of_sdks = cases().values().filter(|case| case["level"] == "sdk").count();
    assert!(of_sdks > 20);
    assert_passed(of_perl(), of_sdks);
    let page = fs::read_to_string("multilang/conformance/perl/components.pl").unwrap();
    assert!(page.lines().count() < 200, "that is no page any more");
}

/// What a child does wrong, the case that finds it, where, and what is told.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("mute", "split", "outside of the steps", "nothing for"),
    ("early", "handshake", "outside of the steps", "before it answered the handshake"),
    ("pid-as-text", "handshake", "outside of the steps", "no whole number"),
    ("pid-twice", "handshake", "", "sent its pid twice"),
    ("no-batch", "split", "", "did not answer `\"batch\":1`"),
    ("batch-unasked", "split", "", "no batch frames were offered"),
    ("never-acks", "split", "step 2", "\"command\":\"emit\""),
    ("never-acks", "split-nothing", "step 2", "\"tuple\":[\"a\"]"),
    ("acks-twice", "split", "step 2", "which it had acked"),
    ("acks-first", "split", "step 2", "anchored to tuple"),
    ("unknown-id", "split", "step 2", "which it was never given"),
    ("number-as-id", "split", "step 2", "string `id`"),
    ("fails-all", "split", "step 2", "\"command\":\"fail\""),
    ("loses-anchors", "split", "step 2", "\"anchors\":[]"),
    ("numbers-as-anchors", "split", "step 2", "an anchor that is no string"),
    ("unknown-anchors", "split", "step 2", "which it was never given"),
    ("other-order", "split", "step 2", "\"tuple\":[\"or\"]"),
    ("other-values", "split", "step 2", "\"tuple\":[\"TO\"]"),
    ("other-stream", "split", "step 2", "\"stream\":\"words\""),
    ("emits-twice", "split", "step 2", "\"tuple\":[\"or\"]"),
    ("unknown-command", "split", "", "a command that there is not"),
    ("level-of-log", "split", "", "none of 0 to 4"),
    ("prints", "split", "", "printed what is no message: split a line"),
    ("no-json", "split", "", "no JSON"),
    ("reports-an-error", "split", "outside of the steps", "reported an error: {"),
    ("last-words", "split", "outside of the steps", "\"tuple\":[\"late\"]"),
    ("dies", "split", "step 2", "exited with status 3"),
    ("status", "split", "outside of the steps", "exited with status 1"),
    ("stays", "split", "outside of the steps", "nothing for"),
    ("no-sync", "heartbeat", "step 2", "nothing for"),
    ("two-syncs", "heartbeat", "", "a `sync` that answers nothing"),
    ("other-mark", "drain", "step 2", "an id that nobody asked by"),
    ("text-as-spout-id", "spout-ids", "step 3", "\"id\":\"0\""),
    ("no-sync", "spout-ids", "step 3", "nothing for"),
    ("no-sync-for-acks", "spout-told", "", "nothing for"),
    ("too-many", "spout-batch", "step 3", "where fewer were wanted"),
    // Which command the `sync` too many seems to answer depends on when it comes.
    ("syncs-all", "spout-unanswered", "", "sync"),
];

#[test]
fn a_child_that_is_wrong_in_one_thing_fails_the_case_for_it_at_its_step() {
    let complaints: Vec<String> = std::thread::scope(|scope| {
        let part = |part: &'static [_]| {
            scope.spawn(move || part.iter().filter_map(not_found).collect::<Vec<_>>())
        };
        let parts: Vec<_> = WRONG.chunks(WRONG.len() / 4).map(part).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What is told where a wrong child is not found out as it has to be.
fn not_found((wrong, case, place, told): &(&str, &str, &str, &str)) -> Option<String> {
    let is_silent = *told == "nothing for";
    let mut seen = None;
    for timeout in if is_silent { BRIEF } else { &[PATIENT] } {
        let options = [timeout, "--case", case];
        let ran = conformance(&options, &["python3", "tests/conformance/wrong.py", wrong]);
        let names = |text: &str| ran.err.contains(text);
        let found = names(case) && names(&format!("failed at {place}")) && names(told);
        if ran.code == Some(1) && found {
            return None;
        }
        seen = Some(format!("{wrong}: {:?}\n{}{}", ran.code, ran.out, ran.err));
    }
    seen
}

#[test]
fn the_child_that_the_wrong_ones_are_made_of_is_right() {
    let names: BTreeSet<&str> = WRONG.iter().map(|(_, case, ..)| *case).collect();
    let options = names.iter().flat_map(|name| ["--case", name]);
    let options: Vec<&str> = std::iter::once(PATIENT).chain(options).collect();
    let ran = conformance(&options, &["python3", "tests/conformance/wrong.py", "nothing"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn the_command_line_says_what_is_missing() {
    let ran = conformance(&["--list"], &[]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), cases().len()));
    assert_eq!(conformance(&[], &[]).code, Some(2));
    let ran = conformance(&["--case", "no-such-case"], PERL);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("there is no case `no-such-case`"), "{}", ran.err);
    let ran = conformance(&[], &["no-such-program"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.err.contains("`no-such-program` was not found"), "{}", ran.err);
}

#[test]
fn results_can_be_read_by_programs() {
    let options = ["--json", "--level", "storm", "--case", "split"];
    let ran = conformance(&options, &["python3", "tests/conformance/wrong.py", "other-values"]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["outcome"], "failed");
    assert_eq!(lines[0]["step"], 2);
    assert!(lines[0]["expected"].as_str().unwrap().contains("\"to\""), "{}", lines[0]);
    assert!(lines[0]["came"].as_str().unwrap().contains("\"TO\""), "{}", lines[0]);
    assert_eq!((&lines[1]["outcome"], &lines[1]["framing"]), (&"skipped".into(), &"batch".into()));
    assert_eq!(lines[2], serde_json::json!({"passed": 0, "failed": 1, "skipped": 0}));
}

// The page.

/// The case files by name.
fn cases() -> BTreeMap<String, Value> {
    let files = fs::read_dir("multilang/conformance/cases").unwrap().map(Result::unwrap);
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    };
    files.map(|file| read(file.path())).collect()
}

/// For each name that cases have in a list, those cases.
fn cases_by(key: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, case) in cases() {
        for value in case[key].as_array().unwrap() {
            all.entry(value.as_str().unwrap().to_owned()).or_default().push(name.clone());
        }
    }
    all
}

fn protocol() -> String {
    fs::read_to_string("multilang/PROTOCOL.md").unwrap()
}

#[test]
fn every_section_of_the_protocol_names_the_cases_that_check_it() {
    let by_section = cases_by("sections");
    let text = protocol();
    let mut complaints = Vec::new();
    let mut headings = BTreeSet::new();
    for section in text.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        headings.insert(heading);
        let named = section.lines().find_map(|line| line.strip_prefix("Checked by: "));
        match (named, by_section.get(heading)) {
            (Some(named), Some(cases)) => {
                let cases: Vec<_> = cases.iter().map(|case| format!("`{case}`")).collect();
                if named != cases.join(", ") {
                    complaints.push(format!("{heading}: Checked by: {}", cases.join(", ")));
                }
            }
            // What is the engine's alone is checked by the engine's tests.
            (Some(named), None) if named.starts_with("`cargo test ") => {}
            _ => complaints.push(format!("nothing checks the section {heading}")),
        }
    }
    let nowhere = by_section.keys().filter(|name| !headings.contains(name.as_str()));
    complaints.extend(nowhere.map(|name| format!("PROTOCOL.md has no section {name}")));
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_requirement_names_the_cases_that_check_it() {
    let by_requirement = cases_by("requirements");
    let text = fs::read_to_string("multilang/conformance/requirements.md").unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| C"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 53);
    for row in rows {
        let cases = by_requirement.get(row[1]);
        let cases: Vec<_> = cases.into_iter().flatten().map(|case| format!("`{case}`")).collect();
        let named = if cases.is_empty() {
            "the engine: `cargo test multilang`".to_owned()
        } else {
            cases.join(", ")
        };
        assert_eq!(row[3], named, "{}", row[1]);
    }
}

/// What a message looks like: its keys, with the kinds of their values, and the words that say what
/// it is.
fn shape(message: &Value, key: &str) -> String {
    match (message, key) {
        (Value::String(word), "command" | "type") => word.clone(),
        (_, "conf" | "pidDir" | "tuple" | "id" | "msg" | "name") => "…".to_owned(),
        (Value::Object(entries), _) => {
            let mut keys: Vec<_> =
                entries.iter().map(|(key, value)| format!("{key}:{}", shape(value, key))).collect();
            keys.sort();
            // Components and streams have names of their own.
            let own =
                key == "task->component" || key.contains("stream->") || key.contains("->stream");
            if own { "object".to_owned() } else { format!("{{{}}}", keys.join(",")) }
        }
        (Value::Array(_), _) => "list".to_owned(),
        (Value::String(_), _) => "string".to_owned(),
        (Value::Number(_), _) => "number".to_owned(),
        (Value::Bool(_), _) => "boolean".to_owned(),
        (Value::Null, _) => "null".to_owned(),
    }
}

/// The shapes of the messages in a line of the wire, with who says it.
fn shapes(line: &str) -> Vec<String> {
    let Some((side @ (">" | "<"), text)) = line.split_once(' ') else { return Vec::new() };
    let Ok(message) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let messages = match message {
        Value::Array(elements) if elements.iter().any(Value::is_object) => elements,
        message => vec![message],
    };
    messages.iter().map(|message| format!("{side} {}", shape(message, ""))).collect()
}

#[test]
fn every_example_of_the_protocol_is_said_when_the_suite_runs() {
    let runs = [of_python(), of_node(), of_perl()];
    let said: BTreeSet<String> =
        runs.iter().flat_map(|ran| ran.err.lines()).flat_map(shapes).collect();
    let text = protocol();
    let blocks =
        text.split("\n```wire\n").skip(1).map(|block| block.split("\n```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(lines.len() > 40, "{lines:?}");
    let mut complaints = Vec::new();
    for line in lines {
        let shapes = shapes(line);
        if shapes.is_empty() {
            complaints.push(format!("no message: {line}"));
        }
        let unsaid = shapes.into_iter().filter(|shape| !said.contains(shape));
        complaints.extend(unsaid.map(|shape| format!("never said: {line}\n  {shape}")));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_count_in_the_description_is_the_number_of_cases() {
    let text = fs::read_to_string("multilang/conformance/README.md").unwrap();
    assert!(text.contains(&format!("{} cases", cases().len())));
    for case in cases().values() {
        let component = case["component"].as_str().unwrap();
        let known = text.contains(&format!("\n| `{component}` |"));
        assert!(known || component == "no_such_component", "{component} is not described");
    }
}
