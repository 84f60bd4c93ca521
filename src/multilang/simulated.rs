//! Children for the simulator: real pipes and sessions, and no process.
//!
//! On a thread that asked for it, a child that is started is noted here, and whoever simulates it
//! reads its input and writes its output. Nothing here knows what a message is.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use crate::base::TaskId;
use crate::component::Context;

use super::pipes::{Ended, Pipes, Wish};
use super::process::Process;

thread_local! {
    static STARTED: RefCell<Option<Vec<ChildPipes>>> = const { RefCell::new(None) };
}

/// The child's side of its pipes.
pub(crate) struct ChildPipes {
    pub(crate) task: TaskId,
    pipes: Arc<Pipes>,
}

/// Children that are started on this thread are simulated, or (again) processes.
pub(crate) fn simulate(wanted: bool) {
    STARTED.replace(wanted.then(Vec::new));
}

/// The children that were started on this thread since this was last asked.
pub(crate) fn take_started() -> Vec<ChildPipes> {
    STARTED.with_borrow_mut(|started| started.as_mut().map(std::mem::take).unwrap_or_default())
}

pub(super) fn start(context: &Context) -> Option<Process> {
    STARTED.with_borrow_mut(|started| {
        let pipes = Arc::new(Pipes::new(context.waker.clone()));
        let child = ChildPipes { task: context.task, pipes: Arc::clone(&pipes) };
        started.as_mut()?.push(child);
        Some(Process::scripted(pipes))
    })
}

impl ChildPipes {
    /// What the child reads next; `None` where its input has ended, nothing where there is none yet.
    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        let mut context = task::Context::from_waker(Waker::noop());
        match pin!(self.pipes.next_input()).poll(&mut context) {
            Poll::Ready(Some(bytes)) => {
                self.pipes.written(bytes.len());
                Some(bytes)
            }
            Poll::Ready(None) => None,
            Poll::Pending => Some(Vec::new()),
        }
    }

    /// The child writes.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.pipes.put_output(bytes);
    }

    /// Whether the engine wants it to end at once.
    pub(crate) fn is_killed(&self) -> bool {
        *self.pipes.wishes().borrow() == Wish::Kill
    }

    /// The child has ended, with this wait status.
    pub(crate) fn end(&self, status: i32) {
        self.pipes.end_output();
        self.pipes.break_input();
        self.pipes.end(Ended::Exited(ExitStatus::from_raw(status)));
    }

    /// Time has passed: the component's loop looks at its time-outs.
    pub(crate) fn pulse(&self) {
        self.pipes.ring();
    }
}
