//! How much memory a plan's queues can take at most.

use crate::base::{ByteSize, ComponentIdx};
use crate::topology::Plan;

/// The most bytes that can wait in queues between tasks, all workers together: a mailbox for each
/// consuming task and each worker that feeds it, and a window for each link between two
/// workers. What components hold themselves, and what a child process buffers, comes on top.
pub fn worst_case_bytes(plan: &Plan) -> ByteSize {
    let workers = usize::from(plan.settings.workers);
    let mut mailboxes: u64 = 0;
    let mut linked = vec![false; workers * workers];
    for (index, component) in plan.components.iter().enumerate() {
        let mut feeding: Vec<usize> = component
            .inputs
            .iter()
            .flat_map(|input| plan.tasks_of(input.from))
            .map(|task| task.worker.index())
            .collect();
        feeding.sort_unstable();
        feeding.dedup();
        for task in plan.tasks_of(ComponentIdx(index as u16)) {
            mailboxes += feeding.len() as u64;
            let here = task.worker.index();
            for &there in feeding.iter().filter(|&&there| there != here) {
                // Tuples go one way, acks the other.
                linked[there * workers + here] = true;
                linked[here * workers + there] = true;
            }
        }
    }
    let links = linked.iter().filter(|linked| **linked).count() as u64;
    let settings = &plan.settings;
    let mailboxes = mailboxes.saturating_mul(settings.mailbox.0);
    ByteSize(mailboxes.saturating_add(links.saturating_mul(settings.link_window.0)))
}

/// "at most 3.5MiB waiting in queues"
pub fn memory_line(plan: &Plan) -> String {
    format!("at most {} waiting in queues", worst_case_bytes(plan))
}
