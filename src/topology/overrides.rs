//! `--set bolts.split.parallelism=4`: values from the command line, laid over the file.

use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{self, Entry, Node, NodeValue, Table};
use super::source::{Sources, Span};
use super::syntax;

/// What messages call such a source.
pub(crate) const SOURCE_NAME: &str = "--set";

/// What was given with `--set`, in order; each is `KEY=VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(pub Vec<String>);

/// Reads one. The value is TOML, or else the text as it stands is a string.
pub(crate) fn read(
    text: &str,
    sources: &mut Sources,
    dir: &std::path::Path,
    diagnostics: &mut Diagnostics,
) -> Option<Table> {
    let source = sources.add(SOURCE_NAME.to_owned(), text.to_owned(), dir.to_owned());
    if let Some(diagnostic) = syntax::too_deep(text, source) {
        diagnostics.push(diagnostic);
        return None;
    }
    let whole = Span::new(source, 0..text.len());
    let Some((key, value)) = text.split_once('=') else {
        let message = "`--set` takes KEY=VALUE";
        diagnostics.push(Diagnostic::error(whole, message).help("`--set topology.workers=2`"));
        return None;
    };
    // A line break could smuggle other keys in; a value with one is a string.
    if !text.contains('\n')
        && let Ok(table) = DeTable::parse(text)
    {
        return Some(node::from_toml(table.get_ref(), source, diagnostics));
    }
    let path = match DeTable::parse(&format!("{key}=0")) {
        Ok(table) if !key.contains('\n') => node::from_toml(table.get_ref(), source, diagnostics),
        _ => {
            let at = Span::new(source, 0..key.len());
            let message = format!("`{key}` is not a key");
            let help = "write it as `bolts.split.parallelism`";
            diagnostics.push(Diagnostic::error(at, message).help(help));
            return None;
        }
    };
    let value = Node {
        span: Span::new(source, key.len() + 1..text.len()),
        value: NodeValue::Text(value.to_owned()),
    };
    Some(put_at_leaf(path, value))
}

/// The table with its only leaf replaced.
fn put_at_leaf(mut table: Table, value: Node) -> Table {
    if let Some(Entry { node, .. }) = table.0.first_mut() {
        match &mut node.value {
            NodeValue::Table(inner) => *inner = put_at_leaf(std::mem::take(inner), value),
            _ => *node = value,
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> (serde_json::Value, usize) {
        let mut diagnostics = Diagnostics::default();
        let dir = std::path::Path::new("/");
        let table = read(text, &mut Sources::default(), dir, &mut diagnostics);
        (table.map_or(serde_json::Value::Null, |table| table.to_json()), diagnostics.iter().count())
    }

    #[test]
    fn values_are_toml_or_else_strings() {
        use serde_json::json;
        for (text, expected) in [
            ("topology.workers=4", json!({"topology": {"workers": 4}})),
            ("topology.debug=true", json!({"topology": {"debug": true}})),
            ("a.b=30s", json!({"a": {"b": "30s"}})),
            ("a.b=\"30s\"", json!({"a": {"b": "30s"}})),
            ("a=x=y", json!({"a": "x=y"})),
            ("a=", json!({"a": ""})),
            ("bolts.b.inputs=[\"s\"]", json!({"bolts": {"b": {"inputs": ["s"]}}})),
            ("a=1\nb=2", json!({"a": "1\nb=2"})),
        ] {
            assert_eq!(set(text), (expected, 0), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        for text in ["workers", "=4", "a b=4", "a.=4", "[x]\ny=4"] {
            assert_eq!(set(text), (serde_json::Value::Null, 1), "{text}");
        }
    }
}
