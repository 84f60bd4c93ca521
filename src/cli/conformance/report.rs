//! How the suite went, for people and as JSON. Pure.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::case::{Case, Framing};
use super::child::Ran;
use super::said::short;
use super::script::Failure;

/// Lines of the conversation that are shown with a failure.
const SHOWN_LINES: usize = 16;

/// How a case went in one framing.
#[derive(Debug)]
pub(super) enum Outcome {
    Passed,
    Failed(Failure, Vec<String>),
    Skipped(String),
}

impl Outcome {
    pub(super) fn of(ran: Ran) -> Self {
        match ran.failure {
            Some(failure) => Self::Failed(failure, ran.wire),
            None => Self::Passed,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(..) => "FAILED",
            Self::Skipped(_) => "-",
        }
    }
}

/// A case with how it went.
#[derive(Debug)]
pub(super) struct Judged<'c> {
    pub(super) case: &'c Case,
    pub(super) framing: Framing,
    pub(super) outcome: Outcome,
}

/// Cases that passed, failed, and were skipped in every framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Counts {
    pub(super) fn of(judged: &[Judged<'_>]) -> Self {
        let mut counts = Self::default();
        for of_case in judged.chunk_by(|a, b| a.case.name == b.case.name) {
            let any = |word: &str| of_case.iter().any(|one| one.outcome.word() == word);
            match (any("FAILED"), any("passed")) {
                (true, _) => counts.failed += 1,
                (false, true) => counts.passed += 1,
                (false, false) => counts.skipped += 1,
            }
        }
        counts
    }
}

/// The table of all cases and a last line.
pub(super) fn table(judged: &[Judged<'_>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.add_row(["case", "storm", "batch", "what it checks"]);
    for of_case in judged.chunk_by(|a, b| a.case.name == b.case.name) {
        let word = |framing| {
            let found = of_case.iter().find(|one| one.framing == framing);
            found.map_or("-", |one| one.outcome.word())
        };
        let case = of_case[0].case;
        table.add_row([
            case.name.as_str(),
            word(Framing::Storm),
            word(Framing::Batch),
            case.about.as_str(),
        ]);
    }
    let Counts { passed, failed, skipped } = Counts::of(judged);
    format!("{}\n\n{passed} cases passed, {failed} failed, {skipped} skipped\n", table.trim_fmt())
}

/// The list of cases.
pub(super) fn list(cases: &[&Case], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    for case in cases {
        let level = format!("{:?}", case.level).to_lowercase();
        table.add_row([&case.name, &level, &case.component, &case.about]);
    }
    format!("{}\n", table.trim_fmt())
}

/// A failure, with the step, what was expected, what came, and the wire around it.
pub(super) fn failure(case: &Case, framing: Framing, failure: &Failure, wire: &[String]) -> String {
    let step = match failure.step {
        Some(step) => format!("step {step}"),
        None => "outside of the steps".to_owned(),
    };
    let shown = wire.len().saturating_sub(SHOWN_LINES);
    let left_out = if shown > 0 { format!("    ({shown} lines before)\n") } else { String::new() };
    let wire: String = wire[shown..].iter().map(|line| format!("    {}\n", short(line))).collect();
    format!(
        "\n{} in {framing} framing failed at {step}: {}\n  expected  {}\n  came      {}\n  the wire \
         (> to the child, < from it, ! its standard error)\n{left_out}{wire}  \
         see PROTOCOL.md: {}; requirements {}\n",
        case.name,
        case.about,
        failure.expected,
        failure.came,
        case.sections.join(", "),
        case.requirements.join(", "),
    )
}

/// All that went over the pipes.
pub(super) fn wire(case: &Case, framing: Framing, wire: &[String]) -> String {
    let lines: String = wire.iter().map(|line| format!("{line}\n")).collect();
    format!("{} in {framing} framing\n{lines}", case.name)
}

/// A case as one line of JSON.
pub(super) fn as_json(judged: &Judged<'_>) -> Value {
    let Judged { case, framing, outcome } = judged;
    let mut json = json!({
        "case": case.name, "framing": framing.name(), "level": format!("{:?}", case.level).to_lowercase(),
        "outcome": match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(..) => "failed",
            Outcome::Skipped(_) => "skipped",
        },
        "requirements": case.requirements, "sections": case.sections,
    });
    match outcome {
        Outcome::Passed => {}
        Outcome::Skipped(why) => json["why"] = json!(why),
        Outcome::Failed(failure, wire) => {
            json["step"] = json!(failure.step);
            json["expected"] = json!(failure.expected);
            json["came"] = json!(failure.came);
            json["wire"] = json!(wire);
        }
    }
    json
}
