//! `galewire dlq list`

use std::path::PathBuf;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::base::ExitCode;

use super::super::output::Output;
use super::super::run::tame;
use super::choice::Filter;
use super::scan::{Scan, Soundness, entries};

const EXAMPLES: &str = "\
Examples:
  galewire dlq list dead.jsonl
  galewire dlq list dead.jsonl --component check --since 1h
  galewire dlq list dead.jsonl --json | jq '.values'

With --json each letter is a line as it stands in the file.
Exit code 0: the file is sound; 1: it cannot be read, or has lines that are no dead letters.";

/// The arguments of `galewire dlq list`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArguments {
    /// The file of dead letters
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// The letters as JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &ListArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let scan = Scan::of(&arguments.file)?;
    if arguments.json {
        lines(arguments, &scan, output)?;
    } else {
        let width = output.width();
        if let Some(table) = table(arguments, &scan, width) {
            output.result(&format!("{table}\n"))?;
        } else {
            output.message(&format!("{}: no dead letters\n", arguments.file.display()));
        }
    }
    Ok(match scan.tell(output) {
        Soundness::Sound => ExitCode::Success,
        Soundness::Damaged => ExitCode::RunFailed,
    })
}

fn table(arguments: &ListArguments, scan: &Scan, width: Option<u16>) -> Option<String> {
    const ATTEMPTS: usize = 5;
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["id", "time", "spout", "component", "error", "attempts"]);
    if let Some(width) = width {
        table.set_width(width);
    }
    for letter in scan.letters.iter().filter(|letter| arguments.filter.takes(letter)) {
        table.add_row([
            letter.id.to_string(),
            letter.time.to_string(),
            scan.origin(letter).spout.clone(),
            letter.component.clone().unwrap_or_else(|| "-".to_owned()),
            tame(&letter.error).replace(['\n', '\t'], " "),
            letter.attempts.to_string(),
        ]);
    }
    if let Some(column) = table.column_mut(ATTEMPTS) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    (!table.is_empty()).then(|| table.trim_fmt())
}

fn lines(arguments: &ListArguments, scan: &Scan, output: &mut Output) -> anyhow::Result<()> {
    let letters = scan.letters.iter().filter(|letter| arguments.filter.takes(letter));
    let mut wanted: std::collections::HashMap<_, _> =
        letters.map(super::scan::Summary::key).collect();
    for entry in entries(&arguments.file)? {
        let entry = entry?;
        let is_wanted =
            |letter: &crate::dead_letter::Letter| wanted.get(&letter.id) == Some(&letter.replays);
        if let Ok(letter) = &entry.letter
            && is_wanted(letter)
        {
            wanted.remove(&letter.id);
            output.result(&format!("{}\n", entry.text))?;
        }
    }
    Ok(())
}
