//! `galewire dlq`: looks at files of dead letters, replays letters, and takes them out.

mod choice;
mod drop;
mod list;
mod replay;
mod scan;
mod show;

use clap::Subcommand;

use crate::base::ExitCode;
use crate::component::Registry;

use super::output::Output;

use drop::DropArguments;
use list::ListArguments;
use replay::ReplayArguments;
use show::ShowArguments;

const EXAMPLES: &str = "\
Examples:
  galewire dlq list dead.jsonl                         what is in it
  galewire dlq show dead.jsonl 3f9k2m7q4d              one letter, with its failures
  galewire dlq replay dead.jsonl --all                 gives them out again, through the topology
  galewire dlq drop dead.jsonl --error KeyError --yes  takes letters out

A spout with `retry = { max = 3, dead_letter = \"dead.jsonl\" }` puts messages there that have
failed more often. A letter keeps its id; how it begins is enough where only one begins so.
Every command may be used while a run writes to the file.";

/// The arguments of `galewire dlq`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DlqArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List letters: id, time, spout, the component that failed, why, how often it was tried
    List(ListArguments),
    /// Show letters with everything that is known: values, failures, tracebacks
    Show(ShowArguments),
    /// Run the topology with letters as its input; each is taken out when it is acked
    Replay(ReplayArguments),
    /// Take letters out for good
    Drop(DropArguments),
}

pub(super) fn run(
    arguments: DlqArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments, output),
        Command::Show(arguments) => show::run(&arguments, output),
        Command::Replay(arguments) => replay::run(&arguments, registry, output),
        Command::Drop(arguments) => drop::run(&arguments, output),
    }
}
