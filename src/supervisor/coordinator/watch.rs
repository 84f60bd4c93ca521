//! What the coordinator notices as time passes: silent workers, drains without end, time-outs, congestion.

use std::time::Duration;

use crate::base::{Timestamp, WorkerSlot};
use crate::component::Role;
use crate::control::ToWorker;

use super::super::event::{Finish, RunEvent};
use super::super::slot::Stage;
use super::{Coordinator, Effect, Phase, TELL_TIMEOUTS_EVERY};

/// A worker that was not heard for this long is killed and replaced.
const SILENT: Duration = Duration::from_secs(5);
/// A longer gap between two looks at the clock means that the supervisor itself was stopped.
const OWN_PAUSE: Duration = Duration::from_secs(2);

impl Coordinator {
    pub(super) fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let gap = now.since(self.last_tick);
        self.last_tick = now;
        if gap >= OWN_PAUSE {
            for slot in &mut self.slots {
                slot.heard = now;
            }
        }
        for (number, slot) in self.slots.iter().enumerate() {
            let watched = matches!(slot.stage, Stage::Running(_)) && self.phase < Phase::Leaving;
            if watched && now.since(slot.heard) >= SILENT {
                effects.push(Effect::Kill(WorkerSlot(number as u16)));
            }
        }
        if self.drain_deadline.is_some_and(|deadline| now >= deadline) {
            let span = crate::base::show_duration(self.plan.settings.drain_timeout);
            let reason = format!("the run did not drain within {span} (drain_timeout)");
            self.finish(Finish::Failed { reason, detail: None }, effects);
        }
        if now >= self.next_timeouts {
            self.next_timeouts = now + TELL_TIMEOUTS_EVERY;
            self.tell_timeouts(effects);
        }
    }

    fn tell_timeouts(&mut self, effects: &mut Vec<Effect>) {
        for component in &self.plan.components {
            if component.role != Role::Spout {
                continue;
            }
            let tasks = self
                .plan
                .tasks
                .iter()
                .filter(|task| self.plan.component(task.component).name == component.name);
            let count = tasks.map(|task| self.tasks.take_timeouts(task.id)).sum();
            if count > 0 {
                let totals = self.tasks.totals(&self.plan, 0).components.into_iter();
                let holding = totals
                    .filter(|other| other.role == Role::Bolt && other.counters.pending > 0)
                    .map(|other| (other.component, other.counters.pending));
                effects.push(Effect::Notify(RunEvent::TimedOut {
                    component: component.name.clone(),
                    count,
                    holding: holding.collect(),
                }));
            }
        }
    }

    pub(super) fn share_congestion(&mut self, effects: &mut Vec<Effect>) {
        let tasks = self.tasks.congested();
        if tasks != self.congested {
            self.congested.clone_from(&tasks);
            self.send_all(&ToWorker::Congested { tasks }, effects);
        }
    }
}
