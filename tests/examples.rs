//! The example topologies, as a user runs them.

use std::process::Command;

use super::harness::galewire;

fn run(topology: &str, arguments: &[&str]) -> String {
    let mut command = galewire();
    let output = command.args(["run", topology]).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(!told.contains("warning") && !told.contains("error"), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn word_count_equals_coreutils() {
    let script = "tr -cs 'A-Za-z' '\\n' < topologies/data/moby-dick.txt | tr 'A-Z' 'a-z' \
                  | grep -E '^.{3,}$' | sort | uniq -c | awk '{print $2\"\\t\"$1}'";
    let expected = Command::new("sh").args(["-c", script]).env("LC_ALL", "C").output().unwrap();
    let expected = String::from_utf8(expected.stdout).unwrap();
    assert!(expected.lines().count() > 10_000);
    let counted = run("topologies/word-count.toml", &[]);
    assert!(sorted(&counted) == sorted(&expected), "counts differ");
}

#[test]
fn a_spout_in_python_gives_out_every_message() {
    let squares = run("topologies/spout-python.toml", &[]);
    assert_eq!(squares.lines().count(), 10);
    assert!(squares.contains("10\t100\n"));
}

#[test]
fn a_spout_in_node_gives_out_every_message() {
    let expected: Vec<_> = (0..=10).rev().map(|n| n.to_string()).collect();
    assert_eq!(run("topologies/spout-node.toml", &[]).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn streams_part_good_lines_from_bad_ones() {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.jsonl");
    let set = format!("bolts.rejects.config.path={}", rejects.display());
    let totals = run("topologies/streams.toml", &["--set", &set]);
    assert_eq!(sorted(&totals), ["apples\t2", "pears\t2"]);
    let rejected = std::fs::read_to_string(rejects).unwrap();
    assert_eq!(
        sorted(&rejected),
        [
            r#"{"line":"7","reason":"names no item"}"#,
            r#"{"line":"some plums","reason":"does not start with a number"}"#,
        ]
    );
}

#[test]
fn direct_grouping_reaches_the_task_that_was_named() {
    let numbers = run("topologies/direct.toml", &[]);
    let expected: Vec<_> =
        (1..=10).map(|n| format!("{}\t{n}", if n % 2 == 0 { "even" } else { "odd" })).collect();
    let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(sorted(&numbers), expected);
}

#[test]
fn a_bolt_of_ones_own_gets_the_whole_command_line() {
    // Built by cargo beside this test.
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_galewire"))
        .parent()
        .unwrap()
        .join("examples/rust-bolt");
    let output = Command::new(own).args(["run", "topologies/rust-bolt.toml"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().filter(|line| *line == "fizz").count(), 5);
    assert_eq!(printed.lines().count(), 15);
}
