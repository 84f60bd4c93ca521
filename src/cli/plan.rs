//! `galewire plan`

use crate::base::ExitCode;
use crate::component::Registry;
use crate::topology::{dot, json, mermaid, table};

use super::output::Output;
use super::topology_file::{TopologyFile, exit_code, show_problems};

const EXAMPLES: &str = "\
Examples:
  galewire plan word-count.toml
  galewire plan word-count.toml --dot | dot -Tsvg > word-count.svg
  galewire plan word-count.toml --json | jq '.tasks'

The JSON holds everything the engine is told, also what `${VAR}` and `${file:PATH}` stood for; only the
values of `env` are hidden.";

/// The arguments of `galewire plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    file: TopologyFile,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// As a Graphviz graph
    #[arg(long)]
    dot: bool,
    /// As a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
    /// As JSON, complete but for the values of `env`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &PlanArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let checked = arguments.file.load(registry);
    show_problems(&checked, output);
    if let Some(plan) = &checked.plan {
        let text = match &arguments.form {
            form if form.dot => dot(plan),
            form if form.mermaid => mermaid(plan),
            form if form.json => json(plan) + "\n",
            _ => table(plan, output.width()),
        };
        output.result(&text)?;
    }
    Ok(exit_code(&checked))
}
