//! What goes over a child's pipes, logged frame by frame for people who look for a mistake.
//!
//! It watches and changes nothing.

use crate::component::{Level, Reporter};

use super::framing::{Framer, MAX_MESSAGE, Piece, Protocol};

/// Log lines of level trace that begin with this are traced frames: `> ` and what was sent, or `< `
/// and what the child wrote.
pub const TRACE_PREFIX: &str = "[protocol] ";

/// Watches one life of one child.
#[derive(Debug)]
pub(super) struct Trace {
    reporter: Reporter,
    sent: Way,
    received: Way,
}

impl Trace {
    pub(super) fn new(protocol: Protocol, reporter: Reporter) -> Self {
        let way = |sign| Way { framer: Framer::new(protocol, MAX_MESSAGE), sign };
        Self { reporter, sent: way('>'), received: way('<') }
    }

    /// Bytes were given to the child.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.sent.log(bytes, &self.reporter);
    }

    /// Bytes came from the child.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.received.log(bytes, &self.reporter);
    }
}

#[derive(Debug)]
struct Way {
    framer: Framer,
    sign: char,
}

impl Way {
    fn log(&mut self, bytes: &[u8], reporter: &Reporter) {
        let Self { framer, sign } = self;
        framer.push(bytes);
        // What cannot be framed ends the session, which says so itself.
        while let Ok(Some(Piece::Frame(text) | Piece::Stray(text))) = framer.next_piece() {
            for line in text.lines() {
                reporter.log(Level::Trace, &format!("{TRACE_PREFIX}{sign} {line}"));
            }
        }
    }
}
