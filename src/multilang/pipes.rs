//! What stands between a child's pipes and its component: bounded queues in both directions.
//!
//! Jobs on the I/O threads fill and empty them; the component's loop does the same from its side and
//! never waits. As long as nothing waits for the child, the loop writes into the pipe itself: a child
//! that waits for an answer has it one thread sooner. Nothing is parsed here.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal as unix;
use tokio::sync::{Notify, watch};

use crate::base::Signal;
use crate::component::{CHILD_INPUT_BYTES, CHILD_OUTPUT_BYTES};

use super::inlet::{Inlet, Step};

/// Lines of stderr that are kept to explain a death.
const STDERR_LINES: usize = 20;

/// What is to become of the child; only ever goes down the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// It runs.
    Run,
    /// Its input ends; then SIGTERM, then SIGKILL, with a grace before each.
    Stop,
    /// SIGKILL at once.
    Kill,
}

/// How a child's life ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It never began.
    NotStarted(io::Error),
    /// It exited or was killed.
    Exited(ExitStatus),
}

impl Ended {
    /// Whether somebody ended it with a signal that no program sends itself by mistake.
    fn by_kill(&self) -> bool {
        let Self::Exited(status) = self else { return false };
        let signal = status.signal().and_then(|number| unix::Signal::try_from(number).ok());
        matches!(signal, Some(unix::Signal::SIGKILL | unix::Signal::SIGTERM))
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the ends of two pipes, which come in any order")]
struct State {
    output: VecDeque<Vec<u8>>,
    output_bytes: usize,
    output_ended: bool,
    urgent: VecDeque<Vec<u8>>,
    data: VecDeque<Vec<u8>>,
    /// The rest of what was written in part: goes before everything.
    begun: Option<Vec<u8>>,
    inlet: Inlet,
    /// The writing job has bytes in hand, so that nothing may be written past it.
    writing: bool,
    input_bytes: usize,
    input_ends: bool,
    input_broken: bool,
    stderr: VecDeque<String>,
    pid: Option<u32>,
    /// The process id, also after its end.
    known_pid: Option<u32>,
    /// The pipe that the child closed while it was to run.
    closed: Option<&'static str>,
    /// The child got a signal because it did not end by itself.
    signalled: bool,
    ended: Option<Ended>,
    killed: bool,
    orphaned: bool,
}

impl State {
    /// Writes what the pipe takes without waiting, where nothing else waits; gives back the rest.
    fn write_at_once(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let busy = self.writing
            || self.begun.is_some()
            || !self.urgent.is_empty()
            || !self.data.is_empty();
        if busy || bytes.is_empty() {
            return bytes;
        }
        let (written, begun) = self.inlet.write_at_once(&bytes);
        bytes.drain(..written);
        if !begun {
            return bytes;
        }
        self.input_bytes += bytes.len();
        self.begun = Some(bytes);
        Vec::new()
    }
}

/// Shared by the component's loop and the jobs of one child.
#[derive(Debug)]
pub(super) struct Pipes {
    state: Mutex<State>,
    space: Notify,
    work: Notify,
    output_end: Notify,
    wish: watch::Sender<Wish>,
    /// The child has plenty to do and waits for no answer.
    patient: AtomicBool,
    waker: Signal,
}

impl Pipes {
    /// Empty pipes of a child that runs; `waker` rings the component's loop.
    pub(super) fn new(waker: Signal) -> Self {
        Self {
            state: Mutex::new(State::default()),
            space: Notify::new(),
            work: Notify::new(),
            output_end: Notify::new(),
            wish: watch::Sender::new(Wish::Run),
            patient: AtomicBool::new(false),
            waker,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The component's side.

    /// The oldest chunk of output.
    pub(super) fn take_output(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let chunk = state.output.pop_front()?;
        state.output_bytes -= chunk.len();
        drop(state);
        self.space.notify_one();
        Some(chunk)
    }

    /// Says whether the child has plenty to do and waits for no answer, so that its output may
    /// gather for a moment.
    pub(super) fn set_patient(&self, patient: bool) {
        self.patient.store(patient, Ordering::Relaxed);
    }

    /// See [`Pipes::set_patient`].
    pub(super) fn is_patient(&self) -> bool {
        self.patient.load(Ordering::Relaxed)
    }

    /// Whether output waits.
    pub(super) fn has_output(&self) -> bool {
        !self.lock().output.is_empty()
    }

    /// Adds bytes for the child.
    pub(super) fn send(&self, urgent: Vec<u8>, data: Vec<u8>) {
        let mut state = self.lock();
        if state.input_broken {
            return; // It is dying: what it was given fails with it.
        }
        let mut waits = false;
        for (bytes, is_urgent) in [(urgent, true), (data, false)] {
            let bytes = state.write_at_once(bytes);
            if !bytes.is_empty() {
                waits = true;
                state.input_bytes += bytes.len();
                if is_urgent {
                    state.urgent.push_back(bytes);
                } else {
                    state.data.push_back(bytes);
                }
            }
        }
        waits |= state.begun.is_some();
        drop(state);
        if waits {
            self.work.notify_one();
        }
    }

    /// Whether the child should be given more; the waker rings when that changes to true.
    pub(super) fn has_room(&self) -> bool {
        self.lock().input_bytes < CHILD_INPUT_BYTES
    }

    /// Wishes for an end; a wish for less than was wished already is ignored.
    pub(super) fn wish(&self, wish: Wish) {
        if wish >= Wish::Stop {
            self.lock().input_ends = true;
            self.work.notify_one();
        }
        self.wish.send_if_modified(|current| {
            let more = wish > *current;
            *current = wish.max(*current);
            more
        });
    }

    /// The component is gone: output is thrown away from now on.
    pub(super) fn orphan(&self) {
        self.lock().orphaned = true;
        self.space.notify_one();
        self.wish(Wish::Kill);
    }

    /// Takes the end of the life, once it is over and all its output was taken.
    pub(super) fn take_ended(&self) -> Option<Ended> {
        let mut state = self.lock();
        if state.output.is_empty() { state.ended.take() } else { None }
    }

    /// Whether the child was ended by SIGKILL or SIGTERM, which is nothing that it has done.
    pub(super) fn was_killed(&self) -> bool {
        self.lock().killed
    }

    /// The last lines of stderr.
    pub(super) fn last_stderr(&self) -> Vec<String> {
        self.lock().stderr.iter().cloned().collect()
    }

    /// The process id, while the child has not been reaped.
    pub(super) fn pid(&self) -> Option<u32> {
        self.lock().pid
    }

    /// The process id, also after the end.
    pub(super) fn known_pid(&self) -> Option<u32> {
        self.lock().known_pid
    }

    /// The pipe that the child closed, where it had to be ended for that.
    pub(super) fn closed(&self) -> Option<&'static str> {
        let state = self.lock();
        state.closed.filter(|_| state.signalled)
    }

    // The jobs' side.

    /// The loop may write into `stdin` itself, which must not block.
    pub(super) fn lend_stdin(&self, stdin: OwnedFd) {
        self.lock().inlet.lend(stdin);
    }

    pub(super) fn set_pid(&self, pid: Option<u32>) {
        let mut state = self.lock();
        state.pid = pid;
        state.known_pid = pid.or(state.known_pid);
    }

    /// The child has closed a pipe of its own accord: without it it is of no use.
    pub(super) fn close(&self, pipe: &'static str) {
        if *self.wish.borrow() == Wish::Run {
            self.lock().closed.get_or_insert(pipe);
        }
        self.wish(Wish::Stop);
    }

    /// The child did not end by itself.
    pub(super) fn note_signalled(&self) {
        self.lock().signalled = true;
    }

    /// Whether the child was to end by itself, and had not given it up before.
    pub(super) fn was_asked_to_stop(&self) -> bool {
        *self.wish.borrow() == Wish::Stop && self.lock().closed.is_none()
    }

    pub(super) fn wishes(&self) -> watch::Receiver<Wish> {
        self.wish.subscribe()
    }

    pub(super) fn ring(&self) {
        self.waker.ring();
    }

    /// Waits until output may be read.
    pub(super) async fn output_space(&self) {
        loop {
            {
                let state = self.lock();
                let free = state.output_bytes < CHILD_OUTPUT_BYTES || state.orphaned;
                if free {
                    return;
                }
            }
            self.space.notified().await;
        }
    }

    pub(super) fn put_output(&self, chunk: &[u8]) {
        let mut state = self.lock();
        if !state.orphaned {
            state.output_bytes += chunk.len();
            state.output.push_back(chunk.to_vec());
        }
        drop(state);
        self.waker.ring();
    }

    pub(super) fn end_output(&self) {
        self.lock().output_ended = true;
        self.output_end.notify_one();
        self.waker.ring();
    }

    /// Waits for the end of the output.
    pub(super) async fn output_ended(&self) {
        while !self.output_has_ended() {
            self.output_end.notified().await;
        }
    }

    fn output_has_ended(&self) -> bool {
        self.lock().output_ended
    }

    /// The next bytes for the child; `None` when its input ends.
    pub(super) async fn next_input(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.lock();
                // What a message has begun has to be ended before anything overtakes it.
                let next = state.begun.take().or_else(|| state.urgent.pop_front());
                let next = next.or_else(|| state.data.pop_front());
                state.writing = next.is_some();
                if next.is_some() {
                    return next;
                }
                if state.input_ends {
                    state.inlet.close();
                    return None;
                }
            }
            self.work.notified().await;
        }
    }

    /// How much of `waiting` to write next.
    pub(super) fn next_write(&self, waiting: &[u8]) -> Step {
        self.lock().inlet.step(waiting)
    }

    /// Bytes have gone into the pipe.
    pub(super) fn written(&self, count: usize) {
        let mut state = self.lock();
        state.inlet.wrote(count);
        let was_full = state.input_bytes >= CHILD_INPUT_BYTES;
        state.input_bytes -= count.min(state.input_bytes);
        let rings = was_full && state.input_bytes < CHILD_INPUT_BYTES;
        drop(state);
        if rings {
            self.waker.ring();
        }
    }

    /// The child reads no more.
    pub(super) fn break_input(&self) {
        let mut state = self.lock();
        state.input_broken = true;
        state.inlet.close();
        state.begun = None;
        state.urgent.clear();
        state.data.clear();
        state.input_bytes = 0;
    }

    pub(super) fn put_stderr(&self, line: &str) {
        let mut state = self.lock();
        if state.stderr.len() == STDERR_LINES {
            state.stderr.pop_front();
        }
        state.stderr.push_back(line.to_owned());
    }

    pub(super) fn end(&self, ended: Ended) {
        let mut state = self.lock();
        state.pid = None;
        state.killed = ended.by_kill();
        state.ended = Some(ended);
        drop(state);
        self.waker.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose writing end is lent, and its reading end; neither blocks.
    fn lent() -> (Pipes, std::fs::File) {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        let (read, write) = nix::unistd::pipe().unwrap();
        for end in [&read, &write] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        let pipes = Pipes::new(Signal::new());
        pipes.lend_stdin(write);
        (pipes, read.into())
    }

    fn read_all(pipe: &mut std::fs::File) -> Vec<u8> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..count]);
        }
        bytes
    }

    #[test]
    fn c32_an_answer_is_in_the_pipe_without_another_thread() {
        let (pipes, mut child) = lent();
        pipes.send(b"[5]\nend\n".to_vec(), b"{}\nend\n".to_vec());
        assert_eq!(read_all(&mut child), b"[5]\nend\n{}\nend\n");
        assert!(pipes.has_room());
    }

    #[tokio::test]
    async fn c32_nothing_overtakes_the_rest_of_what_was_begun() {
        let (pipes, mut child) = lent();
        let long = vec![b'x'; 200 << 10];
        pipes.send(Vec::new(), long.clone());
        pipes.send(b"[5]\nend\n".to_vec(), b"{}".to_vec());
        let mut got = read_all(&mut child);
        assert!(!got.is_empty() && got.len() < long.len());
        for _ in 0..3 {
            let bytes = pipes.next_input().await.unwrap();
            pipes.written(bytes.len());
            got.extend(bytes);
        }
        assert_eq!(got, [&long[..], b"[5]\nend\n", b"{}"].concat());
        assert!(pipes.has_room());
    }

    #[test]
    fn c46_an_end_is_told_only_when_all_output_was_taken() {
        let pipes = Pipes::new(Signal::new());
        pipes.put_output(b"last words");
        pipes.end_output();
        pipes.end(Ended::NotStarted(io::ErrorKind::NotFound.into()));
        assert!(pipes.take_ended().is_none());
        assert_eq!(pipes.take_output().unwrap(), b"last words");
        assert!(pipes.take_ended().is_some());
    }
}
