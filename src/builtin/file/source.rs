//! One open file: what was read of it, what was given out, and how far all is acked.
//!
//! It never looks for other files; rotation and truncation are its owner's to notice.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::base::{ByteSize, Timestamp};
use crate::builtin::complaints::Complaints;
use crate::builtin::decode::{Decoder, OnError, RecordSettings};
use crate::builtin::inputs::refused;
use crate::builtin::records::{Record, RecordBuffer};
use crate::builtin::window::Window;
use crate::component::{ComponentError, MessageId, SpoutCollector};

use super::identity::{FINGERPRINT_BYTES, Fingerprint, Identity};
use super::position::FilePosition;

/// Where a file is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its path leads to it.
    Live,
    /// It was renamed or removed; since then (or since its last growth) it has been quiet.
    Leaving(Timestamp),
    /// All of it was given out.
    Over,
    /// It was truncated: what was in flight cannot be found again in it.
    Cut,
}

/// What came of reading on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pumped {
    /// There may be more at once.
    More,
    /// All that is complete was given out.
    AtEnd,
}

/// What records are given out with.
pub(super) struct Trade<'a, 'b> {
    pub(super) records: &'a RecordSettings,
    pub(super) out: &'a mut SpoutCollector<'b>,
    pub(super) malformed: &'a mut Complaints,
    pub(super) lossy: &'a mut Complaints,
    /// The upper bits of message ids.
    pub(super) tag: u64,
    /// The greatest number that fits below them.
    pub(super) last_number: u64,
}

/// A file that is read.
pub(super) struct Source {
    file: Option<File>,
    pub(super) identity: Identity,
    fingerprint: Fingerprint,
    /// When it was last written, as of the last look; the clock's grain is the file system's.
    modified: (i64, i64),
    buffer: RecordBuffer,
    pub(super) phase: Phase,
    /// Whether the last read found nothing; only growth changes that.
    pub(super) at_end: bool,
    given: Given,
}

/// The part that records are given out by.
struct Given {
    path: PathBuf,
    decoder: Decoder,
    window: Window,
    /// Offset of the first record not given out.
    next: u64,
    /// Lines above it, where reading began at the first.
    lines: Option<u64>,
    lossy: u64,
}

impl Source {
    /// A file to be read from `offset`; its messages are numbered from `number`.
    ///
    /// # Errors
    /// The file cannot be read, or has no usable CSV header.
    pub(super) fn open(
        file: File,
        path: &Path,
        records: &RecordSettings,
        offset: u64,
        number: u64,
    ) -> Result<Self, ComponentError> {
        let read = |error: io::Error| read_error(path, &error);
        let metadata = file.metadata().map_err(read)?;
        let fingerprint = match Fingerprint::of(&file, metadata.len()) {
            // Truncated just now: it starts again with nothing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fingerprint::default(),
            other => other.map_err(read)?,
        };
        let mut source = Self {
            file: Some(file),
            identity: Identity::of(&metadata),
            fingerprint,
            modified: modified(&metadata),
            buffer: RecordBuffer::new(records.framing()),
            phase: Phase::Live,
            at_end: false,
            given: Given {
                path: path.to_owned(),
                decoder: records.decoder(),
                window: Window::starting_at(number),
                next: 0,
                lines: Some(0),
                lossy: 0,
            },
        };
        source.skip_to(offset, records)?;
        Ok(source)
    }

    /// Reads the header where one is due, and goes to `offset`.
    fn skip_to(&mut self, offset: u64, records: &RecordSettings) -> Result<(), ComponentError> {
        if offset == 0 {
            return Ok(());
        }
        while self.given.decoder.wants_header() {
            if let Some(record) = self.buffer.next() {
                let decoded = self.given.decoder.decode(record.bytes);
                self.given.next += record.length as u64;
                decoded.map_err(|error| self.given.fatal(&error))?;
            } else if self.buffer.len() > records.max_record || self.fill()? == 0 {
                break; // The header itself is not complete: it is read again with the rest.
            }
        }
        self.buffer.release();
        self.given.next = offset;
        self.given.lines = None;
        Ok(())
    }

    /// The path it was last seen under.
    pub(super) fn path(&self) -> &Path {
        &self.given.path
    }

    /// It is called otherwise now.
    pub(super) fn renamed_to(&mut self, path: &Path) {
        path.clone_into(&mut self.given.path);
    }

    /// The number for the first message of the next file in its place.
    pub(super) fn next_number(&self) -> u64 {
        self.given.window.next_number()
    }

    /// How many messages are open.
    pub(super) fn open_messages(&self) -> usize {
        self.given.window.open()
    }

    /// A message is done. False where it is not open.
    pub(super) fn ack(&mut self, number: u64) -> bool {
        self.given.window.ack(number)
    }

    /// Bytes of an incomplete record that were read.
    pub(super) fn incomplete(&self) -> usize {
        self.buffer.len()
    }

    /// How far all is acked.
    pub(super) fn position(&self) -> FilePosition {
        FilePosition {
            path: self.given.path.to_string_lossy().into_owned(),
            identity: self.identity,
            fingerprint: self.fingerprint.clone(),
            offset: self.given.window.lowest().unwrap_or(self.given.next),
        }
    }

    /// Gives out up to `max` records.
    ///
    /// # Errors
    /// A failed read, a record beyond the limit, one that stops the spout.
    pub(super) fn pump(
        &mut self,
        max: usize,
        trade: &mut Trade<'_, '_>,
    ) -> Result<Pumped, ComponentError> {
        for _ in 0..max {
            loop {
                if let Some(record) = self.buffer.next() {
                    self.given.take(record, trade)?;
                    break;
                }
                if self.buffer.len() > trade.records.max_record {
                    let line = self.given.lines.map(|lines| lines + 1);
                    return Err(self.given.too_long(line, trade.records));
                }
                if self.fill()? == 0 {
                    self.at_end = true;
                    if self.buffer.len() == 0 {
                        self.buffer.release(); // Hundreds of quiet files may be followed.
                    }
                    return Ok(Pumped::AtEnd);
                }
            }
        }
        Ok(Pumped::More)
    }

    /// Gives out a last record without a line break: no more will come.
    ///
    /// # Errors
    /// As for [`Self::pump`].
    pub(super) fn finish(&mut self, trade: &mut Trade<'_, '_>) -> Result<(), ComponentError> {
        if let Some(record) = self.buffer.rest() {
            self.given.take(record, trade)?;
        }
        self.end(Phase::Over);
        Ok(())
    }

    /// Reads no more; messages in flight stay known.
    pub(super) fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.at_end = true;
        self.buffer.release();
    }

    /// Lets the file itself go.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Whether the file is longer than what was read of it, and still the same.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub(super) fn look(&mut self) -> Result<Look, ComponentError> {
        let Some(file) = &self.file else {
            return Ok(Look::Same);
        };
        let read = |error: io::Error| read_error(&self.given.path, &error);
        let metadata = file.metadata().map_err(read)?;
        let length = metadata.len();
        let read_to = self.given.next + self.buffer.len() as u64;
        // Neither a length nor a time of writing (its grain is coarse) tells a file that was
        // written anew from one that was left alone.
        if length < read_to || !self.fingerprint.matches(file).map_err(read)? {
            return Ok(Look::Cut);
        }
        if self.fingerprint.length < length.min(FINGERPRINT_BYTES) {
            // It may be cut just now; then the next look tells.
            if let Ok(longer) = Fingerprint::of(file, length) {
                self.fingerprint = longer;
            }
        }
        Ok(if length == read_to { Look::Same } else { Look::Grown })
    }

    fn fill(&mut self) -> Result<usize, ComponentError> {
        let Some(file) = &self.file else {
            return Ok(0);
        };
        let offset = self.given.next + self.buffer.len() as u64;
        let space = self.buffer.space();
        let count = loop {
            match file.read_at(space, offset) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(&self.given.path, &error)),
            }
        };
        if offset == 0 && self.fingerprint.length < FINGERPRINT_BYTES {
            // The file is known by what was read, whatever becomes of it before the next look.
            self.fingerprint = Fingerprint::of_start(&space[..count]);
        }
        self.buffer.filled(count);
        Ok(count)
    }
}

/// What a look at a file's length showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// More to read.
    Grown,
    /// Truncated, or written anew from the start.
    Cut,
}

impl Given {
    #[inline]
    fn take(
        &mut self,
        record: Record<'_>,
        trade: &mut Trade<'_, '_>,
    ) -> Result<(), ComponentError> {
        let start = self.next;
        self.next += record.length as u64;
        self.lines = self.lines.map(|lines| lines + 1);
        if record.length > trade.records.max_record {
            return Err(self.too_long(self.lines, trade.records));
        }
        match self.decoder.decode(record.bytes) {
            Ok(Some(values)) => {
                let number = self.window.push(start);
                if number > trade.last_number {
                    return Err(ComponentError::restart("message numbers are used up"));
                }
                trade.out.emit(Some(MessageId(trade.tag | number)), values).map_err(refused)?;
            }
            Ok(None) => {}
            Err(error) if error.is_fatal() || trade.records.on_error == OnError::Stop => {
                return Err(self.fatal(&error));
            }
            Err(error) => trade.malformed.error(&self.place(), &error),
        }
        if self.decoder.lossy() > self.lossy {
            self.lossy = self.decoder.lossy();
            trade.lossy.warn(&self.place(), &"not valid UTF-8");
        }
        Ok(())
    }

    /// The last record taken, for people.
    fn place(&self) -> String {
        match self.lines {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => format!("{}, before byte {}", self.path.display(), self.next),
        }
    }

    fn fatal(&self, error: &dyn std::fmt::Display) -> ComponentError {
        ComponentError::give_up(format!("{}: {error}", self.place()))
    }

    fn too_long(&self, line: Option<u64>, records: &RecordSettings) -> ComponentError {
        let place = match line {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => format!("{}, at byte {}", self.path.display(), self.next),
        };
        let limit = ByteSize(records.max_record as u64);
        ComponentError::give_up(format!(
            "{place}: the line is longer than {limit}; `max_line` allows more"
        ))
    }
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn read_error(path: &Path, error: &io::Error) -> ComponentError {
    ComponentError::restart(format!("could not read {}: {error}", path.display()))
}
