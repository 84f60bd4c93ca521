//! Rules about the streams that components declare.

use crate::component::{Role, StreamDecl};
use crate::topology::check::Checker;
use crate::topology::diagnostic::Diagnostic;
use crate::topology::plan::DeadLetters;
use crate::topology::source::Span;
use crate::topology::spec::{Body, ComponentSpec, StreamSpec};

use super::names::is_name;

/// More streams than this a component does not have, and a stream no more fields.
const MOST: usize = 1024;

/// Checks written `outputs`, and takes those of components with programs over as they are.
pub(crate) fn written_streams(checker: &mut Checker<'_>) {
    for (index, component) in checker.spec.components.iter().enumerate() {
        if let Some(outputs) = &component.outputs
            && !too_many(checker, outputs.value.len(), "streams", outputs.span)
        {
            for stream in &outputs.value {
                stream_name(checker, stream);
                fields(checker, stream);
            }
        }
        spout_has_outputs(checker, component);
        let body_is_known = component.body().is_some();
        let outputs_are_known =
            component.outputs.is_some() == component.table.get("outputs").is_some();
        if body_is_known && outputs_are_known && component.has_program() {
            checker.streams[index] = Some(component.declared_streams().unwrap_or_default());
            dead_letters(checker, index);
        }
    }
}

/// Adds the stream of a spout's dead letters to those that it declares.
pub(crate) fn dead_letters(checker: &mut Checker<'_>, index: usize) {
    let component = &checker.spec.components[index];
    let retry = component.table.table("retry").filter(|_| component.role == Role::Spout);
    let Some(name) = retry.and_then(|retry| retry.table("dead_letter")?.text("stream")) else {
        return;
    };
    if !is_name(&name.value) {
        let message = format!("`{}` cannot be the name of a stream", name.value);
        let help = "names are 1 to 63 letters, digits, `-` and `_`, and do not begin with `__`";
        checker.report(Diagnostic::error(name.span, message).help(help));
    }
    let streams = checker.streams[index].get_or_insert_default();
    if streams.iter().any(|stream| stream.name == name.value) {
        let component = &component.name.value;
        let message =
            format!("`{component}` has a stream `{}` of its own for other tuples", name.value);
        let help = "give the dead letters a stream with another name, such as `dead`";
        checker.report(Diagnostic::error(name.span, message).help(help));
        return;
    }
    let fields = DeadLetters::FIELDS.map(str::to_owned).to_vec();
    streams.push(StreamDecl { name: name.value, fields, direct: false });
}

/// Dead letters that nobody takes would be lost.
pub(crate) fn unheard_dead_letters(checker: &mut Checker<'_>) {
    for (index, component) in checker.spec.components.iter().enumerate() {
        let retry = component.table.table("retry").filter(|_| component.role == Role::Spout);
        let stream = retry.and_then(|retry| retry.table("dead_letter")?.text("stream"));
        let (Some(name), Some(streams)) = (stream, &checker.streams[index]) else {
            continue;
        };
        let place = streams.iter().position(|stream| stream.name == name.value);
        let mut wires = checker.wires.iter().flatten();
        // A misspelt input may well have meant this one.
        let heard = wires
            .any(|wire| wire.as_ref().is_none_or(|w| w.from == index && Some(w.stream) == place));
        if !heard {
            let full = format!("{}.{}", component.name.value, name.value);
            let message = format!("nobody takes the dead letters on `{full}`");
            let help = format!("give a bolt `inputs = [\"{full}\"]`");
            checker.report(Diagnostic::error(name.span, message).help(help));
        }
    }
}

/// Whether there are so many that they are not looked at one by one.
fn too_many(checker: &mut Checker<'_>, count: usize, what: &str, span: Span) -> bool {
    if count > MOST {
        let message = format!("{count} {what} are too many: the most is {MOST}");
        checker.report(Diagnostic::error(span, message));
    }
    count > MOST
}

fn stream_name(checker: &mut Checker<'_>, stream: &StreamSpec) {
    let name = &stream.name;
    if !is_name(&name.value) {
        let message = format!("`{}` cannot be the name of a stream", name.value);
        let help = "names are 1 to 63 letters, digits, `-` and `_`, and do not begin with `__`";
        checker.report(Diagnostic::error(name.span, message).help(help));
    }
}

/// Fields have names, each its own.
fn fields(checker: &mut Checker<'_>, stream: &StreamSpec) {
    if too_many(checker, stream.fields.len(), "fields", stream.name.span) {
        return;
    }
    for (at, field) in stream.fields.iter().enumerate() {
        let earlier = &stream.fields[..at];
        if field.value.is_empty() {
            checker.report(Diagnostic::error(field.span, "a field needs a name"));
        } else if let Some(first) = earlier.iter().find(|first| first.value == field.value) {
            let message =
                format!("stream `{}` has two fields called `{}`", stream.name.value, field.value);
            checker.report(Diagnostic::error(field.span, message).also(first.span, "the first"));
        }
    }
}

/// A spout that emits nothing would do nothing.
fn spout_has_outputs(checker: &mut Checker<'_>, component: &ComponentSpec) {
    let has_program =
        matches!(component.body(), Some(Body::Command(_) | Body::Python(_) | Body::Node(_)));
    if component.role == Role::Spout && has_program && component.table.get("outputs").is_none() {
        let message = format!("spout `{}` declares no outputs", component.name.value);
        let help = format!(
            "add `outputs = [\"FIELD\", …]` to `{}`: the names of the values it emits",
            component.header()
        );
        checker.report(Diagnostic::error(component.name.span, message).help(help));
    }
}
