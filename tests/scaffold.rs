//! A new topology runs at once, and so do its tests.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::harness::galewire;

struct Scaffold {
    folder: tempfile::TempDir,
}

impl Scaffold {
    fn new(language: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = galewire()
            .args(["new", "hello", "--lang", language])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success());
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
