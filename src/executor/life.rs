//! When a failed component is started again, and when it is given up. Pure but for the jitter that comes in.

use crate::base::{Backoff, Budget, Timestamp};
use crate::component::{ComponentError, Recovery};
use crate::topology::RestartPolicy;

/// What to do after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again at this time.
    Restart(Timestamp),
    /// Give it up, for this reason.
    GiveUp(String),
    /// End the run, for this reason.
    EndRun(String),
}

/// The restarts of one task's component.
#[derive(Clone, Debug)]
pub(crate) struct Restarts {
    policy: RestartPolicy,
    backoff: Backoff,
    budget: Budget,
    started: Timestamp,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy) -> Self {
        let backoff = Backoff::new(policy.backoff_least, policy.backoff_greatest);
        let budget = Budget::new(policy.max, policy.within);
        Self { policy, backoff, budget, started: Timestamp::default() }
    }

    /// Notes that a life has begun.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.started = now;
    }

    /// Decides after a failure. A life longer than the greatest back-off starts the back-off anew.
    pub(crate) fn after(&mut self, error: &ComponentError, now: Timestamp, jitter: f64) -> Verdict {
        match error.recovery {
            Recovery::GiveUp => return Verdict::GiveUp(error.message.clone()),
            Recovery::EndRun => return Verdict::EndRun(error.message.clone()),
            Recovery::Restart => {}
        }
        if now.since(self.started) > self.policy.backoff_greatest {
            self.backoff.reset();
        }
        if !self.budget.spend(now) {
            let span = crate::base::show_duration(self.policy.within);
            let times = match self.policy.max {
                1 => "once".to_owned(),
                max => format!("{max} times"),
            };
            return Verdict::GiveUp(format!("{} (restarted {times} within {span})", error.message));
        }
        Verdict::Restart(now + self.backoff.next_delay(jitter))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn policy() -> RestartPolicy {
        RestartPolicy {
            max: 2,
            within: Duration::from_secs(60),
            backoff_least: Duration::from_millis(100),
            backoff_greatest: Duration::from_secs(1),
        }
    }

    fn millis(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000)
    }

    #[test]
    fn restarts_back_off_and_end_with_the_budget() {
        let mut restarts = Restarts::new(policy());
        let error = ComponentError::restart("exited with status 1");
        assert_eq!(restarts.after(&error, millis(0), 1.0), Verdict::Restart(millis(100)));
        restarts.started(millis(100));
        assert_eq!(restarts.after(&error, millis(200), 1.0), Verdict::Restart(millis(400)));
        restarts.started(millis(400));
        let Verdict::GiveUp(reason) = restarts.after(&error, millis(500), 1.0) else { panic!() };
        assert_eq!(reason, "exited with status 1 (restarted 2 times within 1m)");
    }

    #[test]
    fn a_hopeless_error_is_given_up_at_once() {
        let mut restarts = Restarts::new(policy());
        let verdict = restarts.after(&ComponentError::give_up("no python3"), millis(0), 0.5);
        assert_eq!(verdict, Verdict::GiveUp("no python3".to_owned()));
    }
}
