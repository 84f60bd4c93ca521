//! For how long a child has been silent while somebody listened. Pure.
//!
//! Time in which its output was not read does not count: the engine was busy, not the child.

use std::time::Duration;

use crate::base::Timestamp;

/// A child's silence.
#[derive(Debug)]
pub(crate) struct Liveness {
    silent: Duration,
    last: Timestamp,
    /// The longest span between two looks that counts.
    longest_step: Duration,
}

impl Liveness {
    /// Starts now; looks are expected at least every `longest_step`.
    pub(crate) fn new(now: Timestamp, longest_step: Duration) -> Self {
        Self { silent: Duration::ZERO, last: now, longest_step }
    }

    /// Output came: any output is a sign of life.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.silent = Duration::ZERO;
        self.last = now;
    }

    /// Nobody reads its output at the moment: the clock stands still.
    pub(crate) fn paused(&mut self, now: Timestamp) {
        self.last = now;
    }

    /// All output that there was is read, and there was none. How long that has been so.
    pub(crate) fn listened(&mut self, now: Timestamp) -> Duration {
        self.silent += now.since(self.last).min(self.longest_step);
        self.last = now;
        self.silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_listened_does_not_count() {
        let second = |n: u64| Timestamp(n * 1_000_000_000);
        let mut liveness = Liveness::new(second(0), Duration::from_secs(2));
        assert_eq!(liveness.listened(second(1)), Duration::from_secs(1));
        assert_eq!(liveness.listened(second(100)), Duration::from_secs(3));
        liveness.heard(second(101));
        assert_eq!(liveness.listened(second(102)), Duration::from_secs(1));
    }
}
