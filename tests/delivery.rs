//! Who gets a tuple, over links of every kind and with every guarantee: counted exactly.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::Project;

const NUMBERS: usize = 2_000;
const KEYS: usize = 37;

/// A bolt of four tasks on two workers that says which of them got what.
fn project(grouping: &str, settings: &str) -> Project {
    let topology = format!(
        r#"
name = "who"
[topology]
workers = 2
{settings}
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 0 }} }} }}, count = {NUMBERS} }}
[bolts.key]
python = "who.py:Key"
inputs = ["numbers"]
outputs = ["key", "number"]
parallelism = 2
[bolts.who]
python = "who.py:Who"
inputs = [{{ from = "key", grouping = {grouping} }}]
outputs = ["task", "key", "number"]
parallelism = 4
[bolts.write]
type = "write"
inputs = ["who"]
config = {{ path = "who.jsonl", format = "json" }}
"#
    );
    let who = format!(
        "import galewire\n\nclass Key(galewire.Bolt):\n    memory = False\n\n    \
         def process(self, number):\n        self.emit(number % {KEYS}, number)\n\n\
         class Who(galewire.Bolt):\n    memory = False\n\n    \
         def process(self, key, number):\n        self.emit(self.task, key, number)\n"
    );
    Project::new().file("topology.toml", &topology).file("who.py", &who)
}

/// Which tasks got each number, and which got each key.
#[derive(Default)]
struct Got {
    copies: BTreeMap<usize, usize>,
    keys: BTreeMap<usize, BTreeSet<usize>>,
    tasks: BTreeSet<usize>,
}

fn run(grouping: &str, settings: &str) -> Got {
    let project = project(grouping, settings);
    let ended = project.run(&["--json"]).expect_code(0);
    project.assert_no_leftovers();
    assert_eq!(ended.counters("numbers")["replayed"], 0, "{}", ended.err);
    let mut got = Got::default();
    for line in project.read("who.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| usize::try_from(line[name].as_u64().unwrap()).unwrap();
        *got.copies.entry(field("number")).or_default() += 1;
        got.keys.entry(field("key")).or_default().insert(field("task"));
        got.tasks.insert(field("task"));
    }
    got
}

/// Every number came so many times.
#[track_caller]
fn assert_copies(got: &Got, copies: usize) {
    assert_eq!(got.copies.len(), NUMBERS);
    assert!(got.copies.values().all(|&count| count == copies), "{:?}", got.copies);
}

#[test]
fn shuffling_deals_out_to_all_tasks_of_both_workers() {
    for grouping in ["\"shuffle\"", "\"none\""] {
        let got = run(grouping, "");
        assert_copies(&got, 1);
        assert_eq!(got.tasks.len(), 4);
    }
}

#[test]
fn local_or_shuffle_gives_each_number_to_one_task() {
    assert_copies(&run("\"local_or_shuffle\"", ""), 1);
}

#[test]
fn all_gives_every_number_to_every_task() {
    let got = run("\"all\"", "");
    assert_copies(&got, 4);
    assert!(got.keys.values().all(|tasks| tasks.len() == 4));
}

#[test]
fn global_gives_everything_to_one_task() {
    let got = run("\"global\"", "");
    assert_copies(&got, 1);
    assert_eq!(got.tasks.len(), 1);
}

#[test]
fn fields_give_equal_keys_to_one_task() {
    let got = run("{ fields = [\"key\"] }", "");
    assert_copies(&got, 1);
    assert_eq!(got.keys.len(), KEYS);
    assert!(got.keys.values().all(|tasks| tasks.len() == 1), "{:?}", got.keys);
    assert!(got.tasks.len() > 1);
}

#[test]
fn partial_key_gives_equal_keys_to_two_tasks_of_each_sender_at_most() {
    let got = run("{ partial_key = [\"key\"] }", "");
    assert_copies(&got, 1);
    assert!(got.keys.values().all(|tasks| tasks.len() <= 2), "{:?}", got.keys);
}

#[test]
fn links_over_tcp_carry_the_same() {
    let got = run("{ fields = [\"key\"] }", "link = \"tcp\"");
    assert_copies(&got, 1);
    assert!(got.keys.values().all(|tasks| tasks.len() == 1), "{:?}", got.keys);
}

#[test]
fn without_tracking_everything_arrives_while_nothing_breaks() {
    assert_copies(&run("\"shuffle\"", "guarantee = \"at_most_once\""), 1);
}

#[test]
fn without_tracking_a_slow_consumer_loses_nothing_either() {
    // More than fits into all mailboxes on the way.
    let topology = r#"
name = "untracked"
[topology]
workers = 2
guarantee = "at_most_once"
mailbox = "16KiB"
[spouts.numbers]
type = "generate"
config = { fields = { text = { template = "some text of a certain length {counter}" } }, count = 50000 }
[bolts.pass]
type = "filter"
inputs = ["numbers"]
config = { when = "true" }
parallelism = 2
[bolts.sink]
python = "sink.py:sink"
inputs = ["pass"]
parallelism = 2
outputs = ["text"]
[bolts.write]
type = "write"
inputs = ["sink"]
config = { path = "output.txt" }
"#;
    let sink = "import galewire\n\n@galewire.bolt\ndef sink(text):\n    yield text\n";
    let project = Project::new().file("topology.toml", topology).file("sink.py", sink);
    project.run(&[]).expect_code(0);
    assert_eq!(project.lines("output.txt"), 50_000);
}

#[test]
fn a_message_whose_retries_are_spent_is_put_aside_and_the_others_are_done() {
    let topology = r#"
name = "letters"
[topology]
workers = 2
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, count = 20 }
retry = { max = 2, backoff = "1ms..2ms", dead_letter = "dead.jsonl" }
[bolts.picky]
python = "picky.py:picky"
inputs = ["numbers"]
outputs = ["number"]
[bolts.print]
type = "print"
inputs = ["picky"]
"#;
    let picky = "import galewire\n\n@galewire.bolt\ndef picky(number):\n    if number == 7:\n        \
                 raise ValueError('never seven')\n    yield number\n";
    let project = Project::new().file("topology.toml", topology).file("picky.py", picky);
    let ended = project.run(&["--json"]).expect_code(0);
    assert_eq!(ended.out.lines().count(), 19, "{}", ended.out);
    let dead = project.read("dead.jsonl");
    let letter: serde_json::Value = serde_json::from_str(&dead).unwrap();
    assert_eq!((&letter["values"][0], &letter["attempts"]), (&7.into(), &3.into()));
    assert!(dead.contains("never seven"), "{dead}");
    assert_eq!(ended.counters("numbers")["replayed"], 2);
}

#[test]
fn a_spout_in_python_is_not_held_up_between_its_answers() {
    // So many answers that a wait behind each of them would outlast all patience.
    let topology = r#"
name = "answers"
[topology]
drain_timeout = "20s"
max_spout_pending = 10
[spouts.numbers]
python = "numbers.py:Numbers"
outputs = ["number"]
[bolts.write]
type = "write"
inputs = ["numbers"]
config = { path = "numbers.txt" }
"#;
    let numbers = "import galewire\n\nclass Numbers(galewire.Spout):\n    at = 0\n\n    \
                   def next(self):\n        if self.at == 5000:\n            \
                   return self.exhausted()\n        self.at += 1\n        \
                   self.emit(self.at, id=self.at)\n";
    let project = Project::new().file("topology.toml", topology).file("numbers.py", numbers);
    project.run(&[]).expect_code(0);
    assert_eq!(project.lines("numbers.txt"), 5_000);
}

#[test]
fn a_dead_letter_file_that_cannot_be_written_is_found_before_it_is_needed() {
    let topology = r#"
name = "dead"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = {} } }, count = 3 }
retry = { max = 1, dead_letter = "/proc/nowhere/dead.jsonl" }
[bolts.sink]
type = "null"
inputs = ["numbers"]
"#;
    Project::new()
        .file("topology.toml", topology)
        .run(&[])
        .expect_code(1)
        .expect_told("the dead-letter file /proc/nowhere/dead.jsonl cannot be opened");
}
