//! The failures of one message, bounded: the first ones and the last ones are kept. Pure.

use std::collections::VecDeque;

use crate::base::beginning;
use crate::dead_letter::Attempt;

/// So many of the first failures are kept …
const FIRST: usize = 4;
/// … and so many of the last.
const LAST: usize = 12;
/// What the tracebacks of one message may take together, in bytes; the oldest ones go first.
const TRACEBACKS: usize = 32 * 1024;
/// What one line may take, in bytes.
const MESSAGE: usize = 4 * 1024;

/// Why a message has failed, each time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    first: Vec<Attempt>,
    last: VecDeque<Attempt>,
    left_out: u32,
}

impl History {
    /// Adds a failure.
    pub(crate) fn push(&mut self, mut attempt: Attempt) {
        if attempt.message.len() > MESSAGE {
            attempt.message = format!("{}…", beginning(&attempt.message, MESSAGE));
        }
        if attempt.traceback.as_ref().is_some_and(|text| text.len() > TRACEBACKS) {
            attempt.traceback =
                attempt.traceback.map(|text| format!("{}…", beginning(&text, TRACEBACKS)));
        }
        if self.first.len() < FIRST {
            self.first.push(attempt);
        } else {
            self.last.push_back(attempt);
        }
        if self.last.len() > LAST {
            self.last.pop_front();
            self.left_out = self.left_out.saturating_add(1);
        }
        self.bound_tracebacks();
    }

    /// Adds failures of which some were left out.
    pub(crate) fn go_on(&mut self, failures: &[Attempt], left_out: u32) {
        self.left_out = self.left_out.saturating_add(left_out);
        for attempt in failures {
            self.push(attempt.clone());
        }
    }

    /// The failures that are kept, and how many are not.
    pub(crate) fn parts(self) -> (Vec<Attempt>, u32) {
        (self.first.into_iter().chain(self.last).collect(), self.left_out)
    }

    fn bound_tracebacks(&mut self) {
        let mut left = TRACEBACKS;
        for attempt in self.first.iter_mut().chain(&mut self.last).rev() {
            let length = attempt.traceback.as_ref().map_or(0, String::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                // The last one may be as long as all together, and a little.
                None if left == TRACEBACKS => left = 0,
                None => attempt.traceback = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dead_letter::Moment;

    use super::*;

    fn attempt(number: u64, traceback: usize) -> Attempt {
        Attempt {
            time: Moment(number),
            reason: "explicit".to_owned(),
            component: None,
            task: None,
            message: String::new(),
            traceback: Some("x".repeat(traceback)),
        }
    }

    #[test]
    fn the_first_and_the_last_failures_are_kept_and_the_others_counted() {
        let mut history = History::default();
        for number in 0..100 {
            history.push(attempt(number, 1));
        }
        let (kept, left_out) = history.parts();
        let times: Vec<_> = kept.iter().map(|attempt| attempt.time.0).collect();
        assert_eq!(times, [0, 1, 2, 3, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
        assert_eq!(left_out, 84);
    }

    #[test]
    fn long_tracebacks_are_kept_for_the_last_failures() {
        let mut history = History::default();
        for number in 0..6 {
            history.push(attempt(number, TRACEBACKS / 3));
        }
        let (kept, _) = history.clone().parts();
        let with: Vec<_> =
            kept.iter().filter(|one| one.traceback.is_some()).map(|one| one.time.0).collect();
        assert_eq!(with, [3, 4, 5]);
        history.push(attempt(6, 10 * TRACEBACKS));
        let (kept, _) = history.parts();
        let lengths = kept.iter().map(|one| one.traceback.as_ref().map_or(0, String::len));
        assert!(lengths.sum::<usize>() < 2 * TRACEBACKS);
        assert!(kept[6].traceback.is_some());
    }
}
