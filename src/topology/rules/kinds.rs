//! Rules about what a component runs.

use crate::component::Role;
use crate::topology::check::Checker;
use crate::topology::command::{self, Handler};
use crate::topology::diagnostic::Diagnostic;
use crate::topology::keys;
use crate::topology::source::Spanned;
use crate::topology::spec::{Body, ComponentSpec};
use crate::topology::suggest;

/// All of them.
pub(crate) fn kinds(checker: &mut Checker<'_>) {
    for component in &checker.spec.components {
        one_body(checker, component);
        known_kind(checker, component);
        handler(checker, component);
        for_programs_only(checker, component);
        handlers_speak_json(checker, component);
    }
}

/// Exactly one of `type`, `command`, `python`, `node`.
fn one_body(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let name = &component.name;
    let written = |key: &&str| component.table.written(key).is_some();
    let keys: Vec<&str> =
        ["type", "command", "python", "node"].into_iter().filter(written).collect();
    match component.bodies.as_slice() {
        [] if keys.is_empty() => {
            let message = format!("{} `{}` says nothing to run", component.role, name.value);
            let mut near = None;
            if checker.sources.is_override(name.span) {
                let components = checker.spec.components.iter();
                let others = components.map(|component| component.name.value.as_str());
                near = suggest::nearest(&name.value, others.filter(|other| *other != name.value));
            }
            let diagnostic = Diagnostic::error(name.span, message)
                .maybe_help(near.map(|near| format!("did you mean `{near}`?")))
                .help("add one of `type`, `command`, `python`, `node`");
            checker.report(diagnostic);
        }
        [_, (second, _), ..] => {
            let message = format!("{} `{}` says two things to run", component.role, name.value);
            let first = component.bodies[0].0;
            let help = format!("keep one of {}", suggest::quoted(keys));
            let diagnostic = Diagnostic::error(*second, message).also(first, "the first");
            checker.report(diagnostic.help(help));
        }
        _ => {}
    }
}

fn known_kind(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let Some(Body::Kind(kind)) = component.body() else {
        return;
    };
    let role = component.role;
    if kind.value == command::KIND {
        let message = "a program is not given with `type`";
        let help = "write `command = [\"python3\", \"split.py\"]` instead";
        return checker.report(Diagnostic::error(kind.span, message).help(help));
    }
    if checker.registry.get(role, &kind.value).is_some() {
        return;
    }
    let message = format!("there is no {role} of type \"{}\"", kind.value);
    let other = match role {
        Role::Spout => Role::Bolt,
        Role::Bolt => Role::Spout,
    };
    let help = if checker.registry.get(other, &kind.value).is_some() {
        Some(format!("\"{}\" is a {other}: write it under `[{other}s]`", kind.value))
    } else {
        let kinds = checker.registry.kinds();
        let same = kinds.filter(|kind| kind.role == role && kind.name != command::KIND);
        suggest::help(&kind.value, "type", same.map(|kind| kind.name))
    };
    checker.report(Diagnostic::error(kind.span, message).maybe_help(help));
}

/// `FILE:NAME`, and a command that is not empty.
fn handler(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let (text, extension) = match component.body() {
        Some(Body::Command(words)) => return not_empty(checker, words),
        Some(Body::Python(text)) => (text, "py"),
        Some(Body::Node(text)) => (text, "mjs"),
        _ => return,
    };
    if Handler::parse(&text.value).is_none() {
        let message = "a handler is written FILE:NAME";
        let file = text.value.trim_end_matches(':');
        let help = if file.contains('.') {
            format!("such as \"{file}:{}\"", component.name.value.replace('-', "_"))
        } else {
            format!("such as \"handlers.{extension}:{}\"", component.name.value.replace('-', "_"))
        };
        checker.report(Diagnostic::error(text.span, message).help(help));
    }
}

fn not_empty(checker: &mut Checker<'_>, words: &Spanned<Vec<Spanned<String>>>) {
    if words.value.first().is_none_or(|word| word.value.is_empty()) {
        let message = "the command is empty";
        let help = "write the program and its arguments: `command = [\"python3\", \"split.py\"]`";
        checker.report(Diagnostic::error(words.span, message).help(help));
    }
}

/// The SDKs' handlers know of no other protocol.
fn handlers_speak_json(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let is_handler = matches!(component.body(), Some(Body::Python(_) | Body::Node(_)));
    let Some(protocol) = component.table.text("protocol").filter(|_| is_handler) else {
        return;
    };
    if protocol.value != "json" {
        let message = format!("the SDKs speak JSON, not {}", protocol.value);
        let help = "leave `protocol` out; it is for a `command` with a client of its own";
        checker.report(Diagnostic::error(protocol.span, message).help(help));
    }
}

/// A built-in has no program that `env` or `timeout` could be meant for.
fn for_programs_only(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let Some(Body::Kind(kind)) = component.body() else {
        return;
    };
    for key in keys::FOR_PROGRAMS {
        if let Some(entry) = component.table.written(key) {
            let message = format!("`{key}` is for components that run a program");
            let name = &kind.value;
            let label = format!("`{}` is of type \"{name}\"", component.name.value);
            checker.report(Diagnostic::error(entry.key_span, message).label(label));
        }
    }
}
