//! What time brings: silent workers, deadlines, what is told now and then.

use std::time::Duration;

use crate::base::{BootId, Timestamp, WorkerSlot, show_duration};
use crate::component::Role;
use crate::control::ToWorker;

use super::super::event::{Finish, RunEvent};
use super::super::slot::Stage;
use super::{Coordinator, Effect, Phase};

/// A worker that was not heard for this long is killed and replaced …
const SILENT: Duration = Duration::from_secs(5);
/// … or for this long, where another worker finds it unresponsive too.
const SILENT_AND_SUSPECTED: Duration = Duration::from_millis(1500);
/// A worker that has not said hello so long after its start is killed and replaced.
const HELLO_WITHIN: Duration = Duration::from_secs(30);
/// A worker that is still there so long after it was told to leave is killed; its work is done.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(10);
/// How often time-outs are told.
pub(super) const TELL_TIMEOUTS_EVERY: Duration = Duration::from_secs(5);
/// A longer gap between two events means that the supervisor itself was stopped: ticks are events.
const OWN_PAUSE: Duration = Duration::from_secs(2);

impl Coordinator {
    /// What nobody could have heard is not held against the workers.
    pub(super) fn forgive_own_pause(&mut self, now: Timestamp) {
        let gap = now.since(self.last_event);
        self.last_event = now;
        if gap >= OWN_PAUSE {
            for slot in &mut self.slots {
                slot.heard = slot.heard.max(now);
                slot.reported = slot.reported.max(now);
            }
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let leaving = self.leave_deadline.is_some_and(|deadline| now >= deadline);
        for (number, slot) in self.slots.iter().enumerate() {
            let silent = now.since(slot.heard);
            let hangs = match slot.stage {
                Stage::Starting => silent >= HELLO_WITHIN,
                Stage::Running(_) if self.phase == Phase::Leaving => leaving,
                Stage::Running(_) => silent >= SILENT,
                // It waits for the others, or is gone.
                Stage::Bound(_) | Stage::Exited | Stage::Failed => false,
            };
            if hangs {
                effects.push(Effect::Kill(WorkerSlot(number as u16)));
            }
        }
        if self.drain_deadline.is_some_and(|deadline| now >= deadline) && !self.pause.is_on() {
            let span = show_duration(self.plan.settings.drain_timeout);
            let reason = format!("the run did not drain within {span} (drain_timeout)");
            self.finish(Finish::Failed { reason, detail: None }, effects);
        }
        if self.phase < Phase::Leaving {
            self.share_congestion(now, effects);
        }
        self.watch_stalls(now, effects);
        if now >= self.next_timeouts {
            self.next_timeouts = now + TELL_TIMEOUTS_EVERY;
            self.tell_timeouts(effects);
        }
    }

    /// Another worker finds one unresponsive; it is killed where it is silent here too.
    pub(super) fn suspect(
        &self,
        slot: WorkerSlot,
        boot: BootId,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(peer) = self.slots.get(slot.index())
            && peer.address().is_some_and(|address| address.boot == boot)
            && now.since(peer.heard) >= SILENT_AND_SUSPECTED
        {
            effects.push(Effect::Kill(slot));
        }
    }

    pub(super) fn tell_timeouts(&mut self, effects: &mut Vec<Effect>) {
        for component in &self.plan.components {
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

    /// Tells the workers which tasks hold up what is for them: those that say so, and all of a worker
    /// that stands still, until it is taken for lost.
    pub(super) fn share_congestion(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let mut tasks = self.tasks.congested();
        let message_timeout = self.plan.settings.message_timeout;
        let still = |slot: WorkerSlot| {
            let slot = self.slots.get(slot.index());
            slot.is_some_and(|slot| slot.stands_still(now, message_timeout))
        };
        tasks.extend(self.plan.tasks.iter().filter(|task| still(task.worker)).map(|task| task.id));
        tasks.sort_unstable();
        tasks.dedup();
        if tasks != self.congested {
            self.congested.clone_from(&tasks);
            self.send_all(&ToWorker::Congested { tasks }, effects);
        }
    }
}
