//! Spouts' positions and the tasks that have begun as files in the run's folder, and the way to the
//! files of dead letters.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::TaskId;
use crate::dead_letter;
use crate::executor::PositionStore;

/// The name of the file of tasks that have begun.
const BEGUN: &str = "begun";

/// One file a spout task, replaced atomically, and one for all tasks that have begun, each a line.
#[derive(Debug)]
pub(super) struct PositionFiles {
    folder: PathBuf,
    begun: File,
}

impl PositionFiles {
    /// Keeps positions in `folder`, which is made where it is missing.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let begun = File::options().append(true).create(true).open(folder.join(BEGUN))?;
        Ok(Self { folder, begun })
    }

    fn path(&self, task: TaskId) -> PathBuf {
        self.folder.join(format!("{task}.json"))
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
        match fs::read_to_string(self.folder.join(BEGUN)) {
            Ok(begun) => begun.lines().any(|line| line.parse() == Ok(task.0)),
            Err(error) => {
                tracing::error!(task = task.0, %error, "which tasks have begun could not be read");
                false
            }
        }
    }

    fn note_begun(&self, task: TaskId) {
        // One write, so that workers do not write into each other's lines.
        if let Err(error) = (&self.begun).write_all(format!("{task}\n").as_bytes()) {
            tracing::error!(task = task.0, %error, "it could not be noted that a task has begun");
        }
    }

    fn prepare_dead_letters(&self, path: &Path) -> io::Result<()> {
        dead_letter::prepare(path)
    }

    fn dead_letters(&self, path: &Path, lines: &[u8]) -> io::Result<()> {
        dead_letter::append(path, lines)
    }
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
        let other = PositionFiles::open(folder.path().to_owned()).unwrap();
        other.note_begun(TaskId(23));
        let later = PositionFiles::open(folder.path().to_owned()).unwrap();
        assert!([1, 23].iter().all(|task| later.begun(TaskId(*task))));
        assert!([2, 3, 12].iter().all(|task| !later.begun(TaskId(*task))));
    }
}
