//! The supervisor's decisions: events in, effects out. No clock, no processes, no sockets.

mod pause;
mod stall;
mod stop;
mod watch;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::{Incarnation, TaskId, Timestamp, WorkerSlot};
use crate::component::Role;
use crate::control::{CONTROL_VERSION, FromWorker, RunState, ToWorker, WorkerAddress};
use crate::topology::Plan;

use super::event::{Finish, RunEvent, Totals};
use super::ledger::TaskLedger;
use super::slot::{Slot, Stage};
use super::stall::Stalls;
use pause::Pause;
use watch::{LEAVE_WITHIN, TELL_TIMEOUTS_EVERY};

/// What the supervisor hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A worker's message.
    Message(WorkerSlot, Incarnation, FromWorker),
    /// A worker's process has ended, and all that it had sent has been heard.
    Exited(WorkerSlot, Incarnation, String),
    /// Somebody pressed Ctrl-C, or sent SIGTERM.
    Interrupt,
    /// The time given with `--for` is up.
    TimeIsUp,
    /// Somebody lets a paused run go on.
    Resume,
    /// Time has passed.
    Tick,
}

/// What the supervisor does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Starts a worker after a delay.
    Spawn(WorkerSlot, Incarnation, Duration),
    /// Sends a message to a slot's worker.
    Send(WorkerSlot, ToWorker),
    /// Kills a slot's worker.
    Kill(WorkerSlot),
    /// Tells whoever watches.
    Notify(RunEvent),
    /// Ends the run.
    Finish(Finish),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Waits for the first hello of every worker.
    Starting,
    Running,
    /// No more input is wanted.
    Draining,
    /// The end mark is on its way.
    Ending,
    /// Every task has ended; the workers leave.
    Leaving,
    Finished,
}

/// The state of a run.
#[derive(Clone, Debug)]
pub struct Coordinator {
    plan: Plan,
    slots: Vec<Slot>,
    tasks: TaskLedger,
    phase: Phase,
    /// No input is wanted, although the workers are not all there yet.
    stop_at_start: bool,
    drain_deadline: Option<Timestamp>,
    interrupted: Option<Timestamp>,
    /// When workers that were told to leave and are still there are killed.
    leave_deadline: Option<Timestamp>,
    memory_lost: BTreeSet<String>,
    pause: Pause,
    stalls: Stalls,
    cases: Vec<stall::Case>,
    congested: Vec<TaskId>,
    next_timeouts: Timestamp,
    /// When anything was last heard; ticks come several times a second.
    last_event: Timestamp,
}

impl Coordinator {
    /// A run that is about to start, and its first effects.
    pub fn new(plan: Plan, now: Timestamp) -> (Self, Vec<Effect>) {
        let policy = &plan.settings.worker_restart;
        let slots = (0..plan.settings.workers).map(|_| Slot::new(policy.clone(), now)).collect();
        let tasks = TaskLedger::new(&plan);
        let start = (0..plan.settings.workers)
            .map(|slot| Effect::Spawn(WorkerSlot(slot), Incarnation(0), Duration::ZERO))
            .collect();
        let run = Self {
            plan,
            slots,
            tasks,
            phase: Phase::Starting,
            stop_at_start: false,
            drain_deadline: None,
            interrupted: None,
            leave_deadline: None,
            memory_lost: BTreeSet::new(),
            pause: Pause::default(),
            stalls: Stalls::default(),
            cases: Vec::new(),
            congested: Vec::new(),
            next_timeouts: now + TELL_TIMEOUTS_EVERY,
            last_event: now,
        };
        (run, start)
    }

    /// Counters at this time.
    pub fn totals(&self) -> Totals {
        self.tasks.totals(&self.plan, self.slots.iter().map(|slot| slot.rss).sum())
    }

    /// Takes an event. `jitter` is a random number in `0.0..1.0`.
    pub fn handle(&mut self, event: Event, now: Timestamp, jitter: f64) -> Vec<Effect> {
        if self.phase == Phase::Finished {
            return Vec::new();
        }
        self.forgive_own_pause(now);
        let mut effects = Vec::new();
        match event {
            Event::Message(slot, incarnation, message) => {
                if self.slot(slot).is_some_and(|known| known.incarnation == incarnation) {
                    self.hear(slot, message, now, &mut effects);
                }
            }
            Event::Exited(slot, incarnation, how) => {
                if self.slot(slot).is_some_and(|known| known.incarnation == incarnation) {
                    self.exited(slot, how, now, jitter, &mut effects);
                }
            }
            Event::Interrupt => self.interrupt(now, &mut effects),
            Event::TimeIsUp => self.stop_input("the time is up", now, &mut effects),
            Event::Resume => self.resume(now, &mut effects),
            Event::Tick => self.tick(now, &mut effects),
        }
        self.advance(now, &mut effects);
        effects
    }

    fn slot(&mut self, slot: WorkerSlot) -> Option<&mut Slot> {
        self.slots.get_mut(slot.index())
    }

    fn component_of(&self, task: TaskId) -> String {
        let task = self.plan.task(task);
        task.map_or_else(String::new, |task| self.plan.component(task.component).name.clone())
    }

    fn hear(
        &mut self,
        slot: WorkerSlot,
        message: FromWorker,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.slots[slot.index()].heard = now;
        match message {
            FromWorker::Hello { version, address } => {
                self.hello(slot, version, address, now, effects);
            }
            FromWorker::State { task, state } => {
                self.tasks.set_state(task, state);
                self.note_mended(task, state, now, effects);
            }
            FromWorker::Report { tasks, rss } => {
                let message_timeout = self.plan.settings.message_timeout;
                self.slots[slot.index()].report(now, message_timeout);
                self.slots[slot.index()].rss = rss;
                for report in tasks {
                    self.stalls.note(&report, now);
                    self.tasks.report(report);
                }
                self.share_congestion(now, effects);
            }
            FromWorker::Failed { task, reason, detail, lost_memory } => {
                if lost_memory {
                    self.lose_memory(task, effects);
                }
                self.task_failed(task, reason, detail, effects);
            }
            FromWorker::Unwanted { reason, .. } => {
                self.finish(Finish::Unwanted { reason }, effects);
            }
            FromWorker::Stacks { task, text } => self.stacks(task, text, now, effects),
            FromWorker::Restarted { task, reason, detail, lost_memory } => {
                let component = self.component_of(task);
                self.forget_stall(task);
                if lost_memory {
                    self.lose_memory(task, effects);
                }
                effects.push(Effect::Notify(RunEvent::Restarted {
                    component,
                    task,
                    reason,
                    detail,
                }));
            }
            FromWorker::Log { task, level, text } => {
                let component = self.component_of(task);
                effects.push(Effect::Notify(RunEvent::Log { component, task, level, text }));
            }
            FromWorker::Error { task, text, detail } => {
                let component = self.component_of(task);
                effects.push(Effect::Notify(RunEvent::Error { component, task, text, detail }));
            }
            FromWorker::LogDropped { task, repeated, dropped } => {
                let component = self.component_of(task);
                let event = RunEvent::LogDropped { component, task, repeated, dropped };
                effects.push(Effect::Notify(event));
            }
            FromWorker::PeerUnresponsive { slot, boot } => self.suspect(slot, boot, now, effects),
            FromWorker::Fatal { reason } => {
                let reason = format!("worker {slot} cannot go on: {reason}");
                self.finish(Finish::Failed { reason, detail: None }, effects);
            }
        }
    }

    fn hello(
        &mut self,
        slot: WorkerSlot,
        version: u32,
        address: WorkerAddress,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if version != CONTROL_VERSION {
            let reason = format!(
                "worker {slot} speaks control version {version}, the supervisor {CONTROL_VERSION}: \
                 the binary was replaced during the run"
            );
            return self.finish(Finish::Failed { reason, detail: None }, effects);
        }
        self.slots[slot.index()].stage = Stage::Bound(address);
        if self.phase == Phase::Starting {
            if self.slots.iter().all(|slot| slot.address().is_some()) {
                self.phase = if self.stop_at_start { Phase::Draining } else { Phase::Running };
                let (workers, tasks) = (self.slots.len(), self.plan.tasks.len());
                effects.push(Effect::Notify(RunEvent::Started { workers, tasks }));
                for slot in 0..self.slots.len() {
                    self.begin(WorkerSlot(slot as u16), now, effects);
                }
            }
            return;
        }
        let others = self.running_but(slot);
        self.begin(slot, now, effects);
        let incarnation = self.slots[slot.index()].incarnation;
        if let Some(address) = self.slots[slot.index()].address().cloned() {
            let replaced = others.into_iter().map(|other| {
                Effect::Send(other, ToWorker::PeerReplaced { address: address.clone() })
            });
            effects.extend(replaced);
        }
        if incarnation > Incarnation(0) {
            effects.push(Effect::Notify(RunEvent::WorkerReplaced { slot, incarnation }));
        }
    }

    fn begin(&mut self, slot: WorkerSlot, now: Timestamp, effects: &mut Vec<Effect>) {
        let workers = self.slots.iter().filter_map(Slot::address).cloned().collect();
        let incarnations = self.slots.iter().map(|slot| slot.incarnation).collect();
        let producing = self.phase == Phase::Running;
        if let Stage::Bound(address) = &self.slots[slot.index()].stage {
            let address = address.clone();
            self.slots[slot.index()].begin(address, now);
            let paused = self.pause.is_on();
            let here = self.plan.tasks_on(slot).map(|task| task.id);
            let ended = here.filter(|task| self.has_ended(*task)).collect();
            let begin = ToWorker::Begin { workers, incarnations, producing, paused, ended };
            effects.push(Effect::Send(slot, begin));
            if self.phase == Phase::Ending {
                effects.push(Effect::Send(slot, ToWorker::End));
            }
            if !self.congested.is_empty() {
                let tasks = self.congested.clone();
                effects.push(Effect::Send(slot, ToWorker::Congested { tasks }));
            }
        }
    }

    fn running_but(&self, but: WorkerSlot) -> Vec<WorkerSlot> {
        let slots = self.slots.iter().enumerate();
        slots
            .map(|(number, slot)| (WorkerSlot(number as u16), slot))
            .filter(|(number, slot)| *number != but && matches!(slot.stage, Stage::Running(_)))
            .map(|(number, _)| number)
            .collect()
    }

    fn send_all(&self, message: &ToWorker, effects: &mut Vec<Effect>) {
        let none = WorkerSlot(u16::MAX);
        let running = self.running_but(none).into_iter();
        effects.extend(running.map(|slot| Effect::Send(slot, message.clone())));
    }

    fn exited(
        &mut self,
        slot: WorkerSlot,
        how: String,
        now: Timestamp,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        if self.phase == Phase::Leaving {
            self.slots[slot.index()].stage = Stage::Exited;
            return;
        }
        if let Some(task) = self.lost_stdin(slot) {
            let reason = format!(
                "worker {slot} was lost ({how}) while {} read standard input: what it had read and \
                 not finished cannot be read again",
                self.component_of(task)
            );
            return self.finish(Finish::Failed { reason, detail: None }, effects);
        }
        let tasks: Vec<_> = self.plan.tasks_on(slot).map(|task| task.id).collect();
        for &task in &tasks {
            if self.held_memory(task) {
                self.lose_memory(task, effects);
            }
            self.tasks.bury(task);
            self.forget_stall(task);
        }
        let delay = self.slots[slot.index()].replace(now, jitter);
        let successor = self.slots[slot.index()].incarnation;
        for other in self.running_but(slot) {
            effects.push(Effect::Send(other, ToWorker::PeerLost { slot, successor }));
        }
        let Some(delay) = delay else {
            return self.worker_failed(slot, &how, effects);
        };
        effects.push(Effect::Notify(RunEvent::WorkerLost { slot, how, delay }));
        effects.push(Effect::Spawn(slot, successor, delay));
    }

    /// A task of that worker that reads standard input and may not have finished all of it.
    fn lost_stdin(&self, slot: WorkerSlot) -> Option<TaskId> {
        if self.phase >= Phase::Ending {
            return None;
        }
        let reads = |task: &&crate::topology::PlannedTask| {
            self.plan.component(task.component).kind == "stdin"
                && self.tasks.get(task.id).is_some_and(|record| record.state < RunState::Drained)
        };
        self.plan.tasks_on(slot).find(reads).map(|task| task.id)
    }

    fn held_memory(&self, task: TaskId) -> bool {
        let Some(record) = self.tasks.get(task).filter(|record| !record.has_ended) else {
            return false;
        };
        let planned = self.plan.task(task).map(|task| self.plan.component(task.component));
        let keeps = planned.is_some_and(|component| component.keeps_memory);
        // The last report is up to a period old: a task that was at work is taken to have had input.
        let last = &record.now;
        let holds = last.keeps_memory > 0 || last.open_finals > 0;
        holds || keeps && record.state > RunState::Starting
    }

    /// Whether a task has ended, in this life of its worker or an earlier one.
    fn has_ended(&self, task: TaskId) -> bool {
        self.tasks.get(task).is_some_and(|record| record.has_ended)
    }

    fn lose_memory(&mut self, task: TaskId, effects: &mut Vec<Effect>) {
        let component = self.component_of(task);
        self.memory_lost.insert(component.clone());
        effects.push(Effect::Notify(RunEvent::MemoryLost { component, task }));
    }

    /// Moves the run on where all tasks have come far enough.
    fn advance(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let running = self.slots.iter().all(|slot| matches!(slot.stage, Stage::Running(_)));
        if matches!(self.phase, Phase::Running | Phase::Draining)
            && running
            && self.all_tasks(Some(Role::Spout), RunState::Drained)
        {
            self.phase = Phase::Ending;
            self.drain_deadline = Some(now + self.plan.settings.drain_timeout);
            self.send_all(&ToWorker::End, effects);
        }
        if self.phase == Phase::Ending && self.all_tasks(None, RunState::Ended) {
            self.phase = Phase::Leaving;
            self.drain_deadline = None;
            self.leave_deadline = Some(now + LEAVE_WITHIN);
            self.send_all(&ToWorker::Exit, effects);
        }
        if self.phase == Phase::Leaving && self.slots.iter().all(|slot| slot.stage == Stage::Exited)
        {
            let lost: Vec<_> = self.memory_lost.iter().cloned().collect();
            let finish = if lost.is_empty() { Finish::Complete } else { Finish::MemoryLost(lost) };
            self.finish(finish, effects);
        }
    }

    fn all_tasks(&self, role: Option<Role>, state: RunState) -> bool {
        let mut tasks = self.plan.tasks.iter().filter(|task| {
            role.is_none_or(|role| self.plan.component(task.component).role == role)
        });
        tasks.all(|task| {
            let record = self.tasks.get(task.id);
            record.is_some_and(|record| record.state >= state && record.state != RunState::Failed)
        })
    }

    fn finish(&mut self, finish: Finish, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Finished {
            self.tell_timeouts(effects);
            self.phase = Phase::Finished;
            effects.push(Effect::Finish(finish));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
