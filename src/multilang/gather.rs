//! When to let a child's output gather before it is read. Pure.
//!
//! A client that flushes behind every message wakes two threads of the engine for each, which costs
//! far more than the message. While such a child has plenty to do and waits for no answer, its output
//! may stay in the pipe for a moment. A child that writes seldom, or much at once, is read at once.

use std::time::Duration;

use crate::base::Timestamp;

/// Reads of less are small.
const SMALL: usize = 4096;
/// So many small reads …
const MANY: u32 = 16;
/// … within this span are too many.
const SPAN: Duration = Duration::from_millis(1);
/// How long output gathers then.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// Counts reads of one child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather {
    since: Timestamp,
    small: u32,
}

impl Gather {
    /// Nothing was read yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { since: now, small: 0 }
    }

    /// So many bytes were read. True where the next read had better wait for [`PAUSE`].
    pub(super) fn read(&mut self, bytes: usize, now: Timestamp) -> bool {
        if bytes >= SMALL {
            *self = Self::new(now);
            return false;
        }
        self.small += 1;
        if self.small < MANY {
            return false;
        }
        let quick = now.since(self.since) < SPAN;
        *self = Self::new(now);
        quick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a pause is due within a hundred reads of so many bytes, so far apart.
    fn pauses(bytes: usize, apart: Duration) -> bool {
        let mut now = Timestamp(1);
        let mut gather = Gather::new(now);
        (0..100).any(|_| {
            now = now + apart;
            gather.read(bytes, now)
        })
    }

    #[test]
    fn only_small_reads_in_quick_succession_are_put_off() {
        assert!(pauses(90, Duration::from_micros(10)));
        assert!(!pauses(90, Duration::from_micros(100)));
        assert!(!pauses(8192, Duration::from_micros(10)));
    }
}
