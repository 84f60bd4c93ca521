//! Following: files that grow, are renamed, are cut, or turn up while others are read.
//!
//! It decides by what the file system shows at a given time; it never reads a clock.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::base::Timestamp;
use crate::component::{ComponentError, Level, SpoutCollector};

use super::discover::{Found, renamed};
use super::identity::Identity;
use super::reading::{LIST_EVERY, LOOK_EVERY, Reading};
use super::source::{Look, Phase, Source};

/// How long a renamed file must be quiet before its writer is taken to have left it.
const QUIET: Duration = Duration::from_secs(10);

impl Reading {
    /// Files that were rotated while nobody read: what is left of them comes first.
    pub(super) fn open_rotated(
        &mut self,
        found: &[Found],
        now: Timestamp,
    ) -> Result<(), ComponentError> {
        let known = |identity: Identity| found.iter().any(|found| found.identity == identity);
        let earlier = std::mem::take(&mut self.earlier.position.files);
        for entry in earlier {
            let path = Path::new(&entry.path);
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
    pub(super) fn look_again(
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
}

fn is_at_its_path(source: &Source) -> bool {
    fs::metadata(source.path()).is_ok_and(|metadata| Identity::of(&metadata) == source.identity)
}
