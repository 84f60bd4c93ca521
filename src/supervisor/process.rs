//! Worker processes: started, waited for, killed.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{getpid, getppid};
use tokio::process::{Child, Command};

use crate::base::{Incarnation, RUN_MARK, RunMark, WorkerSlot};

/// How workers are started.
#[derive(Clone, Debug)]
pub(super) struct WorkerCommand {
    pub(super) executable: PathBuf,
    pub(super) run_dir: PathBuf,
    /// The slot whose worker gets the supervisor's stdin.
    pub(super) stdin: Option<WorkerSlot>,
    pub(super) log: String,
    pub(super) log_as_json: bool,
}

impl WorkerCommand {
    /// Starts a worker. It dies with the thread that calls this, which must be the process's first.
    pub(super) fn spawn(&self, slot: WorkerSlot, incarnation: Incarnation) -> io::Result<Child> {
        let mut command = Command::new(&self.executable);
        command
            .arg("worker")
            .args(["--run-dir".as_ref(), self.run_dir.as_os_str()])
            .args(["--slot", &slot.to_string()])
            .args(["--incarnation", &incarnation.to_string()])
            .args(["--log", &self.log])
            .args(self.log_as_json.then_some("--log-json"))
            .env(RUN_MARK, RunMark::of_run(&self.run_dir).value())
            .stdin(if self.stdin == Some(slot) { Stdio::inherit() } else { Stdio::null() })
            .kill_on_drop(true);
        die_with_parent(&mut command);
        command.spawn()
    }
}

#[expect(unsafe_code, reason = "pre_exec is unsafe; all calls are safe between fork and exec")]
fn die_with_parent(command: &mut Command) {
    let supervisor = getpid();
    let prepare = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != supervisor {
            // It died before the call above could bind this process to it.
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        // Ctrl-C is the supervisor's: it drains, and tells the workers.
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }?;
        Ok(())
    };
    // SAFETY: the closure makes system calls alone and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// How a process ended, for people.
pub(super) fn describe(status: io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Err(error) => format!("its end could not be waited for: {error}"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(number)) => match Signal::try_from(number) {
                Ok(signal) => format!("killed by {signal}"),
                Err(_) => format!("killed by signal {number}"),
            },
            (None, None) => status.to_string(),
        },
    }
}
