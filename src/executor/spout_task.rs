//! The loop of a spout task, with the ledger of its roots.

mod burial;
mod paused;
mod roots;
mod steps;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::ack::{AckBatch, Ledger, Touched};
use crate::base::{TaskId, Timestamp, end_turn, now};
use crate::component::{
    Component, ComponentError, MessageId, Next, Progress, Spout, SpoutCollector, Tasks,
};
use crate::metrics::TaskCounters;
use crate::topology::Guarantee;

use super::dead_letter::Failure;
use super::emit::Output;
use super::housing::{Housing, TaskEvent, TaskState, panicked};
use super::life::{Death, Restarts, Verdict};
use super::mailbox::Control;
use super::mark::Mark;
use super::pause::sooner;
use super::replay::{Kept, Replays};
use super::spout_emit::SpoutOutput;
use burial::Burials;
use paused::Input;

/// Messages asked for at a time.
const BATCH: usize = 256;
/// How soon a spout that had nothing is asked again, at first and at last.
const IDLE_LEAST: Duration = Duration::from_millis(1);
const IDLE_GREATEST: Duration = Duration::from_millis(20);
/// How often a position is kept.
const SAVE_EVERY: Duration = Duration::from_millis(100);

enum Life {
    Due(Timestamp),
    Open(Box<dyn Spout>),
    /// Failed, and waits for somebody to mend it.
    Halted,
    GivenUp,
    /// All is done, and it is told again to workers that are replaced.
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Producing,
    /// No more input; the drain mark is sent.
    Exhausted,
    Closing,
    Closed,
}

pub(crate) struct SpoutTask {
    pub(super) housing: Housing,
    pub(super) output: Output,
    ledger: Ledger<Kept>,
    replays: Replays,
    burials: Burials,
    life: Life,
    restarts: Restarts,
    lives: u32,
    /// A life has been opened: later ones continue its work.
    begun: bool,
    stage: Stage,
    input: Input,
    /// When the spout is asked again.
    ask_at: Timestamp,
    idle_wait: Duration,
    next_save: Timestamp,
    /// Something was acked since the position was last asked for.
    unsaved: bool,
    /// The spout has said that it gives a message out again itself, and was not called since.
    owed: bool,
    done: Vec<MessageId>,
    shed: Vec<(Kept, TaskId)>,
    acks: Vec<AckBatch>,
}

impl SpoutTask {
    pub(crate) fn new(housing: Housing, output: Output) -> Self {
        let restarts = Restarts::new(housing.restart.clone());
        let replays = Replays::new(housing.retry.clone());
        Self {
            housing,
            output,
            ledger: Ledger::new(fastrand::u32(..)),
            replays,
            burials: Burials::default(),
            life: Life::Due(Timestamp::default()),
            restarts,
            lives: 0,
            begun: false,
            stage: Stage::Producing,
            input: Input::default(),
            ask_at: Timestamp::default(),
            idle_wait: IDLE_LEAST,
            next_save: Timestamp::default(),
            unsaved: false,
            owed: false,
            done: Vec::new(),
            shed: Vec::new(),
            acks: Vec::new(),
        }
    }

    /// The task had ended in an earlier life of its worker.
    pub(super) fn skip(&mut self) {
        (self.stage, self.life) = (Stage::Closed, Life::Over);
        self.output.mark(Mark::End);
    }

    pub(super) fn obey(&mut self, now: Timestamp) {
        for control in self.housing.mailbox.take_control() {
            match control {
                Control::Activate => self.activate(),
                Control::StopInput => self.stop_input(),
                Control::Pause => self.pause(),
                Control::Resume => self.resume(now),
                Control::ShowStacks | Control::Restart(_) => {}
                Control::End => self.stage = self.stage.max(Stage::Closing),
                Control::PeerReplaced(slot) => self.output.peer_replaced(slot),
                Control::PeerLost(slot, view) => {
                    self.output.peer_lost(slot, view);
                    for (_, kept) in self.ledger.fail_touched(Touched::worker(slot)) {
                        self.give_again(kept, Failure::WORKER_LOST, now);
                    }
                }
            }
        }
    }

    fn activate(&mut self) {
        self.input.active = true;
        if self.input.flows() {
            self.tell(|spout| spout.activate());
        }
    }

    fn stop_input(&mut self) {
        self.input.active = false;
        self.tell(|spout| spout.deactivate());
        self.exhausted();
    }

    fn exhausted(&mut self) {
        if self.stage == Stage::Producing {
            self.stage = Stage::Exhausted;
            self.output.mark(Mark::Drain);
        }
    }

    pub(super) fn turn(&mut self, now: Timestamp) -> bool {
        self.output.begin_turn(now, now);
        self.take_acks(now);
        self.check_timeouts(now);
        if let Life::Due(at) = self.life
            && now >= at
        {
            self.open(now);
        } else if matches!(self.life, Life::Due(_) | Life::Halted | Life::Over) {
            self.output.flush();
            return false;
        }
        self.settle_done();
        self.settle_shed(now);
        let mut worked = self.replay(now);
        worked |= self.produce(now);
        self.settle_done();
        self.settle_shed(now);
        // A letter that is written makes room for a message.
        let letters = self.burials.len();
        self.write_letters(now);
        worked |= self.burials.len() < letters;
        let full = !self.output.has_room();
        if now < self.next_save {
            end_turn(now, || self.output.flush());
        } else {
            self.output.flush();
            self.save_position(now);
        }
        self.pass_marks(now);
        self.housing.counters.pending.store(self.pending() as u64, Relaxed);
        // Nobody rings for room that there is already.
        worked || full && self.output.has_room()
    }

    fn pending(&self) -> usize {
        self.ledger.len() + self.replays.len() + self.burials.len()
    }

    fn is_open(&self) -> bool {
        matches!(self.life, Life::Open(_))
    }

    fn open(&mut self, now: Timestamp) {
        self.lives += 1;
        match self.housing.make() {
            Ok(Component::Spout(spout)) => self.life = Life::Open(spout),
            Ok(Component::Bolt(_)) => {
                let error = ComponentError::give_up("the kind makes a bolt, not a spout");
                return self.failed(error, now);
            }
            Err(error) => return self.failed(error, now),
        }
        if let Err(error) = self.housing.prepare_dead_letters() {
            return self.failed(error, now);
        }
        self.restarts.started(now);
        self.ask_at = Timestamp::default();
        self.idle_wait = IDLE_LEAST;
        let context = self.housing.context_of_life(self.begun);
        let position = self.housing.shop.positions.load(context.task);
        let active = self.input.flows();
        let opened = self.guarded(now, |spout, _| {
            if let Some(position) = position {
                spout.restore(&position);
            }
            spout.open(&context)?;
            if active {
                spout.activate();
            }
            Ok(())
        });
        if opened.is_none() {
            return;
        }
        if !std::mem::replace(&mut self.begun, true) {
            self.housing.shop.positions.note_begun(context.task);
        }
        if self.stage == Stage::Producing {
            self.housing.enter(TaskState::Running);
        }
    }

    fn may_send(&self) -> bool {
        !self.input.paused && self.output.has_room() && self.ledger.len() < self.housing.max_pending
    }

    fn replay(&mut self, now: Timestamp) -> bool {
        let mut worked = false;
        while self.may_send() && matches!(self.life, Life::Open(_)) {
            let Some(kept) = self.replays.due(now) else {
                break;
            };
            worked = true;
            let known = kept.particulars();
            let is_first = known.is_letter && known.failures == 0;
            TaskCounters::add(&self.housing.counters.replayed, u64::from(!is_first));
            if let Err(error) = self.spout_output(now).1.send_kept(kept, Tasks::Any) {
                let message = format!("a message could not be given out again: {error}");
                self.housing.context.reporter.error(&message, None);
            }
        }
        worked
    }

    fn produce(&mut self, now: Timestamp) -> bool {
        if self.stage < Stage::Closing && self.output.has_room() {
            self.owed = false;
            self.guarded(now, |spout, out| spout.wake(out));
        }
        let max = self.wanted();
        if max == 0 || now < self.ask_at {
            return false;
        }
        match self.guarded(now, |spout, out| spout.next_batch(max, out)) {
            Some(Next::More) => {
                self.output.take(0);
                self.ask_at = Timestamp::default();
                self.idle_wait = IDLE_LEAST;
                self.wanted() > 0
            }
            Some(Next::Idle) => {
                self.output.rest();
                self.ask_at = now + self.idle_wait;
                self.idle_wait = (self.idle_wait * 2).min(IDLE_GREATEST);
                false
            }
            Some(Next::IdleUntil(at)) => {
                self.output.rest();
                self.ask_at = at;
                false
            }
            Some(Next::Exhausted) => {
                self.exhausted();
                false
            }
            None => false,
        }
    }

    /// How many messages the spout may be asked for; time apart.
    fn wanted(&self) -> usize {
        let ready = matches!(&self.life, Life::Open(spout) if spout.ready());
        if !ready || !self.input.active || self.stage > Stage::Producing || !self.may_send() {
            return 0;
        }
        self.housing.max_pending.saturating_sub(self.pending()).min(BATCH)
    }

    fn spout_output(&mut self, now: Timestamp) -> (&mut Life, SpoutOutput<'_>) {
        let Self { housing, output, ledger, life, done, shed, lives, .. } = self;
        let tracking = housing.shop.settings.guarantee == Guarantee::AtLeastOnce;
        let out = SpoutOutput {
            task: housing.context.task,
            output,
            ledger,
            tracking,
            now,
            life: *lives,
            done,
            shed,
        };
        (life, out)
    }

    fn guarded<T>(
        &mut self,
        now: Timestamp,
        call: impl FnOnce(&mut dyn Spout, &mut SpoutCollector<'_>) -> Result<T, ComponentError>,
    ) -> Option<T> {
        let (life, mut out) = self.spout_output(now);
        let Life::Open(spout) = life else { return None };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            call(spout.as_mut(), &mut SpoutCollector::new(&mut out))
        }));
        let error = match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error,
            Err(panic) => panicked(panic.as_ref()),
        };
        self.failed(error, now);
        None
    }

    /// Calls the component without a collector; `None` where it is not open or panics.
    fn tell<T>(&mut self, call: impl FnOnce(&mut dyn Spout) -> T) -> Option<T> {
        let Life::Open(spout) = &mut self.life else { return None };
        match catch_unwind(AssertUnwindSafe(|| call(spout.as_mut()))) {
            Ok(value) => Some(value),
            Err(panic) => {
                self.failed(panicked(panic.as_ref()), now());
                None
            }
        }
    }

    fn failed(&mut self, error: ComponentError, now: Timestamp) {
        self.life = Life::GivenUp;
        TaskCounters::add(&self.housing.counters.errors, 1);
        let task = self.housing.context.task;
        let detail = error.detail.clone();
        match self.restarts.after(&error, Death::default(), now, fastrand::f64()) {
            Verdict::Restart(at) => {
                TaskCounters::add(&self.housing.counters.restarts, 1);
                self.life = Life::Due(at);
                let (reason, lost_memory) = (error.message, false);
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
                self.housing.send(TaskEvent::Failed { task, reason, detail, lost_memory: false });
                self.housing.enter(TaskState::Failed);
            }
        }
        self.output.flush();
    }

    fn save_position(&mut self, now: Timestamp) {
        if now < self.next_save {
            return;
        }
        self.next_save = now + SAVE_EVERY;
        self.unsaved = false;
        if let Some(Some(position)) = self.tell(|spout| spout.position()) {
            self.housing.shop.positions.save(self.housing.context.task, &position);
        }
    }

    fn pass_marks(&mut self, now: Timestamp) {
        if self.stage == Stage::Exhausted && self.pending() == 0 && !self.owed {
            self.housing.enter(TaskState::Drained);
        }
        // What a spout has emitted after it said that there is no more is waited for, too.
        if self.stage == Stage::Closing && self.pending() == 0 {
            let progress = self.tell(|spout| spout.close());
            if progress != Some(Progress::Pending) {
                self.next_save = Timestamp::default();
                self.save_position(now);
                self.output.mark(Mark::End);
                self.stage = Stage::Closed;
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let timeout = self.ledger.next_due(self.housing.context.message_timeout);
        match self.life {
            Life::Due(at) => return sooner(Some(at), timeout),
            Life::Halted => return timeout,
            Life::Over => return None,
            Life::Open(_) | Life::GivenUp => {}
        }
        let replay = self.replays.next_due().filter(|_| self.may_send());
        let ask = Some(self.ask_at).filter(|at| at.0 > 0 && self.wanted() > 0);
        let replay = sooner(replay, self.burials.due());
        let save = Some(self.next_save).filter(|_| self.stage < Stage::Closing && self.unsaved);
        sooner(timeout, sooner(replay, sooner(ask, save)))
    }
}
