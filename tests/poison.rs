//! Tuples that kill their child: found alone, tried again as often as `retry` says, put aside. The
//! others come through, and the component outlives them.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Project, Running, wait_for};

const PYTHON: &str = "python = \"poison.py:Poisoned\"";
const NODE: &str = "node = \"poison.mjs:poisoned\"";
const STORM: &str = "command = [\"python3\", \"storm_poison.py\"]";
/// Retries of a message; it is tried once more than that.
const RETRIES: u64 = 1;
/// Tuples that a child may have taken and not answered, and a little.
const IN_FLIGHT: u64 = 1_000;

struct Stream<'a> {
    run: &'a str,
    how: &'a str,
    poison: &'a [usize],
    count: usize,
    workers: usize,
    tasks: usize,
}

impl Stream<'_> {
    fn project(&self) -> Project {
        let Self { run, how, poison, count, workers, tasks } = self;
        let hangs = matches!(*how, "hangs" | "waits");
        let timeout = if hangs { "timeout = \"2500ms\"" } else { "" };
        let topology = format!(
            r#"
name = "poison"
[topology]
workers = {workers}
stop_grace = "1s"
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = {count} }}
retry = {{ max = {RETRIES}, backoff = "1ms..5ms", dead_letter = "dead.jsonl" }}
[bolts.poisoned]
{run}
inputs = ["numbers"]
outputs = ["number"]
parallelism = {tasks}
config = {{ poison = {poison:?}, how = "{how}" }}
restart = {{ backoff = "50ms..1s" }}
{timeout}
[bolts.write]
type = "write"
inputs = ["poisoned"]
config = {{ path = "numbers.txt" }}
"#
        );
        Project::new()
            .file("topology.toml", &topology)
            .file("poison.py", include_str!("poison/poison.py"))
            .file("storm_poison.py", include_str!("poison/storm_poison.py"))
            .file("poison.mjs", include_str!("poison/poison.mjs"))
    }

    /// Runs it, and judges all that is to be so whatever the poison.
    #[track_caller]
    fn judge(&self) -> Vec<Value> {
        let project = self.project();
        let ended = project.run(&["--json"]).expect_code(0);
        let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
        for line in project.read("numbers.txt").lines() {
            *copies.entry(line.parse().unwrap()).or_default() += 1;
        }
        let healthy = (1..=self.count).filter(|number| !self.poison.contains(number));
        assert!(healthy.eq(copies.keys().copied()), "{} of {}", copies.len(), self.count);
        let dead = project.read("dead.jsonl");
        let dead: Vec<Value> =
            dead.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut buried: Vec<_> =
            dead.iter().map(|letter| letter["values"][0].as_u64().unwrap() as usize).collect();
        buried.sort_unstable();
        assert_eq!(buried, self.poison, "each once, and nothing else");
        for letter in &dead {
            assert_eq!(last(letter)["component"], "poisoned");
            assert!(last(letter)["task"].is_u64(), "{letter}");
        }
        // Each kills twice among others, and then alone.
        let poison = self.poison.len() as u64;
        let replayed = ended.counters("numbers")["replayed"].as_u64().unwrap();
        assert!(replayed <= poison * (2 * IN_FLIGHT + RETRIES + 3), "{replayed} replays");
        let restarts = ended.counters("poisoned")["restarts"].as_u64().unwrap();
        assert!(restarts <= poison * (RETRIES + 3), "{restarts} restarts");
        dead
    }
}

/// The failure that a message was given up for.
fn last(letter: &Value) -> &Value {
    letter["failures"].as_array().unwrap().last().unwrap()
}

#[test]
fn one_tuple_that_kills_is_put_aside_alone() {
    let hows = [
        (PYTHON, "killed", "was killed by signal 9 (SIGKILL)"),
        (PYTHON, "crashes", "was killed by signal 11 (SIGSEGV)"),
        (NODE, "killed", "was killed by signal 9 (SIGKILL)"),
        (NODE, "leaves", "exited with status 1"),
        (STORM, "crashes", "was killed by signal 11 (SIGSEGV)"),
        (STORM, "leaves", "exited with status 1"),
    ];
    for (run, how, why) in hows {
        let stream = Stream { run, how, poison: &[3_000], count: 8_000, workers: 1, tasks: 1 };
        let dead = stream.judge();
        let last = last(&dead[0]);
        assert_eq!(last["reason"], "died_alone");
        assert!(last["message"].as_str().unwrap().ends_with(why), "{}", dead[0]);
    }
}

#[test]
fn one_tuple_that_kills_among_a_hundred_thousand_is_put_aside_alone() {
    let poison = [70_000];
    for (run, workers, tasks) in [(PYTHON, 2, 2), (NODE, 2, 1)] {
        Stream { run, how: "killed", poison: &poison, count: 100_000, workers, tasks }.judge();
    }
}

#[test]
fn a_tuple_that_hangs_is_told_from_those_beside_it() {
    for (run, how) in [(PYTHON, "hangs"), (NODE, "waits")] {
        let stream = Stream { run, how, poison: &[3_000], count: 8_000, workers: 2, tasks: 1 };
        let message = last(&stream.judge()[0])["message"].to_string();
        assert!(message.contains("longer than its `timeout`"), "{message}");
    }
}

#[test]
fn two_and_ten_tuples_that_kill_do_not_use_up_the_restarts() {
    let far: Vec<usize> = (1..=10).map(|number| number * 300).collect();
    let near: Vec<usize> = (2_001..=2_010).collect();
    let streams = [(PYTHON, vec![700, 2_000], 1, 1), (NODE, far, 2, 4), (PYTHON, near, 1, 1)];
    for (run, poison, workers, tasks) in streams {
        Stream { run, how: "killed", poison: &poison, count: 4_000, workers, tasks }.judge();
    }
}

#[test]
fn a_tuple_that_raises_is_put_aside_with_its_traceback() {
    for (run, line) in [(PYTHON, "poison.py\", line"), (NODE, "poison.mjs:")] {
        let stream =
            Stream { run, how: "raises", poison: &[500], count: 1_000, workers: 2, tasks: 2 };
        let dead = stream.judge();
        assert_eq!(last(&dead[0])["reason"], "explicit");
        let detail = last(&dead[0])["traceback"].as_str().unwrap_or_default();
        assert!(detail.contains(line), "{}", dead[0]);
    }
}

const STORE: &str = r#"
import os
import galewire

@galewire.batch_bolt(size=100, within="60s")
def store(batch, *, self):
    with open("sizes.txt", "a") as sizes:
        print(len(batch), file=sizes)
    if self.config.get("poison") in [tup.number for tup in batch]:
        os.kill(os.getpid(), 9)
    if not os.path.exists("go"):
        self.log.info("waits")
        while not os.path.exists("go"):
            pass
    for tup in batch:
        yield tup.number
"#;

/// A thousand tuples into batches of a hundred, which wait for a minute where they are not full.
fn batches(config: &str) -> Project {
    let topology = format!(
        r#"
name = "batches"
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = 1000 }}
retry = {{ max = {RETRIES}, backoff = "1ms..5ms", dead_letter = "dead.jsonl" }}
[bolts.store]
python = "store.py:store"
inputs = ["numbers"]
outputs = ["number"]
config = {{ {config} }}
restart = {{ backoff = "50ms..1s" }}
[bolts.write]
type = "write"
inputs = ["store"]
config = {{ path = "numbers.txt" }}
"#
    );
    Project::new().file("topology.toml", &topology).file("store.py", STORE)
}

/// How many batches there were of one tuple.
fn singles(project: &Project) -> usize {
    project.read("sizes.txt").lines().filter(|size| *size == "1").count()
}

fn numbers(project: &Project) -> BTreeSet<usize> {
    project.read("numbers.txt").lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn after_one_kill_a_batch_bolt_goes_on_with_full_batches() {
    let project = batches("");
    let run = project.start(&["--json"]);
    wait_for("the first batch", || (project.lines("sizes.txt") > 0).then_some(()));
    // All of it is open in the child when it dies.
    wait_for("the spout", || (run.counters("numbers")?["pending"] == 1000).then_some(()));
    Running::signal(run.process("store.py"), Signal::SIGKILL);
    std::fs::write(project.path("go"), "").unwrap();
    wait_for("the end of the run", || run.has_ended().then_some(()));
    run.end().expect_code(0);
    assert!(numbers(&project).into_iter().eq(1..=1000));
    assert_eq!(singles(&project), 0, "{}", project.read("sizes.txt"));
}

#[test]
fn a_tuple_that_kills_a_batch_bolt_is_found_without_waiting_for_batches_to_fill() {
    let project = batches("poison = 250").file("go", "");
    let run = project.start(&["--json"]);
    wait_for("the end of the run", || run.has_ended().then_some(()));
    let ended = run.end().expect_code(0);
    assert!(numbers(&project).into_iter().eq((1..=1000).filter(|number| *number != 250)));
    assert_eq!(project.lines("dead.jsonl"), 1);
    let restarts = ended.counters("store")["restarts"].as_u64().unwrap();
    assert!(restarts <= RETRIES + 3, "{restarts} restarts");
    assert!(singles(&project) > 0, "suspects come alone");
}
