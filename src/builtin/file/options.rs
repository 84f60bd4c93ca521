//! The options of the spout `file`, as written and as checked. Nothing here touches a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::decode::{Format, OnError, RecordOptions, RecordSettings};
use crate::component::{
    Declaration, Declaring, OptionProblem, PathSegment, Spout, SpoutKind, StreamDecl, Subject,
};

use super::spout::FileSpout;

/// Where to begin with files that were not read before in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At their first byte.
    #[default]
    Beginning,
    /// Behind their last line: only what is appended from now on is read.
    End,
    /// Where an earlier run of this topology had everything acked, otherwise at the beginning.
    Saved,
}

/// One path or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
pub enum Paths {
    /// One path.
    One(String),
    /// Several paths.
    Many(Vec<String>),
}

/// Options of the spout `file`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::builtin) struct FileOptions {
    /// The file to read, a glob pattern such as "logs/*.log", or a list of both. Relative paths
    /// start at the topology file's folder. Several tasks share the files, one task a file.
    pub(super) path: Paths,
    /// "text" emits each line as `line`; "json" (one object a line) and "csv" emit `fields`.
    #[serde(default)]
    pub(super) format: Format,
    /// The fields to emit, in this order, for "json" and "csv". What a JSON object lacks is null.
    pub(super) fields: Option<Vec<String>>,
    /// Whether the first CSV record names the columns (default true). If not, `fields` names the
    /// columns from the first.
    pub(super) header: Option<bool>,
    /// What stands between CSV fields: one character, default ",".
    pub(super) delimiter: Option<String>,
    /// Go on at the end of a file: wait for more, through rotation and truncation (default false).
    #[serde(default)]
    pub(super) follow: bool,
    /// Where a run begins: "beginning" (default), "end" (with `follow`), or "saved", which goes on
    /// where an earlier run had everything acked. A restarted task always continues where it was.
    #[serde(default)]
    pub(super) start: Start,
    /// The longest line that is taken, a size (default "8MiB"); a longer one is an error.
    pub(super) max_line: Option<String>,
    /// A line that is not valid JSON or CSV: "skip" (default; counted and reported) or "stop".
    #[serde(default)]
    pub(super) on_error: OnError,
}

/// The options, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) patterns: Vec<String>,
    pub(super) records: RecordSettings,
    pub(super) follow: bool,
    pub(super) start: Start,
}

impl FileOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// All problems at once.
    pub(super) fn check(&self) -> Result<Settings, Vec<OptionProblem>> {
        let records = RecordOptions {
            format: self.format,
            fields: self.fields.clone(),
            header: self.header,
            delimiter: self.delimiter.clone(),
            max_line: self.max_line.clone(),
            on_error: self.on_error,
        };
        let (records, mut problems) = match records.check() {
            Ok(records) => (Some(records), Vec::new()),
            Err(problems) => (None, problems),
        };
        let patterns = match &self.path {
            Paths::One(path) => vec![path.clone()],
            Paths::Many(paths) => paths.clone(),
        };
        if patterns.is_empty() {
            problems.push(OptionProblem::at("path", "the list of paths is empty"));
        }
        for (index, pattern) in patterns.iter().enumerate() {
            if let Some(message) = bad_pattern(pattern) {
                let mut problem = OptionProblem::at("path", message);
                if matches!(self.path, Paths::Many(_)) {
                    problem.path.push(PathSegment::Index(index));
                }
                problems.push(problem);
            }
        }
        if self.start == Start::End && !self.follow {
            problems.push(OptionProblem {
                path: vec![PathSegment::Key("start".to_owned())],
                subject: Subject::Value,
                message: "from the end there is nothing to read without `follow`".to_owned(),
                help: Some("add `follow = true`".to_owned()),
            });
        }
        match records {
            Some(records) if problems.is_empty() => {
                Ok(Settings { patterns, records, follow: self.follow, start: self.start })
            }
            _ => Err(problems),
        }
    }
}

fn bad_pattern(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("the path is empty".to_owned());
    }
    let error = glob::Pattern::new(pattern).err()?;
    Some(format!("bad glob pattern: {} at character {}", error.msg, error.pos))
}

/// The kind `file`.
pub(in crate::builtin) struct FileKind;

impl SpoutKind for FileKind {
    const NAME: &'static str = "file";
    const SUMMARY: &'static str = "reads lines, JSON or CSV from files, and follows them";
    type Options = FileOptions;

    fn declare(options: &FileOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        let settings = options.check()?;
        Ok(Declaration {
            streams: vec![StreamDecl::default_stream(settings.records.fields)],
            keeps_memory: false,
        })
    }

    fn build(options: FileOptions) -> Box<dyn Spout> {
        Box::new(FileSpout::new(options))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(options: serde_json::Value) -> Result<Settings, Vec<OptionProblem>> {
        serde_json::from_value::<FileOptions>(options).unwrap().check()
    }

    #[test]
    fn problems_name_their_key() {
        let problems = check(json!({
            "path": ["a", "[", ""], "start": "end", "format": "text", "fields": ["a"],
        }))
        .unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.path.clone()).collect();
        let key = |name: &str| PathSegment::Key(name.to_owned());
        assert_eq!(
            keys,
            [
                vec![key("fields")],
                vec![key("path"), PathSegment::Index(1)],
                vec![key("path"), PathSegment::Index(2)],
                vec![key("start")],
            ]
        );
    }

    #[test]
    fn text_emits_line_and_json_its_fields() {
        let declare = |options| {
            let options = serde_json::from_value(options).unwrap();
            FileKind::declare(&options, &Declaring::default()).unwrap().streams
        };
        assert_eq!(declare(json!({"path": "a"}))[0].fields, ["line"]);
        let json = json!({"path": "a", "format": "json", "fields": ["x", "y"]});
        assert_eq!(declare(json)[0].fields, ["x", "y"]);
    }
}
