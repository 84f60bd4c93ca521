//! What users are told about bad topology files, word for word.
//!
//! Each `tests/check/*.toml` has the expected text beside it; `# set:` lines in it are `--set`s.
//! `UPDATE_SNAPSHOTS=1` writes the texts anew, to be read before they are committed.

use std::fs;
use std::path::{Path, PathBuf};

use galewire::topology::{Checked, Environment, Overrides, load};
use proptest::prelude::*;

use crate::kinds::registry;

/// Where `python3` and `node` can be found, but nothing else.
pub(crate) fn environment() -> Environment {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/bin");
    Environment::of([
        ("PATH", bin.to_str().expect("invariant: the path is UTF-8")),
        ("HOME", "/home/gale"),
        ("BOOK", "data/book.txt"),
    ])
}

fn check(path: &Path) -> Checked {
    let text = fs::read_to_string(path).unwrap();
    let overrides = text.lines().filter_map(|line| line.strip_prefix("# set: "));
    let overrides = Overrides(overrides.map(str::to_owned).collect());
    load(path, &overrides, &environment(), &registry())
}

/// The same text on every machine.
fn anonymous(text: &str) -> String {
    text.replace(env!("CARGO_MANIFEST_DIR"), "HERE")
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/check").unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_bad_file_is_explained_word_for_word() {
    let mut differences = Vec::new();
    let cases = cases();
    assert!(cases.len() > 15, "the cases are gone");
    for case in cases {
        let found = anonymous(&check(&case).render_plain());
        let expected_in = case.with_extension("txt");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&expected_in, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_in).unwrap_or_default();
        if found != expected {
            differences.push(format!("{}:\n{found}", case.display()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn six_mistakes_are_reported_in_one_run() {
    let checked = check(Path::new("tests/check/six-mistakes.toml"));
    assert!(checked.plan.is_none());
    let text = checked.render_plain();
    assert!(text.ends_with("tests/check/six-mistakes.toml: 6 errors, 2 warnings\n"), "{text}");
}

#[test]
fn warnings_do_not_keep_a_plan_back() {
    let checked = check(Path::new("tests/check/unheard.toml"));
    assert!(checked.plan.is_some());
    assert!(!checked.diagnostics.is_empty());
}

#[test]
fn missing_programs_are_told_from_mistakes() {
    let only_programs = check(Path::new("tests/check/missing-program.toml"));
    assert!(only_programs.diagnostics.only_programs_missing());
    let others_too = check(Path::new("tests/check/programs.toml"));
    assert!(!others_too.diagnostics.only_programs_missing());
}

#[test]
fn colours_are_there_for_terminals() {
    let checked = check(Path::new("tests/check/six-mistakes.toml"));
    assert!(checked.render().contains("\u{1b}["));
    assert!(!checked.render_plain().contains("\u{1b}["));
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_a_suggestion() {
    let path = Path::new("tests/check/six-mistake.toml");
    let checked = load(path, &Overrides::default(), &environment(), &registry());
    assert_eq!(
        checked.render_plain(),
        "error: cannot read `tests/check/six-mistake.toml`: there is no such file\n\
         help: did you mean `six-mistakes.toml`?\n\ntests/check/six-mistake.toml: 1 error\n"
    );
}

#[test]
fn a_flood_of_mistakes_is_counted_and_shown_in_part() {
    let lines: Vec<String> = (0..1000).map(|number| format!("key{number} = 1")).collect();
    let shown = load_text(&lines.join("\n"));
    assert!(shown.contains("and 801 more"), "{shown}");
    assert!(shown.ends_with("t.toml: 1001 errors\n"), "{shown}");
}

#[test]
fn far_too_many_components_are_refused_at_once() {
    let headers = (0..10_001).map(|number| format!("[spouts.s{number}]"));
    let headers: Vec<String> = headers.collect();
    let shown = load_text(&format!("name = \"t\"\n{}", headers.join("\n")));
    assert!(shown.contains("10001 tasks are too many: the most is 10000"), "{shown}");
}

/// A line that looks like one of a topology file.
fn line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "name",
        "spouts",
        "bolts",
        "s",
        "b",
        "type",
        "file",
        "count",
        "command",
        "python",
        "inputs",
        "outputs",
        "config",
        "path",
        "topology",
        "workers",
        "retry",
        "max",
        "fields",
        "grouping",
        "from",
        "extends",
        "parallelism",
        "1",
        "\"30s\"",
        "\"file\"",
        "\"s.x\"",
        "[",
        "]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "\"",
        "'''",
        "\\u",
        "${",
        "${A}",
        "$",
        "é",
        "\u{0}",
        "99999999999999999999",
        "nan",
        "1979-05-27",
        "\r",
        " ",
        "\t",
        "#",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn load_text(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.toml");
    fs::write(&path, text).unwrap();
    let checked = load(&path, &Overrides::default(), &environment(), &registry());
    assert!(checked.plan.is_some() || checked.diagnostics.has_errors());
    checked.render()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn loading_never_panics_on_any_text(text in ".{0,200}") {
        load_text(&text);
    }

    #[test]
    fn loading_never_panics_on_what_looks_like_a_topology(
        lines in prop::collection::vec(line(), 0..12)
    ) {
        load_text(&lines.join("\n"));
    }

    #[test]
    fn loading_never_panics_on_a_damaged_file(at in 0_usize..2000, len in 0_usize..20, put in ".{0,4}") {
        let whole = fs::read_to_string("tests/check/six-mistakes.toml").unwrap();
        let letters: Vec<char> = whole.chars().collect();
        let at = at.min(letters.len());
        let end = (at + len).min(letters.len());
        let damaged: String = letters[..at].iter().collect::<String>()
            + &put
            + &letters[end..].iter().collect::<String>();
        load_text(&damaged);
    }
}
