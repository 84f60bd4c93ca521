//! What a task's time goes into: work, waiting for room, or nothing. Measured where a loop begins to
//! wait and where it goes on; a turn that follows another one costs nothing.

use std::sync::atomic::{
    AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, fence,
};

use crate::base::Timestamp;
use crate::metrics::{TaskCounters, TaskSnapshot};

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Occupation {
    /// It works, or has work and waits for its turn; or its child, or its disk, works for it.
    Busy = 1,
    /// What it emits has nowhere to go, or its spout has as many messages in flight as it may have.
    Blocked = 2,
    /// There is nothing to do.
    Idle = 3,
}

/// What the loop is at, and since when: shown to whoever reads the counters meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Present(AtomicU64);

/// Nobody can say: before the loop, after it, and for the moment of a change.
const UNKNOWN: u64 = 0;
/// Looks at counters that are just being changed.
const LOOKS: usize = 1000;

impl Present {
    fn show(&self, what: Occupation, since: Timestamp) {
        self.0.store(since.0 << 2 | what as u64, Release);
    }

    /// Adds the present span, which is not counted yet, to a snapshot.
    pub(crate) fn add_to(
        &self,
        snapshot: &mut TaskSnapshot,
        counters: &TaskCounters,
        now: Timestamp,
    ) {
        for _ in 0..LOOKS {
            let shown = self.0.load(Acquire);
            let [busy, blocked, idle] =
                [&counters.busy_ns, &counters.blocked_ns, &counters.idle_ns]
                    .map(|counter| counter.load(Relaxed));
            fence(Acquire);
            if shown != self.0.load(Relaxed) {
                std::hint::spin_loop();
                continue;
            }
            (snapshot.busy_ns, snapshot.blocked_ns, snapshot.idle_ns) = (busy, blocked, idle);
            let span = now.0.saturating_sub(shown >> 2);
            match shown & 3 {
                1 => snapshot.busy_ns += span,
                2 => snapshot.blocked_ns += span,
                3 => snapshot.idle_ns += span,
                _ => {
                    std::hint::spin_loop();
                    continue;
                }
            }
            return;
        }
    }
}

/// The loop's own side.
#[derive(Debug, Default)]
pub(crate) struct Hours(Option<(Occupation, Timestamp)>);

impl Hours {
    /// From `now` on the task is at `what`.
    #[inline]
    pub(crate) fn turn_to(
        &mut self,
        what: Occupation,
        now: Timestamp,
        counters: &TaskCounters,
        present: &Present,
    ) {
        if self.0.is_none_or(|(before, _)| before != what) {
            self.close(now, counters, present);
            self.0 = Some((what, now));
            present.show(what, now);
        }
    }

    /// The loop is over.
    pub(crate) fn close(&mut self, now: Timestamp, counters: &TaskCounters, present: &Present) {
        let Some((what, since)) = self.0.take() else { return };
        present.0.store(UNKNOWN, Relaxed);
        fence(Release);
        let counter = match what {
            Occupation::Busy => &counters.busy_ns,
            Occupation::Blocked => &counters.blocked_ns,
            Occupation::Idle => &counters.idle_ns,
        };
        TaskCounters::add(counter, now.0.saturating_sub(since.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(present: &Present, counters: &TaskCounters, now: u64) -> [u64; 3] {
        let mut snapshot = counters.snapshot();
        present.add_to(&mut snapshot, counters, Timestamp(now));
        [snapshot.busy_ns, snapshot.blocked_ns, snapshot.idle_ns]
    }

    #[test]
    fn every_nanosecond_is_in_one_of_the_three() {
        let (mut hours, present, counters) =
            (Hours::default(), Present::default(), TaskCounters::default());
        assert_eq!(shown(&present, &counters, 90), [0; 3], "before the loop");
        let at = [
            (Occupation::Busy, 100),
            (Occupation::Busy, 110),
            (Occupation::Idle, 130),
            (Occupation::Busy, 230),
            (Occupation::Blocked, 235),
        ];
        for (what, now) in at {
            hours.turn_to(what, Timestamp(now), &counters, &present);
            assert_eq!(shown(&present, &counters, now).iter().sum::<u64>(), now - 100);
        }
        assert_eq!(shown(&present, &counters, 1235), [35, 1000, 100], "within a span");
        hours.close(Timestamp(1240), &counters, &present);
        assert_eq!(shown(&present, &counters, 9999), [35, 1005, 100], "after the end");
    }
}
