//! Every key of the topology file, once. Parsing, "did you mean" and the JSON Schema come from here;
//! defaults stand in `conf/defaults.toml`.

use super::on_full::OnFull;
use super::shape::{Key, Need, Shape, Zero};

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, need: Need::Required }
}

const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, need: Need::Optional }
}

const SPAN: Shape = Shape::Duration { zero: Zero::Refused };
const IN_FLIGHT: Shape = Shape::Count { least: 1, most: 1_000_000 };
const ENV_INHERIT: &str = "the inherited variables that children get: names, or beginnings such as \"LC_*\"; without it all";
const TEXTS: Shape = Shape::List(&Shape::Text);

/// More worker processes than this are refused.
pub(crate) const MOST_WORKERS: u64 = 64;

/// More than this many tasks would leave some without a key group.
pub(crate) const MOST_TASKS: u64 = 1024;

/// A group of keys.
pub(crate) type KeyTable = &'static [Key];

/// The top of the file.
pub(crate) const FILE: &[Key] = &[
    required("name", Shape::Text, "the topology's name: a-z, 0-9 and `-`, 1 to 63 characters"),
    optional(
        "extends",
        Shape::Text,
        "a file that this one is merged over: tables merge, other values replace",
    ),
    optional("topology", Shape::Table(&[SETTINGS]), "the engine's settings"),
    optional("spouts", Shape::Map(&Shape::Table(&[COMPONENT, SPOUT])), "sources, by name"),
    optional("bolts", Shape::Map(&Shape::Table(&[COMPONENT, BOLT])), "consumers, by name"),
];

/// `[topology]`.
pub(crate) const SETTINGS: &[Key] = &[
    optional("workers", Shape::Count { least: 1, most: MOST_WORKERS }, "worker processes"),
    optional(
        "guarantee",
        Shape::Choice(&["at_most_once", "at_least_once"], &["exactly_once"]),
        "what is promised for tuples that a spout tracks",
    ),
    optional(
        "message_timeout",
        SPAN,
        "how long a tuple tree may take before its message is given out again",
    ),
    optional(
        "max_spout_pending",
        Shape::Count { least: 1, most: 10_000_000 },
        "messages in flight per spout task",
    ),
    optional(
        "mailbox",
        Shape::Size { least: 1024 },
        "bytes that may wait in front of a task, per producing worker",
    ),
    optional(
        "link_window",
        Shape::Size { least: 1024 },
        "bytes under way on a link between two workers",
    ),
    optional(
        "link",
        Shape::Choice(&["ipc", "tcp"], &[]),
        "what carries the links: Unix sockets or TCP on the loopback interface",
    ),
    optional(
        "link_relay",
        Shape::Text,
        "with tcp links: where others connect to, instead of a worker's own port: worker 0 here, each further one a port higher",
    ),
    optional(
        "executor_threads",
        Shape::Count { least: 0, most: 1024 },
        "threads that run tasks, per worker; 0 shares the cores among the workers",
    ),
    optional(
        "drain_timeout",
        SPAN,
        "how long the end of a run may take before the run is given up",
    ),
    optional(
        "state_dir",
        Shape::Text,
        "where positions of acked input are kept between runs; default: $XDG_STATE_HOME or ~/.local/state, then galewire/NAME",
    ),
    optional("debug", Shape::Bool, "log more, and tell children so"),
    optional(
        "python",
        Shape::Text,
        "the Python that `python = …` components run in; default: .venv/bin/python beside the file, or else python3",
    ),
    optional("node", Shape::Text, "the Node.js that `node = …` components run in; default: node"),
    optional(
        "handshake_timeout",
        SPAN,
        "how long a child process may take to answer its first message",
    ),
    optional(
        "child_timeout",
        SPAN,
        "how long a child process may be silent when a heartbeat is due",
    ),
    optional(
        "stop_grace",
        Shape::Duration { zero: Zero::Allowed },
        "how long a child process may take to end by itself when it is stopped",
    ),
    optional(
        "max_in_flight",
        IN_FLIGHT,
        "tuples that a child process was sent and has not taken up yet",
    ),
    optional("env_inherit", TEXTS, ENV_INHERIT),
    optional("limits", Shape::Table(&[LIMITS]), "what each process of a child may take"),
    optional("restart", Shape::Table(&[RESTART]), "how often a component may be started again"),
    optional("worker_restart", Shape::Table(&[RESTART]), "how often a worker may be replaced"),
    optional("stall", Shape::Table(&[STALL]), "when a task that makes no progress is told of"),
    optional("retry", Shape::Table(&[RETRY]), "how often a failed message is given out again"),
];

/// What a process needs to start at all is less.
const LEAST_MEMORY: u64 = 16 << 20;

/// `limits = { … }`.
pub(crate) const LIMITS: &[Key] = &[
    optional(
        "memory",
        Shape::Size { least: LEAST_MEMORY },
        "bytes for data: heap and stacks, whether in use or not; what is only reserved does not count",
    ),
    optional("cpu", SPAN, "processor time, from 1s"),
    optional("files", Shape::Count { least: 16, most: 1_048_576 }, "open files, pipes and sockets"),
];

/// `restart = { … }`.
pub(crate) const RESTART: &[Key] = &[
    optional("max", Shape::Count { least: 0, most: 1_000_000 }, "at most this often"),
    optional("within", SPAN, "within this span"),
    optional("backoff", Shape::Backoff, "least and greatest delay before a restart"),
    optional(
        "then",
        Shape::Choice(&["stop", "pause"], &[]),
        "what the run does after that: fail, or wait until somebody has mended it",
    ),
];

/// `stall = { … }`.
pub(crate) const STALL: &[Key] = &[
    optional(
        "after",
        Shape::Duration { zero: Zero::Allowed },
        "no progress for this long while input waits; \"0s\" is never",
    ),
    optional(
        "then",
        Shape::Choice(&["report", "restart", "stop"], &[]),
        "tell of it alone, start the component again too, or fail the run",
    ),
];

/// `retry = { … }`.
pub(crate) const RETRY: &[Key] = &[
    optional(
        "max",
        Shape::Count { least: 0, most: 1_000_000 },
        "at most this often; needs `dead_letter`; without it there is no limit",
    ),
    optional(
        "backoff",
        Shape::Backoff,
        "least and greatest delay before a message is given out again",
    ),
    optional(
        "dead_letter",
        Shape::Either(&[Shape::Text, Shape::Table(&[DEAD_LETTER])]),
        "where messages go whose retries are spent: a file, or { stream = \"NAME\" } of the spout",
    ),
];

/// `dead_letter = { … }`.
pub(crate) const DEAD_LETTER: &[Key] = &[required(
    "stream",
    Shape::Text,
    "write `stream = \"dead\"`: a stream of the spout, which bolts take as `SPOUT.dead`",
)];

/// What spouts and bolts share.
pub(crate) const COMPONENT: &[Key] = &[
    optional("type", Shape::Text, "a built-in kind: `galewire components` lists them"),
    optional("command", TEXTS, "a command that speaks the multilang protocol"),
    optional("python", Shape::Text, "a Python handler: \"FILE.py:NAME\""),
    optional("node", Shape::Text, "a Node.js handler: \"FILE.mjs:NAME\""),
    optional("config", Shape::Free, "the component's own options"),
    optional("outputs", OUTPUTS, "field names of the default stream, or a table of streams"),
    optional("parallelism", Shape::Count { least: 1, most: MOST_TASKS }, "tasks"),
    optional("restart", Shape::Table(&[RESTART]), "how often it may be started again"),
    optional("dir", Shape::Text, "the command's working directory, relative to this file"),
    optional(
        "env",
        Shape::Map(&Shape::Text),
        "variables set for the command beside the inherited ones",
    ),
    optional("env_inherit", TEXTS, ENV_INHERIT),
    optional("limits", Shape::Table(&[LIMITS]), "what each of the command's processes may take"),
    optional(
        "protocol",
        Shape::Choice(&["json", "msgpack"], &[]),
        "how the command's messages are written",
    ),
    optional("heartbeat", Shape::Bool, "ask the command for signs of life"),
    optional("activation", Shape::Bool, "tell the command when input is wanted and when not"),
    optional(
        "task_ids",
        Shape::Choice(&["on_request", "ahead"], &[]),
        "when the command hears which tasks got an emission: after it asked, or before it emits",
    ),
    optional(
        "max_in_flight",
        IN_FLIGHT,
        "tuples that the command was sent and has not taken up yet",
    ),
];

/// The keys of [`COMPONENT`] and [`BOLT`] that only a component with a program of its own can have.
pub(crate) const FOR_PROGRAMS: &[&str] = &[
    "dir",
    "env",
    "env_inherit",
    "limits",
    "protocol",
    "heartbeat",
    "activation",
    "task_ids",
    "max_in_flight",
    "timeout",
];

/// What only spouts have.
pub(crate) const SPOUT: &[Key] =
    &[optional("retry", Shape::Table(&[RETRY]), "how often a failed message is given out again")];

/// What only bolts have.
pub(crate) const BOLT: &[Key] = &[
    optional(
        "inputs",
        Shape::List(&Shape::Either(&[Shape::Text, Shape::Table(&[INPUT])])),
        "the streams it takes: \"COMPONENT\", \"COMPONENT.STREAM\" or { from, grouping, on_full }",
    ),
    optional("tick", SPAN, "a tick tuple this often"),
    optional("stall", Shape::Table(&[STALL]), "when a task that makes no progress is told of"),
    optional("timeout", SPAN, "how long it may hold a tuple before the tuple fails"),
];

/// `{ from = …, grouping = … }`.
pub(crate) const INPUT: &[Key] = &[
    required("from", Shape::Text, "write `from = \"COMPONENT\"` or `from = \"COMPONENT.STREAM\"`"),
    optional(
        "grouping",
        Shape::Either(&[Shape::Choice(PLAIN_GROUPINGS, &[]), Shape::Table(&[GROUPING])]),
        "which task gets a tuple",
    ),
    optional(
        "on_full",
        Shape::Choice(OnFull::WORDS, &[]),
        "what becomes of a tuple when the task's budget of bytes is spent; default: block",
    ),
];

/// The groupings written as a string.
pub(crate) const PLAIN_GROUPINGS: &[&str] =
    &["shuffle", "local_or_shuffle", "all", "global", "none", "direct"];

/// `grouping = { … }`.
pub(crate) const GROUPING: &[Key] = &[
    optional("fields", TEXTS, "equal values of these fields go to the same task"),
    optional("partial_key", TEXTS, "equal values of these fields go to one of two tasks"),
];

/// `outputs = …`.
const OUTPUTS: Shape =
    Shape::Either(&[TEXTS, Shape::Map(&Shape::Either(&[TEXTS, Shape::Table(&[STREAM])]))]);

/// A stream with everything said.
pub(crate) const STREAM: &[Key] = &[
    required("fields", TEXTS, "write `fields = [\"NAME\", …]`"),
    optional("direct", Shape::Bool, "whether the emitter names the task that gets each tuple"),
];

#[cfg(test)]
mod tests {
    use crate::grouping::GroupingName;

    use super::*;

    #[test]
    fn plain_groupings_are_those_of_the_engine() {
        let names: Vec<_> = GroupingName::PLAIN.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, PLAIN_GROUPINGS);
    }

    #[test]
    fn no_key_is_declared_twice() {
        let tables: &[&[&[Key]]] =
            &[&[FILE], &[SETTINGS], &[COMPONENT, SPOUT], &[COMPONENT, BOLT], &[INPUT]];
        for table in tables {
            let mut names: Vec<_> = table.iter().copied().flatten().map(|key| key.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
