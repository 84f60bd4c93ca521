//! The guard: a small process that outlives the supervisor, and ends what a run leaves behind.
//!
//! It waits for one thing, the end of its standard input, which the supervisor alone holds open. Then it
//! kills every process of the run, and removes the run's folder where the supervisor was killed and can
//! not do that itself. It never does anything while the run lasts.

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, signal};

use crate::base::{RUN_MARK, RunMark, Swept, end_groups, end_marked, now};

/// The name it goes by in lists of processes: what kills `galewire` by name leaves it to do its work.
const NAME: &str = "gw-guard";
/// What the supervisor writes when it has ended the run in order and will remove the folder itself.
const IN_ORDER: &[u8] = b"in order\n";
/// How long processes may take to be gone; what takes longer waits in the kernel.
const SWEEP: Duration = Duration::from_millis(1500);
/// How long the supervisor waits for its guard.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// A run's guard, as the supervisor holds it. Dropping it ends whatever of the run is left.
#[derive(Debug)]
pub(super) struct Guard {
    process: Child,
    run_dir: PathBuf,
}

impl Guard {
    /// Starts the guard of a run: this binary once more.
    ///
    /// # Errors
    /// A process that cannot be started.
    pub(super) fn start(executable: &Path, run_dir: &Path) -> io::Result<Self> {
        let mut process = Command::new(executable)
            .arg0(NAME)
            .arg("guard")
            .current_dir("/")
            .env_remove(RUN_MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C and the kills of a shell go to the run's group.
            .process_group(0)
            .spawn()?;
        let line = [run_dir.as_os_str().as_bytes(), b"\n"].concat();
        if let Some(stdin) = &mut process.stdin {
            stdin.write_all(&line)?;
        }
        Ok(Self { process, run_dir: run_dir.to_owned() })
    }

    /// Has the guard do its work, and waits for it.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(mut stdin) = self.process.stdin.take() {
            stdin.write_all(IN_ORDER)?;
        }
        let until = now() + PATIENCE;
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(io::Error::other(status.to_string())),
                None if now() >= until => {
                    self.process.kill()?;
                    self.process.wait()?;
                    return Err(io::Error::from(io::ErrorKind::TimedOut));
                }
                None => std::thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::debug!(%error, "the guard did not do its work");
            let swept = sweep(&self.run_dir);
            tracing::debug!(?swept, "processes of the run that were left");
        }
    }
}

/// Ends every process of a run.
fn sweep(run_dir: &Path) -> Swept {
    end_groups(run_dir, None);
    end_marked(&RunMark::of_run(run_dir), SWEEP)
}

/// What the guard process does, from start to end.
///
/// # Errors
/// A standard input that cannot be read.
pub fn guard() -> io::Result<()> {
    stay()?;
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let Some(path) = line.strip_suffix(b"\n") else {
        return Ok(()); // The supervisor ended before the run began.
    };
    let run_dir = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
    let mut last = Vec::new();
    // A supervisor that dies closes the pipe; whatever comes of reading then, its run is over.
    let read = input.read_until(b'\n', &mut last);
    sweep(&run_dir);
    if read.is_err() || last != IN_ORDER {
        remove(&run_dir);
    }
    Ok(())
}

/// A process that has just been killed may hold a file open, or have written one more.
fn remove(run_dir: &Path) {
    let until = now() + PATIENCE;
    while fs::remove_dir_all(run_dir).is_err() && run_dir.exists() && now() < until {
        std::thread::sleep(PAUSE);
    }
}

/// Bears a name of its own, and ignores what asks a whole session to end: it ends behind the others.
fn stay() -> io::Result<()> {
    nix::sys::prctl::set_name(c"gw-guard")?;
    for asked in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        #[expect(unsafe_code, reason = "the way to ignore a signal")]
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(asked, SigHandler::SigIgn) }?;
    }
    Ok(())
}
