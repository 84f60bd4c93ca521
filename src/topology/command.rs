//! Components with a program of their own: what is run, and the options of the kind `command`.
//!
//! It runs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::bounds;
use super::environment::Environment;
use super::node::Table;
use super::plan::Program;
use super::settings::ChildTimings;
use super::source::{Sources, Spanned};
use super::spec::{Body, ComponentSpec, Spec};
use super::switches::Switches;

/// The kind that runs programs.
pub const KIND: &str = "command";

/// Stands for the folder of the SDKs in a command.
const SDK: &str = "{sdk}";

/// The languages that are treated in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// The language of a program, by its name: `python3.11` and `/usr/bin/node` are known.
    pub(crate) fn of_program(program: &str) -> Option<Self> {
        let name = program.rsplit('/').next().unwrap_or(program);
        let version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.');
        if name.strip_prefix("python").is_some_and(version) {
            return Some(Self::Python);
        }
        let node = name.strip_prefix("nodejs").or(name.strip_prefix("node"));
        node.is_some_and(version).then_some(Self::Node)
    }
}

/// `FILE:NAME` of an SDK component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler<'a> {
    pub(crate) file: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> Handler<'a> {
    /// Splits at the last colon; `None` where a part is missing.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (file, name) = text.rsplit_once(':')?;
        (!file.is_empty() && !name.is_empty()).then_some(Self { file, name })
    }
}

/// What is run, and where.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) program: Program,
    pub(crate) language: Option<Language>,
    /// The `PATH` that the program is looked for in.
    pub(crate) search: Option<String>,
}

/// What a component with a program runs; `None` for others.
pub(crate) fn invocation(
    component: &ComponentSpec,
    spec: &Spec,
    sources: &Sources,
    environment: &Environment,
) -> Option<Invocation> {
    let (body_span, body) = component.bodies.first()?;
    let (command, language) = match body {
        Body::Kind(_) => return None,
        Body::Command(words) => {
            let words: Vec<String> = words.value.iter().map(|word| word.value.clone()).collect();
            let language = words.first().and_then(|word| Language::of_program(word));
            (words, language)
        }
        Body::Python(handler) => {
            let python = python(&spec.settings, sources);
            let command = [&python, "-m", "galewire", &handler.value];
            (command.map(str::to_owned).to_vec(), Some(Language::Python))
        }
        Body::Node(handler) => {
            let node = interpreter(&spec.settings, "node", sources);
            let node = node.unwrap_or_else(|| "node".to_owned());
            let run = format!("{SDK}/node/galewire/run.mjs");
            (vec![node, run, handler.value.clone()], Some(Language::Node))
        }
    };
    let dir = match component.table.text("dir") {
        Some(dir) => sources.dir_of(dir.span).join(dir.value),
        None => sources.dir_of(*body_span).to_owned(),
    };
    let env = env(&component.table);
    let search = env.get("PATH").map(String::as_str);
    Some(Invocation {
        search: search.or(environment.get("PATH")).map(str::to_owned),
        program: Program { command, dir, env, bounds: bounds::shown(&component.table) },
        language,
    })
}

fn env(table: &Table) -> BTreeMap<String, String> {
    let entries = table.table("env").map(|table| table.0.as_slice());
    entries
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.node.as_text()?.to_owned())))
        .collect()
}

/// The Python of SDK components.
fn python(settings: &Table, sources: &Sources) -> String {
    interpreter(settings, "python", sources).unwrap_or_else(|| {
        let dir = sources.dir_of(super::source::Span::NOWHERE);
        let beside = dir.join(".venv/bin/python");
        if beside.is_file() { beside.display().to_string() } else { "python3".to_owned() }
    })
}

/// The interpreter that `[topology]` names; a path is relative to the file that says so.
fn interpreter(settings: &Table, key: &str, sources: &Sources) -> Option<String> {
    let Spanned { value, span } = settings.text(key)?;
    if value.contains('/') {
        let path: PathBuf = sources.dir_of(span).join(&value);
        return Some(path.display().to_string());
    }
    Some(value)
}

/// What the kind `command` is built from.
pub(crate) fn options(
    component: &ComponentSpec,
    invocation: &Invocation,
    switches: &Switches,
    settings: &Table,
    environment: &Environment,
) -> Value {
    let table = &component.table;
    let timings = ChildTimings::read(settings);
    let config = component.config.as_ref();
    json!({
        "command": invocation.program.command,
        "dir": invocation.program.dir,
        "env": invocation.program.env,
        "env_inherit": bounds::env_inherit(table),
        "limits": bounds::limits(table),
        "config": config.map_or_else(|| json!({}), |entry| entry.node.to_json()),
        "language": invocation.language.map(Language::as_str),
        "protocol": switches.protocol,
        "heartbeat": switches.heartbeat,
        "activation": switches.activation,
        "task_ids": if switches.ids_ahead { "ahead" } else { "on_request" },
        "nexts": switches.nexts,
        "max_in_flight": table.number("max_in_flight"),
        "timeout_ms": table.duration("timeout").map(millis),
        "handshake_timeout_ms": millis(timings.handshake),
        "heartbeat_timeout_ms": millis(timings.heartbeat),
        "stop_grace_ms": millis(timings.stop_grace),
        "utf8_locale": environment.utf8_locale(),
        "path": environment.get("PATH").unwrap_or_default(),
        "pythonpath": environment.get("PYTHONPATH"),
        "nodepath": environment.get("NODE_PATH"),
        "batch": true,
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The script in a command, where its program is an interpreter that is known to take one: the first
/// argument that is no flag. A flag that brings the program text or a module along means no script.
pub(crate) fn script(command: &[Spanned<String>]) -> Option<&Spanned<String>> {
    const INTERPRETERS: &[&str] = &["ruby", "perl", "bash", "sh", "php", "lua", "deno", "bun"];
    let (program, arguments) = command.split_first()?;
    let name = Path::new(&program.value).file_name()?.to_str()?;
    if Language::of_program(name).is_none() && !INTERPRETERS.contains(&name) {
        return None;
    }
    for argument in arguments {
        match argument.value.as_str() {
            "-u" | "-B" | "-E" | "-I" | "-s" | "-S" | "-O" | "-OO" | "-b" | "-q" | "-w" => {}
            flag if flag.starts_with("--") && flag.contains('=') => {}
            flag if flag.starts_with('-') => return None,
            "run" if name == "deno" || name == "bun" => {}
            _ => return Some(argument),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::source::Span;
    use super::*;

    #[test]
    fn languages_are_known_by_their_programs() {
        for (program, language) in [
            ("python3", Some(Language::Python)),
            ("/opt/x/bin/python3.11", Some(Language::Python)),
            ("node", Some(Language::Node)),
            ("nodejs", Some(Language::Node)),
            ("pythonic", None),
            ("nodemon", None),
        ] {
            assert_eq!(Language::of_program(program), language, "{program}");
        }
    }

    #[test]
    fn scripts_are_told_from_flags() {
        for (command, expected) in [
            ("python3 split.py", Some("split.py")),
            ("python3 -u split.py --fast", Some("split.py")),
            ("python3 -m streamparse.run x", None),
            ("node --max-old-space-size=64 a.js", Some("a.js")),
            ("node -e 1", None),
            ("./split", None),
            ("python3", None),
        ] {
            let words: Vec<_> = command
                .split(' ')
                .map(|word| Spanned::new(word.to_owned(), Span::NOWHERE))
                .collect();
            let found = script(&words).map(|word| word.value.as_str());
            assert_eq!(found, expected, "{command}");
        }
    }

    #[test]
    fn handlers_have_a_file_and_a_name() {
        let handler = Handler::parse("a/b.py:split").unwrap();
        assert_eq!((handler.file, handler.name), ("a/b.py", "split"));
        assert_eq!(Handler::parse("b.py"), None);
        assert_eq!(Handler::parse("b.py:"), None);
    }
}
