//! From the transport into mailboxes, and credit back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::ack::AckBatch;
use crate::base::{TaskId, WorkerSlot};
use crate::executor::{CreditReturn, Mailbox, TaskHandle};
use crate::metrics::DropReason;
use crate::transport::{Inbound, Lane, Transport};

/// Hands parts to the tasks of this worker. Parts that come before the tasks exist wait; their
/// number is bounded by the senders' credit.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    tasks: OnceLock<BTreeMap<TaskId, TaskHandle>>,
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

    /// Opens the mailboxes.
    pub(super) fn set_tasks(&self, handles: &[TaskHandle]) {
        let tasks = handles.iter().map(|handle| (handle.task, handle.clone())).collect();
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tasks.set(tasks).is_err() {
            tracing::error!("the tasks were set twice");
        }
        for (from, task, lane, part) in early.drain(..) {
            self.hand_over(from, task, lane, part);
        }
    }

    fn hand_over(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        let tasks = self.tasks.get().expect("the tasks are set before parts are handed over");
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
        if self.tasks.get().is_none() {
            let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            // The tasks may have been set in the meantime: order is kept under the lock.
            if self.tasks.get().is_none() {
                early.push((from, task, lane, part));
                return;
            }
        }
        self.hand_over(from, task, lane, part);
    }
}

impl CreditReturn for Inbox {
    fn credit_back(&self, from: WorkerSlot, task: TaskId, bytes: usize) {
        if let Some(transport) = self.transport.get() {
            transport.return_credit(from, task, bytes);
        }
    }
}
