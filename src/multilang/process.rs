//! Starts child processes, moves bytes between their pipes and [`Pipes`], and ends them for good.
//!
//! The only file of this module that touches processes. It never looks into the bytes.

use std::io;
use std::os::fd::AsFd;
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
use super::stderr_lines::StderrLines;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How often the component's loop is rung, so that it can look at its time-outs.
const PULSE: Duration = Duration::from_millis(250);
/// How long the processes of a child that has ended as it was asked to may go on talking.
const LEFTOVERS: Duration = Duration::from_millis(500);
/// How long the processes of a dead child that have left its group may take to be gone.
const STRAYS: Duration = Duration::from_millis(500);
/// More than this a pipe never holds: what comes behind it, a dead child has not written.
const LARGEST_PIPE: usize = 1 << 20;
/// How often it is looked whether a large message has room in the pipe …
const ROOM_PAUSE: Duration = Duration::from_millis(1);
/// … and how many times.
const MAX_WAITS: u32 = 1000;
/// How many dead children's processes are being ended.
static SWEEPS: AtomicU64 = AtomicU64::new(0);
/// How often it is looked whether they are.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);

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
    // What an earlier life has left may hold a file or a port that this one wants.
    let until = now() + STRAYS;
    while SWEEPS.load(Ordering::Acquire) > 0 && now() < until {
        sleep(SWEEP_PAUSE).await;
    }
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
    let death = watch::Sender::new(false);
    let reader = child.stdout.take().map(|stdout| {
        let job = read_output(stdout, pipes.clone(), death.subscribe());
        io.spawn(Job::Owned("child stdout"), job)
    });
    let told = reporter.clone();
    let mut stderr = child.stderr.take().map(|stderr| {
        let job = read_stderr(stderr, group.0, pipes.clone(), reporter, death.subscribe());
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
    hear_out(&group, &pipes, &death).await;
    if let Some(stderr) = &mut stderr {
        // Its last words explain its death.
        let read = timeout(LEFTOVERS, stderr).await.is_ok();
        tracing::trace!(read, "the rest of stderr");
    }
    std::mem::forget(group); // All of it is dead and reaped, or has left the group.
    drop(noted);
    // Its successor waits for the sweep; its tuples need not.
    let sweep = Sweep::begin();
    match status {
        Ok(status) => pipes.end(Ended::Exited(status)),
        Err(error) => pipes.end(Ended::NotStarted(error)),
    }
    let jobs = [reader, stderr, writer];
    for job in jobs.iter().flatten() {
        job.abort();
    }
    end_strays(mark, &io, &told).await;
    drop(sweep);
}

/// The child is gone: ends its group, and sees that what it wrote is read to its end.
async fn hear_out(group: &Group, pipes: &Pipes, death: &watch::Sender<bool>) {
    if pipes.was_asked_to_stop() {
        let ended = timeout(LEFTOVERS, pipes.output_ended()).await.is_ok();
        tracing::trace!(ended, "the output of a child that was stopped");
    }
    signal_group(group.0, Signal::SIGKILL);
    // What it wrote is in the pipes by now, whoever else holds them: that is read, and no more.
    death.send_replace(true);
    pipes.output_ended().await;
}

/// As long as it lives, no child is started.
struct Sweep;

impl Sweep {
    fn begin() -> Self {
        SWEEPS.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        SWEEPS.fetch_sub(1, Ordering::AcqRel);
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
        // This process ends; the guard looks behind it.
        Err(error) if error.is_cancelled() => {}
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

/// A pipe that may be read, and whose contents can be counted.
trait Pipe: AsyncRead + AsFd + Unpin {}

impl<P: AsyncRead + AsFd + Unpin> Pipe for P {}

/// Reads what comes next, as long as the child is alive; then what is in the pipe, and 0 behind that,
/// although an heir of the child may hold the pipe open.
async fn read_some(
    pipe: &mut impl Pipe,
    buffer: &mut [u8],
    death: &mut watch::Receiver<bool>,
) -> io::Result<usize> {
    tokio::select! {
        count = pipe.read(buffer) => return count,
        () = died(death) => {}
    }
    match rustix::io::ioctl_fionread(&*pipe) {
        Ok(0) => Ok(0),
        // It does not wait: there is something, and nobody else reads.
        Ok(_) => pipe.read(buffer).await,
        Err(error) => Err(error.into()),
    }
}

async fn died(death: &mut watch::Receiver<bool>) {
    // An error means that the job is gone that waits for the child, and the child with it.
    let _ = death.wait_for(|dead| *dead).await;
}

async fn read_output(mut stdout: impl Pipe, pipes: Arc<Pipes>, mut death: watch::Receiver<bool>) {
    let mut buffer = vec![0; CHUNK];
    let mut gather = Gather::new(now());
    let mut behind_death = 0;
    loop {
        pipes.output_space().await;
        match read_some(&mut stdout, &mut buffer, &mut death).await {
            Ok(0) => break,
            Ok(count) => {
                pipes.put_output(&buffer[..count]);
                if *death.borrow() {
                    behind_death += count;
                    if behind_death > LARGEST_PIPE {
                        break; // Somebody else writes now.
                    }
                } else if gather.read(count, now()) && pipes.is_patient() {
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
    mut stderr: impl Pipe,
    pid: u32,
    pipes: Arc<Pipes>,
    reporter: Reporter,
    mut death: watch::Receiver<bool>,
) {
    let mut behind_death = 0;
    let mut buffer = vec![0; CHUNK];
    let mut lines = StderrLines::default();
    let say = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if !line.is_empty() {
            reporter.log(Level::Info, &format!("[stderr {pid}] {line}"));
            pipes.put_stderr(line);
        }
    };
    loop {
        let count = match read_some(&mut stderr, &mut buffer, &mut death).await {
            Ok(0) => break,
            Ok(_) if behind_death > LARGEST_PIPE => break,
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "could not read a child's stderr");
                break;
            }
        };
        behind_death += if *death.borrow() { count } else { 0 };
        lines.push(&buffer[..count], say);
    }
    lines.finish(say);
}

#[cfg(test)]
mod tests {
    use tokio::net::unix::pipe::pipe;

    use crate::base::Signal as Doorbell;

    use super::*;

    #[tokio::test]
    async fn c46_what_a_dead_child_wrote_is_read_although_an_heir_holds_its_pipe() {
        let (mut heir, stdout) = pipe().unwrap();
        let pipes = Arc::new(Pipes::new(Doorbell::new()));
        let (death, dead) = watch::channel(false);
        let words = vec![b'x'; 60 << 10];
        heir.write_all(&words).await.unwrap();
        death.send_replace(true);
        read_output(stdout, pipes.clone(), dead).await;
        let read: usize = std::iter::from_fn(|| pipes.take_output()).map(|chunk| chunk.len()).sum();
        assert_eq!(read, words.len());
    }

    #[tokio::test]
    async fn c46_what_a_dead_child_wrote_is_read_however_slow_its_reader_is() {
        let (mut heir, stdout) = pipe().unwrap();
        let pipes = Arc::new(Pipes::new(Doorbell::new()));
        let (death, dead) = watch::channel(false);
        // The component has no room: what is in the pipe stays there for now.
        let full = vec![b'y'; crate::component::CHILD_OUTPUT_BYTES];
        pipes.put_output(&full);
        heir.write_all(b"last words").await.unwrap();
        death.send_replace(true);
        let reader = read_output(stdout, pipes.clone(), dead);
        let component = async {
            let ended = timeout(ROOM_PAUSE, pipes.output_ended()).await;
            assert!(ended.is_err(), "nobody has taken anything yet");
            std::iter::from_fn(|| pipes.take_output()).map(|chunk| chunk.len()).sum::<usize>()
        };
        let ((), taken) = tokio::join!(reader, component);
        assert_eq!(taken, full.len());
        assert_eq!(pipes.take_output().unwrap(), b"last words");
    }

    #[tokio::test]
    async fn an_heir_that_goes_on_writing_is_not_listened_to_for_ever() {
        let (mut heir, stdout) = pipe().unwrap();
        let pipes = Arc::new(Pipes::new(Doorbell::new()));
        let (death, dead) = watch::channel(false);
        pipes.orphan(); // Takes everything at once.
        death.send_replace(true);
        let mut written = 0;
        let flood = async {
            while let Ok(count) = heir.write(&[b'x'; 4096]).await {
                written += count;
            }
        };
        // It ends when the reader has let the pipe go.
        tokio::join!(read_output(stdout, pipes.clone(), dead), flood);
        assert!(written <= LARGEST_PIPE + 2 * CHUNK, "{written}");
    }
}
