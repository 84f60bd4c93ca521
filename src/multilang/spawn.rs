//! Starts a child's program: its pipes, its environment, its limits, and what it dies with.
//!
//! What is done between fork and exec allocates nothing; all of it is prepared before.

use std::io;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use crate::base::{RUN_MARK, RunMark};

use super::command::CommandLine;
use super::limits::Prepared;

/// Starts a command in a process group of its own, with a mark that all it starts inherits.
///
/// # Errors
/// A program that cannot be started.
pub(super) fn spawn(command: &CommandLine, mark: &RunMark) -> io::Result<Child> {
    let (program, arguments) =
        command.argv.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    check_folder(&command.dir)?;
    let mut spawned = Command::new(program);
    spawned.args(arguments).current_dir(&command.dir);
    if let Some(inherited) = command.inherited.variables() {
        spawned.env_clear().envs(inherited);
    }
    spawned
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .env(RUN_MARK, mark.value())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    before_exec(&mut spawned, command.limits.prepare()?);
    spawned.spawn()
}

/// A missing folder would look like a missing program.
fn check_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let message = format!("the folder {} does not exist", dir.display());
    Err(io::Error::new(io::ErrorKind::NotADirectory, message))
}

/// Binds the child to this thread, and sets its limits.
fn before_exec(command: &mut Command, limits: Prepared) {
    let parent = nix::unistd::getpid();
    let in_child = move || {
        die_with(parent)?;
        limits.set()
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec: system calls that allocate nothing and take no locks"
    )]
    // SAFETY: prctl, getppid and setrlimit are async-signal-safe, and the closure owns all it uses.
    unsafe {
        command.pre_exec(in_child);
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: nix::unistd::Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if nix::unistd::getppid() == parent {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: nix::unistd::Pid) -> io::Result<()> {
    Ok(())
}
