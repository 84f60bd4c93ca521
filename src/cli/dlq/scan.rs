//! A file of dead letters, read through once: every letter in short, and the lines that are none.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;

use crate::base::beginning;
use crate::dead_letter::{Entry, Letter, LetterId, LetterKey, Letters, Moment, ReadError, newest};

use super::super::output::Output;

/// How much of an error is kept, in bytes.
const LONGEST_ERROR: usize = 400;

/// Where letters came from; there are few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) topology: String,
    pub(super) spout: String,
    pub(super) stream: String,
    pub(super) fields: Vec<String>,
}

/// A letter without its values and history.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) id: LetterId,
    pub(super) replays: u32,
    pub(super) time: Moment,
    /// The component that failed it last.
    pub(super) component: Option<String>,
    pub(super) error: String,
    pub(super) attempts: u32,
    /// A place in [`Scan::origins`].
    origin: usize,
}

impl Summary {
    pub(super) fn key(&self) -> LetterKey {
        (self.id, self.replays)
    }
}

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// In the order of the file; of a letter that was replayed and came back, only the last line.
    pub(super) letters: Vec<Summary>,
    origins: Vec<Origin>,
    /// Lines that are no letters, each with its place and what is wrong.
    bad: Vec<String>,
    /// The place of a last line without an end.
    torn: Option<String>,
}

/// Whether a file could be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    Sound,
    /// There are lines that are no letters.
    Damaged,
}

impl Scan {
    /// Reads the file.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let mut scan = Self::default();
        for entry in entries(path)? {
            scan.take(path, entry?);
        }
        if scan.letters.is_empty()
            && let Some(first) = scan.bad.first()
        {
            anyhow::bail!("{} is not a file of dead letters\n  {first}", path.display());
        }
        let newest = newest(scan.letters.iter().map(Summary::key).collect::<Vec<_>>().iter());
        scan.letters.retain(|letter| newest[&letter.id] == letter.replays);
        let mut seen = std::collections::HashSet::new();
        scan.letters.retain(|letter| seen.insert(letter.id));
        Ok(scan)
    }

    pub(super) fn origin(&self, letter: &Summary) -> &Origin {
        &self.origins[letter.origin]
    }

    /// How often each letter was replayed, by id.
    pub(super) fn replays(&self) -> HashMap<LetterId, u32> {
        self.letters.iter().map(Summary::key).collect()
    }

    /// Tells of lines that could not be read.
    pub(super) fn tell(&self, output: &mut Output) -> Soundness {
        const SHOWN: usize = 10;
        for bad in self.bad.iter().take(SHOWN) {
            output.message(&format!("galewire: {bad}\n"));
        }
        if self.bad.len() > SHOWN {
            let more = self.bad.len() - SHOWN;
            output.message(&format!("galewire: and {more} more lines that are no dead letters\n"));
        }
        if let Some(torn) = &self.torn {
            output.message(&format!("{torn}\n"));
        }
        if self.bad.is_empty() { Soundness::Sound } else { Soundness::Damaged }
    }

    fn take(&mut self, path: &Path, entry: Entry) {
        let place = format!("{}:{}", path.display(), entry.line);
        match entry.letter {
            Ok(letter) => {
                let summary = self.summary(letter);
                self.letters.push(summary);
            }
            Err(error @ ReadError::Torn) => self.torn = Some(format!("{place}: {error}")),
            Err(error) => self.bad.push(format!("{place}: {error}")),
        }
    }

    fn summary(&mut self, letter: Letter) -> Summary {
        let last = letter.last();
        let error = last.map_or("", |last| last.message.as_str());
        let (component, error) = (
            last.and_then(|last| last.component.clone()),
            beginning(error, LONGEST_ERROR).to_owned(),
        );
        let Letter { id, replays, time, attempts, topology, spout, stream, fields, .. } = letter;
        let origin = Origin { topology, spout, stream, fields };
        let known = self.origins.iter().position(|known| *known == origin);
        let origin = known.unwrap_or_else(|| {
            self.origins.push(origin);
            self.origins.len() - 1
        });
        Summary { id, replays, time, component, error, attempts, origin }
    }
}

/// The lines of a file.
pub(super) fn entries(
    path: &Path,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Entry>> + use<>> {
    let what = format!("{} cannot be read", path.display());
    let letters = Letters::open(path).context(what.clone())?;
    Ok(letters.map(move |entry| entry.context(what.clone())))
}
