//! The supervisor and the workers' lives in the world: decisions carried out, and judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use uuid::Uuid;

use crate::ack::WorkerView;
use crate::base::{Alarms, BootId, Incarnation, Runtimes, TaskId, Timestamp, WorkerSlot};
use crate::component::{Registry, Report};
use crate::control::{CONTROL_VERSION, FromWorker, ToWorker, WorkerAddress};
use crate::executor::simulated;
use crate::executor::{Control, RemoteLink, TaskEvent, Wiring, Workshop};
use crate::supervisor::{Coordinator, Effect, Event as Decision, RunEvent};
use crate::transport::simulated::Node;
use crate::transport::{PeerAddress, TransportEvent, TransportOptions};
use crate::worker::{Outlet, REPORT_EVERY, report, run_state};

use super::bolts::{Child, Native};
use super::books::{Books, Life};
use super::faults::Moment;
use super::queue::Event;
use super::spouts::{ChildSource, NativeSource};
use super::stage::lock;
use super::worker::{Inbox, Silence, Task, Way, Worker, books};
use super::world::World;

const TICK_EVERY: Duration = Duration::from_millis(500);
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often children's loops are rung.
pub(super) const PULSE: Duration = Duration::from_millis(250);

fn runtimes() -> &'static Runtimes {
    static RUNTIMES: OnceLock<Runtimes> = OnceLock::new();
    RUNTIMES.get_or_init(|| Runtimes::io_only().unwrap())
}

impl World {
    pub(super) fn decide(&mut self, event: Decision) {
        if !matches!(event, Decision::Tick | Decision::Message(_, _, FromWorker::Report { .. })) {
            self.say(|| format!("supervisor: {event:?}"));
        }
        let jitter = self.dice.f64();
        let effects = self.run.handle(event, self.now, jitter);
        self.effects(effects);
    }

    pub(super) fn effects(&mut self, effects: Vec<Effect>) {
        let resumed = effects.contains(&Effect::Notify(RunEvent::Resumed));
        for effect in effects {
            match effect {
                Effect::Spawn(slot, incarnation, delay) => {
                    if incarnation > Incarnation(0) && !resumed {
                        self.check_replacement(slot, delay);
                    }
                    let at = self.soon(2_000, 60_000) + delay;
                    self.queue.put(at, Event::Boot(slot, incarnation));
                }
                Effect::Send(slot, message) => {
                    let Some(life) = self.workers.get(&slot).map(|worker| worker.life) else {
                        continue;
                    };
                    // A worker's main thread may be kept from running while its links go on.
                    let longest = if self.dice.u8(0..30) == 0 { 300_000 } else { 2_000 };
                    let at = self
                        .soon(50, longest)
                        .max(self.last_down.get(&slot).copied().unwrap_or_default());
                    self.last_down.insert(slot, at);
                    self.queue.put(at, Event::Down(life, message));
                }
                Effect::Kill(slot) => {
                    if let Some(life) = self.workers.get(&slot).map(|worker| worker.life) {
                        self.queue.put(self.now, Event::Die(life));
                    }
                }
                Effect::Notify(event) => self.told(&event),
                Effect::Finish(finish) => self.finish = Some(finish),
            }
        }
    }

    fn told(&mut self, event: &RunEvent) {
        if !matches!(event, RunEvent::Progress(_)) {
            self.say(|| format!("told: {event:?}"));
        }
        match event {
            RunEvent::Paused { .. } => {
                lock(&self.stage).seen.pauses += 1;
                let at = self.soon(50_000, 2_000_000);
                self.queue.put(at, Event::Resume);
            }
            // Whoever lets the run go on has mended it: budgets are fresh.
            RunEvent::Resumed => self.replaced.clear(),
            _ => {}
        }
    }

    /// The run ends with its supervisor and is started again; files outlive it.
    pub(super) fn start_again(&mut self) {
        self.check_restarts();
        self.workers.clear();
        self.queue.keep_faults();
        self.wires.begin_anew();
        self.books = Arc::new(Mutex::new(Books::new(self.scenario.limits)));
        self.last_down.clear();
        self.last_up.clear();
        self.replaced.clear();
        self.restarts.clear();
        self.time_is_up = false;
        {
            let mut stage = lock(&self.stage);
            stage.lives.clear();
            stage.given.clear();
            stage.congested.clear();
            stage.down.clear();
            stage.oracle.begin_anew();
            stage.seen.started_again += 1;
        }
        let (run, effects) = Coordinator::new(self.scenario.plan.clone(), self.now);
        self.run = run;
        self.effects(effects);
        self.queue.put(self.now, Event::Tick);
    }

    pub(super) fn tick(&mut self) {
        self.decide(Decision::Tick);
        self.queue.put(self.now + TICK_EVERY, Event::Tick);
        if self.scenario.endless && !self.time_is_up && self.all_done() {
            self.time_is_up = true;
            let at = self.soon(0, 500_000);
            self.queue.put(at, Event::TimeIsUp);
        }
    }

    pub(super) fn wanted(&self) -> Vec<u64> {
        let stage = lock(&self.stage);
        let tasks: BTreeSet<TaskId> = stage.spouts.keys().copied().collect();
        tasks.into_iter().flat_map(|task| stage.messages_of(task)).collect()
    }

    fn all_done(&self) -> bool {
        let wanted = self.wanted();
        let stage = lock(&self.stage);
        wanted.iter().all(|message| stage.oracle.is_done(*message))
    }

    /// A worker tells the supervisor.
    pub(super) fn up(&mut self, life: Life, message: FromWorker) {
        let at = self.soon(50, 2_000).max(self.last_up.get(&life.0).copied().unwrap_or_default());
        self.last_up.insert(life.0, at);
        self.queue.put(at, Event::Up(life, message));
    }

    pub(super) fn boot(&mut self, slot: WorkerSlot, incarnation: Incarnation) {
        let life = (slot, incarnation.0);
        if self.workers.contains_key(&slot) {
            self.violated(format!("two workers of slot {slot} at once"));
        }
        let boot = BootId(Uuid::from_u128(u128::from(self.dice.u64(..))));
        let limits = self.scenario.limits;
        let options = TransportOptions {
            window: limits.window as usize,
            ack_window: limits.ack_window as usize,
            credit: limits.credit as usize,
            batch_bytes: self.scenario.batch_bytes,
            heartbeat: HEARTBEAT,
            ..TransportOptions::new(slot, boot, incarnation, self.run_dir.clone())
        };
        let inbox = Arc::new(Inbox {
            me: life,
            books: Arc::clone(&self.books),
            mailboxes: Mutex::default(),
            early: Mutex::default(),
            credit: OnceLock::new(),
        });
        let noticed: Arc<Mutex<Vec<TransportEvent>>> = Arc::default();
        let told = Arc::clone(&noticed);
        let node = Node::new(options, inbox.clone(), move |event| told.lock().unwrap().push(event));
        assert!(inbox.credit.set(Box::new(node.credit_door())).is_ok(), "it is set once");
        let worker = Worker {
            life,
            node,
            inbox,
            tasks: Vec::new(),
            children: Vec::new(),
            congestion: Arc::default(),
            told: None,
            noticed,
            incarnations: Vec::new(),
            frozen_until: Timestamp(0),
            answers_later: false,
        };
        self.workers.insert(slot, worker);
        {
            let mut stage = lock(&self.stage);
            stage.lives.insert(slot, incarnation.0);
            stage.congested.remove(&slot);
        }
        self.say(|| format!("worker {slot} begins its life {}", incarnation.0));
        let endpoint = format!("ipc:///simulated/{slot}");
        let address = WorkerAddress { slot, incarnation, boot, endpoint };
        self.up(life, FromWorker::Hello { version: CONTROL_VERSION, address });
    }

    /// What waits in a worker for its restart need not wait any longer.
    fn forget_delays(&self, life: Life) {
        let mut stage = lock(&self.stage);
        for task in self.scenario.plan.tasks_on(life.0) {
            stage.down.remove(&task.id);
        }
    }

    /// A worker's process ends.
    pub(super) fn die(&mut self, life: Life, how: &str) {
        if self.workers.get(&life.0).is_none_or(|worker| worker.life != life) {
            return;
        }
        self.say(|| format!("worker {} {how}", life.0));
        self.forget_delays(life);
        lock(&self.stage).seen.deaths += 1;
        self.workers.remove(&life.0);
        for wire in self.wires.of(life) {
            self.cut(wire);
        }
        let last = self.last_up.get(&life.0).copied().unwrap_or_default();
        let at = self.soon(500, 30_000).max(last);
        self.queue.put(at, Event::Exited(life));
    }

    /// What a worker's loop does with the supervisor's messages.
    pub(super) fn obey(&mut self, life: Life, message: ToWorker) {
        self.say(|| format!("worker {} hears {message:?}", life.0));
        let Some(worker) = self.workers.get_mut(&life.0) else { return };
        match message {
            ToWorker::Begin { workers, incarnations, producing, paused, ended } => {
                worker.incarnations = incarnations;
                self.begin(life, &workers, (producing, paused), ended);
            }
            ToWorker::PeerLost { slot, successor } => {
                worker.node.remove_peer(slot);
                books(&self.books).lost(life, (slot, successor.0));
                worker.incarnations[slot.index()] = successor;
                let view = WorkerView::new(worker.incarnations.iter().copied());
                order_all(worker, &Control::PeerLost(slot, view));
            }
            ToWorker::PeerReplaced { address } => {
                self.set_peer(life, &address);
                let worker = self.workers.get(&life.0).expect("it was there just now");
                order_all(worker, &Control::PeerReplaced(address.slot));
            }
            ToWorker::Congested { tasks } => {
                let tasks: BTreeSet<_> = tasks.into_iter().collect();
                lock(&self.stage).congested.insert(life.0, tasks.clone());
                worker.congestion.set(tasks);
            }
            ToWorker::StopInput => order_all(worker, &Control::StopInput),
            ToWorker::Pause => order_all(worker, &Control::Pause),
            ToWorker::Resume => {
                order_all(worker, &Control::Resume);
                self.check_restarts();
                self.restarts.retain(|(other, _), _| *other != life);
                self.forget_delays(life);
            }
            ToWorker::ShowStacks { task } => order(worker, task, &Control::ShowStacks),
            ToWorker::Restart { task, reason } => order(worker, task, &Control::Restart(reason)),
            ToWorker::End => {
                order_all(worker, &Control::End);
                self.spring(life.0, Moment::End);
            }
            ToWorker::Exit => {
                self.report(life);
                self.die(life, "leaves");
            }
        }
    }

    fn set_peer(&mut self, life: Life, address: &WorkerAddress) {
        let Some(worker) = self.workers.get_mut(&life.0) else { return };
        if address.slot == life.0 {
            return;
        }
        let (slot, incarnation) = (address.slot, address.incarnation);
        let peer = PeerAddress {
            slot,
            incarnation,
            boot: address.boot,
            endpoint: address.endpoint.clone(),
        };
        books(&self.books).peer(life, (slot, incarnation.0));
        if worker.node.set_peer(peer) {
            let at = self.soon(100, 5_000);
            self.queue.put(at, Event::Connect(life, slot));
        }
    }

    fn begin(
        &mut self,
        life: Life,
        workers: &[WorkerAddress],
        (producing, paused): (bool, bool),
        ended: Vec<TaskId>,
    ) {
        for address in workers {
            self.set_peer(life, address);
        }
        let plan = self.scenario.plan.clone();
        let worker = self.workers.get_mut(&life.0).expect("it hears its order");
        let (events, told) = unbounded_channel();
        worker.told = Some(told);
        let shop = Workshop {
            settings: Arc::new(plan.settings.clone()),
            alarms: Alarms::default(),
            credit: worker.inbox.clone(),
            positions: self.positions.clone(),
            congestion: Arc::clone(&worker.congestion),
            events,
        };
        let slots = (0..plan.settings.workers).map(WorkerSlot).filter(|slot| *slot != life.0);
        let ways = slots.map(|to| {
            let outlet = Outlet(worker.node.outbound(to));
            let way = Way { outlet, me: life, to, books: Arc::clone(&self.books) };
            (to, Arc::new(way) as Arc<dyn RemoteLink>)
        });
        let silent = |_: &str, _: TaskId| -> Arc<dyn Report> { Arc::new(Silence) };
        let registry = Registry::new().spout::<NativeSource>().spout::<ChildSource>();
        let wiring = Wiring {
            plan: &plan,
            slot: life.0,
            restarted: life.1 > 0,
            ended: ended.into_iter().collect(),
            registry: Arc::new(registry.bolt::<Native>().bolt::<Child>()),
            shop,
            links: ways.collect::<BTreeMap<_, _>>(),
            view: WorkerView::new(worker.incarnations.iter().copied()),
            run_dir: self.run_dir.clone(),
            conf: serde_json::Map::new(),
            report: &silent,
            io: runtimes().io(),
        };
        let tasks = simulated::tasks(&wiring).into_iter();
        worker.tasks = tasks
            .map(|task| Task {
                engine: task,
                ticket: 0,
                called: true,
                over: false,
                stopped_until: Timestamp(0),
            })
            .collect();
        worker.inbox.open(worker.mailboxes());
        if paused {
            order_all(worker, &Control::Pause);
        }
        order_all(worker, if producing { &Control::Activate } else { &Control::StopInput });
        for place in 0..worker.tasks.len() {
            self.queue.put(self.now, Event::Turn(life, place, 0, false));
        }
        self.queue.put(self.now + HEARTBEAT, Event::Heartbeat(life));
        self.queue.put(self.now + PULSE, Event::Pulse(life));
        self.queue.put(self.now, Event::Report(life));
    }

    pub(super) fn report(&mut self, life: Life) {
        let Some(worker) = self.workers.get(&life.0) else { return };
        let handles: Vec<_> = worker.tasks.iter().map(|task| task.engine.handle.clone()).collect();
        let timeout = self.scenario.plan.settings.message_timeout;
        let message = report(&handles, timeout, self.now);
        self.up(life, message);
        self.queue.put(self.now + REPORT_EVERY, Event::Report(life));
    }

    /// What the tasks have to tell goes up.
    pub(super) fn pass_on(&mut self, life: Life, event: TaskEvent) {
        let message = match event {
            TaskEvent::State(task, state) => FromWorker::State { task, state: run_state(state) },
            TaskEvent::Failed { task, reason, detail, lost_memory } => {
                FromWorker::Failed { task, reason, detail, lost_memory }
            }
            TaskEvent::Stacks { task, text } => FromWorker::Stacks { task, text },
            TaskEvent::Unwanted { task, reason } => FromWorker::Unwanted { task, reason },
            TaskEvent::Restarted { task, reason, detail, lost_memory } => {
                let planned = self.scenario.plan.task(task).expect("a task of the plan");
                let policy = &self.scenario.plan.component(planned.component).restart;
                {
                    let mut stage = lock(&self.stage);
                    stage.seen.restarts += 1;
                    stage.down.insert(task, (self.now, policy.backoff_least / 2));
                }
                self.restarts.entry((life, task)).or_default().push(self.now);
                FromWorker::Restarted { task, reason, detail, lost_memory }
            }
        };
        self.up(life, message);
    }
}

fn order_all(worker: &Worker, control: &Control) {
    for task in &worker.tasks {
        task.engine.handle.mailbox.push_control(control.clone());
    }
}

fn order(worker: &Worker, task: TaskId, control: &Control) {
    let handles = worker.tasks.iter().map(|task| &task.engine.handle);
    for handle in handles.filter(|handle| handle.task == task) {
        handle.mailbox.push_control(control.clone());
    }
}
