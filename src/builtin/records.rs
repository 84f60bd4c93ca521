//! Cuts a stream of bytes into records: lines, or CSV records that may span lines.
//!
//! It never reads by itself: its owner fills the space it gives.

use memchr::memchr;

use super::csv;

/// How much space a read is given at least.
const READ_BYTES: usize = 256 * 1024;

/// Where records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// At each line break.
    Lines,
    /// At line breaks outside quotes.
    Csv {
        /// What stands between fields.
        delimiter: u8,
    },
}

/// A record in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Its bytes without the line break (`\n` or `\r\n`).
    pub(super) bytes: &'a [u8],
    /// How many bytes it took, its line break included.
    pub(super) length: usize,
}

/// Bytes that were read and not given out yet.
#[derive(Debug)]
pub(super) struct RecordBuffer {
    framing: Framing,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to here no line break was found (lines only).
    scanned: usize,
}

impl RecordBuffer {
    /// An empty buffer.
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, bytes: Vec::new(), start: 0, end: 0, scanned: 0 }
    }

    /// How many bytes are held that were not given out.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Room for the next read.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.bytes.len() < self.end + READ_BYTES {
            let double = self.bytes.len() * 2;
            self.bytes.resize((self.end + READ_BYTES).max(double), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Says that a read has filled the first `count` bytes of the space.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.bytes.len(), "a read stays within the space");
    }

    /// Appends bytes that were read elsewhere.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// The next complete record.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Record<'_>> {
        let length = match self.framing {
            Framing::Lines => {
                let Some(place) = memchr(b'\n', &self.bytes[self.scanned..self.end]) else {
                    self.scanned = self.end;
                    return None;
                };
                self.scanned + place + 1 - self.start
            }
            Framing::Csv { delimiter } => {
                csv::record_end(&self.bytes[self.start..self.end], delimiter)?
            }
        };
        let record = &self.bytes[self.start..self.start + length - 1];
        self.start += length;
        self.scanned = self.start;
        Some(Record { bytes: record.strip_suffix(b"\r").unwrap_or(record), length })
    }

    /// What is left when no more bytes will come: a last record without a line break.
    pub(super) fn rest(&mut self) -> Option<Record<'_>> {
        let bytes = &self.bytes[self.start..self.end];
        self.start = self.end;
        self.scanned = self.end;
        (!bytes.is_empty()).then_some(Record { bytes, length: bytes.len() })
    }

    /// Gives the memory back. What was held is gone.
    pub(super) fn release(&mut self) {
        *self = Self::new(self.framing);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(framing: Framing, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut buffer = RecordBuffer::new(framing);
        let mut records = Vec::new();
        for piece in pieces {
            buffer.push(piece);
            while let Some(record) = buffer.next() {
                records.push(record.bytes.to_vec());
            }
        }
        records.extend(buffer.rest().map(|record| record.bytes.to_vec()));
        records
    }

    #[test]
    fn both_line_breaks_end_a_line_and_the_last_needs_none() {
        let lines = cut(Framing::Lines, &[b"a\r", b"\n\nb\rc\nlast"]);
        assert_eq!(lines, [&b"a"[..], b"", b"b\rc", b"last"]);
    }

    #[test]
    fn a_csv_record_may_span_lines() {
        let framing = Framing::Csv { delimiter: b',' };
        let records = cut(framing, &[b"1,\"a\n", b"b\"\r\n2,c\n"]);
        assert_eq!(records, [&b"1,\"a\nb\""[..], b"2,c"]);
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_bytes_arrive(
            text in "[ab,\"\n]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
            csv in any::<bool>(),
        ) {
            let framing = if csv { Framing::Csv { delimiter: b',' } } else { Framing::Lines };
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> =
                cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(framing, &pieces), cut(framing, &[text.as_bytes()]));
        }
    }
}
