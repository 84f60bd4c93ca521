//! How many tuples a child may have that it has not taken, without ever asking for acks.
//!
//! A child reads its input in order. So a heartbeat behind some tuples, once it is answered, says
//! that those were taken; and so does any message that names a later tuple. Pure.

use std::collections::VecDeque;

/// A heartbeat on its way; numbers count up from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    number: u64,
    /// The last tuple that was given before it.
    after: u64,
}

/// The flow to one child.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The last tuple that was given; numbers count up by one.
    given: u64,
    /// Every tuple up to here was taken.
    taken: u64,
    markers: VecDeque<Marker>,
    /// How many markers were written, and up to which they are answered.
    written: u64,
    answered: u64,
}

impl Flow {
    /// A flow whose first tuple has the number `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            given: first - 1,
            taken: first - 1,
            markers: VecDeque::new(),
            written: 0,
            answered: 0,
        }
    }

    /// Tuples given and not known to be taken.
    pub(crate) fn in_flight(&self) -> u64 {
        self.given - self.taken
    }

    /// The last tuple that is known to be taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Tuples given behind the last marker and not known to be taken.
    pub(crate) fn unmarked(&self) -> u64 {
        let marked = self.markers.back().map_or(self.taken, |marker| marker.after);
        self.given - marked.max(self.taken)
    }

    /// A tuple was given.
    pub(crate) fn give(&mut self, id: u64) {
        self.given = id;
    }

    /// A marker is written now; its number.
    pub(crate) fn mark(&mut self) -> u64 {
        self.written += 1;
        self.markers.push_back(Marker { number: self.written, after: self.given });
        self.written
    }

    /// Whether a marker is on its way.
    pub(crate) fn is_marked(&self) -> bool {
        !self.markers.is_empty()
    }

    /// The last tuple before the first marker of all, while that one is on its way.
    pub(crate) fn first_marker(&self) -> Option<u64> {
        let first = self.markers.front().filter(|marker| marker.number == 1);
        first.map(|marker| marker.after)
    }

    /// Whether the marker of that number, or a later one, was answered.
    pub(crate) fn is_answered(&self, number: u64) -> bool {
        self.answered >= number
    }

    /// The child named a tuple: it has read everything before it.
    #[inline]
    pub(crate) fn mention(&mut self, id: u64) {
        if id <= self.taken || id > self.given {
            return;
        }
        self.taken = id;
        while let Some(marker) = self.markers.front().filter(|marker| marker.after < id) {
            self.answered = marker.number;
            self.markers.pop_front();
        }
    }

    /// The child answered a marker. False where none was on its way.
    pub(crate) fn sync(&mut self) -> bool {
        let Some(marker) = self.markers.pop_front() else {
            return false;
        };
        self.answered = marker.number;
        self.taken = self.taken.max(marker.after);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_marker_takes_what_was_given_before_it() {
        let mut flow = Flow::new(1);
        (1..=3).for_each(|id| flow.give(id));
        let marker = flow.mark();
        flow.give(4);
        assert_eq!((flow.in_flight(), flow.unmarked()), (4, 1));
        assert!(flow.sync());
        assert_eq!((flow.in_flight(), flow.unmarked()), (1, 1));
        assert!(flow.is_answered(marker));
        assert!(!flow.sync());
    }

    #[test]
    fn naming_a_tuple_takes_it_and_all_before_it() {
        let mut flow = Flow::new(1);
        flow.give(1);
        let marker = flow.mark();
        (2..=5).for_each(|id| flow.give(id));
        flow.mention(1);
        assert!(!flow.is_answered(marker));
        flow.mention(3);
        assert_eq!(flow.in_flight(), 2);
        assert!(flow.is_answered(marker));
        flow.mention(99);
        flow.mention(2);
        assert_eq!(flow.in_flight(), 2);
    }
}
