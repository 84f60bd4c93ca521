//! Texts that a topology was read from, and places in them.
//!
//! It never reads anything: texts come in.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A text: the file, a file that it extends, or one `--set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A stretch of bytes in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Span {
    /// A place in no source: what the embedded defaults say.
    pub(crate) const NOWHERE: Self = Self { source: SourceId(usize::MAX), start: 0, end: 0 };

    /// The beginning of the topology file.
    pub(crate) const TOP: Self = Self { source: SourceId(0), start: 0, end: 0 };

    pub(crate) fn new(source: SourceId, range: Range<usize>) -> Self {
        Self { source, start: range.start, end: range.end }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> Spanned<T> {
    pub(crate) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// How it is called in messages.
    pub(crate) name: String,
    /// All of it.
    pub(crate) text: String,
    /// Where relative paths in it start; absolute.
    pub(crate) dir: PathBuf,
}

/// Every text that was read, the topology file first.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    pub(crate) fn add(&mut self, name: String, text: String, dir: PathBuf) -> SourceId {
        self.0.push(Source { name, text, dir });
        SourceId(self.0.len() - 1)
    }

    pub(crate) fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0)
    }

    /// The folder that relative paths written at `span` start from: its file's own.
    pub(crate) fn dir_of(&self, span: Span) -> &Path {
        let source = self.get(span.source).or(self.0.first());
        source.map_or(Path::new("."), |source| &source.dir)
    }

    /// The span as a range that is sure to lie in the text, on character borders.
    pub(crate) fn range(&self, span: Span) -> Option<Range<usize>> {
        let text = &self.get(span.source)?.text;
        let floor =
            |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
        let start = floor(span.start).unwrap_or(0);
        let end = floor(span.end).unwrap_or(0).max(start);
        Some(start..end)
    }

    /// The place of `part` in what is written at `span`, or all of it where `part` is not there
    /// letter by letter (it was written with escapes).
    pub(crate) fn part(&self, span: Span, part: &str) -> Span {
        let found = self.range(span).and_then(|range| {
            let text = &self.get(span.source)?.text[range.clone()];
            text.find(part).map(|at| range.start + at)
        });
        match found {
            Some(start) if !part.is_empty() => Span::new(span.source, start..start + part.len()),
            _ => span,
        }
    }

    /// Like [`Sources::part`], for the last such part.
    pub(crate) fn last_part(&self, span: Span, part: &str) -> Span {
        let found = self.range(span).and_then(|range| {
            let text = &self.get(span.source)?.text[range.clone()];
            text.rfind(part).map(|at| range.start + at)
        });
        match found {
            Some(start) if !part.is_empty() => Span::new(span.source, start..start + part.len()),
            _ => span,
        }
    }

    /// Whether the place is a `--set` and not a file.
    pub(crate) fn is_override(&self, span: Span) -> bool {
        self.get(span.source).is_some_and(|source| source.name == super::overrides::SOURCE_NAME)
    }

    /// The name of the topology file.
    pub fn main_name(&self) -> &str {
        self.0.first().map_or("", |source| &source.name)
    }
}
