//! `galewire dlq replay`: a run of the topology whose input is dead letters.
//!
//! Every spout of the plan is replaced: it gives out its letters and nothing else. The rest of the plan is
//! as in any run, but that no `write` bolt begins its file anew.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::base::ExitCode;
use crate::component::{Registry, Role};
use crate::dead_letter::LetterId;
use crate::topology::{DeadLetters, Guarantee, Plan, PlannedComponent};

use super::super::output::Output;
use super::super::run::{Manner, run_plan};
use super::super::topology_file::{TopologyFile, exit_code, show_problems};
use super::choice::Choice;
use super::drop::letters;
use super::scan::{Scan, Summary};

/// The spout that stands in for others.
const KIND: &str = "dead_letters";
/// How often a letter is tried again where the file does not say it.
const RETRIES: u32 = 3;

const EXAMPLES: &str = "\
Examples:
  galewire dlq replay dead.jsonl --all
  galewire dlq replay dead.jsonl 3f9k2m7q4d --into word-count.toml
  galewire dlq replay dead.jsonl --component check --set bolts.check.parallelism=1

The topology is run with the letters as the only input of its spouts; it ends when they are done.
A letter is taken out of the file when all that came of it is acked. One that fails more often than
`retry.max` says (3, where it says nothing) stays there, with its new failures. Whatever is killed
meanwhile, no letter is lost; some may be given out twice. `write` bolts add to their files.";

/// The arguments of `galewire dlq replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    choice: Choice,
    /// The topology file; by default the one beside the letters that has their topology's name
    #[arg(long, value_name = "TOPOLOGY")]
    into: Option<PathBuf>,
    /// Change a value, as for `galewire run`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(
    arguments: &ReplayArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let file = std::fs::canonicalize(&arguments.choice.file)
        .with_context(|| format!("{} cannot be read", arguments.choice.file.display()))?;
    let scan = Scan::of(&file)?;
    let chosen = match arguments.choice.of(&scan) {
        Ok(chosen) => chosen,
        Err(problem) => {
            output.message(&format!("galewire: {problem}\n"));
            return Ok(ExitCode::Usage);
        }
    };
    if chosen.is_empty() {
        output.message("there is no letter to replay\n");
        return Ok(ExitCode::Success);
    }
    let path = match &arguments.into {
        Some(path) => path.clone(),
        None => topology_beside(&file, &scan, &chosen)?,
    };
    let checked = TopologyFile::new(path.clone(), arguments.overrides.clone()).load(registry);
    show_problems(&checked, output);
    let code = exit_code(&checked);
    let Some(mut plan) = checked.plan else { return Ok(code) };
    let misfits = misfits(&plan, &scan, &chosen);
    if !misfits.is_empty() {
        for misfit in &misfits {
            output.message(&format!("galewire: {misfit}\n"));
        }
        bail!("{} does not fit the letters; nothing was started", path.display());
    }
    for component in &mut plan.components {
        stand_in(component, &file, &scan, &chosen);
    }
    plan.settings.guarantee = Guarantee::AtLeastOnce;
    let before: HashMap<LetterId, u32> = chosen.iter().map(|letter| letter.key()).collect();
    let code = run_plan(plan, &arguments.manner, output)?;
    tell(arguments, &file, &before, output)?;
    Ok(code)
}

/// The topology file beside the letters that has the name of their topology.
fn topology_beside(file: &Path, scan: &Scan, chosen: &[&Summary]) -> anyhow::Result<PathBuf> {
    let name = &scan.origin(chosen[0]).topology;
    if let Some(other) = chosen.iter().find(|letter| scan.origin(letter).topology != *name) {
        let other = &scan.origin(other).topology;
        bail!("the letters are of the topologies `{name}` and `{other}`: choose those of one");
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if is_toml && has_name(&path, name) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no topology called `{name}` is beside the file: say which with `--into FILE`"),
        _ => bail!("more than one file beside it is called `{name}`: say which with `--into FILE`"),
    }
}

fn has_name(path: &Path, name: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let table: Option<toml::Table> = text.parse().ok();
    table.is_some_and(|table| table.get("name").and_then(toml::Value::as_str) == Some(name))
}

/// Letters that the topology has no place for, by what is wrong.
fn misfits(plan: &Plan, scan: &Scan, chosen: &[&Summary]) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for letter in chosen {
        let Some(problem) = misfit(plan, scan, letter) else { continue };
        match counts.iter_mut().find(|(known, _)| *known == problem) {
            Some((_, count)) => *count += 1,
            None => counts.push((problem, 1)),
        }
    }
    let told = counts.into_iter();
    told.map(|(problem, count)| format!("{problem} ({})", letters(count))).collect()
}

fn misfit(plan: &Plan, scan: &Scan, letter: &Summary) -> Option<String> {
    let origin = scan.origin(letter);
    let (spout, stream) = (&origin.spout, &origin.stream);
    let mut spouts = plan.components.iter().filter(|one| one.role == Role::Spout);
    let Some(component) = spouts.find(|component| component.name == *spout) else {
        return Some(format!("there is no spout `{spout}`"));
    };
    let Some(decl) = component.outputs.iter().find(|decl| decl.name == *stream) else {
        return Some(format!("spout `{spout}` has no stream `{stream}`"));
    };
    (decl.fields != origin.fields).then(|| {
        let (are, were) = (decl.fields.join(", "), origin.fields.join(", "));
        format!("stream `{stream}` of spout `{spout}` has the fields ({are}), the letters ({were})")
    })
}

/// Makes a spout give out its letters, and a `write` bolt add to its file.
fn stand_in(component: &mut PlannedComponent, file: &Path, scan: &Scan, chosen: &[&Summary]) {
    if component.kind == "write" && component.role == Role::Bolt {
        component.options["append"] = Value::Bool(true);
    }
    if component.role == Role::Bolt {
        return;
    }
    let mine = chosen.iter().filter(|letter| scan.origin(letter).spout == component.name);
    let mine: HashMap<String, u32> =
        mine.map(|letter| (letter.id.to_string(), letter.replays)).collect();
    KIND.clone_into(&mut component.kind);
    component.options = json!({ "path": file, "letters": mine });
    component.program = None;
    component.chosen.clear();
    component.retry.max.get_or_insert(RETRIES);
    component.retry.dead_letter = Some(DeadLetters::File(file.to_owned()));
}

/// Says what became of the letters.
fn tell(
    arguments: &ReplayArguments,
    file: &Path,
    before: &HashMap<LetterId, u32>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let after = Scan::of(file)?.replays();
    let (mut done, mut failed, mut left) = (0, 0, 0);
    for (id, replays) in before {
        match after.get(id) {
            None => done += 1,
            Some(now) if now == replays => left += 1,
            Some(_) => failed += 1,
        }
    }
    if arguments.manner.is_json() {
        let event = json!({ "event": "replayed", "done": done, "failed": failed, "left": left });
        output.message(&format!("{event}\n"));
    } else if !arguments.manner.is_quiet() {
        let rest = match left {
            0 => String::new(),
            left => format!(", {left} not replayed"),
        };
        output.message(&format!(
            "{} done, {failed} put aside again{rest}; {} in {}\n",
            letters(done),
            letters(after.len()),
            arguments.choice.file.display()
        ));
    }
    Ok(())
}
