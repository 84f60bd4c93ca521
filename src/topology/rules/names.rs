//! Rules about names: of the topology, of components, of fields.

use crate::topology::check::Checker;
use crate::topology::command::Language;
use crate::topology::diagnostic::Diagnostic;
use crate::topology::source::{Span, Spanned};

const LONGEST: usize = 63;

/// All rules about names that need no look at the graph.
pub(crate) fn names(checker: &mut Checker<'_>) {
    topology_name(checker);
    for index in 0..checker.spec.components.len() {
        component_name(checker, index);
        twice(checker, index);
    }
}

/// `[a-z0-9-]`, 1 to 63 characters.
fn topology_name(checker: &mut Checker<'_>) {
    let Spanned { value: name, span } = &checker.spec.name;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(letter) {
        let message = "a topology's name is 1 to 63 characters of a-z, 0-9 and `-`";
        let better: String = name
            .to_lowercase()
            .chars()
            .map(|c| if letter(c) { c } else { '-' })
            .take(LONGEST)
            .collect();
        let help = (!better.is_empty()).then(|| format!("`name = \"{better}\"` would do"));
        checker.report(Diagnostic::error(*span, message).maybe_help(help));
    }
}

/// A name goes into `COMPONENT.STREAM`, file names and metrics.
fn component_name(checker: &mut Checker<'_>, index: usize) {
    let Spanned { value: name, span } = &checker.spec.components[index].name;
    if !is_name(name) {
        let message = format!("`{name}` cannot be the name of a component");
        let help = "names are 1 to 63 letters, digits, `-` and `_`, and do not begin with `__`";
        checker.report(Diagnostic::error(*span, message).help(help));
    }
}

/// Whether it can name a component or a stream. Names with two underscores in front are Storm's own.
pub(crate) fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=LONGEST).contains(&name.len()) && name.chars().all(letter) && !name.starts_with("__")
}

/// A spout and a bolt of the same name could not be told apart.
fn twice(checker: &mut Checker<'_>, index: usize) {
    let components = &checker.spec.components;
    let name = &components[index].name;
    let first = checker.spec.component_named(&name.value);
    if let Some(first) = first.filter(|first| *first < index) {
        let message = format!("there are two components called `{}`", name.value);
        let diagnostic = Diagnostic::error(name.span, message);
        let diagnostic = diagnostic.also(components[first].name.span, "the first");
        checker.report(diagnostic.help("spouts and bolts share their names: rename one"));
    }
}

/// Fields that a Python component gets should be Python names: some clients make attributes of
/// them (pystorm's named tuples), and handlers take them as arguments.
pub(crate) fn python_names(checker: &mut Checker<'_>) {
    for index in 0..checker.spec.components.len() {
        let invocation = checker.invocations[index].as_ref();
        if invocation.is_none_or(|found| found.language != Some(Language::Python)) {
            continue;
        }
        for wire in checker.wires[index].clone().into_iter().flatten() {
            let Some(streams) = &checker.streams[wire.from] else {
                continue;
            };
            let fields = streams[wire.stream].fields.clone();
            let stream = streams[wire.stream].name.clone();
            for field in fields.iter().filter(|field| !is_python_name(field)) {
                let span = field_span(checker, wire.from, &stream, field);
                let consumer = &checker.spec.components[index].name.value;
                let message = format!("field `{field}` is not a Python name");
                let help = format!("`{consumer}` cannot take it as an argument or attribute");
                checker.report(Diagnostic::warning(span, message).help(help));
            }
        }
    }
}

/// Where a field is declared, or else the name of its component.
fn field_span(checker: &Checker<'_>, component: usize, stream: &str, field: &str) -> Span {
    let component = &checker.spec.components[component];
    let outputs = component.outputs.iter().flat_map(|outputs| &outputs.value);
    let written = outputs
        .filter(|written| written.name.value == stream)
        .flat_map(|written| &written.fields)
        .find(|written| written.value == field);
    written.map_or(component.name.span, |written| written.span)
}

fn is_python_name(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
    ];
    let mut letters = name.chars();
    let first = letters.next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_names_are_identifiers_and_no_keywords() {
        for (name, good) in [
            ("word", true),
            ("_x1", true),
            ("größe", true),
            ("user-id", false),
            ("1st", false),
            ("class", false),
            ("", false),
        ] {
            assert_eq!(is_python_name(name), good, "{name}");
        }
    }
}
