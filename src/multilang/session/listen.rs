//! From the bytes of a child's output to what was heard. Pure.

use super::super::framing::{Framer, Piece};
use super::super::message::Message;
use super::super::salvage::salvage;
use super::settings::SessionError;

/// Something that a child's output came to.
pub(super) enum Heard<'a> {
    /// A message.
    Message(&'a Message<'a>),
    /// Text that is no message.
    Stray(&'a str),
    /// Text that was to be a message, and cannot be read.
    Broken(&'a str),
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
        if found.messages.is_empty() && found.stray.contains("\"command\"") {
            hear(Heard::Broken(found.stray))?;
        } else if !found.stray.is_empty() {
            hear(Heard::Stray(found.stray))?;
        }
        for message in &found.messages {
            hear(Heard::Message(message))?;
        }
    }
    Ok(())
}
