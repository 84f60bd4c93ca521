//! What a child says to people: logs, errors, metrics; and what the engine complains about.
//!
//! A complaint of one kind is logged the first time, then at every tenfold count, so that a child
//! that is wrong a million times fills a metric and not the disk.

use std::collections::BTreeMap;

use crate::component::{Level, Reporter};
use crate::tuple::{Scanner, Value, parse_value};

use super::super::message::{Hello, Json};

/// One child's desk.
#[derive(Debug)]
pub(crate) struct Desk {
    reporter: Reporter,
    /// Stands before what did not come as a message: the child's process id.
    pid: String,
    complaints: BTreeMap<&'static str, u64>,
    last_error: Option<String>,
    /// The child was told to stop: its complaints about that are no errors.
    stopping: bool,
}

impl Desk {
    /// A desk that hands everything to `reporter`.
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            pid: String::new(),
            complaints: BTreeMap::new(),
            last_error: None,
            stopping: false,
        }
    }

    /// The child said hello. One that runs another version of our SDKs than the engine brings is told
    /// of: it was installed by the user, who may have forgotten it.
    pub(in crate::multilang) fn introduce(&mut self, hello: &Hello<'_>) {
        self.pid = format!(" {}", hello.pid);
        let sdk = hello.sdk.as_deref().unwrap_or("a client of Storm's protocol");
        self.log(Level::Debug, &format!("child {} is up: {sdk}", hello.pid));
        if let Some(warning) = other_version(sdk) {
            self.log(Level::Warn, &warning);
        }
    }

    /// From now on errors are what a stopping child says.
    pub(crate) fn stopping(&mut self) {
        self.stopping = true;
    }

    /// Whether the child was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The last error that the child reported.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Text that the child printed.
    pub(crate) fn stray(&self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.reporter.log(Level::Info, &format!("[stdout{}] {line}", self.pid));
        }
    }

    /// A frame without a message: what it was to say is lost, so this is more than stray text.
    pub(crate) fn unreadable(&mut self, frame: &str) {
        if self.stopping {
            return;
        }
        let start: String = frame.trim_start().chars().take(60).collect();
        let message = format!("sent a frame that no message can be read from: {start:?}");
        self.refuse("frames_unreadable", &message);
    }

    /// A `log` message.
    pub(crate) fn log(&self, level: Level, text: &str) {
        self.reporter.log(level, text);
    }

    /// An `error` message, or a failed tuple's traceback.
    pub(crate) fn error(&mut self, text: &str) {
        if self.stopping {
            self.reporter.log(Level::Debug, text);
            return;
        }
        let (line, detail) = headline(text);
        self.reporter.error(line, detail);
        self.last_error = Some(text.to_owned());
    }

    /// The last error was a tuple's, and the child has survived it: it dies of something else.
    pub(crate) fn forget_error(&mut self) {
        self.last_error = None;
    }

    /// An error that the engine found, with nothing the child said to add.
    pub(crate) fn refuse(&mut self, kind: &'static str, message: &str) {
        let count = self.count(kind);
        if is_round(count) {
            let times = times(count);
            self.reporter.error(&format!("{message}{times}"), None);
        }
    }

    /// Something odd that does no harm: counted, and logged now and then.
    pub(crate) fn complain(&mut self, kind: &'static str, message: &str) {
        let count = self.count(kind);
        if is_round(count) {
            let times = times(count);
            self.reporter.log(Level::Warn, &format!("{message}{times}"));
        }
    }

    fn count(&mut self, kind: &'static str) -> u64 {
        self.reporter.metrics().count(kind, 1.0);
        let count = self.complaints.entry(kind).or_default();
        *count += 1;
        *count
    }

    /// A `metrics` message.
    pub(crate) fn metrics(&self, name: &str, params: Json<'_>) {
        let metrics = self.reporter.metrics();
        let parsed = parse_value(params);
        let field = |name: &str| match &parsed {
            Value::Map(entries) => {
                entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        };
        let kind = field("type").and_then(Value::as_str).unwrap_or_default();
        match kind.as_ref() {
            "counter" => metrics.count(name, field("add").and_then(Value::as_float).unwrap_or(1.0)),
            "gauge" => match field("value").and_then(Value::as_float) {
                Some(value) => metrics.gauge(name, value),
                None => metrics.other(name, params.to_owned()),
            },
            "histogram" => match field("values") {
                Some(Value::List(values)) => values
                    .iter()
                    .filter_map(Value::as_float)
                    .for_each(|value| metrics.observe(name, value)),
                _ => metrics.other(name, params.to_owned()),
            },
            _ => metrics.other(name, strict_or_text(params)),
        }
    }
}

/// JSON text for the metric, quoted where strict JSON would not take it.
fn strict_or_text(params: Json<'_>) -> String {
    debug_assert!(Scanner::new(params).skip_value().is_ok());
    if serde_json::from_str::<serde::de::IgnoredAny>(params).is_ok() {
        params.to_owned()
    } else {
        serde_json::Value::from(params).to_string()
    }
}

/// The line that says what happened (a traceback's last one), and what more there is to say.
fn headline(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_end();
    let first = text.lines().next().unwrap_or_default();
    if first.len() == text.len() {
        return (text, None);
    }
    if first.starts_with("Traceback (most recent call last)") {
        (text.lines().next_back().unwrap_or(first), Some(text))
    } else {
        (first, Some(text[first.len()..].trim_start_matches('\n')))
    }
}

/// What to say where the child's SDK, as in `python 0.1.0`, is ours in another version.
fn other_version(sdk: &str) -> Option<String> {
    const OURS: &str = env!("CARGO_PKG_VERSION");
    let (language, rest) = sdk.split_once(' ')?;
    let version = rest.split(' ').next().filter(|version| *version != OURS)?;
    let (place, folder) = match language {
        "python" => ("the Python environment", ".venv"),
        "node" => ("the node_modules", "."),
        _ => return None,
    };
    Some(format!(
        "runs with galewire {version}, which is installed in {place} of its file; \
         this engine brings {OURS} (`galewire sdk --install {folder}` installs that)"
    ))
}

fn is_round(count: u64) -> bool {
    count == 10_u64.pow(count.max(1).ilog10())
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" ({count} times so far)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_is_headed_by_its_last_line() {
        let trace = "Traceback (most recent call last):\n  File \"a\"\nValueError: no\n";
        assert_eq!(headline(trace).0, "ValueError: no");
        assert_eq!(headline("boom\n  at x.js:1"), ("boom", Some("  at x.js:1")));
        assert_eq!(headline("reported\n"), ("reported", None));
    }

    #[test]
    fn only_our_own_sdks_in_another_version_are_warned_of() {
        let ours = concat!("node ", env!("CARGO_PKG_VERSION"), " storm");
        for sdk in [ours, "ruby 7.1", "a client of Storm's protocol"] {
            assert_eq!(other_version(sdk), None, "{sdk}");
        }
        let warning = other_version("python 0.0.7").unwrap();
        assert!(warning.contains("0.0.7") && warning.contains("--install .venv"), "{warning}");
    }

    #[test]
    fn complaints_are_heard_at_powers_of_ten() {
        let heard: Vec<u64> = (1..=1000).filter(|count| is_round(*count)).collect();
        assert_eq!(heard, [1, 10, 100, 1000]);
    }
}
