//! `galewire conformance`: whether a client of the protocol, in any language, does what it has to.
//!
//! The cases stand in `multilang/conformance/cases` and are embedded. No topology is run.

mod case;
mod child;
mod expected;
mod json;
mod pattern;
mod report;
mod rules;
mod said;
mod say;
mod script;
mod suite;
mod wire;

use std::time::Duration;

use crate::base::{ExitCode, Runtimes, parse_duration};
use crate::supervisor::RunDir;
use crate::topology::{Environment, find_program};

use super::log::start_log;
use super::output::Output;
use super::run::run_base;

use case::{Case, Framing, Level};
use child::Children;
use report::{Counts, Judged, Outcome};

const EXAMPLES: &str = "\
Examples:
  galewire conformance -- python3 -m galewire multilang/conformance/python/components.py:{component}
  galewire conformance --level storm -- perl multilang/conformance/perl/components.pl
  galewire conformance --case split --trace-protocol -- ./components
  galewire conformance --list

COMMAND starts a program that can be any of the reference components. Which one it has to be stands in
the handshake, as `componentid` and as `component` in `conf`; {component} in an argument is replaced by it.
multilang/conformance/README.md says what each of them does.

Exit code 0: every case passed or was skipped; 1: a case failed.";

/// How long threads may take to stop.
const STOP_GRACE: Duration = Duration::from_millis(200);

/// The arguments of `galewire conformance`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConformanceArguments {
    /// How much of the protocol is asked for
    #[arg(long, value_enum, default_value = "sdk")]
    level: Level,
    /// Run this case alone; may be given more than once
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// List the cases and run nothing
    #[arg(long)]
    list: bool,
    /// How long each step of a case may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    /// How many cases to run at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    jobs: usize,
    /// One JSON object a case and framing, on standard output
    #[arg(long)]
    json: bool,
    /// Show what goes over the pipes: `>` to the child, `<` from it, `!` its standard error
    #[arg(long)]
    trace_protocol: bool,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().map_err(|error| error.to_string())?;
    if number == 0 { Err("at least 1 is needed".to_owned()) } else { Ok(number) }
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn run(
    arguments: &ConformanceArguments,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let cases = suite::cases();
    let chosen = match chosen(&cases, arguments) {
        Ok(chosen) => chosen,
        Err(unknown) => {
            output.message(&format!(
                "galewire: there is no case `{unknown}`; `galewire conformance --list` lists them\n"
            ));
            return Ok(ExitCode::Usage);
        }
    };
    if arguments.list {
        output.result(&report::list(&chosen, output.width()))?;
        return Ok(ExitCode::Success);
    }
    let environment = Environment::of_process();
    if let Some(problem) = problem(&arguments.command, &environment) {
        output.message(&format!("galewire: {}\n", problem.1));
        return Ok(problem.0);
    }
    start_log("warn", false);
    let run_dir = RunDir::create(&run_base())?.guarded(&std::env::current_exe()?)?;
    let runtimes = Runtimes::io_only()?;
    let children = Children {
        command: &arguments.command,
        patience: arguments.timeout,
        run_dir: run_dir.path(),
        runtimes: &runtimes,
        environment: &environment,
    };
    let judged = judge(&chosen, arguments, &children, output)?;
    runtimes.shut_down(STOP_GRACE);
    let counts = Counts::of(&judged);
    if arguments.json {
        let summary = serde_json::json!({
            "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped,
        });
        output.result(&format!("{summary}\n"))?;
    } else {
        output.result(&report::table(&judged, output.width()))?;
    }
    Ok(if counts.failed == 0 { ExitCode::Success } else { ExitCode::RunFailed })
}

fn chosen<'c>(
    cases: &'c [Case],
    arguments: &ConformanceArguments,
) -> Result<Vec<&'c Case>, String> {
    let is_known = |name: &&String| !cases.iter().any(|case| case.name == **name);
    if let Some(unknown) = arguments.case.iter().find(is_known) {
        return Err(unknown.clone());
    }
    let wanted = |case: &&Case| arguments.case.is_empty() || arguments.case.contains(&case.name);
    Ok(cases.iter().filter(wanted).collect())
}

fn problem(command: &[String], environment: &Environment) -> Option<(ExitCode, String)> {
    let Some(program) = command.first() else {
        let text = "say what to run: galewire conformance -- COMMAND".to_owned();
        return Some((ExitCode::Usage, text));
    };
    let dir = std::env::current_dir().unwrap_or_else(|_| ".".into());
    let found = find_program(program, &dir, environment.get("PATH"));
    found
        .is_none()
        .then(|| (ExitCode::MissingProgram, format!("the program `{program}` was not found")))
}

/// Runs the cases, and tells of each in order, as soon as those before it are done.
fn judge<'c>(
    cases: &[&'c Case],
    arguments: &ConformanceArguments,
    children: &Children<'_>,
    output: &mut Output,
) -> anyhow::Result<Vec<Judged<'c>>> {
    let all = cases.iter().flat_map(|case| Framing::BOTH.map(|framing| (*case, framing)));
    let all: Vec<_> = all.collect();
    let skipped = |(case, framing): &(&Case, Framing)| case.skipped(*framing, arguments.level);
    let mut outcomes: Vec<_> = all.iter().map(|one| skipped(one).map(Outcome::Skipped)).collect();
    let asked: Vec<usize> = (0..all.len()).filter(|at| outcomes[*at].is_none()).collect();
    let runs: Vec<_> = asked.iter().map(|at| all[*at]).collect();
    let mut judged = Vec::new();
    let mut tell = |outcomes: &mut Vec<Option<Outcome>>, output: &mut Output| {
        while let Some(outcome) = outcomes.get_mut(judged.len()).and_then(Option::take) {
            let (case, framing) = all[judged.len()];
            let one = Judged { case, framing, outcome };
            tell_one(&one, arguments, output)?;
            judged.push(one);
        }
        anyhow::Ok(())
    };
    children.run(&runs, arguments.jobs, |place, ran| {
        if arguments.trace_protocol {
            output.message(&report::wire(runs[place].0, runs[place].1, &ran.wire));
        }
        outcomes[asked[place]] = Some(Outcome::of(ran));
        tell(&mut outcomes, output)
    })?;
    tell(&mut outcomes, output)?;
    Ok(judged)
}

fn tell_one(
    one: &Judged<'_>,
    arguments: &ConformanceArguments,
    output: &mut Output,
) -> anyhow::Result<()> {
    if arguments.json {
        output.result(&format!("{}\n", report::as_json(one)))?;
    } else if let Outcome::Failed(failure, wire) = &one.outcome {
        output.message(&report::failure(one.case, one.framing, failure, wire));
    }
    Ok(())
}
