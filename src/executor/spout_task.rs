//! The loop of a spout task, with the ledger of its roots.

mod roots;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::ack::{AckBatch, Ledger, Touched};
use crate::base::{Timestamp, now, panic_text};
use crate::component::{
    Component, ComponentError, MessageId, Next, Progress, Spout, SpoutCollector,
};
use crate::metrics::{FailReason, TaskCounters};
use crate::topology::Guarantee;

use super::emit::Output;
use super::housing::{Housing, TaskEvent, TaskState};
use super::life::{Restarts, Verdict};
use super::mailbox::Control;
use super::mark::Mark;
use super::pause::{pause, sooner};
use super::replay::{Kept, Replays};
use super::spout_emit::SpoutOutput;

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
    GivenUp,
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
    housing: Housing,
    output: Output,
    ledger: Ledger<Kept>,
    replays: Replays,
    life: Life,
    restarts: Restarts,
    lives: u32,
    stage: Stage,
    active: bool,
    /// When the spout is asked again.
    ask_at: Timestamp,
    idle_wait: Duration,
    next_save: Timestamp,
    /// Something was acked since the position was last asked for.
    unsaved: bool,
    done: Vec<MessageId>,
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
            life: Life::Due(Timestamp::default()),
            restarts,
            lives: 0,
            stage: Stage::Producing,
            active: false,
            ask_at: Timestamp::default(),
            idle_wait: IDLE_LEAST,
            next_save: Timestamp::default(),
            unsaved: false,
            done: Vec::new(),
            acks: Vec::new(),
        }
    }

    /// Runs until the task has ended or is given up.
    pub(crate) async fn run(mut self) {
        loop {
            self.obey();
            let worked = self.turn(now());
            match self.life {
                Life::GivenUp => return,
                _ if worked => {
                    tokio::task::yield_now().await;
                    continue;
                }
                _ => {}
            }
            if self.stage == Stage::Closed && self.output.is_clear() {
                self.housing.enter(TaskState::Ended);
                return;
            }
            let signal = self.housing.mailbox.signal().clone();
            pause(&signal, self.deadline(), &self.housing.shop.alarms).await;
            if now() < self.ask_at {
                // Rung before its time: something may have arrived.
                self.ask_at = Timestamp::default();
            }
        }
    }

    fn obey(&mut self) {
        for control in self.housing.mailbox.take_control() {
            match control {
                Control::Activate => self.activate(),
                Control::StopInput => self.stop_input(),
                Control::End => self.stage = self.stage.max(Stage::Closing),
                Control::PeerReplaced(slot) => self.output.peer_replaced(slot),
                Control::PeerLost(slot, view) => {
                    self.output.peer_lost(slot, view);
                    let now = now();
                    for (_, kept) in self.ledger.fail_touched(Touched::worker(slot)) {
                        self.give_again(kept, FailReason::WorkerLost, "a worker was lost", now);
                    }
                }
            }
        }
    }

    fn activate(&mut self) {
        self.active = true;
        if let Life::Open(spout) = &mut self.life {
            spout.activate();
        }
    }

    fn stop_input(&mut self) {
        self.active = false;
        if let Life::Open(spout) = &mut self.life {
            spout.deactivate();
        }
        self.exhausted();
    }

    fn exhausted(&mut self) {
        if self.stage == Stage::Producing {
            self.stage = Stage::Exhausted;
            self.output.mark(Mark::Drain);
        }
    }

    fn turn(&mut self, now: Timestamp) -> bool {
        self.take_acks(now);
        self.check_timeouts(now);
        if let Life::Due(at) = self.life {
            if now < at {
                self.output.flush();
                return false;
            }
            self.open(now);
        }
        self.settle_done();
        let mut worked = self.replay(now);
        worked |= self.produce(now);
        self.settle_done();
        worked |= self.output.flush();
        self.save_position(now);
        self.pass_marks();
        self.housing.counters.pending.store(self.pending() as u64, Relaxed);
        worked
    }

    fn pending(&self) -> usize {
        self.ledger.len() + self.replays.len()
    }

    fn open(&mut self, now: Timestamp) {
        self.lives += 1;
        let made = match (self.housing.build)() {
            Ok(Component::Spout(spout)) => Ok(spout),
            Ok(Component::Bolt(_)) => Err("the kind makes a bolt, not a spout".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let mut spout = match made {
            Ok(spout) => spout,
            Err(message) => return self.failed(ComponentError::give_up(message), now),
        };
        let context = self.housing.context.clone();
        if let Some(position) = self.housing.shop.positions.load(context.task) {
            spout.restore(&position);
        }
        self.life = Life::Open(spout);
        self.restarts.started(now);
        let active = self.active;
        let opened = self.guarded(now, |spout, _| {
            spout.open(&context)?;
            if active {
                spout.activate();
            }
            Ok(())
        });
        if opened.is_some() && self.stage == Stage::Producing {
            self.housing.enter(TaskState::Running);
        }
    }

    fn may_send(&self) -> bool {
        self.output.has_room() && self.ledger.len() < self.housing.shop.settings.max_spout_pending
    }

    fn replay(&mut self, now: Timestamp) -> bool {
        let mut worked = false;
        while self.may_send() && matches!(self.life, Life::Open(_)) {
            let Some(kept) = self.replays.due(now) else {
                break;
            };
            worked = true;
            TaskCounters::add(&self.housing.counters.replayed, 1);
            if let Err(error) = self.spout_output(now).1.send_kept(kept, None) {
                let message = format!("a message could not be given out again: {error}");
                self.housing.context.reporter.error(&message, None);
            }
        }
        worked
    }

    fn produce(&mut self, now: Timestamp) -> bool {
        if self.stage < Stage::Closing {
            self.guarded(now, |spout, out| spout.wake(out));
        }
        let max = self.housing.shop.settings.max_spout_pending.saturating_sub(self.pending());
        let Life::Open(spout) = &self.life else {
            return false;
        };
        let wanted = self.active && self.stage == Stage::Producing && now >= self.ask_at;
        if !wanted || !spout.ready() || max == 0 || !self.may_send() {
            return false;
        }
        let max = max.min(BATCH);
        match self.guarded(now, |spout, out| spout.next_batch(max, out)) {
            Some(Next::More) => {
                self.ask_at = Timestamp::default();
                self.idle_wait = IDLE_LEAST;
                true
            }
            Some(Next::Idle) => {
                self.ask_at = now + self.idle_wait;
                self.idle_wait = (self.idle_wait * 2).min(IDLE_GREATEST);
                false
            }
            Some(Next::IdleUntil(at)) => {
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

    fn spout_output(&mut self, now: Timestamp) -> (&mut Life, SpoutOutput<'_>) {
        let Self { housing, output, ledger, life, done, lives, .. } = self;
        let tracking = housing.shop.settings.guarantee == Guarantee::AtLeastOnce;
        let out = SpoutOutput {
            task: housing.context.task,
            output,
            ledger,
            counters: &housing.counters,
            tracking,
            now,
            life: *lives,
            done,
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
            Err(panic) => {
                ComponentError::restart(format!("panicked: {}", panic_text(panic.as_ref())))
            }
        };
        self.failed(error, now);
        None
    }

    fn failed(&mut self, error: ComponentError, now: Timestamp) {
        self.life = Life::GivenUp;
        TaskCounters::add(&self.housing.counters.errors, 1);
        let task = self.housing.context.task;
        let detail = error.detail.clone();
        match self.restarts.after(&error, now, fastrand::f64()) {
            Verdict::Restart(at) => {
                TaskCounters::add(&self.housing.counters.restarts, 1);
                self.life = Life::Due(at);
                let (reason, lost_memory) = (error.message, false);
                self.housing.send(TaskEvent::Restarted { task, reason, detail, lost_memory });
            }
            Verdict::GiveUp(reason) => {
                self.housing.send(TaskEvent::Failed { task, reason, detail });
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
        if let Life::Open(spout) = &mut self.life
            && let Some(position) = spout.position()
        {
            self.housing.shop.positions.save(self.housing.context.task, &position);
        }
    }

    fn pass_marks(&mut self) {
        if self.stage == Stage::Exhausted && self.pending() == 0 {
            self.housing.enter(TaskState::Drained);
        }
        if self.stage == Stage::Closing {
            let closed = match &mut self.life {
                Life::Open(spout) => spout.close() == Progress::Done,
                _ => true,
            };
            if closed {
                self.next_save = Timestamp::default();
                self.save_position(now());
                self.output.mark(Mark::End);
                self.stage = Stage::Closed;
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let due = match self.life {
            Life::Due(at) => Some(at),
            _ => None,
        };
        let timeout = self.ledger.next_due(self.housing.context.message_timeout);
        let replay = self.replays.next_due().filter(|_| self.may_send());
        let ask = Some(self.ask_at).filter(|at| {
            self.stage == Stage::Producing && self.active && at.0 > 0 && self.may_send()
        });
        let save = Some(self.next_save).filter(|_| self.stage < Stage::Closing && self.unsaved);
        sooner(sooner(due, timeout), sooner(replay, sooner(ask, save)))
    }
}
