//! The counters of all tasks, summed over the lives of their workers. Pure.

use std::collections::BTreeMap;

use crate::base::TaskId;
use crate::control::{RunState, TaskReport};
use crate::metrics::{FailReason, TaskSnapshot};
use crate::topology::Plan;

use super::event::{ComponentCounts, TaskTime, Totals};

/// What is known of one task.
#[derive(Clone, Debug)]
pub(super) struct TaskRecord {
    pub(super) state: RunState,
    /// It had come to its end, in this life of its worker or an earlier one.
    pub(super) has_ended: bool,
    /// Counters of earlier lives of its worker.
    earlier: TaskSnapshot,
    pub(super) now: TaskSnapshot,
    pub(super) congested: bool,
    /// Time-outs that have been told.
    told_timeouts: u64,
}

/// All tasks.
#[derive(Clone, Debug)]
pub(super) struct TaskLedger(BTreeMap<TaskId, TaskRecord>);

impl TaskLedger {
    pub(super) fn new(plan: &Plan) -> Self {
        let record = || TaskRecord {
            state: RunState::Starting,
            has_ended: false,
            earlier: TaskSnapshot::default(),
            now: TaskSnapshot::default(),
            congested: false,
            told_timeouts: 0,
        };
        Self(plan.tasks.iter().map(|task| (task.id, record())).collect())
    }

    pub(super) fn get(&self, task: TaskId) -> Option<&TaskRecord> {
        self.0.get(&task)
    }

    pub(super) fn set_state(&mut self, task: TaskId, state: RunState) {
        if let Some(record) = self.0.get_mut(&task) {
            record.state = state;
            record.has_ended |= state == RunState::Ended;
        }
    }

    pub(super) fn report(&mut self, report: TaskReport) {
        if let Some(record) = self.0.get_mut(&report.task) {
            record.now = report.counters;
            record.congested = report.congested;
        }
    }

    /// The task's worker is gone: its counters are final, its gauges are over.
    pub(super) fn bury(&mut self, task: TaskId) {
        if let Some(record) = self.0.get_mut(&task) {
            let mut last = std::mem::take(&mut record.now);
            (last.pending, last.queued_bytes) = (0, 0);
            (last.keeps_memory, last.open_finals) = (0, 0);
            record.earlier.add(&last);
            record.state = RunState::Starting;
            record.congested = false;
        }
    }

    pub(super) fn congested(&self) -> Vec<TaskId> {
        let congested = self.0.iter().filter(|(_, record)| record.congested);
        congested.map(|(task, _)| *task).collect()
    }

    /// Time-outs of a task since this was last asked.
    pub(super) fn take_timeouts(&mut self, task: TaskId) -> u64 {
        let Some(record) = self.0.get_mut(&task) else {
            return 0;
        };
        let timed_out = |snapshot: &TaskSnapshot| {
            snapshot.failed_by.get(FailReason::TimedOut as usize).copied().unwrap_or(0)
        };
        let all = timed_out(&record.earlier) + timed_out(&record.now);
        let fresh = all.saturating_sub(record.told_timeouts);
        record.told_timeouts = all;
        fresh
    }

    /// Where a task's time has gone.
    fn time_of(&self, task: TaskId) -> Option<TaskTime> {
        let record = self.0.get(&task)?;
        let TaskRecord { earlier, now, .. } = record;
        let both = TaskSnapshot {
            busy_ns: earlier.busy_ns + now.busy_ns,
            blocked_ns: earlier.blocked_ns + now.blocked_ns,
            idle_ns: earlier.idle_ns + now.idle_ns,
            ..TaskSnapshot::default()
        };
        let [busy, blocked, idle] = both.time()?;
        Some(TaskTime { task, busy, blocked, idle })
    }

    /// Counters by component.
    pub(super) fn totals(&self, plan: &Plan, rss: u64) -> Totals {
        let components = plan.components.iter().enumerate().map(|(index, component)| {
            let mut counters = TaskSnapshot::default();
            let tasks: Vec<_> =
                plan.tasks.iter().filter(|task| task.component.index() == index).collect();
            for record in tasks.iter().filter_map(|task| self.0.get(&task.id)) {
                counters.add(&record.earlier);
                counters.add(&record.now);
            }
            let (name, role) = (component.name.clone(), component.role);
            let time = tasks.iter().filter_map(|task| self.time_of(task.id)).collect();
            ComponentCounts { component: name, role, tasks: tasks.len(), counters, time }
        });
        Totals { components: components.collect(), rss }
    }
}
