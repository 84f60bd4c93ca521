//! Whether a peer is still heard. Pure: time is an argument.

use std::time::Duration;

use crate::base::Timestamp;

/// What a tick showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// The peer was heard lately.
    Beating,
    /// It has been silent for longer than it may.
    Silent {
        /// How long.
        silent_for: Duration,
        /// Whether another full span has passed since this was last reported.
        report: bool,
    },
}

/// Watches over one peer.
#[derive(Clone, Debug)]
pub(super) struct Vigil {
    dead_after: Duration,
    heard: Timestamp,
    ticked: Timestamp,
    reports: u32,
}

impl Vigil {
    /// A peer that counts as heard now.
    pub(super) fn new(dead_after: Duration, now: Timestamp) -> Self {
        Self {
            dead_after,
            heard: now,
            ticked: now,
            reports: 0,
        }
    }

    /// The peer was heard.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.heard = now;
        self.reports = 0;
    }

    /// Judges; the caller meant to do so within `planned` of the last time. Where it is much later, this
    /// process was stopped or starved, and the time that it could not listen is not held against the
    /// peer.
    pub(super) fn tick(&mut self, now: Timestamp, planned: Duration) -> Pulse {
        let gap = now.since(self.ticked);
        if gap > planned * 2 {
            self.heard = self.heard + (gap - planned);
        }
        self.ticked = now;
        let silent_for = now.since(self.heard);
        if silent_for < self.dead_after {
            return Pulse::Beating;
        }
        let report = silent_for >= self.dead_after * (self.reports + 1);
        self.reports += u32::from(report);
        Pulse::Silent { silent_for, report }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Timestamp {
        Timestamp(millis * 1_000_000)
    }

    fn vigil() -> Vigil {
        Vigil::new(Duration::from_millis(300), at(0))
    }

    #[test]
    fn silence_is_reported_once_for_each_span() {
        let mut vigil = vigil();
        let reports: Vec<u64> = (1..=10)
            .map(|tick| tick * 100)
            .filter(|&now| {
                matches!(
                    vigil.tick(at(now), HEARTBEAT),
                    Pulse::Silent { report: true, .. }
                )
            })
            .collect();
        assert_eq!(reports, [300, 600, 900]);
        vigil.heard(at(1000));
        assert_eq!(vigil.tick(at(1100), HEARTBEAT), Pulse::Beating);
    }

    #[test]
    fn own_stops_are_not_held_against_the_peer() {
        let mut vigil = vigil();
        assert_eq!(vigil.tick(at(100), HEARTBEAT), Pulse::Beating);
        assert_eq!(vigil.tick(at(60_000), HEARTBEAT), Pulse::Beating);
        assert_eq!(
            vigil.tick(at(60_100), HEARTBEAT),
            Pulse::Silent {
                silent_for: Duration::from_millis(300),
                report: true
            }
        );
    }
}
