//! The bytes of tuples between two workers.
//!
//! A tuple is: source task, stream, flags, anchors, skippable header fields, values. Numbers are
//! varints (LEB128), ids of roots and edges eight bytes little-endian. A header field is a tag, a
//! length and that many bytes, so that an old reader can skip what it does not know.
//! The bytes are pinned by tests: change them only together with the frame version.

use crate::base::{EdgeId, RootId, StreamIdx, TaskId};

use super::{Anchor, Anchors, Flags, RawJson, Tuple, Value, Values};

/// Why bytes are not a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end in the middle of something.
    #[error("the bytes end too early")]
    Truncated,
    /// A number, type byte or text that cannot be.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const JSON: u8 = 6;
const LIST: u8 = 7;
const MAP: u8 = 8;

const MAX_DEPTH: usize = 256;

/// Room made for the parts of a value before they are read: a count may promise many at each depth.
const FORESEEN: usize = 16;

/// Appends a varint.
#[inline]
pub fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a tuple.
pub fn put_tuple(tuple: &Tuple, out: &mut Vec<u8>) {
    put_varint(u64::from(tuple.source.0), out);
    put_varint(u64::from(tuple.stream.0), out);
    out.push(tuple.flags.0);
    put_anchors(&tuple.anchors, out);
    put_varint(0, out); // header fields: none yet
    put_varint(tuple.values.len() as u64, out);
    for value in &tuple.values {
        put_value(value, out);
    }
}

/// Appends anchors.
pub fn put_anchors(anchors: &[Anchor], out: &mut Vec<u8>) {
    put_varint(anchors.len() as u64, out);
    for anchor in anchors {
        put_varint(u64::from(anchor.spout.0), out);
        out.extend_from_slice(&anchor.root.0.to_le_bytes());
        out.extend_from_slice(&anchor.edge.0.to_le_bytes());
    }
}

/// Appends a value.
pub fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => {
            out.push(INT);
            put_varint((*number as u64) << 1 ^ (*number >> 63) as u64, out);
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Str(text) => put_text(STRING, text, out),
        Value::Json(raw) => put_text(JSON, raw.as_str(), out),
        Value::List(items) => {
            out.push(LIST);
            put_varint(items.len() as u64, out);
            for item in items {
                put_value(item, out);
            }
        }
        Value::Map(entries) => {
            out.push(MAP);
            put_varint(entries.len() as u64, out);
            for (key, item) in entries.iter() {
                put_varint(key.len() as u64, out);
                out.extend_from_slice(key.as_bytes());
                put_value(item, out);
            }
        }
    }
}

fn put_text(kind: u8, text: &str, out: &mut Vec<u8>) {
    out.push(kind);
    put_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Reads what the `put_` functions wrote. Never allocates more than the bytes at hand justify.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        let (&byte, rest) = self.0.split_first().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(byte)
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A varint.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(WireError::Malformed("varint"))
    }

    /// A varint that counts things of at least one byte each.
    pub fn count(&mut self) -> Result<usize, WireError> {
        let count = usize::try_from(self.varint()?).map_err(|_| WireError::Malformed("count"))?;
        if count > self.0.len() { Err(WireError::Truncated) } else { Ok(count) }
    }

    /// A varint of at most 32 bits.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.varint()?).map_err(|_| WireError::Malformed("number"))
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        let bytes = self.bytes(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
    }

    /// Text behind its length.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        let length = self.count()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| WireError::Malformed("text"))
    }

    /// Anchors.
    pub fn anchors(&mut self) -> Result<Anchors, WireError> {
        let count = self.count()?;
        let mut anchors = Anchors::new();
        for _ in 0..count {
            let spout = TaskId(self.u32()?);
            let root = RootId(self.u64()?);
            let edge = EdgeId(self.u64()?);
            anchors.push(Anchor { root, edge, spout });
        }
        Ok(anchors)
    }

    /// A tuple.
    pub fn tuple(&mut self) -> Result<Tuple, WireError> {
        let source = TaskId(self.u32()?);
        let stream = self.varint()?;
        let stream = StreamIdx(u16::try_from(stream).map_err(|_| WireError::Malformed("stream"))?);
        let flags = Flags(self.byte()?);
        let anchors = self.anchors()?;
        for _ in 0..self.count()? {
            let _tag = self.varint()?;
            let length = self.count()?;
            self.bytes(length)?;
        }
        let count = self.count()?;
        let mut values = Values::with_capacity(count);
        for _ in 0..count {
            values.push(self.value(0)?);
        }
        Ok(Tuple { values, anchors, source, stream, flags })
    }

    fn value(&mut self, depth: usize) -> Result<Value, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::Malformed("nesting"));
        }
        Ok(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => {
                let zigzag = self.varint()?;
                Value::Int((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
            }
            FLOAT => Value::Float(f64::from_bits(self.u64()?)),
            STRING => Value::Str(self.text()?.into()),
            JSON => Value::Json(RawJson::from_scanned(self.text()?)),
            LIST => {
                let count = self.count()?;
                let mut items = Vec::with_capacity(count.min(FORESEEN));
                for _ in 0..count {
                    items.push(self.value(depth + 1)?);
                }
                Value::List(items)
            }
            MAP => {
                let count = self.count()?;
                let mut entries = Vec::with_capacity(count.min(FORESEEN));
                for _ in 0..count {
                    let key = self.text()?.into();
                    entries.push((key, self.value(depth + 1)?));
                }
                Value::Map(Box::new(entries))
            }
            _ => return Err(WireError::Malformed("value type")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1e300..1e300).prop_map(Value::Float),
            any::<String>().prop_map(Value::from),
            Just(Value::Json(RawJson::from_scanned("1e400"))),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(("[a-z]{0,30}".prop_map(Into::into), inner), 0..4)
                    .prop_map(|entries| Value::Map(Box::new(entries))),
            ]
        })
    }

    fn anchor() -> impl Strategy<Value = Anchor> {
        (any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(root, edge, spout)| Anchor {
            root: RootId(root),
            edge: EdgeId(edge),
            spout: TaskId(spout),
        })
    }

    proptest! {
        #[test]
        fn tuples_come_back_as_they_went(
            values in prop::collection::vec(values(), 0..5),
            anchors in prop::collection::vec(anchor(), 0..4),
            source in any::<u32>(), stream in any::<u16>(), flags in any::<u8>(),
        ) {
            let mut tuple = Tuple::new(TaskId(source), StreamIdx(stream), values);
            tuple.anchors = anchors.into_iter().collect();
            tuple.flags = Flags(flags);
            let mut bytes = Vec::new();
            put_tuple(&tuple, &mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.tuple(), Ok(tuple));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while reader.tuple().is_ok() && !reader.is_empty() {}
        }
    }

    #[test]
    fn bytes_on_the_wire_are_pinned() {
        let mut tuple = Tuple::new(TaskId(300), StreamIdx(1), [Value::from("hi"), Value::Int(-3)]);
        tuple.anchors.push(Anchor { root: RootId(1), edge: EdgeId(2), spout: TaskId(4) });
        tuple.flags = Flags::SUSPECT;
        let mut bytes = Vec::new();
        put_tuple(&tuple, &mut bytes);
        assert_eq!(
            bytes,
            [
                0xac, 0x02, // source
                1,    // stream
                1,    // flags
                1, 4, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, // anchors
                0, // header fields
                2, 5, 2, b'h', b'i', 3, 5, // values
            ]
        );
    }

    #[test]
    fn unknown_header_fields_are_skipped() {
        let bytes = [1, 0, 0, 0, /* one field: tag 9, three bytes */ 1, 9, 3, 7, 7, 7, 1, 0];
        let tuple = Reader::new(&bytes).tuple().unwrap();
        assert_eq!(tuple, Tuple::new(TaskId(1), StreamIdx(0), [Value::Null]));
    }

    #[test]
    fn a_huge_count_allocates_nothing() {
        let bytes = [1, 0, 0, 0, 0, 1, LIST, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(Reader::new(&bytes).tuple(), Err(WireError::Truncated));
    }

    #[test]
    fn values_nested_up_to_256_are_read_and_deeper_ones_refused() {
        let read = |depth: usize| {
            let nested = (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
            let mut bytes = Vec::new();
            put_tuple(&Tuple::new(TaskId(1), StreamIdx(0), [nested]), &mut bytes);
            Reader::new(&bytes).tuple().map(|_| ())
        };
        assert_eq!(read(256), Ok(()));
        assert_eq!(read(257), Err(WireError::Malformed("nesting")));
        assert_eq!(WireError::Malformed("nesting").to_string(), "malformed nesting");
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>()
                .prop_map(|number| format!("{number:?}"))
                .prop_filter("JSON", |text| { text.bytes().any(|byte| byte.is_ascii_digit()) }),
            "-?[1-9][0-9]{0,40}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
            "\"([ !#-\\[\\]-~]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,20}\"",
        ];
        leaf.prop_recursive(6, 64, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(("[a-c]{0,2}", inner), 0..5).prop_map(|entries| {
                    let entries = entries.iter().map(|(key, value)| format!("\"{key}\": {value}"));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_of_a_child_keeps_its_bytes_over_a_link(text in json()) {
            let span = crate::tuple::Scanner::new(&text).skip_value();
            prop_assert_eq!(span, Ok(0..text.len()));
            let tuple = Tuple::new(TaskId(1), StreamIdx(0), [Value::from_scanned_json(&text)]);
            let mut bytes = Vec::new();
            put_tuple(&tuple, &mut bytes);
            let read = Reader::new(&bytes).tuple();
            prop_assert_eq!(read.map(|tuple| tuple.values[0].to_json()), Ok(text));
        }
    }
}
