//! What bolts and spouts that run as children have in common: one life of one child.
//!
//! It carries bytes between process and session, and explains a death. It decides nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Job;
use crate::component::{ComponentError, Context, TellStacks};

use super::command::{CommandLine, how_it_ended};
use super::options::CommandOptions;
use super::pipes::{Ended, Pipes, Wish};
use super::process::Process;
use super::sdk;
use super::session::{BatchLimits, Outbox, SessionError, handshake};
use super::stacks;
use super::trace::Trace;

/// Everything about a child but its session.
#[derive(Debug)]
pub(super) struct Life {
    component: String,
    command: CommandLine,
    process: Process,
    trace: Option<Trace>,
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
        #[cfg(test)]
        if let Some(process) = super::simulated::start(context) {
            return Ok(Self::scripted(options, context, process));
        }
        let sdk = sdk::unpack(&context.run_dir)
            .map_err(|error| ComponentError::restart(error.to_string()))?;
        let pid_dir = pid_dir(context);
        fs::create_dir_all(&pid_dir).map_err(|error| {
            ComponentError::restart(format!("could not make {}: {error}", pid_dir.display()))
        })?;
        let command = CommandLine::new(options, context, &sdk);
        let offer = options.offers_batch().then_some(BatchLimits::OFFER);
        let handshake = handshake(context, &options.config, offer, &pid_dir);
        let process = Process::start(
            command.clone(),
            Duration::from_millis(options.stop_grace_ms),
            Arc::new(Pipes::new(context.waker.clone())),
            &context.io,
            context.reporter.clone(),
        );
        let trace = options.trace.then(|| Trace::new(options.protocol, context.reporter.clone()));
        let life = Self { component: context.component.clone(), command, process, trace };
        Ok((life, handshake))
    }

    /// A life whose child is a script of the simulator.
    #[cfg(test)]
    fn scripted(options: &CommandOptions, context: &Context, process: Process) -> (Self, Vec<u8>) {
        let offer = options.offers_batch().then_some(BatchLimits::OFFER);
        let handshake = handshake(context, &options.config, offer, &context.run_dir);
        let command = CommandLine::new(options, context, &context.run_dir);
        let component = context.component.clone();
        (Self { component, command, process, trace: None }, handshake)
    }

    /// The oldest chunk of output that was not taken yet.
    pub(super) fn take_output(&mut self) -> Option<Vec<u8>> {
        let chunk = self.process.pipes().take_output()?;
        if let Some(trace) = &mut self.trace {
            trace.received(&chunk);
        }
        Some(chunk)
    }

    /// Whether output waits.
    pub(super) fn has_output(&self) -> bool {
        self.process.pipes().has_output()
    }

    /// Gives the child what waits for it.
    pub(super) fn send(&mut self, outbox: &mut Outbox) {
        if outbox.len() == 0 {
            return;
        }
        let (urgent, data) = (outbox.take_urgent(), outbox.take_data());
        if let Some(trace) = &mut self.trace {
            trace.sent(&urgent);
            trace.sent(&data);
        }
        self.process.pipes().send(urgent, data);
    }

    /// Says whether the child has plenty to do and waits for no answer.
    pub(super) fn set_patient(&self, patient: bool) {
        self.process.pipes().set_patient(patient);
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

    /// Asks the child to leave by SIGTERM, its input still open.
    pub(super) fn terminate(&self) {
        self.process.terminate();
    }

    /// Asks the child's process `pid`, which has said that it can, for its stacks.
    pub(super) fn show_stacks(&self, pid: u32, context: &Context, tell: TellStacks) {
        let file = pid_dir(context).join(format!("{pid}.stacks"));
        let Some(group) = self.process.pipes().pid() else { return };
        context.io.spawn(Job::Owned("child stacks"), async move {
            if let Some(text) = stacks::ask(pid, group, &file).await {
                tell(text);
            }
        });
    }

    /// How the life ended, once it has and all of its output was taken.
    pub(super) fn take_ended(&self) -> Option<Ended> {
        self.process.pipes().take_ended()
    }

    /// Whether somebody ended it with SIGKILL or SIGTERM.
    pub(super) fn was_killed(&self) -> bool {
        self.process.pipes().was_killed()
    }

    /// Why the life is over, once it is and all of its output was taken.
    pub(super) fn ended(&self, last_error: Option<&str>) -> Option<ComponentError> {
        Some(match self.take_ended()? {
            Ended::NotStarted(error) => self.command.not_started(&self.component, &error),
            Ended::Exited(status) => {
                let how = match self.process.pipes().closed() {
                    Some(pipe) => format!("closed its {pipe} and had to be ended"),
                    None => how_it_ended(status),
                };
                let stderr = self.process.pipes().last_stderr().join("\n");
                let words = [stderr.as_str(), last_error.unwrap_or_default()];
                let limit = self.command.limits.explain(status, words);
                let message = format!("{} {how}{}", self.shown(), limit.unwrap_or_default());
                self.explained(ComponentError::restart(message), last_error)
            }
        })
    }

    /// A session's reason to give the child up.
    pub(super) fn given_up(
        &self,
        error: &SessionError,
        last_error: Option<&str>,
    ) -> ComponentError {
        let message = format!("{} {error}", self.shown());
        self.explained(ComponentError::restart(message), last_error)
    }

    /// The command line and the process id.
    fn shown(&self) -> String {
        let pid = self.process.pipes().known_pid();
        let pid = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        format!("{}{pid}", self.command.shown())
    }

    fn explained(&self, error: ComponentError, last_error: Option<&str>) -> ComponentError {
        let stderr = self.process.pipes().last_stderr().join("\n");
        let parts: Vec<&str> = [last_error.unwrap_or_default().trim_end(), stderr.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() { error } else { error.with_detail(parts.join("\n")) }
    }
}

/// Where children put a file named by their process id.
fn pid_dir(context: &Context) -> PathBuf {
    context.run_dir.join("pids")
}
