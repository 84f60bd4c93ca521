//! One value of a tuple.

use std::borrow::Cow;

use ecow::EcoString;

use super::json::{Scanner, decode_string, parse_value, write_ascii_json, write_json_string};

/// Text of a value. A copy shares the bytes, and what is short lies in the value itself.
pub type Text = EcoString;

/// Bytes of text that need no place on the heap.
const INLINE: usize = size_of::<Text>() - 1;

/// JSON text as a child wrote it: one well-formed value, valid UTF-8, looked into only when asked.
///
/// Unlike strict JSON it may hold `NaN`, `Infinity`, `-Infinity` and lone surrogate escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(Text);

impl RawJson {
    /// Takes text that a [`Scanner`] has already found to be one value.
    pub fn from_scanned(text: &str) -> Self {
        Self(Text::from(text))
    }

    /// Checks that `text` is one JSON value.
    ///
    /// # Errors
    /// Where it is not, with the place.
    pub fn new(text: &str) -> Result<Self, super::JsonError> {
        let mut scanner = Scanner::new(text);
        let span = scanner.skip_value()?;
        scanner.finish()?;
        Ok(Self(Text::from(&text[span])))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value of a tuple.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number in the range of `i64`.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(Text),
    /// A value as a child wrote it.
    Json(RawJson),
    /// A list.
    List(Vec<Value>),
    /// An object, in the order it was written. Boxed, so that a value takes 24 bytes.
    Map(Box<Vec<(Text, Value)>>),
}

impl Value {
    /// A value from scanned JSON text: plain strings and small integers are taken apart (both read
    /// and write back to the same value), everything else keeps its bytes.
    pub fn from_scanned_json(text: &str) -> Self {
        let bytes = text.as_bytes();
        match bytes {
            [b'"', inner @ .., b'"'] if memchr_none(inner) => {
                Self::Str(Text::from(&text[1..text.len() - 1]))
            }
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            [b'-', b'1'..=b'9', rest @ ..] | [b'1'..=b'9', rest @ ..]
                if rest.len() < 17 && rest.iter().all(u8::is_ascii_digit) =>
            {
                text.parse().map_or_else(|_| Self::Json(RawJson::from_scanned(text)), Self::Int)
            }
            b"0" => Self::Int(0),
            _ => Self::Json(RawJson::from_scanned(text)),
        }
    }

    /// The value with JSON text parsed; lists and objects are parsed whole.
    pub fn parsed(&self) -> Cow<'_, Self> {
        match self {
            Self::Json(raw) => Cow::Owned(parse_value(raw.as_str())),
            other => Cow::Borrowed(other),
        }
    }

    /// The text of a string; lone surrogates are replaced by U+FFFD.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Str(text) => Some(Cow::Borrowed(text)),
            Self::Json(raw) if raw.as_str().starts_with('"') => {
                Some(match decode_string(raw.as_str()) {
                    Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                    Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
                })
            }
            _ => None,
        }
    }

    /// The number as an integer, where it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.parsed().as_ref() {
            Self::Int(number) => Some(*number),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The number as a float.
    pub fn as_float(&self) -> Option<f64> {
        match self.parsed().as_ref() {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes beyond the value's own size that it keeps on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Str(text) | Self::Json(RawJson(text)) if text.len() > INLINE => text.len(),
            Self::List(items) => {
                items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum()
            }
            Self::Map(entries) => entries
                .iter()
                .map(|(key, item)| size_of::<Self>() + 24 + key.len() + item.heap_bytes())
                .sum(),
            _ => 0,
        }
    }

    /// Appends the value as compact single-line JSON in ASCII. `NaN` and infinities stand as
    /// Python and Storm's clients write them.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(number) => write_display(out, *number),
            Self::Float(number) if number.is_nan() => out.extend_from_slice(b"NaN"),
            Self::Float(number) if number.is_infinite() => {
                out.extend_from_slice(if *number > 0.0 { b"Infinity" } else { b"-Infinity" });
            }
            Self::Float(number) => {
                use std::io::Write as _;
                write!(out, "{number:?}").expect("a vector takes every write");
            }
            Self::Str(text) => write_json_string(text, out),
            Self::Json(raw) => write_ascii_json(raw.as_str(), out),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(entries) => {
                out.push(b'{');
                for (index, (key, item)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_json_string(key, out);
                    out.push(b':');
                    item.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The value as JSON text.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).expect("JSON written here is ASCII")
    }

    /// The value as plain text: strings bare, everything else as JSON.
    pub fn to_text(&self) -> Cow<'_, str> {
        self.as_str().unwrap_or_else(|| Cow::Owned(self.to_json()))
    }
}

fn memchr_none(inner: &[u8]) -> bool {
    !inner.iter().any(|&byte| byte == b'\\' || byte == b'"')
}

fn write_display(out: &mut Vec<u8>, number: i64) {
    use std::io::Write as _;
    write!(out, "{number}").expect("a vector takes every write");
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Text::from(text))
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_f64().map(Self::Float))
                .unwrap_or(Self::Null),
            serde_json::Value::String(text) => Self::from(text.as_str()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(entries) => {
                let entries = entries.iter().map(|(key, item)| (key.as_str().into(), item.into()));
                Self::Map(Box::new(entries.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }

    #[test]
    fn c19_scanned_json_keeps_what_parsing_would_spoil() {
        for text in
            ["1180591620717411303424", "1e400", "-0.0", "\"\\ud800\"", "\"\\u0061\"", "[1.0]"]
        {
            let value = Value::from_scanned_json(text);
            assert_eq!(value.to_json(), text);
        }
    }

    #[test]
    fn plain_values_are_taken_apart_and_read_the_same() {
        assert_eq!(Value::from_scanned_json("\"the\""), Value::from("the"));
        assert_eq!(Value::from_scanned_json("-12"), Value::Int(-12));
        assert_eq!(Value::from_scanned_json("0"), Value::Int(0));
        assert_eq!(Value::from_scanned_json("-0").to_json(), "-0");
        assert_eq!(Value::from_scanned_json("\"\\u0061\"").as_str().unwrap(), "a");
        assert_eq!(Value::from_scanned_json("1.0").as_int(), Some(1));
    }

    #[test]
    fn c15_json_out_is_ascii_on_one_line() {
        let value = Value::Json(RawJson::new("{\"k\" :\n [\"日本 𝄞\"]}").unwrap());
        assert_eq!(value.to_json(), "{\"k\" :  [\"\\u65e5\\u672c \\ud834\\udd1e\"]}");
        assert_eq!(Value::from("a\n\u{1}\"\\é").to_json(), "\"a\\n\\u0001\\\"\\\\\\u00e9\"");
        assert_eq!(Value::Float(1.0).to_json(), "1.0");
        assert_eq!(Value::Float(f64::NEG_INFINITY).to_json(), "-Infinity");
    }
}
