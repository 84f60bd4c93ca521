//! One worker slot: which life of it is at which point. Pure.

use std::time::Duration;

use crate::base::{Backoff, Budget, Incarnation, Timestamp};
use crate::control::WorkerAddress;

/// How often a slot's worker may be replaced.
const MAX_RESTARTS: u32 = 10;
const WITHIN: Duration = Duration::from_secs(300);
const BACKOFF_LEAST: Duration = Duration::from_millis(20);
const BACKOFF_GREATEST: Duration = Duration::from_secs(5);

/// Where a worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its process was started (or will be, after a back-off).
    Starting,
    /// It has said hello, and waits for the others.
    Bound(WorkerAddress),
    /// It was told to begin.
    Running(WorkerAddress),
    /// It has exited as it was told to.
    Exited,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) incarnation: Incarnation,
    pub(super) stage: Stage,
    /// When it was last heard; before its hello, when it was started.
    pub(super) heard: Timestamp,
    pub(super) rss: u64,
    /// When it was started.
    began: Timestamp,
    backoff: Backoff,
    budget: Budget,
}

impl Slot {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            incarnation: Incarnation(0),
            stage: Stage::Starting,
            heard: now,
            rss: 0,
            began: now,
            backoff: Backoff::new(BACKOFF_LEAST, BACKOFF_GREATEST),
            budget: Budget::new(MAX_RESTARTS, WITHIN),
        }
    }

    /// The worker's address, once it is bound.
    pub(super) fn address(&self) -> Option<&WorkerAddress> {
        match &self.stage {
            Stage::Bound(address) | Stage::Running(address) => Some(address),
            Stage::Starting | Stage::Exited => None,
        }
    }

    /// Makes room for a successor; the delay before it starts, or `None` where the budget is spent.
    /// A life longer than the greatest back-off starts the back-off anew.
    pub(super) fn replace(&mut self, now: Timestamp, jitter: f64) -> Option<Duration> {
        if !self.budget.spend(now) {
            return None;
        }
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.stage = Stage::Starting;
        self.rss = 0;
        if now.since(self.began) > BACKOFF_GREATEST {
            self.backoff.reset();
        }
        let delay = self.backoff.next_delay(jitter);
        self.heard = now + delay;
        self.began = self.heard;
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_lived_for_long_is_replaced_as_soon_as_the_first() {
        let second = Duration::from_secs(1);
        let mut now = Timestamp::default();
        let mut slot = Slot::new(now);
        let delays: Vec<_> = [second, second, second, second * 6, second]
            .into_iter()
            .map(|life| {
                now = now + life;
                let delay = slot.replace(now, 1.0).unwrap();
                now = now + delay;
                delay.as_millis()
            })
            .collect();
        assert_eq!(delays, [20, 40, 80, 20, 40]);
    }
}
