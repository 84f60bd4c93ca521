//! JSON at the byte level: a scanner that finds values without building them, and writers.
//!
//! A library parser would change what passes through (2^70, `1e400`, `-0.0`, lone surrogates, the
//! tokens `NaN` and `Infinity` that Python writes), so the data path only finds where values start and end.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::{RawJson, Text, Value};

/// Why text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct JsonError {
    /// Offset in the text.
    pub at: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

/// Walks over JSON text. Never allocates for flat values and never recurses.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The text of a span that this scanner gave.
    pub fn slice(&self, span: Range<usize>) -> &'a str {
        &self.text[span]
    }

    /// The next byte that is not white space, left in place.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes `byte` where it comes next.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes `byte`.
    ///
    /// # Errors
    /// Where something else comes next.
    pub fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Between two elements of an array or object: true after a comma, false after `close`.
    ///
    /// # Errors
    /// Where neither comes next.
    pub fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            Err(self.error("a comma or a closing bracket"))
        }
    }

    /// The end of the text.
    ///
    /// # Errors
    /// Where more than white space is left.
    pub fn finish(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("the end")) }
    }

    /// Takes an object's key and its colon. Escapes in keys are decoded.
    ///
    /// # Errors
    /// Where no key comes next.
    pub fn key(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let span = self.string()?;
        self.expect(b':', "a colon")?;
        Ok(match decode_string(&self.text[span]) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// Takes a string; the span includes its quotes.
    ///
    /// # Errors
    /// Where no whole string comes next.
    pub fn string(&mut self) -> Result<Range<usize>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("a string"));
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(start..self.at);
                }
                Some(b'\\') => at = self.escape(at)?,
                Some(byte) if *byte >= 0x20 => at += 1,
                Some(_) => {
                    return Err(JsonError { at, expected: "an escaped control character" });
                }
                None => {
                    return Err(JsonError { at, expected: "a closing quote" });
                }
            }
        }
    }

    /// The offset behind the escape at `at`.
    fn escape(&self, at: usize) -> Result<usize, JsonError> {
        let bytes = self.text.as_bytes();
        match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u')
                if bytes.len() >= at + 6
                    && bytes[at + 2..at + 6].iter().all(u8::is_ascii_hexdigit) =>
            {
                Ok(at + 6)
            }
            _ => Err(JsonError { at, expected: "an escape" }),
        }
    }

    /// Takes one value of any kind and says where it stood.
    ///
    /// # Errors
    /// Where no whole value comes next.
    pub fn skip_value(&mut self) -> Result<Range<usize>, JsonError> {
        let first = self.peek().ok_or_else(|| self.error("a value"))?;
        let start = self.at;
        if first != b'[' && first != b'{' {
            self.scalar(first)?;
            return Ok(start..self.at);
        }
        let mut open: SmallVec<[u8; 32]> = SmallVec::new();
        loop {
            // Here a value is due.
            match self.peek() {
                Some(b'[') => {
                    self.at += 1;
                    if !self.take(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                Some(b'{') => {
                    self.at += 1;
                    if !self.take(b'}') {
                        open.push(b'}');
                        self.skip_key()?;
                        continue;
                    }
                }
                Some(byte) => self.scalar(byte)?,
                None => return Err(self.error("a value")),
            }
            // Here a value has ended.
            loop {
                let Some(&close) = open.last() else {
                    return Ok(start..self.at);
                };
                if self.more(close)? {
                    if close == b'}' {
                        self.skip_key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), JsonError> {
        self.string()?;
        self.expect(b':', "a colon")
    }

    fn scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'N' => self.word("NaN"),
            b'I' => self.word("Infinity"),
            b'-' if self.text[self.at..].starts_with("-Infinity") => self.word("-Infinity"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.error("a value")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error(word))
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            let start = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            if at == start { Err(JsonError { at, expected: "a digit" }) } else { Ok(at) }
        };
        let mut at = self.at + usize::from(bytes[self.at] == b'-');
        at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            at = digits(at)?;
        }
        self.at = at;
        Ok(())
    }

    fn error(&self, expected: &'static str) -> JsonError {
        JsonError { at: self.at, expected }
    }
}

/// The bytes of a scanned JSON string (with its quotes): UTF-8, and a lone surrogate as the three
/// bytes that UTF-8 would use for it, so that different strings stay different.
pub(super) fn decode_string(quoted: &str) -> Cow<'_, [u8]> {
    let inner = &quoted.as_bytes()[1..quoted.len() - 1];
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        if inner[at] != b'\\' {
            out.push(inner[at]);
            at += 1;
            continue;
        }
        at += 2;
        match inner[at - 1] {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = hex4(&inner[at..]);
                at += 4;
                let low = if inner[at..].starts_with(b"\\u") { hex4(&inner[at + 2..]) } else { 0 };
                if (0xd800..0xdc00).contains(&code) && (0xdc00..0xe000).contains(&low) {
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                push_code(code, &mut out);
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

fn hex4(digits: &[u8]) -> u32 {
    digits
        .iter()
        .take(4)
        .fold(0, |code, &digit| code << 4 | char::from(digit).to_digit(16).unwrap_or(0))
}

fn push_code(code: u32, out: &mut Vec<u8>) {
    if let Some(letter) = char::from_u32(code) {
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.extend([
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]);
    }
}

/// Parses scanned JSON text. Numbers that are integral and fit become integers, others floats;
/// what is nested deeper than 128 levels stays text.
pub fn parse_value(text: &str) -> Value {
    let mut scanner = Scanner::new(text);
    parse_at(&mut scanner, 0).unwrap_or_else(|_| Value::Json(RawJson::from_scanned(text)))
}

const MAX_DEPTH: usize = 128;

fn parse_at(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, JsonError> {
    match scanner.peek() {
        Some(b'[' | b'{') if depth == MAX_DEPTH => {
            let span = scanner.skip_value()?;
            Ok(Value::Json(RawJson::from_scanned(scanner.slice(span))))
        }
        Some(b'[') => {
            scanner.expect(b'[', "a list")?;
            let mut items = Vec::new();
            if !scanner.take(b']') {
                loop {
                    items.push(parse_at(scanner, depth + 1)?);
                    if !scanner.more(b']')? {
                        break;
                    }
                }
            }
            Ok(Value::List(items))
        }
        Some(b'{') => {
            scanner.expect(b'{', "an object")?;
            let mut entries = Vec::new();
            if !scanner.take(b'}') {
                loop {
                    let key = Text::from(scanner.key()?);
                    entries.push((key, parse_at(scanner, depth + 1)?));
                    if !scanner.more(b'}')? {
                        break;
                    }
                }
            }
            Ok(Value::Map(Box::new(entries)))
        }
        _ => {
            let span = scanner.skip_value()?;
            Ok(parse_scalar(scanner.slice(span)))
        }
    }
}

fn parse_scalar(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "NaN" => Value::Float(f64::NAN),
        "Infinity" => Value::Float(f64::INFINITY),
        "-Infinity" => Value::Float(f64::NEG_INFINITY),
        _ if text.starts_with('"') => {
            Value::Str(String::from_utf8_lossy(&decode_string(text)).as_ref().into())
        }
        _ => {
            text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Float)).unwrap_or_else(
                |_: std::num::ParseFloatError| Value::Json(RawJson::from_scanned(text)),
            )
        }
    }
}

/// Appends `text` as a JSON string in ASCII.
pub fn write_json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if bytes.iter().all(|&byte| plain(byte)) {
        out.extend_from_slice(bytes);
    } else {
        for letter in text.chars() {
            match letter {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                ' '..='~' => out.push(letter as u8),
                _ => write_escape(letter, out),
            }
        }
    }
    out.push(b'"');
}

fn write_escape(letter: char, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for unit in letter.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(*unit >> shift & 0xf)]));
    }
}

/// Appends scanned JSON text on one line and in ASCII: what is not ASCII can only stand inside
/// strings, line breaks only outside of them.
pub(super) fn write_ascii_json(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for letter in text.chars() {
        match letter {
            ' '..='~' => out.push(letter as u8),
            '\n' | '\r' | '\t' => out.push(b' '),
            _ => write_escape(letter, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Result<(), JsonError> {
        let mut scanner = Scanner::new(text);
        scanner.skip_value()?;
        scanner.finish()
    }

    #[test]
    fn what_is_nested_deeper_than_128_stays_text_in_its_depth() {
        let innermost = |depth: usize| {
            let mut value = parse_value(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
            while let Value::List(items) = value {
                value = items.into_iter().next()?;
            }
            Some(value.to_json())
        };
        assert_eq!(innermost(128), None, "lists all the way");
        assert_eq!(innermost(129).unwrap(), "[]");
        assert_eq!(innermost(131).unwrap(), "[[[]]]");
    }

    #[test]
    fn scanner_takes_json_and_pythons_extra_numbers() {
        for text in [
            "0",
            "-1.5e+3",
            "\"a\\\"b\"",
            "[]",
            "{}",
            " [1, {\"a\": [ ]}, \"]\"] ",
            "NaN",
            "[-Infinity]",
            "\"\\ud800\"",
            "true",
        ] {
            assert_eq!(whole(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn scanner_refuses_what_is_not_json() {
        for text in [
            "",
            "01",
            "1.",
            "[1 2]",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "\"\n\"",
            "\"\\x\"",
            "\"a",
            "[",
            "]",
            "nul",
            "--1",
            "1e",
            "{\"a\":1]",
            "\"\\u12\"",
        ] {
            assert!(whole(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_million_open_brackets_do_not_overflow_the_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(whole(&deep), Ok(()));
        assert!(matches!(parse_value(&deep), Value::List(_)));
    }

    #[test]
    fn surrogate_pairs_decode_and_lone_ones_stay_apart() {
        assert_eq!(decode_string("\"\\ud834\\udd1e\"").as_ref(), "𝄞".as_bytes());
        assert_eq!(decode_string("\"\\ud800\"").as_ref(), [0xed, 0xa0, 0x80]);
        assert_eq!(decode_string("\"\\ud800\\u0041\"").as_ref(), [0xed, 0xa0, 0x80, b'A']);
    }

    proptest! {
        #[test]
        fn any_text_survives_writing_and_parsing(text in any::<String>()) {
            let mut json = Vec::new();
            write_json_string(&text, &mut json);
            let json = String::from_utf8(json).unwrap();
            prop_assert!(json.is_ascii());
            prop_assert_eq!(whole(&json), Ok(()));
            prop_assert_eq!(parse_value(&json), Value::from(text));
        }

        #[test]
        fn scanner_agrees_with_a_strict_parser_on_arbitrary_bytes(text in "[\\[\\]{},:\"0-9a-z\\\\ .eE+-]{0,24}") {
            // serde_json bounds numbers to f64; the scanner does not.
            let strict = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
            prop_assert_eq!(whole(&text).is_ok(), strict);
        }
    }
}
