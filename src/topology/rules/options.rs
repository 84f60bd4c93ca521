//! Rules about a kind's own options: the kind says what is wrong, this says where that was written.

use serde_json::Value;

use crate::component::{
    Declaration, Declaring, InputDecl, Kind, OptionProblem, PathSegment, Subject,
};
use crate::topology::check::Checker;
use crate::topology::diagnostic::Diagnostic;
use crate::topology::node::{Entry, Node, NodeValue};
use crate::topology::source::Span;
use crate::topology::spec::{Body, ComponentSpec};
use crate::topology::suggest;

use super::streams::dead_letters;

/// More problems than this with one component's options are not looked for.
const MOST_PROBLEMS: usize = 50;

/// The component's options.
pub(crate) fn options_of(component: &ComponentSpec) -> Value {
    let config = component.config.as_ref();
    config.map_or_else(|| Value::Object(serde_json::Map::new()), |entry| entry.node.to_json())
}

/// Lets a component's kind declare itself; its inputs must have been connected.
pub(crate) fn declare(checker: &mut Checker<'_>, index: usize) {
    let component = &checker.spec.components[index];
    let Some(Body::Kind(kind)) = component.body() else {
        return;
    };
    let Some(kind) = checker.registry.get(component.role, &kind.value).copied() else {
        return;
    };
    let config_is_table =
        component.config.as_ref().is_none_or(|config| config.node.as_table().is_some());
    if !config_is_table {
        return; // Reported with the shapes.
    }
    let options = options_of(component);
    let inputs = inputs(checker, index);
    let complete = inputs.is_some();
    let declaring = Declaring {
        inputs: inputs.unwrap_or_default(),
        tasks: component.parallelism.value,
        outputs: component.declared_streams(),
    };
    let (problems, declaration) = problems(&kind, options, &declaring, complete);
    for problem in &problems {
        let diagnostic = describe(component, &kind, problem);
        checker.report(diagnostic);
    }
    if let Some(declaration) = declaration.filter(|_| complete) {
        same_as_written(checker, component, &kind, &declaration);
        checker.keeps_memory[index] = declaration.keeps_memory;
        checker.streams[index] = Some(declaration.streams);
        dead_letters(checker, index);
    }
}

/// The inputs; `None` where one is not known because of an error elsewhere.
fn inputs(checker: &Checker<'_>, index: usize) -> Option<Vec<InputDecl>> {
    let component = &checker.spec.components[index];
    let wires = component.inputs().iter().zip(&checker.wires[index]);
    wires
        .map(|(input, wire)| {
            let wire = wire.as_ref()?;
            let stream = checker.streams[wire.from].as_ref()?.get(wire.stream)?;
            let fields = &wire.grouping.fields;
            Some(InputDecl {
                component: input.component.value.clone(),
                stream: stream.name.clone(),
                fields: stream.fields.clone(),
                grouping_fields: (!fields.is_empty()).then(|| fields.clone()),
            })
        })
        .collect()
}

/// Asks the kind again and again, each time without the options it did not like, so that all
/// problems come at once. Without `complete` inputs only the options themselves are looked at.
fn problems(
    kind: &Kind,
    mut options: Value,
    declaring: &Declaring,
    complete: bool,
) -> (Vec<OptionProblem>, Option<Declaration>) {
    let mut all: Vec<OptionProblem> = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    while all.len() < MOST_PROBLEMS {
        let found = if complete {
            kind.declare(&options, declaring)
        } else {
            kind.check_options(&options).map(|()| Declaration::default())
        };
        let problems = match found {
            Ok(declaration) if all.is_empty() => return (all, Some(declaration)),
            Ok(_) => break,
            Err(problems) => problems,
        };
        let before = removed.len();
        for problem in problems {
            if let Some(PathSegment::Key(key)) = problem.path.first()
                && let Some(table) = options.as_object_mut()
                && table.remove(key).is_some()
            {
                removed.push(key.clone());
            }
            let is_known = follows_from(&problem, &removed, &all);
            if !is_known && !all.contains(&problem) {
                all.push(problem);
            }
        }
        if removed.len() == before {
            break;
        }
    }
    (all, None)
}

/// Whether a problem comes of others that were found before: an option that was taken out, or is
/// there under a misspelt name, is not missing.
fn follows_from(problem: &OptionProblem, removed: &[String], all: &[OptionProblem]) -> bool {
    let help = problem.help.as_deref().unwrap_or_default();
    let says = |name: &str| {
        let quoted = format!("`{name}`");
        problem.message.contains(&quoted) || help.contains(&quoted)
    };
    let is_new = |name: &&String| !matches!(problem.path.first(), Some(PathSegment::Key(key)) if key == *name);
    let about_removed = removed.iter().filter(is_new).any(|name| says(name));
    about_removed
        || missing_field(problem).is_some_and(|field| {
            let meant = format!("`{field}`");
            let mut helps = all.iter().filter_map(|other| other.help.as_ref());
            helps.any(|help| help.contains(&meant))
        })
}

/// The name in serde's "missing field `name`".
fn missing_field(problem: &OptionProblem) -> Option<&str> {
    let rest = problem.message.strip_prefix("missing field `")?;
    rest.strip_suffix('`')
}

fn describe(component: &ComponentSpec, kind: &Kind, problem: &OptionProblem) -> Diagnostic {
    let span = place(component, problem);
    if let Some(field) = missing_field(problem) {
        let message = format!("{} \"{}\" needs option `{field}`", kind.role, kind.name);
        let schema = kind.schema();
        let about = schema.pointer(&format!("/properties/{field}/description"));
        let help = about.and_then(Value::as_str).map(|about| {
            let line = about.lines().next().unwrap_or_default();
            format!("`{field}`: {line}")
        });
        return Diagnostic::error(span, message).maybe_help(help);
    }
    if let Some(plain) = plain_words(component, problem, span) {
        return plain;
    }
    Diagnostic::error(span, problem.message.clone()).maybe_help(problem.help.clone())
}

/// Serde's own messages in the words of the file: "unknown variant", "invalid type".
fn plain_words(
    component: &ComponentSpec,
    problem: &OptionProblem,
    span: Span,
) -> Option<Diagnostic> {
    let key = problem.path.iter().rev().find_map(|segment| match segment {
        PathSegment::Key(key) => Some(key.as_str()),
        PathSegment::Index(_) => None,
    })?;
    let node = node_at(component, problem)?;
    let name = match problem.path.last() {
        Some(PathSegment::Index(_)) => format!("an entry of `{key}`"),
        _ => format!("`{key}`"),
    };
    if let Some(rest) = problem.message.strip_prefix("unknown variant `") {
        let mut words = rest.split('`');
        let found = words.next()?;
        let known: Vec<&str> = words.skip(1).step_by(2).collect();
        let help = suggest::help(found, "choice", known);
        let message = format!("{name} cannot be \"{found}\"");
        return Some(Diagnostic::error(span, message).maybe_help(help));
    }
    let rest = problem.message.strip_prefix("invalid type: ")?;
    let (_, expected) = rest.rsplit_once(", expected ")?;
    let expected = match expected {
        "a sequence" => "a list",
        "a map" => "a table",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    let message = format!("{name} must be {expected}, not {}", node.type_name());
    Some(Diagnostic::error(span, message).maybe_help(problem.help.clone()))
}

fn node_at<'c>(component: &'c ComponentSpec, problem: &OptionProblem) -> Option<&'c Node> {
    let mut node = &component.config.as_ref()?.node;
    for segment in &problem.path {
        node = match step(node, segment)? {
            Step::Entry(entry) => &entry.node,
            Step::Item(item) => item,
        };
    }
    Some(node)
}

/// Where the problem was written: the deepest part of its path that is there.
fn place(component: &ComponentSpec, problem: &OptionProblem) -> Span {
    let Some(config) = &component.config else {
        return component.name.span;
    };
    let mut span = config.key_span;
    let mut node = &config.node;
    for segment in &problem.path {
        match step(node, segment) {
            Some(Step::Entry(entry)) => {
                span = match problem.subject {
                    Subject::Key => entry.key_span,
                    Subject::Value => entry.node.span,
                };
                node = &entry.node;
            }
            Some(Step::Item(item)) => {
                span = item.span;
                node = item;
            }
            None => break,
        }
    }
    span
}

enum Step<'a> {
    Entry(&'a Entry),
    Item(&'a Node),
}

fn step<'a>(node: &'a Node, segment: &PathSegment) -> Option<Step<'a>> {
    match (&node.value, segment) {
        (NodeValue::Table(table), PathSegment::Key(key)) => table.entry(key).map(Step::Entry),
        (NodeValue::List(list), PathSegment::Index(index)) => list.get(*index).map(Step::Item),
        _ => None,
    }
}

/// `outputs` of a built-in are known; where they are written all the same they must be right.
fn same_as_written(
    checker: &mut Checker<'_>,
    component: &ComponentSpec,
    kind: &Kind,
    declaration: &Declaration,
) {
    let Some(outputs) = &component.outputs else {
        return;
    };
    let written = component.declared_streams().unwrap_or_default();
    if written == declaration.streams {
        return;
    }
    let streams = declaration.streams.iter().map(|stream| match stream.name.as_str() {
        "default" => format!("[{}]", stream.fields.join(", ")),
        name => format!("{name} [{}]", stream.fields.join(", ")),
    });
    let streams: Vec<String> = streams.collect();
    let emits = if streams.is_empty() { "nothing".to_owned() } else { streams.join(" and ") };
    let message = format!("{} \"{}\" emits {emits} here", kind.role, kind.name);
    let help = "leave `outputs` out: those of a built-in are known";
    checker.report(Diagnostic::error(outputs.span, message).help(help));
}
