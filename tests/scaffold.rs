//! A new topology runs at once, and so do its tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::harness::galewire;

struct Scaffold {
    folder: tempfile::TempDir,
}

impl Scaffold {
    fn new(language: &str) -> Self {
        Self::with(&["--lang", language])
    }

    fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = galewire()
            .args(["new", "hello"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        Self { folder }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("hello")
    }

    fn run(&self) -> String {
        let run = galewire().args(["run", "hello.toml"]).current_dir(self.project()).output();
        let run = run.unwrap();
        assert!(run.status.success(), "{}", text(&run.stderr));
        text(&run.stdout)
    }

    fn sdk(&self) -> PathBuf {
        let sdk = galewire().arg("sdk").env("XDG_STATE_HOME", self.folder.path()).output().unwrap();
        PathBuf::from(text(&sdk.stdout).trim())
    }

    fn assert_passes(&self, command: &mut Command) {
        let Output { status, stdout, stderr } =
            command.current_dir(self.project()).output().unwrap();
        assert!(status.success(), "{}{}", text(&stdout), text(&stderr));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_new_python_topology_and_its_test_run_at_once() {
    let scaffold = Scaffold::new("python");
    assert!(scaffold.run().contains("the\t"));
    let mut python = Command::new("python3");
    python.args(["-m", "unittest"]).env("PYTHONPATH", scaffold.sdk().join("python"));
    scaffold.assert_passes(&mut python);
}

#[test]
fn a_new_node_topology_and_its_test_run_at_once() {
    let scaffold = Scaffold::new("node");
    assert!(scaffold.run().contains("the\t"));
    let mut node = Command::new("node");
    node.arg("--import").arg(scaffold.sdk().join("node/galewire/register.mjs")).arg("--test");
    scaffold.assert_passes(&mut node);
}

#[test]
fn a_new_python_environment_has_the_sdk() {
    let scaffold = Scaffold::with(&["--venv"]);
    assert!(scaffold.run().contains("the\t"));
    let python = scaffold.project().join(".venv/bin/python");
    scaffold.assert_passes(Command::new(&python).args(["-m", "unittest"]));
    let shown = Command::new(&python).args(["-m", "pip", "show", "galewire"]).output().unwrap();
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(text(&shown.stdout).contains(&version), "{}", text(&shown.stdout));
    // What the engine installs, pip takes away whole.
    scaffold.assert_passes(Command::new(&python).args([
        "-m",
        "pip",
        "uninstall",
        "-qy",
        "galewire",
    ]));
    let gone = Command::new(&python).args(["-c", "import galewire"]).output().unwrap();
    assert!(text(&gone.stderr).contains("No module named 'galewire'"), "{}", text(&gone.stderr));
}

#[test]
fn a_new_package_json_has_the_sdk_and_npm_leaves_it_alone() {
    let scaffold = Scaffold::with(&["--lang", "node", "--package-json"]);
    assert!(scaffold.run().contains("the\t"));
    scaffold.assert_passes(Command::new("node").arg("--test"));
    scaffold.assert_passes(Command::new("npm").args(["install", "--offline", "--no-audit"]));
    scaffold.assert_passes(Command::new("node").arg("--test"));
}

#[test]
fn a_python_without_venv_is_named_and_the_topology_is_made() {
    let folder = tempfile::tempdir().unwrap();
    // What Debian's python3 says where python3-venv is not installed.
    let debian = "#!/bin/sh\nmkdir -p .venv\ncat <<'END'\nThe virtual environment was not created \
                  successfully because ensurepip is not\navailable.\nEND\nexit 1\n";
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("python3"), debian).unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut new = galewire();
    let made = new.args(["new", "hello", "--venv"]).current_dir(folder.path()).env("PATH", path);
    let made = made.output().unwrap();
    assert_eq!(made.status.code(), Some(1));
    for words in ["apt install python3-venv", "galewire sdk --install hello/.venv"] {
        assert!(text(&made.stderr).contains(words), "{}", text(&made.stderr));
    }
    assert!(folder.path().join("hello/hello.toml").is_file());
    assert!(!folder.path().join("hello/.venv").exists());
}

#[test]
fn flags_of_the_other_language_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["--lang", "node", "--venv"], ["--lang", "python", "--package-json"]] {
        let mut new = galewire();
        let new = new.args(["new", "hello"]).args(arguments).current_dir(folder.path());
        assert_eq!(new.output().unwrap().status.code(), Some(2));
        assert!(!folder.path().join("hello").exists());
    }
}
