//! A worker's tasks for the simulator: the real loops, a step at a time, by its clock.
//!
//! Nothing here decides: a step is the one that the loop of a running worker takes.

use std::pin::pin;
use std::task::{Context, Waker};

use crate::base::Timestamp;

use super::housing::TaskHandle;
use super::wiring::{TaskLoop, Wiring, make_tasks};

pub(crate) use super::life::{Blame, Death, Restarts, Verdict};
pub(crate) use super::pause::Step;

/// A task whose loop somebody else turns.
pub(crate) struct SimulatedTask {
    pub(crate) handle: TaskHandle,
    task: TaskLoop,
}

/// The tasks of a worker, not started.
pub(crate) fn tasks(wiring: &Wiring<'_>) -> Vec<SimulatedTask> {
    let tasks = make_tasks(wiring).into_iter();
    tasks.map(|(handle, task)| SimulatedTask { handle, task }).collect()
}

impl SimulatedTask {
    /// Whether the doorbell has rung since this was last asked.
    pub(crate) fn rung(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(self.handle.mailbox.signal().wait()).poll(&mut context).is_ready()
    }

    /// One round of the loop; `rung`: the doorbell began it.
    pub(crate) fn step(&mut self, rung: bool, now: Timestamp) -> Step {
        match &mut self.task {
            TaskLoop::Spout(task) => {
                if rung {
                    task.rung();
                }
                task.step(now)
            }
            TaskLoop::Bolt(task) => task.step(now),
        }
    }
}
