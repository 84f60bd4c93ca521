//! Starts child processes, moves bytes between their pipes and [`Pipes`], and ends them for good.
//!
//! The only file of this module that touches processes. It never looks into the bytes.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};

use crate::base::{Job, NotedGroup, RunMark, Spawner, Timestamp, end_marked, now, show_duration};
use crate::component::{Level, Reporter};

use super::command::CommandLine;
use super::gather::{self, Gather};
use super::inlet::Step;
use super::pipes::{Ended, Pipes, Wish};
use super::spawn::spawn;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How often the component's loop is rung, so that it can look at its time-outs.
const PULSE: Duration = Duration::from_millis(250);
/// How long the pipes of a dead child may stay open in the hands of its own children.
const LEFTOVERS: Duration = Duration::from_millis(500);
/// How long the processes of a dead child that have left its group may take to be gone.
const STRAYS: Duration = Duration::from_millis(500);
/// More than this a pipe never holds: what comes behind it, a dead child has not written.
const LARGEST_PIPE: u64 = 1 << 20;
/// How often it is looked whether a large message has room in the pipe …
const ROOM_PAUSE: Duration = Duration::from_millis(1);
/// … and how many times.
const MAX_WAITS: u32 = 1000;
/// A longer line of stderr is cut into lines of this length.
const MAX_STDERR_LINE: usize = 16 << 10;

/// A running child, or one that is being started. Dropping it kills the whole process group.
#[derive(Debug)]
pub(super) struct Process {
    pipes: Arc<Pipes>,
}

impl Process {
    /// Starts a command. Failure to do so is the end of its life, told by the pipes.
    pub(super) fn start(
        command: CommandLine,
        grace: Duration,
        pipes: Arc<Pipes>,
        io: &Spawner,
        reporter: Reporter,
    ) -> Self {
        let job = run(command, grace, pipes.clone(), io.clone(), reporter);
        io.spawn(Job::Owned("child process"), job);
        Self { pipes }
    }

    /// A process of the simulator: somebody else moves the bytes.
    #[cfg(test)]
    pub(super) fn scripted(pipes: Arc<Pipes>) -> Self {
        Self { pipes }
    }

    /// The pipes.
    pub(super) fn pipes(&self) -> &Pipes {
        &self.pipes
    }

    /// Sends SIGTERM to the group, where the child has not been reaped.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.pipes.pid() {
            signal_group(pid, Signal::SIGTERM);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pipes.orphan();
        // The I/O thread kills it too, but that may be gone already.
        if let Some(pid) = self.pipes.pid() {
            signal_group(pid, Signal::SIGKILL);
        }
    }
}

/// One life, from start to end. Runs on an I/O thread, which lives as long as this process: the
/// parent-death signal is bound to the thread that starts the child.
async fn run(
    command: CommandLine,
    grace: Duration,
    pipes: Arc<Pipes>,
    io: Spawner,
    reporter: Reporter,
) {
    let mark = RunMark::of_run(&command.run_dir).worker(std::process::id()).child(next_life());
    let mut child = match spawn(&command, &mark) {
        Ok(child) => child,
        Err(error) => {
            pipes.end_output();
            pipes.end(Ended::NotStarted(error));
            return;
        }
    };
    let group = Group(child.id().unwrap_or_default());
    pipes.set_pid(Some(group.0));
    let noted = NotedGroup::new(&command.run_dir, group.0);
    if let Err(error) = &noted {
        tracing::debug!(%error, "a child's group is not noted");
    }
    let reader = child
        .stdout
        .take()
        .map(|stdout| io.spawn(Job::Owned("child stdout"), read_output(stdout, pipes.clone())));
    let told = reporter.clone();
    let mut stderr = child.stderr.take().map(|stderr| {
        let job = read_stderr(stderr, group.0, pipes.clone(), reporter);
        io.spawn(Job::Owned("child stderr"), job)
    });
    let writer = child.stdin.take().map(|stdin| {
        match stdin.as_fd().try_clone_to_owned() {
            Ok(same) => pipes.lend_stdin(same),
            Err(error) => tracing::debug!(%error, "a child's input is written by its job alone"),
        }
        io.spawn(Job::Owned("child stdin"), write_input(stdin, pipes.clone()))
    });
    let status = wait(&mut child, &group, grace, &pipes, &told).await;
    pipes.set_pid(None);
    pipes.break_input();
    clear_leftovers(&group, &pipes).await;
    if let Some(stderr) = &mut stderr {
        // Its last words explain its death. Who holds the pipe open now has left the group.
        let read = timeout(LEFTOVERS, stderr).await.is_ok();
        tracing::trace!(read, "the rest of stderr");
    }
    std::mem::forget(group); // All of it is dead and reaped, or has left the group.
    drop(noted);
    end_strays(mark, &io, &told).await;
    let jobs = [reader, stderr, writer];
    for job in jobs.iter().flatten() {
        job.abort();
    }
    match status {
        Ok(status) => pipes.end(Ended::Exited(status)),
        Err(error) => pipes.end(Ended::NotStarted(error)),
    }
}

/// Tells the lives of this process's children apart.
fn next_life() -> u64 {
    static LIVES: AtomicU64 = AtomicU64::new(1);
    LIVES.fetch_add(1, Ordering::Relaxed)
}

/// Ends what a dead child has started in groups of their own: daemons.
async fn end_strays(mark: RunMark, io: &Spawner, reporter: &Reporter) {
    match io.spawn_blocking(move || end_marked(&mark, STRAYS)).await {
        Ok(swept) if swept.killed > 0 => {
            let text = format!("{} of its processes outlived it and were killed", swept.killed);
            reporter.log(Level::Debug, &text);
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "a dead child's processes were not ended"),
    }
}

/// A process group, killed when dropped.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        signal_group(self.0, Signal::SIGKILL);
    }
}

fn signal_group(leader: u32, signal: Signal) {
    let Ok(leader @ 2..) = i32::try_from(leader) else {
        return; // Group 0 would be our own, 1 the system's.
    };
    if let Err(error) = killpg(Pid::from_raw(leader), signal) {
        tracing::trace!(leader, %signal, %error, "process group is gone already");
    }
}

/// Waits for the child's exit, and helps it along as far as somebody wishes.
async fn wait(
    child: &mut Child,
    group: &Group,
    grace: Duration,
    pipes: &Pipes,
    reporter: &Reporter,
) -> io::Result<std::process::ExitStatus> {
    let mut wishes = pipes.wishes();
    let mut pulse = interval(PULSE);
    let mut ladder = Ladder::default();
    loop {
        let wish = *wishes.borrow_and_update();
        let (sent, due) = ladder.step(wish, grace, group);
        if let Some(signal) = sent {
            pipes.note_signalled();
            let (pid, grace) = (group.0, show_duration(grace));
            let text = format!("process {pid} did not end within {grace} and was sent {signal}");
            reporter.log(Level::Warn, &text);
        }
        tokio::select! {
            status = child.wait() => return status,
            () = wished(&mut wishes) => {}
            () = sleep(due.unwrap_or_default().since(now())), if due.is_some() => {}
            _ = pulse.tick() => pipes.ring(),
        }
    }
}

async fn wished(wishes: &mut watch::Receiver<Wish>) {
    if wishes.changed().await.is_err() {
        std::future::pending::<()>().await; // The sender lives in the pipes, which outlive this.
    }
}

/// SIGTERM a grace after the wish to stop, SIGKILL another grace later.
#[derive(Debug, Default)]
struct Ladder {
    stop_since: Option<Timestamp>,
    terminated: bool,
    killed: bool,
}

impl Ladder {
    /// Sends what is due: the signal where the child has had its time, and when the next one is due.
    fn step(
        &mut self,
        wish: Wish,
        grace: Duration,
        group: &Group,
    ) -> (Option<Signal>, Option<Timestamp>) {
        let now = now();
        if wish >= Wish::Stop {
            self.stop_since.get_or_insert(now);
        }
        let Some(since) = self.stop_since else {
            return (None, None);
        };
        let mut sent = None;
        if !self.killed && (wish == Wish::Kill || now >= since + grace * 2) {
            self.killed = true;
            signal_group(group.0, Signal::SIGKILL);
            sent = Some(Signal::SIGKILL).filter(|_| wish != Wish::Kill);
        } else if !self.killed && !self.terminated && now >= since + grace {
            self.terminated = true;
            signal_group(group.0, Signal::SIGTERM);
            sent = Some(Signal::SIGTERM);
        }
        let due = match (self.killed, self.terminated) {
            (true, _) => None,
            (false, true) => Some(since + grace * 2),
            (false, false) => Some(since + grace),
        };
        (sent, due)
    }
}

/// Sees to it that the output ends although grandchildren may hold the pipe.
async fn clear_leftovers(group: &Group, pipes: &Pipes) {
    if timeout(LEFTOVERS, pipes.output_ended()).await.is_ok() {
        signal_group(group.0, Signal::SIGKILL);
        return;
    }
    signal_group(group.0, Signal::SIGKILL);
    let at_death = pipes.output_read();
    loop {
        let before = pipes.output_read();
        let ended = timeout(LEFTOVERS, pipes.output_ended()).await.is_ok();
        let (now, waits) = (pipes.output_read(), pipes.reader_waits_for_space());
        if ended || is_read_up(at_death, before, now, waits) {
            break;
        }
    }
    pipes.end_output();
}

/// Whether all that a dead child wrote was read, although the pipe is still open: what is in it is
/// read to its end, however slow the component is.
fn is_read_up(at_death: u64, before: u64, now: u64, waits_for_space: bool) -> bool {
    now - at_death > LARGEST_PIPE || now == before && !waits_for_space
}

async fn read_output(mut stdout: impl AsyncRead + Unpin, pipes: Arc<Pipes>) {
    let mut buffer = vec![0; CHUNK];
    let mut gather = Gather::new(now());
    loop {
        pipes.output_space().await;
        match stdout.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => {
                pipes.put_output(&buffer[..count]);
                if gather.read(count, now()) && pipes.is_patient() {
                    sleep(gather::PAUSE).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not read a child's output");
                break;
            }
        }
    }
    pipes.end_output();
    // A child that has closed its output can say nothing any more.
    pipes.close("standard output");
}

async fn write_input(mut stdin: ChildStdin, pipes: Arc<Pipes>) {
    while let Some(bytes) = pipes.next_input().await {
        if let Err(error) = write_whole(&mut stdin, &bytes, &pipes).await {
            tracing::debug!(%error, "a child has closed its input");
            pipes.break_input();
            pipes.close("standard input");
            return;
        }
    }
}

/// Writes all bytes, each message in one piece where the pipe can hold it.
async fn write_whole(stdin: &mut ChildStdin, bytes: &[u8], pipes: &Pipes) -> io::Result<()> {
    let mut rest = bytes;
    let mut waits = 0;
    while !rest.is_empty() {
        let count = match pipes.next_write(rest) {
            Step::Write(count) => count,
            // Who reads nothing for so long may have closed the pipe: only a write tells.
            Step::Wait if waits == MAX_WAITS => rest.len(),
            Step::Wait => {
                waits += 1;
                sleep(ROOM_PAUSE).await;
                continue;
            }
        };
        let written = stdin.write(&rest[..count]).await?;
        pipes.written(written);
        rest = &rest[written..];
        waits = 0;
    }
    Ok(())
}

async fn read_stderr(
    mut stderr: impl AsyncRead + Unpin,
    pid: u32,
    pipes: Arc<Pipes>,
    reporter: Reporter,
) {
    let mut buffer = vec![0; CHUNK];
    let mut rest: Vec<u8> = Vec::new();
    let say = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if !line.is_empty() {
            reporter.log(Level::Info, &format!("[stderr {pid}] {line}"));
            pipes.put_stderr(line);
        }
    };
    loop {
        let count = match stderr.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "could not read a child's stderr");
                break;
            }
        };
        rest.extend_from_slice(&buffer[..count]);
        let mut start = 0;
        while let Some(end) = memchr::memchr(b'\n', &rest[start..]) {
            say(&rest[start..start + end]);
            start += end + 1;
        }
        rest.drain(..start);
        if rest.len() >= MAX_STDERR_LINE {
            say(&rest);
            rest.clear();
        }
    }
    say(&rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c46_what_a_dead_child_wrote_is_read_however_slow_its_reader_is() {
        assert!(!is_read_up(0, 100, 100, true), "the component has no room");
        assert!(!is_read_up(0, 100, 200, false), "it is being read");
        assert!(is_read_up(0, 100, 100, false), "nothing comes any more");
        assert!(is_read_up(0, 100, LARGEST_PIPE + 1, false), "somebody else writes now");
    }
}
