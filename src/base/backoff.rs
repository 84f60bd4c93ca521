//! When to try again, and when to stop trying. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use super::Timestamp;

/// Exponential delays between a least and a greatest one, with full jitter above half.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    greatest: Duration,
    attempt: u32,
}

impl Backoff {
    /// Delays that double from `least` up to `greatest`.
    pub fn new(least: Duration, greatest: Duration) -> Self {
        Self { least, greatest: greatest.max(least), attempt: 0 }
    }

    /// The next delay; `jitter` is a random number in `0.0..1.0`.
    pub fn next_delay(&mut self, jitter: f64) -> Duration {
        let full = self.least.saturating_mul(1_u32 << self.attempt.min(20)).min(self.greatest);
        self.attempt = self.attempt.saturating_add(1);
        full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts again at the least delay.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// How many events may happen within a sliding span of time.
#[derive(Clone, Debug)]
pub struct Budget {
    max: u32,
    within: Duration,
    spent: VecDeque<Timestamp>,
}

impl Budget {
    /// At most `max` events within any span of `within`.
    pub fn new(max: u32, within: Duration) -> Self {
        Self { max, within, spent: VecDeque::new() }
    }

    /// Spends one event; false where the budget does not allow it any more.
    pub fn spend(&mut self, now: Timestamp) -> bool {
        while self.spent.front().is_some_and(|&at| now.since(at) > self.within) {
            self.spent.pop_front();
        }
        if self.spent.len() >= self.max as usize {
            return false;
        }
        self.spent.push_back(now);
        true
    }

    /// Takes the last event back.
    pub fn refund(&mut self) {
        self.spent.pop_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_greatest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let delays: Vec<_> = (0..4).map(|_| backoff.next_delay(1.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 350, 350]);
        backoff.reset();
        assert_eq!(backoff.next_delay(0.0), Duration::from_millis(50));
    }

    #[test]
    fn budget_forgets_what_is_older_than_its_span() {
        let mut budget = Budget::new(2, Duration::from_secs(10));
        let second = |n: u64| Timestamp(n * 1_000_000_000);
        assert!(budget.spend(second(0)));
        assert!(budget.spend(second(1)));
        assert!(!budget.spend(second(2)));
        assert!(budget.spend(second(11)));
        assert!(!budget.spend(second(11)));
    }
}
