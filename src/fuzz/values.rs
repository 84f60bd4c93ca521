//! Values: JSON text as children write it, and tuples as workers send them.

use serde_json::value::RawValue;

use crate::tuple::wire::{Reader, put_tuple};
use crate::tuple::{Scanner, Value, key_group, key_hash, parse_value};

/// Nesting that the other parser takes.
const THEIR_DEPTH: usize = 100;

/// A JSON text.
///
/// # Panics
/// Where the scanner takes what another parser does not, or the other way round, or where two readings
/// of one value would go to different tasks.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut scanner = Scanner::new(text);
    let found = scanner.skip_value().and_then(|span| scanner.finish().map(|()| span));
    let depth = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    let python = ["NaN", "Infinity"].iter().any(|word| text.contains(word));
    if depth < THEIR_DEPTH && !python {
        let theirs = serde_json::from_str::<&RawValue>(text).is_ok();
        assert_eq!(found.is_ok(), theirs, "{found:?}");
    }
    let Ok(span) = found else {
        return;
    };
    let raw = Value::from_scanned_json(&text[span.clone()]);
    let parsed = parse_value(&text[span]);
    // A lone surrogate is kept in text and nowhere else.
    if !text.contains("\\ud") && !text.contains("\\uD") {
        assert_eq!(key_hash([&raw]), key_hash([&parsed]), "two readings of one value");
        assert_eq!(key_group([&raw]), key_group([&parsed]));
    }
    let written = raw.to_json();
    let mut again = Scanner::new(&written);
    let span = again.skip_value().expect("what is written is JSON");
    again.finish().expect("and nothing more");
    let back = Value::from_scanned_json(&written[span]);
    assert_eq!(key_hash([&back]), key_hash([&raw]), "written and read again");
    let _ = (raw.to_text(), parsed.to_text(), parsed.to_json());
}

/// Tuples, one behind the other.
///
/// # Panics
/// Where a tuple that was read is not read again from what is written for it.
pub fn tuple(data: &[u8]) {
    let mut reader = Reader::new(data);
    while let Ok(tuple) = reader.tuple() {
        let mut bytes = Vec::new();
        put_tuple(&tuple, &mut bytes);
        let mut again = Reader::new(&bytes);
        let read = again.tuple().expect("what is written can be read");
        assert!(again.is_empty());
        let mut twice = Vec::new();
        put_tuple(&read, &mut twice);
        assert_eq!(bytes, twice);
        let _ = key_hash(&tuple.values);
        if reader.is_empty() {
            break;
        }
    }
}
