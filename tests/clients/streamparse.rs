//! streamparse: the project that its quickstart makes, batches, ticks and replays.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use super::super::harness::{Project, Running, wait_for};
use super::installed::{block, copy, libraries, project};

/// streamparse's quickstart project, as it lies in the released package.
fn quickstart(topology: &str) -> Project {
    let pattern =
        libraries().join("python/lib/python3*/site-packages/streamparse/bootstrap/project");
    let released = glob::glob(pattern.to_str().unwrap()).unwrap().next().unwrap().unwrap();
    let project = project("streamparse", &[]);
    std::fs::remove_dir_all(project.path("src")).unwrap();
    copy(&released, &project.path(""));
    project.file("topology.toml", topology)
}

/// The counts of each word, in the order in which they were printed.
fn series(out: &str) -> BTreeMap<&str, Vec<u64>> {
    let mut series: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for line in out.lines() {
        let (word, count) = line.split_once('\t').unwrap();
        series.entry(word).or_default().push(count.parse().unwrap());
    }
    series
}

/// The four words come in turn, and "dog" counts for ten.
fn assert_quickstart_counts(topology: &str) {
    let project = quickstart(topology);
    let run = project.start(&["--json"]);
    wait_for("2,000 words to be counted", || {
        let counters = run.counters("count_bolt")?;
        (counters["emitted"].as_u64()? > 2000).then_some(())
    });
    Running::signal(run.pid(), Signal::SIGINT);
    let ended = run.end().expect_code(0);
    let series = series(&ended.out);
    assert_eq!(series.keys().copied().collect::<Vec<_>>(), ["cat", "dog", "elephant", "zebra"]);
    for (word, counts) in series {
        let step = if word == "dog" { 10 } else { 1 };
        let expected: Vec<u64> = (1..=counts.len() as u64).map(|n| n * step).collect();
        assert_eq!(counts, expected, "{word}: {}", ended.err);
    }
}

#[test]
fn its_quickstart_project_runs_as_it_is() {
    assert_quickstart_counts(block("wordcount.toml"));
}

#[test]
fn its_quickstart_project_runs_over_msgpack() {
    let topology = block("wordcount.toml").replace(
        "[\"streamparse_run\"",
        "[\"python3\", \"-m\", \"streamparse.run\", \"-s\", \"msgpack\"",
    );
    assert_quickstart_counts(&topology);
}

#[test]
fn its_quickstart_project_survives_the_kill_of_each_child() {
    let project = quickstart(block("wordcount.toml"));
    let run = project.start(&["--json"]);
    let emitted = || run.counters("count_bolt")?["emitted"].as_u64();
    for script in ["WordSpout", "WordCountBolt"] {
        let before = wait_for("words to be counted", || emitted().filter(|count| *count > 100));
        let victim = run.process(script);
        Running::signal(victim, Signal::SIGKILL);
        wait_for("the child to be replaced", || {
            run.processes(script).into_iter().find(|pid| *pid != victim)
        });
        wait_for("more words", || emitted().filter(|count| *count > before + 100));
    }
    Running::signal(run.pid(), Signal::SIGINT);
    run.end().expect_code(0);
}

#[test]
fn a_batching_bolt_gets_its_ticks_and_acks_its_batches() {
    let topology = r#"
name = "batches"
[spouts.words]
type = "generate"
config = { count = 1000, fields = { word = ["to", "be", "or", "not"] } }
[bolts.batches]
command = ["streamparse_run", "bolts.batches.Batches"]
dir = "src"
inputs = ["words"]
outputs = ["word", "count"]
tick = "100ms"
[bolts.print]
type = "print"
inputs = ["batches"]
"#;
    let ended = project("streamparse", &[]).file("topology.toml", topology).run(&[]).expect_code(0);
    let sums: BTreeMap<_, u64> =
        series(&ended.out).into_iter().map(|(word, counts)| (word, counts.iter().sum())).collect();
    let expected = BTreeMap::from([("be", 250), ("not", 250), ("or", 250), ("to", 250)]);
    assert_eq!(sums, expected, "{}", ended.err);
}

#[test]
fn a_reliable_spout_gives_out_again_what_a_bolt_failed() {
    let topology = r#"
name = "replays"
[spouts.lines]
command = ["streamparse_run", "spouts.lines.Lines"]
dir = "src"
outputs = ["line"]
config = { path = "input.txt" }
[bolts.fickle]
command = ["streamparse_run", "bolts.fickle.Fickle"]
dir = "src"
inputs = ["lines"]
outputs = ["word"]
[bolts.sink]
type = "write"
inputs = ["fickle"]
config = { path = "output.txt" }
"#;
    let input: String = (0..200).map(|n| format!("line-{n}\n")).collect();
    let project =
        project("streamparse", &[]).file("topology.toml", topology).file("input.txt", &input);
    let run = project.start(&[]);
    wait_for("every line", || (project.lines("output.txt") >= 200).then_some(()));
    Running::signal(run.pid(), Signal::SIGINT);
    let ended = run.end().expect_code(0);
    let (mut lines, mut expected): (Vec<_>, Vec<_>) = (
        project.read("output.txt").lines().map(str::to_owned).collect(),
        input.lines().map(str::to_owned).collect(),
    );
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{}", ended.err);
}
