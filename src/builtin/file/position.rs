//! How far files are read and acked, in the form that is kept: by the engine for a restarted task,
//! in the topology's state folder for `start = "saved"`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::{Fingerprint, Identity};

/// How far one file is acked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FilePosition {
    /// Its path when it was read; a renamed file is found by its identity.
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) identity: Identity,
    pub(super) fingerprint: Fingerprint,
    /// Everything below this offset is acked.
    pub(super) offset: u64,
}

/// How far all files of a task are acked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) files: Vec<FilePosition>,
}

/// A position with the wall time of its saving, milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    saved_at: u64,
    position: Position,
}

const SUFFIX: &str = ".file-position.json";

/// The file that a task's position is saved in.
pub(super) fn saved_path(folder: &Path, component: &str, task_index: usize) -> PathBuf {
    folder.join(format!("{component}-{task_index}{SUFFIX}"))
}

/// Saves a position: afterwards the file holds the old one or the new one, whole.
pub(super) fn save(path: &Path, position: &Position, saved_at: u64) -> io::Result<()> {
    let saved = Saved { saved_at, position: position.clone() };
    let json = serde_json::to_vec(&saved)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&json)?;
    file.sync_data()?;
    fs::rename(&new, path)
}

/// What all tasks of a component have saved; of two entries for one file the newer.
///
/// All tasks', because another number of tasks shares the files in another way.
///
/// # Errors
/// A saved file that cannot be read or understood, with its path.
pub(super) fn load(folder: &Path, component: &str) -> Result<Position, String> {
    let mut newest: HashMap<Identity, (u64, FilePosition)> = HashMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Position::default()),
        Err(error) => return Err(format!("could not read {}: {error}", folder.display())),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let index = name
            .to_str()
            .and_then(|name| name.strip_prefix(component)?.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(SUFFIX));
        if !index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        let saved = load_one(&entry.path())?;
        for file in saved.position.files {
            let known = newest.get(&file.identity);
            if known.is_none_or(|(saved_at, _)| *saved_at < saved.saved_at) {
                newest.insert(file.identity, (saved.saved_at, file));
            }
        }
    }
    let mut files: Vec<_> = newest.into_values().map(|(_, file)| file).collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Position { files })
}

fn load_one(path: &Path) -> Result<Saved, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string());
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
        .map_err(|error| format!("could not read the saved position {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(inode: u64, offset: u64) -> Position {
        Position {
            files: vec![FilePosition {
                path: format!("/f{inode}"),
                identity: Identity { device: 1, inode },
                fingerprint: Fingerprint::default(),
                offset,
            }],
        }
    }

    #[test]
    fn the_newest_entry_of_any_task_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |index| saved_path(folder.path(), "in", index);
        assert_eq!(load(folder.path(), "in"), Ok(Position::default()));
        save(&at(0), &position(7, 100), 1).unwrap();
        save(&at(3), &position(7, 300), 2).unwrap();
        save(&at(1), &position(8, 10), 1).unwrap();
        let other = saved_path(folder.path(), "in-other", 0);
        save(&other, &position(9, 1), 1).unwrap();
        let offsets: Vec<_> = load(folder.path(), "in")
            .unwrap()
            .files
            .iter()
            .map(|file| (file.identity.inode, file.offset))
            .collect();
        assert_eq!(offsets, [(7, 300), (8, 10)]);
    }

    #[test]
    fn a_damaged_position_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved_path(folder.path(), "in", 0);
        fs::write(&path, "{").unwrap();
        assert!(load(folder.path(), "in").unwrap_err().contains("in-0.file-position.json"));
    }
}
