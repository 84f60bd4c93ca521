//! From msgpack to JSON text. Old and new generations of the format are both read: what old clients
//! pack as raw is text; `bin`, which only new clients write, is bytes, and becomes base64 text.

use std::io::Write as _;

use crate::tuple::{Value, write_json_string};

use super::MsgpackError;
use super::frames::DEEPEST;

/// What the first bytes of a value say.
pub(super) struct Header {
    /// Bytes of the header itself.
    pub(super) length: usize,
    /// Bytes behind it that belong to the value.
    pub(super) payload: usize,
    /// Values behind it that belong to it: a list's, or a map's keys and values.
    pub(super) values: u64,
}

/// The header at the start of `bytes`; nothing where more of it has to come.
///
/// # Errors
/// A type that is not known here.
pub(super) fn header(bytes: &[u8]) -> Result<Option<Header>, MsgpackError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let plain = |payload: usize| Ok(Some(Header { length: 1, payload, values: 0 }));
    let (width, factor) = match first {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => return plain(0),
        0x80..=0x8f => {
            let values = u64::from(first & 0x0f) * 2;
            return Ok(Some(Header { length: 1, payload: 0, values }));
        }
        0x90..=0x9f => {
            let values = u64::from(first & 0x0f);
            return Ok(Some(Header { length: 1, payload: 0, values }));
        }
        0xa0..=0xbf => return plain(usize::from(first & 0x1f)),
        0xcc | 0xd0 => return plain(1),
        0xcd | 0xd1 => return plain(2),
        0xce | 0xd2 | 0xca => return plain(4),
        0xcf | 0xd3 | 0xcb => return plain(8),
        0xc4 | 0xd9 => (1, 0),
        0xc5 | 0xda => (2, 0),
        0xc6 | 0xdb => (4, 0),
        0xdc => (2, 1),
        0xdd => (4, 1),
        0xde => (2, 2),
        0xdf => (4, 2),
        other => return Err(MsgpackError::Unsupported(other)),
    };
    let Some(count) = bytes.get(1..=width) else { return Ok(None) };
    let count = count.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let (payload, values) = if factor == 0 { (count as usize, 0) } else { (0, count * factor) };
    Ok(Some(Header { length: 1 + width, payload, values }))
}

/// The JSON text of one value that fills `bytes`.
///
/// # Errors
/// Where it is no value that JSON has a place for.
pub(super) fn decode(bytes: &[u8]) -> Result<String, MsgpackError> {
    let mut reader = Reader { bytes, out: Vec::with_capacity(bytes.len() * 2) };
    reader.value(0)?;
    Ok(String::from_utf8(reader.out).expect("JSON written here is text"))
}

struct Reader<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Takes the next value's first byte, its payload, and how many values belong to it.
    fn take(&mut self) -> Result<(u8, &'a [u8], u64), MsgpackError> {
        let Header { length, payload, values } = header(self.bytes)?.ok_or(MsgpackError::Short)?;
        let end = length.checked_add(payload).ok_or(MsgpackError::Short)?;
        let payload = self.bytes.get(length..end).ok_or(MsgpackError::Short)?;
        let first = self.bytes[0];
        self.bytes = &self.bytes[end..];
        Ok((first, payload, values))
    }

    fn value(&mut self, depth: usize) -> Result<(), MsgpackError> {
        let (first, payload, values) = self.take()?;
        match first {
            0x80..=0x8f | 0xde | 0xdf => self.map(values / 2, depth),
            0x90..=0x9f | 0xdc | 0xdd => self.list(values, depth),
            _ => {
                scalar(first, payload, &mut self.out);
                Ok(())
            }
        }
    }

    fn list(&mut self, count: u64, depth: usize) -> Result<(), MsgpackError> {
        let depth = deeper(depth)?;
        self.out.push(b'[');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<(), MsgpackError> {
        let depth = deeper(depth)?;
        self.out.push(b'{');
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            self.key()?;
            self.out.push(b':');
            self.value(depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// A key, which in JSON is text: whole numbers and the rest as Python's `json` would write them.
    fn key(&mut self) -> Result<(), MsgpackError> {
        let (first, payload, _) = self.take()?;
        match first {
            0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb => text(payload, &mut self.out),
            0x80..=0x9f | 0xca | 0xcb | 0xdc..=0xdf => return Err(MsgpackError::Key),
            _ => {
                self.out.push(b'"');
                scalar(first, payload, &mut self.out);
                self.out.push(b'"');
            }
        }
        Ok(())
    }
}

fn deeper(depth: usize) -> Result<usize, MsgpackError> {
    if depth < DEEPEST { Ok(depth + 1) } else { Err(MsgpackError::TooDeep) }
}

/// Any value but a list or a map.
fn scalar(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    let unsigned = || payload.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let spare = 64 - 8 * payload.len().min(8) as u32;
    let whole = match first {
        0x00..=0x7f => i128::from(first),
        0xe0..=0xff => i128::from(first as i8),
        0xcc..=0xcf => i128::from(unsigned()),
        // Shifted up and down again, so that the sign spreads.
        0xd0..=0xd3 => i128::from((unsigned() << spare) as i64 >> spare),
        0xca => return Value::Float(f64::from(f32::from_bits(unsigned() as u32))).write_json(out),
        0xcb => return Value::Float(f64::from_bits(unsigned())).write_json(out),
        0xa0..=0xbf | 0xd9..=0xdb => return text(payload, out),
        0xc4..=0xc6 => return base64(payload, out),
        0xc2 => return out.extend_from_slice(b"false"),
        0xc3 => return out.extend_from_slice(b"true"),
        _ => return out.extend_from_slice(b"null"),
    };
    write!(out, "{whole}").expect("a vector takes every write");
}

/// Bytes that are not UTF-8 are replaced, as they are in JSON from a child.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    write_json_string(&String::from_utf8_lossy(bytes), out);
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { letter } else { b'=' });
        }
    }
    out.push(b'"');
}
