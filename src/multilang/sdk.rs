//! The SDK packages, embedded in the binary and unpacked once for each run.
//!
//! `install.rs` puts them where editors look.
//! Several workers may unpack at once: each writes a folder of its own and the first rename wins. An
//! unpacked folder is never written to again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "multilang/python"]
struct Python;

#[derive(RustEmbed)]
#[folder = "multilang/node"]
struct Node;

/// What `require('storm')` finds where a script brings no storm.js of its own.
const STORM_JS: &str = "module.exports = require('./galewire/storm/index.js');\n";

/// Tells the Python package that it was unpacked by an engine: started as a component it gives way to
/// one that the user has installed, as the Node package does.
const MARKER: &str = "python/galewire/from_engine";

/// Why the SDKs could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("could not write {} of the SDKs: {source}", path.display())]
pub struct SdkError {
    /// The file or folder that could not be written.
    path: PathBuf,
    source: io::Error,
}

/// Unpacks the SDKs to `<run_dir>/sdk`, where that is not done yet; the folder. Below it stand
/// `python` (for `PYTHONPATH`) and `node` (for `NODE_PATH`).
///
/// # Errors
/// Where the folder cannot be written.
pub fn unpack(run_dir: &Path) -> Result<PathBuf, SdkError> {
    let folder = run_dir.join("sdk");
    if folder.is_dir() {
        return Ok(folder);
    }
    let draft = run_dir.join(format!(".sdk-{:016x}", fastrand::u64(..)));
    let written = write_packages(&draft).and_then(|()| match fs::rename(&draft, &folder) {
        Err(_) if folder.is_dir() => Ok(()), // Another worker was first.
        Err(source) => Err(SdkError { path: folder.clone(), source }),
        Ok(()) => Ok(()),
    });
    if draft.exists() {
        let cleared = fs::remove_dir_all(&draft);
        tracing::debug!(draft = %draft.display(), ok = cleared.is_ok(), "draft of the SDKs removed");
    }
    written.map(|()| folder)
}

/// A word that changes with the SDKs' files, for folders that outlive a run.
pub fn fingerprint() -> String {
    let python = Python::iter().filter_map(|path| Python::get(&path));
    let node = Node::iter().filter_map(|path| Node::get(&path));
    let hash = python.chain(node).fold(0_u64, |hash, file| {
        let head: [u8; 8] = file.metadata.sha256_hash()[..8].try_into().unwrap_or_default();
        hash.rotate_left(5) ^ u64::from_le_bytes(head)
    });
    format!("{}-{hash:016x}", env!("CARGO_PKG_VERSION"))
}

fn write_packages(folder: &Path) -> Result<(), SdkError> {
    for path in Python::iter().filter(|path| is_package_file(path)) {
        if let Some(file) = Python::get(&path) {
            write_file(&folder.join("python").join(path.as_ref()), &file.data)?;
        }
    }
    for (path, file) in node_files() {
        write_file(&folder.join("node/galewire").join(path), &file.data)?;
    }
    write_file(&folder.join(MARKER), b"see __init__.py\n")?;
    write_file(&folder.join("node/storm.js"), STORM_JS.as_bytes())
}

/// The files of the Python package alone, by their paths in `site-packages`. The module `storm` is
/// none of them: a user may have one.
pub(super) fn python_files() -> impl Iterator<Item = (String, EmbeddedFile)> {
    let paths =
        Python::iter().filter(|path| path.starts_with("galewire/") && is_package_file(path));
    paths.filter_map(|path| Some((path.to_string(), Python::get(&path)?)))
}

/// The `pyproject.toml` of the Python package.
pub(super) fn pyproject() -> Option<EmbeddedFile> {
    Python::get("pyproject.toml")
}

/// The licence of the packages.
pub(super) fn licence() -> Option<EmbeddedFile> {
    Python::get("LICENSE")
}

/// The files of the Node package, by their paths in its folder.
pub(super) fn node_files() -> impl Iterator<Item = (String, EmbeddedFile)> {
    let paths = Node::iter().filter(|path| is_package_file(path));
    paths.filter_map(|path| Some((path.to_string(), Node::get(&path)?)))
}

pub(super) fn write_file(path: &Path, data: &[u8]) -> Result<(), SdkError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, data))
        .map_err(|source| SdkError { path: path.to_owned(), source })
}

/// Whether a file of the source tree belongs to the package that users get.
fn is_package_file(path: &str) -> bool {
    const DEVELOPMENT: &[&str] = &[
        "tests",
        "test",
        "typed",
        "fixtures",
        "node_modules",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        "build",
        "galewire.egg-info",
        "MANIFEST.in",
        "bench_split.py",
        "bench_split.mjs",
    ];
    !path.split('/').any(|part| DEVELOPMENT.contains(&part))
        && Path::new(path)
            .extension()
            .is_none_or(|extension| extension != "toml" && extension != "pyc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_twice_leaves_one_folder_and_no_drafts() {
        let run = tempfile::tempdir().unwrap();
        let first = unpack(run.path()).unwrap();
        let second = unpack(run.path()).unwrap();
        assert_eq!(first, second);
        assert!(first.join("python/galewire").is_dir());
        assert!(first.join("node/galewire/package.json").is_file());
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
    }

    #[test]
    fn racing_workers_all_get_the_whole_folder() {
        let run = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let unpacked: Vec<_> = (0..4).map(|_| scope.spawn(|| unpack(run.path()))).collect();
            for one in unpacked {
                assert!(one.join().unwrap().unwrap().join("python/galewire").is_dir());
            }
        });
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_package_files_are_unpacked() {
        assert!(is_package_file("galewire/__init__.py"));
        assert!(!is_package_file("tests/test_codec.py"));
        assert!(!is_package_file("galewire/__pycache__/a.pyc"));
        assert!(!is_package_file("pyproject.toml"));
        assert!(!is_package_file("bench_split.mjs"));
    }
}
