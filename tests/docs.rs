//! The documents, held against the truth: commands run, links lead somewhere, tables are the code's.
//!
//! A block marked `console` is run: a line that begins with `$ ` is a command, and the lines below it
//! are its standard output, where `...` stands for any lines. Only commands of galewire are run. A
//! second word after the language of another block is a file that is written there first.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::harness::galewire;

const BINARY: &str = env!("CARGO_BIN_EXE_galewire");

/// Where documents stand; tests run in the root of the repository.
const DOCUMENTS: &[&str] = &["*.md", "docs/**/*.md", "topologies/**/*.md", "multilang/**/*.md"];

fn documents() -> Vec<(PathBuf, String)> {
    let paths = DOCUMENTS.iter().flat_map(|pattern| glob::glob(pattern).unwrap());
    let paths = paths.map(Result::unwrap);
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    paths.filter(|path| !path.to_string_lossy().contains("node_modules")).map(read).collect()
}

fn reference() -> String {
    fs::read_to_string("docs/topology-file.md").unwrap()
}

/// The text below a heading, up to the next heading.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let start = text.find(&format!("\n{heading}\n"));
    let start = start.unwrap_or_else(|| panic!("there is no `{heading}`"));
    let body = &text[start + heading.len() + 2..];
    body.find("\n#").map_or(body, |end| &body[..end])
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The fenced blocks of a document: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    let lines = fenced.map(|block| block.split_once('\n').unwrap_or((block, "")));
    lines.map(|(info, body)| (info.trim(), body.lines().collect())).collect()
}

/// The commands of a console block, each with the lines below it.
fn commands<'t>(lines: &[&'t str]) -> Vec<(&'t str, Vec<&'t str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines.iter().copied().filter(|line| !line.is_empty()) {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command, Vec::new()));
        } else if let Some((_, expected)) = commands.last_mut() {
            expected.push(line);
        }
    }
    commands
}

/// The command as it is run here; `None` where it is none of galewire's.
fn runnable(command: &str) -> Option<String> {
    let example = Path::new(BINARY).parent().unwrap().join("examples/rust-bolt");
    let example = example.to_str().unwrap();
    let command = command
        .replace("cargo run --release --example rust-bolt --", example)
        .replace("cargo run --release --", "galewire");
    // Variables may be set before the program is named.
    let program = command.split(' ').find(|word| !word.contains('='));
    let is_ours = program == Some("galewire") || program == Some(example);
    (is_ours || command.contains("| galewire ")).then_some(command)
}

/// A folder with a copy of the examples, in which the commands of one document are run.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        let copied = Command::new("cp").args(["-r", "topologies"]).arg(room.0.path()).status();
        assert!(copied.unwrap().success());
        fs::create_dir(room.0.path().join(".bin")).unwrap();
        symlink(BINARY, room.0.path().join(".bin/galewire")).unwrap();
        room
    }

    /// What the command prints, or else what went wrong.
    fn run(&self, command: &str) -> Result<String, String> {
        let folder = self.0.path();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", folder.join(".bin").display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder).stdin(Stdio::null());
        shell.env("PATH", path).env("NO_COLOR", "1").env("XDG_STATE_HOME", folder.join(".state"));
        let output = shell.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(printed)
        } else {
            Err(format!("{}\n{printed}{told}", output.status))
        }
    }

    /// Runs a command and looks at what it prints, where something is expected.
    fn check(&self, command: &str, expected: &[&str]) -> Result<(), String> {
        let printed = self.run(command)?;
        let lines: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
        if expected.is_empty() || fits(expected, &lines) { Ok(()) } else { Err(printed) }
    }
}

/// Whether the lines are the expected ones; `...` stands for any lines.
fn fits(expected: &[&str], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((&"...", rest)) => (0..=found.len()).any(|skipped| fits(rest, &found[skipped..])),
        Some((first, rest)) => found.first() == Some(first) && fits(rest, &found[1..]),
    }
}

#[test]
fn commands_of_the_documents_do_what_they_say() {
    let mut complaints = Vec::new();
    let mut ran = 0;
    for (path, text) in documents() {
        let blocks = blocks(&text);
        if !blocks.iter().any(|(info, _)| *info == "console") {
            continue;
        }
        let room = Room::new();
        for (info, lines) in &blocks {
            if let Some((_, file)) = info.split_once(' ') {
                fs::write(room.0.path().join(file), lines.join("\n") + "\n").unwrap();
            }
            let commands = if *info == "console" { commands(lines) } else { Vec::new() };
            for (command, expected) in commands {
                let Some(runnable) = runnable(command) else { continue };
                ran += 1;
                if let Err(wrong) = room.check(&runnable, &expected) {
                    complaints.push(format!("{}: $ {command}\n{wrong}", path.display()));
                }
            }
        }
    }
    complain(&complaints);
    assert!(ran >= 8, "only {ran} commands were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        let prose = text.split("\n```").step_by(2);
        let parts = prose.flat_map(|part| part.split("](").skip(1));
        let targets = parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains(':')) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = path.parent().unwrap().join(file);
            let linked = if file.is_empty() { path.clone() } else { linked };
            let text = fs::read_to_string(&linked).unwrap_or_default();
            if !linked.exists() || !anchor.is_empty() && !has_anchor(&text, anchor) {
                complaints.push(format!("{}: {target}", path.display()));
            }
        }
    }
    complain(&complaints);
}

/// Whether a heading has this anchor, as GitHub makes them.
fn has_anchor(text: &str, anchor: &str) -> bool {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut titles = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    titles.any(|title| title.chars().filter(kept).collect::<String>().replace(' ', "-") == anchor)
}

#[test]
fn the_table_of_exit_codes_is_the_one_that_help_prints() {
    let output = galewire().args(["help", "exit-codes"]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let rows = told.lines().skip(1).filter_map(|line| line.trim_start().split_once("  "));
    let expected: Vec<_> = rows.map(|(code, text)| format!("| {code} | {text} |")).collect();
    assert!(expected.len() > 5, "{told}");
    let reference = reference();
    let rows = section(&reference, "## Exit codes").lines().filter(|line| line.starts_with("| "));
    assert_eq!(rows.skip(1).collect::<Vec<_>>(), expected);
}

#[test]
fn every_setting_stands_in_the_reference_with_its_default() {
    let defaults = fs::read_to_string("conf/defaults.toml").unwrap();
    let pairs = defaults.lines().filter_map(|line| line.split_once(" = "));
    // What has no default is commented out there; prose may have an equals sign in it too.
    let rows = pairs.filter_map(|(name, value)| match name.strip_prefix("# ") {
        None => Some(format!("| `{name}` | `{value}` |")),
        Some(name) => (!name.contains(' ')).then(|| format!("| `{name}` |")),
    });
    let reference = reference();
    complain(&rows.filter(|row| !reference.contains(row)).collect::<Vec<_>>());
}

#[test]
fn every_key_and_option_stands_in_the_reference() {
    let output = galewire().arg("schema").output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let reference = reference();
    let mut complaints = Vec::new();
    let mut check = |table: &Value, name: &str, part: &str| {
        let keys = table["properties"].as_object().into_iter().flatten().map(|(key, _)| key);
        let missing = keys.filter(|key| !part.contains(&format!("| `{key}` |")));
        complaints.extend(missing.map(|key| format!("{name}: {key}")));
    };
    check(&schema, "the top", &reference);
    check(&schema["properties"]["topology"], "[topology]", &reference);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        match name.split('.').collect::<Vec<_>>().as_slice() {
            [role] => check(definition, role, &reference),
            [_, kind] => check(definition, name, section(&reference, &format!("### `{kind}`"))),
            _ => {} // Part of an option.
        }
    }
    complain(&complaints);
}

#[test]
fn the_code_map_is_the_one_that_is_enforced() {
    let rules = fs::read_to_string("tests/architecture.rs").unwrap();
    let layers = rules.split("const LAYERS").nth(1).unwrap().split("];").next().unwrap();
    let enforced: Vec<&str> = layers.split('"').skip(1).step_by(2).collect();
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let rows = section(&text, "## Code map").lines().filter(|line| line.starts_with("| `"));
    let mut described = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let imports = match cells[3] {
            "-" => "",
            "everything" => "*",
            other => other,
        };
        described.extend([cells[1].trim_matches('`'), imports]);
    }
    assert_eq!(described, enforced);
}
