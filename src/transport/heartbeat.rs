//! Whether a peer is still heard. Pure: time is an argument.

use std::time::Duration;

use crate::base::Timestamp;

/// What a tick showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    /// How long the peer has been silent.
    pub(super) silent_for: Duration,
    /// Whether that is too long, and another full span has passed since it was last reported.
    pub(super) report: bool,
    /// Whether the present connection has had its full span to be heard on, in vain.
    pub(super) give_up: bool,
}

/// Watches over one peer, over all its connections.
#[derive(Clone, Debug)]
pub(super) struct Vigil {
    dead_after: Duration,
    heard: Timestamp,
    connected: Timestamp,
    ticked: Timestamp,
    reports: u32,
}

impl Vigil {
    /// A peer that counts as heard now.
    pub(super) fn new(dead_after: Duration, now: Timestamp) -> Self {
        Self { dead_after, heard: now, connected: now, ticked: now, reports: 0 }
    }

    /// The peer was heard.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.heard = now;
        self.reports = 0;
    }

    /// A connection begins.
    pub(super) fn connected(&mut self, now: Timestamp) {
        self.connected = now;
    }

    /// Judges; the caller meant to do so within `planned` of the last time. Where it is much later, this
    /// process was stopped or starved, and the time that it could not listen is not held against the
    /// peer.
    pub(super) fn tick(&mut self, now: Timestamp, planned: Duration) -> Pulse {
        let gap = now.since(self.ticked);
        if gap > planned * 2 {
            let missed = gap.saturating_sub(planned);
            self.heard = (self.heard + missed).min(now);
            self.connected = (self.connected + missed).min(now);
        }
        self.ticked = now;
        let silent_for = now.since(self.heard);
        let report = silent_for >= self.dead_after * (self.reports + 1);
        self.reports += u32::from(report);
        Pulse {
            silent_for,
            report,
            give_up: now.since(self.heard.max(self.connected)) >= self.dead_after,
        }
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
            .filter(|&now| vigil.tick(at(now), HEARTBEAT).report)
            .collect();
        assert_eq!(reports, [300, 600, 900]);
        vigil.heard(at(1000));
        assert!(!vigil.tick(at(1100), HEARTBEAT).report);
    }

    #[test]
    fn a_new_connection_has_its_time_however_long_the_silence_before() {
        let mut vigil = vigil();
        let give_up = |vigil: &mut Vigil, now| vigil.tick(at(now), HEARTBEAT).give_up;
        assert!((1..=3).map(|tick| tick * 100).any(|now| give_up(&mut vigil, now)));
        vigil.connected(at(400));
        assert!(!give_up(&mut vigil, 500) && !give_up(&mut vigil, 600));
        assert!(give_up(&mut vigil, 700));
    }

    #[test]
    fn own_stops_are_not_held_against_the_peer() {
        let mut vigil = vigil();
        for now in [100, 60_000] {
            let pulse = vigil.tick(at(now), HEARTBEAT);
            assert!(!pulse.report && !pulse.give_up);
        }
        let pulse = vigil.tick(at(60_100), HEARTBEAT);
        assert_eq!(pulse.silent_for, Duration::from_millis(300));
        assert!(pulse.report && pulse.give_up);
    }
}
