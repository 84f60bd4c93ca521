//! Components that run as child processes and speak Storm's multilang protocol.
//!
//! `multilang/PROTOCOL.md` says what goes over the pipes. The conversation is pure
//! ([`session`], framing, messages); one file starts processes. Nothing here routes a tuple, and nothing
//! acks for a child.

mod command;
mod framing;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gather;
mod inherit;
mod inlet;
mod install;
mod kinds;
mod lessons;
mod limits;
mod message;
mod msgpack;
mod options;
mod pipes;
mod process;
mod salvage;
mod sdk;
mod session;
mod shell;
mod shell_bolt;
mod shell_spout;
#[cfg(test)]
pub(crate) mod simulated;
mod spawn;
mod stacks;
mod stderr_lines;
mod talk;
#[cfg(test)]
mod tests;
mod trace;

pub use framing::{FramingError, MAX_MESSAGE, Protocol};
pub use install::{InstallError, install, install_node, install_python, make_venv};
pub use kinds::{CommandBolt, CommandSpout, register};
pub use limits::Limits;
pub use msgpack::MsgpackError;
pub use options::{CommandOptions, Language, TaskIds};
pub use sdk::{SdkError, fingerprint, unpack};
pub use session::{BoltSession, SessionError};
pub use shell_bolt::ShellBolt;
pub use shell_spout::ShellSpout;
pub use talk::{Said, Talk};
#[cfg(test)]
pub(crate) use tests::unquote;
pub use trace::TRACE_PREFIX;
