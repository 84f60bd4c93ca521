//! From a record's bytes to a tuple's values: text, JSON objects, CSV.
//!
//! Values of JSON keep their bytes; nothing here reads a file or decides what an error costs.

use std::borrow::Cow;

use smallvec::smallvec;

use crate::tuple::{JsonError, Scanner, Value, Values};

use super::csv;
use super::record_options::{Format, RecordSettings};

/// Why a record is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
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
pub(super) struct Decoder {
    fields: Vec<String>,
    form: Form,
    at_start: bool,
    lossy: u64,
}

impl Decoder {
    /// A decoder for one source from its start.
    pub(super) fn new(settings: &RecordSettings) -> Self {
        let form = match settings.format {
            Format::Text => Form::Text,
            Format::Json => Form::Json,
            Format::Csv => Form::Csv {
                delimiter: settings.delimiter,
                columns: (!settings.header).then(|| (0..settings.fields.len()).collect()),
            },
        };
        Self { fields: settings.fields.clone(), form, at_start: true, lossy: 0 }
    }

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
    use crate::builtin::record_options::RecordOptions;

    fn decoder(format: Format, fields: &[&str]) -> Decoder {
        let options = RecordOptions {
            format,
            fields: Some(fields.iter().map(ToString::to_string).collect()),
            ..RecordOptions::default()
        };
        Decoder::new(&options.check().unwrap())
    }

    #[test]
    fn json_values_keep_their_bytes_and_missing_ones_are_null() {
        let mut decoder = decoder(Format::Json, &["b", "a", "c"]);
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
        let mut decoder = decoder(Format::Csv, &["price", "name"]);
        assert!(decoder.wants_header());
        assert_eq!(decoder.decode(b"\xef\xbb\xbfname, price"), Ok(None));
        let values = decoder.decode(b"\"a,b\",2.50").unwrap().unwrap();
        assert_eq!(values.as_slice(), [Value::from("2.50"), Value::from("a,b")]);
        let short = DecodeError::TooFewColumns { needed: 2, found: 1 };
        assert_eq!(decoder.decode(b"a"), Err(short));
    }

    #[test]
    fn a_header_without_the_column_is_fatal() {
        let mut decoder = decoder(Format::Csv, &["price"]);
        let error = decoder.decode(b"name,cost").unwrap_err();
        assert!(error.is_fatal());
        assert_eq!(error.to_string(), "the header has no column \"price\"; it has name, cost");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_and_counted() {
        let mut decoder = Decoder::new(&RecordOptions::default().check().unwrap());
        let values = decoder.decode(b"a\xffb").unwrap().unwrap();
        assert_eq!(values[0], Value::from("a\u{fffd}b"));
        assert_eq!(decoder.lossy(), 1);
    }
}
