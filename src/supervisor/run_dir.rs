//! The run's private folder: sockets, the plan, positions; gone when the run is.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

/// How often its removal is tried again, and after which pause.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// A folder that only this user can enter. Removed when dropped.
#[derive(Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// Makes a fresh folder under `base`. Its name is short: the paths of sockets are limited to 107 bytes.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(base: &Path) -> io::Result<Self> {
        let name = Uuid::new_v4().simple().to_string();
        let path = base.join(format!("galewire-{}", &name[..12]));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        // A permissive umask cannot widen a mode, but a strange mount might.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let mut removed = fs::remove_dir_all(&self.0);
        for _ in 0..ATTEMPTS {
            if removed.is_ok() {
                return;
            }
            // A child that was killed a moment ago may have written on.
            std::thread::sleep(PAUSE);
            removed = fs::remove_dir_all(&self.0);
        }
        if let Err(error) = removed {
            let path = self.0.display().to_string();
            tracing::warn!(path, %error, "the run's folder could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
