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
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

use crate::base::{RUN_MARK, RunMark, Swept, end_groups, end_marked, now, start_thread};

use super::process::describe;

/// The name it goes by in lists of processes: what kills `galewire` by name leaves it to do its work.
const NAME: &str = "gw-guard";
/// What the supervisor writes when it has ended the run in order and will remove the folder itself.
const IN_ORDER: &[u8] = b"in order\n";
/// How long processes may take to be gone; what takes longer waits in the kernel.
const SWEEP: Duration = Duration::from_millis(1500);
/// How long the supervisor waits for its guard.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);
/// A guard that ends sooner than this is not started again at once.
const SOON: Duration = Duration::from_secs(1);

/// A run's guard, as the supervisor holds it: started again where it ends before its time. Dropping it
/// ends whatever of the run is left.
#[derive(Debug)]
pub(super) struct Guard {
    post: Arc<Post>,
    /// Hears how the guard ended that was told to do its work.
    relieved: Receiver<ExitStatus>,
    run_dir: PathBuf,
}

/// What the supervisor and the thread that waits for the guard share.
#[derive(Debug)]
struct Post {
    held: Mutex<Held>,
    ending: Condvar,
}

#[derive(Debug)]
struct Held {
    /// The guard now, until it has been reaped.
    pid: Option<Pid>,
    /// What the guard waits for the end of.
    stdin: Option<ChildStdin>,
    /// The run has ended.
    ending: bool,
}

impl Guard {
    /// Starts the guard of a run: this binary once more.
    ///
    /// # Errors
    /// A process or thread that cannot be started.
    pub(super) fn start(executable: &Path, run_dir: &Path) -> io::Result<Self> {
        let mut process = spawn(executable, run_dir)?;
        let held = Held { pid: Some(pid(&process)), stdin: process.stdin.take(), ending: false };
        let post = Arc::new(Post { held: Mutex::new(held), ending: Condvar::new() });
        let (tell, relieved) = channel();
        let (executable, folder) = (executable.to_owned(), run_dir.to_owned());
        let watched = Arc::clone(&post);
        start_thread("guard", move || {
            if let Some(status) = watched.keep_manned(process, &executable, &folder) {
                let _ = tell.send(status); // Nobody hears it where the supervisor has lost patience.
            }
        })?;
        Ok(Self { post, relieved, run_dir: run_dir.to_owned() })
    }

    /// Has the guard do its work, and waits for it.
    fn finish(&self) -> io::Result<()> {
        let stdin = {
            let mut held = self.post.lock();
            held.ending = true;
            self.post.ending.notify_all();
            held.stdin.take()
        };
        let Some(mut stdin) = stdin else {
            return Err(io::Error::other("there is none at the moment"));
        };
        stdin.write_all(IN_ORDER)?;
        drop(stdin);
        match self.relieved.recv_timeout(PATIENCE) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(io::Error::other(status.to_string())),
            Err(_) => {
                if let Some(pid) = self.post.lock().pid {
                    kill(pid, Signal::SIGKILL)?;
                }
                Err(io::Error::from(io::ErrorKind::TimedOut))
            }
        }
    }
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the guard, and starts another as often as one ends while the run lasts. How the last
    /// one ended, or nothing where there was none at the end.
    fn keep_manned(
        &self,
        mut process: Child,
        executable: &Path,
        folder: &Path,
    ) -> Option<ExitStatus> {
        loop {
            let born = now();
            let status = process.wait();
            let mut held = self.lock();
            held.pid = None;
            if held.ending {
                return status.ok();
            }
            held.stdin = None;
            tracing::warn!(how = describe(status), "the run's guard ended; it is started again");
            if now().since(born) < SOON {
                held = self.rest(held);
            }
            process = loop {
                if held.ending {
                    return None;
                }
                match spawn(executable, folder) {
                    Ok(process) => break process,
                    Err(error) => {
                        tracing::warn!(%error, "the run's guard cannot be started");
                        held = self.rest(held);
                    }
                }
            };
            held.pid = Some(pid(&process));
            held.stdin = process.stdin.take();
        }
    }

    /// A second, or less where the run ends.
    fn rest<'a>(&self, held: MutexGuard<'a, Held>) -> MutexGuard<'a, Held> {
        let rested = self.ending.wait_timeout_while(held, SOON, |held| !held.ending);
        rested.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}

fn spawn(executable: &Path, run_dir: &Path) -> io::Result<Child> {
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
    if let Some(stdin) = &mut process.stdin
        && let Err(error) = stdin.write_all(&line)
    {
        drop(process.stdin.take()); // It has no folder yet, and ends.
        process.wait()?;
        return Err(error);
    }
    Ok(process)
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
