//! Spouts' positions and the tasks that have begun as files in the run's folder, and dead letters as
//! lines of files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use memchr::memrchr;

use crate::base::TaskId;
use crate::executor::PositionStore;

/// One file a task, replaced atomically.
#[derive(Debug)]
pub(super) struct PositionFiles {
    folder: PathBuf,
}

impl PositionFiles {
    /// Keeps positions in `folder`, which is made where it is missing.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, task: TaskId) -> PathBuf {
        self.folder.join(format!("{task}.json"))
    }

    /// A file that is there once a life of the task has begun its work.
    fn begun_mark(&self, task: TaskId) -> PathBuf {
        self.folder.join(format!("{task}.begun"))
    }
}

impl PositionStore for PositionFiles {
    fn save(&self, task: TaskId, position: &serde_json::Value) {
        let path = self.path(task);
        let fresh = path.with_extension("new");
        let written =
            fs::write(&fresh, position.to_string()).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = written {
            let path = path.display().to_string();
            tracing::error!(task = task.0, path, %error, "a position could not be kept");
        }
    }

    fn load(&self, task: TaskId) -> Option<serde_json::Value> {
        let text = fs::read(self.path(task)).ok()?;
        match serde_json::from_slice(&text) {
            Ok(position) => Some(position),
            Err(error) => {
                tracing::error!(task = task.0, %error, "a kept position could not be read");
                None
            }
        }
    }

    fn begun(&self, task: TaskId) -> bool {
        self.begun_mark(task).exists()
    }

    fn note_begun(&self, task: TaskId) {
        if let Err(error) = fs::write(self.begun_mark(task), "") {
            tracing::error!(task = task.0, %error, "it could not be noted that a task has begun");
        }
    }

    fn prepare_dead_letters(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().create(true).append(true).open(path).map(drop)
    }

    fn dead_letter(&self, path: &Path, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        // Other tasks, of this worker or another, may write to the same file.
        file.lock()?;
        let length = whole_lines(&file)?;
        // A pipe or a device can neither be synced nor cut.
        let written = file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| if length.is_some() { file.sync_data() } else { Ok(()) });
        if let (Err(_), Some(length)) = (&written, length) {
            // The letter will be written again. Where even this fails, the next one cuts it off.
            let _ = file.set_len(length);
        }
        written
    }
}

/// Cuts off half a line that a killed writer or a full disk has left; the length then. A pipe or a
/// device has none.
fn whole_lines(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut end = metadata.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let bytes = &mut block[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        if let Some(place) = memrchr(b'\n', bytes) {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    if end < metadata.len() {
        file.set_len(end)?;
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_position_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = PositionFiles::open(folder.path().join("positions")).unwrap();
        assert_eq!(store.load(TaskId(1)), None);
        store.save(TaskId(1), &json!({"offset": 1}));
        store.save(TaskId(1), &json!({"offset": 2}));
        assert_eq!(store.load(TaskId(1)), Some(json!({"offset": 2})));
        assert_eq!(store.load(TaskId(2)), None);
    }

    #[test]
    fn a_later_worker_knows_which_tasks_have_begun() {
        let folder = tempfile::tempdir().unwrap();
        PositionFiles::open(folder.path().to_owned()).unwrap().note_begun(TaskId(1));
        let later = PositionFiles::open(folder.path().to_owned()).unwrap();
        assert!(later.begun(TaskId(1)));
        assert!(!later.begun(TaskId(2)));
    }

    #[test]
    fn dead_letters_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let store = PositionFiles::open(folder.path().to_owned()).unwrap();
        let path = folder.path().join("dead.jsonl");
        store.dead_letter(&path, "{}").unwrap();
        store.dead_letter(&path, "{\"n\":1}").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "{}\n{\"n\":1}\n");
    }

    #[test]
    fn half_a_dead_letter_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = PositionFiles::open(folder.path().to_owned()).unwrap();
        let path = folder.path().join("dead.jsonl");
        for (left, then) in [("{\"n\":", "{}\n"), ("{}\n{\"n\":", "{}\n{}\n")] {
            fs::write(&path, left).unwrap();
            store.dead_letter(&path, "{}").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), then);
        }
        store.dead_letter(Path::new("/dev/full"), "{}").unwrap_err();
        store.dead_letter(Path::new("/dev/null"), "{}").unwrap();
    }
}
