//! How runs end: by themselves, by a time limit, by signals; and what stands still while one lasts.

use nix::sys::signal::Signal;

use super::harness::{Project, Running, alive, cpu_seconds, wait_for};

const ENDLESS: &str = r#"
name = "endless"
[topology]
workers = 2
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, rate = 2000 }
[bolts.pass]
python = "pass.py:passes"
inputs = ["numbers"]
outputs = ["number"]
[bolts.write]
type = "write"
inputs = ["pass"]
config = { path = "output.txt" }
"#;

const PASS: &str = "import galewire\n\n@galewire.bolt\ndef passes(number):\n    yield number\n";

fn endless() -> Project {
    Project::new().file("topology.toml", ENDLESS).file("pass.py", PASS)
}

#[track_caller]
fn assert_gone(project: &Project, family: &[i32]) {
    wait_for("the family to end", || family.iter().all(|pid| !alive(*pid)).then_some(()));
    project.assert_no_leftovers();
}

/// What was emitted has been written: numbers from 1 on without a gap, each once.
#[track_caller]
fn assert_drained(project: &Project, emitted: &serde_json::Value) {
    let text = project.read("output.txt");
    let mut numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=numbers.len()), "numbers are missing");
    assert_eq!(emitted.as_u64(), Some(numbers.len() as u64));
}

#[test]
fn an_interrupt_drains_the_run() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let project = endless();
        let run = project.start(&["--json"]);
        wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
        let family = run.family();
        Running::signal(run.pid(), signal);
        let ended = run.end().expect_code(0).expect_told("\"draining\"");
        assert_drained(&project, &ended.counters("numbers")["emitted"]);
        assert_gone(&project, &family);
    }
}

#[test]
fn a_second_interrupt_kills_the_run() {
    let project = endless();
    let run = project.start(&["--json"]);
    wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
    let family = run.family();
    // It cannot drain while a child stands still.
    Running::signal(run.process("pass.py"), Signal::SIGSTOP);
    Running::signal(run.pid(), Signal::SIGINT);
    let draining = || run.told().iter().any(|event| event["event"] == "draining").then_some(());
    wait_for("the drain", draining);
    // Interrupts close together count as one: a terminal may send one twice.
    wait_for("the end", || {
        Running::signal(run.pid(), Signal::SIGINT);
        (!alive(run.pid())).then_some(())
    });
    let ended = run.end().expect_code(6);
    let foreign = ended.err.lines().find(|line| !line.starts_with('{'));
    assert_eq!(foreign, None, "with --json every line is an event");
    assert_gone(&project, &family);
}

#[test]
fn an_interrupt_at_any_time_of_the_start_ends_the_run() {
    let project = endless();
    for processes in 0..5 {
        let run = project.start(&["--json"]);
        let started = || {
            let there = processes == 0 || run.family().len() >= processes;
            there.then_some(())
        };
        wait_for("some of the family", started);
        let handled = format!("/proc/{}/status", run.pid());
        wait_for("the handler", || {
            let status = std::fs::read_to_string(&handled).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & (1 << (Signal::SIGINT as u64 - 1)) != 0).then_some(())
        });
        let family = run.family();
        Running::signal(run.pid(), Signal::SIGINT);
        run.end().expect_code(0).expect_told("\"interrupted\"");
        assert_gone(&project, &family);
    }
}

#[test]
fn a_time_limit_drains_the_run() {
    let project = endless();
    let ended = project.run(&["--json", "--for", "1s"]).expect_code(0).expect_told("time is up");
    assert_drained(&project, &ended.counters("numbers")["emitted"]);
    project.assert_no_leftovers();
}

#[test]
fn a_time_limit_that_is_up_before_the_start_ends_the_run_in_order() {
    let project = endless();
    project.run(&["--json", "--for", "1ms"]).expect_code(0).expect_told("time is up");
    project.assert_no_leftovers();
}

#[test]
fn a_failed_run_leaves_nothing() {
    let dies = "import os\nos._exit(3)\n";
    let project = Project::new().file("topology.toml", ENDLESS).file("pass.py", dies);
    let run = project.start(&["--set", "topology.restart={ max = 0 }"]);
    let family = wait_for("the workers", || Some(run.family()).filter(|all| all.len() >= 2));
    run.end().expect_code(1);
    assert_gone(&project, &family);
}

#[test]
fn two_of_three_workers_lost_at_once_lose_nothing() {
    let topology =
        ENDLESS.replace("workers = 2", "workers = 3").replace("rate = 2000", "count = 40000");
    let project = Project::new().file("topology.toml", &topology).file("pass.py", PASS);
    for victims in [["--slot 0", "--slot 1"], ["--slot 0", "--slot 2"], ["--slot 1", "--slot 2"]] {
        let run = project.start(&["--json"]);
        wait_for("the sink to have lines", || (project.lines("output.txt") > 500).then_some(()));
        let victims = victims.map(|victim| run.process(victim));
        for victim in victims {
            Running::signal(victim, Signal::SIGKILL);
        }
        let ended = run.end().expect_code(0);
        assert_eq!(ended.err.matches("\"event\":\"worker_lost\"").count(), 2, "{}", ended.err);
        let text = project.read("output.txt");
        let numbers: std::collections::BTreeSet<usize> =
            text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.iter().copied().eq(1..=40_000), "{} of 40000", numbers.len());
        project.assert_no_leftovers();
        std::fs::remove_file(project.path("output.txt")).unwrap();
    }
}

#[test]
fn a_worker_lost_at_the_start_is_replaced() {
    let topology = ENDLESS.replace("rate = 2000", "count = 500");
    let project = Project::new().file("topology.toml", &topology).file("pass.py", PASS);
    let run = project.start(&["--json"]);
    Running::signal(run.process("--slot 1"), Signal::SIGKILL);
    run.end().expect_code(0).expect_told("\"worker_lost\"");
    assert!(project.lines("output.txt") >= 500);
    project.assert_no_leftovers();
}

#[test]
fn a_sink_that_stands_still_for_three_time_outs_starts_no_replays() {
    const COUNT: u64 = 3_000;
    let topology = format!(
        r#"
name = "slow"
[topology]
message_timeout = "2s"
[spouts.numbers]
type = "generate"
config = {{ fields = {{ number = {{ counter = {{ start = 1 }} }} }}, count = {COUNT} }}
[bolts.sink]
python = "sink.py:sink"
inputs = ["numbers"]
"#
    );
    let sink = "import galewire, signal, os\nfirst = True\n\n@galewire.bolt\ndef sink(number):\n    \
                global first\n    if first:\n        first = False\n        \
                os.kill(os.getpid(), signal.SIGSTOP)\n";
    let project = Project::new().file("topology.toml", &topology).file("sink.py", sink);
    let run = project.start(&["--json"]);
    let child = run.process("sink.py");
    wait_for("three time-outs", || {
        let deferred = run.counters("numbers")?["timeouts_deferred"].as_u64()?;
        // The first tuple alone stopped the child: all the others are pending.
        (deferred >= 3 * (COUNT - 1)).then_some(())
    });
    Running::signal(child, Signal::SIGCONT);
    let ended = run.end().expect_code(0);
    let counters = ended.counters("numbers");
    assert_eq!((&counters["replayed"], &counters["failed"]), (&0.into(), &0.into()));
    assert_eq!(counters["acked"], COUNT);
}

#[test]
fn a_quiet_topology_uses_no_processor_time() {
    let topology = r#"
name = "quiet"
[topology]
workers = 2
[spouts.rare]
type = "generate"
config = { fields = { number = { counter = { start = 1 } } }, rate = 0.001 }
[spouts.slow]
python = "slow.py:Slow"
outputs = ["number"]
[bolts.pass]
type = "filter"
inputs = ["rare", "slow"]
config = { when = "number > 0" }
tick = "100ms"
[bolts.sink]
python = "slow.py:sink"
inputs = ["pass"]
"#;
    // It thinks about each answer for longer than it is waited for.
    let slow = "import galewire, time\n\nclass Slow(galewire.Spout):\n    def next(self):\n        \
                time.sleep(3)\n\n@galewire.bolt\ndef sink(number):\n    pass\n";
    let project = Project::new().file("topology.toml", topology).file("slow.py", slow);
    let run = project.start(&["--json"]);
    let progress = || run.told().iter().filter(|event| event["event"] == "progress").count();
    wait_for("the children", || (run.family().len() >= 4 && progress() >= 3).then_some(()));
    let used = || run.processes("").into_iter().map(cpu_seconds).sum::<f64>();
    let (looks, before) = (progress(), used());
    // Five of them are five seconds: one loop that spins would use as much.
    wait_for("some time", || (progress() >= looks + 5).then_some(()));
    let used = used() - before;
    assert!(used < 2.5, "{used} seconds");
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(0);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run_without_a_failure() {
    let topology = r#"
name = "enough"
[spouts.numbers]
type = "generate"
config = { fields = { number = { counter = {} } } }
[bolts.print]
type = "print"
inputs = ["numbers"]
"#;
    let project = Project::new().file("topology.toml", topology);
    let binary = env!("CARGO_BIN_EXE_galewire");
    let script = format!("set -o pipefail; {binary} run topology.toml 2>told.txt | head -3");
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(project.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
    let told = project.read("told.txt");
    assert!(output.status.success(), "{told}");
    assert!(told.contains("enough ended: nobody reads standard output any more"), "{told}");
}

#[test]
fn a_bolt_that_holds_final_results_back_is_asked_to_drain_once_more() {
    let topology = r#"
name = "hoards"
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.count]
type = "count"
inputs = [{ from = "lines", grouping = { fields = ["line"] } }]
config = { emit = "final" }
[bolts.lines-of]
type = "map"
inputs = ["count"]
config = { keep = ["line"] }
[bolts.hoard]
python = "hoard.py:Hoard"
inputs = ["lines-of"]
outputs = ["line"]
[bolts.print]
type = "print"
inputs = ["hoard"]
"#;
    let hoard = r"
import galewire

class Hoard(galewire.Bolt):
    auto_ack = False

    def open(self):
        self.held = []

    def process(self, tup):
        self.held.append(tup)

    def drain(self):
        for tup in self.held:
            self.emit(tup.line, anchors=[tup])
            self.ack(tup)
        self.held = []
";
    let input: String = (0..12).map(|n| format!("line {n:02}\n")).collect();
    let project = Project::new()
        .file("topology.toml", topology)
        .file("hoard.py", hoard)
        .file("input.txt", &input);
    let ended = project.start(&[]).end().expect_code(0);
    let mut lines: Vec<_> = ended.out.lines().map(|line| format!("{line}\n")).collect();
    lines.sort_unstable();
    assert_eq!(lines.concat(), input, "{}", ended.err);
}
