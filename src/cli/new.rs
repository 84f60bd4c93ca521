//! `galewire new`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::base::ExitCode;

use super::output::Output;
use super::scaffold::{self, Language};

const EXAMPLES: &str = "\
Examples:
  galewire new hello                  with a Python bolt
  galewire new hello --lang node      with a Node.js bolt
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
    let language = match arguments.lang {
        BoltLanguage::Python => Language::Python,
        BoltLanguage::Node => Language::Node,
    };
    write(folder, name, language)?;
    let folder = folder.display();
    output.result(&format!(
        "made {folder}; try\n  galewire check {folder}/{name}.toml\n  galewire run {folder}/{name}.toml\n"
    ))?;
    Ok(ExitCode::Success)
}

/// Writes the files; nothing that is there already is touched.
fn write(folder: &Path, name: &str, language: Language) -> anyhow::Result<()> {
    let is_there =
        |folder: &Path| fs::read_dir(folder).is_ok_and(|mut found| found.next().is_some());
    if is_there(folder) || folder.is_file() {
        bail!("{} is there already; nothing was written", folder.display());
    }
    for file in scaffold::files(name, language) {
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
