//! Adds lines to a file of dead letters and takes letters out, beside other tasks and processes.
//!
//! Whoever writes holds the file's lock, for as long as one write takes. Lines are taken out by
//! writing a new file that takes the old one's name, so a writer that has waited for the lock looks
//! whether its file still bears the name. A crash at any point leaves whole lines and at most one
//! torn one at the end, which nobody was told is written.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{
    self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _,
};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::letter::BEGINNING;
use super::{Letter, LetterId};

/// How often the lock is tried, and after which pause.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);
/// How much is read at a time to find the beginning of the last line.
const STEP: u64 = 64 * 1024;

/// Sees that letters can be written to `path`; makes the file where it is missing.
///
/// # Errors
/// Where it cannot be opened for reading and writing.
pub fn prepare(path: &Path) -> io::Result<()> {
    open(path, true).map(drop)
}

/// Appends lines, each with its line break, in one write. When it returns they last.
///
/// # Errors
/// Nothing was added: what was half written is taken back.
pub fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = lock(path, true)?;
    if !file.metadata()?.is_file() {
        return file.write_all(lines);
    }
    let end = mend(&mut file)?;
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // Where this fails too, the next writer mends the line.
        drop(file.set_len(end));
    } else if end == 0 {
        sync_folder(path)?;
    }
    written
}

/// Takes letters out, each with all that it was before it was replayed as often as is said. Every other
/// line stays as it is. Gives how many lines went.
///
/// # Errors
/// The file is as it was.
pub fn remove(path: &Path, letters: &BTreeMap<LetterId, u32>) -> io::Result<usize> {
    // The name may be a link, which is to stay one.
    let path = fs::canonicalize(path)?;
    let mut old = lock(&path, false)?;
    mend(&mut old)?;
    old.seek(SeekFrom::Start(0))?;
    let fresh_path = beside(&path);
    let fresh = File::create(&fresh_path)?;
    let written = copy_others(&old, &fresh, letters)
        .and_then(|removed| like(&old, &fresh).map(|()| removed))
        .and_then(|removed| fresh.sync_all().map(|()| removed));
    let removed = match written {
        Ok(removed) if removed > 0 => fs::rename(&fresh_path, &path).map(|()| removed),
        Ok(_) => fs::remove_file(&fresh_path).map(|()| 0),
        Err(error) => Err(error),
    };
    if removed.is_err() {
        drop(fs::remove_file(&fresh_path));
    }
    sync_folder(&path)?;
    removed
}

/// The name of the file that is to take another's place. There is one writer at a time.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Gives a new file the old one's owner and mode.
fn like(old: &File, fresh: &File) -> io::Result<()> {
    let meta = old.metadata()?;
    let mine = fresh.metadata()?;
    if (mine.uid(), mine.gid()) != (meta.uid(), meta.gid()) {
        // Only root may; for anybody else the file becomes their own.
        drop(fchown(fresh, Some(meta.uid()), Some(meta.gid())));
    }
    fresh.set_permissions(meta.permissions())
}

fn copy_others(old: &File, fresh: &File, letters: &BTreeMap<LetterId, u32>) -> io::Result<usize> {
    let (mut from, mut to) = (BufReader::new(old), BufWriter::new(fresh));
    let (mut line, mut removed) = (Vec::new(), 0);
    while from.read_until(b'\n', &mut line)? > 0 {
        let letter = std::str::from_utf8(&line).ok().and_then(|line| Letter::parse(line).ok());
        let goes = letter
            .and_then(|letter| letters.get(&letter.id).map(|upto| letter.replays <= *upto))
            .unwrap_or(false);
        if goes {
            removed += 1;
        } else {
            to.write_all(&line)?;
        }
        line.clear();
    }
    to.flush()?;
    Ok(removed)
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(create).open(path)
}

/// The file that bears the name, locked.
fn lock(path: &Path, create: bool) -> io::Result<File> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let file = open(path, create)?;
        match file.try_lock() {
            Ok(()) if bears(&file, path)? => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds its lock"))
}

/// Whether the name is still that of this file.
fn bears(file: &File, path: &Path) -> io::Result<bool> {
    let mine = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sees that the file ends with a line break; gives its length. A line that was torn off by a crash
/// goes; anything else that has no line break gets one.
fn mend(file: &mut File) -> io::Result<u64> {
    let end = file.metadata()?.len();
    let start = last_line(file, end)?;
    if start == end {
        return Ok(end);
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(&mut tail)?;
    let known = tail.len().min(BEGINNING.len());
    let ours = tail[..known] == BEGINNING.as_bytes()[..known];
    let whole = std::str::from_utf8(&tail).is_ok_and(|line| Letter::parse(line).is_ok());
    if ours && !whole {
        file.set_len(start)?;
        Ok(start)
    } else {
        file.write_all(b"\n")?;
        Ok(end + 1)
    }
}

/// Where the line without a line break begins; `end` where there is none.
fn last_line(file: &mut File, end: u64) -> io::Result<u64> {
    let mut upto = end;
    while upto > 0 {
        let from = upto.saturating_sub(STEP);
        let mut part = vec![0; (upto - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut part)?;
        if let Some(place) = memchr::memrchr(b'\n', &part) {
            return Ok(from + place as u64 + 1);
        }
        upto = from;
    }
    Ok(0)
}

/// Makes a new name last.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::letter::tests::letter;
    use super::super::read::Letters;
    use super::*;

    fn line(letter: &Letter) -> Vec<u8> {
        let mut line = letter.to_line();
        line.push(b'\n');
        line
    }

    fn ids(path: &Path) -> Vec<LetterId> {
        let letters = Letters::open(path).unwrap();
        letters.map(|entry| entry.unwrap().letter.unwrap().id).collect()
    }

    fn key(letter: &Letter) -> BTreeMap<LetterId, u32> {
        BTreeMap::from([(letter.id, letter.replays)])
    }

    #[test]
    fn a_torn_line_goes_and_anything_else_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let (first, second) = (letter(&["1"]), letter(&["2"]));
        for cut in [1, 10, 30, line(&first).len() - 2] {
            fs::write(&path, [&line(&first)[..], &line(&first)[..cut]].concat()).unwrap();
            append(&path, &line(&second)).unwrap();
            assert_eq!(ids(&path), [first.id, second.id], "cut at {cut}");
        }
        fs::write(&path, first.to_line()).unwrap();
        append(&path, &line(&second)).unwrap();
        assert_eq!(ids(&path), [first.id, second.id], "whole, but for its line break");
        fs::write(&path, "my notes").unwrap();
        append(&path, &line(&second)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("my notes\n{"));
    }

    #[test]
    fn a_long_torn_line_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let first = letter(&["1"]);
        let torn = [BEGINNING, &"x".repeat(300_000)].concat().into_bytes();
        fs::write(&path, [&line(&first)[..], &torn].concat()).unwrap();
        append(&path, &line(&first)).unwrap();
        assert_eq!(ids(&path), [first.id, first.id]);
    }

    #[test]
    fn letters_go_with_all_that_they_were_before_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let old = letter(&["1"]);
        let new = Letter { replays: 1, ..old.clone() };
        let other = letter(&["2"]);
        let text = [line(&old), line(&other), b"no letter\n".to_vec(), line(&new)].concat();
        fs::write(&path, &text).unwrap();
        assert_eq!(remove(&path, &key(&letter(&["3"]))).unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), text);
        assert_eq!(remove(&path, &key(&old)).unwrap(), 1, "what came of a replay stays");
        assert_eq!(remove(&path, &key(&new)).unwrap(), 1);
        assert_eq!(fs::read(&path).unwrap(), [line(&other), b"no letter\n".to_vec()].concat());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn links_and_modes_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        let first = letter(&["1"]);
        append(&real, &line(&first)).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        remove(&link, &key(&first)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let meta = fs::metadata(&real).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (0, 0o640));
    }

    #[test]
    fn nothing_is_lost_or_torn_while_many_write_and_take_out() {
        const WRITERS: usize = 4;
        const EACH: usize = 40;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        prepare(&path).unwrap();
        let start = Barrier::new(WRITERS);
        let left: Vec<LetterId> = std::thread::scope(|scope| {
            let write = |_| {
                start.wait();
                let mut left = Vec::new();
                for number in 0..EACH {
                    let (stays, goes) = (letter(&["\"stays\""]), letter(&["\"goes\""]));
                    append(&path, &[line(&stays), line(&goes)].concat()).unwrap();
                    if number % 2 == 0 {
                        assert_eq!(remove(&path, &key(&goes)).unwrap(), 1);
                    } else {
                        left.push(goes.id);
                    }
                    left.push(stays.id);
                }
                left
            };
            let writers: Vec<_> =
                (0..WRITERS).map(|number| scope.spawn(move || write(number))).collect();
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        let (mut found, mut left) = (ids(&path), left);
        found.sort_unstable();
        left.sort_unstable();
        assert_eq!(found, left);
    }
}
