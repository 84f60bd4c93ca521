//! `multilang/REQUIREMENTS.md`, held against the tests: each number has one that names it.
//!
//! A test names a requirement by beginning with its number, as `c07_…`. The document's list of tests
//! is written by `UPDATE_SNAPSHOTS=1 cargo test --test main requirements::`.

use std::collections::BTreeMap;
use std::fs;

const DOCUMENT: &str = "multilang/REQUIREMENTS.md";
const HEADING: &str = "## The tests\n";

/// Requirements that are stated and not kept yet. Exactly these may have no test.
const PENDING: &[u32] = &[];

/// Stated for completeness: not needed, so nothing to test.
const NOT_NEEDED: &[u32] = &[54];

/// The requirement that a line of the document states: `| C7 | …`.
fn stated(line: &str) -> Option<u32> {
    line.strip_prefix("| C")?.split(' ').next()?.parse().ok()
}

/// The requirement that a function names: `fn c07_…`.
fn named(line: &str) -> Option<(u32, &str)> {
    let (name, _) = line.trim_start().strip_prefix("fn ")?.split_once('(')?;
    let (number, _) = name.strip_prefix('c')?.split_once('_')?;
    Some((number.parse().ok()?, name))
}

/// The names of all tests that name a requirement.
fn tests() -> BTreeMap<u32, Vec<String>> {
    let mut all: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for pattern in ["src/**/*.rs", "tests/*.rs"] {
        for path in glob::glob(pattern).unwrap() {
            let text = fs::read_to_string(path.unwrap()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2).filter(|pair| pair[0].trim() == "#[test]") {
                if let Some((number, name)) = named(pair[1]) {
                    all.entry(number).or_default().push(name.to_owned());
                }
            }
        }
    }
    for names in all.values_mut() {
        names.sort();
    }
    all
}

/// The list that stands at the end of the document.
fn list(tests: &BTreeMap<u32, Vec<String>>) -> String {
    let line = |(number, names): (&u32, &Vec<String>)| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("- C{number}: {}\n", names.join(", "))
    };
    tests.iter().map(line).collect()
}

#[test]
fn every_requirement_has_a_test_that_names_it() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let stated: Vec<u32> = document.lines().filter_map(stated).collect();
    assert_eq!(stated, (1..=54).collect::<Vec<_>>(), "the numbers of {DOCUMENT}");
    let tests = tests();
    let without = stated.iter().filter(|number| !tests.contains_key(number));
    let without: Vec<u32> =
        without.filter(|number| !NOT_NEEDED.contains(number)).copied().collect();
    assert_eq!(without, PENDING, "requirements without a test");
    let unknown: Vec<_> = tests.iter().filter(|(number, _)| !stated.contains(number)).collect();
    assert!(unknown.is_empty(), "tests that name no requirement: {unknown:?}");
}

#[test]
fn the_document_lists_the_tests_there_are() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let at = document.find(HEADING).unwrap() + HEADING.len();
    let prose = document[at..].split_inclusive("\n\n").take_while(|part| !part.starts_with("- "));
    let start = at + prose.map(str::len).sum::<usize>();
    let expected = list(&tests());
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(DOCUMENT, format!("{}{expected}", &document[..start])).unwrap();
        return;
    }
    assert_eq!(&document[start..], expected, "UPDATE_SNAPSHOTS=1 writes the list anew");
}
