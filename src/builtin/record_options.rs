//! The options that all record-reading spouts share, as written and as checked. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ByteSize;
use crate::component::OptionProblem;

use super::records::Framing;

/// How lines are read or written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Plain lines.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
}

/// What a record costs that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnError {
    /// It is counted, reported and left out.
    #[default]
    Skip,
    /// The component stops with an error.
    Stop,
}

/// The options of record-reading spouts, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordOptions {
    pub(super) format: Format,
    pub(super) fields: Option<Vec<String>>,
    pub(super) header: Option<bool>,
    pub(super) delimiter: Option<String>,
    pub(super) max_line: Option<String>,
    pub(super) on_error: OnError,
}

/// The same, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordSettings {
    pub(super) format: Format,
    /// The fields of the stream.
    pub(super) fields: Vec<String>,
    /// Whether the first CSV record names the columns.
    pub(super) header: bool,
    pub(super) delimiter: u8,
    /// Bytes that one record may take.
    pub(super) max_record: usize,
    pub(super) on_error: OnError,
}

impl RecordOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// All problems at once.
    pub(super) fn check(&self) -> Result<RecordSettings, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        let fields = self.check_fields(&mut problems);
        let mut keep = |result: Result<u64, OptionProblem>| {
            result.unwrap_or_else(|problem| {
                problems.push(problem);
                0
            })
        };
        let delimiter = keep(check_delimiter(self.delimiter.as_deref()).map(u64::from)) as u8;
        let max_record = keep(check_max_line(self.max_line.as_deref())) as usize;
        for (key, given) in
            [("header", self.header.is_some()), ("delimiter", self.delimiter.is_some())]
        {
            if given && self.format != Format::Csv {
                let message = format!("`{key}` is for `format = \"csv\"` only");
                problems.push(OptionProblem::at(key, message));
            }
        }
        if problems.is_empty() {
            Ok(RecordSettings {
                format: self.format,
                fields,
                header: self.format == Format::Csv && self.header.unwrap_or(true),
                delimiter,
                max_record,
                on_error: self.on_error,
            })
        } else {
            Err(problems)
        }
    }

    fn check_fields(&self, problems: &mut Vec<OptionProblem>) -> Vec<String> {
        let mut problem = |message: &str, help: &str| {
            problems.push(OptionProblem::at("fields", message).with_help(help));
        };
        match (self.format, self.fields.as_deref()) {
            (Format::Text, None) => vec!["line".to_owned()],
            (Format::Text, Some(_)) => {
                problem(
                    "text has the one field \"line\"",
                    "leave `fields` out, or set `format` to \"json\" or \"csv\"",
                );
                Vec::new()
            }
            (_, None | Some([])) => {
                problem(
                    "the fields to read are not named",
                    "add `fields = [\"...\"]`, the names of the values to emit",
                );
                Vec::new()
            }
            (_, Some(fields)) => {
                for (index, field) in fields.iter().enumerate() {
                    if fields[..index].contains(field) {
                        problem(&format!("field \"{field}\" is named twice"), "name it once");
                    }
                }
                fields.to_vec()
            }
        }
    }
}

/// Checks a CSV delimiter; a comma where none is written.
pub(super) fn check_delimiter(text: Option<&str>) -> Result<u8, OptionProblem> {
    match text.unwrap_or(",").as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(OptionProblem::at(
            "delimiter",
            "expected one ASCII character other than a quote or a line break",
        )
        .with_help("for example \",\", \";\" or \"\\t\"")),
    }
}

fn check_max_line(text: Option<&str>) -> Result<u64, OptionProblem> {
    let size: ByteSize = text
        .unwrap_or("8MiB")
        .parse()
        .map_err(|error| OptionProblem::at("max_line", format!("{error}")))?;
    if size.0 == 0 || size.0 > 1 << 30 {
        return Err(OptionProblem::at("max_line", "expected a size from 1B to 1GiB"));
    }
    Ok(size.0)
}
impl RecordSettings {
    /// Where records end.
    pub(super) fn framing(&self) -> Framing {
        match self.format {
            Format::Csv => Framing::Csv { delimiter: self.delimiter },
            Format::Text | Format::Json => Framing::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_come_at_once() {
        let options = RecordOptions {
            format: Format::Json,
            header: Some(true),
            delimiter: Some("ab".to_owned()),
            max_line: Some("10".to_owned()),
            ..RecordOptions::default()
        };
        let problems = options.check().unwrap_err();
        assert_eq!(problems.len(), 5);
    }
}
