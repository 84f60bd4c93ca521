//! The files of a new topology. Pure: nothing is written here.

/// The language of the bolt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScaffoldFile {
    /// Relative to the new folder.
    pub(super) path: String,
    pub(super) text: String,
}

/// Whether `check` would take it for a topology's name.
pub(super) fn is_topology_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(letter)
}

/// The files of a topology that counts words with a bolt in that language.
pub(super) fn files(name: &str, language: Language) -> Vec<ScaffoldFile> {
    let (bolt, test_path, test, handler, run_test) = match language {
        Language::Python => (
            ("split.py", include_str!("scaffold/split.py")),
            "test_split.py",
            include_str!("scaffold/test_split.py"),
            "python = \"split.py:split\"",
            "python3 -m pytest",
        ),
        Language::Node => (
            ("split.mjs", include_str!("scaffold/split.mjs")),
            "split.test.mjs",
            include_str!("scaffold/split.test.mjs"),
            "node = \"split.mjs:split\"",
            "node --test",
        ),
    };
    let fill = |text: &str| {
        text.replace("@NAME@", name)
            .replace("@HANDLER@", handler)
            .replace("@BOLT@", bolt.0)
            .replace("@TEST@", test_path)
            .replace("@RUN_TEST@", run_test)
    };
    [
        (format!("{name}.toml"), include_str!("scaffold/topology.toml")),
        (bolt.0.to_owned(), bolt.1),
        (test_path.to_owned(), test),
        ("data/lines.txt".to_owned(), include_str!("scaffold/lines.txt")),
        ("README.md".to_owned(), include_str!("scaffold/README.md")),
    ]
    .map(|(path, text)| ScaffoldFile { path, text: fill(text) })
    .to_vec()
}
