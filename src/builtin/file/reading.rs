//! All files of one task: which are read, which were rotated or cut, which only wait for acks.
//!
//! Time comes in as an argument. A file is let go when nothing of it is in flight any more.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Timestamp;
use crate::builtin::complaints::Complaints;
use crate::builtin::last_line::last_line_end;
use crate::component::{ComponentError, Context, Level, MessageId, Next, SpoutCollector};

use super::discover::{Discover, Found};
use super::options::{Settings, Start};
use super::position::{FilePosition, Position};
use super::source::{Phase, Pumped, Source, Trade};

/// How often followed files are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often folders are listed for new files.
pub(super) const LIST_EVERY: Duration = Duration::from_secs(1);

const LIFE_SHIFT: u32 = 48;
const SLOT_SHIFT: u32 = 36;
const SLOTS: usize = 1 << (LIFE_SHIFT - SLOT_SHIFT);
const LAST_NUMBER: u64 = (1 << SLOT_SHIFT) - 1;

/// A place for a file; its messages are numbered on when the place is taken again.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) next_number: u64,
    pub(super) source: Option<Source>,
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
    pub(super) settings: Settings,
    pub(super) context: Arc<Context>,
    pub(super) discover: Discover,
    /// Tells this life's message ids from those of an earlier one.
    pub(super) life: u64,
    pub(super) slots: Vec<Slot>,
    /// Files still to be opened, where files are not followed.
    pub(super) waiting: VecDeque<Found>,
    /// Files that are wholly acked.
    pub(super) done: Vec<FilePosition>,
    /// Whether people were told that there are too many files.
    pub(super) said_full: bool,
    pub(super) earlier: Earlier,
    pub(super) turn: usize,
    pub(super) next_look: Timestamp,
    pub(super) next_list: Timestamp,
    pub(super) malformed: Complaints,
    pub(super) lossy: Complaints,
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
            said_full: false,
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

    pub(super) fn sources(&mut self) -> impl Iterator<Item = (usize, &mut Source)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(index, slot)| Some((index, slot.source.as_mut()?)))
    }

    pub(super) fn next_readable(&self) -> Option<usize> {
        let count = self.slots.len();
        let order = (self.turn..count).chain(0..self.turn.min(count));
        order.into_iter().find(|&index| {
            let source = self.slots[index].source.as_ref();
            source.is_some_and(|source| !source.at_end)
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() == SLOTS && self.slots.iter().all(|slot| slot.source.is_some())
    }

    pub(super) fn pump(
        &mut self,
        slot: usize,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Pumped, ComponentError> {
        let (source, mut trade) = self.trade(slot, out);
        source.pump(max, &mut trade)
    }

    pub(super) fn finish(
        &mut self,
        slot: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), ComponentError> {
        let follow = self.settings.follow;
        let (source, mut trade) = self.trade(slot, out);
        source.finish(&mut trade)?;
        if !follow {
            source.close();
        }
        Ok(())
    }

    pub(super) fn trade<'a, 'b>(
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
    pub(super) fn open(&mut self, found: &Found) -> Result<Option<usize>, ComponentError> {
        let file = match File::open(&found.path) {
            Ok(file) => file,
            // Rotated away since it was found: the next look finds what is there now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.settings.follow => {
                return Ok(None);
            }
            Err(error) => {
                let path = found.path.display();
                let message = format!("could not read {path}: {error}");
                return Err(ComponentError::of_system(message, &error));
            }
        };
        let offset = self.begin_at(found, &file)?;
        self.place(found, file, offset)
    }

    pub(super) fn place(
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
            None => {
                self.say_full(found);
                return Ok(None); // The next look finds it again.
            }
        };
        let slot = &mut self.slots[index];
        let records = &self.settings.records;
        slot.source = Some(Source::open(file, &found.path, records, offset, slot.next_number)?);
        Ok(Some(index))
    }

    fn say_full(&mut self, found: &Found) {
        if !std::mem::replace(&mut self.said_full, true) {
            let path = found.path.display();
            let message = format!(
                "{SLOTS} files are followed at once; {path} and others wait until some of them end"
            );
            self.context.reporter.error(&message, None);
        }
    }

    /// Where reading begins; takes the file's entry of an earlier life.
    pub(super) fn begin_at(&mut self, found: &Found, file: &File) -> Result<u64, ComponentError> {
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

    /// Lets go of files that are wholly given out and acked.
    pub(super) fn let_go(&mut self) {
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
