//! TOML's own errors, with help for the slips that are made most.

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::source::{SourceId, Span};

/// A syntax error with what can be said beside it.
pub(crate) fn describe(
    message: &str,
    text: &str,
    range: Range<usize>,
    source: SourceId,
) -> Diagnostic {
    let at = text.get(range.start..).unwrap_or_default();
    let word = word(at);
    let span = |len: usize| Span::new(source, range.start..range.end.max(range.start + len));
    if message.contains("duplicate key") {
        let name = text.get(range.clone()).unwrap_or_default();
        return Diagnostic::error(span(0), format!("`{}` is given twice", name.trim()))
            .help("keep one, or give the other another name");
    }
    let is_bare_word = word.starts_with(|c: char| c.is_alphabetic());
    if is_bare_word && (message.contains("boolean") || message.contains("must be quoted")) {
        let message = format!("`{word}` is no value");
        return Diagnostic::error(span(word.len()), message)
            .help(format!("a string is written in quotes: \"{word}\""));
    }
    let help = if message.contains("basic string") {
        Some("a string ends with `\"` on the line it began on")
    } else if message.contains("unclosed table") {
        Some("a header ends with `]`")
    } else {
        None
    };
    Diagnostic::error(span(0), message).maybe_help(help.map(str::to_owned))
}

/// The letters that a bare word would be made of.
fn word(text: &str) -> &str {
    let letter = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    &text[..text.find(|c| !letter(c)).unwrap_or(text.len())]
}

/// Where a key stands in a header, the bytes up to the next header; or else just the key's.
pub(crate) fn repeated_table(text: &str, at: usize) -> Range<usize> {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    if !text[line..].trim_start().starts_with('[') {
        return at..at;
    }
    let next = text[at..].find("\n[");
    at..next.map_or(text.len(), |next| at + next)
}
