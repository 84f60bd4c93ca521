//! The run's private folder: sockets, the plan, positions; gone when the run is.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

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
        if let Err(error) = fs::remove_dir_all(&self.0) {
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
