//! TOML's own errors, with help for the slips that are made most.

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::source::{SourceId, Span};

/// Brackets open at a time. TOML itself is read to a depth of 80.
const DEEPEST: usize = 128;

/// Says so where more brackets are open than a file may have: looking for errors behind them would take
/// the parser more stack than there is. What is inside strings and comments does not count.
pub(crate) fn too_deep(text: &str, source: SourceId) -> Option<Diagnostic> {
    let bytes = text.as_bytes();
    let mut open = Vec::with_capacity(DEEPEST);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'#' => line_end(bytes, at),
            b'"' | b'\'' => string_end(bytes, at),
            b'[' | b'{' => {
                if open.len() == DEEPEST {
                    let message = format!("more than {DEEPEST} brackets are open here");
                    let span = Span::new(source, at..at + 1);
                    return Some(Diagnostic::error(span, message).help("one of them has no end"));
                }
                open.push(if byte == b'[' { b']' } else { b'}' });
                at + 1
            }
            _ => {
                if open.last() == Some(&byte) {
                    open.pop();
                }
                at + 1
            }
        };
    }
    None
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |found| from + found)
}

/// Where a string ends that begins at `from`: a line ends every string but those in three quotes.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let quote = bytes[from];
    let three = [quote; 3];
    if bytes[from..].starts_with(&three) {
        let inside = &bytes[from + 3..];
        let end = memchr::memmem::find(inside, &three);
        return end.map_or(bytes.len(), |end| from + 3 + end + 3);
    }
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' => return at,
            _ if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn is_too_deep(text: &str) -> bool {
        too_deep(text, Span::NOWHERE.source).is_some()
    }

    #[test]
    fn brackets_without_an_end_are_counted_before_the_parser_follows_them() {
        // Two thousand of these once took the stack of `galewire check`.
        assert!(is_too_deep(&"[x]\nconfig = {= \"x\"\n\n".repeat(200)));
        assert!(is_too_deep(&"[".repeat(129)));
        assert!(!is_too_deep(&"[".repeat(128)));
        assert!(is_too_deep(&"{ ]".repeat(129)), "another bracket closes nothing");
    }

    #[test]
    fn brackets_that_end_or_mean_nothing_are_not_counted() {
        for text in ["[a]\n", "a = [{ b = 1 }]\n", "# [\n", "a = '['\n", "a = \"{\\\"[\"\n"] {
            assert!(!is_too_deep(&text.repeat(1000)), "{text}");
        }
        assert!(!is_too_deep(&format!("a = \"\"\"{}\"\"\"\n", "[\n".repeat(1000))));
        assert!(!is_too_deep(&format!("a = \'\'\'{}\'\'\'\n", "{\n".repeat(1000))));
    }
}
