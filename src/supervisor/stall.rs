//! Which tasks make no progress although input waits for them. Pure: time comes in with the reports.
//!
//! A task whose own output is full is not to blame: the one that does not take it is. Time in which
//! nobody was heard (a machine or a supervisor that stood still) counts for little.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{TaskId, Timestamp};
use crate::control::TaskReport;
use crate::topology::Plan;

/// The longest span between two reports that counts; they come several times a second.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// A task that has stalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stall {
    pub(super) task: TaskId,
    /// The components whose tuples wait: those that it holds up, or else all that it takes from.
    pub(super) from: Vec<String>,
    /// For how long.
    pub(super) span: Duration,
    /// Bytes that wait in its mailbox.
    pub(super) queued_bytes: u64,
    /// Tuples that it was given and has neither acked nor failed.
    pub(super) held: u64,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    /// What changes with each step forward.
    progress: [u64; 5],
    still: Duration,
    last: Timestamp,
    wanted: bool,
    blocked_on: Option<TaskId>,
    queued_bytes: u64,
    held: u64,
    told: bool,
}

/// What is known of all tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Stalls(BTreeMap<TaskId, Standing>);

impl Stalls {
    /// Takes a task's report.
    pub(super) fn note(&mut self, report: &TaskReport, now: Timestamp) {
        let standing = self.0.entry(report.task).or_default();
        let counters = &report.counters;
        let progress = [
            counters.executed,
            counters.emitted,
            counters.acked,
            counters.failed,
            counters.restarts,
        ];
        let is_still = report.wanted && standing.wanted && progress == standing.progress;
        if is_still && report.blocked_on.is_none() && standing.blocked_on.is_none() {
            standing.still += now.since(standing.last).min(LONGEST_STEP);
        } else {
            (standing.still, standing.told) = (Duration::ZERO, false);
        }
        standing.progress = progress;
        standing.last = now;
        standing.wanted = report.wanted;
        standing.blocked_on = report.blocked_on;
        standing.queued_bytes = counters.queued_bytes;
        standing.held = counters.pending;
    }

    /// The task begins anew.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }

    /// All begin anew.
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    /// Whether the task has made progress since it was found.
    pub(super) fn is_over(&self, task: TaskId) -> bool {
        self.0.get(&task).is_none_or(|standing| !standing.told)
    }

    /// Tasks that have stalled and were not found before.
    pub(super) fn find(&mut self, plan: &Plan) -> Vec<Stall> {
        let found: Vec<TaskId> = self
            .0
            .iter()
            .filter(|(task, standing)| !standing.told && standing.still >= after(plan, **task))
            .map(|(task, _)| *task)
            .collect();
        found.into_iter().filter_map(|task| self.describe(task, plan)).collect()
    }

    fn describe(&mut self, task: TaskId, plan: &Plan) -> Option<Stall> {
        let from = self.producers(task, plan);
        let standing = self.0.get_mut(&task)?;
        standing.told = true;
        let (span, queued_bytes, held) = (standing.still, standing.queued_bytes, standing.held);
        Some(Stall { task, from, span, queued_bytes, held })
    }

    fn producers(&self, task: TaskId, plan: &Plan) -> Vec<String> {
        let Some(planned) = plan.task(task) else { return Vec::new() };
        let mut all: Vec<_> =
            plan.component(planned.component).inputs.iter().map(|input| input.from).collect();
        all.sort_unstable();
        all.dedup();
        let held_up = |from: &_| {
            plan.tasks_of(*from).any(|producer| {
                self.0.get(&producer.id).is_some_and(|found| found.blocked_on == Some(task))
            })
        };
        let blocked: Vec<_> = all.iter().copied().filter(held_up).collect();
        let named = if blocked.is_empty() { all } else { blocked };
        named.into_iter().map(|index| plan.component(index).name.clone()).collect()
    }
}

/// How long a task may stand still; for ever where its component says so.
fn after(plan: &Plan, task: TaskId) -> Duration {
    let component = plan.task(task).map(|task| plan.component(task.component));
    let after = component.map(|component| component.stall.after).unwrap_or_default();
    if after.is_zero() { Duration::MAX } else { after }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::metrics::TaskSnapshot;
    use crate::supervisor::coordinator::tests::{chain, millis};

    use super::*;

    const LINES: u32 = 1;
    const SPLIT: u32 = 2;
    const COUNT: u32 = 3;

    struct Bench {
        stalls: Stalls,
        plan: Plan,
        now: Timestamp,
        found: Vec<Stall>,
    }

    impl Bench {
        /// lines -> split -> count; bolts stall after 3 s.
        fn new() -> Self {
            let (stalls, plan) = (Stalls::default(), chain(Duration::from_secs(3)));
            Self { stalls, plan, now: millis(0), found: Vec::new() }
        }

        fn report(&mut self, task: u32, executed: u64, blocked_on: Option<u32>) {
            let counters =
                TaskSnapshot { executed, pending: 7, queued_bytes: 99, ..Default::default() };
            let report = TaskReport {
                task: TaskId(task),
                counters,
                congested: false,
                wanted: true,
                blocked_on: blocked_on.map(TaskId),
                user: BTreeMap::new(),
            };
            self.stalls.note(&report, self.now);
        }

        fn pass(&mut self, millis: u64, mut reports: impl FnMut(&mut Self)) {
            for _ in 0..millis / 200 {
                self.now = self.now + Duration::from_millis(200);
                reports(self);
                self.found.extend(self.stalls.find(&self.plan));
            }
        }
    }

    #[test]
    fn a_task_that_stands_still_is_found_once_with_its_edge() {
        let mut bench = Bench::new();
        bench.pass(10_000, |bench| bench.report(COUNT, 5, None));
        let [stall] = &bench.found[..] else { panic!("{:?}", bench.found) };
        assert_eq!((stall.task, stall.from.as_slice()), (TaskId(COUNT), &["split".to_owned()][..]));
        assert_eq!((stall.held, stall.queued_bytes), (7, 99));
        assert!(stall.span >= Duration::from_secs(3));
        assert!(!bench.stalls.is_over(TaskId(COUNT)));
        bench.pass(200, |bench| bench.report(COUNT, 6, None));
        assert!(bench.stalls.is_over(TaskId(COUNT)));
        bench.pass(10_000, |bench| bench.report(COUNT, 6, None));
        assert_eq!(bench.found.len(), 2, "a second stall is found too");
    }

    #[test]
    fn a_task_that_is_held_up_is_not_to_blame() {
        let mut bench = Bench::new();
        bench.pass(10_000, |bench| {
            bench.report(LINES, 0, Some(SPLIT));
            bench.report(SPLIT, 5, Some(COUNT));
            bench.report(COUNT, 5, None);
        });
        let tasks: Vec<_> = bench.found.iter().map(|stall| stall.task).collect();
        assert_eq!(tasks, [TaskId(COUNT)]);
    }

    #[test]
    fn slow_is_not_stalled() {
        let mut bench = Bench::new();
        let mut executed = 0;
        bench.pass(20_000, |bench| {
            executed += u64::from(bench.now.0 % 2_000_000_000 == 0);
            bench.report(COUNT, executed, None);
        });
        assert_eq!(bench.found, []);
    }

    #[test]
    fn time_in_which_nobody_was_heard_is_no_stall() {
        let mut bench = Bench::new();
        bench.pass(1_000, |bench| bench.report(COUNT, 5, None));
        bench.now = bench.now + Duration::from_secs(3600);
        bench.pass(200, |bench| bench.report(COUNT, 5, None));
        assert_eq!(bench.found, []);
        // Reports that had piled up come at once.
        (0..1000).for_each(|_| bench.report(COUNT, 5, None));
        bench.pass(200, |bench| bench.report(COUNT, 5, None));
        assert_eq!(bench.found, []);
    }

    #[test]
    fn a_component_without_a_limit_may_stand_still() {
        let mut bench = Bench::new();
        bench.plan = chain(Duration::ZERO);
        bench.pass(100_000, |bench| bench.report(COUNT, 5, None));
        assert_eq!(bench.found, []);
    }
}
