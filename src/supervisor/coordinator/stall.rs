//! What is done about a task that makes no progress: its component is asked where it stands, people
//! are told, and the policy is followed.

use std::time::Duration;

use crate::base::{TaskId, Timestamp, show_duration};
use crate::control::ToWorker;
use crate::topology::{OnStall, StallPolicy};

use super::super::event::{Finish, RunEvent};
use super::super::stall::Stall;
use super::{Coordinator, Effect, Phase};

/// How long a component has to show its stacks.
const STACKS_WITHIN: Duration = Duration::from_millis(1500);
/// How long a task has to start its component again. One whose loop hangs with it, as that of a
/// component inside of the worker does, cannot; then the worker is replaced.
const RESTART_WITHIN: Duration = Duration::from_secs(3);

/// A task that has stalled and what is awaited of it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    stall: Stall,
    /// Until when; and for what.
    deadline: Timestamp,
    awaits: Awaited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Stacks,
    Restart,
}

impl Coordinator {
    /// Looks for tasks that have stalled, and does what is due about those that have.
    pub(super) fn watch_stalls(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.pause.is_on() || !matches!(self.phase, Phase::Running | Phase::Draining) {
            self.cases.clear();
            return self.stalls.forget_all();
        }
        for stall in self.stalls.find(&self.plan) {
            let task = stall.task;
            if let Some(planned) = self.plan.task(task) {
                effects.push(Effect::Send(planned.worker, ToWorker::ShowStacks { task }));
            }
            let (deadline, awaits) = (now + STACKS_WITHIN, Awaited::Stacks);
            self.cases.push(Case { stall, deadline, awaits });
        }
        let (due, rest): (Vec<_>, _) =
            std::mem::take(&mut self.cases).into_iter().partition(|case| now >= case.deadline);
        self.cases = rest;
        for case in due {
            match case.awaits {
                Awaited::Stacks => self.stalled(case.stall, None, now, effects),
                Awaited::Restart => self.replace_worker_of(case.stall.task, effects),
            }
        }
    }

    /// A component has shown where it stands.
    pub(super) fn stacks(
        &mut self,
        task: TaskId,
        text: String,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let asked = |case: &Case| case.stall.task == task && case.awaits == Awaited::Stacks;
        if let Some(at) = self.cases.iter().position(asked) {
            let case = self.cases.remove(at);
            self.stalled(case.stall, Some(text), now, effects);
        }
    }

    /// The task begins anew, and with it its time.
    pub(super) fn forget_stall(&mut self, task: TaskId) {
        self.stalls.forget(task);
        self.cases.retain(|case| case.stall.task != task);
    }

    fn stalled(
        &mut self,
        stall: Stall,
        stack: Option<String>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let task = stall.task;
        let component = self.component_of(task);
        let StallPolicy { then, .. } = self.stall_policy(task);
        let span = show_duration(Duration::from_secs(stall.span.as_secs()));
        let reason = format!("made no progress for {span} while input waited");
        effects.push(Effect::Notify(RunEvent::Stalled {
            component: component.clone(),
            task,
            from: stall.from.clone(),
            span: stall.span,
            queued_bytes: stall.queued_bytes,
            held: stall.held,
            stack: stack.clone(),
            then,
        }));
        // It may have gone on while it was asked.
        if self.stalls.is_over(task) {
            return;
        }
        match then {
            OnStall::Report => {}
            OnStall::Stop => {
                let reason = format!("{component} (task {task}) {reason}");
                self.finish(Finish::Failed { reason, detail: stack }, effects);
            }
            OnStall::Restart => {
                if let Some(planned) = self.plan.task(task) {
                    let restart = ToWorker::Restart { task, reason };
                    effects.push(Effect::Send(planned.worker, restart));
                }
                let deadline = now + RESTART_WITHIN;
                self.cases.push(Case { stall, deadline, awaits: Awaited::Restart });
            }
        }
    }

    fn replace_worker_of(&mut self, task: TaskId, effects: &mut Vec<Effect>) {
        if let Some(planned) = self.plan.task(task).filter(|_| !self.stalls.is_over(task)) {
            effects.push(Effect::Kill(planned.worker));
        }
    }

    fn stall_policy(&self, task: TaskId) -> StallPolicy {
        let planned = self.plan.task(task).map(|task| self.plan.component(task.component));
        planned.map(|component| component.stall.clone()).unwrap_or_default()
    }
}
