//! The SDKs as installed packages: in a Python environment, in a Node.js project.
//!
//! For editors, type checkers and tests; components that the engine starts find the SDKs without it.
//! Nothing is fetched: what is installed is embedded in the binary.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value, json};

use super::sdk::{SdkError, licence, node_files, pyproject, python_files, write_file};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The part of a wheel that says how it is made up.
const WHEEL: &str =
    "Wheel-Version: 1.0\nGenerator: galewire\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
/// Where the Node package is kept in a project, so that `npm install` leaves it alone.
const VENDORED: &str = "vendor/galewire";
/// What `package.json` says of it.
const DEPENDENCY: &str = "file:vendor/galewire";

/// Why a package could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The folder is neither.
    #[error(
        "{} is neither a virtual environment (it has no pyvenv.cfg) nor a Node.js project \
         (it has no package.json)", .0.display()
    )]
    Neither(PathBuf),
    /// There is no `python3`.
    #[error("python3 was not found (on Debian and Ubuntu: apt install python3 python3-venv)")]
    NoPython,
    /// Python came without what makes virtual environments.
    #[error(
        "python3 cannot make a virtual environment, because its module venv is missing or \
         incomplete (on Debian and Ubuntu: apt install python3-venv)"
    )]
    NoVenvModule,
    /// A program did not do what it was asked for.
    #[error("{program} failed: {told}")]
    Failed {
        /// What was run.
        program: String,
        /// What it printed.
        told: String,
    },
    /// The project wants its galewire from elsewhere.
    #[error(
        "{} has galewire `{wanted}` among its dependencies; take that out first, or install that \
         with npm", path.display()
    )]
    OtherDependency {
        /// The `package.json`.
        path: PathBuf,
        /// What it asks for.
        wanted: String,
    },
    /// `package.json` is not a JSON object.
    #[error("{} is not a JSON object: {problem}", path.display())]
    NotJson {
        /// The `package.json`.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] SdkError),
    /// A file or folder could not be read, removed or linked.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Installs the SDK that fits a folder: a virtual environment, or a Node.js project. What stands
/// there of an earlier one is replaced. The folder that the package is now in.
///
/// # Errors
/// The folder is neither, or cannot be written.
pub fn install(folder: &Path) -> Result<PathBuf, InstallError> {
    if folder.join("pyvenv.cfg").is_file() {
        install_python(folder)
    } else if folder.join("package.json").is_file() {
        install_node(folder)
    } else {
        Err(InstallError::Neither(folder.to_owned()))
    }
}

/// Makes a virtual environment, with pip, by the `python3` of the path.
///
/// # Errors
/// Python or its module is missing, or it fails. What it left behind is removed then.
pub fn make_venv(folder: &Path) -> Result<(), InstallError> {
    let was_there = folder.exists();
    let mut python = Command::new("python3");
    python.args(["-m", "venv"]).arg(folder);
    let made = told(&mut python, "python3 -m venv");
    if made.is_err() && !was_there && folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    match made {
        Err(InstallError::Failed { told, .. })
            if told.contains("ensurepip") || told.contains("No module named venv") =>
        {
            Err(InstallError::NoVenvModule)
        }
        made => made.map(drop),
    }
}

/// Installs the Python package into a virtual environment, as pip would have done; pip and others
/// find it there.
///
/// # Errors
/// The environment's Python does not run, or a file cannot be written.
pub fn install_python(venv: &Path) -> Result<PathBuf, InstallError> {
    let mut python = Command::new(venv.join("bin/python"));
    python.args(["-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let printed = told(&mut python, "the environment's python")?;
    let site = PathBuf::from(printed.trim());
    remove_python(&site)?;
    let info = format!("galewire-{VERSION}.dist-info");
    let mut files: Vec<(String, Cow<'static, [u8]>)> =
        python_files().map(|(path, file)| (path, file.data)).collect();
    let texts = [
        ("METADATA", metadata()),
        ("WHEEL", WHEEL.to_owned()),
        ("INSTALLER", "galewire\n".to_owned()),
        ("top_level.txt", "galewire\n".to_owned()),
    ];
    files.extend(texts.map(|(name, text)| (format!("{info}/{name}"), text.into_bytes().into())));
    files.extend(licence().map(|file| (format!("{info}/licenses/LICENSE"), file.data)));
    let record = format!("{info}/RECORD");
    let paths = files.iter().map(|(path, _)| path).chain([&record]);
    let lines: Vec<String> = paths.map(|path| format!("{path},,\n")).collect();
    files.push((record, lines.concat().into_bytes().into()));
    for (path, data) in files {
        write_file(&site.join(path), &data)?;
    }
    Ok(site.join("galewire"))
}

/// Removes what an earlier installation, by whomever, left of the package.
fn remove_python(site: &Path) -> Result<(), InstallError> {
    let found = fs::read_dir(site).map_err(at(site))?;
    for entry in found {
        let entry = entry.map_err(at(site))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_info = name.starts_with("galewire-") && name.ends_with(".dist-info");
        if name == "galewire" || is_info {
            fs::remove_dir_all(entry.path()).map_err(at(&entry.path()))?;
        }
    }
    Ok(())
}

/// The core metadata of the Python package, from its `pyproject.toml`.
fn metadata() -> String {
    let file = pyproject().expect("the package has a pyproject.toml");
    let text = String::from_utf8_lossy(&file.data);
    let parsed: toml::Table = toml::from_str(&text).expect("pyproject.toml is TOML");
    let project = &parsed["project"];
    let word = |key: &str| project.get(key).and_then(toml::Value::as_str).unwrap_or_default();
    format!(
        "Metadata-Version: 2.1\nName: {}\nVersion: {VERSION}\nSummary: {}\n\
         License: {}\nRequires-Python: {}\n",
        word("name"),
        word("description"),
        word("license"),
        word("requires-python"),
    )
}

/// Installs the Node package into a project: kept in `vendor/galewire`, linked from `node_modules`,
/// named in `package.json`, so that `npm install` keeps it and needs no registry for it.
///
/// # Errors
/// `package.json` cannot be read or wants another galewire, or a file cannot be written.
pub fn install_node(project: &Path) -> Result<PathBuf, InstallError> {
    depend(&project.join("package.json"))?;
    let folder = project.join(VENDORED);
    remove(&folder)?;
    for (path, file) in node_files() {
        write_file(&folder.join(path), &file.data)?;
    }
    let modules = project.join("node_modules");
    fs::create_dir_all(&modules).map_err(at(&modules))?;
    let link = modules.join("galewire");
    remove(&link)?;
    symlink(Path::new("..").join(VENDORED), &link).map_err(at(&link))?;
    Ok(folder)
}

/// Names the package among the dependencies, where it is not named yet.
fn depend(path: &Path) -> Result<(), InstallError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let not_json = |problem: String| InstallError::NotJson { path: path.to_owned(), problem };
    let mut package: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| not_json(error.to_string()))?;
    let dependencies = package.entry("dependencies").or_insert_with(|| json!({}));
    let dependencies = dependencies
        .as_object_mut()
        .ok_or_else(|| not_json("its dependencies are no object".to_owned()))?;
    match dependencies.get("galewire").map(|wanted| wanted.as_str().unwrap_or_default()) {
        Some(DEPENDENCY) => return Ok(()),
        Some(wanted) => {
            let (path, wanted) = (path.to_owned(), wanted.to_owned());
            return Err(InstallError::OtherDependency { path, wanted });
        }
        None => dependencies.insert("galewire".to_owned(), json!(DEPENDENCY)),
    };
    let text = serde_json::to_string_pretty(&package).expect("JSON can be written");
    Ok(write_file(path, (text + "\n").as_bytes())?)
}

/// Removes a file, a link or a whole folder, where there is one.
fn remove(path: &Path) -> Result<(), InstallError> {
    let removed = match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(at(path))
}

/// What a program printed to standard output; all that it printed where it failed.
fn told(command: &mut Command, program: &str) -> Result<String, InstallError> {
    let failed = |told: String| InstallError::Failed { program: program.to_owned(), told };
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => InstallError::NoPython,
            _ => failed(error.to_string()),
        })?;
    let out = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        return Ok(out);
    }
    Err(failed(format!("{out}{}", String::from_utf8_lossy(&stderr)).trim().to_owned()))
}

fn at(path: &Path) -> impl Fn(io::Error) -> InstallError + '_ {
    |source| InstallError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_complete() {
        let text = metadata();
        for word in ["Name: galewire\n", "Summary: B", "Apache-2.0", "Requires-Python: >=3.9"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn a_node_project_gets_the_package_once_and_keeps_its_own_words() {
        let project = tempfile::tempdir().unwrap();
        let path = project.path().join("package.json");
        fs::write(&path, r#"{"name": "mine", "dependencies": {"left": "1"}}"#).unwrap();
        for _ in 0..2 {
            install(project.path()).unwrap();
        }
        let package: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let expected = json!({"left": "1", "galewire": DEPENDENCY});
        assert_eq!((&package["name"], &package["dependencies"]), (&json!("mine"), &expected));
        assert!(project.path().join("node_modules/galewire/index.d.ts").is_file());
        assert!(!project.path().join("node_modules/galewire/test").exists());
    }

    #[test]
    fn a_project_that_wants_another_galewire_is_left_alone() {
        let project = tempfile::tempdir().unwrap();
        let text = r#"{"dependencies": {"galewire": "^0.0.3"}}"#;
        fs::write(project.path().join("package.json"), text).unwrap();
        let error = install(project.path()).unwrap_err().to_string();
        assert!(error.contains("^0.0.3"), "{error}");
        assert!(!project.path().join("vendor").exists());
    }

    #[test]
    fn a_folder_that_is_neither_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = install(folder.path()).unwrap_err();
        assert!(matches!(error, InstallError::Neither(_)), "{error}");
    }
}
