//! Rules about `[topology]`, `retry`, and the topology as a whole.

use crate::component::Role;
use crate::topology::check::Checker;
use crate::topology::diagnostic::Diagnostic;
use crate::topology::keys::MOST_WORKERS;
use crate::topology::node::Table;
use crate::topology::settings::relay_address;
use crate::topology::source::Span;

/// More tasks than this are beyond what one machine can be meant for.
const LARGEST_PLAN: u64 = 10_000;

/// All of them.
pub(crate) fn settings(checker: &mut Checker<'_>) {
    has_a_spout(checker);
    workers(checker);
    size(checker);
    link_relay(checker);
    let settings = &checker.spec.settings;
    if let Some(table) = settings.table("retry") {
        retry(checker, table);
    }
    for component in &checker.spec.components {
        match component.table.written("retry") {
            Some(entry) if component.role == Role::Spout => {
                retry(checker, entry.node.as_table().unwrap_or(&Table::default()));
            }
            _ => {}
        }
    }
}

fn has_a_spout(checker: &mut Checker<'_>) {
    let mut components = checker.spec.components.iter();
    if !components.any(|component| component.role == Role::Spout) {
        let help = "tuples come from spouts: add a `[spouts.NAME]`";
        let span = checker.spec.name.span;
        checker.report(Diagnostic::error(span, "the topology has no spout").help(help));
    }
}

/// A worker without tasks is hardly meant.
fn workers(checker: &mut Checker<'_>) {
    let tasks = tasks(checker);
    let Some(entry) = checker.spec.settings.written("workers") else {
        return;
    };
    let workers = checker.spec.settings.number("workers");
    if let Some(workers) =
        workers.filter(|&workers| workers > tasks && tasks > 0 && workers <= MOST_WORKERS)
    {
        let message = format!("there are {workers} workers, but only {tasks} tasks");
        let help = format!("{tasks} will be started; raise `parallelism` to use more");
        checker.report(Diagnostic::warning(entry.node.span, message).help(help));
    }
}

/// Whether there are so many components that looking at each beside each would take too long; the
/// other rules are not asked then. [`settings`] has reported it.
pub(crate) fn too_large(checker: &Checker<'_>) -> bool {
    tasks(checker) > LARGEST_PLAN
}

/// Something on this machine stands between the workers, and there are ports for all of them.
fn link_relay(checker: &mut Checker<'_>) {
    let settings = &checker.spec.settings;
    let Some(text) = settings.text("link_relay") else { return };
    let tcp = settings.text("link").is_some_and(|link| link.value == "tcp");
    let ports = settings.number("workers").unwrap_or(1);
    let address = relay_address(&text.value)
        .filter(|address| u64::from(address.port()) + ports <= u64::from(u16::MAX) + 1);
    let message = match (tcp, address) {
        (true, Some(_)) => return,
        (false, _) => "`link_relay` needs `link = \"tcp\"`".to_owned(),
        (true, None) => {
            format!("\"{}\" is no address of this machine with a port for each worker", text.value)
        }
    };
    let help =
        "an address looks like \"127.0.0.1:7400\": worker 0 there, each further one a port higher";
    checker.report(Diagnostic::error(text.span, message).help(help));
}

fn size(checker: &mut Checker<'_>) {
    let tasks = tasks(checker);
    if tasks > LARGEST_PLAN {
        let message = format!("{tasks} tasks are too many: the most is {LARGEST_PLAN}");
        checker.report(Diagnostic::error(checker.spec.name.span, message));
    }
}

fn tasks(checker: &Checker<'_>) -> u64 {
    let components = checker.spec.components.iter();
    components.map(|component| component.parallelism.value as u64).sum()
}

/// Messages whose retries are spent must go somewhere.
fn retry(checker: &mut Checker<'_>, table: &Table) {
    let max = table.written("max");
    let dead_letter = table.written("dead_letter");
    match (max, dead_letter) {
        (Some(max), None) if table.entry("dead_letter").is_none() => {
            let message = "`max` without `dead_letter` would drop messages";
            let help =
                "add `dead_letter = \"rejects.jsonl\"`: messages whose retries are spent go there";
            checker.report(Diagnostic::error(max.key_span, message).help(help));
        }
        (None, Some(dead_letter)) if table.entry("max").is_none() => {
            let message = "`dead_letter` without `max` is never used";
            let help = "without `max` a message is given out again until it succeeds";
            let span: Span = dead_letter.key_span;
            checker.report(Diagnostic::warning(span, message).help(help));
        }
        _ => {}
    }
}
