//! Task ids that a child is told before it emits: each tuple really goes to the task that was told.

use super::harness::Project;

const NUMBERS: usize = 2_000;

/// A client of Storm's protocol that takes its answer out of stock, and says in the tuple what the
/// answer was, before the tuple is sent.
const CLIENT: &str = r#"
import json, os, sys
from collections import deque

answers, commands = deque(), deque()

def read():
    lines = []
    for line in sys.stdin:
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)
    sys.exit(0)

def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()

def answer():
    while not answers:
        message = read()
        (answers if isinstance(message, list) else commands).append(message)
    return answers.popleft()

def command():
    while not commands:
        message = read()
        (answers if isinstance(message, list) else commands).append(message)
    return commands.popleft()

read()
send({"pid": os.getpid()})
while True:
    tuple = command()
    if tuple["stream"] == "__heartbeat":
        send({"command": "sync"})
        continue
    told = answer()
    send({"command": "emit", "tuple": tuple["tuple"] + [told], "anchors": [tuple["id"]]})
    send({"command": "ack", "id": tuple["id"]})
"#;

const WHO: &str = "import galewire\n\nclass Who(galewire.Bolt):\n    memory = False\n\n    \
                   def process(self, number, told):\n        self.emit(number, told, self.task)\n";

fn project(grouping: &str, workers: u8) -> Project {
    let topology = format!(
        r#"
name = "ahead"
[topology]
workers = {workers}
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 0 }} }} }}, count = {NUMBERS} }}
[bolts.client]
command = ["python3", "client.py"]
inputs = ["numbers"]
outputs = ["number", "told"]
task_ids = "ahead"
[bolts.who]
python = "who.py:Who"
inputs = [{{ from = "client", grouping = "{grouping}" }}]
outputs = ["number", "told", "task"]
parallelism = 3
[bolts.write]
type = "write"
inputs = ["who"]
config = {{ path = "who.jsonl", format = "json" }}
"#
    );
    Project::new().file("topology.toml", &topology).file("client.py", CLIENT).file("who.py", WHO)
}

/// What the child was told and the task that got the tuple, by line.
fn run(grouping: &str, workers: u8) -> Vec<(Vec<u64>, u64)> {
    let project = project(grouping, workers);
    project.run(&["--json"]).expect_code(0);
    project.assert_no_leftovers();
    let text = project.read("who.jsonl");
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let told = line["told"].as_array().unwrap().iter().map(|task| task.as_u64().unwrap());
        (told.collect(), line["task"].as_u64().unwrap())
    });
    lines.collect()
}

#[test]
fn c33_a_shuffled_tuple_goes_to_the_task_that_was_told_before() {
    for workers in [1, 2] {
        let lines = run("shuffle", workers);
        assert_eq!(lines.len(), NUMBERS);
        assert!(lines.iter().all(|(told, task)| told == &[*task]), "{lines:?}");
        let mut tasks: Vec<u64> = lines.iter().map(|(_, task)| *task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        assert_eq!(tasks.len(), 3, "all tasks get something");
    }
}

#[test]
fn c33_a_tuple_for_all_tasks_is_told_of_all() {
    let lines = run("all", 1);
    assert_eq!(lines.len(), NUMBERS * 3);
    assert!(lines.iter().all(|(told, task)| told.len() == 3 && told.contains(task)));
}
