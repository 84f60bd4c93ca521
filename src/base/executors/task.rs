//! A task as the executor threads have it: a future, and what wakers know of it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::task::{Context, Wake, Waker};

use super::super::{Job, panic_text};
use super::Shared;

/// A task. It belongs to the thread that runs it, and else to the crew.
pub(super) struct Task {
    job: Job,
    body: Pin<Box<dyn Future<Output = ()> + Send>>,
    handle: Arc<Handle>,
    waker: Waker,
    /// The thread that ran it last.
    pub(super) home: usize,
}

/// What wakers know of a task.
struct Handle {
    state: AtomicU8,
    number: usize,
    shared: Arc<Shared>,
}

/// What a task's state may be: it rests until a waker comes; waits for a thread; runs; runs and was woken
/// meanwhile. It is put to rest under the crew's lock, so who has woken it finds it there.
const AT_REST: u8 = 0;
const READY: u8 = 1;
const AT_WORK: u8 = 2;
const AGAIN: u8 = 3;

impl Task {
    /// A task that waits for its first turn.
    pub(super) fn new(
        job: Job,
        body: impl Future<Output = ()> + Send + 'static,
        (number, home): (usize, usize),
        shared: Arc<Shared>,
    ) -> Self {
        let handle = Arc::new(Handle { state: AtomicU8::new(READY), number, shared });
        let waker = Waker::from(Arc::clone(&handle));
        Self { job, body: Box::pin(body), handle, waker, home }
    }

    /// Its place among those that rest.
    pub(super) fn number(&self) -> usize {
        self.handle.number
    }

    /// Has a turn; whether it was the last one.
    pub(super) fn run(&mut self) -> bool {
        // One order of this, of what the body looks at and of who wakes it: either the waker sees that it is
        // at work, or the body sees why it was woken.
        self.handle.state.swap(AT_WORK, SeqCst);
        let Self { body, waker, .. } = self;
        let turn = || body.as_mut().poll(&mut Context::from_waker(waker)).is_ready();
        catch_unwind(AssertUnwindSafe(turn)).unwrap_or_else(|panic| {
            self.job.has_panicked(&panic_text(panic.as_ref()));
            true
        })
    }

    /// Its turn is over, and the crew is locked. Whether it rests; if not, it was woken meanwhile.
    pub(super) fn rests(&self) -> bool {
        let state = &self.handle.state;
        let rests = state.compare_exchange(AT_WORK, AT_REST, AcqRel, Acquire).is_ok();
        if !rests {
            state.store(READY, Release);
        }
        rests
    }
}

impl Handle {
    /// Notes that there is something to do; whether the task rests.
    fn note(&self) -> bool {
        let mut state = self.state.load(SeqCst);
        loop {
            let to = match state {
                AT_REST => READY,
                AT_WORK => AGAIN,
                _ => return false,
            };
            match self.state.compare_exchange_weak(state, to, SeqCst, SeqCst) {
                Ok(_) => return to == READY,
                Err(found) => state = found,
            }
        }
    }
}

impl Wake for Handle {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.note() {
            self.shared.schedule(self.number);
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle { number, state, .. } = &*self.handle;
        write!(f, "Task({number}, {})", state.load(Relaxed))
    }
}
