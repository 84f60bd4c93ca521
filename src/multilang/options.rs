//! The options of a component that runs as a command, as the plan carries them.
//!
//! They are complete: whatever the environment has to say is in them, so nothing here reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Context, OptionProblem};

use super::framing::Protocol;
use super::limits::Limits;
use super::session::{Numbers, Settings};

/// The language that a child is written in, where the engine can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript in Node.
    Node,
}

/// When a child is told the tasks that got what it emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskIds {
    /// In answer to each emit that does not decline it.
    #[default]
    OnRequest,
    /// Before it emits, so that a client that waits for the answer has it already.
    Ahead,
}

/// How to run a component as a child process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that users write by its name")]
pub struct CommandOptions {
    /// Program and arguments, passed as they are, without a shell. `{sdk}` stands for the folder of
    /// the SDKs.
    pub command: Vec<String>,
    /// The folder that the child starts in; the topology's by default.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// Environment variables beside the inherited ones. `${PATH}` in a value is the inherited PATH.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The inherited variables that the child gets, by name or by the beginning of it (`LANG*`); all of
    /// them where this is absent. `PATH` and the locale always are.
    #[serde(default)]
    pub env_inherit: Option<Vec<String>>,
    /// What each of the child's processes may take of the machine.
    #[serde(default)]
    pub limits: Limits,
    /// The component's own configuration, handed to the child.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// The child's language; told from the program's name where it is not given.
    #[serde(default)]
    pub language: Option<Language>,
    /// How messages are written.
    #[serde(default)]
    pub protocol: Protocol,
    /// Whether the child may be sent heartbeats (Storm 0.9.3 and later).
    #[serde(default = "yes")]
    pub heartbeat: bool,
    /// Whether a spout is sent `activate` and `deactivate`.
    #[serde(default = "yes")]
    pub activation: bool,
    /// When the child is told the tasks that got what it emitted.
    #[serde(default)]
    pub task_ids: TaskIds,
    /// Tuples given to the child that it has not taken yet.
    #[serde(default = "thousand")]
    pub max_in_flight: u64,
    /// `next` commands that a spout of Storm's protocol is sent without waiting for answers.
    #[serde(default = "one")]
    pub nexts: usize,
    /// How long a bolt may work on one tuple, in milliseconds; within it the tuple does not time out.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// How long the child may take to answer the handshake, in milliseconds.
    #[serde(default = "minute")]
    pub handshake_timeout_ms: u64,
    /// How long the child may be silent while it is expected to answer, in milliseconds.
    #[serde(default = "minute")]
    pub heartbeat_timeout_ms: u64,
    /// How long a stopping child has until it gets SIGTERM, and again until SIGKILL, in milliseconds.
    #[serde(default = "five_seconds")]
    pub stop_grace_ms: u64,
    /// Whether the inherited locale is a UTF-8 one.
    #[serde(default = "yes")]
    pub utf8_locale: bool,
    /// The inherited PATH.
    #[serde(default)]
    pub path: Option<String>,
    /// The inherited PYTHONPATH.
    #[serde(default)]
    pub pythonpath: Option<String>,
    /// The inherited NODE_PATH.
    #[serde(default)]
    pub nodepath: Option<String>,
    /// Whether batch frames are offered.
    #[serde(default = "yes")]
    pub batch: bool,
    /// Whether everything that goes over the child's pipes is logged, at the lowest level.
    #[serde(default)]
    pub trace: bool,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn thousand() -> u64 {
    1000
}

fn minute() -> u64 {
    60_000
}

fn five_seconds() -> u64 {
    5000
}

impl CommandOptions {
    /// What cannot work, whatever the machine.
    pub(super) fn problems(&self) -> Vec<OptionProblem> {
        let mut problems = Vec::new();
        if self.command.first().is_none_or(String::is_empty) {
            let problem = OptionProblem::at("command", "the program is missing");
            problems.push(problem.with_help("write command = [\"python3\", \"split.py\"]"));
        }
        if self.command.iter().any(|part| part.contains('\0')) {
            problems.push(OptionProblem::at("command", "an argument has a NUL character in it"));
        }
        if self.max_in_flight == 0 {
            let problem = OptionProblem::at("max_in_flight", "at least 1 is needed");
            problems.push(problem);
        }
        problems
    }

    /// The child's language, as given or by the program's name.
    pub fn language(&self) -> Option<Language> {
        let program = Path::new(self.command.first()?).file_name()?.to_str()?;
        self.language.or(match program {
            "node" | "nodejs" | "bun" | "deno" => Some(Language::Node),
            _ if program.starts_with("python") || program.starts_with("pypy") => {
                Some(Language::Python)
            }
            _ => None,
        })
    }

    /// Batch frames are packed in JSON alone.
    pub(super) fn offers_batch(&self) -> bool {
        self.batch && self.protocol == Protocol::Json
    }

    /// What the session is told.
    pub(super) fn settings(&self, context: &Context) -> Settings {
        // Python alone reads `NaN` in JSON; everybody reads it in msgpack.
        let lenient = self.language() == Some(Language::Python);
        let lenient = lenient || self.protocol == Protocol::Msgpack;
        let numbers = if lenient { Numbers::AsTheyAre } else { Numbers::Strict };
        Settings {
            protocol: self.protocol,
            offer_batch: self.offers_batch(),
            heartbeat: self.heartbeat,
            activation: self.activation,
            ids_ahead: self.task_ids == TaskIds::Ahead,
            nexts: self.nexts.max(1),
            max_in_flight: self.max_in_flight.max(1),
            tuple_timeout: self.timeout_ms.map(Duration::from_millis),
            handshake_timeout: Duration::from_millis(self.handshake_timeout_ms),
            heartbeat_timeout: Duration::from_millis(self.heartbeat_timeout_ms),
            message_timeout: context.message_timeout,
            tick: context.tick,
            numbers,
        }
    }
}
