//! What happens when something cannot be kept alive: the run fails, or pauses until it is mended.

use std::collections::BTreeMap;

use crate::base::{TaskId, Timestamp, WorkerSlot};
use crate::control::{RunState, ToWorker};
use crate::topology::Then;

use super::super::event::{Culprit, Finish, RunEvent};
use super::{Coordinator, Effect};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Task(TaskId),
    Worker(WorkerSlot),
}

/// What keeps the run from going on.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause {
    failed: BTreeMap<Part, String>,
}

impl Pause {
    /// Whether the run is paused.
    pub(super) fn is_on(&self) -> bool {
        !self.failed.is_empty()
    }

    /// What failed, and why: one of them.
    pub(super) fn reason(&self) -> Option<&str> {
        self.failed.values().next().map(String::as_str)
    }
}

impl Coordinator {
    /// A task's component could not be kept alive.
    pub(super) fn task_failed(
        &mut self,
        task: TaskId,
        reason: String,
        detail: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        let planned = self.plan.task(task).map(|task| self.plan.component(task.component));
        let then = planned.map(|component| component.restart.then).unwrap_or_default();
        let culprit = Culprit::Task { component: self.component_of(task), task };
        match then {
            Then::Stop => {
                let reason = format!("{culprit} failed: {reason}");
                self.finish(Finish::Failed { reason, detail }, effects);
            }
            Then::Pause => self.halt(Part::Task(task), culprit, reason, detail, effects),
        }
    }

    /// A worker has used up its restarts.
    pub(super) fn worker_failed(&mut self, slot: WorkerSlot, how: &str, effects: &mut Vec<Effect>) {
        match self.plan.settings.worker_restart.then {
            Then::Stop => {
                let reason = format!("worker {slot} ended too often, last: {how}");
                self.finish(Finish::Failed { reason, detail: None }, effects);
            }
            Then::Pause => {
                let (culprit, reason) =
                    (Culprit::Worker(slot), format!("ended too often, last: {how}"));
                self.halt(Part::Worker(slot), culprit, reason, None, effects);
            }
        }
    }

    fn halt(
        &mut self,
        part: Part,
        culprit: Culprit,
        reason: String,
        detail: Option<String>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.pause.is_on() {
            self.send_all(&ToWorker::Pause, effects);
        }
        self.pause.failed.insert(part, format!("{culprit} failed: {reason}"));
        effects.push(Effect::Notify(RunEvent::Paused { culprit, reason, detail }));
    }

    /// Lets a paused run go on: budgets are fresh and what had failed starts again.
    pub(super) fn resume(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if !self.pause.is_on() {
            return;
        }
        self.pause.failed.clear();
        for number in 0..self.slots.len() {
            let (slot, worker) = (WorkerSlot(number as u16), &mut self.slots[number]);
            if worker.renew(now) {
                let delay = std::time::Duration::ZERO;
                effects.push(Effect::Spawn(slot, worker.incarnation, delay));
            }
        }
        if self.drain_deadline.is_some() {
            self.drain_deadline = Some(now + self.plan.settings.drain_timeout);
        }
        self.send_all(&ToWorker::Resume, effects);
        effects.push(Effect::Notify(RunEvent::Resumed));
    }

    /// A task that had failed has started again: its worker was replaced, or its failure and the order
    /// to go on have crossed. Nothing is left to wait for where it was the last one.
    pub(super) fn note_mended(
        &mut self,
        task: TaskId,
        state: RunState,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let part = Part::Task(task);
        if state == RunState::Failed || !self.pause.failed.contains_key(&part) {
            return;
        }
        if self.pause.failed.len() == 1 {
            self.resume(now, effects);
        } else {
            self.pause.failed.remove(&part);
        }
    }
}
