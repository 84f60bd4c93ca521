//! The command line, declared.

use clap::{Parser, Subcommand};

use crate::base::ExitCode;

use super::bolt::BoltArguments;
use super::check::CheckArguments;
use super::components::ComponentsArguments;
use super::conformance::ConformanceArguments;
use super::dlq::DlqArguments;
use super::new::NewArguments;
use super::plan::PlanArguments;
use super::run::RunArguments;
use super::sdk::SdkArguments;
use super::worker::WorkerArguments;

const EXAMPLES: &str = "\
Examples:
  galewire new hello --lang python     a small topology that runs at once
  galewire check hello/hello.toml      everything that is wrong with it, or nothing
  galewire plan hello/hello.toml       what would run where
  galewire run hello/hello.toml        runs it

`galewire help exit-codes` lists what the exit codes mean,
`galewire help settings` every setting with its default.";

/// Storm-style stream processing: one binary, one TOML file, bolts in Python, Node or any language.
#[derive(Debug, Parser)]
#[command(name = "galewire", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a topology until its input ends, or Ctrl-C
    Run(RunArguments),
    /// Check a topology file: all errors and warnings at once, nothing is started
    Check(CheckArguments),
    /// Show what would run where
    Plan(PlanArguments),
    /// Print the JSON Schema of topology files, for editors
    Schema,
    /// List the built-in components and their options
    Components(ComponentsArguments),
    /// Make a folder with a small topology that runs at once
    New(NewArguments),
    /// Run one component alone: tuples in on standard input, what it emits out
    Bolt(BoltArguments),
    /// List, show, replay and drop messages that were put aside in a file of dead letters
    Dlq(DlqArguments),
    /// Check a client of the multilang protocol, in any language, case by case
    Conformance(ConformanceArguments),
    /// Run one worker of a topology; `galewire run` starts these
    #[command(hide = true)]
    Worker(WorkerArguments),
    /// End what a run leaves behind; `galewire run` starts this
    #[command(hide = true)]
    Guard,
    /// Print the folder of the Python and Node SDKs, or install one, for tests and editors
    Sdk(SdkArguments),
    /// Print help on a command, on `exit-codes` or on `settings`
    Help(HelpArguments),
}

/// What to print help on.
#[derive(Debug, clap::Args)]
pub(super) struct HelpArguments {
    /// A command, `exit-codes` or `settings`
    pub(super) topic: Option<String>,
}

/// The table of exit codes.
pub(super) fn exit_codes() -> String {
    let lines = ExitCode::TABLE.iter();
    let lines = lines.map(|(code, meaning)| format!("  {:>3}  {meaning}\n", *code as u8));
    format!("Exit codes of galewire\n{}", lines.collect::<String>())
}
