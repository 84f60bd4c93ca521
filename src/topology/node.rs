//! A TOML document that knows where each of its parts was written, also after merging.
//!
//! It never judges what it holds: shapes and rules do.

use toml::Spanned as TomlSpanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{SourceId, Span};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: NodeValue,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeValue {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date or time, as written.
    Date(String),
    List(Vec<Node>),
    Table(Table),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// Keys in the order they were written in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

impl Table {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Node::as_table)
    }

    /// Lays another table over this one: tables merge, other values replace.
    pub(crate) fn merge(&mut self, over: Self) {
        for entry in over.0 {
            let Some(mine) = self.0.iter_mut().find(|mine| mine.key == entry.key) else {
                self.0.push(entry);
                continue;
            };
            mine.key_span = entry.key_span;
            mine.node.span = entry.node.span;
            match (&mut mine.node.value, entry.node.value) {
                (NodeValue::Table(mine), NodeValue::Table(over)) => mine.merge(over),
                (mine, over) => *mine = over,
            }
        }
    }

    /// The same as a JSON object.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let pairs = self.0.iter();
        pairs
            .map(|entry| (entry.key.clone(), entry.node.to_json()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

impl Node {
    pub(crate) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            NodeValue::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            NodeValue::List(list) => Some(list),
            _ => None,
        }
    }

    /// What it is, with its article: "a string".
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.value {
            NodeValue::Text(_) => "a string",
            NodeValue::Integer(_) => "a whole number",
            NodeValue::Float(_) => "a number with a fraction",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Date(_) => "a date",
            NodeValue::List(_) => "a list",
            NodeValue::Table(_) => "a table",
        }
    }

    /// The same as JSON; dates become strings, and what JSON cannot hold (`nan`, `inf`) null.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            NodeValue::Text(text) | NodeValue::Date(text) => text.clone().into(),
            NodeValue::Integer(number) => (*number).into(),
            NodeValue::Float(number) => (*number).into(),
            NodeValue::Bool(truth) => (*truth).into(),
            NodeValue::List(list) => list.iter().map(Self::to_json).collect(),
            NodeValue::Table(table) => table.to_json(),
        }
    }

    /// Calls `visit` with every string in it, keys left out.
    pub(crate) fn each_text(&mut self, visit: &mut impl FnMut(&mut String, Span)) {
        match &mut self.value {
            NodeValue::Text(text) => visit(text, self.span),
            NodeValue::List(list) => list.iter_mut().for_each(|node| node.each_text(visit)),
            NodeValue::Table(table) => {
                let entries = table.0.iter_mut();
                entries.for_each(|entry| entry.node.each_text(visit));
            }
            _ => {}
        }
    }
}

/// Takes a parsed table over; numbers that no number type holds are errors.
pub(crate) fn from_toml(
    table: &DeTable<'_>,
    source: SourceId,
    diagnostics: &mut Diagnostics,
) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: Span::new(source, key.span()),
            node: value_from_toml(value, source, diagnostics),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span);
    Table(entries)
}

fn value_from_toml(
    value: &TomlSpanned<DeValue<'_>>,
    source: SourceId,
    diagnostics: &mut Diagnostics,
) -> Node {
    let span = Span::new(source, value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => NodeValue::Text(text.to_string()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            NodeValue::Integer(read.unwrap_or_else(|_| {
                let message = "a whole number must fit in 64 bits";
                diagnostics.push(Diagnostic::error(span, message));
                1 // Fits most keys, so that nothing more is said.
            }))
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse::<f64>().ok();
            NodeValue::Float(read.filter(|number| number.is_finite()).unwrap_or_else(|| {
                let message = "a number must be finite";
                diagnostics.push(Diagnostic::error(span, message));
                0.0
            }))
        }
        DeValue::Boolean(truth) => NodeValue::Bool(*truth),
        DeValue::Datetime(date) => NodeValue::Date(date.to_string()),
        DeValue::Array(list) => {
            let nodes = list.iter();
            NodeValue::List(nodes.map(|node| value_from_toml(node, source, diagnostics)).collect())
        }
        DeValue::Table(table) => NodeValue::Table(from_toml(table, source, diagnostics)),
    };
    Node { span, value }
}
