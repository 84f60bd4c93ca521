//! Rules about `limits` and `env_inherit`, of components and of `[topology]`.

use std::time::Duration;

use crate::topology::check::Checker;
use crate::topology::diagnostic::Diagnostic;
use crate::topology::node::Table;
use crate::topology::source::Spanned;

/// All of them.
pub(crate) fn bounds(checker: &mut Checker<'_>) {
    let spec = checker.spec;
    let tables = spec.components.iter().map(|component| &component.table);
    let inherited = [&spec.settings];
    for table in inherited.into_iter().chain(tables) {
        cpu(checker, table);
        names(checker, table);
    }
}

/// The kernel counts whole seconds.
fn cpu(checker: &mut Checker<'_>, table: &Table) {
    let Some(limits) = table.written("limits").and_then(|entry| entry.node.as_table()) else {
        return;
    };
    let (Some(entry), Some(span)) = (limits.entry("cpu"), limits.duration("cpu")) else {
        return;
    };
    if !span.is_zero() && (span < Duration::from_secs(1) || span.subsec_nanos() != 0) {
        let message = "a cpu limit is in whole seconds, from 1s";
        checker.report(Diagnostic::error(entry.node.span, message));
    }
}

/// Names, or their beginnings with a `*`.
fn names(checker: &mut Checker<'_>, table: &Table) {
    if table.written("env_inherit").is_none() {
        return;
    }
    for name in table.texts("env_inherit").unwrap_or_default() {
        if let Some(diagnostic) = wrong_name(&name) {
            checker.report(diagnostic);
        }
    }
}

fn wrong_name(name: &Spanned<String>) -> Option<Diagnostic> {
    let text = &name.value;
    if let Some((variable, _)) = text.split_once('=') {
        let message = format!("`{text}` is no name of a variable");
        let help = format!("`env_inherit` lists names: \"{variable}\"; values are set with `env`");
        return Some(Diagnostic::error(name.span, message).help(help));
    }
    let beginning = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() || beginning.contains(['*', '\0', '$', ' ']) {
        let message = format!("`{text}` is no name of a variable");
        let help = "write a name, or its beginning and a `*`, such as \"AWS_*\"";
        return Some(Diagnostic::error(name.span, message).help(help));
    }
    None
}
