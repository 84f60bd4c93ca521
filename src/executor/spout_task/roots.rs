//! What becomes of a spout task's roots: complete, failed, timed out, given out again.

use std::time::Duration;

use crate::ack::{AckBatch, Settled};
use crate::base::{RootId, Timestamp, show_duration, unix_millis};
use crate::component::{Level, Replay, Spout};
use crate::dead_letter::Moment;
use crate::metrics::{DropReason, FailReason, TaskCounters};

use super::super::dead_letter::{self, Failure};
use super::super::replay::{Fate, Kept};
use super::SpoutTask;

impl SpoutTask {
    pub(super) fn take_acks(&mut self, now: Timestamp) {
        let mut batches = std::mem::take(&mut self.acks);
        self.housing.mailbox.take_acks(&mut batches);
        for batch in batches.drain(..) {
            self.take_ack_batch(batch, now);
        }
        self.acks = batches;
    }

    fn take_ack_batch(&mut self, batch: AckBatch, now: Timestamp) {
        let replaced = self.output.view().replaced_since(&batch.view);
        let mut unknown = 0;
        for ack in &batch.acks {
            match self.ledger.ack(ack, replaced) {
                Settled::Done(kept) => self.complete(kept, now),
                Settled::Lost(kept) => self.give_again(kept, Failure::WORKER_LOST, now),
                Settled::Open => {}
                Settled::Unknown => unknown += 1,
            }
        }
        for fail in batch.fails {
            match self.ledger.fail(fail.root) {
                Some(kept) => {
                    let (reason, task) = (fail.reason, Some(fail.task));
                    self.give_again(kept, Failure { reason, task, message: &fail.message }, now);
                }
                None => unknown += 1,
            }
        }
        for root in batch.resets {
            unknown += u64::from(!self.ledger.reset_timeout(root, now));
        }
        if unknown > 0 {
            self.housing.counters.count_dropped(DropReason::UnknownRoot, unknown);
        }
    }

    fn complete(&mut self, kept: Kept, now: Timestamp) {
        if kept.particulars().is_letter {
            return self.buried(&kept);
        }
        let counters = &self.housing.counters;
        TaskCounters::add(&counters.acked, 1);
        counters.latency.record_nanos(now.nanos_since(kept.first), 1);
        self.unsaved = true;
        self.settle(&kept);
    }

    /// Tells the spout that a message is done.
    pub(super) fn settle(&mut self, kept: &Kept) {
        let own = kept.life == self.lives;
        self.tell(|spout| if own { spout.ack(kept.id) } else { spout.settle(kept.id) });
    }

    pub(super) fn settle_done(&mut self) {
        let mut done = std::mem::take(&mut self.done);
        for id in done.drain(..) {
            TaskCounters::add(&self.housing.counters.acked, 1);
            self.unsaved = true;
            self.tell(|spout| spout.ack(id));
        }
        self.done = done;
    }

    /// Fails what full inputs have shed.
    pub(super) fn settle_shed(&mut self, now: Timestamp) {
        let mut shed = std::mem::take(&mut self.shed);
        for (kept, task) in shed.drain(..) {
            let message = self.output.shed_at(task);
            let (reason, task) = (FailReason::Shed, Some(task));
            self.give_again(kept, Failure { reason, task, message: &message }, now);
        }
        self.shed = shed;
    }

    /// A message's tree failed: it is given out again, by the spout or by the engine.
    pub(super) fn give_again(&mut self, mut kept: Kept, failure: Failure<'_>, now: Timestamp) {
        self.housing.counters.count_failed(failure.reason);
        // The spout has been told of a message that is a dead letter by now.
        let is_letter = kept.particulars().is_letter;
        let own = kept.life == self.lives && !is_letter;
        let told = |spout: &mut dyn Spout| spout.fail(kept.id, failure.headline());
        if own && self.tell(told) == Some(Replay::Source) {
            self.owed = true;
            return;
        }
        if failure.reason == FailReason::DiedAlone {
            let at = failure.place(&self.housing.context);
            self.warn(&kept, failure, &format!("a message killed {at}, which had nothing else"));
        }
        if self.housing.retry.max.is_some() && !is_letter {
            let attempt = failure.attempt(&self.housing.context, Moment(unix_millis()));
            kept.particulars_mut().history.get_or_insert_default().push(attempt);
        }
        let fate = self.replays.failed(kept, failure.reason, now, fastrand::f64());
        if let Fate::DeadLetter(kept) = fate {
            self.bury(kept, now);
        }
    }

    /// Tells people of one message.
    fn warn(&self, kept: &Kept, failure: Failure<'_>, what: &str) {
        let values = dead_letter::preview(&kept.values);
        let text = format!("{what}: {}: {values}", failure.headline());
        self.housing.context.reporter.log(Level::Warn, &text);
    }

    pub(super) fn check_timeouts(&mut self, now: Timestamp) {
        let timeout = self.housing.context.message_timeout;
        if self.ledger.due(now, timeout).is_none() {
            return;
        }
        let deferred =
            self.input.paused || self.housing.shop.congestion.meets(&self.housing.downstream);
        while let Some(root) = self.ledger.due(now, timeout) {
            if deferred {
                self.ledger.reset_timeout(root, now);
                TaskCounters::add(&self.housing.counters.timeouts_deferred, 1);
            } else {
                self.time_out(root, timeout, now);
            }
        }
    }

    fn time_out(&mut self, root: RootId, timeout: Duration, now: Timestamp) {
        let kept = self.ledger.fail(root).expect("the root is due, so it is open");
        let span = show_duration(timeout);
        let message = format!("not fully acked within {span}");
        let failure = Failure { reason: FailReason::TimedOut, task: None, message: &message };
        self.give_again(kept, failure, now);
    }
}
