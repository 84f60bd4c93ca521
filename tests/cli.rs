//! The command line, as a user types it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use galewire::base::ExitCode;
use galewire::cli::{Output, main_from};
use galewire::topology::{Overrides, load};

use crate::check::environment;
use crate::kinds::registry;

fn galewire(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("galewire").unwrap();
    command.args(arguments).env("NO_COLOR", "1");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_bad_file_ends_with_its_own_code() {
    let output = galewire(&["check", "tests/check/syntax.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let told = text(&output.stderr);
    assert!(told.contains("--> tests/check/syntax.toml:1:"), "{told}");
    assert!(told.contains("tests/check/syntax.toml: "), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_wrong_command_line_ends_with_code_2() {
    let output = galewire(&["chekc"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("check"));
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let output = galewire(&["help", "exit-codes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    assert!(told.contains("  3  the topology file has errors; nothing was started"), "{told}");
    for command in ["check", "plan", "components", "new"] {
        let output = galewire(&["help", command]).output().unwrap();
        assert!(text(&output.stdout).contains("Examples:"), "{command}");
    }
    let output = galewire(&["--help"]).output().unwrap();
    assert!(text(&output.stdout).contains("galewire help exit-codes"));
}

#[test]
fn the_schema_is_json() {
    let output = galewire(&["schema"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["title"], "Galewire topology");
}

#[test]
fn new_topologies_are_complete_and_never_overwrite() {
    for (language, bolt, test) in
        [("python", "split.py", "test_split.py"), ("node", "split.mjs", "split.test.mjs")]
    {
        let dir = tempfile::tempdir().unwrap();
        let make = || {
            let mut command = galewire(&["new", "hello", "--lang", language]);
            command.current_dir(dir.path()).output().unwrap()
        };
        assert_eq!(make().status.code(), Some(0));
        for file in [bolt, test, "hello.toml", "README.md", "data/lines.txt"] {
            let text = fs::read_to_string(dir.path().join("hello").join(file)).unwrap();
            assert!(!text.contains('@') || file == bolt, "{file}: {text}");
        }
        fs::write(dir.path().join("hello").join(bolt), "mine").unwrap();
        let again = make();
        assert_eq!(again.status.code(), Some(1));
        assert!(text(&again.stderr).contains("is there already"));
        let kept = fs::read_to_string(dir.path().join("hello").join(bolt)).unwrap();
        assert_eq!(kept, "mine");
    }
}

#[test]
fn a_topology_needs_a_good_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = galewire(&["new", "Hello World"]);
    let output = command.current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot be a topology's name"));
    assert!(!Path::new(dir.path()).join("Hello World").exists());
}

/// A writer whose text can be read afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command with the kinds of these tests: exit code, results, messages.
fn within(arguments: &[&str]) -> (ExitCode, String, String) {
    let (out, err) = (Page::default(), Page::default());
    let mut output = Output::to(out.clone(), err.clone());
    let line = ["galewire"].iter().chain(arguments).copied();
    let code = main_from(line, &registry(), &mut output);
    let (out, err) = (text(&out.0.lock().unwrap()), text(&err.0.lock().unwrap()));
    (code, out, err)
}

#[test]
fn components_are_listed_with_their_options() {
    let (code, listed, _) = within(&["components"]);
    assert_eq!(code, ExitCode::Success);
    assert!(listed.contains("spout  file   reads the lines of a file"), "{listed}");
    let (_, file, _) = within(&["components", "file"]);
    assert!(file.starts_with("spout file: reads the lines of a file\n"), "{file}");
    for words in [
        "path       string           required  The file to read.",
        "\"text\" | \"json\"  optional  How",
    ] {
        assert!(file.contains(words), "{file}");
    }
    let (code, _, told) = within(&["components", "fiel"]);
    assert_eq!(code, ExitCode::Usage);
    assert!(told.contains("there is no component `fiel`"), "{told}");
}

#[test]
fn new_topologies_are_right_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for language in ["python", "node"] {
        let folder = dir.path().join(format!("hello-{language}"));
        let (code, ..) = within(&["new", folder.to_str().unwrap(), "--lang", language]);
        assert_eq!(code, ExitCode::Success);
        let path = folder.join(format!("hello-{language}.toml"));
        let checked = load(&path, &Overrides::default(), &environment(), &registry());
        assert!(checked.diagnostics.is_empty(), "{}", checked.render_plain());
        assert!(checked.plan.is_some());
    }
}

#[test]
fn every_setting_can_be_looked_up() {
    let (code, settings, _) = within(&["help", "settings"]);
    assert_eq!(code, ExitCode::Success);
    assert!(settings.contains("message_timeout = \"30s\""));
}
