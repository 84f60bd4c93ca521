//! `galewire schema`

use anyhow::Context as _;

use crate::base::ExitCode;
use crate::component::Registry;
use crate::topology::schema;

use super::output::Output;

pub(super) fn run(registry: &Registry, output: &mut Output) -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&schema(registry)).context("could not write JSON")?;
    output.result(&format!("{text}\n"))?;
    Ok(ExitCode::Success)
}
