//! From a record's bytes to a tuple's values: text, JSON objects, CSV.
//!
//! Values of JSON keep their bytes; nothing here reads a file or decides what an error costs.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use crate::base::ByteSize;
use crate::component::OptionProblem;
use crate::tuple::{JsonError, Scanner, Value, Values};

use super::csv;
use super::records::Framing;

/// How lines are read or written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
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
pub enum OnError {
    /// It is counted, reported and left out.
    #[default]
    Skip,
    /// The component stops with an error.
    Stop,
}

/// The options of record-reading spouts, as written.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    pub(super) format: Format,
    pub(super) fields: Option<Vec<String>>,
    pub(super) header: Option<bool>,
    pub(super) delimiter: Option<String>,
    pub(super) max_line: Option<String>,
    pub(super) on_error: OnError,
}

/// The same, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSettings {
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

    /// A decoder for one source from its start.
    pub(super) fn decoder(&self) -> Decoder {
        let form = match self.format {
            Format::Text => Form::Text,
            Format::Json => Form::Json,
            Format::Csv => Form::Csv {
                delimiter: self.delimiter,
                columns: (!self.header).then(|| (0..self.fields.len()).collect()),
            },
        };
        Decoder { fields: self.fields.clone(), form, at_start: true, lossy: 0 }
    }
}

/// Why a record is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("not a JSON object: {0}")]
    Json(#[from] JsonError),
    /// The header lacks a field: no record can be read.
    #[error("the header has no column \"{field}\"; it has {columns}")]
    NoColumn {
        /// The field.
        field: String,
        /// What the header names.
        columns: String,
    },
    /// A record is shorter than the columns need.
    #[error("expected at least {needed} columns, found {found}")]
    TooFewColumns {
        /// How many the fields need.
        needed: usize,
        /// How many there are.
        found: usize,
    },
}

impl DecodeError {
    /// Whether no later record of the source can be read either.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self, Self::NoColumn { .. })
    }
}

enum Form {
    Text,
    Json,
    Csv {
        delimiter: u8,
        /// For each field its column; none before the header was read.
        columns: Option<Vec<usize>>,
    },
}

/// Decodes the records of one source.
pub struct Decoder {
    fields: Vec<String>,
    form: Form,
    at_start: bool,
    lossy: u64,
}

impl Decoder {
    /// How many records so far held bytes that are not UTF-8, and were replaced by U+FFFD.
    pub(super) fn lossy(&self) -> u64 {
        self.lossy
    }

    /// Whether a header is due before the first record.
    pub(super) fn wants_header(&self) -> bool {
        matches!(&self.form, Form::Csv { columns: None, .. })
    }

    /// Decodes one record. `None` for what holds no tuple: a header, a blank line of JSON or CSV.
    #[inline]
    pub(super) fn decode(&mut self, mut record: &[u8]) -> Result<Option<Values>, DecodeError> {
        if self.at_start {
            self.at_start = false;
            if !matches!(self.form, Form::Text) {
                record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
            }
        }
        let text = String::from_utf8_lossy(record);
        self.lossy += u64::from(matches!(text, Cow::Owned(_)));
        if matches!(self.form, Form::Text) {
            return Ok(Some(smallvec![Value::from(text.as_ref())]));
        }
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        match &mut self.form {
            Form::Json => decode_json(&text, &self.fields).map(Some),
            Form::Csv { delimiter, columns: Some(columns) } => {
                decode_csv(&text, *delimiter, columns).map(Some)
            }
            Form::Csv { delimiter, columns } => {
                *columns = Some(find_columns(&text, *delimiter, &self.fields)?);
                Ok(None)
            }
            Form::Text => unreachable!("text was decoded above"),
        }
    }
}

fn decode_json(text: &str, fields: &[String]) -> Result<Values, DecodeError> {
    let mut values: Values = fields.iter().map(|_| Value::Null).collect();
    let mut scanner = Scanner::new(text);
    scanner.expect(b'{', "an object")?;
    if !scanner.take(b'}') {
        let mut guess = 0;
        loop {
            let key = scanner.key()?;
            scanner.peek();
            let span = scanner.skip_value()?;
            // Objects mostly name their keys in one order, so the next field is tried first.
            let place = match fields.get(guess) {
                Some(field) if *field == key => Some(guess),
                _ => fields.iter().position(|field| *field == key),
            };
            if let Some(place) = place {
                values[place] = Value::from_scanned_json(scanner.slice(span));
                guess = place + 1;
            }
            if !scanner.more(b'}')? {
                break;
            }
        }
    }
    scanner.finish()?;
    Ok(values)
}

fn decode_csv(text: &str, delimiter: u8, columns: &[usize]) -> Result<Values, DecodeError> {
    let mut values: Values = columns.iter().map(|_| Value::Null).collect();
    let mut column = 0;
    csv::for_each_field(text.as_bytes(), delimiter, |field| {
        for (value, wanted) in values.iter_mut().zip(columns) {
            if *wanted == column {
                // Fields are cut at ASCII bytes, so they are UTF-8 like the whole.
                *value = Value::from(String::from_utf8_lossy(&field).as_ref());
            }
        }
        column += 1;
    });
    let needed = columns.iter().max().map_or(0, |last| last + 1);
    if column < needed {
        return Err(DecodeError::TooFewColumns { needed, found: column });
    }
    Ok(values)
}

fn find_columns(text: &str, delimiter: u8, fields: &[String]) -> Result<Vec<usize>, DecodeError> {
    let mut names = Vec::new();
    csv::for_each_field(text.as_bytes(), delimiter, |name| {
        names.push(String::from_utf8_lossy(&name).trim().to_owned());
    });
    fields
        .iter()
        .map(|field| {
            let place = names.iter().position(|name| name == field);
            place.ok_or_else(|| DecodeError::NoColumn {
                field: field.clone(),
                columns: names.join(", "),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(format: Format, fields: &[&str]) -> RecordSettings {
        let options = RecordOptions {
            format,
            fields: Some(fields.iter().map(ToString::to_string).collect()),
            ..RecordOptions::default()
        };
        options.check().unwrap()
    }

    #[test]
    fn json_values_keep_their_bytes_and_missing_ones_are_null() {
        let mut decoder = settings(Format::Json, &["b", "a", "c"]).decoder();
        let record = b"\xef\xbb\xbf{\"a\": 1e400, \"x\": [1, {}], \"b\" : \"t\" }";
        let values = decoder.decode(record).unwrap().unwrap();
        assert_eq!(values[0], Value::from("t"));
        assert_eq!(values[1].to_json(), "1e400");
        assert_eq!(values[2], Value::Null);
        assert_eq!(decoder.decode(b"  "), Ok(None));
        for bad in [&b"[1]"[..], b"{\"a\":1", b"{\"a\":1} x", b"nope"] {
            assert!(decoder.decode(bad).is_err());
        }
    }

    #[test]
    fn csv_columns_are_found_by_the_header() {
        let mut decoder = settings(Format::Csv, &["price", "name"]).decoder();
        assert!(decoder.wants_header());
        assert_eq!(decoder.decode(b"\xef\xbb\xbfname, price"), Ok(None));
        let values = decoder.decode(b"\"a,b\",2.50").unwrap().unwrap();
        assert_eq!(values.as_slice(), [Value::from("2.50"), Value::from("a,b")]);
        let short = DecodeError::TooFewColumns { needed: 2, found: 1 };
        assert_eq!(decoder.decode(b"a"), Err(short));
    }

    #[test]
    fn a_header_without_the_column_is_fatal() {
        let mut decoder = settings(Format::Csv, &["price"]).decoder();
        let error = decoder.decode(b"name,cost").unwrap_err();
        assert!(error.is_fatal());
        assert_eq!(error.to_string(), "the header has no column \"price\"; it has name, cost");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_and_counted() {
        let mut decoder = RecordOptions::default().check().unwrap().decoder();
        let values = decoder.decode(b"a\xffb").unwrap().unwrap();
        assert_eq!(values[0], Value::from("a\u{fffd}b"));
        assert_eq!(decoder.lossy(), 1);
    }

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
