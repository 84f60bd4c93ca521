//! All files of one task: which are read, which were rotated or cut, which only wait for acks.
//!
//! Time comes in as an argument. A file is let go when nothing of it is in flight any more.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use crate::base::Timestamp;
use crate::builtin::complaints::Complaints;
use crate::builtin::last_line::last_line_end;
use crate::component::{ComponentError, Context, Level, MessageId, Next, SpoutCollector};

use super::discover::{Discover, Found, renamed};
use super::identity::Identity;
use super::options::{Settings, Start};
use super::position::{FilePosition, Position};
use super::source::{Look, Phase, Pumped, Source, Trade};

/// How often followed files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often folders are listed for new files.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// How long a renamed file must be quiet before its writer is taken to have left it.
const QUIET: Duration = Duration::from_secs(10);

const LIFE_SHIFT: u32 = 48;
const SLOT_SHIFT: u32 = 36;
const SLOTS: usize = 1 << (LIFE_SHIFT - SLOT_SHIFT);
const LAST_NUMBER: u64 = (1 << SLOT_SHIFT) - 1;

/// A place for a file; its messages are numbered on when the place is taken again.
#[derive(Default)]
struct Slot {
    next_number: u64,
    source: Option<Source>,
}

/// What earlier lives of the task left.
pub(super) struct Earlier {
    /// How far they had everything acked.
    pub(super) position: Position,
    /// Whether files without a position are new, whatever `start` says.
    pub(super) begun: bool,
}

/// The files that one task reads.
pub(super) struct Reading {
    settings: Settings,
    context: Arc<Context>,
    discover: Discover,
    /// Tells this life's message ids from those of an earlier one.
    life: u64,
    slots: Vec<Slot>,
    /// Files still to be opened, where files are not followed.
    waiting: VecDeque<Found>,
    /// Files that are wholly acked.
    done: Vec<FilePosition>,
    earlier: Earlier,
    turn: usize,
    next_look: Timestamp,
    next_list: Timestamp,
    malformed: Complaints,
    lossy: Complaints,
}

impl Reading {
    /// Finds the files and, where they are followed, opens them.
    ///
    /// # Errors
    /// A file that is missing or cannot be read.
    pub(super) fn start(
        settings: Settings,
        context: &Arc<Context>,
        earlier: Earlier,
        now: Timestamp,
    ) -> Result<Self, ComponentError> {
        let share = (context.task_index, context.task_count);
        let discover = Discover::new(&settings.patterns, &context.dir, share, settings.follow);
        let found = discover.look(true)?;
        let reporter = &context.reporter;
        let mut reading = Self {
            malformed: Complaints::new(reporter, "malformed_records", "the record is left out"),
            lossy: Complaints::new(
                reporter,
                "records_not_utf8",
                "bad bytes are replaced by U+FFFD",
            ),
            context: Arc::clone(context),
            discover,
            life: u64::from(fastrand::u16(..)) << LIFE_SHIFT,
            slots: Vec::new(),
            waiting: VecDeque::new(),
            done: Vec::new(),
            earlier,
            turn: 0,
            next_look: now + LOOK_EVERY,
            next_list: now + LIST_EVERY,
            settings,
        };
        if reading.settings.follow {
            for found in &found {
                reading.open(found)?;
            }
            reading.open_rotated(&found, now)?;
            reading.earlier.begun = true;
        } else {
            let files = &mut reading.earlier.position.files;
            files.retain(|file| found.iter().any(|found| found.identity == file.identity));
            reading.waiting = found.into();
        }
        Ok(reading)
    }

    /// Gives out up to `max` records.
    ///
    /// # Errors
    /// A file that cannot be read on, or a record that stops the spout.
    pub(super) fn next_batch(
        &mut self,
        max: usize,
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        if self.settings.follow && now >= self.next_look {
            self.look_again(now, out)?;
        }
        if let Some(slot) = self.next_readable() {
            self.turn = slot + 1;
            if self.pump(slot, max, out)? == Pumped::AtEnd && !self.settings.follow {
                self.finish(slot, out)?;
            }
            return Ok(Next::More);
        }
        if self.settings.follow {
            return Ok(Next::IdleUntil(self.next_look));
        }
        self.let_go();
        if self.waiting.is_empty() {
            return Ok(Next::Exhausted);
        }
        if self.is_full() {
            return Ok(Next::Idle); // An ack makes room.
        }
        let found = self.waiting.pop_front().expect("a file waits");
        self.open(&found)?;
        Ok(Next::More)
    }

    /// A message is done; ids of an earlier life mean nothing here.
    pub(super) fn ack(&mut self, id: MessageId) {
        if id.0 >> LIFE_SHIFT != self.life >> LIFE_SHIFT {
            return;
        }
        let slot = (id.0 >> SLOT_SHIFT) as usize % SLOTS;
        let source = self.slots.get_mut(slot).and_then(|slot| slot.source.as_mut());
        if let Some(source) = source {
            source.ack(id.0 & LAST_NUMBER);
        }
    }

    /// How far all is acked.
    pub(super) fn position(&mut self) -> Position {
        self.let_go();
        let sources = self.slots.iter().filter_map(|slot| slot.source.as_ref());
        let known = sources.filter(|source| source.phase != Phase::Cut);
        let mut files: Vec<_> = self.done.clone();
        files.extend(known.map(Source::position));
        // What was not looked at yet stays as it was.
        files.extend(self.earlier.position.files.iter().cloned());
        Position { files }
    }

    fn sources(&mut self) -> impl Iterator<Item = (usize, &mut Source)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(index, slot)| Some((index, slot.source.as_mut()?)))
    }

    fn next_readable(&self) -> Option<usize> {
        let count = self.slots.len();
        let order = (self.turn..count).chain(0..self.turn.min(count));
        order.into_iter().find(|&index| {
            let source = self.slots[index].source.as_ref();
            source.is_some_and(|source| !source.at_end)
        })
    }

    fn is_full(&self) -> bool {
        self.slots.len() == SLOTS && self.slots.iter().all(|slot| slot.source.is_some())
    }

    fn pump(
        &mut self,
        slot: usize,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Pumped, ComponentError> {
        let (source, mut trade) = self.trade(slot, out);
        source.pump(max, &mut trade)
    }

    fn finish(&mut self, slot: usize, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        let follow = self.settings.follow;
        let (source, mut trade) = self.trade(slot, out);
        source.finish(&mut trade)?;
        if !follow {
            source.close();
        }
        Ok(())
    }

    fn trade<'a, 'b>(
        &'a mut self,
        slot: usize,
        out: &'a mut SpoutCollector<'b>,
    ) -> (&'a mut Source, Trade<'a, 'b>) {
        let trade = Trade {
            records: &self.settings.records,
            out,
            malformed: &mut self.malformed,
            lossy: &mut self.lossy,
            tag: self.life | (slot as u64) << SLOT_SHIFT,
            last_number: LAST_NUMBER,
        };
        let source = self.slots[slot].source.as_mut();
        (source.expect("a slot that is read holds a file"), trade)
    }

    /// Opens a file where it is to be read from; gives its slot.
    fn open(&mut self, found: &Found) -> Result<Option<usize>, ComponentError> {
        let file = match File::open(&found.path) {
            Ok(file) => file,
            // Rotated away since it was found: the next look finds what is there now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.settings.follow => {
                return Ok(None);
            }
            Err(error) => {
                let path = found.path.display();
                return Err(ComponentError::give_up(format!("could not read {path}: {error}")));
            }
        };
        let offset = self.begin_at(found, &file)?;
        self.place(found, file, offset)
    }

    fn place(
        &mut self,
        found: &Found,
        file: File,
        offset: u64,
    ) -> Result<Option<usize>, ComponentError> {
        let free = self.slots.iter().position(|slot| slot.source.is_none());
        let index = match free {
            Some(index) => index,
            None if self.slots.len() < SLOTS => {
                self.slots.push(Slot::default());
                self.slots.len() - 1
            }
            None => return Ok(None), // The next look finds it again.
        };
        let slot = &mut self.slots[index];
        let records = &self.settings.records;
        slot.source = Some(Source::open(file, &found.path, records, offset, slot.next_number)?);
        Ok(Some(index))
    }

    /// Where reading begins; takes the file's entry of an earlier life.
    fn begin_at(&mut self, found: &Found, file: &File) -> Result<u64, ComponentError> {
        let failed = |error: std::io::Error| {
            let path = found.path.display();
            ComponentError::restart(format!("could not read {path}: {error}"))
        };
        let entries = &mut self.earlier.position.files;
        if let Some(index) = entries.iter().position(|file| file.identity == found.identity) {
            let earlier = entries.remove(index);
            let length = file.metadata().map_err(failed)?.len();
            if length >= earlier.offset && earlier.fingerprint.matches(file).map_err(failed)? {
                return Ok(earlier.offset);
            }
            let path = found.path.display();
            let message = format!("{path} was written anew; it is read from its beginning");
            self.context.reporter.log(Level::Warn, &message);
            return Ok(0);
        }
        if self.settings.start == Start::End && !self.earlier.begun {
            return last_line_end(file, found.length).map_err(failed);
        }
        Ok(0)
    }

    /// Files that were rotated while nobody read: what is left of them comes first.
    fn open_rotated(&mut self, found: &[Found], now: Timestamp) -> Result<(), ComponentError> {
        let known = |identity: Identity| found.iter().any(|found| found.identity == identity);
        let earlier = std::mem::take(&mut self.earlier.position.files);
        for entry in earlier {
            let path = std::path::Path::new(&entry.path);
            if known(entry.identity) || !self.discover.is_ours(path, entry.identity) {
                continue;
            }
            let there = renamed(path, entry.identity);
            let Some(there) = there.filter(|there| there.length >= entry.offset) else {
                let message = format!(
                    "{} is gone; of the old file all that was acked is its first {} bytes",
                    entry.path, entry.offset
                );
                self.context.reporter.log(Level::Warn, &message);
                continue;
            };
            let offset = entry.offset;
            self.earlier.position.files = vec![entry];
            let slot = self.open(&there)?;
            self.earlier.position.files.clear();
            let source = slot.and_then(|slot| self.slots[slot].source.as_mut());
            if let Some(source) = source
                && source.position().offset == offset
            {
                source.phase = Phase::Leaving(now);
            }
        }
        Ok(())
    }

    /// Looks at followed files, and for new ones.
    fn look_again(
        &mut self,
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), ComponentError> {
        self.next_look = now + LOOK_EVERY;
        for slot in 0..self.slots.len() {
            self.look_at(slot, now, out)?;
        }
        let listed = now >= self.next_list && self.discover.has_globs();
        if listed {
            self.next_list = now + LIST_EVERY;
        }
        let found = self.discover.look(listed)?;
        self.let_go();
        if listed || !self.discover.has_globs() {
            self.done.retain(|done| found.iter().any(|found| found.identity == done.identity));
        }
        for found in found {
            self.meet(&found)?;
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        slot: usize,
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), ComponentError> {
        let Some(source) = self.slots[slot].source.as_mut() else {
            return Ok(());
        };
        if !matches!(source.phase, Phase::Live | Phase::Leaving(_)) {
            return Ok(());
        }
        let look = source.look()?;
        match look {
            Look::Cut => return self.cut(slot),
            Look::Grown => source.at_end = false,
            Look::Same => {}
        }
        let here = self.discover.names(source.path()) && is_at_its_path(source);
        match source.phase {
            _ if here => source.phase = Phase::Live,
            Phase::Leaving(since) if look == Look::Same && source.at_end => {
                if now.since(since) >= QUIET {
                    self.finish(slot, out)?;
                }
            }
            _ => source.phase = Phase::Leaving(now),
        }
        Ok(())
    }

    /// The file was truncated: what is in it now is read from its beginning.
    fn cut(&mut self, slot: usize) -> Result<(), ComponentError> {
        let source = self.slots[slot].source.as_mut().expect("the slot was looked at");
        let path = source.path().to_owned();
        let identity = source.identity;
        let path_text = path.display();
        let message = match source.incomplete() {
            0 => format!("{path_text} was truncated"),
            lost => format!(
                "{path_text} was truncated; {lost} bytes of an incomplete last line are gone"
            ),
        };
        source.end(Phase::Cut);
        source.close();
        self.context.reporter.log(Level::Warn, &message);
        match fs::metadata(&path) {
            Ok(metadata) if Identity::of(&metadata) == identity => {
                let found = Found { path, identity, length: metadata.len() };
                self.open(&found).map(|_| ())
            }
            _ => Ok(()), // It is elsewhere: looking for files finds it where it belongs to `path`.
        }
    }

    /// A file that is there: a known one may have a new name, an unknown one is opened.
    fn meet(&mut self, found: &Found) -> Result<(), ComponentError> {
        let known = self
            .sources()
            .find(|(_, source)| source.identity == found.identity && source.phase != Phase::Cut);
        if let Some((_, source)) = known {
            if source.path() != found.path && !is_at_its_path(source) {
                source.renamed_to(&found.path);
            }
            return Ok(());
        }
        if let Some(index) = self.done.iter().position(|done| done.identity == found.identity) {
            let done = &self.done[index];
            let same = File::open(&found.path).and_then(|file| done.fingerprint.matches(&file));
            if done.offset == found.length && same.unwrap_or(false) {
                return Ok(());
            }
            // It has grown since, or its inode went to a new file: opening it tells.
            let entry = self.done.swap_remove(index);
            self.earlier.position.files.push(entry);
        }
        self.open(found).map(|_| ())
    }

    /// Lets go of files that are wholly given out and acked.
    fn let_go(&mut self) {
        for slot in &mut self.slots {
            let over = slot.source.as_ref().is_some_and(|source| {
                matches!(source.phase, Phase::Over | Phase::Cut) && source.open_messages() == 0
            });
            if over && let Some(source) = slot.source.take() {
                slot.next_number = source.next_number();
                if source.phase == Phase::Over {
                    self.done.push(source.position());
                }
            }
        }
    }
}

fn is_at_its_path(source: &Source) -> bool {
    fs::metadata(source.path()).is_ok_and(|metadata| Identity::of(&metadata) == source.identity)
}
