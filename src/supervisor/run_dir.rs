//! The run's private folder: sockets, the plan, positions; gone when the run is.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::base::{RunMark, end_marked};

use super::guard::Guard;

/// How often its removal is tried again, and after which pause.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);
/// How long the processes of a run that was killed with its guard may take to be gone.
const SWEEP: Duration = Duration::from_millis(500);

/// Every run folder's name starts with this.
const PREFIX: &str = "galewire-";
/// Locked for as long as the run's supervisor lives; the system unlocks it with the process.
const LOCK: &str = "supervisor.lock";

/// A folder that only this user can enter. Removed when dropped, behind every process of the run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: File,
    guard: Option<Guard>,
}

impl RunDir {
    /// Makes a fresh folder under `base`, and removes those of runs whose supervisor was killed. Its
    /// name is short: the paths of sockets are limited to 107 bytes.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(base: &Path) -> io::Result<Self> {
        sweep(base);
        let name = Uuid::new_v4().simple().to_string();
        let path = base.join(format!("{PREFIX}{}", &name[..12]));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        // A permissive umask cannot widen a mode, but a strange mount might.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        // Locked before it has its name: another run's sweep never sees it open.
        let lock = File::create(path.join("lock.new"))?;
        lock.lock()?;
        fs::rename(path.join("lock.new"), path.join(LOCK))?;
        Ok(Self { path, _lock: lock, guard: None })
    }

    /// Starts the guard: a process of `executable`, a binary with this crate's command line, that ends
    /// whatever of the run is left when this value is dropped, or this process is killed.
    ///
    /// # Errors
    /// A guard that cannot be started.
    pub fn guarded(mut self, executable: &Path) -> io::Result<Self> {
        self.guard = Some(Guard::start(executable, &self.path)?);
        Ok(self)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        self.guard = None; // Nobody writes to the folder from here on.
        let mut removed = fs::remove_dir_all(&self.path);
        for _ in 0..ATTEMPTS {
            if removed.is_ok() {
                return;
            }
            // Without a guard, a child that was killed a moment ago may have written on.
            std::thread::sleep(PAUSE);
            removed = fs::remove_dir_all(&self.path);
        }
        if let Err(error) = removed {
            let path = self.path.display().to_string();
            tracing::warn!(path, %error, "the run's folder could not be removed");
        }
    }
}

/// Removes the folders of runs that ended without doing so themselves: nobody holds their lock. What bears
/// the mark of such a run lives only where its guard was killed with it, and is ended first; the groups
/// that it noted may be others' by now. Other users' folders cannot be looked into and are left alone.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let is_run = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let lock = is_run.then(|| File::open(entry.path().join(LOCK)));
        if let Some(Ok(lock)) = lock
            && lock.try_lock().is_ok()
        {
            let path = entry.path().display().to_string();
            let swept = end_marked(&RunMark::of_run(&entry.path()), SWEEP);
            let removed = fs::remove_dir_all(entry.path());
            tracing::debug!(
                path,
                ?swept,
                removed = removed.is_ok(),
                "folder of a run that was killed"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_runs_are_removed_and_those_of_living_ones_are_not() {
        let base = tempfile::tempdir().unwrap();
        let living = RunDir::create(base.path()).unwrap();
        let dead = base.path().join("galewire-0123456789ab");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let unrelated = base.path().join("galewire-without-lock");
        fs::create_dir(&unrelated).unwrap();
        let second = RunDir::create(base.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists() && second.path().exists() && unrelated.exists());
    }

    #[test]
    fn the_folder_is_private_and_goes_with_the_run() {
        let base = tempfile::tempdir().unwrap();
        let run_dir = RunDir::create(base.path()).unwrap();
        let path = run_dir.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(run_dir);
        assert!(!path.exists());
    }
}
