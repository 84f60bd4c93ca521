//! Real processes are killed and stopped in mid-run. Loss is judged at the sink.

use std::collections::HashMap;

use nix::sys::signal::Signal;

use super::harness::{Project, Running, alive, resident, wait_for};

const PIPELINE: &str = r#"
name = "pipeline"
[topology]
workers = 4
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.upper]
python = "upper.py:upper"
inputs = ["lines"]
outputs = ["text"]
[bolts.mark]
node = "mark.mjs:mark"
inputs = ["upper"]
outputs = ["text"]
[bolts.sink]
type = "write"
inputs = ["mark"]
config = { path = "output.txt" }
"#;

const UPPER: &str =
    "import galewire\n\n@galewire.bolt\ndef upper(line):\n    return line.upper()\n";
const MARK: &str =
    "import { bolt } from 'galewire';\nexport const mark = bolt(({ text }) => [text + '!']);\n";

const LINES: usize = 60_000;

fn pipeline() -> Project {
    let input: String = (0..LINES).map(|n| format!("line {n} of some length\n")).collect();
    Project::new()
        .file("topology.toml", PIPELINE)
        .file("upper.py", UPPER)
        .file("mark.mjs", MARK)
        .file("input.txt", &input)
}

/// Every input line stands in the sink, and lines beyond that are replays.
fn assert_nothing_lost(project: &Project) {
    let output = project.read("output.txt");
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for line in output.lines() {
        *seen.entry(line).or_default() += 1;
    }
    for n in 0..LINES {
        let line = format!("LINE {n} OF SOME LENGTH!");
        assert!(seen.contains_key(line.as_str()), "lost: {line}");
    }
    assert_eq!(seen.len(), LINES, "lines that were never in the input");
}

fn kill_in_mid_run(command: &str) {
    let project = pipeline();
    let run = project.start(&[]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
    let victim = run.process(command);
    assert!(project.lines("output.txt") < LINES, "the run was over before the kill");
    Running::signal(victim, Signal::SIGKILL);
    let ended = run.end().expect_code(0);
    assert!(ended.err.contains("started again") || ended.err.contains("was lost"), "{}", ended.err);
    assert_nothing_lost(&project);
}

#[test]
fn a_killed_python_child_loses_nothing() {
    kill_in_mid_run("upper.py");
}

#[test]
fn a_killed_node_child_loses_nothing() {
    kill_in_mid_run("mark.mjs");
}

#[test]
fn a_killed_first_worker_loses_nothing() {
    kill_in_mid_run("--slot 0");
}

#[test]
fn a_killed_second_worker_loses_nothing() {
    kill_in_mid_run("--slot 1");
}

#[test]
fn a_stopped_worker_is_replaced_and_loses_nothing() {
    let project = pipeline();
    let run = project.start(&[]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
    Running::signal(run.process("--slot 1"), Signal::SIGSTOP);
    run.end().expect_code(0).expect_told("worker 1 was lost");
    assert_nothing_lost(&project);
}

#[test]
fn c06_no_process_outlives_a_killed_supervisor() {
    let project = pipeline();
    let run = project.start(&[]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
    let family = run.family();
    assert!(family.len() >= 4, "two workers and two children: {family:?}");
    Running::signal(run.pid(), Signal::SIGKILL);
    run.end();
    wait_for("the family to end", || family.iter().all(|pid| !alive(*pid)).then_some(()));
}

#[test]
fn after_a_kill_word_counts_are_at_least_exact_or_the_run_says_so() {
    let topology = r#"
name = "counts"
[topology]
workers = 2
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.split]
python = "split.py:split"
inputs = ["lines"]
outputs = ["word"]
[bolts.count]
type = "count"
inputs = [{ from = "split", grouping = { fields = ["word"] } }]
config = { emit = "final" }
parallelism = 2
[bolts.print]
type = "print"
inputs = ["count"]
"#;
    let split =
        "import galewire\n\n@galewire.bolt\ndef split(line):\n    yield from line.split()\n";
    let input: String = (0..LINES).map(|n| format!("word{} common\n", n % 100)).collect();
    for victim in ["split.py", "--slot 1"] {
        let project = Project::new()
            .file("topology.toml", topology)
            .file("split.py", split)
            .file("input.txt", &input);
        let run = project.start(&["--json"]);
        let child = run.process(victim);
        // Lines are on their way when the position of the spout has moved.
        let positions = format!("/proc/{}/cwd", run.pid());
        assert!(std::path::Path::new(&positions).exists());
        Running::signal(child, Signal::SIGKILL);
        let ended = run.end();
        let exact = |line: &str| {
            let (word, count) = line.split_once('\t').unwrap();
            let expected = if word == "common" { LINES } else { LINES / 100 };
            count.parse::<usize>().unwrap() >= expected
        };
        match ended.code {
            Some(0) => {
                assert_eq!(ended.out.lines().count(), 101, "{}", ended.err);
                assert!(ended.out.lines().all(exact), "{victim}: {}", ended.out);
            }
            Some(4) => assert!(ended.err.contains("\"memory_lost\""), "{}", ended.err),
            _ => panic!("{victim}: {:?} {}", ended.code, ended.err),
        }
    }
}

const FINALS: &str = r#"
name = "finals"
[topology]
workers = 4
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.count]
type = "count"
inputs = [{ from = "lines", grouping = { fields = ["line"] } }]
config = { emit = "final" }
[bolts.slow]
python = "slow.py:slow"
inputs = ["count"]
outputs = ["line", "count"]
[bolts.sink]
type = "write"
inputs = ["slow"]
config = { path = "output.txt" }
"#;

const WORDS: usize = 10_000;

/// Kills a worker while final results are on their way, and looks at what has come of them.
fn kill_at_the_end(slot: usize, code: i32) -> HashMap<String, usize> {
    let script = "import time, galewire\n\n@galewire.bolt\ndef slow(line, count):\n    \
                time.sleep(0.0002)\n    return line, count\n";
    let input: String = (0..2 * WORDS).map(|n| format!("word{}\n", n % WORDS)).collect();
    let project = Project::new()
        .file("topology.toml", FINALS)
        .file("slow.py", script)
        .file("input.txt", &input);
    let run = project.start(&[]);
    // `count` is silent until every line has been acked.
    wait_for("final results", || (project.lines("output.txt") > 100).then_some(()));
    Running::signal(run.process(&format!("--slot {slot}")), Signal::SIGKILL);
    let ended = run.end().expect_code(code);
    assert!(ended.err.contains(&format!("worker {slot} was lost")), "{}", ended.err);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in project.read("output.txt").lines() {
        assert!(line.ends_with("\t2"), "a count that is not 2: {line}");
        *seen.entry(line.to_owned()).or_default() += 1;
    }
    seen
}

#[test]
fn a_worker_that_is_killed_while_final_results_are_on_their_way_loses_none() {
    for (slot, repeats) in [(0, false), (2, true), (3, true)] {
        let seen = kill_at_the_end(slot, 0);
        assert_eq!(seen.len(), WORDS, "final results are lost with worker {slot}");
        let repeated = seen.values().filter(|count| **count > 1).count();
        assert!(
            repeats || repeated == 0,
            "{repeated} results again, though nothing of them was lost"
        );
    }
}

#[test]
fn final_results_that_a_killed_worker_had_not_given_out_are_told_to_be_lost() {
    let seen = kill_at_the_end(1, 4);
    assert!(seen.len() < WORDS, "nothing was in the worker");
}

#[test]
fn memory_stays_flat_while_a_sink_stands_still() {
    let topology = r#"
name = "stalled"
[spouts.numbers]
type = "generate"
config = { fields = { text = { template = "some text of a certain length {counter}" } } }
[bolts.sink]
python = "sink.py:sink"
inputs = ["numbers"]
"#;
    let sink = "import galewire\n\n@galewire.bolt\ndef sink(text):\n    pass\n";
    let project = Project::new().file("topology.toml", topology).file("sink.py", sink);
    let run = project.start(&["--json"]);
    let (child, worker) = (run.process("sink.py"), run.process("--slot 0"));
    let executed = || std::fs::read_to_string(format!("/proc/{child}/io")).unwrap_or_default();
    wait_for("the sink to read", || executed().contains("rchar: ").then_some(()));
    Running::signal(child, Signal::SIGSTOP);
    // The queues have filled when the memory of the worker stands still for a hundred looks.
    let mut still = 0;
    let mut last = 0;
    let full = wait_for("the queues to fill", || {
        let now = resident(worker);
        still = if now == last { still + 1 } else { 0 };
        last = now;
        (still > 100).then_some(now)
    });
    assert!(full < 200 << 20, "{full} bytes");
    let mut looks = 0;
    wait_for("a second of looks", || {
        looks += 1;
        assert!(resident(worker) <= full + (4 << 20), "memory grows while the sink stands still");
        (looks > 300).then_some(())
    });
    Running::signal(child, Signal::SIGCONT);
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(0);
}

const SLOW_LINK: &str = r#"
name = "held-up"
[topology]
workers = 2
message_timeout = "850ms"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, rate = 2000 }
retry = { max = 0, dead_letter = "dead.jsonl" }
[bolts.sink]
type = "write"
inputs = ["numbers"]
config = { path = "output.txt" }
"#;

/// A number of the spout's counters as last told.
fn count(run: &Running, key: &str) -> u64 {
    run.counters("numbers").and_then(|counters| counters[key].as_u64()).unwrap_or(0)
}

#[test]
fn a_worker_that_is_stopped_for_two_time_outs_costs_no_replays() {
    let project = Project::new().file("topology.toml", SLOW_LINK);
    let run = project.start(&["--json"]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
    let sink = run.process("--slot 1");
    Running::signal(sink, Signal::SIGSTOP);
    // The span is the claim. A worker that is silent for longer than two seconds is replaced.
    std::thread::sleep(std::time::Duration::from_millis(1800));
    Running::signal(sink, Signal::SIGCONT);
    let lines = project.lines("output.txt");
    wait_for("the sink to go on", || (project.lines("output.txt") > lines + 2000).then_some(()));
    wait_for("the counters", || (count(&run, "timeouts_deferred") > 0).then_some(()));
    Running::signal(run.pid(), Signal::SIGINT);
    let ended = run.end().expect_code(0);
    let counters = ended.counters("numbers");
    assert_eq!(counters["dead_letters"], 0, "{counters}");
    assert!(counters["failed_by"]["timed_out"].is_null(), "{counters}");
    // A machine that is busy may have held the worker up for longer.
    let was_lost = ended.err.contains("\"worker_lost\"");
    assert!(was_lost || counters["replayed"] == 0, "{counters}");
    assert!(!project.path("dead.jsonl").exists() || project.lines("dead.jsonl") == 0);
}

const SMALL_DISK: &str = r#"
name = "small-disk"
[topology]
restart = { max = 1000, backoff = "20ms..100ms" }
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, rate = 5000, count = 10000 }
retry = { max = 0, dead_letter = "dead.jsonl" }
[bolts.sink]
type = "write"
inputs = ["numbers"]
config = { path = "output.txt" }
"#;

/// Sets the largest size, in bytes, of files that a process writes.
fn limit_files(pid: i32, bytes: &str) {
    let status = std::process::Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(status.unwrap().success(), "prlimit --fsize={bytes}");
}

#[test]
fn a_full_disk_costs_no_message_its_retries_and_the_run_goes_on_when_there_is_room() {
    let project = Project::new().file("topology.toml", SMALL_DISK);
    let run = project.start(&["--json"]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 1000).then_some(()));
    let worker = run.process("--slot 0");
    limit_files(worker, &project.read("output.txt").len().to_string());
    let troubles = |told: &[serde_json::Value]| {
        let restarts = told.iter().filter(|event| event["event"] == "restarted");
        restarts.filter(|event| event["component"] == "sink").cloned().collect::<Vec<_>>()
    };
    let told = wait_for("restarts", || Some(troubles(&run.told())).filter(|all| all.len() >= 5));
    for trouble in &told {
        let reason = trouble["reason"].as_str().unwrap();
        let named = reason.contains("output.txt: File too large");
        assert!(named && trouble["task"].is_u64(), "{trouble}");
    }
    limit_files(worker, "unlimited");
    let ended = run.end().expect_code(0);
    let counters = ended.counters("numbers");
    assert_eq!(counters["dead_letters"], 0, "{counters}");
    let output = project.read("output.txt");
    let written: std::collections::BTreeSet<usize> =
        output.lines().map(|line| line.parse().unwrap()).collect();
    assert!(written.into_iter().eq(1..=10_000), "nothing is lost, and no line is cut");
}
