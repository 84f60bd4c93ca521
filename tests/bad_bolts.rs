//! Bolts of every kind that do what no bolt should: the run ends by itself, with every line in its
//! sink, a log that says what happened, no process left, and neither memory nor log without bounds.

use std::collections::BTreeMap;

use super::harness::{Ended, Project, peak, wait_for};

const COUNT: usize = 1_500;

/// How the bolt is written.
const KINDS: [(&str, &str); 4] = [
    ("sdk", "python = \"sdk.py:citizen\""),
    ("node", "node = \"node.mjs:citizen\"\nenv = { NODE_OPTIONS = \"--max-old-space-size=40\" }"),
    ("shim", "command = [\"python3\", \"shim.py\"]"),
    ("raw", "command = [\"python3\", \"raw.py\"]"),
];

/// What is to come of it.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It goes on, and the sink has every line once.
    Lives,
    /// It is started again.
    Restarted,
}

struct Case {
    kind: &'static str,
    ended: Ended,
    copies: BTreeMap<usize, usize>,
}

impl Case {
    #[track_caller]
    fn told(&self, text: &str) -> &Self {
        let Self { kind, ended, .. } = self;
        assert!(ended.err.contains(text), "{kind}: {text:?} is missing in\n{}", cut(&ended.err));
        self
    }
}

fn cut(text: &str) -> &str {
    &text[..text.char_indices().nth(20_000).map_or(text.len(), |(at, _)| at)]
}

fn project(run: &str, deed: &str) -> Project {
    // A machine that is busy with other things makes every child silent for a while.
    let silence = if matches!(deed, "stops" | "reads_no_more") { "2s" } else { "60s" };
    let topology = format!(
        r#"
name = "bad"
[topology]
workers = 2
child_timeout = "{silence}"
stop_grace = "300ms"
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = {COUNT} }}
[bolts.citizen]
{run}
inputs = ["numbers"]
outputs = ["number"]
restart = {{ backoff = "1ms..2ms" }}
[bolts.write]
type = "write"
inputs = ["citizen"]
config = {{ path = "numbers.txt" }}
"#
    );
    // Inherited by the child: the deed is not the topology's business.
    let deeds =
        format!("import os\nos.environ['DEED'] = '{deed}'\nos.environ['LOGS'] = '100000'\n");
    let node = format!("process.env.DEED = '{deed}';\nprocess.env.LOGS = '100000';\n");
    Project::new()
        .file("topology.toml", &topology)
        .file("deeds.py", &(deeds + include_str!("bad_bolts/deeds.py")))
        .file("sdk.py", include_str!("bad_bolts/sdk.py"))
        .file("shim.py", include_str!("bad_bolts/shim.py"))
        .file("raw.py", include_str!("bad_bolts/raw.py"))
        .file("node.mjs", &(include_str!("bad_bolts/node.mjs").to_owned() + &node))
}

/// Runs a deed in bolts of these kinds and judges what all of them have in common.
fn run(deed: &str, kinds: &[&str], fate: Fate) -> Vec<Case> {
    let kinds = KINDS.iter().filter(|(kind, _)| kinds.contains(kind));
    kinds.map(|(kind, run)| case(deed, kind, run, fate)).collect()
}

const ALL: [&str; 4] = ["sdk", "node", "shim", "raw"];

fn case(deed: &str, kind: &'static str, run: &str, fate: Fate) -> Case {
    let project = project(run, deed);
    let run = project.start(&[]);
    let workers = ["--slot 0", "--slot 1"].map(|slot| run.process(slot));
    let mut most = 0;
    wait_for("the run to end", || {
        most = workers.iter().map(|worker| peak(*worker)).fold(most, u64::max);
        run.has_ended().then_some(())
    });
    let ended = run.end().expect_code(0);
    assert!(most < 300 << 20, "{deed} {kind}: a worker took {most} bytes");
    assert!(ended.err.len() < 2 << 20, "{deed} {kind}: a log of {} bytes", ended.err.len());
    project.assert_no_processes();
    project.assert_no_leftovers();
    let mut copies = BTreeMap::new();
    for line in project.read("numbers.txt").lines() {
        *copies.entry(line.parse().unwrap()).or_default() += 1;
    }
    let all: Vec<usize> = (1..=COUNT).collect();
    assert_eq!(copies.keys().copied().collect::<Vec<_>>(), all, "{deed} {kind}");
    let restarted = ended.err.contains("it is started again");
    assert_eq!(restarted, fate == Fate::Restarted, "{deed} {kind}: {}", cut(&ended.err));
    let case = Case { kind, ended, copies };
    match fate {
        Fate::Lives => assert!(case.copies.values().all(|count| *count == 1), "{deed} {kind}"),
        Fate::Restarted => {
            case.told("citizen (task 2)").told("(process ");
        }
    }
    case
}

#[test]
fn a_hundred_thousand_prints_are_some_lines_and_a_count() {
    for case in run("prints", &ALL, Fate::Lives) {
        case.told("line 0").told("lines came too fast and were left out");
        assert!(case.ended.err.lines().count() < 5_000, "{}", case.kind);
    }
}

#[test]
fn prints_without_a_line_break_harm_no_message() {
    for case in run("prints_without_end", &ALL, Fate::Lives) {
        case.told("bare");
    }
    let raw = run("prints_without_end", &["raw"], Fate::Lives);
    raw[0].told("said that").told("times more");
}

#[test]
fn bytes_that_look_like_frames_are_log_lines_that_a_terminal_survives() {
    for case in run("garbage", &ALL, Fate::Lives) {
        case.told("{\"command\":\"emit\",\"tuple\":[");
        let wild = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
        assert!(!case.ended.err.contains(wild), "{}", case.kind);
    }
    run("garbage", &["raw"], Fate::Lives)[0].told("sent a frame that no message can be read from");
}

#[test]
fn a_line_of_forty_mebibytes_is_cut() {
    for case in run("unterminated", &["sdk", "node", "raw"], Fate::Lives) {
        case.told("xxxxxxxx");
    }
}

#[test]
fn a_child_that_outlives_a_bolt_with_its_pipes_is_ended_with_it() {
    for case in run("leaves_a_child_behind", &ALL, Fate::Restarted) {
        case.told("exited with status 0");
    }
}

#[test]
fn closed_descriptors_are_the_business_of_those_who_use_them() {
    // The SDKs keep the protocol's pipes elsewhere.
    for deed in ["closes_stdout", "closes_stdin"] {
        run(deed, &["sdk", "node", "shim"], Fate::Lives);
        run(deed, &["raw"], Fate::Restarted)[0].told("Bad file descriptor");
    }
    run("closes_stderr", &ALL, Fate::Lives);
    run("closes_all", &["sdk", "node", "raw"], Fate::Restarted);
}

#[test]
fn a_bolt_that_will_not_end_is_ended_with_its_children() {
    for case in run("will_not_end", &["sdk", "raw"], Fate::Lives) {
        case.told("did not end within 300ms and was sent SIGTERM").told("was sent SIGKILL");
    }
    run("will_not_end", &["node"], Fate::Lives);
}

#[test]
fn a_flood_on_stderr_is_some_lines_and_a_count() {
    for case in run("floods_stderr", &["sdk", "node", "raw"], Fate::Lives) {
        case.told("[stderr ").told("complaint 0");
    }
}

#[test]
fn a_hundred_thousand_log_messages_are_some_lines_and_a_count() {
    for case in run("logs", &ALL, Fate::Lives) {
        case.told("log 0").told("lines came too fast and were left out");
    }
}

#[test]
fn a_log_message_of_sixteen_mebibytes_is_cut() {
    for case in run("says_much", &ALL, Fate::Lives) {
        case.told("hhhh").told("bytes more)");
    }
}

#[test]
fn a_bolt_that_leaves_or_crashes_is_started_again() {
    for case in run("leaves", &ALL, Fate::Restarted) {
        case.told("exited with status 0");
    }
    for case in run("crashes", &ALL, Fate::Restarted) {
        case.told("was killed by signal 11 (SIGSEGV)");
    }
}

#[test]
fn a_stopped_bolt_is_found_by_its_silence() {
    for case in run("stops", &["node", "raw"], Fate::Restarted) {
        case.told("was silent for 2s");
    }
}

#[test]
fn a_bolt_that_eats_memory_loses_a_tuple_or_its_life() {
    for case in run("eats_memory", &["sdk", "shim"], Fate::Lives) {
        case.told("MemoryError");
    }
    run("eats_memory", &["node", "raw"], Fate::Restarted);
}

#[test]
fn a_message_that_does_not_end_is_the_end_of_its_child() {
    run("begins_without_end", &["raw"], Fate::Restarted)[0]
        .told("sent more than 64MiB without the end of a message (it begins with \"{\\\"command");
}

#[test]
fn a_bolt_that_closes_its_output_and_lives_on_is_ended_and_told_of() {
    run("closes_stdout_and_stays", &["raw"], Fate::Restarted)[0].told("standard output");
}

#[test]
fn a_bolt_that_reads_no_more_is_found_by_its_silence() {
    run("reads_no_more", &["raw"], Fate::Restarted)[0].told("was silent for 2s");
}

#[test]
fn seconds_of_stderr_at_full_speed_take_no_memory_and_harm_nobody() {
    for case in run("floods_stderr_for_seconds", &["raw"], Fate::Lives) {
        case.told("[stderr ").told("lines came too fast and were left out");
    }
}

#[test]
fn a_bolt_that_forks_a_daemon_and_dies_takes_it_along() {
    run("leaves_a_daemon_behind", &["sdk"], Fate::Restarted)[0].told("exited with status 0");
}

/// Answers the handshake before it is asked, and never reads a byte.
const DEAF: &str = "import os, time\nos.write(1, b'{\"pid\": 1}\\nend\\n')\ntime.sleep(1000)\n";

#[test]
fn a_child_that_never_reads_costs_no_more_than_what_may_wait_for_it() {
    let topology = r#"
name = "deaf"
[topology]
child_timeout = "1s"
restart = { max = 1, backoff = "1ms..2ms" }
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } } }
[bolts.swell]
type = "map"
inputs = ["numbers"]
config = { set = { text = "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'" } }
[bolts.deaf]
command = ["python3", "deaf.py"]
inputs = ["swell"]
"#;
    let project = Project::new().file("topology.toml", topology).file("deaf.py", DEAF);
    let run = project.start(&[]);
    let worker = run.process("--slot 0");
    let mut most = 0;
    wait_for("the run to fail", || {
        most = most.max(peak(worker));
        run.has_ended().then_some(())
    });
    run.end().expect_code(1).expect_told("was silent for 1s");
    assert!(most < 200 << 20, "a worker took {most} bytes");
    project.assert_no_processes();
}

#[test]
fn a_bolt_that_forgets_a_tenth_of_its_tuples_loses_those_alone() {
    let forgetful = "import galewire\n\n@galewire.bolt(auto_ack=False)\ndef citizen(tup):\n    \
                     if tup.number % 10:\n        yield tup.number\n        tup.ack()\n";
    let run = project(KINDS[0].1, "leaves").file("sdk.py", forgetful);
    let retry =
        "spouts.numbers.retry={ max = 1, backoff = \"1ms..2ms\", dead_letter = \"dead.jsonl\" }";
    let ended = run
        .run(&["--set", "topology.message_timeout=\"1s\"", "--set", retry])
        .expect_code(0)
        .expect_told("timed out before every bolt had acked them")
        .expect_told("and was put aside in");
    assert_eq!(run.lines("dead.jsonl"), COUNT / 10, "{}", ended.err);
    assert_eq!(run.lines("numbers.txt"), COUNT - COUNT / 10);
}
