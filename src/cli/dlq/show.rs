//! `galewire dlq show`

use std::fmt::Write as _;

use crate::base::ExitCode;
use crate::dead_letter::{Attempt, Letter};

use super::super::output::Output;
use super::super::run::tame;
use super::choice::Choice;
use super::scan::{Scan, entries};

const EXAMPLES: &str = "\
Examples:
  galewire dlq show dead.jsonl 3f9k2m7q4d
  galewire dlq show dead.jsonl 3f9 a01
  galewire dlq show dead.jsonl --error KeyError | less

`galewire dlq list --json` has the same for programs.";

/// The arguments of `galewire dlq show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    choice: Choice,
}

pub(super) fn run(arguments: &ShowArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let scan = Scan::of(&arguments.choice.file)?;
    let chosen = match arguments.choice.of(&scan) {
        Ok(chosen) => chosen,
        Err(problem) => {
            output.message(&format!("galewire: {problem}\n"));
            return Ok(ExitCode::Usage);
        }
    };
    let mut wanted: std::collections::HashMap<_, _> =
        chosen.into_iter().map(super::scan::Summary::key).collect();
    let mut between = "";
    for entry in entries(&arguments.choice.file)? {
        let Ok(letter) = entry?.letter else { continue };
        if wanted.get(&letter.id) == Some(&letter.replays) {
            wanted.remove(&letter.id);
            output.result(&format!("{between}{}", tame(&pretty(&letter))))?;
            between = "\n";
        }
    }
    Ok(ExitCode::Success)
}

/// Everything about a letter, for people.
fn pretty(letter: &Letter) -> String {
    let Letter { id, topology, run, spout, task, message, stream, .. } = letter;
    let mut text = format!("letter {id}\n");
    let mut line = |name: &str, value: &str| {
        writeln!(text, "  {name:<14} {value}").expect("a string takes every write");
    };
    line("topology", &format!("{topology} (run {run})"));
    line("spout", &format!("{spout} (task {task}), message {message}"));
    match letter.direct {
        Some(task) => line("stream", &format!("{stream}, to task {task}")),
        None => line("stream", stream),
    }
    line("first emitted", &letter.first_emitted.to_string());
    line("put aside", &letter.time.to_string());
    line("attempts", &letter.attempts.to_string());
    if letter.replays > 0 {
        line("replays", &letter.replays.to_string());
    }
    text.push_str("values\n");
    let width = letter.fields.iter().map(String::len).max().unwrap_or(0).max(14);
    for (field, value) in letter.fields.iter().zip(&letter.values) {
        writeln!(text, "  {field:<width$} {}", value.to_json())
            .expect("a string takes every write");
    }
    text.push_str("failures\n");
    for attempt in &letter.failures {
        failure(attempt, &mut text);
    }
    if letter.left_out > 0 {
        let left_out = letter.left_out;
        writeln!(text, "  {left_out} more, behind the first ones, were not kept")
            .expect("a string takes every write");
    }
    text
}

fn failure(attempt: &Attempt, text: &mut String) {
    let Attempt { time, reason, component, task, message, traceback } = attempt;
    let place = match (component, task) {
        (Some(component), Some(task)) => format!("  {component} (task {task})"),
        _ => String::new(),
    };
    writeln!(text, "  {time}  {reason}{place}  {message}").expect("a string takes every write");
    for line in traceback.iter().flat_map(|traceback| traceback.lines()) {
        writeln!(text, "    {line}").expect("a string takes every write");
    }
}
