//! Spouts' positions and the tasks that have begun as files in the run's folder, and the way to the
//! files of dead letters.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::TaskId;
use crate::dead_letter;
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
        let later = PositionFiles::open(folder.path().to_owned()).unwrap();
        assert!(later.begun(TaskId(1)));
        assert!(!later.begun(TaskId(2)));
    }
}
