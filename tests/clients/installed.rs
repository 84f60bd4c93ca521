//! The client libraries, installed once, and what the documents say about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::super::harness::Project;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The page that says what users write for each client.
const PAGE: &str = include_str!("../../docs/storm.md");

/// Where the libraries are; installs them where they are not.
pub(super) fn libraries() -> &'static Path {
    static LIBRARIES: OnceLock<PathBuf> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let script = Path::new(ROOT).join("tests/clients.sh");
        let output = Command::new("sh").arg(script).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        Path::new(ROOT).join("target/clients")
    })
}

/// A project with a client's word-count scripts and with Storm's or npm's libraries beside them,
/// run with the virtual environment active.
pub(super) fn project(scripts: &str, beside: &[&str]) -> Project {
    let project = Project::new();
    copy(&Path::new(ROOT).join("tests/clients/scripts").join(scripts), &project.path(""));
    for library in beside {
        let library = libraries().join(library);
        let name = library.file_name().unwrap();
        copy(&library, &project.path(name.to_str().unwrap()));
    }
    let path = std::env::var("PATH").unwrap();
    project.env("PATH", &format!("{}:{path}", libraries().join("python/bin").display()))
}

/// Copies a file or a folder with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The keys that a client's row of the page's table says, for the component `split`.
pub(super) fn keys(client: &str) -> String {
    let row = PAGE.lines().find(|line| line.starts_with(&format!("| {client} |")));
    let row = row.unwrap_or_else(|| panic!("no row for {client} in the page"));
    let cell = row.split(" | ").nth(1).unwrap().trim_end_matches(" |");
    cell.split('`').skip(1).step_by(2).collect::<Vec<_>>().join("\n")
}

/// A block of the page, by the file name that stands behind its language.
pub(super) fn block(name: &str) -> &'static str {
    let start = format!("```toml {name}\n");
    let (_, rest) = PAGE.split_once(&start).unwrap_or_else(|| panic!("no block {name}"));
    rest.split_once("\n```").unwrap().0
}
