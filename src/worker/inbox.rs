//! From the transport into mailboxes, and credit back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::ack::AckBatch;
use crate::base::{TaskId, WorkerSlot};
use crate::executor::{CreditReturn, Mailbox, TaskHandle};
use crate::metrics::DropReason;
use crate::transport::{Inbound, Lane, Transport};

type Tasks = BTreeMap<TaskId, TaskHandle>;

/// Hands parts to the tasks of this worker. Parts that come before the tasks exist wait; their
/// number is bounded by the senders' credit.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    tasks: OnceLock<Tasks>,
    early: Mutex<Vec<(WorkerSlot, TaskId, Lane, Bytes)>>,
    transport: OnceLock<Arc<Transport>>,
}

impl Inbox {
    /// Says where credit goes back; before the tasks are set.
    pub(super) fn set_transport(&self, transport: Arc<Transport>) {
        if self.transport.set(transport).is_err() {
            tracing::error!("the transport was set twice");
        }
    }

    /// Opens the mailboxes. What came early goes first: until it is all in, the tasks are not set, and
    /// what comes now waits for the lock.
    pub(super) fn set_tasks(&self, handles: &[TaskHandle]) {
        let tasks = handles.iter().map(|handle| (handle.task, handle.clone())).collect();
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        for (from, task, lane, part) in early.drain(..) {
            self.hand_over(&tasks, from, task, lane, part);
        }
        if self.tasks.set(tasks).is_err() {
            tracing::error!("the tasks were set twice");
        }
    }

    fn hand_over(&self, tasks: &Tasks, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        let Some(handle) = tasks.get(&task) else {
            let reason = DropReason::UnknownTask.as_str();
            tracing::error!(task = task.0, from = from.0, reason, "a part was dropped");
            if lane == Lane::Data {
                self.credit_back(from, task, part.len());
            }
            return;
        };
        match lane {
            Lane::Data => handle.mailbox.push_part(from, part),
            Lane::Ack => push_acks(&handle.mailbox, handle, from, &part),
        }
    }
}

fn push_acks(mailbox: &Mailbox, handle: &TaskHandle, from: WorkerSlot, part: &[u8]) {
    match AckBatch::decode(part) {
        Ok(batch) => mailbox.push_acks(batch),
        Err(error) => {
            handle.counters.count_dropped(DropReason::Malformed, 1);
            tracing::error!(from = from.0, %error, "an ack part was dropped");
        }
    }
}

impl Inbound for Inbox {
    fn deliver(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        if let Some(tasks) = self.tasks.get() {
            return self.hand_over(tasks, from, task, lane, part);
        }
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        // The tasks may have been set in the meantime.
        match self.tasks.get() {
            Some(tasks) => self.hand_over(tasks, from, task, lane, part),
            None => early.push((from, task, lane, part)),
        }
    }
}

impl CreditReturn for Inbox {
    fn credit_back(&self, from: WorkerSlot, task: TaskId, bytes: usize) {
        if let Some(transport) = self.transport.get() {
            transport.return_credit(from, task, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Signal;
    use crate::executor::Delivery;

    use super::*;

    #[test]
    fn what_came_early_is_not_overtaken() {
        const TASK: TaskId = TaskId(1);
        for _ in 0..20 {
            let inbox = Inbox::default();
            let deliver = |number: u32| {
                let part = Bytes::copy_from_slice(&number.to_le_bytes());
                inbox.deliver(WorkerSlot(1), TASK, Lane::Data, part);
            };
            (0..2_000).for_each(deliver);
            let mailbox = Arc::new(Mailbox::new(1, Signal::new()));
            let handle = TaskHandle::new(TASK, Arc::clone(&mailbox));
            std::thread::scope(|scope| {
                scope.spawn(|| (2_000..4_000).for_each(deliver));
                inbox.set_tasks(&[handle]);
            });
            let parts = std::iter::from_fn(|| mailbox.take());
            let numbers = parts.map(|delivery| match delivery {
                Delivery::Part(_, part) => u32::from_le_bytes(part[..].try_into().unwrap()),
                other => panic!("{other:?}"),
            });
            assert!(numbers.eq(0..4_000), "parts are out of order");
        }
    }
}
