//! When to try again, and when to stop trying. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use super::Timestamp;

/// A life that lasted so many times the delay before it was a good one.
const LONG_LIFE: u32 = 10;

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
        let full = self.full(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Notes how long what was tried has lasted since the last delay. Ten times that delay starts again at
    /// the least: no more than a tenth of the time is ever spent waiting, and what fails at once still
    /// waits longer and longer.
    pub fn lasted(&mut self, span: Duration) {
        let before =
            self.attempt.checked_sub(1).map_or(Duration::ZERO, |attempt| self.full(attempt));
        if span >= before * LONG_LIFE {
            self.reset();
        }
    }

    fn full(&self, attempt: u32) -> Duration {
        self.least.saturating_mul(1_u32 << attempt.min(20)).min(self.greatest)
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
    fn what_lasted_ten_times_its_delay_starts_again_at_the_least() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(100), millis(350));
        let mut after = |life| {
            backoff.lasted(millis(life));
            backoff.next_delay(1.0).as_millis()
        };
        let lives = [0, 999, 1999, 3499, 3499, 3500, 1000];
        assert_eq!(lives.map(&mut after), [100, 200, 350, 350, 350, 100, 100]);
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
