//! `galewire run`

mod json;
mod narrator;
mod rates;
mod repeats;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::base::{ExitCode, parse_duration};
use crate::component::Registry;
use crate::supervisor::{self, RunDir, RunOptions};
use crate::topology::Plan;

use super::log::start_log;
use super::output::Output;
use super::topology_file::{TopologyFile, exit_code, show_problems};

pub(super) use narrator::tame;
use narrator::{Narrator, Style};

const EXAMPLES: &str = "\
Examples:
  galewire run word-count.toml
  galewire run word-count.toml --for 30s --workers 2
  galewire run word-count.toml --set bolts.split.parallelism=4 > counts.txt

Standard output carries only what `print` bolts print; everything else goes to standard error.
Ctrl-C stops the input and lets the run finish what it has; a second Ctrl-C kills it.
A run whose spouts come to an end, ends by itself. `galewire help exit-codes` lists how.";

/// The arguments of `galewire run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArguments {
    #[command(flatten)]
    file: TopologyFile,
    /// Worker processes, instead of what the file says
    #[arg(long, value_name = "N")]
    workers: Option<u16>,
    #[command(flatten)]
    manner: Manner,
}

/// How a plan is run and told of.
#[derive(Debug, clap::Args)]
pub(super) struct Manner {
    /// Stop the input after this long, such as 30s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    #[command(flatten)]
    form: Form,
    /// Log level of the engine itself: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

impl Manner {
    /// Whether events are told as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.form.json
    }

    /// Whether only errors are told.
    pub(super) fn is_quiet(&self) -> bool {
        self.form.quiet
    }
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// Events as JSON, one object a line, on standard error
    #[arg(long)]
    json: bool,
    /// Errors only
    #[arg(long, short)]
    quiet: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn run(
    arguments: RunArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let file = match arguments.workers {
        Some(workers) => arguments.file.with(format!("topology.workers={workers}")),
        None => arguments.file,
    };
    let checked = file.load(registry);
    show_problems(&checked, output);
    let code = exit_code(&checked);
    let Some(plan) = checked.plan else { return Ok(code) };
    run_plan(plan, &arguments.manner, output)
}

/// Runs a plan to its end.
pub(super) fn run_plan(
    plan: Plan,
    manner: &Manner,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    start_log(&manner.log, manner.form.json);
    let missing = supervisor::missing_programs(&plan);
    for problem in &missing {
        output.message(&format!("galewire: {problem}\n"));
    }
    if !missing.is_empty() {
        return Ok(ExitCode::MissingProgram);
    }
    let executable = std::env::current_exe().context("could not find this program's own file")?;
    let run_dir = RunDir::create(&run_base()).context("could not make the run's folder")?;
    let run_dir = run_dir.guarded(&executable).context("could not start the run's guard")?;
    let style = match &manner.form {
        Form { json: true, .. } => Style::Json,
        Form { quiet: true, .. } => Style::Quiet,
        // What `print` prints would be drawn over, on this terminal or behind a pipe that ends on it.
        _ if output.is_terminal() && !prints(&plan) => Style::Live,
        _ => Style::Plain,
    };
    let mut narrator = Narrator::new(&plan, style, output);
    let options = RunOptions {
        plan,
        executable,
        run_dir: run_dir.path().to_owned(),
        time_limit: manner.time,
        progress_every: style.progress_every(),
        log: manner.log.clone(),
        log_as_json: manner.form.json,
    };
    let outcome = supervisor::run(&options, &mut |event| narrator.event(&event))?;
    Ok(narrator.finish(&outcome))
}

/// Whether the topology writes to standard output.
fn prints(plan: &Plan) -> bool {
    plan.components.iter().any(|component| component.kind == "print")
}

/// Socket paths are limited to 107 bytes: a long TMPDIR is passed over.
pub(super) fn run_base() -> PathBuf {
    const LONGEST: usize = 48;
    let own = std::env::temp_dir();
    if own.as_os_str().len() <= LONGEST { own } else { PathBuf::from("/tmp") }
}
