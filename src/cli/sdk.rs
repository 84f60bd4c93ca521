//! `galewire sdk`

use std::fs;

use anyhow::Context as _;

use crate::base::ExitCode;
use crate::multilang::{fingerprint, unpack};
use crate::topology::Environment;

use super::output::Output;

pub(super) const EXAMPLES: &str = "\
Examples:
  PYTHONPATH=\"$(galewire sdk)/python\" python3 -m pytest
  node --import \"$(galewire sdk)/node/galewire/register.mjs\" --test

Components that the engine starts find the SDKs by themselves; this is for tests and editors.";

pub(super) fn run(output: &mut Output) -> anyhow::Result<ExitCode> {
    let home = Environment::of_process().state_home();
    let home = home.context("there is no home folder to unpack the SDKs to: set HOME")?;
    let folder = home.join("galewire").join(format!("sdk-{}", fingerprint()));
    fs::create_dir_all(&folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    output.result(&format!("{}\n", unpack(&folder)?.display()))?;
    Ok(ExitCode::Success)
}
