//! Typed reads of tables whose shapes have been checked; what had the wrong shape reads as absent.

use std::time::Duration;

use crate::base::{ByteSize, parse_duration};

use super::node::{Entry, Node, NodeValue, Table};
use super::shape::parse_backoff;
use super::source::{Span, Spanned};

impl Table {
    /// The entry, where it stands in a file and not only among the defaults.
    pub(crate) fn written(&self, key: &str) -> Option<&Entry> {
        self.entry(key).filter(|entry| entry.key_span.source != Span::NOWHERE.source)
    }

    pub(crate) fn text(&self, key: &str) -> Option<Spanned<String>> {
        let node = self.get(key)?;
        Some(Spanned::new(node.as_text()?.to_owned(), node.span))
    }

    /// A list of strings; entries of another type are left out.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<Spanned<String>>> {
        self.get(key)?.as_list().map(texts_of)
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            NodeValue::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.value {
            NodeValue::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.get(key)?.as_text()?).ok()
    }

    pub(crate) fn size(&self, key: &str) -> Option<ByteSize> {
        self.get(key)?.as_text()?.parse().ok()
    }

    /// Least and greatest delay.
    pub(crate) fn backoff(&self, key: &str) -> Option<(Duration, Duration)> {
        parse_backoff(self.get(key)?.as_text()?)
    }
}

/// The strings of a list.
pub(crate) fn texts_of(nodes: &[Node]) -> Vec<Spanned<String>> {
    nodes
        .iter()
        .filter_map(|node| Some(Spanned::new(node.as_text()?.to_owned(), node.span)))
        .collect()
}
