//! From JSON text to msgpack: each value in its shortest form, as Python's library packs it.
//!
//! It never recurses, so that no value from another child can be nested too deep for it.

use crate::tuple::{JsonError, Scanner, Value};

/// The largest count that a header of one byte holds.
const FIXED: usize = 15;

/// A list or map that is being written.
struct Open {
    is_map: bool,
    /// Where its header, of one byte so far, stands.
    header: usize,
    count: usize,
}

/// Appends the JSON value `text`.
///
/// # Errors
/// Where it is not one; what was appended by then is of no use.
pub(in super::super) fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text);
    let start = out.len();
    let mut open: Vec<Open> = Vec::new();
    let mut wide: Vec<Open> = Vec::new();
    loop {
        // Either a list or map has begun, or a value is complete.
        let opened = begin(&mut scanner, out)?;
        let mut fresh = opened.is_some();
        open.extend(opened);
        loop {
            let Some(last) = open.last_mut() else {
                widen(wide, start, out);
                return scanner.finish();
            };
            let close = if last.is_map { b'}' } else { b']' };
            let more = if fresh { !scanner.take(close) } else { scanner.more(close)? };
            fresh = false;
            if more {
                last.count += 1;
                if last.is_map {
                    let key = scanner.key()?;
                    string(key.as_bytes(), out);
                }
                break;
            }
            if let Some(last) = open.pop() {
                if last.count <= FIXED {
                    out[last.header] = if last.is_map { 0x80 } else { 0x90 } | last.count as u8;
                } else {
                    wide.push(last);
                }
            }
        }
    }
}

/// Takes a value, or the beginning of a list or map.
fn begin(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<Option<Open>, JsonError> {
    let is_map = scanner.take(b'{');
    if is_map || scanner.take(b'[') {
        out.push(0);
        return Ok(Some(Open { is_map, header: out.len() - 1, count: 0 }));
    }
    let span = scanner.skip_value()?;
    scalar(scanner.slice(span), out);
    Ok(None)
}

/// Gives the headers that need more than their one byte the room they need, all at once: one after the
/// other would move everything behind each of them.
fn widen(mut wide: Vec<Open>, start: usize, out: &mut Vec<u8>) {
    if wide.is_empty() {
        return;
    }
    wide.sort_unstable_by_key(|open| open.header);
    let body = out.split_off(start);
    let mut at = 0;
    for Open { is_map, header, count } in wide {
        out.extend_from_slice(&body[at..header - start]);
        at = header - start + 1;
        let (medium, large) = if is_map { (0xde, 0xdf) } else { (0xdc, 0xdd) };
        if let Ok(count) = u16::try_from(count) {
            with_bytes(medium, &count.to_be_bytes(), out);
        } else {
            with_bytes(large, &(count as u32).to_be_bytes(), out);
        }
    }
    out.extend_from_slice(&body[at..]);
}

/// A value that is no list or map.
fn scalar(text: &str, out: &mut Vec<u8>) {
    match text.as_bytes().first() {
        Some(b'"') => string(Value::from_scanned_json(text).to_text().as_bytes(), out),
        Some(b't') => out.push(0xc3),
        Some(b'f') => out.push(0xc2),
        Some(b'n') => out.push(0xc0),
        _ => number(text, out),
    }
}

/// Whole numbers beyond 64 bits, which msgpack does not have, become the nearest number that a float
/// can hold.
fn number(text: &str, out: &mut Vec<u8>) {
    if let Ok(whole) = text.parse() {
        integer(whole, out);
    } else if let Ok(whole) = text.parse::<u64>() {
        with_bytes(0xcf, &whole.to_be_bytes(), out);
    } else {
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        with_bytes(0xcb, &number.to_be_bytes(), out);
    }
}

fn integer(number: i64, out: &mut Vec<u8>) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => with_bytes(0xcc, &[number as u8], out),
        0x100..=0xffff => with_bytes(0xcd, &(number as u16).to_be_bytes(), out),
        0x1_0000..=0xffff_ffff => with_bytes(0xce, &(number as u32).to_be_bytes(), out),
        0x1_0000_0000.. => with_bytes(0xcf, &(number as u64).to_be_bytes(), out),
        -0x20..=-1 => out.push(number as i8 as u8),
        -0x80..=-0x21 => with_bytes(0xd0, &(number as i8).to_be_bytes(), out),
        -0x8000..=-0x81 => with_bytes(0xd1, &(number as i16).to_be_bytes(), out),
        -0x8000_0000..=-0x8001 => with_bytes(0xd2, &(number as i32).to_be_bytes(), out),
        _ => with_bytes(0xd3, &number.to_be_bytes(), out),
    }
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    let length = bytes.len();
    match length {
        0..=0x1f => out.push(0xa0 | length as u8),
        0x20..=0xff => with_bytes(0xd9, &[length as u8], out),
        0x100..=0xffff => with_bytes(0xda, &(length as u16).to_be_bytes(), out),
        _ => with_bytes(0xdb, &(length as u32).to_be_bytes(), out),
    }
    out.extend_from_slice(bytes);
}

fn with_bytes(first: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    out.extend_from_slice(bytes);
}
