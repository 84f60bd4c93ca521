//! A task with a mailbox, and what surrounds it: its consumer, and the spout that it acks to, are
//! mailboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::ack::{AckBatch, EdgeSums, WorkerView};
use crate::base::{
    Alarms, ByteSize, EdgeId, Incarnation, RootId, Runtimes, Signal, StreamIdx, TaskId, WorkerSlot,
};
use crate::component::{Bolt, Component, Context, Level, Report, Reporter, Spout, StreamDecl};
use crate::grouping::{Chooser, Grouping, GroupingName, Target};
use crate::metrics::{FailReason, TaskCounters, UserMetrics};
use crate::topology::{Guarantee, LinkKind, OnFull, RestartPolicy, RetryPolicy, Settings, Then};
use crate::tuple::{Anchor, Tuple, Value};

use super::super::bolt_task::BoltTask;
use super::super::emit::{AckWay, Output};
use super::super::hours::Hours;
use super::super::housing::{Build, Housing, Status};
use super::super::lane::{Destination, Lane};
use super::super::routes::{Route, Routes, StreamRoutes};
use super::super::runs::Runs;
use super::super::spout_task::SpoutTask;
pub(super) use super::super::*;

/// The task under test.
pub(super) const TASK: TaskId = TaskId(1);
/// The task that it takes from, where it is a bolt; also the spout that it acks to.
pub(super) const PRODUCER: TaskId = TaskId(9);

/// Keeps what a task's surroundings are told.
#[derive(Default)]
pub(super) struct Surroundings {
    begun: Mutex<BTreeSet<TaskId>>,
    pub(super) logged: Mutex<Vec<String>>,
}

impl CreditReturn for Surroundings {
    fn credit_back(&self, _: WorkerSlot, _: TaskId, _: usize) {}
}

impl PositionStore for Surroundings {
    fn save(&self, _: TaskId, _: &serde_json::Value) {}

    fn load(&self, _: TaskId) -> Option<serde_json::Value> {
        None
    }

    fn dead_letters(&self, _: &Path, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn begun(&self, task: TaskId) -> bool {
        self.begun.lock().unwrap().contains(&task)
    }

    fn note_begun(&self, task: TaskId) {
        self.begun.lock().unwrap().insert(task);
    }
}

impl Report for Surroundings {
    fn log(&self, _: Level, text: &str) {
        self.logged.lock().unwrap().push(text.to_owned());
    }
    fn error(&self, _: &str, _: Option<&str>) {}
}

/// What surrounds one task.
pub(super) struct Rig {
    pub(super) settings: Settings,
    pub(super) restarted: bool,
    pub(super) tick: Option<Duration>,
    pub(super) on_full: OnFull,
    /// The delay before a failed message is given out again.
    pub(super) retry_after: Duration,
    /// Bytes that may wait on the way there.
    pub(super) budget: usize,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) consumer: Arc<Mailbox>,
    /// Takes the acks of a bolt.
    pub(super) acks: Arc<Mailbox>,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) events: Mutex<Option<UnboundedReceiver<TaskEvent>>>,
}

fn restart_policy() -> RestartPolicy {
    RestartPolicy {
        max: 3,
        within: Duration::from_secs(60),
        backoff_least: Duration::from_millis(1),
        backoff_greatest: Duration::from_millis(1),
        then: Then::Stop,
    }
}

pub(super) fn runtimes() -> &'static Runtimes {
    static RUNTIMES: OnceLock<Runtimes> = OnceLock::new();
    RUNTIMES.get_or_init(|| Runtimes::io_only().unwrap())
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with_room(64 << 10)
    }

    /// The consumer's mailbox takes so many bytes, and half as many may wait on the lane to it.
    pub(super) fn with_room(room: usize) -> Self {
        Self {
            settings: Settings {
                workers: 1,
                guarantee: Guarantee::AtLeastOnce,
                message_timeout: Duration::from_secs(30),
                max_spout_pending: 100,
                mailbox: ByteSize(1),
                link_window: ByteSize(1),
                link_relay: None,
                link: LinkKind::Ipc,
                executor_threads: 1,
                drain_timeout: Duration::from_secs(60),
                state_dir: PathBuf::from("/"),
                worker_restart: restart_policy(),
                debug: false,
            },
            restarted: false,
            tick: None,
            on_full: OnFull::Block,
            retry_after: Duration::from_millis(1),
            budget: room / 2,
            mailbox: Arc::new(Mailbox::new(64 << 20, Signal::new())),
            consumer: Arc::new(Mailbox::new(room, Signal::new())),
            acks: Arc::new(Mailbox::new(1, Signal::new())),
            surroundings: Arc::default(),
            events: Mutex::default(),
        }
    }

    pub(super) fn bolt<B: Bolt + 'static>(
        &self,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> BoltTask {
        let housing = self.housing(Box::new(move || Ok(Component::Bolt(Box::new(make())))));
        let output = self.output(&housing);
        BoltTask::new(housing, output)
    }

    pub(super) fn spout<S: Spout + 'static>(
        &self,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> SpoutTask {
        let housing = self.housing(Box::new(move || Ok(Component::Spout(Box::new(make())))));
        let output = self.output(&housing);
        self.mailbox.push_control(Control::Activate);
        SpoutTask::new(housing, output)
    }

    pub(super) fn housing(&self, build: Build) -> Housing {
        let (events, source) = unbounded_channel();
        *self.events.lock().unwrap() = Some(source);
        Housing {
            context: Arc::new(self.context()),
            mailbox: Arc::clone(&self.mailbox),
            counters: Arc::new(TaskCounters::default()),
            status: Arc::new(Status::default()),
            build,
            restart: restart_policy(),
            retry: RetryPolicy {
                max: None,
                backoff_least: self.retry_after,
                backoff_greatest: self.retry_after,
                dead_letter: None,
            },
            shop: Workshop {
                settings: Arc::new(self.settings.clone()),
                alarms: Alarms::default(),
                credit: self.surroundings.clone(),
                positions: self.surroundings.clone(),
                congestion: Arc::default(),
                events,
            },
            downstream: BTreeSet::new(),
            producers: vec![PRODUCER],
            max_pending: self.settings.max_spout_pending,
            hours: Hours::default(),
        }
    }

    pub(super) fn context(&self) -> Context {
        Context {
            topology: "test".to_owned(),
            component: "part".to_owned(),
            task: TASK,
            task_index: 0,
            task_count: 1,
            worker: WorkerSlot(0),
            restarted: self.restarted,
            tasks: Arc::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            conf: Arc::default(),
            message_timeout: self.settings.message_timeout,
            tick: self.tick,
            dir: PathBuf::from("/"),
            state_dir: PathBuf::from("/"),
            run_dir: PathBuf::from("/"),
            waker: self.mailbox.signal().clone(),
            io: runtimes().io(),
            reporter: self.reporter(),
        }
    }

    pub(super) fn reporter(&self) -> Reporter {
        Reporter::new(self.surroundings.clone(), Arc::new(UserMetrics::default()))
    }

    pub(super) fn output(&self, housing: &Housing) -> Output {
        let to = TaskId(2);
        let waiter = self.mailbox.signal().clone();
        let lane = Lane::new(to, Destination::Local(Arc::clone(&self.consumer)), self.budget);
        let targets = vec![Target { task: to, local: true }];
        let chooser = Chooser::new(Grouping::plain(GroupingName::Shuffle), targets);
        let decl = StreamDecl::default_stream(["x"]);
        let routes = vec![Route { chooser, lanes: vec![0], on_full: self.on_full }];
        let streams = vec![StreamRoutes::new(decl, routes)];
        Output::new(
            Routes::new(TASK, streams, vec![lane], self.budget, Runs::new(1), waiter.clone()),
            EdgeSums::new(TASK, WorkerView::new([Incarnation(0)])),
            Arc::new(BTreeMap::from([
                (PRODUCER, AckWay::Local(Arc::clone(&self.acks))),
                (TASK, AckWay::Local(Arc::clone(&self.mailbox))),
            ])),
            Arc::clone(&housing.counters),
            self.reporter(),
            Arc::new(vec![(to, "sink".to_owned())]),
            waiter,
        )
    }

    /// Gives a bolt tuples, each of a root of its own.
    pub(super) fn give(&self, values: impl IntoIterator<Item = Value>) {
        let tuples = values.into_iter().map(tuple).collect();
        self.mailbox.push(Delivery::Tuples(tuples), 1, &Signal::new()).unwrap();
    }

    pub(super) fn give_mark(&self, mark: Mark) {
        self.mailbox.push(Delivery::Mark(PRODUCER, mark), 0, &Signal::new()).unwrap();
    }

    /// Takes all that has come to the consumer; how many tuples that were.
    pub(super) fn consume(&self) -> usize {
        taken(self).len()
    }

    pub(super) fn acked(&self) -> Vec<AckBatch> {
        let mut batches = Vec::new();
        self.acks.take_acks(&mut batches);
        batches
    }

    /// Whether the task's doorbell has rung since this was last asked.
    pub(super) fn rung(&self) -> bool {
        rung(&self.mailbox)
    }

    pub(super) fn events(&self) -> Vec<TaskEvent> {
        let mut source = self.events.lock().unwrap();
        let source = source.as_mut().unwrap();
        std::iter::from_fn(|| source.try_recv().ok()).collect()
    }
}

pub(super) fn tuple(value: Value) -> Tuple {
    let mut tuple = Tuple::new(PRODUCER, StreamIdx(0), [value]);
    let root = RootId(fastrand::u64(..));
    tuple.anchors.push(Anchor { root, edge: EdgeId::random(), spout: PRODUCER });
    tuple
}

/// Whether a mailbox's doorbell has rung since this was last asked.
pub(super) fn rung(mailbox: &Mailbox) -> bool {
    let mut context = std::task::Context::from_waker(Waker::noop());
    pin!(mailbox.signal().wait()).poll(&mut context).is_ready()
}

/// Takes the tuples that have come to the consumer.
pub(super) fn taken(rig: &Rig) -> Vec<Tuple> {
    let mut tuples = Vec::new();
    while let Some(delivery) = rig.consumer.take() {
        if let Delivery::Tuples(taken) = delivery {
            tuples.extend(taken);
        }
    }
    tuples
}

/// What a bolt says of tuples.
pub(super) fn say(rig: &Rig, tuples: &[Tuple], fail: Option<FailReason>) {
    let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
    for tuple in tuples {
        match fail {
            Some(reason) => sums.fail(&tuple.anchors, reason, "no"),
            None => sums.ack(&tuple.anchors),
        }
    }
    for (_, batch) in sums.take() {
        rig.mailbox.push_acks(batch);
    }
}

/// What a bolt says of the tuples that have come to the consumer.
pub(super) fn answer(rig: &Rig, fail: Option<FailReason>) {
    let tuples = taken(rig);
    assert!(!tuples.is_empty(), "nothing came");
    say(rig, &tuples, fail);
}

/// A value of about a thousand bytes.
pub(super) fn large() -> Value {
    Value::from("x".repeat(1000).as_str())
}
