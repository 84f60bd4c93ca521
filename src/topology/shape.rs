//! What a key may hold, said once: the check of a file and its JSON Schema are both made from this.
//!
//! It never reads a value for use; `spec` and `settings` do, after the check.

use std::time::Duration;

use crate::base::{ByteSize, UnitError, parse_duration};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Entry, Node, NodeValue, Table};
use super::source::Span;
use super::suggest;

/// A key of the topology file.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// For people, in the schema and in `conf/defaults.toml`.
    pub(crate) doc: &'static str,
    pub(crate) need: Need,
}

/// Whether a key can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// What a key may hold.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any string.
    Text,
    Bool,
    Count {
        least: u64,
        most: u64,
    },
    /// `"30s"`.
    Duration {
        zero: Zero,
    },
    /// `"64KiB"`.
    Size {
        least: u64,
    },
    /// `"200ms..30s"`.
    Backoff,
    /// One of these strings; the second list is known and not available yet.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A table with anything in it.
    Free,
    /// A table with these keys, given in groups.
    Table(&'static [&'static [Key]]),
    /// A table of names that the user chooses.
    Map(&'static Shape),
    List(&'static Shape),
    /// Whichever has the right TOML type.
    Either(&'static [Shape]),
}

/// Whether a duration may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    Allowed,
    Refused,
}

impl Shape {
    /// What it takes, with an article.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Text | Self::Choice(..) => "a string".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Count { .. } => "a whole number".to_owned(),
            Self::Duration { .. } => "a duration such as \"30s\"".to_owned(),
            Self::Size { .. } => "a size such as \"64KiB\"".to_owned(),
            Self::Backoff => "a range of durations such as \"200ms..30s\"".to_owned(),
            Self::Free | Self::Table(_) | Self::Map(_) => "a table".to_owned(),
            Self::List(inner) => match inner {
                Self::Text => "a list of strings".to_owned(),
                _ => "a list".to_owned(),
            },
            Self::Either(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::name).collect();
                names.join(" or ")
            }
        }
    }

    /// Whether the TOML type fits, whatever the value.
    fn fits_type(&self, node: &Node) -> bool {
        match (self, &node.value) {
            (Self::Either(shapes), _) => shapes.iter().any(|shape| shape.fits_type(node)),
            (Self::Bool, NodeValue::Bool(_))
            | (Self::Count { .. }, NodeValue::Integer(_))
            | (Self::Free | Self::Table(_) | Self::Map(_), NodeValue::Table(_))
            | (Self::List(_), NodeValue::List(_))
            | (
                Self::Text
                | Self::Choice(..)
                | Self::Duration { .. }
                | Self::Size { .. }
                | Self::Backoff,
                NodeValue::Text(_),
            ) => true,
            _ => false,
        }
    }
}

/// Reads `"200ms..30s"`.
pub(crate) fn parse_backoff(text: &str) -> Option<(Duration, Duration)> {
    let (least, greatest) = text.split_once("..")?;
    let least = parse_duration(least).ok()?;
    let greatest = parse_duration(greatest).ok()?;
    (least <= greatest).then_some((least, greatest))
}

/// Checks values against shapes; all that is wrong is reported.
pub(crate) struct ShapeCheck<'a> {
    pub(crate) diagnostics: &'a mut Diagnostics,
    /// What to say about a key that a table does not know, when there is more to say than "did you
    /// mean": given the table and the key.
    pub(crate) hint: &'a dyn Fn(&Table, &str) -> Option<String>,
}

impl ShapeCheck<'_> {
    /// Checks a table; `name` is how messages call it, empty for the whole file.
    pub(crate) fn table(&mut self, table: &Table, keys: &[&[Key]], name: &str, at: Span) {
        let all = || keys.iter().copied().flatten();
        for entry in &table.0 {
            match all().find(|key| key.name == entry.key) {
                Some(key) => self.entry(entry, &key.shape, name),
                None => self.unknown(table, entry, all().map(|key| key.name), name),
            }
        }
        let unknown = table.0.iter().map(|entry| entry.key.as_str());
        let unknown: Vec<&str> =
            unknown.filter(|name| all().all(|key| key.name != *name)).collect();
        for key in all().filter(|key| key.need == Need::Required) {
            // A misspelt key has been reported as such.
            let misspelt = || suggest::nearest(key.name, unknown.iter().copied()).is_some();
            if table.entry(key.name).is_none() && !misspelt() {
                let place = if name.is_empty() { String::new() } else { format!(" in {name}") };
                let message = format!("`{}` is missing{place}", key.name);
                self.diagnostics.push(Diagnostic::error(at, message).help(key.doc));
            }
        }
    }

    fn entry(&mut self, entry: &Entry, shape: &Shape, parent: &str) {
        // Headers of components are called by their path, other tables by their key.
        let name = match (shape, parent) {
            (Shape::Table(_), "`[spouts]`" | "`[bolts]`") => {
                format!("{}.{}]`", parent.trim_end_matches("]`"), entry.key)
            }
            (Shape::Table(_) | Shape::Map(_), "") => format!("`[{}]`", entry.key),
            _ => format!("`{}`", entry.key),
        };
        self.value(&entry.node, shape, &name, entry.key_span);
    }

    fn unknown<'k>(
        &mut self,
        table: &Table,
        entry: &Entry,
        known: impl Iterator<Item = &'k str>,
        name: &str,
    ) {
        let place = if name.is_empty() { String::new() } else { format!(" in {name}") };
        let message = format!("unknown key `{}`{place}", entry.key);
        let help =
            (self.hint)(table, &entry.key).or_else(|| suggest::help(&entry.key, "key", known));
        self.diagnostics.push(Diagnostic::error(entry.key_span, message).maybe_help(help));
    }

    /// Checks a value; `at` is where its absence would be reported.
    fn value(&mut self, node: &Node, shape: &Shape, name: &str, at: Span) {
        if let Shape::Either(shapes) = shape
            && let Some(shape) = shapes.iter().find(|shape| shape.fits_type(node))
        {
            return self.value(node, shape, name, at);
        }
        if !shape.fits_type(node) {
            let diagnostic = wrong_type(node, shape, name);
            return self.diagnostics.push(diagnostic);
        }
        match (shape, &node.value) {
            (Shape::Table(keys), NodeValue::Table(table)) => self.table(table, keys, name, at),
            (Shape::Map(inner), NodeValue::Table(table)) => {
                for entry in &table.0 {
                    self.entry(entry, inner, name);
                }
            }
            (Shape::List(inner), NodeValue::List(nodes)) => {
                let each = format!("an entry of {name}");
                for node in nodes {
                    self.value(node, inner, &each, node.span);
                }
            }
            (Shape::Count { least, most }, NodeValue::Integer(number))
                if !u64::try_from(*number)
                    .is_ok_and(|number| (*least..=*most).contains(&number)) =>
            {
                let message = format!("{name} must be between {least} and {most}");
                self.diagnostics.push(Diagnostic::error(node.span, message));
            }
            (_, NodeValue::Text(text)) => {
                if let Some(diagnostic) = wrong_text(text, shape, name, node.span) {
                    self.diagnostics.push(diagnostic);
                }
            }
            _ => {}
        }
    }
}

fn wrong_type(node: &Node, shape: &Shape, name: &str) -> Diagnostic {
    let number = match &node.value {
        NodeValue::Integer(number) => Some(number.to_string()),
        NodeValue::Float(number) => Some(number.to_string()),
        _ => None,
    };
    let bare = name.trim_matches('`');
    if let Some(number) = number {
        let unit = match shape {
            Shape::Duration { .. } => Some("s"),
            Shape::Size { .. } => Some("KiB"),
            _ => None,
        };
        if let Some(unit) = unit {
            let message = format!("{name} needs a unit");
            return Diagnostic::error(node.span, message)
                .help(format!("write `{bare} = \"{number}{unit}\"`"));
        }
    }
    let message = format!("{name} must be {}, not {}", shape.name(), node.type_name());
    let help = match (shape, &node.value) {
        (Shape::List(Shape::Text), NodeValue::Text(text)) => {
            Some(format!("write `{bare} = [\"{text}\"]`"))
        }
        (Shape::Count { .. }, NodeValue::Text(text)) if text.parse::<u64>().is_ok() => {
            Some(format!("write `{bare} = {text}`"))
        }
        (Shape::Bool, NodeValue::Text(text)) if text == "true" || text == "false" => {
            Some(format!("write `{bare} = {text}`"))
        }
        _ => None,
    };
    Diagnostic::error(node.span, message).maybe_help(help)
}

fn wrong_text(text: &str, shape: &Shape, name: &str, span: Span) -> Option<Diagnostic> {
    match shape {
        Shape::Choice(words, later) if later.contains(&text) => {
            let message = format!("{name} \"{text}\" is not available yet");
            let help = format!("choices are {}", suggest::quoted(words.iter().copied()));
            Some(Diagnostic::error(span, message).help(help))
        }
        Shape::Choice(words, _) if !words.contains(&text) => {
            let message = format!("{name} cannot be \"{text}\"");
            let help = suggest::help(text, "choice", words.iter().copied());
            Some(Diagnostic::error(span, message).maybe_help(help))
        }
        Shape::Duration { zero } => match parse_duration(text) {
            Ok(found) if found.is_zero() && *zero == Zero::Refused => {
                Some(Diagnostic::error(span, format!("{name} must be more than zero")))
            }
            Ok(_) => None,
            Err(error) => Some(wrong_unit(&error, name, span)),
        },
        Shape::Size { least } => match text.parse::<ByteSize>() {
            Ok(found) if found.0 < *least => {
                let least = ByteSize(*least);
                Some(Diagnostic::error(span, format!("{name} must be at least {least}")))
            }
            Ok(_) => None,
            Err(error) => Some(wrong_unit(&error, name, span)),
        },
        Shape::Backoff if parse_backoff(text).is_none() => {
            let message = format!("{name} must be a range of durations");
            let help = "from the least to the greatest delay, such as \"200ms..30s\"";
            Some(Diagnostic::error(span, message).help(help))
        }
        _ => None,
    }
}

fn wrong_unit(error: &UnitError, name: &str, span: Span) -> Diagnostic {
    match error {
        UnitError::NoUnit(fix) => Diagnostic::error(span, format!("{name} needs a unit"))
            .help(format!("write `{} = \"{fix}\"`", name.trim_matches('`'))),
        UnitError::Malformed { expected } => {
            Diagnostic::error(span, format!("{name} must be {expected}"))
        }
    }
}
