//! Equal values get equal hashes, however a client spelled them.
//!
//! The canonical bytes: a type byte, then integral numbers in the range of i64 as i64, other
//! numbers as f64, strings as UTF-8, arrays by length, objects by sorted keys. Lengths are 32 bits,
//! numbers little-endian. The hash is xxh3 (64 bits, seed 0) of the bytes of all values in a row.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::json::decode_string;
use super::{Value, parse_value};

/// How many key groups a topology has (`max_parallelism`); fixed, so that state can be moved.
pub const KEY_GROUPS: u16 = 1024;

/// A set of keys that always move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyGroup(pub u16);

impl KeyGroup {
    /// The index of the task, out of `tasks`, that owns this group.
    pub fn task_index(self, tasks: usize) -> usize {
        usize::from(self.0) * tasks / usize::from(KEY_GROUPS)
    }
}

/// The key group of some values.
pub fn key_group<'a>(values: impl IntoIterator<Item = &'a Value>) -> KeyGroup {
    KeyGroup((key_hash(values) % u64::from(KEY_GROUPS)) as u16)
}

/// Appends the canonical bytes of some values: the same for equal values, however they are spelled.
pub fn key_bytes<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut KeyBytes) {
    for value in values {
        feed(value, 0, out);
    }
}

/// The canonical hash of some values.
pub fn key_hash<'a>(values: impl IntoIterator<Item = &'a Value>) -> u64 {
    let mut bytes = KeyBytes::new();
    key_bytes(values, &mut bytes);
    xxh3_64(&bytes)
}

/// Canonical bytes of a key; most keys fit without an allocation.
pub type KeyBytes = SmallVec<[u8; 120]>;

/// What is nested deeper than this counts as the text that it is: looking into it takes stack.
const DEEPEST: usize = 1024;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const LIST: u8 = 6;
const MAP: u8 = 7;

fn feed(value: &Value, depth: usize, out: &mut KeyBytes) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => feed_int(*number, out),
        Value::Float(number) => feed_float(*number, out),
        Value::Str(text) => feed_string(text.as_bytes(), out),
        Value::Json(raw) if raw.as_str().starts_with('"') => {
            feed_string(&decode_string(raw.as_str()), out);
        }
        Value::Json(raw) if depth >= DEEPEST => feed_string(raw.as_str().as_bytes(), out),
        Value::Json(raw) => match parse_value(raw.as_str()) {
            // A number that nothing holds.
            Value::Json(raw) => feed_string(raw.as_str().as_bytes(), out),
            parsed => feed(&parsed, depth, out),
        },
        Value::List(items) => {
            out.push(LIST);
            feed_length(items.len(), out);
            for item in items {
                feed(item, depth + 1, out);
            }
        }
        Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
            out.push(MAP);
            feed_length(sorted.len(), out);
            for (key, item) in sorted {
                feed_string(key.as_bytes(), out);
                feed(item, depth + 1, out);
            }
        }
    }
}

fn feed_int(number: i64, out: &mut KeyBytes) {
    out.push(INT);
    out.extend_from_slice(&number.to_le_bytes());
}

fn feed_float(number: f64, out: &mut KeyBytes) {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
        feed_int(number as i64, out);
    } else {
        out.push(FLOAT);
        let number = if number.is_nan() { f64::NAN } else { number };
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn feed_string(text: &[u8], out: &mut KeyBytes) {
    out.push(STRING);
    feed_length(text.len(), out);
    out.extend_from_slice(text);
}

fn feed_length(length: usize, out: &mut KeyBytes) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(json: &str) -> u64 {
        key_hash([&Value::from_scanned_json(json)])
    }

    #[test]
    fn c21_spellings_of_one_value_hash_alike() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("\"a\"", "\"\\u0061\""),
            ("\"é\"", "\"\\u00e9\""),
            ("{\"a\":1,\"b\":[2]}", "{ \"b\": [2.0], \"a\": 1 }"),
        ] {
            assert_eq!(hash_of(left), hash_of(right), "{left} {right}");
        }
        assert_eq!(hash_of("\"word\""), key_hash([&Value::from("word")]));
    }

    #[test]
    fn values_that_are_nested_deep_have_a_hash_too() {
        // One of these once took a worker's stack, and its successor's, for ever.
        let nested = |depth: usize, open: &str, inner: &str, close: &str| {
            format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
        };
        assert_eq!(hash_of(&nested(1000, "[", "1", "]")), hash_of(&nested(1000, "[ ", "1.0", "]")));
        for depth in [1_024, 100_000] {
            assert_ne!(
                hash_of(&nested(depth, "{\"a\":", "1", "}")),
                hash_of(&nested(depth, "{\"a\":", "2", "}"))
            );
        }
    }

    #[test]
    fn spellings_are_one_key_up_to_a_depth_of_1024_and_text_below_it() {
        let of = |depth: usize, number: &str| {
            hash_of(&format!("{}{number}{}", "[".repeat(depth), "]".repeat(depth)))
        };
        assert_eq!(of(1_024, "1"), of(1_024, "1.0"));
        assert_ne!(of(1_025, "1"), of(1_025, "1.0"));
        assert_ne!(of(1_152, "1"), of(1_152, "1.0"));
    }

    #[test]
    fn different_values_hash_apart() {
        let spellings = [
            "1",
            "\"1\"",
            "true",
            "null",
            "[1]",
            "[[1]]",
            "{}",
            "[]",
            "\"\\ud800\"",
            "\"\\ud801\"",
            "1.5",
        ];
        let mut hashes: Vec<_> = spellings.iter().map(|text| hash_of(text)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), spellings.len());
    }

    #[test]
    fn hash_of_known_values_is_pinned() {
        // These decide which task owns a key; saved state depends on them.
        assert_eq!(key_group([&Value::from("the")]), KeyGroup(PINNED[0]));
        assert_eq!(key_group([&Value::Int(42)]), KeyGroup(PINNED[1]));
    }

    const PINNED: [u16; 2] = [91, 6];

    #[test]
    fn every_group_has_a_task_and_the_groups_spread_evenly() {
        for tasks in [1, 2, 3, 7, 1000] {
            let mut owned = vec![0; tasks];
            for group in 0..KEY_GROUPS {
                owned[KeyGroup(group).task_index(tasks)] += 1;
            }
            let (least, most) = (owned.iter().min().unwrap(), owned.iter().max().unwrap());
            assert!(most - least <= 1, "{tasks}: {owned:?}");
        }
    }
}
