//! The layers and the doors, kept: reads `src/` and fails where the design is not followed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import besides itself. A star is everything.
const LAYERS: &[(&str, &str)] = &[
    ("base", ""),
    ("metrics", "base"),
    ("tuple", "base"),
    ("dead_letter", "base tuple"),
    ("grouping", "base tuple"),
    ("ack", "base metrics tuple"),
    ("component", "base metrics tuple dead_letter"),
    ("state", "base metrics tuple component"),
    ("window", "base metrics tuple component"),
    ("topology", "base tuple grouping component"),
    ("transport", "base metrics tuple"),
    ("multilang", "base metrics tuple component"),
    ("builtin", "base metrics tuple dead_letter component state window multilang"),
    ("executor", "base metrics tuple dead_letter grouping ack component state topology transport"),
    ("control", "base metrics topology"),
    (
        "worker",
        "base metrics tuple dead_letter grouping ack component state window topology transport executor control",
    ),
    ("supervisor", "base metrics component topology control"),
    ("http", "base metrics topology supervisor"),
    ("cli", "*"),
    ("fuzz", "*"),
    ("simulation", "*"),
];

/// One door for each outside thing: the words that only these places may use.
const DOORS: &[(&[&str], &[&str])] = &[
    (
        &["tokio::spawn", "task::spawn", "Handle::spawn", "thread::spawn", "thread::Builder"],
        &["base/"],
    ),
    (&["process::Command"], &["multilang/", "supervisor/", "cli/bench/measure.rs"]),
    (&["env::var", "env::set_var", "env::remove_var"], &["topology/", "multilang/inherit.rs"]),
    (
        &["println!", "print!", "eprintln!", "eprint!", "io::stdout", "io::stderr", "anstream::"],
        &["cli/", "builtin/print.rs"],
    ),
    (&["Instant::now", "SystemTime::now"], &["base/"]),
];

const LONGEST_FILE: usize = 450;
const LONGEST_FUNCTION: usize = 70;

/// A source file: its path below `src/` and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The module it belongs to: the folder, or the file's own name at the top.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Numbered lines of code, without comments, strings and tests. Tests stand last.
    fn code(&self) -> impl Iterator<Item = (usize, String)> {
        let lines = self.text.lines().enumerate();
        lines
            .take_while(|(_, line)| *line != "#[cfg(test)]")
            .map(|(number, line)| (number + 1, without_text(line)))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                found.push(Source {
                    path: below.to_str().unwrap().to_owned(),
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 30, "src/ was not found");
    found
}

/// A line with the insides of its string and character literals, and its comment, left out.
fn without_text(line: &str) -> String {
    let mut kept = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => break,
            '"' => {
                while let Some(inner) = letters.next() {
                    match inner {
                        '\\' => drop(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                kept.push_str("\"\"");
            }
            '\'' => {
                // A character, or else a lifetime.
                let ahead: Vec<char> = letters.clone().take(3).collect();
                match ahead.as_slice() {
                    ['\\', _, ..] => {
                        letters.next();
                        letters.next();
                        letters.by_ref().find(|&inner| inner == '\'');
                    }
                    [_, '\'', ..] => {
                        letters.next();
                        letters.next();
                    }
                    _ => {}
                }
            }
            _ => kept.push(letter),
        }
    }
    kept
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The modules that follow `crate::` in a line, also in `crate::{a, b::c}`.
fn imported(line: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for part in line.split("crate::").skip(1) {
        let word = |text: &str| {
            let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let text = text.trim_start();
            text[..text.find(|c| !letter(c)).unwrap_or(text.len())].to_owned()
        };
        match part.strip_prefix('{') {
            Some(list) => modules.extend(list.split(',').map(word)),
            None => modules.push(word(part)),
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

#[test]
fn modules_import_only_from_the_layers_below_them() {
    let layers: BTreeMap<&str, &str> = LAYERS.iter().copied().collect();
    let mut complaints = Vec::new();
    for source in sources() {
        let module = source.module();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(allowed) = layers.get(module) else {
            complaints.push(format!("src/{}: module `{module}` has no layer", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for other in imported(&line) {
                let is_module = layers.contains_key(other.as_str());
                let fine = other == module || allowed.split(' ').any(|name| name == other);
                if is_module && !fine && *allowed != "*" {
                    complaints.push(format!(
                        "src/{}:{number}: `{module}` must not import `{other}`",
                        source.path
                    ));
                }
            }
            if line.contains("super::super::") && source.path.matches('/').count() < 2 {
                complaints.push(format!("src/{}:{number}: say `crate::`", source.path));
            }
        }
    }
    complain(&complaints);
}

#[test]
fn layers_have_no_circle() {
    for (place, (module, allowed)) in LAYERS.iter().enumerate() {
        for other in allowed.split(' ').filter(|name| !name.is_empty() && *name != "*") {
            let below = LAYERS.iter().position(|(name, _)| *name == other);
            assert!(below.is_some_and(|below| below < place), "{module} above {other}");
        }
    }
}

#[test]
fn each_outside_thing_has_one_door() {
    let mut complaints = Vec::new();
    let in_tests = |source: &Source| source.path.contains("/tests/");
    for source in sources().into_iter().filter(|source| !in_tests(source)) {
        for (number, line) in source.code() {
            for (words, places) in DOORS {
                let inside = places.iter().any(|place| source.path.starts_with(place));
                let Some(word) = words.iter().find(|word| uses(&line, word)) else {
                    continue;
                };
                if !inside {
                    let places = places.join(" and ");
                    complaints.push(format!(
                        "src/{}:{number}: `{word}` is only for {places}",
                        source.path
                    ));
                }
            }
        }
    }
    complain(&complaints);
}

/// Whether the word stands in the line, not as the end of a longer one.
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
    })
}

#[test]
fn zeromq_is_named_in_one_file_of_transport() {
    let naming: Vec<String> = sources()
        .iter()
        .filter(|source| source.code().any(|(_, line)| line.contains("zeromq::")))
        .map(|source| source.path.clone())
        .collect();
    assert!(naming.len() <= 1, "{naming:?}");
    assert!(naming.iter().all(|path| path.starts_with("transport/")), "{naming:?}");
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.code().count(), &source.path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("src/{path}: {lines} lines, {LONGEST_FILE} at most"))
        .collect();
    complain(&long);
}

#[test]
fn functions_stay_short() {
    let mut complaints = Vec::new();
    for source in sources() {
        // Where a function's body was opened, at which depth, and on which line it began.
        let mut depth = 0_usize;
        let mut begun: Option<usize> = None;
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (number, line) in source.code() {
            let starts = line.trim_start();
            if starts.split(' ').take(5).any(|word| word == "fn") && !starts.starts_with("type ") {
                begun = Some(number);
            }
            for letter in line.chars() {
                match letter {
                    '{' => {
                        if let Some(first) = begun.take() {
                            open.push((depth, first));
                        }
                        depth += 1;
                    }
                    '}' => {
                        depth = depth.saturating_sub(1);
                        if let Some((_, first)) = open.pop_if(|(at, _)| *at == depth) {
                            let length = number - first + 1;
                            if length > LONGEST_FUNCTION {
                                complaints.push(format!(
                                    "src/{}:{first}: {length} lines, {LONGEST_FUNCTION} at most",
                                    source.path
                                ));
                            }
                        }
                    }
                    ';' => begun = None,
                    _ => {}
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn mod_files_hold_prose_and_re_exports_only() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.path.ends_with("/mod.rs")) {
        let mut in_use = false;
        for (number, line) in source.code() {
            let line = line.trim();
            let fine = in_use
                || line.is_empty()
                || line.starts_with("#[cfg")
                || [
                    "mod ",
                    "pub mod ",
                    "pub(crate) mod ",
                    "use ",
                    "pub use ",
                    "pub(crate) use ",
                    "pub(super) use ",
                ]
                .iter()
                .any(|start| line.starts_with(start));
            if !fine {
                complaints.push(format!("src/{}:{number}: {line}", source.path));
            }
            if line.contains("use ") {
                in_use = true;
            }
            if line.ends_with(';') {
                in_use = false;
            }
        }
    }
    complain(&complaints);
}

#[test]
fn modules_open_with_their_job() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("src/{}: no `//!` at the top", source.path))
        .collect();
    complain(&silent);
}

#[test]
fn text_is_left_out_of_lines() {
    assert_eq!(without_text("let a = \"{\\\"\"; // }"), "let a = \"\"; ");
    assert_eq!(without_text("'a' | '{' | '\\n' => &'x str"), " |  |  => &x str");
    assert_eq!(imported("use crate::{base::TaskId, tuple};"), ["base", "tuple"]);
    assert_eq!(imported("crate::tuple::Tuple"), ["tuple"]);
    assert!(uses("std::env::var(x)", "env::var"));
    assert!(!uses("eprintln!(x)", "println!"));
}
