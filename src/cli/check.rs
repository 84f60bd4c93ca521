//! `galewire check`

use crate::base::ExitCode;
use crate::component::Registry;

use super::output::Output;
use super::topology_file::{TopologyFile, exit_code, show_problems};

const EXAMPLES: &str = "\
Examples:
  galewire check word-count.toml
  galewire check word-count.toml --set topology.workers=2

Exit code 0: no errors; 3: errors; 5: only programs are missing. Warnings do not count.";

/// The arguments of `galewire check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    file: TopologyFile,
}

pub(super) fn run(
    arguments: &CheckArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let checked = arguments.file.load(registry);
    show_problems(&checked, output);
    if checked.diagnostics.is_empty() {
        let summary = checked.diagnostics.summary(&checked.sources);
        output.result(&format!("{summary}\n"))?;
    }
    Ok(exit_code(&checked))
}
