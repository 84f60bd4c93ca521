//! Finds where a map ends, however the chunks fall: every byte is looked at once.
//!
//! What stands between maps is text that the child printed.

use std::borrow::Cow;

use memchr::memchr;

use crate::base::ByteSize;

use super::super::framing::{FramingError, Piece};
use super::MsgpackError;
use super::decode::{decode, header};

/// How deep lists and maps may nest; msgpack's Python library packs 511 levels.
pub(super) const DEEPEST: usize = 512;

/// How far the buffer's read part may grow before it is moved out.
const COMPACT: usize = 64 << 10;
/// The memory that is kept after a large message.
const KEEP: usize = 1 << 20;
/// The longest printed text that is kept back until its line ends.
const LONGEST_LINE: usize = 64 << 10;

/// Splits one child's output.
#[derive(Debug)]
pub(in super::super) struct Maps {
    limit: usize,
    buffer: Vec<u8>,
    /// Where the map or text in hand starts.
    start: usize,
    /// What stands before is complete.
    seen: usize,
    /// Values that are missing, for each open list or map; empty between maps.
    missing: Vec<u64>,
}

impl Maps {
    pub(in super::super) fn new(limit: ByteSize) -> Self {
        let limit = limit.as_usize();
        Self { limit, buffer: Vec::new(), start: 0, seen: 0, missing: Vec::new() }
    }

    /// Adds bytes as they were read.
    pub(in super::super) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() || self.start >= COMPACT.max(self.buffer.len() / 2) {
            self.buffer.drain(..self.start);
            self.buffer.shrink_to(KEEP.max(self.buffer.len()));
            self.seen -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole piece, as JSON where it is a map.
    ///
    /// # Errors
    /// A map beyond the limits, or with something in it that JSON has no place for.
    pub(in super::super) fn next_piece(&mut self) -> Result<Option<Piece<'_>>, FramingError> {
        if self.missing.is_empty() {
            let text = text_length(&self.buffer[self.start..]);
            if text > 0 {
                return Ok(self.text(text));
            }
        }
        loop {
            let rest = &self.buffer[self.seen..];
            let Some(header) = header(rest)? else { break };
            let whole = header.length.saturating_add(header.payload);
            let claimed = (self.seen - self.start).saturating_add(whole);
            if claimed.saturating_add(header.values as usize) > self.limit {
                return Err(self.too_large());
            }
            if whole > rest.len() {
                return Ok(None);
            }
            self.seen += whole;
            self.count(header.values)?;
            if self.missing.is_empty() {
                let frame = self.start..self.seen;
                self.start = self.seen;
                let json = decode(&self.buffer[frame])?;
                return Ok(Some(Piece::Frame(Cow::Owned(json))));
            }
        }
        if self.buffer.len() - self.start > self.limit {
            return Err(self.too_large());
        }
        Ok(None)
    }

    /// What is left when the child has closed its output.
    pub(in super::super) fn finish(&mut self) -> Option<Piece<'_>> {
        let rest = self.start..self.buffer.len();
        self.start = rest.end;
        self.seen = rest.end;
        self.missing.clear();
        let text = String::from_utf8_lossy(&self.buffer[rest]);
        if text.trim().is_empty() { None } else { Some(Piece::Stray(text)) }
    }

    /// One value is there, which `values` others belong to.
    fn count(&mut self, values: u64) -> Result<(), MsgpackError> {
        if let Some(missing) = self.missing.last_mut() {
            *missing -= 1;
        }
        if values > 0 {
            if self.missing.len() == DEEPEST {
                return Err(MsgpackError::TooDeep);
            }
            self.missing.push(values);
        }
        while self.missing.last() == Some(&0) {
            self.missing.pop();
        }
        Ok(())
    }

    /// Text of at least `length` bytes, up to where its line ends; nothing while that may come.
    fn text(&mut self, length: usize) -> Option<Piece<'_>> {
        let rest = &self.buffer[self.start..];
        let line = memchr(b'\n', &rest[..length]).map(|at| at + 1);
        let ends = line.is_some() || length < rest.len() || length > LONGEST_LINE;
        if !ends {
            return None;
        }
        let text = self.start..self.start + line.unwrap_or(length);
        self.start = text.end;
        self.seen = text.end;
        let text = &self.buffer[text];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        Some(Piece::Stray(String::from_utf8_lossy(text)))
    }

    fn too_large(&self) -> FramingError {
        let frame = &self.buffer[self.start..];
        let start = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        FramingError::TooLarge { limit: ByteSize(self.limit as u64), start }
    }
}

fn is_map(byte: u8) -> bool {
    matches!(byte, 0x80..=0x8f | 0xde | 0xdf)
}

/// Bytes before the next map. A character of several bytes is passed over whole, since the later
/// ones may look like a map.
fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_map(byte) {
            return at;
        }
        let width = match byte {
            0xc2..=0xdd => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let character = bytes[at + 1..].iter().take(width - 1);
        at += 1 + character.take_while(|byte| matches!(byte, 0x80..=0xbf)).count();
    }
    at
}
