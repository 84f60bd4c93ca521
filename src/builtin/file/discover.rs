//! Which files there are, and whose they are. It opens none.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::component::ComponentError;

use super::identity::Identity;

/// A file that `path` names or a pattern finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) length: u64,
}

/// One entry of `path`.
#[derive(Clone, Debug)]
enum Pattern {
    /// A file by its name, and its place in the list.
    Named(PathBuf, usize),
    /// Any file that fits.
    Glob(glob::Pattern),
}

/// The files of one task.
#[derive(Clone, Debug)]
pub(super) struct Discover {
    patterns: Vec<Pattern>,
    task_index: usize,
    task_count: usize,
    follow: bool,
}

impl Discover {
    /// Patterns are relative to `folder`.
    pub(super) fn new(
        patterns: &[String],
        folder: &Path,
        (task_index, task_count): (usize, usize),
        follow: bool,
    ) -> Self {
        let patterns = patterns.iter().enumerate().map(|(place, pattern)| {
            if pattern.contains(['*', '?', '[']) {
                // The folder's own name may hold characters that mean something in a pattern.
                let escaped = glob::Pattern::escape(&folder.to_string_lossy());
                let whole = Path::new(&escaped).join(pattern);
                if let Ok(pattern) = glob::Pattern::new(&whole.to_string_lossy()) {
                    return Pattern::Glob(pattern);
                }
            }
            Pattern::Named(folder.join(pattern), place)
        });
        Self { patterns: patterns.collect(), task_index, task_count: task_count.max(1), follow }
    }

    /// Whether looking again means to list folders.
    pub(super) fn has_globs(&self) -> bool {
        self.patterns.iter().any(|pattern| matches!(pattern, Pattern::Glob(_)))
    }

    /// This task's files, each once, in the order of `path` and sorted within a pattern.
    ///
    /// # Errors
    /// Names the path that is missing (unless it is followed), or that is not a regular file.
    pub(super) fn look(&self, with_globs: bool) -> Result<Vec<Found>, ComponentError> {
        let mut all = Vec::new();
        for pattern in &self.patterns {
            match pattern {
                Pattern::Named(path, place) => {
                    let found = self.named(path)?;
                    let ours = place % self.task_count == self.task_index;
                    all.extend(found.filter(|_| ours));
                }
                Pattern::Glob(pattern) if with_globs => {
                    all.extend(self.globbed(pattern.as_str())?);
                }
                Pattern::Glob(_) => {}
            }
        }
        let mut seen = HashSet::new();
        all.retain(|found| seen.insert(found.identity));
        Ok(all)
    }

    fn named(&self, path: &Path) -> Result<Option<Found>, ComponentError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(found(path, &metadata))),
            Ok(metadata) if metadata.is_dir() => Err(ComponentError::give_up(format!(
                "{} is a folder; to read its files write \"{}/*\"",
                path.display(),
                path.display()
            ))),
            Ok(_) => {
                Err(ComponentError::give_up(format!("{} is not a regular file", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.follow => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(ComponentError::give_up(format!("{} does not exist", path.display())))
            }
            Err(error) => {
                let message = format!("could not read {}: {error}", path.display());
                Err(ComponentError::of_system(message, &error))
            }
        }
    }

    fn globbed(&self, pattern: &str) -> Result<Vec<Found>, ComponentError> {
        let paths = glob::glob(pattern)
            .map_err(|error| ComponentError::give_up(format!("bad pattern {pattern}: {error}")))?;
        let mut all = Vec::new();
        for path in paths {
            let path = path.map_err(|error| {
                let message =
                    format!("could not list {}: {}", error.path().display(), error.error());
                ComponentError::of_system(message, error.error())
            })?;
            // What is gone between listing and looking was never there.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => all.push(found(&path, &metadata)),
                _ => {}
            }
        }
        if all.is_empty() && !self.follow {
            let message = format!("no file matches {pattern}");
            return Err(ComponentError::give_up(message));
        }
        all.retain(|found| {
            found.identity.spread() % self.task_count as u64 == self.task_index as u64
        });
        Ok(all)
    }

    /// Whether `path` is one that is asked for.
    pub(super) fn names(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| match pattern {
            Pattern::Named(named, _) => named == path,
            Pattern::Glob(pattern) => pattern.matches_path(path),
        })
    }

    /// Whether a file that was read under `path` belongs to this task.
    pub(super) fn is_ours(&self, path: &Path, identity: Identity) -> bool {
        let place = self.patterns.iter().find_map(|pattern| match pattern {
            Pattern::Named(named, place) if named == path => Some(*place as u64),
            _ => None,
        });
        place.unwrap_or_else(|| identity.spread()) % self.task_count as u64
            == self.task_index as u64
    }
}

fn found(path: &Path, metadata: &fs::Metadata) -> Found {
    Found { path: path.to_owned(), identity: Identity::of(metadata), length: metadata.len() }
}

/// The file of that identity in the folder that it was read in: a rotated file under its new name.
pub(super) fn renamed(old_path: &Path, identity: Identity) -> Option<Found> {
    let entries = fs::read_dir(old_path.parent()?).ok()?;
    entries.flatten().find_map(|entry| {
        let metadata = fs::metadata(entry.path()).ok()?;
        let same = metadata.is_file() && Identity::of(&metadata) == identity;
        same.then(|| found(&entry.path(), &metadata))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Found]) -> Vec<String> {
        let name = |found: &Found| found.path.file_name().unwrap().to_str().unwrap().to_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn tasks_share_files_without_a_rest_and_without_overlap() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..40 {
            fs::write(folder.path().join(format!("f{index:02}")), "x").unwrap();
        }
        let patterns = ["f*".to_owned()];
        let mut all: Vec<String> = (0..3)
            .flat_map(|task| {
                let discover = Discover::new(&patterns, folder.path(), (task, 3), false);
                names(&discover.look(true).unwrap())
            })
            .collect();
        all.sort();
        let expected: Vec<_> = (0..40).map(|index| format!("f{index:02}")).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_file_is_found_once_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "x").unwrap();
        fs::write(folder.path().join("a"), "x").unwrap();
        let look = |patterns: &[&str], follow| {
            let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
            Discover::new(&patterns, folder.path(), (0, 1), follow).look(true)
        };
        assert_eq!(names(&look(&["b", "*"], false).unwrap()), ["b", "a"]);
        assert!(look(&["c"], false).unwrap_err().message.ends_with("/c does not exist"));
        assert_eq!(look(&["c"], true).unwrap(), []);
        assert!(look(&["c*"], false).unwrap_err().message.starts_with("no file matches"));
        assert!(look(&["."], false).unwrap_err().message.contains("is a folder"));
    }
}
