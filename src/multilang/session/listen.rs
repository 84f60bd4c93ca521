//! From the bytes of a child's output to what was heard. Pure.

use super::super::framing::{Framer, Piece};
use super::super::message::Message;
use super::super::salvage::salvage;
use super::desk::Desk;
use super::settings::SessionError;

/// Something that a child's output came to.
pub(super) enum Heard<'a> {
    /// A message.
    Message(&'a Message<'a>),
    /// Text that is no message.
    Stray(&'a str),
    /// A frame that no message was found in. Its text comes as stray too.
    Unreadable(&'a str),
}

impl<'a> Heard<'a> {
    /// The message; text goes to the desk.
    pub(super) fn for_session(self, desk: &mut Desk) -> Option<&'a Message<'a>> {
        match self {
            Self::Message(message) => return Some(message),
            Self::Stray(text) => desk.stray(text),
            Self::Unreadable(frame) => desk.unreadable(frame),
        }
        None
    }
}

/// Adds a chunk and calls `hear` with everything that is whole now.
///
/// # Errors
/// What `hear` returns, and output that cannot be read any further.
pub(super) fn listen(
    framer: &mut Framer,
    chunk: &[u8],
    mut hear: impl FnMut(Heard<'_>) -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    framer.push(chunk);
    while let Some(piece) = framer.next_piece()? {
        let frame = match &piece {
            Piece::Stray(line) => {
                hear(Heard::Stray(line))?;
                continue;
            }
            Piece::Frame(frame) => frame,
        };
        let found = salvage(frame);
        if !found.stray.is_empty() {
            hear(Heard::Stray(found.stray))?;
        }
        if found.messages.is_empty() && !found.stray.trim().is_empty() {
            hear(Heard::Unreadable(frame))?;
        }
        for message in &found.messages {
            hear(Heard::Message(message))?;
        }
    }
    Ok(())
}
