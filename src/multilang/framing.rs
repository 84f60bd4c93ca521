//! Splits what a child writes into frames: lines up to a line `end`, or msgpack maps.
//!
//! Pure and incremental: every byte is looked at once, however the chunks fall. It never decides
//! what a frame means, but it tells text that cannot be the start of a message from the rest, so
//! that a `print` is logged when it happens and not with the next message.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde::{Deserialize, Serialize};

use crate::base::ByteSize;

use super::msgpack::{Maps, MsgpackError};
use super::salvage::is_message_start;

/// How messages are written on a child's pipes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One JSON text, a newline, the line `end`, a newline.
    #[default]
    Json,
    /// Maps in msgpack, one behind the other; the engine's task ids are an array.
    Msgpack,
}

/// The largest message that a child may send.
pub const MAX_MESSAGE: ByteSize = ByteSize(64 << 20);

/// How far the buffer's read part may grow before it is moved out.
const COMPACT: usize = 64 << 10;

/// The memory that is kept after a large message.
const KEEP: usize = 1 << 20;

/// Why a child's output cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// More bytes without the end of a message than a message may have.
    #[error("sent more than {limit} without the end of a message (it begins with {start:?})")]
    TooLarge {
        /// The limit.
        limit: ByteSize,
        /// The first bytes.
        start: String,
    },
    /// Msgpack that is no message.
    #[error("sent a message that {0}")]
    Msgpack(#[from] MsgpackError),
}

/// What came out of the pipe.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Everything before a line `end`, without its last line break.
    Frame(Cow<'a, str>),
    /// A line that belongs to no message.
    Stray(Cow<'a, str>),
}

/// Splits one child's output.
#[derive(Debug)]
pub(super) enum Framer {
    /// JSON, closed by lines `end`.
    Lines(Lines),
    /// Msgpack, handed on as JSON.
    Maps(Maps),
}

impl Default for Framer {
    fn default() -> Self {
        Self::Lines(Lines::default())
    }
}

impl Framer {
    /// A framer for one child's life; messages may have up to `limit` bytes.
    pub(super) fn new(protocol: Protocol, limit: ByteSize) -> Self {
        match protocol {
            Protocol::Json => Self::Lines(Lines { limit: limit.as_usize(), ..Lines::default() }),
            Protocol::Msgpack => Self::Maps(Maps::new(limit)),
        }
    }

    /// Adds bytes as they were read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Lines(lines) => lines.push(bytes),
            Self::Maps(maps) => maps.push(bytes),
        }
    }

    /// The next whole piece, if there is one. Pieces are given in the order of the bytes.
    ///
    /// # Errors
    /// A frame beyond the limit, or one that is no message; the framer is of no use afterwards.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece<'_>>, FramingError> {
        match self {
            Self::Lines(lines) => lines.next_piece(),
            Self::Maps(maps) => maps.next_piece(),
        }
    }

    /// What is left when the child has closed its output.
    pub(super) fn finish(&mut self) -> Option<Piece<'_>> {
        match self {
            Self::Lines(lines) => lines.finish(),
            Self::Maps(maps) => maps.finish(),
        }
    }
}

/// Splits JSON up to lines `end`.
#[derive(Debug, Default)]
pub(super) struct Lines {
    limit: usize,
    buffer: Vec<u8>,
    /// Where the frame in hand starts.
    start: usize,
    /// Where its current line starts.
    line: usize,
    /// No line break stands between `line` and here.
    seen: usize,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        let all = self.start == self.buffer.len();
        if all || self.start >= COMPACT.max(self.buffer.len() / 2) {
            self.forget(self.start);
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn next_piece(&mut self) -> Result<Option<Piece<'_>>, FramingError> {
        while let Some(found) = memchr(b'\n', &self.buffer[self.seen..]) {
            let line_end = self.seen + found;
            let line = self.line..line_end;
            self.seen = line_end + 1;
            self.line = self.seen;
            if without_return(&self.buffer[line.clone()]) == b"end" {
                let frame = self.start..line.start;
                self.start = self.seen;
                return Ok(Some(Piece::Frame(self.frame_text(frame))));
            }
            if line.start == self.start && !self.may_start_message(&line) {
                self.start = self.seen;
                return Ok(Some(Piece::Stray(self.line_text(line))));
            }
        }
        self.seen = self.buffer.len();
        if self.seen - self.start > self.limit {
            return Err(self.too_large());
        }
        Ok(None)
    }

    fn finish(&mut self) -> Option<Piece<'_>> {
        let rest = self.start..self.buffer.len();
        self.start = rest.end;
        self.line = rest.end;
        self.seen = rest.end;
        let text = String::from_utf8_lossy(&self.buffer[rest]);
        if text.trim().is_empty() { None } else { Some(Piece::Stray(text)) }
    }

    fn forget(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.buffer.shrink_to(KEEP.max(self.buffer.len()));
        self.start -= count;
        self.line -= count;
        self.seen -= count;
    }

    fn may_start_message(&self, line: &Range<usize>) -> bool {
        is_message_start(&self.buffer[line.clone()])
    }

    fn frame_text(&self, range: Range<usize>) -> Cow<'_, str> {
        let bytes = &self.buffer[range];
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        String::from_utf8_lossy(without_return(bytes))
    }

    fn line_text(&self, range: Range<usize>) -> Cow<'_, str> {
        String::from_utf8_lossy(without_return(&self.buffer[range]))
    }

    fn too_large(&self) -> FramingError {
        let frame = &self.buffer[self.start..];
        let start = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        FramingError::TooLarge { limit: ByteSize(self.limit as u64), start }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(chunks: &[&[u8]]) -> Vec<String> {
        let mut framer = Framer::new(Protocol::Json, ByteSize(1 << 20));
        let mut all = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(piece) = framer.next_piece().unwrap() {
                all.push(show(&piece));
            }
        }
        all.extend(framer.finish().map(|piece| show(&piece)));
        all
    }

    fn show(piece: &Piece<'_>) -> String {
        match piece {
            Piece::Frame(text) => format!("frame {text}"),
            Piece::Stray(text) => format!("stray {text}"),
        }
    }

    #[test]
    fn c16_a_frame_ends_at_the_line_end_however_it_is_spelled() {
        let expected = ["frame {\"a\":\n 1}", "frame {}"];
        assert_eq!(pieces(&[b"{\"a\":\n 1}\nend\n{}\nend\n"]), expected);
        let with_returns: &[u8] = b"{\"a\":1}\r\nend\r\n";
        assert_eq!(pieces(&[with_returns]), ["frame {\"a\":1}"]);
    }

    #[test]
    fn c17_lines_that_start_no_message_are_stray_at_once() {
        let mut framer = Framer::new(Protocol::Json, MAX_MESSAGE);
        framer.push(b"hello\n[INFO] starting\n");
        assert_eq!(framer.next_piece(), Ok(Some(Piece::Stray("hello".into()))));
        let line = Piece::Stray("[INFO] starting".into());
        assert_eq!(framer.next_piece(), Ok(Some(line)));
        assert_eq!(framer.next_piece(), Ok(None));
    }

    #[test]
    fn text_glued_to_a_message_stays_with_its_frame() {
        let glued: &[u8] = b"debug{\"command\":\"sync\"}\nend\n";
        assert_eq!(pieces(&[glued]), ["frame debug{\"command\":\"sync\"}"]);
    }

    #[test]
    fn c18_bytes_left_at_the_end_are_stray() {
        assert_eq!(pieces(&[b"{}\nend\nExiting"]), ["frame {}", "stray Exiting"]);
        assert_eq!(pieces(&[b"{}\nend\n\n"]), ["frame {}", "stray "]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        assert_eq!(pieces(&[b"\xff{\"a\":1}\nend\n"]), ["frame \u{fffd}{\"a\":1}"]);
    }

    #[test]
    fn an_endless_message_is_an_error_that_shows_its_start() {
        let mut framer = Framer::new(Protocol::Json, ByteSize(100));
        framer.push(b"{\"command\":\"");
        for _ in 0..20 {
            framer.push(b"xxxxxxxxxx");
        }
        let error = framer.next_piece().unwrap_err().to_string();
        assert!(error.contains("100B"), "{error}");
        assert!(error.contains("command"), "{error}");
    }

    #[test]
    fn a_message_of_the_greatest_length_is_whole_and_one_byte_more_without_an_end_is_an_error() {
        for (length, is_whole) in [(100, true), (101, false)] {
            let mut framer = Framer::new(Protocol::Json, ByteSize(100));
            let message = format!("{{\"{}\"}}", "x".repeat(length - 4));
            framer.push(message.as_bytes());
            assert_eq!(framer.next_piece().is_ok(), is_whole, "{length}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_depend_on_how_the_bytes_were_cut(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("{\"command\":\"sync\"}\nend\n"), Just("print"), Just("\n"), Just("end\n"),
                    Just("{\"a\":\n[1]}\r\nend\r\n"), Just("[x\n"), Just("{\""), Just("é"),
                ], 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let text = parts.concat().into_bytes();
            let whole = pieces(&[&text]);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            places.extend([0, text.len()]);
            places.sort_unstable();
            let chunks: Vec<&[u8]> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(pieces(&chunks), whole);
        }

        #[test]
        fn arbitrary_bytes_never_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            pieces(&chunks);
        }
    }
}
