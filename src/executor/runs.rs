//! How long shuffling stays with one task before it goes on to the next. Pure.
//!
//! Tuples that are dealt out singly make batches of one where there are many tasks, and a batch costs
//! several times what a tuple does. (Kafka's producers stay with a partition for the same reason,
//! KIP-480.) But a run of tuples for one slow task is work that others could do. So runs are long only
//! where tuples have flowed without a pause, and never longer than a part of what may be in flight for
//! each task: then all have something to do.

use std::time::Duration;

use crate::base::Timestamp;

/// A task that has had nothing to do for so long deals singly again.
const PAUSE: Duration = Duration::from_millis(5);
/// Of the tuples in flight for a task, and of those it has in hand, one run is at most one of so many
/// parts.
const PARTS: usize = 4;
/// The longest run. Longer ones leave other tasks without work for a turn.
const LONGEST: usize = 256;

/// A task's tuples since its last pause.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    /// Messages that may be in flight.
    window: usize,
    sent: usize,
    /// Since when it has had nothing to do.
    rests_since: Option<Timestamp>,
    /// Tuples that came together: so many flow.
    in_hand: usize,
}

impl Runs {
    /// For a topology with so many messages in flight, per spout task.
    pub(crate) fn new(window: usize) -> Self {
        Self { window, sent: 0, rests_since: None, in_hand: 0 }
    }

    /// A turn begins, for which something was there since `at`. Where it is late because others had theirs,
    /// that is no pause.
    pub(crate) fn turn(&mut self, at: Timestamp) {
        if self.rests_since.take_if(|since| at.since(*since) >= PAUSE).is_some() {
            self.sent = 0;
        }
        self.in_hand = 0;
    }

    /// The task has nothing to do.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        self.rests_since.get_or_insert(now);
    }

    /// The task has something to do: so many tuples that have come together.
    pub(crate) fn take(&mut self, tuples: usize) {
        self.rests_since = None;
        self.in_hand = tuples;
    }

    /// A tuple is sent.
    #[inline]
    pub(crate) fn sent(&mut self) {
        self.sent = self.sent.wrapping_add(1);
    }

    /// The length of a run to each of so many tasks, at least 1.
    pub(crate) fn length(&self, tasks: usize) -> usize {
        let flowed = self.sent.min(self.window) / (PARTS * tasks.max(1));
        flowed.max(self.in_hand / PARTS).clamp(1, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sent: usize, window: usize) -> Runs {
        let mut runs = Runs::new(window);
        runs.turn(Timestamp(1));
        (0..sent).for_each(|_| runs.sent());
        runs
    }

    #[test]
    fn runs_grow_with_what_has_flowed_and_stay_a_part_of_what_may_be_in_flight() {
        assert_eq!(after(0, 4096).length(8), 1);
        assert_eq!(after(100, 4096).length(8), 3);
        assert_eq!(after(100_000, 4096).length(32), 32);
        assert_eq!(after(100_000, 4096).length(1000), 1);
        assert_eq!(after(100_000, 10).length(2), 1);
        assert_eq!(after(100_000, 1_000_000).length(2), LONGEST);
    }

    #[test]
    fn a_pause_ends_them() {
        let mut runs = after(4096, 4096);
        runs.rest(Timestamp(1));
        runs.turn(Timestamp(1) + PAUSE / 2);
        assert_eq!(runs.length(32), 32);
        runs.rest(Timestamp(1) + PAUSE / 2);
        runs.turn(Timestamp(1) + PAUSE);
        assert_eq!(runs.length(32), 1);
        let mut runs = after(4096, 4096);
        runs.rest(Timestamp(1));
        runs.take(0);
        runs.turn(Timestamp(1) + PAUSE);
        assert_eq!(runs.length(32), 32);
    }

    #[test]
    fn a_turn_that_others_delay_is_no_pause() {
        // With a thousand tasks that are all at work each one's turn is seldom.
        let mut runs = after(4096, 4096);
        runs.turn(Timestamp(1) + PAUSE * 10);
        assert_eq!(runs.length(32), 32);
    }

    #[test]
    fn what_comes_as_a_run_goes_on_in_runs() {
        let mut runs = after(0, 4096);
        runs.take(64);
        assert_eq!(runs.length(1000), 16);
        runs.take(3);
        assert_eq!(runs.length(1000), 1);
        runs.take(64);
        runs.turn(Timestamp(2));
        assert_eq!(runs.length(1000), 1);
    }
}
