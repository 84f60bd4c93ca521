//! Processes that a run would leave behind: found by a mark in their environment or by their process
//! group, and ended.
//!
//! The mark is a variable that every process of a run inherits, so that one is found whoever its parent
//! is by now. Process groups find those that were started with another environment. What has left its
//! group and lost the mark as well is not found: nobody can tell it from a stranger.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::now;

/// The variable that carries the mark.
pub const RUN_MARK: &str = "GALEWIRE_RUN";

/// The folder, in that of the run, that names the process groups of its children.
const GROUPS: &str = "groups";
/// Between two looks at the processes of this machine.
const PAUSE: Duration = Duration::from_millis(5);

/// Which processes: all of a run, those that a worker started, or one child and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMark(OsString);

impl RunMark {
    /// The mark of a run, by its private folder.
    pub fn of_run(run_dir: &Path) -> Self {
        Self(run_dir.as_os_str().to_owned())
    }

    /// The mark of what a worker starts, by the worker's process id.
    #[must_use]
    pub fn worker(&self, pid: u32) -> Self {
        self.below(u64::from(pid))
    }

    /// The mark of one life of a child; `life` is not used twice by a worker.
    #[must_use]
    pub fn child(&self, life: u64) -> Self {
        self.below(life)
    }

    /// The variable's value.
    pub fn value(&self) -> &OsString {
        &self.0
    }

    fn below(&self, part: u64) -> Self {
        let mut below = self.0.clone();
        below.push(format!("/{part}"));
        Self(below)
    }

    /// Whether an environment, as the kernel shows it, has this mark or one below it.
    fn is_in(&self, environment: &[u8]) -> bool {
        environment.split(|byte| *byte == 0).any(|variable| {
            let rest = variable
                .strip_prefix(RUN_MARK.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
                .and_then(|value| value.strip_prefix(self.0.as_bytes()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }
}

/// What became of the processes that were looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many were killed.
    pub killed: usize,
    /// How many live in spite of it: they wait in the kernel, or are another user's.
    pub left: usize,
}

/// Kills every process with this mark and waits until they are gone, but no longer than `within`. This
/// process is left out. Blocks.
pub fn end_marked(mark: &RunMark, within: Duration) -> Swept {
    let until = now() + within;
    let mut killed = std::collections::BTreeSet::new();
    let mut quiet = 0;
    loop {
        let found = marked(mark);
        // What was forked behind the back of the first look is seen by the second.
        quiet = if found.is_empty() { quiet + 1 } else { 0 };
        if quiet == 2 || now() >= until {
            return Swept { killed: killed.len(), left: found.len() };
        }
        for pid in found {
            if kill(pid, Signal::SIGKILL).is_ok() {
                killed.insert(pid);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// The living processes with this mark, but for this one.
fn marked(mark: &RunMark) -> Vec<Pid> {
    let own = Pid::this();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(Pid::from_raw)
        .filter(|pid| *pid != own)
        // Other users' processes cannot be read, and a dead one has no environment.
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ"));
            environment.is_ok_and(|environment| mark.is_in(&environment))
        })
        .collect()
}

/// A child's process group, noted in the run's folder for as long as this value lives: whoever survives
/// this process ends the group.
#[derive(Debug)]
pub struct NotedGroup(PathBuf);

impl NotedGroup {
    /// Notes a group that this process has started.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn new(run_dir: &Path, group: u32) -> io::Result<Self> {
        let folder = run_dir.join(GROUPS);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.{group}", std::process::id()));
        fs::write(&path, "")?;
        Ok(Self(path))
    }
}

impl Drop for NotedGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "a group's note was gone already");
        }
    }
}

/// Kills the process groups that dead processes of a run have noted: those of one worker, or of all.
pub fn end_groups(run_dir: &Path, worker: Option<u32>) {
    let entries = fs::read_dir(run_dir.join(GROUPS)).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some((owner, group)) = name.to_str().and_then(parse_note) else {
            continue;
        };
        if worker.is_some_and(|worker| worker != owner) {
            continue;
        }
        let killed = killpg(Pid::from_raw(group), Signal::SIGKILL).is_ok();
        let forgotten = fs::remove_file(entry.path()).is_ok();
        tracing::debug!(owner, group, killed, forgotten, "group of a dead worker's child");
    }
}

/// The owner and the group of a note; group 0 would be our own, 1 the system's.
fn parse_note(name: &str) -> Option<(u32, i32)> {
    let (owner, group) = name.split_once('.')?;
    Some((owner.parse().ok()?, group.parse().ok().filter(|group| *group > 1)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};

    use super::*;

    fn sleeper(mark: Option<&RunMark>) -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").env_clear().env("PATH", "/usr/bin:/bin").process_group(0);
        if let Some(mark) = mark {
            command.env(RUN_MARK, mark.value());
        }
        command.spawn().unwrap()
    }

    /// Long enough for any machine; what is killed is gone in milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_mark_holds_what_is_below_it_and_nothing_beside_it() {
        let run = RunMark::of_run(Path::new("/tmp/galewire-1"));
        let child = run.worker(7).child(3);
        let environment =
            |mark: &RunMark| [b"A=1\0GALEWIRE_RUN=", mark.value().as_bytes(), b"\0B=2\0"].concat();
        for above in [&run, &run.worker(7), &child] {
            assert!(above.is_in(&environment(&child)), "{above:?}");
        }
        assert!(!run.worker(7).is_in(&environment(&run.worker(77))));
        assert!(!run.worker(7).is_in(&environment(&run)));
        assert!(!run.is_in(b"GALEWIRE_RUN=/tmp/galewire-12\0"));
        assert!(!run.is_in(b"MY_GALEWIRE_RUN=/tmp/galewire-1\0"));
    }

    #[test]
    fn the_marked_are_killed_and_others_live() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunMark::of_run(folder.path());
        let mut mine = [sleeper(Some(&run.worker(1))), sleeper(Some(&run.worker(1).child(1)))];
        let mut others = [sleeper(Some(&run.worker(2))), sleeper(None)];
        // Reaped elsewhere: here they would stay as zombies, which are dead enough.
        assert_eq!(end_marked(&run.worker(1), PATIENCE), Swept { killed: 2, left: 0 });
        for child in &mut mine {
            child.wait().unwrap();
        }
        for child in &mut others {
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn noted_groups_are_killed_though_they_have_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        let (mut forgotten, mut noted) = (sleeper(None), sleeper(None));
        drop(NotedGroup::new(folder.path(), forgotten.id()).unwrap());
        let note = NotedGroup::new(folder.path(), noted.id()).unwrap();
        end_groups(folder.path(), Some(std::process::id() + 1));
        assert_eq!(noted.try_wait().unwrap(), None);
        end_groups(folder.path(), None);
        noted.wait().unwrap();
        assert_eq!(forgotten.try_wait().unwrap(), None);
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
        drop(note);
    }

    #[test]
    fn a_note_never_names_the_own_group_or_the_systems() {
        assert_eq!(parse_note("12.345"), Some((12, 345)));
        for wrong in ["12.0", "12.1", "12.-5", "12", "x.5", "12.x"] {
            assert_eq!(parse_note(wrong), None, "{wrong}");
        }
    }
}
