//! Which messages of a source are in flight, and the place below which all is acked. Pure.
//!
//! Its memory is bound by the messages in flight, however long one of them stays open: what is
//! acked behind an open one is forgotten as soon as it takes more than half of the ring.

use std::cmp::Ordering;
use std::collections::VecDeque;

/// Acked entries below this number are not worth forgetting.
const SPARE: usize = 1024;

const ACKED: u64 = 1 << 63;

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    /// Where the message starts in its source; the top bit says that it is acked.
    place: u64,
}

/// The messages in flight, in the order they were given out.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    open: usize,
    next: u64,
}

impl Window {
    /// A window whose first message has this number.
    pub(super) fn starting_at(number: u64) -> Self {
        Self { next: number, ..Self::default() }
    }

    /// The number that the next message gets.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// How many messages are neither acked nor put aside.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Takes a message that starts at `place` (below 2^63), and gives its number.
    #[inline]
    pub(super) fn push(&mut self, place: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open += 1;
        self.entries.push_back(Entry { number, place });
        number
    }

    /// The message is done. False where no such message is open.
    #[inline]
    pub(super) fn ack(&mut self, number: u64) -> bool {
        let Some(entry) = self.find(number) else {
            return false;
        };
        if entry.place & ACKED != 0 {
            return false;
        }
        entry.place |= ACKED;
        self.open -= 1;
        while self.entries.front().is_some_and(|front| front.place & ACKED != 0) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.open + SPARE {
            self.entries.retain(|entry| entry.place & ACKED == 0);
        }
        true
    }

    /// Where the first open message starts: below it, all is acked.
    pub(super) fn lowest(&self) -> Option<u64> {
        self.entries.front().map(|front| front.place)
    }

    /// Entries are in order, and some are forgotten: so one is no further from the front, and no
    /// further from the back, than its number says. Mostly it is just there.
    fn find(&mut self, number: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.number;
        let from_front = usize::try_from(number.checked_sub(first)?).ok()?;
        let from_back = usize::try_from(self.next.checked_sub(number)?).ok()?;
        let mut above = from_front.saturating_add(1).min(self.entries.len());
        let mut below = self.entries.len().saturating_sub(from_back);
        for guess in [above - 1, below] {
            if self.entries.get(guess).is_some_and(|entry| entry.number == number) {
                return self.entries.get_mut(guess);
            }
        }
        while below < above {
            let middle = below.midpoint(above);
            match self.entries[middle].number.cmp(&number) {
                Ordering::Less => below = middle + 1,
                Ordering::Greater => above = middle,
                Ordering::Equal => return self.entries.get_mut(middle),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_message_that_stays_open_does_not_make_the_window_grow() {
        let mut window = Window::default();
        let stuck = window.push(0);
        for place in 1..100_000 {
            let number = window.push(place);
            window.ack(number);
        }
        assert!(window.entries.len() <= SPARE + 4);
        assert_eq!(window.lowest(), Some(0));
        assert!(window.ack(stuck));
        assert_eq!(window.lowest(), None);
    }

    proptest! {
        #[test]
        fn lowest_is_the_first_open_message(steps in prop::collection::vec(0u64..40, 0..3000)) {
            let mut window = Window::starting_at(7);
            let mut open = BTreeMap::new();
            let mut place = 0;
            for step in steps {
                if step < 12 {
                    place += step + 1;
                    open.insert(window.push(place), place);
                } else {
                    let number = window.next_number().saturating_sub(step - 11);
                    prop_assert_eq!(window.ack(number), open.remove(&number).is_some());
                }
                prop_assert_eq!(window.lowest(), open.values().next().copied());
                prop_assert_eq!(window.open(), open.len());
            }
        }
    }
}
