//! What one seed means: a topology, its sizes, and how ill it will fare.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::base::{ByteSize, ComponentIdx, StreamIdx, TaskId, WorkerSlot};
use crate::component::{Role, StreamDecl};
use crate::grouping::{Grouping, GroupingName};
use crate::topology::{
    DeadLetters, Guarantee, LinkKind, OnFull, Plan, PlannedComponent, PlannedInput, PlannedTask,
    RestartPolicy, RetryPolicy, Settings, StallPolicy, Then,
};

use super::books::Limits;
use super::stage::Habits;

/// A run to be.
pub(super) struct Scenario {
    pub(super) plan: Plan,
    pub(super) limits: Limits,
    pub(super) batch_bytes: usize,
    pub(super) habits: Habits,
    /// Messages of each spout task.
    pub(super) messages: u64,
    /// How many things go wrong from outside.
    pub(super) faults: usize,
    pub(super) copies: HashMap<String, u64>,
    /// A spout in a child does not say that it has no more.
    pub(super) endless: bool,
    /// Nothing is forgotten and time-outs are far.
    pub(super) patient: bool,
    /// How often a message is given out again before it is a dead letter, if it ever is.
    pub(super) retries: Option<u32>,
    /// A message, and the component that it kills.
    pub(super) poison: Option<(u64, String)>,
    /// The component whose tasks take their time.
    pub(super) slow: Option<String>,
}

impl Display for Scenario {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Settings { workers, mailbox, link_window, message_timeout, .. } = &self.plan.settings;
        write!(out, "{workers} workers, mailbox {}, window {}, ", mailbox.0, link_window.0)?;
        write!(out, "time-out {message_timeout:?}, {} messages, ", self.messages)?;
        write!(out, "{} faults, {:?}", self.faults, self.habits)?;
        if let Some((message, component)) = &self.poison {
            write!(out, ", message {message} kills {component}")?;
        }
        if let Some(slow) = &self.slow {
            write!(out, ", {slow} is slow")?;
        }
        for (place, component) in self.plan.components.iter().enumerate() {
            let tasks = self.plan.tasks_of(ComponentIdx(place as u16)).count();
            write!(out, "; {}: {tasks} {}", component.name, component.kind)?;
            for input in &component.inputs {
                let from = &self.plan.component(input.from).name;
                write!(out, " <- {from} by {:?}", input.grouping.name)?;
            }
        }
        Ok(())
    }
}

impl Scenario {
    pub(super) fn new(dice: &mut fastrand::Rng) -> Self {
        let retries = Some(dice.u32(..4)).filter(|_| dice.u32(..4) == 0);
        let (mut components, parallelism) = components(dice);
        for component in &mut components {
            component.retry.max = retries;
            component.retry.dead_letter =
                retries.map(|_| DeadLetters::File(PathBuf::from("letters")));
        }
        let workers = dice.u16(1..=3);
        let patient = dice.bool();
        let mut settings = settings(dice, workers);
        if patient {
            settings.message_timeout = Duration::from_secs(120);
        }
        let limits = Limits {
            credit: settings.mailbox.as_usize() as u64,
            window: settings.link_window.as_usize() as u64,
            ack_window: dice.u64(80..800),
        };
        let tasks = place(dice, &parallelism, workers);
        let plan = Plan {
            version: 1,
            name: "simulated".to_owned(),
            dir: PathBuf::from("/simulated"),
            settings,
            components,
            tasks,
        };
        let wild = dice.u32(..4);
        let rate = |dice: &mut fastrand::Rng, most: u32| dice.u32(..=most) * wild / 3;
        let habits = Habits {
            hold: rate(dice, 300),
            fail: rate(dice, 60),
            forget: rate(dice, 30) * u32::from(!patient),
            die: rate(dice, 40),
            babble: rate(dice, 100),
        };
        let endless = plan
            .components
            .iter()
            .any(|component| component.role == Role::Spout && component.kind == "child");
        let messages = dice.u64(2..14);
        let one_of = |dice: &mut fastrand::Rng, role: Role| {
            let components = plan.components.iter().filter(|component| component.role == role);
            let names: Vec<_> = components.map(|component| component.name.clone()).collect();
            names[dice.usize(..names.len())].clone()
        };
        let poison = (wild > 0 && dice.u32(..4) == 0).then(|| {
            let spouts = plan.tasks.iter().filter(|task| is_spout(&plan, task.component)).count();
            let task = dice.u64(1..=spouts as u64);
            (message_of(task, dice.u64(1..=messages)), one_of(dice, Role::Bolt))
        });
        let slow = (dice.u32(..4) == 0).then(|| one_of(dice, Role::Bolt));
        Self {
            poison,
            slow,
            retries,
            copies: copies(&plan),
            limits,
            batch_bytes: dice.usize(60..2_000),
            habits,
            messages,
            faults: dice.usize(..8) * usize::from(wild > 0),
            endless,
            patient,
            plan,
        }
    }

    pub(super) fn is_spout(&self, task: TaskId) -> bool {
        is_spout(&self.plan, self.plan.task(task).expect("a task of the plan").component)
    }

    pub(super) fn component_of(&self, task: TaskId) -> String {
        let task = self.plan.task(task).expect("a task of the plan");
        self.plan.component(task.component).name.clone()
    }
}

/// Lets the dice say which worker runs which task, so that any way of a tuple may be between two workers. All
/// workers have some, where there are as many.
fn place(dice: &mut fastrand::Rng, parallelism: &[usize], workers: u16) -> Vec<PlannedTask> {
    let count: usize = parallelism.iter().sum();
    let mut slots: Vec<_> = (0..workers).take(count).map(WorkerSlot).collect();
    slots.resize_with(count, || WorkerSlot(dice.u16(..workers)));
    dice.shuffle(&mut slots);
    let indices = parallelism.iter().enumerate();
    let tasks = indices.flat_map(|(place, tasks)| (0..*tasks).map(move |index| (place, index)));
    tasks
        .zip(slots)
        .zip(1..)
        .map(|(((place, index), worker), id)| PlannedTask {
            id: TaskId(id),
            component: ComponentIdx(place as u16),
            index,
            worker,
        })
        .collect()
}

/// The number of a spout task's message.
pub(super) fn message_of(task: u64, number: u64) -> u64 {
    task * 10_000 + number
}

fn is_spout(plan: &Plan, component: ComponentIdx) -> bool {
    plan.component(component).role == Role::Spout
}

fn settings(dice: &mut fastrand::Rng, workers: u16) -> Settings {
    Settings {
        workers,
        guarantee: Guarantee::AtLeastOnce,
        message_timeout: Duration::from_millis(dice.u64(600..4_000)),
        max_spout_pending: dice.usize(1..24),
        mailbox: ByteSize(dice.u64(60..1_500)),
        link_window: ByteSize(dice.u64(60..1_500)),
        link: LinkKind::Ipc,
        link_relay: None,
        executor_threads: 1,
        drain_timeout: Duration::from_secs(300),
        state_dir: PathBuf::from("/simulated"),
        worker_restart: RestartPolicy {
            max: if dice.u32(..10) == 0 { dice.u32(..3) } else { 10 },
            within: Duration::from_secs(300),
            backoff_least: Duration::from_millis(dice.u64(1..200)),
            backoff_greatest: Duration::from_millis(dice.u64(200..2_000)),
            then: then(dice),
        },
        debug: false,
    }
}

/// One or two spouts, up to two stages of bolts, one sink; and how many tasks each has.
fn components(dice: &mut fastrand::Rng) -> (Vec<PlannedComponent>, Vec<usize>) {
    let (spouts, stages) = (1 + dice.u16(..4) / 3, dice.u16(..3));
    let mut components = Vec::new();
    for number in 0..spouts {
        components.push(component(dice, format!("spout-{number}"), Role::Spout));
    }
    for number in 0..=stages {
        let mut bolt = component(dice, format!("bolt-{number}"), Role::Bolt);
        let before = spouts + number;
        let first = if number == 0 { 0 } else { before - 1 };
        bolt.inputs = (first..before).map(|from| input(dice, from)).collect();
        // A diamond now and then.
        if number > 0 && dice.u32(..5) == 0 {
            bolt.inputs.push(input(dice, 0));
        }
        if number == stages {
            bolt.outputs.clear();
        }
        components.push(bolt);
    }
    let parallelism = components.iter().map(|_| dice.usize(1..=3)).collect();
    (components, parallelism)
}

fn input(dice: &mut fastrand::Rng, from: u16) -> PlannedInput {
    let plain = [
        GroupingName::Shuffle,
        GroupingName::LocalOrShuffle,
        GroupingName::All,
        GroupingName::Global,
    ];
    let over = [GroupingName::Fields, GroupingName::PartialKey];
    let grouping = match dice.usize(..6) {
        number @ 0..4 => Grouping::plain(plain[number]),
        number => Grouping::over(over[number - 4], vec!["message".to_owned()], vec![0]),
    };
    PlannedInput {
        from: ComponentIdx(from),
        stream: StreamIdx(0),
        grouping,
        on_full: OnFull::default(),
    }
}

fn component(dice: &mut fastrand::Rng, name: String, role: Role) -> PlannedComponent {
    let child = dice.u32(..3) == 0;
    let millis = Duration::from_millis;
    let options = if child {
        json!({
            "command": ["child"], "batch": false, "max_in_flight": dice.u64(1..20),
            "task_ids": if dice.bool() { "ahead" } else { "on_request" },
            "heartbeat_timeout_ms": 2_000, "handshake_timeout_ms": 2_000,
        })
    } else {
        json!({"automatic": dice.u32(..3) == 0})
    };
    PlannedComponent {
        name,
        role,
        kind: if child { "child" } else { "native" }.to_owned(),
        options,
        program: None,
        chosen: Vec::new(),
        outputs: vec![StreamDecl::default_stream(["message", "number"])],
        inputs: Vec::new(),
        stall: StallPolicy::default(),
        tick: Some(millis(dice.u64(20..300))).filter(|_| role == Role::Bolt),
        restart: RestartPolicy {
            max: if dice.u32(..10) == 0 { dice.u32(..3) } else { 1_000 },
            within: millis(dice.u64(1_000..60_000)),
            backoff_least: millis(dice.u64(1..50)),
            backoff_greatest: millis(dice.u64(50..1_000)),
            then: then(dice),
        },
        retry: RetryPolicy {
            max: None,
            backoff_least: millis(dice.u64(1..50)),
            backoff_greatest: millis(dice.u64(50..500)),
            dead_letter: None,
        },
        keeps_memory: false,
    }
}

fn then(dice: &mut fastrand::Rng) -> Then {
    if dice.bool() { Then::Stop } else { Then::Pause }
}

/// As how many tuples an emission of each component leaves it.
fn copies(plan: &Plan) -> HashMap<String, u64> {
    let places = (0..plan.components.len()).map(|place| ComponentIdx(place as u16));
    let copies = places.map(|index| {
        let each = plan.consumers_of(index).map(|(consumer, input)| match input.grouping.name {
            GroupingName::All => plan.tasks_of(consumer).count() as u64,
            _ => 1,
        });
        (plan.component(index).name.clone(), each.sum())
    });
    copies.collect()
}
