//! A child that is talked to message by message, for tests of children. It has no session: nothing
//! is answered, counted or judged here.

use crate::component::{ComponentError, Context};

use super::command::how_it_ended;
use super::framing::{Framer, FramingError, MAX_MESSAGE, Piece};
use super::options::CommandOptions;
use super::pipes::Ended;
use super::session::Outbox;
use super::shell::Life;

/// Something that came from the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Everything before a line `end`.
    Frame(String),
    /// A line that belongs to no message.
    Stray(String),
    /// More than a message may have.
    Broken(FramingError),
    /// It is gone, and nothing more will come.
    Ended {
        /// The exit status; `None` where a signal or nothing at all ended it.
        status: Option<i32>,
        /// What happened, to stand behind the command.
        how: String,
    },
}

/// One life of one child. Dropping it kills the child's process group.
#[derive(Debug)]
pub struct Talk {
    life: Life,
    framer: Framer,
    outbox: Outbox,
    broken: bool,
    /// How it ended, while that was not told.
    end: Option<Ended>,
    ended: bool,
}

impl Talk {
    /// Starts a child; the handshake that it has to be sent first.
    ///
    /// # Errors
    /// Where the folders for it cannot be made.
    pub fn start(
        options: &CommandOptions,
        context: &Context,
    ) -> Result<(Self, String), ComponentError> {
        let (life, handshake) = Life::start(options, context)?;
        let settings = options.settings(context);
        let talk = Self {
            life,
            framer: Framer::new(settings.protocol, MAX_MESSAGE),
            outbox: Outbox::new(settings.protocol, settings.numbers),
            broken: false,
            end: None,
            ended: false,
        };
        Ok((talk, String::from_utf8_lossy(&handshake).into_owned()))
    }

    /// Sends one message, as it stands.
    pub fn send(&mut self, message: &str) {
        self.outbox.message(message.as_bytes());
        self.life.send(&mut self.outbox);
    }

    /// Closes the child's input; after a grace come the signals.
    pub fn close(&self) {
        self.life.stop();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.life.terminate();
    }

    /// Ends the child at once.
    pub fn kill(&self) {
        self.life.kill();
    }

    /// What the child said next, where it has said something that was not taken yet.
    pub fn take(&mut self) -> Option<Said> {
        loop {
            if let Some(said) = self.take_whole() {
                return Some(said);
            }
            if let Some(chunk) = self.life.take_output() {
                if !self.broken {
                    self.framer.push(&chunk);
                }
                continue;
            }
            return self.take_end();
        }
    }

    fn take_whole(&mut self) -> Option<Said> {
        if self.broken {
            return None;
        }
        match self.framer.next_piece() {
            Ok(Some(piece)) => Some(said(&piece)),
            Ok(None) => None,
            Err(error) => {
                self.broken = true;
                Some(Said::Broken(error))
            }
        }
    }

    fn take_end(&mut self) -> Option<Said> {
        if self.ended {
            return None;
        }
        if self.end.is_none() {
            self.end = self.life.take_ended();
            self.end.as_ref()?;
            if let Some(piece) = self.framer.finish() {
                return Some(said(&piece));
            }
        }
        self.ended = true;
        Some(match self.end.take()? {
            Ended::NotStarted(error) => {
                Said::Ended { status: None, how: format!("could not be started: {error}") }
            }
            Ended::Exited(status) => {
                Said::Ended { status: status.code(), how: how_it_ended(status) }
            }
        })
    }
}

fn said(piece: &Piece<'_>) -> Said {
    match piece {
        Piece::Frame(text) => Said::Frame(text.to_string()),
        Piece::Stray(text) => Said::Stray(text.to_string()),
    }
}
