//! Topology files, with what they are changed by, up to the plan and everything that shows it.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::component::Registry;
use crate::topology::{Environment, Overrides, dot, json, load, mermaid, table};

/// A topology file; what stands behind `# set: ` in a line of its own is given as `--set`.
///
/// # Panics
/// Where the folder for the file cannot be written.
pub fn topology(data: &[u8]) {
    let path = FOLDER.with(|folder| folder.0.join("t.toml"));
    fs::write(&path, data).expect("the temporary folder can be written");
    let text = String::from_utf8_lossy(data);
    let overrides = text.lines().filter_map(|line| line.strip_prefix("# set: "));
    let overrides = Overrides(overrides.take(8).map(str::to_owned).collect());
    let checked = load(&path, &overrides, &environment(), registry());
    let shown = checked.render_plain();
    assert!(checked.plan.is_some() || !shown.is_empty(), "refused without a word");
    assert!(checked.render().len() >= shown.len());
    if let Some(plan) = &checked.plan {
        let _ = (table(plan, Some(80)), json(plan), dot(plan), mermaid(plan));
        let text = serde_json::to_vec(plan).expect("a plan is JSON");
        let again: crate::topology::Plan = serde_json::from_slice(&text).expect("it was one");
        assert_eq!(&again, plan, "a worker reads another plan");
    }
}

thread_local! {
    static FOLDER: Folder = Folder::new();
}

/// A folder of this thread, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let (process, thread) = (std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(format!("gw-fuzz-{process}-{thread:?}"));
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files is no reason to fail.
        let _left = fs::remove_dir_all(&self.0);
    }
}

fn environment() -> Environment {
    Environment::of([("PATH", "/usr/bin:/bin"), ("HOME", "/home/gale"), ("BOOK", "book.txt")])
}

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(crate::builtin::registry)
}
