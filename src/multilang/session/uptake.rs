//! When a child took its tuples, as exactly as forgetting them needs. It never looks at a tuple. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Timestamp;

/// How many steps of time are told apart.
const STEPS: u32 = 64;

/// Times at which tuples were taken; numbers count up in the order in which a child takes them.
#[derive(Debug)]
pub(super) struct Uptake {
    step: Duration,
    /// Up to which number tuples were taken in the step of time that began then; both rise.
    steps: VecDeque<(u64, Timestamp)>,
}

impl Uptake {
    /// Times are kept to a sixty-fourth of `span`.
    pub(super) fn new(span: Duration) -> Self {
        Self { step: span / STEPS, steps: VecDeque::new() }
    }

    /// All tuples up to a number have been taken by now.
    pub(super) fn note(&mut self, taken: u64, now: Timestamp) {
        match self.steps.back_mut() {
            Some((last, _)) if *last >= taken => {}
            Some((last, since)) if now.since(*since) < self.step => *last = taken,
            _ => self.steps.push_back((taken, now)),
        }
    }

    /// When a tuple was taken, or up to a step earlier; `None`: it was not. What is before it is not asked
    /// for any more.
    pub(super) fn taken_at(&mut self, id: u64) -> Option<Timestamp> {
        while self.steps.front().is_some_and(|(last, _)| *last < id) {
            self.steps.pop_front();
        }
        self.steps.front().map(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_was_taken_when_its_step_began() {
        let mut uptake = Uptake::new(Duration::from_secs(64));
        let at = |millis| Timestamp(0) + Duration::from_millis(millis);
        uptake.note(3, at(100));
        uptake.note(5, at(900));
        uptake.note(5, at(5000));
        uptake.note(6, at(9000));
        assert_eq!(uptake.taken_at(2), Some(at(100)));
        assert_eq!(uptake.taken_at(5), Some(at(100)));
        assert_eq!(uptake.taken_at(6), Some(at(9000)));
        assert_eq!(uptake.taken_at(7), None);
    }

    #[test]
    fn what_is_kept_is_bounded_by_the_span() {
        let mut uptake = Uptake::new(Duration::from_secs(64));
        for second in 0..64 {
            for part in 0..100 {
                let now = Timestamp(0) + Duration::from_millis(second * 1000 + part * 10);
                uptake.note(second * 100 + part + 1, now);
            }
        }
        assert!(uptake.steps.len() <= STEPS as usize, "{}", uptake.steps.len());
    }
}
