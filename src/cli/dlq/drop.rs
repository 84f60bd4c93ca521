//! `galewire dlq drop`

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::base::ExitCode;
use crate::dead_letter::remove;

use super::super::output::Output;
use super::choice::Choice;
use super::scan::{Scan, Summary};

const EXAMPLES: &str = "\
Examples:
  galewire dlq drop dead.jsonl 3f9k2m7q4d --yes
  galewire dlq drop dead.jsonl --component check --yes
  galewire dlq drop dead.jsonl --all --yes

What a run adds meanwhile stays, and so do lines that are no dead letters. A crash leaves the file
as it was, or without the letters.";

/// The arguments of `galewire dlq drop`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DropArguments {
    #[command(flatten)]
    choice: Choice,
    /// Really do it; without this, says what would be dropped
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(arguments: &DropArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let file = &arguments.choice.file;
    let scan = Scan::of(file)?;
    let chosen = match arguments.choice.of(&scan) {
        Ok(chosen) => chosen,
        Err(problem) => {
            output.message(&format!("galewire: {problem}\n"));
            return Ok(ExitCode::Usage);
        }
    };
    let count = letters(chosen.len());
    if !arguments.yes {
        output.message(&format!(
            "galewire: {count} of {} would be dropped for good; say `--yes` to do it\n",
            file.display()
        ));
        return Ok(ExitCode::Usage);
    }
    if !chosen.is_empty() {
        let chosen: BTreeMap<_, _> = chosen.into_iter().map(Summary::key).collect();
        remove(file, &chosen)
            .with_context(|| format!("{} cannot be written anew", file.display()))?;
    }
    output.result(&format!("dropped {count} of {}\n", file.display()))?;
    Ok(ExitCode::Success)
}

/// `1 letter`, `2 letters`
pub(super) fn letters(count: usize) -> String {
    if count == 1 { "1 letter".to_owned() } else { format!("{count} letters") }
}
