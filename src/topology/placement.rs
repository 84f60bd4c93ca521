//! Which worker runs which task. Pure.
//!
//! Tasks are numbered from 1 in the order of the components and dealt out to the workers in turn,
//! one deal going on where the last component's ended. So the tasks of a component are spread as
//! evenly as can be, no worker has more than one task more than another, and the same file
//! always gives the same plan.

use crate::base::{ComponentIdx, TaskId, WorkerSlot};

use super::plan::PlannedTask;

/// Deals `parallelism[c]` tasks of each component out to `workers` workers (at least one).
pub(crate) fn place(parallelism: &[usize], workers: u16) -> Vec<PlannedTask> {
    let workers = usize::from(workers.max(1));
    let mut tasks = Vec::with_capacity(parallelism.iter().sum());
    for (component, &count) in parallelism.iter().enumerate() {
        for index in 0..count {
            let dealt = tasks.len();
            tasks.push(PlannedTask {
                id: TaskId(dealt as u32 + 1),
                component: ComponentIdx(component as u16),
                index,
                worker: WorkerSlot((dealt % workers) as u16),
            });
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deals_go_on_where_the_last_ended() {
        let tasks = place(&[1, 2, 2], 2);
        let placed: Vec<_> = tasks
            .iter()
            .map(|task| (task.id.0, task.component.0, task.index, task.worker.0))
            .collect();
        assert_eq!(placed, [(1, 0, 0, 0), (2, 1, 0, 1), (3, 1, 1, 0), (4, 2, 0, 1), (5, 2, 1, 0)]);
    }

    proptest! {
        #[test]
        fn no_worker_has_more_than_one_task_more_than_another(
            parallelism in proptest::collection::vec(1_usize..20, 1..10),
            workers in 1_u16..9,
        ) {
            let tasks = place(&parallelism, workers);
            let spread = |component: Option<u16>| {
                let counts = (0..workers).map(|worker| {
                    let mine = tasks.iter().filter(|task| task.worker.0 == worker);
                    mine.filter(|task| component.is_none_or(|c| task.component.0 == c)).count()
                });
                let counts: Vec<_> = counts.collect();
                counts.iter().max().unwrap() - counts.iter().min().unwrap()
            };
            prop_assert!(spread(None) <= 1);
            for component in 0..parallelism.len() {
                prop_assert!(spread(Some(component as u16)) <= 1);
            }
        }
    }
}
