//! What bolts and spouts that run as children have in common: one life of one child.
//!
//! It carries bytes between process and session, and explains a death. It decides nothing.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::component::{ComponentError, Context};

use super::command::{CommandLine, how_it_ended};
use super::framing::{Framer, MAX_MESSAGE, Piece};
use super::message::Message;
use super::options::CommandOptions;
use super::pipes::{Ended, Pipes, Wish};
use super::process::Process;
use super::salvage::salvage;
use super::sdk;
use super::session::{BatchLimits, Outbox, handshake};

/// Everything about a child but its session.
#[derive(Debug)]
pub(super) struct Life {
    component: String,
    command: CommandLine,
    process: Process,
    framer: Framer,
}

/// Something that a child's output came to.
pub(super) enum Heard<'a> {
    /// Messages of one frame.
    Message(&'a Message<'a>),
    /// Text that is no message.
    Stray(&'a str),
}

impl Life {
    /// Starts a child; the handshake that it has to be sent first.
    ///
    /// # Errors
    /// Where the folders for it cannot be made.
    pub(super) fn start(
        options: &CommandOptions,
        context: &Context,
    ) -> Result<(Self, Vec<u8>), ComponentError> {
        let sdk = sdk::unpack(&context.run_dir)
            .map_err(|error| ComponentError::restart(error.to_string()))?;
        let pid_dir = context.run_dir.join("pids");
        fs::create_dir_all(&pid_dir).map_err(|error| {
            ComponentError::restart(format!("could not make {}: {error}", pid_dir.display()))
        })?;
        let command = CommandLine::new(options, context, &sdk);
        let offer = options.batch.then_some(BatchLimits::OFFER);
        let handshake = handshake(context, &options.config, offer, &pid_dir);
        let process = Process::start(
            command.clone(),
            Duration::from_millis(options.stop_grace_ms),
            Arc::new(Pipes::new(context.waker.clone())),
            &context.io,
            context.reporter.clone(),
        );
        let life = Self {
            component: context.component.clone(),
            command,
            process,
            framer: Framer::new(options.protocol, MAX_MESSAGE),
        };
        Ok((life, handshake))
    }

    /// Hands the session what the child has said since the last time; whether it said anything.
    ///
    /// # Errors
    /// What `hear` returns, and output that cannot be read any further.
    pub(super) fn listen<E>(
        &mut self,
        mut hear: impl FnMut(Heard<'_>) -> Result<(), E>,
    ) -> Result<bool, ComponentError>
    where
        E: std::fmt::Display,
    {
        let mut any = false;
        while let Some(chunk) = self.process.pipes().take_output() {
            any = true;
            self.framer.push(&chunk);
            loop {
                let piece = match self.framer.next_piece() {
                    Ok(Some(piece)) => piece,
                    Ok(None) => break,
                    Err(error) => {
                        let message = format!("{} {error}", self.command.shown());
                        return Err(self.explained(ComponentError::restart(message), None));
                    }
                };
                if let Err(error) = hear_piece(&piece, &mut hear) {
                    let message = format!("{} {error}", self.command.shown());
                    return Err(self.explained(ComponentError::restart(message), None));
                }
            }
        }
        Ok(any)
    }

    /// Gives the child what waits for it.
    pub(super) fn send(&self, outbox: &mut Outbox) {
        if outbox.len() > 0 {
            self.process
                .pipes()
                .send(outbox.take_urgent(), outbox.take_data());
        }
    }

    /// Whether the pipe takes more.
    pub(super) fn has_room(&self) -> bool {
        self.process.pipes().has_room()
    }

    /// Asks the child to stop: its input ends, then come the signals.
    pub(super) fn stop(&self) {
        self.process.pipes().wish(Wish::Stop);
    }

    /// Ends the child at once.
    pub(super) fn kill(&self) {
        self.process.pipes().wish(Wish::Kill);
    }

    /// Why the life is over, once it is and everything it said was heard; `last_words` gets what
    /// it wrote behind its last message.
    pub(super) fn ended(
        &mut self,
        last_error: Option<&str>,
        last_words: impl FnOnce(&str),
    ) -> Option<ComponentError> {
        let ended = self.process.pipes().take_ended()?;
        if let Some(Piece::Stray(text) | Piece::Frame(text)) = self.framer.finish() {
            last_words(&text);
        }
        Some(match ended {
            Ended::NotStarted(error) => self.command.not_started(&self.component, &error),
            Ended::Exited(status) => {
                let message = format!("{} {}", self.command.shown(), how_it_ended(status));
                self.explained(ComponentError::restart(message), last_error)
            }
        })
    }

    /// A session's reason to give the child up.
    pub(super) fn given_up(
        &self,
        error: &impl std::fmt::Display,
        last_error: Option<&str>,
    ) -> ComponentError {
        let message = format!("{} {error}", self.command.shown());
        self.explained(ComponentError::restart(message), last_error)
    }

    fn explained(&self, error: ComponentError, last_error: Option<&str>) -> ComponentError {
        let stderr = self.process.pipes().last_stderr().join("\n");
        let parts: Vec<&str> = [last_error.unwrap_or_default().trim_end(), stderr.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() {
            error
        } else {
            error.with_detail(parts.join("\n"))
        }
    }
}

fn hear_piece<E>(
    piece: &Piece<'_>,
    hear: &mut impl FnMut(Heard<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let frame = match piece {
        Piece::Stray(line) => return hear(Heard::Stray(line)),
        Piece::Frame(frame) => frame,
    };
    let found = salvage(frame);
    if !found.stray.is_empty() {
        hear(Heard::Stray(found.stray))?;
    }
    for message in &found.messages {
        hear(Heard::Message(message))?;
    }
    Ok(())
}
