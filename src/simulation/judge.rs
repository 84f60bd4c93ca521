//! What the supervisor and the restarts decide, held against what the plan says.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::WorkerSlot;
use crate::supervisor::Finish;

use super::stage::lock;
use super::world::World;

impl World {
    pub(super) fn check_placement(&self) {
        let plan = &self.scenario.plan;
        let ids: BTreeSet<_> = plan.tasks.iter().map(|task| task.id).collect();
        if ids.len() != plan.tasks.len() {
            self.violated("a task is placed twice".to_owned());
        }
        let placed = (0..plan.settings.workers).map(|slot| plan.tasks_on(WorkerSlot(slot)).count());
        if placed.sum::<usize>() != plan.tasks.len() {
            self.violated("a task stands on no worker".to_owned());
        }
    }

    /// A worker is to be replaced: is that within the policy?
    pub(super) fn check_replacement(&mut self, slot: WorkerSlot, delay: Duration) {
        let now = self.now;
        let policy = self.scenario.plan.settings.worker_restart.clone();
        let replaced = self.replaced.entry(slot).or_default();
        replaced.push(now);
        let recent = replaced.iter().filter(|at| now.since(**at) <= policy.within).count();
        if recent > policy.max as usize {
            self.violated(format!("worker {slot} was replaced {recent} times"));
        }
        if delay < policy.backoff_least / 2 || delay > policy.backoff_greatest {
            self.violated(format!("worker {slot} is replaced after {delay:?}"));
        }
    }

    /// The run has ended: was it right to, and is all done?
    pub(super) fn check_end(&mut self) {
        self.check_restarts();
        let finish = self.finish.clone().expect("it has ended");
        match &finish {
            Finish::Complete => {
                let wanted = self.wanted();
                lock(&self.stage).oracle.check_end(&wanted);
            }
            // Final results that were on their way from a worker that was lost.
            Finish::MemoryLost(_) if lock(&self.stage).seen.deaths > 0 => {
                let wanted = self.wanted();
                lock(&self.stage).oracle.check_end(&wanted);
            }
            Finish::Failed { reason, .. } if self.may_fail(reason) => {}
            other => self.violated(format!("the run ended so: {other:?}")),
        }
    }

    /// Whether what went wrong is reason enough to fail.
    fn may_fail(&self, reason: &str) -> bool {
        let deaths = lock(&self.stage).seen.deaths;
        let mut components = self.scenario.plan.components.iter();
        let small_budget = components.any(|component| component.restart.max < 1_000);
        small_budget && reason.contains("(restarted ")
            || deaths > u64::from(self.scenario.plan.settings.worker_restart.max)
                && reason.contains("ended too often")
    }

    pub(super) fn check_restarts(&self) {
        // Deaths that one tuple is to blame for are free, and a spout has none in hand.
        let spouts = self.restarts.iter().filter(|((_, task), _)| self.scenario.is_spout(*task));
        for ((life, task), times) in spouts {
            let planned = self.scenario.plan.task(*task).expect("a task of the plan");
            let policy = &self.scenario.plan.component(planned.component).restart;
            for (place, first) in times.iter().enumerate() {
                let within = times[place..].iter().filter(|at| at.since(*first) < policy.within);
                let count = within.count();
                if count > policy.max as usize {
                    self.violated(format!("task {task} of {life:?} was restarted {count} times"));
                }
            }
        }
    }
}
