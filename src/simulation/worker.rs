//! One life of a worker process: its transport, tasks and children, as the worker's loop has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::ack::AckBatch;
use crate::base::{Incarnation, Signal, TaskId, Timestamp, WorkerSlot};
use crate::component::{Level, Report};
use crate::executor::simulated::SimulatedTask;
use crate::executor::{
    Congestion, CreditReturn, Mailbox, PositionStore, Refused, RemoteLink, TaskEvent,
};
use crate::transport::simulated::Node;
use crate::transport::{Inbound, Lane, TransportEvent};
use crate::worker::Outlet;

use super::books::{Books, Life};
use super::children::Script;
use super::stage::{lock, present};

pub(super) type SharedBooks = Arc<Mutex<Books>>;

pub(super) fn books(books: &SharedBooks) -> std::sync::MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task and when its loop comes round.
pub(super) struct Task {
    pub(super) engine: SimulatedTask,
    pub(super) ticket: u64,
    /// A turn is on its way that the doorbell asked for.
    pub(super) called: bool,
    pub(super) over: bool,
    pub(super) stopped_until: Timestamp,
}

/// A worker process.
pub(super) struct Worker {
    pub(super) life: Life,
    pub(super) node: Node,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tasks: Vec<Task>,
    pub(super) children: Vec<Script>,
    pub(super) congestion: Arc<Congestion>,
    pub(super) told: Option<UnboundedReceiver<TaskEvent>>,
    pub(super) noticed: Arc<Mutex<Vec<TransportEvent>>>,
    pub(super) incarnations: Vec<Incarnation>,
    pub(super) frozen_until: Timestamp,
    /// An answer that can wait is due.
    pub(super) answers_later: bool,
}

impl Worker {
    pub(super) fn mailboxes(&self) -> BTreeMap<TaskId, Arc<Mailbox>> {
        let tasks = self.tasks.iter().map(|task| &task.engine.handle);
        tasks.map(|handle| (handle.task, Arc::clone(&handle.mailbox))).collect()
    }
}

type CreditDoor = Box<dyn Fn(WorkerSlot, TaskId, usize) + Send + Sync>;

/// From the transport into mailboxes, and credit back.
pub(super) struct Inbox {
    pub(super) me: Life,
    pub(super) books: SharedBooks,
    pub(super) mailboxes: Mutex<Option<BTreeMap<TaskId, Arc<Mailbox>>>>,
    pub(super) early: Mutex<Vec<(WorkerSlot, TaskId, Lane, Bytes)>>,
    pub(super) credit: OnceLock<CreditDoor>,
}

impl Inbox {
    pub(super) fn open(&self, mailboxes: BTreeMap<TaskId, Arc<Mailbox>>) {
        *self.mailboxes.lock().unwrap() = Some(mailboxes);
        for (from, task, lane, part) in std::mem::take(&mut *self.early.lock().unwrap()) {
            self.hand_over(from, task, lane, part);
        }
    }

    fn hand_over(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        let mailboxes = self.mailboxes.lock().unwrap();
        let Some(mailboxes) = &*mailboxes else {
            return self.early.lock().unwrap().push((from, task, lane, part));
        };
        match (mailboxes.get(&task), lane) {
            (Some(mailbox), Lane::Data) => mailbox.push_part(from, part),
            (Some(mailbox), Lane::Ack) => match AckBatch::decode(&part) {
                Ok(batch) => mailbox.push_acks(batch),
                Err(error) => books(&self.books).violations.push(error.to_string()),
            },
            (None, _) => {
                let text = format!("a part came for task {task}, which {:?} has not", self.me);
                books(&self.books).violations.push(text);
            }
        }
    }
}

impl Inbound for Inbox {
    fn deliver(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        books(&self.books).delivered(self.me, task, lane, part.len() as u64);
        self.hand_over(from, task, lane, part);
    }
}

impl CreditReturn for Inbox {
    fn credit_back(&self, from: WorkerSlot, task: TaskId, bytes: usize) {
        books(&self.books).taken(self.me, from, task, bytes as u64);
        if let Some(back) = self.credit.get() {
            back(from, task, bytes);
        }
    }
}

/// The way to one other worker, with an eye on what goes.
pub(super) struct Way {
    pub(super) outlet: Outlet,
    pub(super) me: Life,
    pub(super) to: WorkerSlot,
    pub(super) books: SharedBooks,
}

impl Way {
    fn note(&self, task: TaskId, lane: Lane, bytes: usize, sent: &Result<(), Refused>) {
        if sent.is_ok() {
            books(&self.books).sent(self.me, self.to, task, lane, bytes as u64);
        }
    }
}

impl RemoteLink for Way {
    fn try_send(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused> {
        let bytes = part.len();
        let sent = self.outlet.try_send(task, part, waiter);
        self.note(task, Lane::Data, bytes, &sent);
        sent
    }

    fn try_send_acks(&self, task: TaskId, part: Vec<u8>, waiter: &Signal) -> Result<(), Refused> {
        let bytes = part.len();
        let sent = self.outlet.try_send_acks(task, part, waiter);
        self.note(task, Lane::Ack, bytes, &sent);
        sent
    }
}

/// The run's folder of positions.
#[derive(Debug, Default)]
pub(super) struct Positions {
    kept: Mutex<BTreeMap<TaskId, Value>>,
    /// How often a message is given out again before it becomes a dead letter.
    retries: u32,
}

impl Positions {
    pub(super) fn new(retries: u32) -> Self {
        Self { kept: Mutex::default(), retries }
    }
}

impl PositionStore for Positions {
    fn save(&self, task: TaskId, position: &Value) {
        self.kept.lock().unwrap().insert(task, position.clone());
    }

    fn load(&self, task: TaskId) -> Option<Value> {
        self.kept.lock().unwrap().get(&task).cloned()
    }

    fn dead_letters(&self, _: &Path, lines: &[u8]) -> std::io::Result<()> {
        let stage = present();
        let mut stage = lock(&stage);
        if stage.mischief(300) {
            return Err(std::io::Error::other("the disk is full"));
        }
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let letter: Value = serde_json::from_slice(line)?;
            let message = letter["values"][0].as_u64().expect("values are numbers");
            stage.oracle.buried(message, self.retries);
            stage.seen.letters += 1;
            stage.say(|| format!("message {message} is a dead letter"));
        }
        Ok(())
    }
}

/// Where logs go: a run says nothing to people.
pub(super) struct Silence;

impl Report for Silence {
    fn log(&self, _: Level, _: &str) {}
    fn error(&self, _: &str, _: Option<&str>) {}
}

/// A folder that no other run has, for what the process remembers by folder.
pub(super) fn run_dir() -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static RUNS: AtomicU64 = AtomicU64::new(0);
    PathBuf::from(format!("/simulated/{}", RUNS.fetch_add(1, Relaxed)))
}
