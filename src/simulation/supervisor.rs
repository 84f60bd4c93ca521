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
use crate::supervisor::{Effect, Event as Decision, Finish};
use crate::transport::simulated::Node;
use crate::transport::{PeerAddress, TransportEvent, TransportOptions};
use crate::worker::{Outlet, report, run_state};

use super::bolts::{Child, Native};
use super::books::Life;
use super::queue::Event;
use super::spouts::{ChildSource, NativeSource};
use super::stage::lock;
use super::worker::{Inbox, Silence, Task, Way, Worker, books};
use super::world::World;

const REPORT_EVERY: Duration = Duration::from_millis(700);
const TICK_EVERY: Duration = Duration::from_millis(500);
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often children's loops are rung.
pub(super) const PULSE: Duration = Duration::from_millis(250);
/// What a slot's workers may be replaced at most, as `supervisor/slot.rs` has it.
const REPLACED: (usize, Duration) = (10, Duration::from_secs(300));

fn alarms() -> &'static Alarms {
    static ALARMS: OnceLock<Alarms> = OnceLock::new();
    ALARMS.get_or_init(|| Alarms::start().unwrap())
}

fn runtimes() -> &'static Runtimes {
    static RUNTIMES: OnceLock<Runtimes> = OnceLock::new();
    RUNTIMES.get_or_init(|| Runtimes::io_only().unwrap())
}

impl World {
    pub(super) fn check_placement(&self) {
        let plan = &self.scenario.plan;
        let ids: BTreeSet<_> = plan.tasks.iter().map(|task| task.id).collect();
        if ids.len() != plan.tasks.len() {
            self.violated("a task is placed twice".to_owned());
        }
        let loads = (0..plan.settings.workers).map(|slot| plan.tasks_on(WorkerSlot(slot)).count());
        let loads: Vec<usize> = loads.collect();
        let uneven = loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0) > 1;
        if uneven || loads.iter().sum::<usize>() != plan.tasks.len() {
            self.violated(format!("tasks are placed unevenly or not at all: {loads:?}"));
        }
    }

    pub(super) fn decide(&mut self, event: Decision) {
        if !matches!(event, Decision::Tick | Decision::Message(_, _, FromWorker::Report { .. })) {
            self.say(|| format!("supervisor: {event:?}"));
        }
        let jitter = self.dice.f64();
        let effects = self.run.handle(event, self.now, jitter);
        self.effects(effects);
    }

    pub(super) fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Spawn(slot, incarnation, delay) => {
                    let at = self.soon(2_000, 60_000) + delay;
                    self.queue.put(at, Event::Boot(slot, incarnation));
                }
                Effect::Send(slot, message) => {
                    let Some(life) = self.workers.get(&slot).map(|worker| worker.life) else {
                        continue;
                    };
                    let at = self.soon(50, 2_000).max(self.last_down.get(&slot).copied().unwrap_or_default());
                    self.last_down.insert(slot, at);
                    self.queue.put(at, Event::Down(life, message));
                }
                Effect::Kill(slot) => {
                    if let Some(life) = self.workers.get(&slot).map(|worker| worker.life) {
                        self.queue.put(self.now, Event::Die(life));
                    }
                }
                Effect::Notify(event) => self.say(|| format!("told: {event:?}")),
                Effect::Finish(finish) => self.finish = Some(finish),
            }
        }
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

    fn wanted(&self) -> Vec<u64> {
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
        self.check_boot(life);
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
            boot,
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

    fn check_boot(&mut self, life: Life) {
        if self.workers.contains_key(&life.0) {
            self.violated(format!("two workers of slot {} at once", life.0));
        }
        let now = self.now;
        let boots = self.boots.entry(life.0).or_default();
        boots.push(now);
        let (most, within) = REPLACED;
        let recent = boots.iter().skip(1).filter(|at| now.since(**at) < within).count();
        if recent > most {
            self.violated(format!("worker {} was replaced {recent} times", life.0));
        }
    }

    /// A worker's process ends.
    pub(super) fn die(&mut self, life: Life, how: &str) {
        if self.workers.get(&life.0).is_none_or(|worker| worker.life != life) {
            return;
        }
        self.say(|| format!("worker {} {how}", life.0));
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
            ToWorker::Begin { workers, incarnations, producing } => {
                worker.incarnations = incarnations;
                self.begin(life, &workers, producing);
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
            ToWorker::End => order_all(worker, &Control::End),
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

    fn begin(&mut self, life: Life, workers: &[WorkerAddress], producing: bool) {
        for address in workers {
            self.set_peer(life, address);
        }
        let plan = self.scenario.plan.clone();
        let worker = self.workers.get_mut(&life.0).expect("it hears its order");
        let (events, told) = unbounded_channel();
        worker.told = Some(told);
        let shop = Workshop {
            settings: Arc::new(plan.settings.clone()),
            alarms: alarms().clone(),
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
                task,
                ticket: 0,
                called: true,
                over: false,
                stopped_until: Timestamp(0),
            })
            .collect();
        worker.inbox.open(worker.mailboxes());
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
        let handles: Vec<_> =
            worker.tasks.iter().map(|task| task.task.handle.clone()).collect();
        let timeout = self.scenario.plan.settings.message_timeout;
        let message = report(&handles, timeout, self.now);
        self.up(life, message);
        self.queue.put(self.now + REPORT_EVERY, Event::Report(life));
    }

    /// What the tasks have to tell goes up.
    pub(super) fn pass_on(&mut self, life: Life, event: TaskEvent) {
        let message = match event {
            TaskEvent::State(task, state) => FromWorker::State { task, state: run_state(state) },
            TaskEvent::Failed { task, reason, detail } => {
                FromWorker::Failed { task, reason, detail }
            }
            TaskEvent::Unwanted { task, reason } => FromWorker::Unwanted { task, reason },
            TaskEvent::Restarted { task, reason, detail, lost_memory } => {
                lock(&self.stage).seen.restarts += 1;
                self.restarts.entry((life, task)).or_default().push(self.now);
                FromWorker::Restarted { task, reason, detail, lost_memory }
            }
        };
        self.up(life, message);
    }

    /// The run has ended: was it right to, and is all done?
    pub(super) fn check_end(&mut self) {
        self.check_restarts();
        let finish = self.finish.clone().expect("it has ended");
        match &finish {
            Finish::Complete => {
                let wanted = self.wanted();
                lock(&self.stage).oracle.check_end(&wanted);
            }
            Finish::Failed { reason, .. } if self.may_fail(reason) => {}
            other => self.violated(format!("the run ended so: {other:?}")),
        }
    }

    /// Whether what went wrong is reason enough to fail.
    fn may_fail(&self, reason: &str) -> bool {
        let deaths = lock(&self.stage).seen.deaths;
        let mut components = self.scenario.plan.components.iter();
        let small_budget = components.any(|component| component.restart.max < 1_000);
        small_budget && reason.contains("(restarted ")
            || deaths > 0 && reason.contains("while final results were on their way")
    }

    fn check_restarts(&self) {
        // Deaths that one tuple is to blame for are free, and a spout has none in hand.
        let spouts = self.restarts.iter().filter(|((_, task), _)| self.scenario.is_spout(*task));
        for ((life, task), times) in spouts {
            let planned = self.scenario.plan.task(*task).expect("a task of the plan");
            let policy = &self.scenario.plan.component(planned.component).restart;
            for (place, first) in times.iter().enumerate() {
                let within = times[place..].iter().filter(|at| at.since(*first) < policy.within);
                let count = within.count();
                if count > policy.max as usize {
                    self.violated(format!("task {task} of {life:?} was restarted {count} times"));
                }
            }
        }
    }
}

fn order_all(worker: &Worker, control: &Control) {
    for task in &worker.tasks {
        task.task.handle.mailbox.push_control(control.clone());
    }
}
