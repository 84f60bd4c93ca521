//! The world of one run: its clock, its queue, and what each event does.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{Timestamp, WorkerSlot, virtual_clock};
use crate::multilang;
use crate::supervisor::{Coordinator, Event as Decision, Finish};

use super::books::{Books, Life};
use super::faults::{self, Fault, Moment, TROUBLE};
use super::oracle::Oracle;
use super::queue::{Event, Queue};
use super::scenario::Scenario;
use super::stage::{self, Seen, Shared, Stage, lock};
use super::wires::Wires;
use super::worker::{Positions, SharedBooks, Worker, books, run_dir};

/// A run that is not over by then hangs.
const LONGEST: Duration = Duration::from_secs(900);
/// More events than these are a loop that does nothing.
const MOST_EVENTS: u64 = 400_000;

/// What a run came to.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) finish: Finish,
    pub(super) seen: Seen,
    pub(super) messages: usize,
    pub(super) trees: usize,
    pub(super) trace: Vec<String>,
}

/// What a run showed that must not be.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) violation: String,
    /// What the run was, in one line.
    pub(super) scenario: String,
    pub(super) trace: Vec<String>,
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) stage: Shared,
    pub(super) books: SharedBooks,
    pub(super) queue: Queue,
    pub(super) dice: fastrand::Rng,
    pub(super) now: Timestamp,
    pub(super) workers: BTreeMap<WorkerSlot, Worker>,
    pub(super) wires: Wires,
    pub(super) run: Coordinator,
    /// When the last message to and from each slot arrives.
    pub(super) last_down: BTreeMap<WorkerSlot, Timestamp>,
    pub(super) last_up: BTreeMap<WorkerSlot, Timestamp>,
    pub(super) finish: Option<Finish>,
    pub(super) positions: Arc<Positions>,
    pub(super) run_dir: PathBuf,
    pub(super) slow_until: Timestamp,
    /// Workers that are to be killed at a moment, and how long wires are slow then.
    pub(super) ambushes: BTreeMap<WorkerSlot, (Moment, Duration)>,
    /// When each slot's worker was replaced, since the run was begun or let go on.
    pub(super) replaced: BTreeMap<WorkerSlot, Vec<Timestamp>>,
    /// When each task's component was started again, in one life of its worker.
    pub(super) restarts: BTreeMap<(Life, crate::base::TaskId), Vec<Timestamp>>,
    pub(super) time_is_up: bool,
}

/// Runs one seed.
pub(super) fn run(seed: u64, traced: bool) -> Result<Outcome, Failure> {
    virtual_clock::set(Some(Timestamp(0)));
    multilang::simulated::simulate(true);
    fastrand::seed(seed);
    let mut world = World::new(seed, traced);
    stage::set(Some(Arc::clone(&world.stage)));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.live()));
    let violation = match result {
        Ok(result) => result.err(),
        Err(panic) => Some(format!("panicked: {}", crate::base::panic_text(panic.as_ref()))),
    };
    stage::set(None);
    let mut stage = lock(&world.stage);
    let trace = stage.trace.take().unwrap_or_default();
    let (trees, messages) = stage.oracle.size();
    let counted = stage.seen;
    drop(stage);
    let finish = world.finish.take();
    world.workers.clear();
    multilang::simulated::simulate(false);
    virtual_clock::set(None);
    if let Some(violation) = violation {
        let scenario = world.scenario.to_string();
        return Err(Failure { violation, scenario, trace });
    }
    let finish = finish.expect("a run without a violation has ended");
    Ok(Outcome { finish, seen: counted, messages, trees, trace })
}

impl World {
    fn stage(seed: u64, traced: bool, scenario: &Scenario) -> Stage {
        let spouts = scenario.plan.tasks.iter().filter(|task| scenario.is_spout(task.id));
        let components = scenario.plan.tasks.iter();
        let components = components.map(|task| (task.id, scenario.component_of(task.id)));
        Stage {
            oracle: Oracle::default(),
            dice: fastrand::Rng::with_seed(seed ^ 0x5eed),
            habits: scenario.habits,
            calm: Timestamp(0) + TROUBLE,
            copies: scenario.copies.clone(),
            spouts: spouts.map(|task| (task.id, scenario.component_of(task.id))).collect(),
            components: components.collect(),
            messages: scenario.messages,
            lives: HashMap::new(),
            given: HashMap::new(),
            disks: HashMap::new(),
            patient: scenario.patient,
            congested: HashMap::new(),
            poison: scenario.poison.clone(),
            down: HashMap::new(),
            trace: traced.then(Vec::new),
            seen: Seen::default(),
        }
    }

    fn new(seed: u64, traced: bool) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let scenario = Scenario::new(&mut dice);
        let mut queue = Queue::default();
        faults::plan(&scenario, &mut dice, &mut queue);
        let stage = Self::stage(seed, traced, &scenario);
        let (run, effects) = Coordinator::new(scenario.plan.clone(), Timestamp(0));
        let positions = Positions::new(scenario.retries.unwrap_or(0));
        let positions = Arc::new(positions);
        let mut world = Self {
            books: Arc::new(Mutex::new(Books::new(scenario.limits))),
            stage: Arc::new(Mutex::new(stage)),
            scenario,
            queue,
            dice,
            now: Timestamp(0),
            workers: BTreeMap::new(),
            wires: Wires::default(),
            run,
            last_down: BTreeMap::new(),
            last_up: BTreeMap::new(),
            finish: None,
            positions,
            run_dir: run_dir(),
            slow_until: Timestamp(0),
            ambushes: BTreeMap::new(),
            replaced: BTreeMap::new(),
            restarts: BTreeMap::new(),
            time_is_up: false,
        };
        world.check_placement();
        world.effects(effects);
        world.queue.put(Timestamp(0), Event::Tick);
        world
    }

    pub(super) fn say(&self, text: impl FnOnce() -> String) {
        lock(&self.stage).say(text);
    }

    pub(super) fn violated(&self, text: String) {
        lock(&self.stage).oracle.violated(text);
    }

    /// A time between so many microseconds from now.
    pub(super) fn soon(&mut self, least: u64, most: u64) -> Timestamp {
        self.now + Duration::from_micros(self.dice.u64(least..most))
    }

    /// Lives until the run has ended.
    fn live(&mut self) -> Result<(), String> {
        let mut events = 0;
        while self.finish.is_none() {
            let Some((at, event)) = self.queue.next() else {
                return Err("nothing happens any more, and the run has not ended".to_owned());
            };
            self.now = at.max(self.now);
            virtual_clock::set(Some(self.now));
            events += 1;
            if self.now > Timestamp(0) + LONGEST || events > MOST_EVENTS {
                let text = format!("no end after {events} events, at {}: {event:?}", self.now);
                return Err(text);
            }
            let place = self.life_of(&event).map(|life| life.0);
            self.happen(event);
            match place {
                Some(slot) => self.settle(slot),
                None => self.settle_all(),
            }
            self.first_violation()?;
        }
        {
            let seen = &mut lock(&self.stage).seen;
            (seen.events, seen.lost) = (events, self.wires.lost);
        }
        self.check_end();
        self.first_violation()
    }

    fn settle_all(&mut self) {
        let slots: Vec<_> = self.workers.keys().copied().collect();
        for slot in slots {
            self.settle(slot);
        }
    }

    fn first_violation(&self) -> Result<(), String> {
        let of_trees = lock(&self.stage).oracle.violations.first().cloned();
        let of_bytes = books(&self.books).violations.first().cloned();
        of_trees.or(of_bytes).map_or(Ok(()), Err)
    }

    /// The worker of a life, where it is there and moves; otherwise the event waits or is lost.
    fn awake(&mut self, life: Life, event: Event) -> Option<Event> {
        let worker = self.workers.get(&life.0).filter(|worker| worker.life == life)?;
        if self.now < worker.frozen_until {
            self.queue.put(worker.frozen_until, event);
            return None;
        }
        Some(event)
    }

    fn life_of(&self, event: &Event) -> Option<Life> {
        match event {
            Event::Turn(life, ..)
            | Event::Child(life, ..)
            | Event::Pulse(life)
            | Event::Connect(life, _)
            | Event::Broken(life, ..)
            | Event::Heartbeat(life)
            | Event::Answer(life)
            | Event::Report(life)
            | Event::Down(life, _) => Some(*life),
            Event::Forward(wire, ..) => Some(self.wires.get(*wire).to),
            Event::Back(wire, ..) => Some(self.wires.get(*wire).from),
            Event::Up(..)
            | Event::Boot(..)
            | Event::Die(_)
            | Event::Exited(_)
            | Event::Tick
            | Event::TimeIsUp
            | Event::Resume
            | Event::Fault(_) => None,
        }
    }

    fn happen(&mut self, event: Event) {
        let event = match self.life_of(&event) {
            Some(life) => match self.awake(life, event) {
                Some(event) => event,
                None => return,
            },
            None => event,
        };
        match event {
            Event::Turn(life, place, ticket, rung) => self.turn(life, place, ticket, rung),
            Event::Child(life, place, ticket) => self.child(life, place, ticket),
            Event::Pulse(life) => self.pulse(life),
            Event::Forward(wire, end, parcel) => self.forward(wire, end, parcel),
            Event::Back(wire, end, parcel) => self.back(wire, end, &parcel),
            Event::Connect(life, to) => self.connect(life, to),
            Event::Broken(life, to, wire) => self.broken(life, to, wire),
            Event::Heartbeat(life) => self.heartbeat(life),
            Event::Answer(life) => self.answer_late(life),
            Event::Report(life) => self.report(life),
            Event::Up(life, message) => {
                self.decide(Decision::Message(life.0, crate::base::Incarnation(life.1), message));
            }
            Event::Down(life, message) => self.obey(life, message),
            Event::Boot(slot, incarnation) => self.boot(slot, incarnation),
            Event::Die(life) => self.die(life, "was killed"),
            Event::Exited(life) => {
                let incarnation = crate::base::Incarnation(life.1);
                self.decide(Decision::Exited(life.0, incarnation, "was killed".to_owned()));
            }
            Event::Tick => self.tick(),
            Event::TimeIsUp => self.decide(Decision::TimeIsUp),
            Event::Resume => self.decide(Decision::Resume),
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.say(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Kill(slot) => {
                if let Some(life) = self.workers.get(&slot).map(|worker| worker.life) {
                    lock(&self.stage).seen.kills += 1;
                    self.die(life, "was killed");
                }
            }
            Fault::Ambush(slot, moment, span) => {
                self.ambushes.insert(slot, (moment, span));
                if moment == Moment::Hello {
                    self.cut_off(slot);
                }
            }
            Fault::Freeze(slot, span) => {
                if let Some(worker) = self.workers.get_mut(&slot) {
                    worker.frozen_until = worker.frozen_until.max(self.now + span);
                }
            }
            Fault::Cut(number) => {
                let open = self.wires.open();
                if !open.is_empty() {
                    self.cut(open[number % open.len()]);
                }
            }
            Fault::Lose(number, back, after) => {
                let open = self.wires.open();
                if !open.is_empty() {
                    self.wires.lose(open[number % open.len()], back, after);
                }
            }
            Fault::Stop(slot, number, span) => {
                let tasks = self.workers.get_mut(&slot).map(|worker| &mut worker.tasks);
                if let Some(tasks) = tasks.filter(|tasks| !tasks.is_empty()) {
                    let place = number % tasks.len();
                    tasks[place].stopped_until = self.now + span;
                }
            }
            Fault::KillChild(slot, number) => {
                let children = self.workers.get_mut(&slot).map(|worker| &mut worker.children);
                if let Some(children) = children.filter(|children| !children.is_empty()) {
                    let place = number % children.len();
                    children[place].end(9);
                }
            }
            Fault::Delay(span) => self.slow_until = self.now + span,
            Fault::StartAgain => self.start_again(),
        }
    }
}
