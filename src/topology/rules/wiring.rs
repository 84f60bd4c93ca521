//! Rules about inputs: what they name must be there, and fit.

use crate::component::StreamDecl;
use crate::grouping::{Grouping, GroupingName};
use crate::topology::check::{Checker, Wire};
use crate::topology::diagnostic::Diagnostic;
use crate::topology::keys::PLAIN_GROUPINGS;
use crate::topology::source::Spanned;
use crate::topology::spec::{GroupingSpec, InputSpec};
use crate::topology::suggest;

/// Looks up the components that inputs name.
pub(crate) fn link(checker: &mut Checker<'_>) {
    for (index, component) in checker.spec.components.iter().enumerate() {
        for (at, input) in component.inputs().iter().enumerate() {
            let found = checker.spec.component_named(&input.component.value);
            checker.links[index].push(found);
            match found {
                None => unknown_component(checker, index, &input.component),
                Some(_) => named_twice(checker, &component.inputs()[..at], input),
            }
        }
    }
}

fn unknown_component(checker: &mut Checker<'_>, index: usize, name: &Spanned<String>) {
    let message = format!("unknown component `{}`", name.value);
    let components = checker.spec.components.iter().enumerate();
    let others = components.filter(|(other, _)| *other != index);
    let names = others.map(|(_, component)| component.name.value.as_str());
    let help = suggest::help(&name.value, "component", names);
    checker.report(Diagnostic::error(name.span, message).maybe_help(help));
}

/// One stream, one grouping.
fn named_twice(checker: &mut Checker<'_>, earlier: &[InputSpec], input: &InputSpec) {
    let same = |first: &&InputSpec| {
        first.component.value == input.component.value && first.stream.value == input.stream.value
    };
    if let Some(first) = earlier.iter().find(same) {
        let message = format!("`{}` is named twice as an input", input.component.value);
        let diagnostic = Diagnostic::error(input.component.span, message);
        checker.report(diagnostic.also(first.component.span, "the first"));
    }
}

/// Looks up streams and groupings of a component's inputs; the producers must have been declared.
pub(crate) fn connect(checker: &mut Checker<'_>, index: usize) {
    let component = &checker.spec.components[index];
    for (at, input) in component.inputs().iter().enumerate() {
        let wire = wire(checker, index, at, input);
        checker.wires[index].push(wire);
    }
}

fn wire(checker: &mut Checker<'_>, index: usize, at: usize, input: &InputSpec) -> Option<Wire> {
    let from = checker.links[index][at]?;
    let grouping = one_grouping(checker, input)?;
    let streams = checker.streams[from].clone()?;
    let stream = streams.iter().position(|stream| stream.name == input.stream.value);
    let Some(stream) = stream else {
        unknown_stream(checker, from, &streams, input);
        return None;
    };
    let decl = &streams[stream];
    let grouping = resolve(checker, decl, input, grouping)?;
    Some(Wire { from, stream, grouping, on_full: input.on_full })
}

fn unknown_stream(
    checker: &mut Checker<'_>,
    from: usize,
    streams: &[StreamDecl],
    input: &InputSpec,
) {
    let producer = &checker.spec.components[from];
    let name = &producer.name.value;
    let wanted = &input.stream;
    let is_default = wanted.value == "default";
    let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
    let message = match (names.as_slice(), is_default) {
        ([], _) => format!("`{name}` emits nothing"),
        (_, true) => format!("`{name}` has no default stream"),
        _ => format!("`{name}` has no stream `{}`", wanted.value),
    };
    let help = match names.as_slice() {
        [] if producer.has_program() => {
            Some(format!("add `outputs = [\"FIELD\", …]` to `{}`", producer.header()))
        }
        [] => None,
        [first, ..] if is_default => Some(format!("name one: \"{name}.{first}\"")),
        _ => suggest::help(&wanted.value, "stream", names),
    };
    checker.report(Diagnostic::error(wanted.span, message).maybe_help(help));
}

/// A table names exactly one grouping.
fn one_grouping<'i>(checker: &mut Checker<'_>, input: &'i InputSpec) -> Option<&'i GroupingSpec> {
    match input.groupings.as_slice() {
        [one] => Some(one),
        [] if !input.grouping_is_empty => None,
        [] => {
            let plain = suggest::quoted(PLAIN_GROUPINGS.iter().copied());
            let message = "the grouping is missing";
            let help = format!("write {{ fields = [\"FIELD\"] }}, or one of the words {plain}");
            checker.report(Diagnostic::error(input.span, message).help(help));
            None
        }
        _ => {
            let message = "an input has one grouping, not two";
            checker.report(Diagnostic::error(input.span, message));
            None
        }
    }
}

fn resolve(
    checker: &mut Checker<'_>,
    stream: &StreamDecl,
    input: &InputSpec,
    grouping: &GroupingSpec,
) -> Option<Grouping> {
    let name = grouping.name.value;
    let span = grouping.name.span;
    let full = format!("`{}.{}`", input.component.value, stream.name);
    if (name == GroupingName::Direct) != stream.direct {
        let (message, help) = if stream.direct {
            (
                format!("stream {full} is direct: its emitter names the task"),
                "subscribe with `grouping = \"direct\"`",
            )
        } else {
            (
                format!("direct grouping needs a direct stream, and {full} is none"),
                "declare the stream as { fields = […], direct = true }",
            )
        };
        checker.report(Diagnostic::error(span, message).help(help));
        return None;
    }
    if !matches!(name, GroupingName::Fields | GroupingName::PartialKey) {
        return Some(Grouping::plain(name));
    }
    if grouping.fields.is_empty() {
        let message = format!("a grouping by {} needs a field", name.as_str());
        let help = "to send every tuple to one task, write `grouping = \"global\"`";
        checker.report(Diagnostic::error(span, message).help(help));
        return None;
    }
    let mut indexes = Vec::new();
    for field in &grouping.fields {
        match stream.fields.iter().position(|name| *name == field.value) {
            Some(index) if indexes.contains(&index) => {
                let message = format!("field `{}` is named twice", field.value);
                checker.report(Diagnostic::error(field.span, message));
            }
            Some(index) => indexes.push(index),
            None => {
                let message = format!("stream {full} has no field `{}`", field.value);
                let fields = stream.fields.iter().map(String::as_str);
                let help = suggest::help(&field.value, "field", fields);
                checker.report(Diagnostic::error(field.span, message).maybe_help(help));
            }
        }
    }
    let all = indexes.len() == grouping.fields.len();
    let fields = grouping.fields.iter().map(|field| field.value.clone());
    all.then(|| Grouping::over(name, fields.collect(), indexes))
}
