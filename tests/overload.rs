//! Sinks that are slower than their spouts: who waits, what is dropped, what memory and time tell.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Ended, Project, Running, resident, wait_for};

/// More than all queues of the flood take together, by far.
const COUNT: usize = 6_000;

/// A sink that stops itself at its first tuple, and writes down what it gets.
const SINK: &str = r#"
import galewire, os, signal

first = True
written = open("written.txt", "w", buffering=1)

@galewire.bolt
def sink(text):
    global first
    if first:
        first = False
        os.kill(os.getpid(), signal.SIGSTOP)
    written.write(text + "\n")
"#;

fn flood(on_full: &str, retry: &str) -> Project {
    let topology = format!(
        r#"
name = "flood"
[topology]
mailbox = "4KiB"
max_spout_pending = 500
[spouts.numbers]
type = "generate"
config = {{ fields = {{ text = {{ template = "{{counter}} {}" }} }}, count = {COUNT} }}
{retry}
[bolts.sink]
python = "sink.py:sink"
inputs = [{{ from = "numbers", on_full = "{on_full}" }}]
max_in_flight = 10
"#,
        "x".repeat(200)
    );
    Project::new().file("topology.toml", &topology).file("sink.py", SINK)
}

/// Runs a flood of tuples into a sink that stands still, until the spout has given out all of them.
fn flooded(on_full: &str, workers: &str, retry: &str) -> (Project, Ended) {
    let project = flood(on_full, retry);
    let run = project.start(&["--json", "--workers", workers]);
    let child = run.process("sink.py");
    wait_for("the spout to end", || {
        let fresh = fresh(&run.counters("numbers")?);
        (fresh >= COUNT as u64).then_some(())
    });
    assert!(project.lines("written.txt") == 0, "the sink stands still meanwhile");
    go_on(child);
    let ended = run.end().expect_code(0);
    (project, ended)
}

/// Lets a child go on that has stopped itself, or is about to.
fn go_on(child: i32) {
    wait_for("the child to stand still", || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        stat.rsplit(") ").next()?.starts_with('T').then_some(())
    });
    Running::signal(child, Signal::SIGCONT);
}

/// What a spout has emitted, replays apart.
fn fresh(counters: &Value) -> u64 {
    counters["emitted"].as_u64().unwrap() - counters["replayed"].as_u64().unwrap()
}

/// The numbers that the sink has written down, each once.
fn written(project: &Project) -> Vec<usize> {
    let text = project.read("written.txt");
    let numbers: Vec<_> =
        text.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    let different: BTreeSet<_> = numbers.iter().copied().collect();
    assert_eq!(different.len(), numbers.len(), "none is written twice");
    numbers
}

#[test]
fn an_input_that_drops_does_not_stop_its_spout_and_its_trees_complete() {
    for on_full in ["drop_newest", "drop_oldest"] {
        for workers in ["1", "2"] {
            let (project, ended) = flooded(on_full, workers, "");
            let counters = ended.counters("numbers");
            let case = format!("{on_full}, {workers}: {counters}");
            let numbers = written(&project);
            let dropped = counters["dropped_by"][on_full].as_u64().unwrap();
            assert_eq!(numbers.len() as u64 + dropped, COUNT as u64, "{case}");
            assert!(dropped > COUNT as u64 / 2, "{case}");
            assert_eq!(counters["acked"], COUNT, "{case}");
            assert_eq!((&counters["failed"], &counters["replayed"]), (&0.into(), &0.into()));
            assert!(numbers.is_sorted(), "{case}");
            assert_eq!(numbers.last() == Some(&(COUNT - 1)), on_full == "drop_oldest", "{case}");
            ended.expect_told("sink (task 2) is full: ");
        }
    }
}

#[test]
fn an_input_that_sheds_fails_its_trees_and_the_retries_decide() {
    let retry = "retry = { max = 0, dead_letter = \"shed.jsonl\" }";
    for workers in ["1", "2"] {
        let (project, ended) = flooded("shed", workers, retry);
        let counters = ended.counters("numbers");
        let letters = project.lines("shed.jsonl") as u64;
        assert_eq!(written(&project).len() as u64 + letters, COUNT as u64, "{counters}");
        for count in [
            &counters["failed"],
            &counters["dead_letters"],
            &counters["failed_by"]["shed"],
            &counters["dropped_by"]["shed"],
        ] {
            assert_eq!(*count, letters, "{counters}");
        }
        let letter = project.read("shed.jsonl");
        assert!(
            letter.contains("\"reason\":\"shed\",\"component\":\"sink\",\"task\":2"),
            "{letter}"
        );
    }
}

#[test]
fn what_is_shed_comes_again_until_there_is_room() {
    let retry = "retry = { backoff = \"20ms..50ms\" }";
    let project = flood("shed", retry);
    let run = project.start(&["--json"]);
    let child = run.process("sink.py");
    wait_for("something to be shed", || {
        (run.counters("numbers")?["failed_by"]["shed"].as_u64()? > 100).then_some(())
    });
    go_on(child);
    let ended = run.end().expect_code(0);
    assert_eq!(written(&project).len(), COUNT, "{}", ended.counters("numbers"));
}

/// The parts of the time of a component's first task: busy, blocked, idle.
fn time(run: &Running, component: &str) -> Option<[f64; 3]> {
    run.told().iter().rev().find_map(|event| {
        let all = event["totals"]["components"].as_array()?;
        let counts = all.iter().find(|counts| counts["component"] == component)?;
        let time = counts["time"].get(0)?;
        Some(["busy", "blocked", "idle"].map(|part| time[part].as_f64().unwrap()))
    })
}

#[test]
fn a_full_branch_stops_its_own_producers_and_no_others() {
    let topology = r#"
name = "branches"
[spouts.stuck]
type = "generate"
config = { fields = { number = { counter = {} } } }
[spouts.free]
type = "generate"
config = { fields = { number = { counter = {} } } }
[bolts.sink]
python = "sink.py:sink"
inputs = ["stuck"]
[bolts.beside]
type = "null"
inputs = ["stuck"]
[bolts.other]
type = "null"
inputs = ["free"]
"#;
    let sink = SINK.replace("text", "number").replace("number + \"\\n\"", "f\"{number}\\n\"");
    for workers in ["1", "2"] {
        let project = Project::new().file("topology.toml", topology).file("sink.py", &sink);
        let run = project.start(&["--json", "--workers", workers]);
        let child = run.process("sink.py");
        let emitted = |spout: &str| run.counters(spout)?["emitted"].as_u64();
        let progress = || run.told().iter().filter(|event| event["event"] == "progress").count();
        // The spout stands still: three looks in a row show the same.
        let (mut last, mut seen, mut still) = (None, 0, 0);
        wait_for("the full branch to stop its spout", || {
            if progress() > seen {
                seen = progress();
                let now = emitted("stuck").filter(|count| *count > 0);
                still = if now.is_some() && now == last { still + 1 } else { 0 };
                last = now;
            }
            (still >= 3).then_some(())
        });
        let before = emitted("free").unwrap();
        wait_for("the free branch to go on", || (emitted("free")? > before + 10_000).then_some(()));
        assert_eq!(emitted("stuck"), last, "workers: {workers}");
        go_on(child);
        Running::signal(run.pid(), Signal::SIGINT);
        let ended = run.end().expect_code(0);
        for component in ["stuck", "free"] {
            assert_eq!(ended.counters(component)["replayed"], 0);
        }
    }
}

const ENDLESS: &str = r#"
name = "endless"
[topology]
message_timeout = "1s"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = {} } } }
[bolts.sink]
python = "sink.py:sink"
inputs = ["numbers"]
"#;

#[test]
fn a_sink_that_was_stopped_at_full_rate_leaves_no_replays_flat_memory_and_full_speed() {
    let sink = "import galewire\n\n@galewire.bolt\ndef sink(number):\n    pass\n";
    let project = Project::new().file("topology.toml", ENDLESS).file("sink.py", sink);
    let run = project.start(&["--json"]);
    let (child, worker) = (run.process("sink.py"), run.process("--slot 0"));
    // Messages that were acked from one telling to the next.
    let rates = || {
        let told = run.told();
        let progress = told.iter().filter(|event| event["event"] == "progress");
        let acked: Vec<_> = progress
            .filter_map(|event| {
                let spout = &event["totals"]["components"][0];
                spout["counters"]["acked"].as_u64()
            })
            .collect();
        acked.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let full = wait_for("full speed", || {
        let rates = rates();
        (rates.len() >= 4).then(|| rates.iter().copied().max().unwrap())
    });
    Running::signal(child, Signal::SIGSTOP);
    let deferred = || run.counters("numbers")?["timeouts_deferred"].as_u64();
    let pending = || run.counters("numbers")?["pending"].as_u64();
    wait_for("the queues to fill", || (deferred()? > 0).then_some(()));
    let memory = resident(worker);
    wait_for("three time-outs", || (deferred()? >= 3 * pending()?).then_some(()));
    assert!(resident(worker) <= memory + (4 << 20), "memory grows while the sink stands still");
    let [_, blocked, _] = time(&run, "numbers").unwrap();
    assert!(blocked > 0.2, "{blocked}: the spout has waited for room");
    let [busy, _, _] = time(&run, "sink").unwrap();
    assert!(busy > 0.5, "{busy}: the sink's child has had work all the time");
    let slow = rates().len();
    Running::signal(child, Signal::SIGCONT);
    wait_for("full speed again", || {
        rates()[slow..].iter().any(|rate| *rate >= full / 2).then_some(())
    });
    Running::signal(run.pid(), Signal::SIGINT);
    let ended = run.end().expect_code(0);
    let counters = ended.counters("numbers");
    assert_eq!((&counters["replayed"], &counters["failed"]), (&0.into(), &0.into()));
    // Every nanosecond since the loop began is in one of the three.
    let last: Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    let spent = ["busy_ns", "blocked_ns", "idle_ns"].map(|part| counters[part].as_u64().unwrap());
    let part = spent.iter().sum::<u64>() as f64 / 1e9 / last["seconds"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&part), "{part} of the run's time");
}
