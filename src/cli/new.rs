//! `galewire new`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::base::ExitCode;
use crate::multilang::{InstallError, install_node, install_python, make_venv};

use super::output::Output;
use super::scaffold::{self, Language, Package};

const EXAMPLES: &str = "\
Examples:
  galewire new hello                  with a Python bolt
  galewire new hello --lang node      with a Node.js bolt
  galewire new hello --venv           and a Python environment, for editors and tests
  galewire new hello --lang node --package-json
  galewire new topologies/hello       in another folder";

/// The arguments of `galewire new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArguments {
    /// The topology's name (a-z, 0-9 and `-`), or a path that ends in it
    name: PathBuf,
    /// The language of its bolt
    #[arg(long, value_enum, default_value_t = BoltLanguage::Python)]
    lang: BoltLanguage,
    /// Python: make a virtual environment with the SDK in it, for editors and tests
    #[arg(long)]
    venv: bool,
    /// Node.js: make a package.json with the SDK in node_modules, for editors and tests
    #[arg(long, conflicts_with = "venv")]
    package_json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BoltLanguage {
    Python,
    Node,
}

pub(super) fn run(arguments: &NewArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let folder = arguments.name.as_path();
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !scaffold::is_topology_name(name) {
        output.message(&format!(
            "galewire: `{name}` cannot be a topology's name: 1 to 63 characters of a-z, 0-9 and `-`\n"
        ));
        return Ok(ExitCode::Usage);
    }
    let (language, package) = match (arguments.lang, arguments.venv, arguments.package_json) {
        (BoltLanguage::Python, _, true) => return Ok(misfit("--package-json", "node", output)),
        (BoltLanguage::Node, true, _) => return Ok(misfit("--venv", "python", output)),
        (BoltLanguage::Python, venv, _) => (Language::Python, package(venv)),
        (BoltLanguage::Node, _, json) => (Language::Node, package(json)),
    };
    write(folder, name, language, package)?;
    let made = folder.display();
    if package == Package::Installed
        && let Err(error) = install_package(folder, language)
    {
        output.message(&format!(
            "galewire: {error}\nmade {made} all the same, and it runs. Once that is mended:\n  {}\n",
            by_hand(folder, language)
        ));
        return Ok(ExitCode::RunFailed);
    }
    let test = match package {
        Package::Embedded => String::new(),
        Package::Installed => {
            format!("  cd {made} && {}\n", scaffold::run_test(language, package))
        }
    };
    output.result(&format!(
        "made {made}; try\n  galewire check {made}/{name}.toml\n  galewire run {made}/{name}.toml\n{test}"
    ))?;
    Ok(ExitCode::Success)
}

fn package(is_asked_for: bool) -> Package {
    if is_asked_for { Package::Installed } else { Package::Embedded }
}

fn misfit(flag: &str, language: &str, output: &mut Output) -> ExitCode {
    output.message(&format!("galewire: {flag} is for `--lang {language}`\n"));
    ExitCode::Usage
}

/// Puts the SDK where editors and test runners look.
fn install_package(folder: &Path, language: Language) -> Result<PathBuf, InstallError> {
    match language {
        Language::Python => {
            let venv = folder.join(".venv");
            make_venv(&venv).and_then(|()| install_python(&venv))
        }
        Language::Node => install_node(folder),
    }
}

/// The commands that do the same later.
fn by_hand(folder: &Path, language: Language) -> String {
    let folder = folder.display();
    match language {
        Language::Python => {
            format!("python3 -m venv {folder}/.venv && galewire sdk --install {folder}/.venv")
        }
        Language::Node => format!("galewire sdk --install {folder}"),
    }
}

/// Writes the files; nothing that is there already is touched.
fn write(folder: &Path, name: &str, language: Language, package: Package) -> anyhow::Result<()> {
    let is_there =
        |folder: &Path| fs::read_dir(folder).is_ok_and(|mut found| found.next().is_some());
    if is_there(folder) || folder.is_file() {
        bail!("{} is there already; nothing was written", folder.display());
    }
    for file in scaffold::files(name, language, package) {
        let path = folder.join(&file.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .with_context(|| format!("could not make the folder {}", parent.display()))?;
        fs::File::create_new(&path)
            .and_then(|mut created| std::io::Write::write_all(&mut created, file.text.as_bytes()))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}
