//! One worker slot: which life of it is at which point, and whether it gets another. Pure.

use std::time::Duration;

use crate::base::{Backoff, Budget, Incarnation, Timestamp};
use crate::control::WorkerAddress;
use crate::topology::RestartPolicy;

/// A worker that has not reported for this long stands still; it reports several times as often …
const STANDS_STILL: Duration = Duration::from_millis(600);
/// … but this is long enough where messages time out sooner: to be wrong only puts a time-out off.
const STANDS_STILL_AT_LEAST: Duration = Duration::from_millis(250);

/// After which silence a worker is taken to stand still, so that no message times out before.
fn patience(message_timeout: Duration) -> Duration {
    (message_timeout / 3).clamp(STANDS_STILL_AT_LEAST, STANDS_STILL)
}

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
    /// It has used up its restarts and waits for somebody to let the run go on.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) incarnation: Incarnation,
    pub(super) stage: Stage,
    /// When it was last heard; before its hello, when it was started.
    pub(super) heard: Timestamp,
    pub(super) rss: u64,
    /// When it last reported on its tasks.
    pub(super) reported: Timestamp,
    /// It had not reported for long: until then its tasks catch up.
    pub(super) catches_up: Timestamp,
    policy: RestartPolicy,
    /// When it was told to begin.
    began: Option<Timestamp>,
    backoff: Backoff,
    budget: Budget,
}

impl Slot {
    pub(super) fn new(policy: RestartPolicy, now: Timestamp) -> Self {
        Self {
            incarnation: Incarnation(0),
            stage: Stage::Starting,
            heard: now,
            rss: 0,
            reported: now,
            catches_up: now,
            began: None,
            backoff: Backoff::new(policy.backoff_least, policy.backoff_greatest),
            budget: Budget::new(policy.max, policy.within),
            policy,
        }
    }

    /// The worker's address, once it is bound.
    pub(super) fn address(&self) -> Option<&WorkerAddress> {
        match &self.stage {
            Stage::Bound(address) | Stage::Running(address) => Some(address),
            Stage::Starting | Stage::Exited | Stage::Failed => None,
        }
    }

    /// The worker is told to begin; it had nothing to say while it waited for the others.
    pub(super) fn begin(&mut self, address: WorkerAddress, now: Timestamp) {
        self.stage = Stage::Running(address);
        self.heard = now;
        (self.reported, self.catches_up) = (now, now);
        self.began = Some(now);
    }

    /// Notes a report on its tasks. After a silence that was too long, what waited before them is given
    /// a message time-out to be looked at.
    pub(super) fn report(&mut self, now: Timestamp, message_timeout: Duration) {
        if now.since(self.reported) >= patience(message_timeout) {
            self.catches_up = now + message_timeout;
        }
        self.reported = now;
    }

    /// Whether it takes nothing at the moment, as far as can be told: a process that is stopped cannot
    /// say that its tasks are congested.
    pub(super) fn stands_still(&self, now: Timestamp, message_timeout: Duration) -> bool {
        let silent = now.since(self.reported) >= patience(message_timeout);
        matches!(self.stage, Stage::Running(_)) && (silent || now < self.catches_up)
    }

    /// Makes room for a successor; the delay before it starts, or `None` where the budget is spent. A
    /// long life starts the back-off anew.
    pub(super) fn replace(&mut self, now: Timestamp, jitter: f64) -> Option<Duration> {
        let began = self.began.take();
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.rss = 0;
        if !self.budget.spend(now) {
            self.stage = Stage::Failed;
            return None;
        }
        if let Some(began) = began {
            self.backoff.lasted(now.since(began));
        }
        self.stage = Stage::Starting;
        let delay = self.backoff.next_delay(jitter);
        self.heard = now + delay;
        Some(delay)
    }

    /// The budget is as at the start of the run. Whether the worker had failed and starts now.
    pub(super) fn renew(&mut self, now: Timestamp) -> bool {
        self.backoff.reset();
        self.budget = Budget::new(self.policy.max, self.policy.within);
        let failed = self.stage == Stage::Failed;
        if failed {
            self.stage = Stage::Starting;
            self.heard = now;
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use crate::topology::Then;

    use super::*;

    #[test]
    fn a_worker_that_lived_for_long_is_replaced_as_soon_as_the_first() {
        let second = Duration::from_secs(1);
        let mut now = Timestamp::default();
        let policy = RestartPolicy {
            max: 10,
            within: second * 300,
            backoff_least: Duration::from_millis(20),
            backoff_greatest: second * 5,
            then: Then::Stop,
        };
        let mut slot = Slot::new(policy, now);
        let delays: Vec<_> = [second / 10, second / 10, second / 10, second, second]
            .into_iter()
            .map(|life| {
                slot.began = Some(now);
                now = now + life;
                let delay = slot.replace(now, 1.0).unwrap();
                now = now + delay;
                delay.as_millis()
            })
            .collect();
        assert_eq!(delays, [20, 40, 80, 20, 20]);
    }
}
