//! The files of a new topology. Pure: nothing is written here.

/// The language of the bolt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
}

/// Where tests and editors find the SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// In the binary, which unpacks it when asked: nothing of it is in the folder.
    Embedded,
    /// In the folder's own `.venv` or `node_modules`.
    Installed,
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

/// The command that runs the bolt's test, in the folder.
pub(super) fn run_test(language: Language, package: Package) -> &'static str {
    match (language, package) {
        (Language::Python, Package::Embedded) => {
            "PYTHONPATH=\"$(galewire sdk)/python\" python3 -m unittest"
        }
        (Language::Python, Package::Installed) => ".venv/bin/python -m unittest",
        (Language::Node, Package::Embedded) => {
            "node --import \"$(galewire sdk)/node/galewire/register.mjs\" --test"
        }
        (Language::Node, Package::Installed) => "node --test",
    }
}

/// The files of a topology that counts words with a bolt in that language.
pub(super) fn files(name: &str, language: Language, package: Package) -> Vec<ScaffoldFile> {
    let (bolt, test, handler) = match language {
        Language::Python => (
            ("split.py", include_str!("scaffold/split.py")),
            ("test_split.py", include_str!("scaffold/test_split.py")),
            "python = \"split.py:split\"",
        ),
        Language::Node => (
            ("split.mjs", include_str!("scaffold/split.mjs")),
            ("split.test.mjs", include_str!("scaffold/split.test.mjs")),
            "node = \"split.mjs:split\"",
        ),
    };
    let topology = format!("{name}.toml");
    let mut files = vec![
        (topology.as_str(), include_str!("scaffold/topology.toml")),
        bolt,
        test,
        ("data/lines.txt", include_str!("scaffold/lines.txt")),
        ("README.md", include_str!("scaffold/README.md")),
    ];
    if package == Package::Installed {
        files.push((".gitignore", ".venv/\nnode_modules/\n__pycache__/\n"));
        if language == Language::Node {
            files.push(("package.json", include_str!("scaffold/package.json")));
        }
    }
    let fill = |text: &str| {
        text.replace("@NAME@", name)
            .replace("@HANDLER@", handler)
            .replace("@BOLT@", bolt.0)
            .replace("@TEST@", test.0)
            .replace("@RUN_TEST@", run_test(language, package))
    };
    let filled =
        |(path, text): (&str, &str)| ScaffoldFile { path: path.to_owned(), text: fill(text) };
    files.into_iter().map(filled).collect()
}
