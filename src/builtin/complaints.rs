//! Bad records, told to people without flooding them: each is counted, the first few are shown
//! one by one, then every tenfold.

use crate::component::{Level, Reporter};

/// How many are shown one by one.
const SHOWN: u64 = 5;

/// The complaints of one kind.
pub(super) struct Complaints {
    reporter: Reporter,
    /// The metric that counts them.
    metric: &'static str,
    /// "left out", "read with replacement characters".
    consequence: &'static str,
    count: u64,
    next_summary: u64,
}

impl Complaints {
    /// No complaint yet.
    pub(super) fn new(
        reporter: &Reporter,
        metric: &'static str,
        consequence: &'static str,
    ) -> Self {
        Self { reporter: reporter.clone(), metric, consequence, count: 0, next_summary: 10 }
    }

    /// One more record that was left out: an error.
    pub(super) fn error(&mut self, place: &str, what: &dyn std::fmt::Display) {
        if let Some(message) = self.count_one(place, what) {
            self.reporter.error(&message, None);
        }
    }

    /// One more record that was taken all the same: a warning.
    pub(super) fn warn(&mut self, place: &str, what: &dyn std::fmt::Display) {
        if let Some(message) = self.count_one(place, what) {
            self.reporter.log(Level::Warn, &message);
        }
    }

    fn count_one(&mut self, place: &str, what: &dyn std::fmt::Display) -> Option<String> {
        self.count += 1;
        self.reporter.metrics().count(self.metric, 1.0);
        if self.count <= SHOWN {
            return Some(format!("{place}: {what}; {}", self.consequence));
        }
        (self.count == self.next_summary).then(|| {
            self.next_summary *= 10;
            format!("{place}: {what}; {} ({} so far)", self.consequence, self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::testing::Heard;

    #[test]
    fn a_thousand_bad_lines_are_counted_and_seven_are_shown() {
        let heard = Heard::default();
        let reporter = heard.reporter();
        let mut complaints = Complaints::new(&reporter, "bad", "left out");
        for _ in 0..999 {
            complaints.error("f:1", &"odd");
        }
        assert_eq!(heard.errors().len(), 7);
        assert_eq!(heard.errors()[0], "f:1: odd; left out");
        assert_eq!(heard.errors()[6], "f:1: odd; left out (100 so far)");
    }
}
