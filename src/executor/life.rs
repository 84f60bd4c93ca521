//! When a failed component is started again, and when it is given up. Pure but for the jitter that comes in.

use crate::base::{Backoff, Budget, Timestamp};
use crate::component::{ComponentError, Recovery};
use crate::topology::{RestartPolicy, Then};

/// What a component died of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// One of many tuples, among which are some that were there at a death before.
    Crowd,
    /// One tuple, for the first time as far as is known.
    Tuple,
    /// A tuple that it died of before.
    SameTuple,
}

/// A death, as far as the restarts are concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Death {
    pub(crate) blame: Blame,
    /// Tuples were acked since the death before.
    pub(crate) progress: bool,
}

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
    /// Tuples that it has died of in a row, without having acked another in between.
    deadly: u32,
    started: Timestamp,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy) -> Self {
        let backoff = Backoff::new(policy.backoff_least, policy.backoff_greatest);
        let budget = Budget::new(policy.max, policy.within);
        Self { policy, backoff, budget, deadly: 0, started: Timestamp::default() }
    }

    /// Everything is as at the start of the run: somebody has mended what was broken.
    pub(crate) fn renew(&mut self) {
        *self = Self::new(self.policy.clone());
    }

    /// Whether a component that is given up may be started again when somebody has mended it.
    pub(crate) fn may_be_mended(&self) -> bool {
        self.policy.then == Then::Pause
    }

    /// Notes that a life has begun.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.started = now;
    }

    /// Decides after a failure. A long life starts the back-off anew.
    pub(crate) fn after(
        &mut self,
        error: &ComponentError,
        death: Death,
        now: Timestamp,
        jitter: f64,
    ) -> Verdict {
        match error.recovery {
            Recovery::GiveUp => return Verdict::GiveUp(error.message.clone()),
            Recovery::EndRun => return Verdict::EndRun(error.message.clone()),
            Recovery::Restart => {}
        }
        self.backoff.lasted(now.since(self.started));
        if !self.afford(death, now) {
            let span = crate::base::show_duration(self.policy.within);
            let times = match self.policy.max {
                1 => "once".to_owned(),
                max => format!("{max} times"),
            };
            return Verdict::GiveUp(format!("{} (restarted {times} within {span})", error.message));
        }
        Verdict::Restart(now + self.backoff.next_delay(jitter))
    }

    /// Whether the component may go on. A death that one tuple is to blame for is that tuple's: it
    /// costs nothing, and neither do the two among many that made the tuple a suspect. But where one
    /// tuple after the other is deadly and none is acked, it is the component.
    fn afford(&mut self, death: Death, now: Timestamp) -> bool {
        if death.progress {
            self.deadly = 0;
        }
        match death.blame {
            Blame::Unknown => return self.budget.spend(now),
            Blame::Tuple => {
                self.deadly += 1;
                self.budget.refund();
            }
            // What was there twice is given alone from now on, so there are few of these.
            Blame::Crowd | Blame::SameTuple => {}
        }
        self.backoff.reset();
        self.deadly <= self.policy.max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::topology::Then;

    use super::*;

    fn policy() -> RestartPolicy {
        RestartPolicy {
            max: 2,
            within: Duration::from_secs(60),
            backoff_least: Duration::from_millis(100),
            backoff_greatest: Duration::from_secs(1),
            then: Then::Stop,
        }
    }

    fn millis(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000)
    }

    #[test]
    fn restarts_back_off_and_end_with_the_budget() {
        let mut restarts = Restarts::new(policy());
        let error = ComponentError::restart("exited with status 1");
        assert_eq!(
            restarts.after(&error, Death::default(), millis(0), 1.0),
            Verdict::Restart(millis(100))
        );
        restarts.started(millis(100));
        assert_eq!(
            restarts.after(&error, Death::default(), millis(200), 1.0),
            Verdict::Restart(millis(400))
        );
        restarts.started(millis(400));
        let Verdict::GiveUp(reason) = restarts.after(&error, Death::default(), millis(500), 1.0)
        else {
            panic!()
        };
        assert_eq!(reason, "exited with status 1 (restarted 2 times within 1m)");
    }

    #[test]
    fn a_hopeless_error_is_given_up_at_once() {
        let mut restarts = Restarts::new(policy());
        let verdict = restarts.after(
            &ComponentError::give_up("no python3"),
            Death::default(),
            millis(0),
            0.5,
        );
        assert_eq!(verdict, Verdict::GiveUp("no python3".to_owned()));
    }

    fn deaths(restarts: &mut Restarts, death: Death, count: u64) -> Vec<Verdict> {
        let error = ComponentError::restart("was killed");
        (0..count).map(|at| restarts.after(&error, death, millis(at), 1.0)).collect()
    }

    #[test]
    fn tuples_that_kill_do_not_use_up_the_restarts() {
        let mut restarts = Restarts::new(policy());
        let crowd = Death { blame: Blame::Unknown, progress: true };
        let crowd_again = Death { blame: Blame::Crowd, progress: true };
        let alone = Death { blame: Blame::Tuple, progress: true };
        let again = Death { blame: Blame::SameTuple, progress: false };
        for _ in 0..10 {
            for death in [crowd, crowd_again, alone] {
                let verdicts = deaths(&mut restarts, death, 1);
                assert!(matches!(verdicts[0], Verdict::Restart(_)), "{verdicts:?}");
            }
            let last = deaths(&mut restarts, again, 20).pop();
            assert_eq!(last, Some(Verdict::Restart(millis(119))), "the least delay");
        }
    }

    #[test]
    fn a_component_that_every_tuple_kills_is_given_up() {
        let mut restarts = Restarts::new(policy());
        let verdicts = deaths(&mut restarts, Death { blame: Blame::Tuple, progress: false }, 3);
        assert!(matches!(verdicts[1], Verdict::Restart(_)));
        assert!(matches!(verdicts[2], Verdict::GiveUp(_)));
    }
}
