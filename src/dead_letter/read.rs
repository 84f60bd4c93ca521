//! Reads a file of dead letters line by line, as it was at one moment, while others write to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Take};
use std::path::Path;

use super::{Letter, LetterError, LetterId};

/// Which letter, and after how many replays.
pub type LetterKey = (LetterId, u32);

/// A line of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number, from 1.
    pub line: u64,
    /// Its text, without the line break.
    pub text: String,
    /// What it says, or why it is no letter.
    pub letter: Result<Letter, ReadError>,
}

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The last line has no end: its writer was stopped. Its message was not counted as done.
    #[error("its end is missing: its writer was stopped before it had counted the message as done")]
    Torn,
    /// Not a letter.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// Bytes that are no text.
    #[error("it is not UTF-8")]
    NoText,
}

/// The lines of a file of dead letters.
#[derive(Debug)]
pub struct Letters {
    from: BufReader<Take<File>>,
    line: u64,
}

impl Letters {
    /// Opens a file. What is added later is not seen, and what is taken out later is.
    ///
    /// # Errors
    /// A file that cannot be opened or locked.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // Nobody is in the middle of a line now, and lines that are there do not change.
        file.lock_shared()?;
        let length = file.metadata()?.len();
        file.unlock()?;
        Ok(Self { from: BufReader::new(file.take(length)), line: 0 })
    }
}

impl Iterator for Letters {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            match self.from.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            self.line += 1;
            let ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Some(Ok(entry(self.line, bytes, ended)));
            }
        }
    }
}

fn entry(line: u64, bytes: Vec<u8>, ended: bool) -> Entry {
    let (text, letter) = match String::from_utf8(bytes) {
        Ok(text) => {
            let letter = Letter::parse(&text).map_err(ReadError::from);
            (text, letter)
        }
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (text, Err(ReadError::NoText))
        }
    };
    let torn = letter.is_err() && !ended && text.starts_with("{\"");
    Entry { line, text, letter: if torn { Err(ReadError::Torn) } else { letter } }
}

/// How often each letter was replayed by now: an earlier line of the same letter no longer counts.
pub fn newest<'l>(letters: impl Iterator<Item = &'l LetterKey>) -> HashMap<LetterId, u32> {
    let mut newest = HashMap::new();
    for (id, replays) in letters {
        let most = newest.entry(*id).or_insert(*replays);
        *most = (*most).max(*replays);
    }
    newest
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn each_line_is_read_alone_and_knows_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let good = String::from_utf8(letter(&["1"]).to_line()).unwrap();
        let text = format!("{good}\n\nnotes\n{good}\n{}", &good[..good.len() - 1]);
        fs::write(&path, [text.as_bytes(), b""].concat()).unwrap();
        let entries: Vec<_> = Letters::open(&path).unwrap().map(Result::unwrap).collect();
        let lines: Vec<_> =
            entries.iter().map(|entry| (entry.line, entry.letter.is_ok())).collect();
        assert_eq!(lines, [(1, true), (3, false), (4, true), (5, false)]);
        assert_eq!(entries[3].letter, Err(ReadError::Torn));
    }

    #[test]
    fn a_letter_that_came_back_stands_for_what_it_was() {
        let (one, two) = (LetterId::random(), LetterId::random());
        let newest = newest([(one, 0), (two, 2), (one, 1), (two, 1)].iter());
        assert_eq!(newest, HashMap::from([(one, 1), (two, 2)]));
    }
}
