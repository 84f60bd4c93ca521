//! The final results of a bolt task. They come after every message is done, so nothing in the run would
//! give them out again: each is a root of the task's own, kept here until its tree is done.

use std::time::Duration;

use crate::ack::{AckBatch, Ledger, Settled, Touched};
use crate::base::{TaskId, Timestamp};
use crate::component::{Emission, EmitError, Level, MessageId, Tasks};
use crate::metrics::{DropReason, FailReason, TaskCounters};
use crate::topology::RetryPolicy;
use crate::tuple::Flags;

use super::dead_letter::Failure;
use super::emit::Output;
use super::housing::Housing;
use super::mark::Mark;
use super::pause::sooner;
use super::replay::{Fate, Kept, Replays};
use super::tracked::Sending;

/// The final results that are on their way, or are to be given out again. They are no more than fit in the
/// queues on their way, which are bounded, and than bolts there hold.
pub(crate) struct Finals {
    task: TaskId,
    ledger: Ledger<Kept>,
    replays: Replays,
    /// People know that one was refused.
    told: bool,
    /// When the last one was given out or done.
    moved: Timestamp,
    /// Consumers were asked since then to give up what they hold.
    asked: bool,
}

/// Where no final result is done for so long, the drain mark goes behind them once more: a consumer may hold
/// them back that gives up what it holds when it drains.
const ASK_AFTER: Duration = Duration::from_millis(200);

impl Finals {
    fn new(housing: &Housing) -> Self {
        let retry = RetryPolicy { max: None, dead_letter: None, ..housing.retry.clone() };
        Self {
            task: housing.context.task,
            ledger: Ledger::new(fastrand::u32(..)),
            replays: Replays::new(retry),
            told: false,
            moved: Timestamp::default(),
            asked: false,
        }
    }

    fn len(&self) -> usize {
        self.ledger.len() + self.replays.len()
    }

    fn note_move(&mut self, now: Timestamp) {
        (self.moved, self.asked) = (now, false);
    }

    /// When consumers are to be asked, where some are on their way.
    fn ask_at(&self) -> Option<Timestamp> {
        (!self.asked && !self.ledger.is_empty()).then(|| self.moved + ASK_AFTER)
    }
}

impl Output {
    /// From here on what is emitted and anchored to nothing is a final result.
    pub(crate) fn track_finals(&mut self, housing: &Housing) {
        if self.finals.is_none() {
            self.finals = Some(Box::new(Finals::new(housing)));
        }
    }

    /// The run is paused.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// The run goes on. The time of the pause counts for no final result.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        self.paused = false;
        if let Some(finals) = &mut self.finals {
            finals.ledger.reset_timeouts(now);
        }
    }

    /// How many final results are not done.
    pub(crate) fn open_finals(&self) -> usize {
        self.finals.as_ref().map_or(0, |finals| finals.len())
    }

    /// When there is next something to do about one.
    pub(crate) fn finals_due(&self, housing: &Housing) -> Option<Timestamp> {
        let finals = self.finals.as_ref().filter(|_| !self.paused)?;
        let replay = finals.replays.next_due().filter(|_| self.routes.have_room());
        let timeout = finals.ledger.next_due(housing.context.message_timeout);
        sooner(sooner(timeout, finals.ask_at()), replay)
    }

    /// Whether an emission is one.
    pub(super) fn is_final(&self, emission: &Emission<'_>) -> bool {
        self.finals.is_some() && emission.anchors.iter().all(|anchors| anchors.is_empty())
    }

    /// Gives out a final result.
    #[cold]
    pub(super) fn emit_final(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        let Emission { stream, direct, values, flags, tasks, .. } = emission;
        let mut kept = Kept::fresh(MessageId(0), (stream, direct), values, self.turn_at, 0);
        if flags != Flags::default() {
            kept.particulars_mut().flags = flags;
        }
        self.send_final(kept, tasks)
    }

    fn send_final(&mut self, kept: Kept, tasks: Tasks<'_>) -> Result<(), EmitError> {
        let Some(mut finals) = self.finals.take() else { return Ok(()) };
        let at = self.turn_at;
        finals.note_move(at);
        let sending = self.send_root(finals.task, &mut finals.ledger, kept, at, tasks);
        self.finals = Some(finals);
        if let Sending::Shed(kept, task) = sending? {
            let text = self.shed_at(task);
            let (reason, task) = (FailReason::Shed, Some(task));
            self.final_failed(*kept, Failure { reason, task, message: &text });
        }
        Ok(())
    }

    /// Takes acks, times out, and gives out again what has failed.
    pub(crate) fn settle_finals(&mut self, housing: &Housing, now: Timestamp) {
        if self.finals.is_none() {
            return;
        }
        self.take_final_acks(housing, now);
        self.time_out_finals(housing, now);
        // One that a full input sheds may be due again at once: the next turn has it.
        let waiting = self.finals.as_ref().map_or(0, |finals| finals.replays.len());
        for _ in 0..waiting {
            if self.paused || !self.routes.have_room() {
                break;
            }
            let Some(kept) = self.finals.as_mut().and_then(|finals| finals.replays.due(now)) else {
                break;
            };
            TaskCounters::add(&self.counters.replayed, 1);
            if let Err(error) = self.send_final(kept, Tasks::Any) {
                let text = format!("a final result could not be given out again: {error}");
                self.reporter.error(&text, None);
            }
        }
        self.ask_to_drain(now);
    }

    fn ask_to_drain(&mut self, now: Timestamp) {
        let Some(finals) = self.finals.as_mut().filter(|_| !self.paused) else { return };
        if finals.ask_at().is_some_and(|at| at <= now) {
            finals.asked = true;
            self.mark(Mark::Drain);
        }
    }

    fn take_final_acks(&mut self, housing: &Housing, now: Timestamp) {
        let mut batches = Vec::new();
        housing.mailbox.take_acks(&mut batches);
        for batch in batches {
            self.take_final_batch(batch, now);
        }
    }

    fn take_final_batch(&mut self, batch: AckBatch, now: Timestamp) {
        let replaced = self.view().replaced_since(&batch.view);
        let Some(finals) = &mut self.finals else { return };
        let (mut lost, mut failed, mut unknown) = (Vec::new(), Vec::new(), 0);
        let mut done = false;
        for ack in &batch.acks {
            match finals.ledger.ack(ack, replaced) {
                Settled::Done(_) => done = true,
                Settled::Open => {}
                Settled::Lost(kept) => lost.push(kept),
                Settled::Unknown => unknown += 1,
            }
        }
        for fail in batch.fails {
            match finals.ledger.fail(fail.root) {
                Some(kept) => failed.push((kept, fail)),
                None => unknown += 1,
            }
        }
        for root in batch.resets {
            unknown += u64::from(!finals.ledger.reset_timeout(root, now));
        }
        if done {
            finals.note_move(now);
        }
        for kept in lost {
            self.final_failed(kept, Failure::WORKER_LOST);
        }
        for (kept, fail) in failed {
            let (reason, task) = (fail.reason, Some(fail.task));
            self.final_failed(kept, Failure { reason, task, message: &fail.message });
        }
        if unknown > 0 {
            self.counters.count_dropped(DropReason::UnknownRoot, unknown);
        }
    }

    fn time_out_finals(&mut self, housing: &Housing, now: Timestamp) {
        let timeout = housing.context.message_timeout;
        let deferred = self.paused || housing.shop.congestion.meets(&housing.downstream);
        while let Some(finals) = &mut self.finals
            && let Some(root) = finals.ledger.due(now, timeout)
        {
            if deferred {
                finals.ledger.reset_timeout(root, now);
                TaskCounters::add(&self.counters.timeouts_deferred, 1);
            } else if let Some(kept) = finals.ledger.fail(root) {
                let (reason, message) = (FailReason::TimedOut, "not fully acked in time");
                self.final_failed(kept, Failure { reason, task: None, message });
            }
        }
    }

    /// Gives out again what was on its way to a worker that is gone.
    pub(super) fn finals_lost(&mut self, lost: Touched) {
        let Some(finals) = &mut self.finals else { return };
        for (_, kept) in finals.ledger.fail_touched(lost) {
            self.final_failed(kept, Failure::WORKER_LOST);
        }
    }

    fn final_failed(&mut self, kept: Kept, failure: Failure<'_>) {
        let Failure { reason, task, .. } = failure;
        self.counters.count_failed(reason);
        let at = self.turn_at;
        let Some(finals) = &mut self.finals else { return };
        let fate = finals.replays.failed(kept, reason, at, fastrand::f64());
        debug_assert_eq!(fate, Fate::Retry, "a final result is never given up");
        let is_refused = matches!(reason, FailReason::Explicit | FailReason::DiedAlone);
        if is_refused && !std::mem::replace(&mut finals.told, true) {
            let place = task.map_or_else(|| "the topology".to_owned(), |task| self.place(task));
            let why = failure.headline();
            let text = format!(
                "a final result failed in {place}: {why}; it is given out again until it is acked"
            );
            self.reporter.log(Level::Warn, &text);
        }
    }
}
