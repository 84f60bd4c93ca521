//! The file that lines are appended to: opened for a first or a later life, written in groups.
//!
//! It blocks, and so runs in a job but for its opening.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::builtin::commit::Sink;
use crate::builtin::last_line::last_line_end;
use crate::builtin::records::{Framing, RecordBuffer};

/// What is done with a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is written anew.
    Anew,
    /// Lines are added behind it; a last line without a line break gets one.
    Append,
    /// An earlier life wrote it: half a record at its end is cut off.
    Continue,
}

/// Appends to a file.
#[derive(Debug)]
pub(super) struct LineFile {
    file: File,
    /// A pipe or a device can neither be synced nor cut.
    regular: bool,
    sync: bool,
    length: u64,
}

impl LineFile {
    /// Opens the file, with the folders it needs.
    pub(super) fn open(
        path: &Path,
        begin: Begin,
        framing: Framing,
        sync: bool,
    ) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let regular = file.metadata()?.is_file();
        if regular {
            let length = file.metadata()?.len();
            match begin {
                Begin::Anew => file.set_len(0)?,
                Begin::Continue => file.set_len(last_record_end(&file, length, framing)?)?,
                Begin::Append if length > last_line_end(&file, length)? => file.write_all(b"\n")?,
                Begin::Append => {}
            }
            if let (true, Some(folder)) = (sync, folder) {
                File::open(folder)?.sync_all()?; // The name of a new file must last, too.
            }
        }
        let length = if regular { file.metadata()?.len() } else { 0 };
        Ok(Self { file, regular, sync, length })
    }

    /// Whether nothing is in the file yet.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Sink for LineFile {
    fn commit(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all(lines)
            .and_then(|()| if self.regular && self.sync { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => self.length += lines.len() as u64,
            Err(_) if self.regular => {
                // Half a group must not stay; a later life would cut half a line at most. Where
                // even this fails, the error that is told is still the first.
                let _ = self.file.set_len(self.length);
            }
            Err(_) => {}
        }
        written
    }
}

/// Where the last complete record ends.
fn last_record_end(file: &File, length: u64, framing: Framing) -> io::Result<u64> {
    if framing == Framing::Lines {
        return last_line_end(file, length);
    }
    // A line break may stand inside quotes, so only reading from the start tells.
    let mut buffer = RecordBuffer::new(framing);
    let mut end = 0;
    loop {
        while let Some(record) = buffer.next() {
            end += record.length as u64;
        }
        let offset = end + buffer.len() as u64;
        let count = file.read_at(buffer.space(), offset)?;
        if count == 0 {
            return Ok(end);
        }
        buffer.filled(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, begin: Begin, framing: Framing) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/sub/file");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mut file = LineFile::open(&path, begin, framing, true).unwrap();
        file.commit(b"new\n").unwrap();
        fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn a_later_life_goes_on_behind_the_last_complete_record() {
        let csv = Framing::Csv { delimiter: b',' };
        assert_eq!(after("a\nb\nhal", Begin::Continue, Framing::Lines), "a\nb\nnew\n");
        assert_eq!(after("hal", Begin::Continue, Framing::Lines), "new\n");
        assert_eq!(after("a\n", Begin::Continue, Framing::Lines), "a\nnew\n");
        assert_eq!(after("a,b\n1,\"x\nhal", Begin::Continue, csv), "a,b\nnew\n");
    }

    #[test]
    fn a_first_life_writes_anew_or_adds() {
        assert_eq!(after("old", Begin::Anew, Framing::Lines), "new\n");
        assert_eq!(after("old", Begin::Append, Framing::Lines), "old\nnew\n");
        assert_eq!(after("old\n", Begin::Append, Framing::Lines), "old\nnew\n");
        assert_eq!(after("", Begin::Append, Framing::Lines), "new\n");
    }
}
