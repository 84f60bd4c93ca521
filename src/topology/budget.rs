//! How many bytes a plan's queues can hold at most, and how many messages those can keep in flight.
//!
//! Pure. What a queue does when its budget is spent is the executor's business.

use std::collections::{BTreeSet, VecDeque};

use crate::base::{ByteSize, ComponentIdx};
use crate::component::{CHILD_INPUT_BYTES, CHILD_OUTPUT_BYTES};

use super::plan::{Plan, PlannedComponent};

/// A batch of tuples to one task closes at this many bytes, whatever the budgets are.
pub const BATCH_BYTES: usize = 64 << 10;

/// No tuple that waits somewhere is smaller.
const LEAST_TUPLE: u64 = 32;
/// What a built-in component may hold unacked, in tuples.
const HELD: u64 = 64 << 10;

/// The most bytes that can wait between tasks, all workers together: a mailbox for each consuming
/// task and each worker that feeds it, the batch that the task has in hand, what each producing task
/// may have waiting, what waits for each child process and was written by it, and a window for each
/// link between two workers. A single tuple that is larger than its budget, and what components keep
/// themselves, come on top.
pub fn worst_case_bytes(plan: &Plan) -> ByteSize {
    let components = (0..plan.components.len()).map(|index| ComponentIdx(index as u16));
    let waiting = |index| {
        [in_front, behind, in_pipes]
            .map(|bytes| bytes(plan, index))
            .into_iter()
            .fold(0, u64::saturating_add)
    };
    let tasks: u64 = components.map(waiting).fold(0, u64::saturating_add);
    ByteSize(tasks.saturating_add(links(plan).saturating_mul(plan.settings.link_window.0)))
}

/// Messages that may wait behind inputs that do not block: they come on top of a spout's
/// `max_spout_pending`, so that a branch that is full of them cannot stop the spout after all.
pub fn messages_aside(plan: &Plan, spout: ComponentIdx) -> usize {
    let aside = aside(plan, spout);
    let mut tuples = 0_u64;
    for &index in &aside {
        let component = plan.component(index);
        let held = component.options.get("max_in_flight").and_then(serde_json::Value::as_u64);
        let tasks = plan.tasks_of(index).count() as u64;
        let queues = [in_front, behind, in_pipes, lanes_into].map(|bytes| bytes(plan, index));
        let waiting = queues.into_iter().fold(0, u64::saturating_add);
        let held = held.unwrap_or(0).saturating_add(HELD).saturating_mul(tasks);
        tuples = tuples.saturating_add(waiting / LEAST_TUPLE).saturating_add(held);
    }
    usize::try_from(tuples).unwrap_or(usize::MAX)
}

/// The components that a spout's messages reach by an input that does not block, and all behind them.
fn aside(plan: &Plan, spout: ComponentIdx) -> BTreeSet<ComponentIdx> {
    let (mut reached, mut aside) = (BTreeSet::new(), BTreeSet::new());
    let mut next = VecDeque::from([(spout, false)]);
    while let Some((component, is_aside)) = next.pop_front() {
        for (consumer, input) in plan.consumers_of(component) {
            let is_aside = is_aside || !input.on_full.blocks();
            let seen = if is_aside { &mut aside } else { &mut reached };
            if seen.insert(consumer) {
                next.push_back((consumer, is_aside));
            }
        }
    }
    aside
}

/// Bytes in the mailboxes of a component's tasks and in their hands.
fn in_front(plan: &Plan, index: ComponentIdx) -> u64 {
    let feeding = feeding_workers(plan, plan.component(index)).len() as u64;
    if feeding == 0 {
        return 0;
    }
    let tasks = plan.tasks_of(index).count() as u64;
    let mailboxes = feeding.saturating_mul(plan.settings.mailbox.0);
    tasks.saturating_mul(mailboxes.saturating_add(BATCH_BYTES as u64))
}

/// Bytes that wait on the way out of a component's tasks.
fn behind(plan: &Plan, index: ComponentIdx) -> u64 {
    let consumers = |blocking: bool| {
        let inputs =
            plan.consumers_of(index).filter(|(_, input)| input.on_full.blocks() == blocking);
        let consumers: BTreeSet<_> = inputs.map(|(consumer, _)| consumer).collect();
        consumers.into_iter().map(|consumer| plan.tasks_of(consumer).count() as u64).sum::<u64>()
    };
    let budget = plan.settings.mailbox.0;
    // Lanes that block share one budget; every other one has its own.
    let blocking = match consumers(true) {
        0 => 0,
        lanes => budget.max(lanes * BATCH_BYTES as u64),
    };
    let others = consumers(false).saturating_mul(budget.max(BATCH_BYTES as u64));
    (plan.tasks_of(index).count() as u64).saturating_mul(blocking.saturating_add(others))
}

/// Bytes that wait for a component's child processes, or were written by them.
fn in_pipes(plan: &Plan, index: ComponentIdx) -> u64 {
    let children = match plan.component(index).program {
        Some(_) => plan.tasks_of(index).count() as u64,
        None => 0,
    };
    // The last frame of input may go beyond the bound by a batch.
    children * (CHILD_INPUT_BYTES + BATCH_BYTES + CHILD_OUTPUT_BYTES) as u64
}

/// Bytes that wait on lanes into a component's tasks that do not block.
fn lanes_into(plan: &Plan, index: ComponentIdx) -> u64 {
    let inputs = plan.component(index).inputs.iter().filter(|input| !input.on_full.blocks());
    let from: BTreeSet<_> = inputs.map(|input| input.from).collect();
    let producing: usize = from.iter().map(|&from| plan.tasks_of(from).count()).sum();
    let lanes = (producing * plan.tasks_of(index).count()) as u64;
    lanes.saturating_mul(plan.settings.mailbox.0.max(BATCH_BYTES as u64))
}

fn feeding_workers(plan: &Plan, component: &PlannedComponent) -> BTreeSet<usize> {
    let tasks = component.inputs.iter().flat_map(|input| plan.tasks_of(input.from));
    tasks.map(|task| task.worker.index()).collect()
}

/// Directed pairs of workers that have a link: tuples go one way, acks the other.
fn links(plan: &Plan) -> u64 {
    let mut pairs = BTreeSet::new();
    for task in &plan.tasks {
        let here = task.worker.index();
        for there in feeding_workers(plan, plan.component(task.component)) {
            if there != here {
                pairs.extend([(here, there), (there, here)]);
            }
        }
    }
    pairs.len() as u64
}
