//! JSON as it stands on the wire: numbers keep their digits, strings their escapes.
//!
//! It reads more than strict JSON does (`NaN`), and knows when two spellings are the same value.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::tuple::{JsonError, RawJson, Scanner, Value, key_bytes, write_json_string};

/// How deep lists and maps may nest.
const DEEPEST: usize = 500;
/// Digits up to which every reader of JSON keeps a whole number.
const SAFE_DIGITS: usize = 15;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// A number, string, boolean or null, as its text.
    Leaf(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value that is the whole text.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub(super) fn parse(text: &str) -> Result<Self, JsonError> {
        let mut scanner = Scanner::new(text);
        let json = read(&mut scanner, 0)?;
        scanner.finish()?;
        Ok(json)
    }

    /// A string.
    pub(super) fn string(text: &str) -> Self {
        let mut out = Vec::new();
        write_json_string(text, &mut out);
        Self::Leaf(String::from_utf8_lossy(&out).into_owned())
    }

    /// A whole number.
    pub(super) fn number(number: i64) -> Self {
        Self::Leaf(number.to_string())
    }

    pub(super) fn null() -> Self {
        Self::Leaf("null".to_owned())
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Leaf(text) if text == "null")
    }

    /// A string's text.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Leaf(text) if text.starts_with('"') => {
                Some(Value::Json(RawJson::from_scanned(text)).to_text().into_owned())
            }
            _ => None,
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Leaf(text) if !text.starts_with('"') => text.parse().ok(),
            _ => None,
        }
    }

    /// A whole number.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Leaf(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let found = entries.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// The text of a key whose value is a string.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        self.get(key).and_then(Self::as_text)
    }

    /// A word for what it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Map(_) => "object",
            Self::Leaf(text) => match text.as_bytes().first() {
                Some(b'"') => "string",
                Some(b't' | b'f') => "boolean",
                Some(b'n') => "null",
                _ => "number",
            },
        }
    }

    /// Whether both are the same value, however they are spelled. A long whole number is only the
    /// same digit for digit.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(left), Self::Leaf(right)) => {
                left == right || !(is_long(left) || is_long(right)) && canonical(left, right)
            }
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.same(b))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, value)| {
                        let found = right.iter().find(|(name, _)| name == key);
                        found.is_some_and(|(_, found)| value.same(found))
                    })
            }
            _ => false,
        }
    }

    /// The text, in one line.
    pub(super) fn show(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    Self::string(key).write(out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// An object of these entries.
pub(super) fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn read(scanner: &mut Scanner<'_>, depth: usize) -> Result<Json, JsonError> {
    if depth > DEEPEST {
        return Err(JsonError { at: scanner.position(), expected: "a value that nests less deep" });
    }
    if scanner.take(b'[') {
        let mut items = Vec::new();
        if !scanner.take(b']') {
            loop {
                items.push(read(scanner, depth + 1)?);
                if !scanner.more(b']')? {
                    break;
                }
            }
        }
        return Ok(Json::List(items));
    }
    if scanner.take(b'{') {
        let mut entries = Vec::new();
        if !scanner.take(b'}') {
            loop {
                let key = scanner.key()?.into_owned();
                entries.push((key, read(scanner, depth + 1)?));
                if !scanner.more(b'}')? {
                    break;
                }
            }
        }
        return Ok(Json::Map(entries));
    }
    let span = scanner.skip_value()?;
    Ok(Json::Leaf(scanner.slice(span).to_owned()))
}

fn is_long(leaf: &str) -> bool {
    let digits = leaf.strip_prefix('-').unwrap_or(leaf);
    digits.len() > SAFE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn canonical(left: &str, right: &str) -> bool {
    let bytes = |text: &str| {
        let mut bytes = smallvec::SmallVec::new();
        key_bytes([&Value::Json(RawJson::from_scanned(text))], &mut bytes);
        bytes
    };
    bytes(left) == bytes(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_the_same() {
        for (left, right) in [
            ("1", "1.0"),
            ("\"a\"", "\"\\u0061\""),
            ("{\"a\":1,\"b\":[]}", "{\"b\":[],\"a\":1}"),
            ("1e-07", "1E-7"),
            ("\"\\ud800\"", "\"\\uD800\""),
        ] {
            assert!(json(left).same(&json(right)), "{left} {right}");
        }
    }

    #[test]
    fn other_values_are_not_the_same() {
        for (left, right) in [
            ("1", "\"1\""),
            ("1180591620717411303424", "1.1805916207174113e21"),
            ("null", "false"),
            ("[1,2]", "[2,1]"),
            ("{\"a\":1}", "{\"a\":1,\"b\":2}"),
            ("0", "\"\""),
        ] {
            assert!(!json(left).same(&json(right)), "{left} {right}");
        }
    }

    #[test]
    fn what_was_read_is_shown_as_it_was() {
        let text = r#"{"a":[1e400,NaN,-0.0,"\ud800"],"b":{"c":null}}"#;
        assert_eq!(json(text).show(), text);
        assert!(Json::parse("{} x").is_err());
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
    }
}
