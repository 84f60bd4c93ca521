//! `galewire bench`: how fast this program is on this machine, and beside another one.

mod cases;
mod figures;
mod hold;
mod measure;
mod memory;
mod pair;
mod report;
mod runs;
mod saved;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::base::ExitCode;
use crate::component::Registry;
use crate::supervisor::RunDir;

use super::output::Output;
use super::run::run_base;

use cases::{CASES, FILES};
use hold::HoldKind;
use pair::PairKind;
use runs::{Bench, Subject};
use saved::Results;

const EXAMPLES: &str = "\
Examples:
  galewire bench                                 the usual cases, three runs of each
  galewire bench --list                          all cases
  galewire bench pass latency-10k --runs 5
  galewire bench --save before.json              keeps the results
  galewire bench --against before.json           and compares with them
  galewire bench --against ../old/galewire       runs the other program in turns with this one
  galewire bench my-topology.toml                a bounded topology of your own

A rate counts messages of the spouts; what it takes to start and end is left out. CPU time is that
of all processes. Latency counts from when a message was to be emitted, late or not. Results go
to standard output, what is going on to standard error. Exit code 1: a run failed.";

/// The arguments of `galewire bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArguments {
    /// Cases of the list, or topology files (default: the usual cases)
    what: Vec<String>,
    /// List the cases and run nothing
    #[arg(long)]
    list: bool,
    /// Run every case
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Runs of each case
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How much of a case's work is done; below 1 the figures are rough
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = positive)]
    scale: f64,
    /// Results of an earlier --save, or another galewire program, to compare with
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Keep the results of this program in a file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|factor: &f64| *factor > 0.0 && factor.is_finite())
        .ok_or_else(|| "expected a number greater than zero".to_owned())
}

/// Adds the components that only cases have.
pub(super) fn register(registry: Registry) -> Registry {
    registry.unlisted_bolt::<PairKind>().unlisted_bolt::<HoldKind>()
}

pub(super) fn run(arguments: &BenchArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    if arguments.list {
        output.result(&report::list())?;
        return Ok(ExitCode::Success);
    }
    let subjects = match subjects(arguments) {
        Ok(subjects) => subjects,
        Err(problem) => {
            output.message(&format!("galewire: {problem}\n"));
            return Ok(ExitCode::Usage);
        }
    };
    let this = std::env::current_exe().context("could not find this program's own file")?;
    let folder = RunDir::create(&run_base()).context("could not make a folder")?;
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text).context("could not write a topology")?;
    }
    let (other, saved) = match &arguments.against {
        Some(path) if is_program(path) => (Some(path.canonicalize()?), None),
        Some(path) => (None, Some(Results::read(path)?)),
        None => (None, None),
    };
    let bench = Bench { folder: folder.path(), scale: arguments.scale, runs: arguments.runs };
    let measured = bench.all(&subjects, &this, other.as_deref(), output);
    if let Some(path) = &arguments.save {
        measured.this.save(path)?;
    }
    let other = measured.other.or(saved);
    if let Some(other) = other.as_ref().filter(|other| other.machine != measured.this.machine) {
        output.message(&format!(
            "galewire: what it is compared with was measured on another machine ({}, {} cores)\n",
            other.machine.cpu, other.machine.cores
        ));
    }
    let text = match (&other, arguments.json) {
        (_, true) => {
            let other = other.as_ref();
            let both = serde_json::json!({"this": measured.this, "other": other});
            serde_json::to_string_pretty(&both)? + "\n"
        }
        (Some(other), false) => report::comparison(&measured.this, other),
        (None, false) => report::table(&measured.this),
    };
    output.result(&text)?;
    Ok(if measured.failed { ExitCode::RunFailed } else { ExitCode::Success })
}

fn subjects(arguments: &BenchArguments) -> Result<Vec<Subject>, String> {
    if arguments.what.is_empty() {
        let chosen = CASES.iter().filter(|case| arguments.all || case.usual);
        return Ok(chosen.map(Subject::Case).collect());
    }
    let named = arguments.what.iter().map(|name| {
        let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
        match cases::find(name) {
            Some(case) => Ok(Subject::Case(case)),
            None if is_file => Ok(Subject::File(PathBuf::from(name))),
            None => Err(unknown(name)),
        }
    });
    named.collect()
}

fn unknown(name: &str) -> String {
    let near = CASES
        .iter()
        .map(|case| (strsim::damerau_levenshtein(name, case.name), case.name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match near {
        Some((_, near)) => format!("there is no case `{name}`; did you mean `{near}`?"),
        None => format!("there is no case `{name}`; `galewire bench --list` shows them"),
    }
}

/// Results begin with a brace; a program does not.
fn is_program(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.first().is_some_and(|first| *first != b'{'))
}
