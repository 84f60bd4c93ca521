//! What the components of one run share: the truth, the dice, and what outlives a worker.
//!
//! Components are made by the engine from a plan, so they find it by their thread.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{TaskId, Timestamp, WorkerSlot, now};
use crate::tuple::{Anchors, Tuple, Value};

use super::oracle::Oracle;
use super::scenario::message_of;

/// How often components do what they had better not, in thousandths of their tuples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    pub(super) hold: u32,
    pub(super) fail: u32,
    pub(super) forget: u32,
    pub(super) die: u32,
    /// Children only: an answer twice, a line that is no message, an id that never was.
    pub(super) babble: u32,
}

/// What a component does with a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Act,
    Hold,
    Fail,
    Forget,
    Die,
}

/// A tuple as a child has it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) anchors: Anchors,
    pub(super) message: u64,
}

/// A spout child's own memory, which outlives it.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) acked: BTreeSet<u64>,
}

/// Shared by everything of a run.
pub(super) struct Stage {
    pub(super) oracle: Oracle,
    pub(super) dice: fastrand::Rng,
    pub(super) habits: Habits,
    /// From here on everybody behaves.
    pub(super) calm: Timestamp,
    /// As how many tuples an emission of a component leaves it.
    pub(super) copies: HashMap<String, u64>,
    /// The component of each spout task.
    pub(super) spouts: HashMap<TaskId, String>,
    /// The component of each task.
    pub(super) components: HashMap<TaskId, String>,
    /// How many messages each spout task has.
    pub(super) messages: u64,
    pub(super) lives: HashMap<WorkerSlot, u32>,
    /// What the present child of a task was given.
    pub(super) given: HashMap<TaskId, Vec<Given>>,
    pub(super) disks: HashMap<TaskId, Disk>,
    /// Nothing is forgotten and time-outs are far: what is lost has to be known to be.
    pub(super) patient: bool,
    /// The message that kills a component, until all is calm.
    pub(super) poison: Option<(u64, String)>,
    /// Components that wait for their restart: since when, and how long at least.
    pub(super) down: HashMap<TaskId, (Timestamp, Duration)>,
    /// The tasks that each worker was told are congested.
    pub(super) congested: HashMap<WorkerSlot, BTreeSet<TaskId>>,
    pub(super) trace: Option<Vec<String>>,
    /// Things that happened and were worth a test of their own.
    pub(super) seen: Seen,
}

/// How often what happened, so that a simulator that shows nothing is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) events: u64,
    /// Workers that have ended, and those that were killed.
    pub(super) deaths: u64,
    pub(super) kills: u64,
    /// Workers that were killed at a moment that was waited for.
    pub(super) ambushes: u64,
    pub(super) cuts: u64,
    pub(super) child_deaths: u64,
    pub(super) joins: u64,
    pub(super) fails: u64,
    pub(super) restarts: u64,
    pub(super) timeouts: u64,
    /// Tuples that a component dies of, always.
    pub(super) poisoned: u64,
    pub(super) letters: u64,
    pub(super) pauses: u64,
    /// Frames that vanished.
    pub(super) lost: u64,
    /// Runs that were started again by another supervisor.
    pub(super) started_again: u64,
    pub(super) forgotten: u64,
    /// Final results that were emitted.
    pub(super) finals: u64,
}

pub(super) type Shared = Arc<Mutex<Stage>>;

thread_local! {
    static PRESENT: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// Sets the stage of this thread.
pub(super) fn set(stage: Option<Shared>) {
    PRESENT.replace(stage);
}

/// Whether this thread is in the middle of a run.
pub(super) fn is_set() -> bool {
    PRESENT.with(|stage| stage.try_borrow().is_ok_and(|stage| stage.is_some()))
}

/// The stage of this thread.
pub(super) fn present() -> Shared {
    PRESENT.with_borrow(|stage| stage.clone().expect("components are made within a run"))
}

pub(super) fn lock(stage: &Shared) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>11.6} {}", now().0 as f64 / 1e9, text()));
        }
    }

    /// Whether everybody behaves by now.
    pub(super) fn is_calm(&self) -> bool {
        now() >= self.calm
    }

    /// Throws the dice: true `thousandths` times in a thousand, and never once all is calm.
    pub(super) fn mischief(&mut self, thousandths: u32) -> bool {
        let thrown = self.dice.u32(..1000) < thousandths;
        thrown && !self.is_calm()
    }

    /// A component's next life begins.
    pub(super) fn opened(&mut self, task: TaskId) {
        let Some((since, least)) = self.down.remove(&task) else { return };
        let waited = now().since(since);
        if waited < least {
            let text = format!("task {task} was started again after {waited:?}, not {least:?}");
            self.oracle.violated(text);
        }
    }

    /// What a component does with its next tuple, which is of this message.
    pub(super) fn deed(&mut self, component: &str, message: u64) -> Deed {
        let Habits { hold, fail, forget, die, .. } = self.habits;
        let thrown = self.dice.u32(..1000);
        if self.is_calm() {
            return Deed::Act;
        }
        if self.poison.as_ref().is_some_and(|(poison, at)| *poison == message && at == component) {
            self.seen.poisoned += 1;
            return Deed::Die;
        }
        let bounds =
            [(hold, Deed::Hold), (fail, Deed::Fail), (forget, Deed::Forget), (die, Deed::Die)];
        let mut bound = 0;
        for (share, deed) in bounds {
            bound += share;
            if thrown < bound {
                return deed;
            }
        }
        Deed::Act
    }

    /// A bolt's task gets a tuple: message and number.
    pub(super) fn executed(&mut self, task: TaskId, slot: WorkerSlot, tuple: &Tuple) -> (u64, u64) {
        let number = |at: usize| match &tuple.values[at] {
            Value::Int(number) => *number as u64,
            other => other.to_json().parse().expect("values are numbers"),
        };
        let both = (number(0), number(1));
        let from = tuple.anchors.first().map(|anchor| &self.components[&anchor.spout]);
        let copies = from.map_or(0, |component| self.copies[component]);
        let life = self.lives[&slot];
        self.oracle.executed(task, life, tuple, both, copies);
        self.say(|| format!("task {task} gets tuple {} of message {}", both.1, both.0));
        both
    }

    /// A component emits a tuple anchored to these; its number.
    pub(super) fn made(&mut self, component: &str, anchors: &[Anchors]) -> u64 {
        let copies = self.copies[component];
        self.oracle.made(anchors, copies);
        self.seen.joins += u64::from(anchors.len() > 1);
        self.oracle.number()
    }

    /// A spout's task hears that a message failed.
    pub(super) fn failed(&mut self, task: TaskId, slot: WorkerSlot, message: u64, reason: &str) {
        self.oracle.failed(message);
        self.seen.fails += 1;
        self.say(|| format!("task {task} hears that message {message} failed: {reason}"));
        if !reason.starts_with("not fully acked within") {
            return;
        }
        self.seen.timeouts += 1;
        if self.patient {
            let text = format!("message {message} was lost, and only its time-out told");
            self.oracle.violated(text);
        }
        // Every bolt is downstream of every spout, and no spout is.
        let told = self.congested.get(&slot).into_iter().flatten();
        let tasks: Vec<_> = told.filter(|task| !self.spouts.contains_key(task)).collect();
        if !tasks.is_empty() {
            let text = format!("message {message} timed out, though {tasks:?} are congested");
            self.oracle.violated(text);
        }
    }

    /// A bolt's task is about to emit its final results: message and number of each.
    pub(super) fn finished(&mut self, place: (&str, TaskId, WorkerSlot)) -> Vec<(u64, u64)> {
        let (component, task, slot) = place;
        let count = if self.is_sink(component) { 0 } else { self.dice.u64(..4) };
        self.seen.finals += count;
        let messages = self.oracle.finished(task, self.lives[&slot], count);
        self.say(|| format!("task {task} emits final results {messages:?}"));
        messages.into_iter().map(|message| (message, self.oracle.number())).collect()
    }

    pub(super) fn is_sink(&self, component: &str) -> bool {
        self.copies[component] == 0
    }

    /// The messages of a spout task.
    pub(super) fn messages_of(&self, task: TaskId) -> Vec<u64> {
        (1..=self.messages).map(|number| message_of(task.0.into(), number)).collect()
    }
}
