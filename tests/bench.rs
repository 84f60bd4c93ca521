//! `galewire bench`, with little work: that it measures, compares and says what went wrong.

use std::fs;

use serde_json::Value;

use super::harness::{Project, galewire};

#[test]
fn a_case_is_measured_saved_and_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.json");
    let saved = saved.to_str().unwrap();
    let small = ["bench", "pass", "--scale", "0.001", "--runs", "2"];
    let done = galewire().args(small).args(["--save", saved]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(told.contains("pass: run 2 of 2"), "{told}");
    let table = String::from_utf8(done.stdout).unwrap();
    let header = table.lines().next().unwrap();
    for title in ["messages/s", "CPU s/million", "memory MiB"] {
        assert!(header.contains(title), "{table}");
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(saved).unwrap()).unwrap();
    let runs = kept["cases"][0]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        for figure in ["rate", "cpu_per_million", "memory"] {
            assert!(run[figure].as_f64().unwrap() > 0.0, "{run}");
        }
    }
    let done = galewire().args(small).args(["--against", saved]).output().unwrap();
    let compared = String::from_utf8(done.stdout).unwrap();
    assert!(compared.contains("better by (spread)"), "{compared}");
    assert_eq!(compared.lines().filter(|line| line.trim_start().starts_with("pass")).count(), 3);
}

#[test]
fn another_program_runs_in_turns_with_this_one() {
    let program = assert_cmd::cargo::cargo_bin("galewire");
    let program = program.to_str().unwrap();
    let done = galewire()
        .args(["bench", "diamond", "latency-1k", "--scale", "0.01", "--runs", "1"])
        .args(["--json", "--against", program])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let both: Value = serde_json::from_slice(&done.stdout).unwrap();
    for side in ["this", "other"] {
        let cases = both[side]["cases"].as_array().unwrap();
        assert_eq!(cases[0]["case"], "diamond");
        assert!(cases[0]["runs"][0]["rate"].as_f64().unwrap() > 0.0);
        let figures = &cases[1]["runs"][0];
        let quantile = |name: &str| figures[name].as_f64().unwrap();
        assert!(quantile("p50") > 0.0 && quantile("p50") <= quantile("p999"), "{figures}");
    }
}

const TOPOLOGY: &str = r#"
name = "own"
[spouts.numbers]
type = "generate"
config = { count = 5000, fields = { n = 1 } }
[bolts.null]
type = "null"
inputs = ["numbers"]
"#;

#[test]
fn a_topology_of_ones_own_is_measured_and_a_run_that_fails_is_told() {
    let project = Project::new().file("topology.toml", TOPOLOGY);
    let file = project.path("topology.toml");
    let file = file.to_str().unwrap();
    let done = galewire().args(["bench", file, "--runs", "1", "--json"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let results: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(results["this"]["cases"][0]["runs"][0]["rate"].as_f64().unwrap() > 0.0);
    let done = galewire().args(["bench", "missing.toml", "--runs", "1"]).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("missing.toml"));
}

#[test]
fn a_misspelled_case_is_suggested() {
    let done = galewire().args(["bench", "word-cuont"]).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("did you mean `word-count`?"));
}
