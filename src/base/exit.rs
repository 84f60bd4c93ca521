//! The exit codes of the `galewire` command, in one table.

/// What the process says to its caller when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All went well; in a bounded run every message was acked, or put aside as a dead letter.
    Success = 0,
    /// The run failed: a component or worker could not be kept alive, or results may be missing.
    RunFailed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// A topology file has errors; nothing was started.
    BadTopology = 3,
    /// The run ended, but a restarted task had lost what it kept in memory: results may be wrong.
    MemoryLost = 4,
    /// A program that the topology needs (Python, Node, a script) is missing or too old.
    MissingProgram = 5,
    /// A second Ctrl-C ended the run before it had drained.
    Killed = 6,
    /// A bug in Galewire itself.
    Internal = 70,
}

impl ExitCode {
    /// Every code with its meaning, in the order of the numbers; the documentation prints this.
    pub const TABLE: &'static [(Self, &'static str)] = &[
        (
            Self::Success,
            "success; a bounded run is complete: every message was acked, or put aside as a dead letter",
        ),
        (Self::RunFailed, "the run failed: the message says which component and why"),
        (Self::Usage, "the command line was wrong"),
        (Self::BadTopology, "the topology file has errors; nothing was started"),
        (Self::MemoryLost, "complete, but a restarted task lost what it kept in memory"),
        (Self::MissingProgram, "a program that the topology needs is missing or too old"),
        (Self::Killed, "a second Ctrl-C ended the run before it had drained"),
        (Self::Internal, "a bug in Galewire"),
    ];
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
