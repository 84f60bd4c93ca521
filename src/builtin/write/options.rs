//! The options of the bolt `write`, as written and as checked. Nothing here touches a file.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::parse_duration;
use crate::builtin::decode::{Format, check_delimiter};
use crate::builtin::inputs::same_fields;
use crate::component::{Bolt, BoltKind, Declaration, Declaring, OptionProblem};

use super::bolt::Write;

/// Options of the bolt `write`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::builtin) struct WriteOptions {
    /// The file to write, relative to the topology file's folder; folders are made. With several
    /// tasks it needs "{task}", which stands for the number of the task, from 0.
    pub(super) path: String,
    /// "text" (default): values joined by a tab; "json": one object a line; "csv": with a header.
    #[serde(default)]
    pub(super) format: Format,
    /// What stands between CSV fields: one character, default ",".
    pub(super) delimiter: Option<String>,
    /// Whether a run adds to a file that is there (default false: it is written anew). A restarted
    /// task always goes on behind its last line.
    #[serde(default)]
    pub(super) append: bool,
    /// How long lines may be gathered before they are written, a duration such as "200ms".
    /// Default: not at all, the next group is written as soon as the last one is.
    pub(super) flush: Option<String>,
    /// Whether tuples are acked only when the disk has them (default true), or as soon as the
    /// operating system has.
    #[serde(default = "yes")]
    pub(super) sync: bool,
}

fn yes() -> bool {
    true
}

/// The options, checked.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(super) delimiter: u8,
    pub(super) gather: Duration,
}

impl WriteOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// All problems at once.
    pub(super) fn check(&self) -> Result<Settings, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        if self.path.is_empty() {
            problems.push(OptionProblem::at("path", "the path is empty"));
        }
        let delimiter = check_delimiter(self.delimiter.as_deref()).unwrap_or_else(|problem| {
            problems.push(problem);
            b','
        });
        if self.delimiter.is_some() && self.format != Format::Csv {
            let message = "`delimiter` is for `format = \"csv\"` only";
            problems.push(OptionProblem::at("delimiter", message));
        }
        let flush = self.flush.as_deref().unwrap_or("0s");
        let gather = parse_duration(flush).unwrap_or_else(|error| {
            problems.push(OptionProblem::at("flush", error.to_string()));
            Duration::ZERO
        });
        if problems.is_empty() { Ok(Settings { delimiter, gather }) } else { Err(problems) }
    }
}

/// The kind `write`.
pub(in crate::builtin) struct WriteKind;

impl BoltKind for WriteKind {
    const NAME: &'static str = "write";
    const SUMMARY: &'static str = "writes tuples to a file as text, JSON or CSV";
    type Options = WriteOptions;

    fn declare(
        options: &WriteOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = options.check().err().unwrap_or_default();
        if declaring.tasks > 1 && !options.path.contains("{task}") {
            let message = format!("{} tasks would write to one file", declaring.tasks);
            let problem = OptionProblem::at("path", message);
            problems.push(problem.with_help(format!("write \"{}\"", with_task(&options.path))));
        }
        if options.format == Format::Csv
            && let Err(message) = same_fields(declaring)
        {
            problems.push(OptionProblem::at("format", message));
        }
        if problems.is_empty() { Ok(Declaration::default()) } else { Err(problems) }
    }

    fn build(options: WriteOptions) -> Box<dyn Bolt> {
        Box::new(Write::new(options))
    }
}

/// The path with `{task}` before the extension of its last part.
fn with_task(path: &str) -> String {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, extension) = path.split_at(name + dot);
            format!("{stem}-{{task}}{extension}")
        }
        _ => format!("{path}-{{task}}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{bolt_problems, declaring};

    #[test]
    fn several_tasks_need_a_path_each() {
        let inputs = declaring(&[("in", &["a"])], 2);
        for (path, fixed) in [
            ("out/a.b.jsonl", "write \"out/a.b-{task}.jsonl\""),
            ("o.d/words", "write \"o.d/words-{task}\""),
        ] {
            let problems = bolt_problems::<WriteKind>(json!({"path": path}), &inputs);
            assert_eq!(problems[0].message, "2 tasks would write to one file");
            assert_eq!(problems[0].help.as_deref(), Some(fixed));
        }
        let options = serde_json::from_value(json!({"path": "{task}.txt"})).unwrap();
        assert!(WriteKind::declare(&options, &inputs).is_ok());
    }

    #[test]
    fn csv_needs_one_set_of_columns_and_durations_a_unit() {
        let inputs = declaring(&[("a", &["x"]), ("b", &["y"])], 1);
        let options = json!({"path": "o", "format": "csv", "flush": "200"});
        let problems = bolt_problems::<WriteKind>(options, &inputs);
        assert_eq!(problems[0].message, "a unit is missing: write \"200s\"");
        assert!(problems[1].message.starts_with("inputs have different fields"));
    }
}
