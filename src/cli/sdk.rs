//! `galewire sdk`

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::base::ExitCode;
use crate::multilang::{fingerprint, install, unpack};
use crate::topology::Environment;

use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  PYTHONPATH=\"$(galewire sdk)/python\" python3 -m pytest
  node --import \"$(galewire sdk)/node/galewire/register.mjs\" --test
  galewire sdk --install .venv         so that this Python finds `import galewire`
  galewire sdk --install .             the same for a Node.js project: a folder with a package.json

Components that the engine starts find the SDKs by themselves; this is for tests and editors.";

/// The arguments of `galewire sdk`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SdkArguments {
    /// Install the SDK into this virtual environment or Node.js project; no network is needed
    #[arg(long, value_name = "FOLDER")]
    install: Option<PathBuf>,
}

pub(super) fn run(arguments: &SdkArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &arguments.install {
        let installed = install(folder)?;
        let version = env!("CARGO_PKG_VERSION");
        output.result(&format!("installed galewire {version} in {}\n", installed.display()))?;
        return Ok(ExitCode::Success);
    }
    let home = Environment::of_process().state_home();
    let home = home.context("there is no home folder to unpack the SDKs to: set HOME")?;
    let folder = home.join("galewire").join(format!("sdk-{}", fingerprint()));
    fs::create_dir_all(&folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    output.result(&format!("{}\n", unpack(&folder)?.display()))?;
    Ok(ExitCode::Success)
}
