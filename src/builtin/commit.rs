//! Group commit: lines are gathered while the ones before them are written by a blocking job, and
//! their tuples are acked when the job is done.
//!
//! There is one job at a time, so the groups grow with the time that a write takes. What is
//! gathered is bounded: `ready` is false until the job has caught up. It never acks before that.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Job, Signal, Spawner, Timestamp, panic_text};
use crate::component::{Collector, Context, FailKind};
use crate::tuple::Ticket;

/// A group of this size is written without waiting for more.
const GROUP_BYTES: usize = 256 * 1024;
/// No more than this is gathered.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// No more tuples than this are gathered.
const MAX_TUPLES: usize = 64 * 1024;

/// Where lines go.
pub(super) trait Sink: Send + 'static {
    /// Writes whole lines; when it returns they last. It may block.
    ///
    /// # Errors
    /// Nothing of the lines may be relied upon.
    fn commit(&mut self, lines: &[u8]) -> io::Result<()>;
}

enum State<S> {
    /// The sink and an empty buffer.
    Idle(S, Vec<u8>),
    /// A job has both.
    Writing,
    /// A job is done.
    Written(S, Vec<u8>, io::Result<()>),
}

struct Shared<S> {
    state: Mutex<State<S>>,
    done: Condvar,
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gathers lines and commits them in groups.
pub(super) struct Committer<S: Sink> {
    shared: Arc<Shared<S>>,
    io: Spawner,
    waker: Signal,
    /// How long a group smaller than [`GROUP_BYTES`] is held for more.
    gather: Duration,
    gathered: Vec<u8>,
    gathered_tickets: Vec<Ticket>,
    /// When the first line was gathered.
    since: Option<Timestamp>,
    /// Whether a timer will ring.
    timed: bool,
    writing: bool,
    writing_tickets: Vec<Ticket>,
}

impl<S: Sink> Committer<S> {
    /// A committer that writes to `sink`.
    pub(super) fn new(sink: S, gather: Duration, context: &Context) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::Idle(sink, Vec::new())),
                done: Condvar::new(),
            }),
            io: context.io.clone(),
            waker: context.waker.clone(),
            gather,
            gathered: Vec::new(),
            gathered_tickets: Vec::new(),
            since: None,
            timed: false,
            writing: false,
            writing_tickets: Vec::new(),
        }
    }

    /// Whether more may be gathered.
    pub(super) fn ready(&self) -> bool {
        self.gathered.len() < MAX_BYTES && self.gathered_tickets.len() < MAX_TUPLES
    }

    /// How many tuples are held.
    pub(super) fn held(&self) -> usize {
        self.gathered_tickets.len() + self.writing_tickets.len()
    }

    /// Whether everything is written and acked.
    pub(super) fn is_clean(&self) -> bool {
        !self.writing && self.gathered.is_empty()
    }

    /// Where the next line is appended.
    pub(super) fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// The line just appended belongs to this tuple. Starts a job for a large group.
    pub(super) fn hold(&mut self, ticket: Ticket) {
        self.gathered_tickets.push(ticket);
        if !self.writing && (self.gathered.len() >= GROUP_BYTES || !self.ready()) {
            self.start();
        }
    }

    /// Acks what was written, and writes what is due.
    ///
    /// # Errors
    /// The sink's error; then nothing is held any more, all of it has failed.
    pub(super) fn advance(&mut self, now: Timestamp, out: &mut Collector<'_>) -> io::Result<()> {
        self.settle(out)?;
        if self.writing || self.gathered.is_empty() {
            return Ok(());
        }
        let since = *self.since.get_or_insert(now);
        if self.gathered.len() >= GROUP_BYTES || now.since(since) >= self.gather || !self.ready() {
            self.start();
        } else if !self.timed {
            self.timed = true;
            let left = self.gather.saturating_sub(now.since(since));
            let waker = self.waker.clone();
            // It rings or it ends with the runtime; nobody waits for it.
            drop(self.io.spawn(Job::Owned("flush timer"), async move {
                tokio::time::sleep(left).await;
                waker.ring();
            }));
        }
        Ok(())
    }

    /// The same, without holding anything for more to come.
    ///
    /// # Errors
    /// As for [`Self::advance`].
    pub(super) fn flush(&mut self, now: Timestamp, out: &mut Collector<'_>) -> io::Result<()> {
        self.gather = Duration::ZERO;
        self.advance(now, out)
    }

    /// Waits for the job on its way, acks what it wrote, and fails the rest.
    pub(super) fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        self.wait();
        let reason = match self.settle(out) {
            Ok(()) => "the bolt was stopped before the tuple was written".to_owned(),
            Err(error) => error.to_string(),
        };
        self.gathered.clear();
        for ticket in self.gathered_tickets.drain(..) {
            out.fail_as(ticket, kind, &reason);
        }
    }

    fn start(&mut self) {
        let (mut sink, spare) = {
            let mut state = self.shared.lock();
            match std::mem::replace(&mut *state, State::Writing) {
                State::Idle(sink, spare) => (sink, spare),
                other => {
                    *state = other;
                    return;
                }
            }
        };
        let mut lines = std::mem::replace(&mut self.gathered, spare);
        std::mem::swap(&mut self.writing_tickets, &mut self.gathered_tickets);
        self.since = None;
        self.timed = false;
        self.writing = true;
        let shared = Arc::clone(&self.shared);
        let waker = self.waker.clone();
        drop(self.io.spawn_blocking(move || {
            let result = catch_unwind(AssertUnwindSafe(|| sink.commit(&lines)));
            let result =
                result.unwrap_or_else(|panic| Err(io::Error::other(panic_text(panic.as_ref()))));
            lines.clear();
            *shared.lock() = State::Written(sink, lines, result);
            shared.done.notify_all();
            waker.ring();
        }));
    }

    /// Takes the answer of a job that is done.
    fn settle(&mut self, out: &mut Collector<'_>) -> io::Result<()> {
        let mut state = self.shared.lock();
        let result = match std::mem::replace(&mut *state, State::Writing) {
            State::Written(sink, spare, result) => {
                *state = State::Idle(sink, spare);
                result
            }
            other => {
                *state = other;
                return Ok(());
            }
        };
        drop(state);
        self.writing = false;
        match result {
            Ok(()) => {
                for ticket in self.writing_tickets.drain(..) {
                    out.ack(ticket);
                }
                Ok(())
            }
            Err(error) => {
                self.gathered.clear();
                let reason = error.to_string();
                let tickets = self.writing_tickets.drain(..);
                for ticket in tickets.chain(self.gathered_tickets.drain(..)) {
                    // The trouble is the sink's, and says nothing about what was to be written.
                    out.fail_as(ticket, FailKind::Restarted, &reason);
                }
                Err(error)
            }
        }
    }

    fn wait(&self) {
        let mut state = self.shared.lock();
        while matches!(*state, State::Writing) {
            state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<S: Sink> Drop for Committer<S> {
    /// A later life must not open the same file while a job still writes to it.
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use super::*;
    use crate::base::now;
    use crate::builtin::testing::{BoltOut, context_in, tuple, until};
    use crate::tuple::Value;

    /// Writes one group for each permission it gets.
    struct Gate {
        allow: mpsc::Receiver<io::Result<()>>,
        written: Arc<Mutex<Vec<Vec<u8>>>>,
    }

    impl Sink for Gate {
        fn commit(&mut self, lines: &[u8]) -> io::Result<()> {
            self.allow.recv().unwrap_or(Ok(()))?;
            self.written.lock().unwrap().push(lines.to_vec());
            Ok(())
        }
    }

    struct Rig {
        committer: Committer<Gate>,
        allow: mpsc::Sender<io::Result<()>>,
        written: Arc<Mutex<Vec<Vec<u8>>>>,
        out: BoltOut,
    }

    fn rig() -> Rig {
        let (allow, receiver) = mpsc::channel();
        let written = Arc::default();
        let gate = Gate { allow: receiver, written: Arc::clone(&written) };
        let context = context_in(Path::new("/nonexistent"));
        let committer = Committer::new(gate, Duration::ZERO, &context);
        Rig { committer, allow, written, out: BoltOut::default() }
    }

    impl Rig {
        fn line(&mut self, text: &str) {
            self.committer.lines().extend_from_slice(text.as_bytes());
            self.committer.hold(tuple([Value::Null]).into_ticket());
        }

        fn advance(&mut self) -> io::Result<()> {
            self.committer.advance(now(), &mut Collector::new(&mut self.out))
        }
    }

    #[test]
    fn what_comes_during_a_write_is_the_next_group() {
        let mut rig = rig();
        rig.line("a\n");
        rig.advance().unwrap();
        rig.line("b\n");
        rig.line("c\n");
        rig.advance().unwrap();
        assert_eq!((rig.out.acked.len(), rig.committer.held()), (0, 3));
        rig.allow.send(Ok(())).unwrap();
        until("the first group", || {
            rig.advance().unwrap();
            rig.out.acked.len() == 1
        });
        rig.allow.send(Ok(())).unwrap();
        until("the second group", || {
            rig.advance().unwrap();
            rig.committer.is_clean()
        });
        assert_eq!(rig.out.acked.len(), 3);
        assert_eq!(*rig.written.lock().unwrap(), [b"a\n".to_vec(), b"b\nc\n".to_vec()]);
    }

    #[test]
    fn a_failed_write_fails_everything_that_is_held() {
        let mut rig = rig();
        rig.line("a\n");
        rig.advance().unwrap();
        rig.line("b\n");
        rig.allow.send(Err(io::Error::other("full"))).unwrap();
        until("the error", || rig.advance().is_err());
        assert_eq!(rig.out.acked.len(), 0);
        assert_eq!(rig.out.failed.len(), 2);
        assert_eq!(rig.out.failed[0].1, "full");
        assert!(rig.committer.is_clean());
    }

    #[test]
    fn memory_is_bounded_while_a_write_hangs() {
        let mut rig = rig();
        rig.line("first\n");
        rig.advance().unwrap();
        let mut lines = 0;
        while rig.committer.ready() {
            rig.line(&"x".repeat(1000));
            lines += 1;
        }
        assert!(lines <= MAX_BYTES / 1000 + 1);
        drop(rig.allow);
        until("room", || {
            rig.committer.advance(now(), &mut Collector::new(&mut rig.out)).unwrap();
            rig.committer.ready()
        });
    }

    #[test]
    fn an_abandoned_group_fails_and_a_written_one_is_acked() {
        let mut rig = rig();
        rig.line("a\n");
        rig.advance().unwrap();
        rig.line("b\n");
        rig.allow.send(Ok(())).unwrap();
        rig.committer.abandon(FailKind::Died, &mut Collector::new(&mut rig.out));
        assert_eq!((rig.out.acked.len(), rig.out.failed.len()), (1, 1));
        assert_eq!(rig.committer.held(), 0);
    }
}
