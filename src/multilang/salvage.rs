//! Finds the message in a frame that stray text got into. Never gives up a message that is whole.
//!
//! In this order: the whole frame, its last line, the last suffix from a `{"` that is a message.
//! What stands before the message is text that the child printed.

use memchr::memmem;

use crate::tuple::Scanner;

use super::message::{Message, Messages, parse_frame};

/// Bytes that the search for a suffix may look at, as a multiple of the frame's length.
const EFFORT: usize = 16;

/// A frame taken apart.
#[derive(Debug)]
pub(super) struct Salvaged<'a> {
    /// What the child printed before the message; empty in a clean frame.
    pub(super) stray: &'a str,
    /// The messages; none where nothing could be saved.
    pub(super) messages: Messages<'a>,
}

/// Reads a frame.
pub(super) fn salvage(frame: &str) -> Salvaged<'_> {
    if let Ok(found) = message_at(frame, 0) {
        return found;
    }
    let last_line = frame.rfind('\n').map_or(0, |at| at + 1);
    if let Ok(found) = message_at(frame, last_line) {
        return found;
    }
    suffix(frame).unwrap_or_else(|| Salvaged { stray: frame, messages: Messages::new() })
}

/// The messages from `at` on, or how many bytes it took to see that there are none.
fn message_at(frame: &str, at: usize) -> Result<Salvaged<'_>, usize> {
    let messages = parse_frame(&frame[at..]).map_err(|error| error.at)?;
    if matches!(messages.as_slice(), [Message::Foreign { .. }]) {
        return Err(frame.len() - at);
    }
    Ok(Salvaged { stray: frame[..at].trim_end_matches(['\n', '\r']), messages })
}

fn suffix(frame: &str) -> Option<Salvaged<'_>> {
    let mut effort = frame.len() * EFFORT;
    for at in memmem::rfind_iter(frame.as_bytes(), b"{\"") {
        let array = frame.as_bytes()[..at].ends_with(b"[");
        for start in [at].into_iter().chain(array.then(|| at - 1)) {
            match message_at(frame, start) {
                Ok(found) => return Some(found),
                Err(looked_at) => effort = effort.checked_sub(looked_at.max(16))?,
            }
        }
    }
    None
}

/// Whether a frame's first line may be the start of a message, or has one in it.
pub(super) fn is_message_start(line: &[u8]) -> bool {
    if memmem::find(line, b"{\"").is_some() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return false;
    };
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return false;
    }
    let mut scanner = Scanner::new(text);
    // Only text that breaks off may go on in the next line.
    match scanner.skip_value() {
        Ok(_) => scanner.finish().is_ok(),
        Err(error) => error.at >= text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray_and_count(frame: &str) -> (&str, usize) {
        let found = salvage(frame);
        (found.stray, found.messages.len())
    }

    #[test]
    fn c17_clean_frames_are_taken_whole() {
        assert_eq!(stray_and_count("{\"command\":\"sync\"}"), ("", 1));
        assert_eq!(stray_and_count("{\"command\":\n\"sync\"}"), ("", 1));
        assert_eq!(stray_and_count("[{\"done\":1,\"count\":2},{\"command\":\"sync\"}]"), ("", 2));
    }

    #[test]
    fn c17_printed_lines_before_a_message_are_stray() {
        assert_eq!(
            stray_and_count("[1, 2\nx\n{\"command\":\"ack\",\"id\":\"1\"}"),
            ("[1, 2\nx", 1)
        );
        // A suffix is only looked for from `{"` on, so this is the last line's own merit.
        assert_eq!(stray_and_count("[1, 2\n{ \"command\": \"sync\" }"), ("[1, 2", 1));
    }

    #[test]
    fn c17_printed_text_on_the_line_of_a_message_is_stray() {
        assert_eq!(
            stray_and_count("debug {\"k\": 1} {\"command\":\"emit\",\"tuple\":[{\"k\":[1]}]}"),
            ("debug {\"k\": 1} ", 1)
        );
        assert_eq!(stray_and_count("x[{\"done\":1,\"count\":1}]"), ("x", 1));
    }

    #[test]
    fn a_printed_dictionary_is_no_message() {
        assert_eq!(stray_and_count("{\"a\": 1}"), ("{\"a\": 1}", 0));
        assert_eq!(stray_and_count("nothing"), ("nothing", 0));
    }

    #[test]
    fn hostile_frames_end_in_bounded_work() {
        let hostile = "{\"a\":[".repeat(50_000);
        assert_eq!(salvage(&hostile).messages.len(), 0);
    }
}
