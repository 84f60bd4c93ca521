//! The loop of a bolt task.

mod ending;
mod orders;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::base::{Timestamp, end_turn, hand_on, just_now, now, panic_text};
use crate::component::{Acking, Bolt, Collector, Component, ComponentError, Emitter, FailKind};
use crate::metrics::{DropReason, TaskCounters};
use crate::tuple::{Flags, Ticket, Tuple};

use super::emit::Output;
use super::hours::Occupation;
use super::housing::{Housing, TaskEvent, TaskState, panicked};
use super::lane::{Opened, open_part};
use super::life::{Death, Restarts, Verdict};
use super::mailbox::Delivery;
use super::mark::MarkBoard;
use super::pause::{Step, pause, sooner};

/// Tuples between two looks at control and time.
const TURN: usize = 512;
/// What so few tuples have made leaves in less time than is worth another look at the clock.
const FEW: usize = 32;
/// The longest that an open batch waits while its task is busy.
const FLUSH_EVERY: Duration = Duration::from_millis(1);

enum Life {
    /// Waits for its start, or its next one.
    Due(Timestamp),
    Open(Box<dyn Bolt>, Acking),
    /// Failed, and waits for somebody to mend it; its input waits too.
    Halted,
    GivenUp,
    /// All is done, and it is told again to workers that are replaced.
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Working,
    Drained,
    /// Every final result has been given out; they are waited for.
    Ending,
    /// The end mark has gone on; the component closes.
    Closing,
    /// The component is closed; the last output is on its way.
    Closed,
}

/// Whether the component is to drain once more behind the first time: it was opened anew since, or the mark
/// has come again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redrain {
    Done,
    Wanted,
    Asked,
}

pub(crate) struct BoltTask {
    pub(super) housing: Housing,
    pub(super) output: Output,
    life: Life,
    restarts: Restarts,
    /// A life has been opened: later ones continue its work.
    begun: bool,
    board: MarkBoard,
    stage: Stage,
    redrain: Redrain,
    taken: std::vec::IntoIter<Tuple>,
    in_hand: Option<(Ticket, Flags)>,
    /// Tuples acked when the life before this one ended.
    acked_before: u64,
    next_tick: Option<Timestamp>,
    last_flush: Timestamp,
    idle: bool,
    /// When the component had done what it was given in this turn, where nothing of note has followed.
    done_at: Option<Timestamp>,
}

impl BoltTask {
    pub(crate) fn new(housing: Housing, output: Output) -> Self {
        let restarts = Restarts::new(housing.restart.clone());
        let board = MarkBoard::new(housing.producers.iter().copied());
        Self {
            housing,
            output,
            life: Life::Due(Timestamp::default()),
            restarts,
            begun: false,
            board,
            stage: Stage::Working,
            redrain: Redrain::Done,
            taken: Vec::new().into_iter(),
            in_hand: None,
            acked_before: 0,
            next_tick: None,
            last_flush: Timestamp::default(),
            idle: false,
            done_at: None,
        }
    }

    /// Runs until the task has ended or is given up.
    pub(crate) async fn run(mut self) {
        let signal = self.housing.mailbox.signal().clone();
        let mut alarm = self.housing.shop.alarms.alarm(&signal);
        loop {
            let at = just_now();
            self.housing.turn_to(Occupation::Busy, at);
            match self.step(at) {
                Step::Again => tokio::task::yield_now().await,
                Step::Wait(deadline) => {
                    let at = self.done_at.unwrap_or_else(now);
                    self.housing.turn_to(self.waits_for(), at);
                    hand_on(at);
                    pause(&signal, deadline, &mut alarm, at).await;
                }
                Step::Over => return self.housing.close_hours(),
            }
        }
    }

    /// Obeys and takes a turn; what is to be done then.
    pub(super) fn step(&mut self, now: Timestamp) -> Step {
        self.obey();
        let worked = self.turn(now);
        if matches!(self.life, Life::GivenUp) {
            return Step::Over;
        }
        self.show_backlog();
        if worked {
            return Step::Again;
        }
        if self.stage == Stage::Closed && self.output.is_clear() {
            self.housing.enter(TaskState::Ended);
            if self.housing.is_alone() {
                return Step::Over;
            }
            self.life = Life::Over;
        }
        Step::Wait(self.deadline())
    }

    /// What it is at while its loop waits.
    pub(super) fn waits_for(&self) -> Occupation {
        let Life::Open(bolt, _) = &self.life else {
            return Occupation::Idle;
        };
        if !self.output.has_room() || self.stage == Stage::Closed {
            Occupation::Blocked
        } else if !bolt.ready() || bolt.works() {
            Occupation::Busy
        } else {
            Occupation::Idle
        }
    }

    /// Does what can be done now; true where there may be more at once.
    pub(super) fn turn(&mut self, now: Timestamp) -> bool {
        self.done_at = None;
        self.output.begin_turn(now, self.housing.mailbox.head_since().unwrap_or(now));
        self.output.settle_finals(&self.housing, now);
        if matches!(self.life, Life::Over) {
            while self.take(now) {}
        }
        if let Life::Due(at) = self.life
            && now >= at
        {
            self.open(now);
        }
        if matches!(self.life, Life::Due(_) | Life::Halted | Life::Over) {
            self.output.flush();
            return false;
        }
        if self.output.has_room() {
            // A child is not listened to while what it emits has nowhere to go.
            self.guarded(|bolt, out| bolt.wake(out));
        }
        let (worked, until) = self.work(now);
        self.done_at = until.filter(|_| worked <= FEW);
        self.tick(now);
        self.pass_marks();
        // It is idle where it finds nothing in a turn, so that others had theirs meanwhile.
        let again = worked > 0 && (worked >= TURN || self.may_go_on() || self.has_idle_work());
        if again {
            self.idle = false;
        } else if self.housing.mailbox.is_empty() {
            self.output.rest();
            if !std::mem::replace(&mut self.idle, true) && self.has_idle_work() {
                self.guarded(|bolt, out| bolt.idle(out));
            }
        }
        let full = !self.output.has_room();
        let waited = now.since(self.last_flush) >= FLUSH_EVERY;
        if full || waited || worked == 0 || self.housing.mailbox.is_empty() {
            end_turn(until.unwrap_or_else(self::now), || self.output.flush());
            self.last_flush = now;
        }
        // Nobody rings for room that is there already.
        again || full && self.output.has_room()
    }

    fn may_go_on(&self) -> bool {
        self.taken.len() > 0 || !self.housing.mailbox.is_empty()
    }

    fn has_idle_work(&self) -> bool {
        matches!(&self.life, Life::Open(bolt, _) if bolt.has_idle_work())
    }

    fn open(&mut self, now: Timestamp) {
        match self.housing.make() {
            Ok(Component::Bolt(bolt)) => self.life = Life::Open(bolt, Acking::Automatic),
            Ok(Component::Spout(_)) => {
                let error = ComponentError::give_up("the kind makes a spout, not a bolt");
                return self.failed(error, now);
            }
            Err(error) => return self.failed(error, now),
        }
        self.restarts.started(now);
        let context = self.housing.context_of_life(self.begun);
        self.guarded(|bolt, out| bolt.open(&context, out));
        if let Life::Open(bolt, acking) = &mut self.life {
            *acking = bolt.acking();
            if !std::mem::replace(&mut self.begun, true) {
                self.housing.shop.positions.note_begun(context.task);
            }
            self.next_tick = context.tick.map(|every| now + every);
            let drained = self.stage >= Stage::Drained;
            self.redrain = if drained { Redrain::Wanted } else { Redrain::Done };
            if self.stage == Stage::Working {
                self.housing.enter(TaskState::Running);
            }
        }
    }

    /// Executes some tuples; how many, and until when where there were any.
    fn work(&mut self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let mut worked = 0;
        while worked < TURN {
            if self.taken.len() == 0 && !(self.may_execute() && self.take(now)) {
                break;
            }
            let executed = self.execute(TURN - worked);
            worked += executed;
            if executed == 0 && self.taken.len() > 0 {
                break;
            }
        }
        (worked, (worked > 0).then(|| self.measure(now, worked)))
    }

    fn may_execute(&self) -> bool {
        matches!(&self.life, Life::Open(bolt, _) if bolt.ready()) && self.output.has_room()
    }

    fn measure(&self, started: Timestamp, worked: usize) -> Timestamp {
        let counters = &self.housing.counters;
        TaskCounters::add(&counters.executed, worked as u64);
        let until = now();
        let each = until.nanos_since(started) / worked as u64;
        if matches!(&self.life, Life::Open(_, Acking::Automatic)) {
            counters.latency.record_nanos(each, worked as u64);
        }
        until
    }

    /// Takes the next delivery; false where there is none.
    fn take(&mut self, now: Timestamp) -> bool {
        let Some(delivery) = self.housing.mailbox.take() else {
            return false;
        };
        match delivery {
            Delivery::Tuples(tuples) => self.take_tuples(tuples),
            Delivery::Mark(from, mark) => self.note_mark(from, mark),
            Delivery::Part(from, part) => {
                let task = self.housing.context.task;
                self.housing.shop.credit.credit_back(from, task, part.len());
                match open_part(&part) {
                    Ok(Opened::Tuples(tuples)) => self.take_tuples(tuples),
                    Ok(Opened::Mark(from, mark)) => self.note_mark(from, mark),
                    Err(error) => {
                        self.housing.counters.count_dropped(DropReason::Malformed, 1);
                        let message = format!("a part from worker {from} is malformed: {error}");
                        self.housing.context.reporter.error(&message, None);
                    }
                }
            }
        }
        self.output.take(self.taken.len());
        let since = if self.taken.len() > 0 { now.0.max(1) } else { 0 };
        self.housing.status.inner_since.store(since, Relaxed);
        self.pass_marks();
        true
    }

    /// Gives taken tuples to the component while it is ready and the outputs fit.
    fn execute(&mut self, max: usize) -> usize {
        let Self { life, output, taken, in_hand, housing, .. } = self;
        let Life::Open(bolt, acking) = life else {
            return 0;
        };
        let before = taken.len();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..max {
                if !output.has_room() || !bolt.ready() {
                    break;
                }
                let Some(tuple) = taken.next() else { break };
                let flags = tuple.flags;
                let (ticket, _) = in_hand.insert((tuple.ticket(), flags));
                let mut out = Collector::holding(output, &ticket.anchors, flags);
                match bolt.execute(tuple, &mut out) {
                    Ok(()) if *acking == Acking::Automatic => output.ack(&ticket.anchors),
                    Ok(()) => {}
                    Err(error) => {
                        output.fail(&ticket.anchors, FailKind::Explicit, &error.message);
                        if bolt.execute_error_is_fatal() {
                            *in_hand = None;
                            return Err(error);
                        }
                        TaskCounters::add(&housing.counters.errors, 1);
                        housing.context.reporter.error(&error.message, error.detail.as_deref());
                    }
                }
                *in_hand = None;
            }
            Ok(())
        }));
        let executed = before - self.taken.len();
        self.judge(outcome);
        executed
    }

    /// Calls the component with a collector, and handles its error or panic.
    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Bolt, &mut Collector<'_>) -> Result<T, ComponentError>,
    ) -> Option<T> {
        let Self { life, output, done_at, .. } = self;
        let Life::Open(bolt, _) = life else {
            return None;
        };
        *done_at = None;
        let outcome =
            catch_unwind(AssertUnwindSafe(|| call(bolt.as_mut(), &mut Collector::new(output))));
        self.judge(outcome)
    }

    fn judge<T>(&mut self, outcome: std::thread::Result<Result<T, ComponentError>>) -> Option<T> {
        let error = match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error,
            Err(panic) => panicked(panic.as_ref()),
        };
        self.failed(error, now());
        None
    }

    /// Ends this life: fails what it held and decides about the next one.
    fn failed(&mut self, error: ComponentError, now: Timestamp) {
        // A child that is gone does not know any more what it kept: what was last shown counts.
        let mut lost_memory = self.housing.counters.keeps_memory.swap(0, Relaxed) > 0;
        if let Some((ticket, flags)) = self.in_hand.take() {
            self.output.fail(&ticket.anchors, FailKind::of_death(flags), &error.message);
        }
        if let Life::Open(mut bolt, _) = std::mem::replace(&mut self.life, Life::GivenUp) {
            let mut out = Collector::new(&mut self.output);
            let abandoned = catch_unwind(AssertUnwindSafe(|| {
                lost_memory |= bolt.holds_memory();
                bolt.abandon(FailKind::Died, &mut out);
            }));
            if let Err(panic) = abandoned {
                let reason = panic_text(panic.as_ref());
                tracing::error!(reason, "a component panicked while it was abandoned");
            }
        }
        TaskCounters::add(&self.housing.counters.errors, 1);
        let task = self.housing.context.task;
        let detail = error.detail.clone();
        let acked = self.housing.counters.acked.load(Relaxed);
        let death = Death {
            blame: self.output.take_blame(),
            progress: std::mem::replace(&mut self.acked_before, acked) < acked,
        };
        match self.restarts.after(&error, death, now, fastrand::f64()) {
            Verdict::Restart(at) => {
                TaskCounters::add(&self.housing.counters.restarts, 1);
                self.life = Life::Due(at);
                let reason = error.message;
                self.housing.send(TaskEvent::Restarted { task, reason, detail, lost_memory });
            }
            Verdict::EndRun(reason) => {
                self.housing.send(TaskEvent::Unwanted { task, reason });
                self.housing.enter(TaskState::Failed);
            }
            Verdict::GiveUp(reason) => {
                if self.restarts.may_be_mended() {
                    self.life = Life::Halted;
                }
                self.housing.send(TaskEvent::Failed { task, reason, detail, lost_memory });
                self.housing.enter(TaskState::Failed);
            }
        }
        self.output.flush();
    }

    fn tick(&mut self, now: Timestamp) {
        let (Some(due), Some(every)) = (self.next_tick, self.housing.context.tick) else {
            return;
        };
        if now >= due && self.stage < Stage::Ending && self.may_execute() {
            let next = due + every;
            self.next_tick = Some(if next > now { next } else { now + every });
            self.guarded(|bolt, out| bolt.tick(out));
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        sooner(self.output.finals_due(&self.housing), self.own_deadline())
    }

    fn own_deadline(&self) -> Option<Timestamp> {
        match self.life {
            Life::Due(at) => Some(at),
            Life::Open(..) => {
                // A tick that is due and cannot be given waits for the doorbell.
                self.next_tick.filter(|_| self.stage < Stage::Ending && self.may_execute())
            }
            Life::Halted | Life::GivenUp | Life::Over => None,
        }
    }
}
