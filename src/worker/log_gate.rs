//! How much of what one task says is passed on, so that a bolt that floods its log fills neither the
//! disk nor the terminal. Pure: time comes in with the lines.
//!
//! A line that comes again at once is counted instead. Beyond a burst, lines pass at a steady rate and
//! the rest is counted. It never lets what is dropped go uncounted.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use crate::base::Timestamp;

/// Lines and bytes that pass at once.
const BURST: Amount = Amount { lines: 2_000.0, bytes: 1_048_576.0 };
/// Lines and bytes that pass in each second after that.
const RATE: Amount = Amount { lines: 100.0, bytes: 65_536.0 };

#[derive(Clone, Copy, Debug)]
struct Amount {
    lines: f64,
    bytes: f64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It passes. The line that passed before it had come so many times more.
    Passed {
        /// How often the line before was repeated since it was last told.
        repeats: u64,
    },
    /// It is only counted.
    Counted,
}

/// The gate of one kind of lines of one task.
#[derive(Debug)]
pub(super) struct LogGate {
    left: Amount,
    at: Timestamp,
    last: Option<u64>,
    repeats: u64,
    dropped: u64,
}

impl LogGate {
    /// A gate through which nothing has passed.
    pub(super) fn new() -> Self {
        Self { left: BURST, at: Timestamp::default(), last: None, repeats: 0, dropped: 0 }
    }

    /// Decides about a line.
    pub(super) fn admit(&mut self, line: &str, now: Timestamp) -> Admission {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let hash = hasher.finish();
        if self.last == Some(hash) {
            self.repeats += 1;
            return Admission::Counted;
        }
        self.refill(now.since(self.at));
        self.at = now;
        if self.left.lines < 1.0 || self.left.bytes < 0.0 {
            self.dropped += 1;
            return Admission::Counted;
        }
        // A long line may take more than there is; the next one waits for that.
        self.left.lines -= 1.0;
        self.left.bytes -= line.len() as f64;
        self.last = Some(hash);
        Admission::Passed { repeats: std::mem::take(&mut self.repeats) }
    }

    /// A line that was let through got lost behind the gate.
    pub(super) fn lost(&mut self) {
        self.dropped += 1;
    }

    /// How many lines were not passed on since this was last asked: repeats of the last line, others.
    pub(super) fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.repeats), std::mem::take(&mut self.dropped))
    }

    fn refill(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        self.left.lines = (self.left.lines + seconds * RATE.lines).min(BURST.lines);
        self.left.bytes = (self.left.bytes + seconds * RATE.bytes).min(BURST.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn passed(gate: &mut LogGate, lines: impl Iterator<Item = String>, now: Timestamp) -> usize {
        lines.filter(|line| gate.admit(line, now) != Admission::Counted).count()
    }

    #[test]
    fn a_flood_passes_at_a_steady_rate_and_the_rest_is_counted() {
        let mut gate = LogGate::new();
        let lines = || (0..10_000).map(|number| format!("line {number}"));
        assert_eq!(passed(&mut gate, lines(), NOW), 2_000);
        assert_eq!(gate.take_counts(), (0, 8_000));
        assert_eq!(passed(&mut gate, lines(), NOW + Duration::from_secs(2)), 200);
        assert_eq!(gate.take_counts(), (0, 9_800));
    }

    #[test]
    fn long_lines_are_weighed() {
        let mut gate = LogGate::new();
        let lines = (0..1_000).map(|number| format!("{number:016384}"));
        assert_eq!(passed(&mut gate, lines, NOW), 65);
    }

    #[test]
    fn a_line_that_comes_again_is_counted_and_told_with_the_next() {
        let mut gate = LogGate::new();
        let same = || std::iter::repeat_n("again".to_owned(), 100);
        assert_eq!(passed(&mut gate, same(), NOW), 1);
        assert_eq!(gate.admit("other", NOW), Admission::Passed { repeats: 99 });
        passed(&mut gate, same(), NOW);
        assert_eq!(gate.take_counts(), (99, 0));
        assert_eq!(gate.take_counts(), (0, 0));
    }
}
