//! The tuples that a child has and has not answered, by the numbers they were given under.
//!
//! Pure. Numbers count up, so the newest sit in a ring; those that are old and still open move to a
//! map, so that one tuple held for minutes costs one entry and not everything since.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::base::Timestamp;
use crate::tuple::{Flags, Ticket};

/// Entries that the ring may span.
const RING: usize = 1 << 16;

/// At most this many tuples are remembered; the oldest are forgotten, and time out.
const MAX_OPEN: usize = 1 << 20;

/// One open tuple.
#[derive(Debug)]
pub(crate) struct OpenTuple {
    /// The right to answer it.
    pub(crate) ticket: Ticket,
    /// Marks that its emissions inherit.
    pub(crate) flags: Flags,
    /// It was failed already: a later answer means nothing.
    pub(crate) failed: bool,
    /// When it was given, or was last heard of.
    pub(crate) since: Timestamp,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct OpenTuples {
    /// Number of the ring's first slot.
    first: u64,
    ring: VecDeque<Option<OpenTuple>>,
    old: BTreeMap<u64, OpenTuple>,
    count: usize,
}

impl OpenTuples {
    /// An empty table; `first` is the number of the first tuple.
    pub(crate) fn new(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds a tuple under the next number. Gives back the oldest where there are too many.
    pub(crate) fn push(&mut self, tuple: OpenTuple) -> (u64, Option<OpenTuple>) {
        if self.ring.len() == RING {
            if let Some(Some(oldest)) = self.ring.pop_front() {
                self.old.insert(self.first, oldest);
            }
            self.first += 1;
        }
        let id = self.first + self.ring.len() as u64;
        self.ring.push_back(Some(tuple));
        self.count += 1;
        let forgotten =
            if self.count > MAX_OPEN { self.old.pop_first().map(|(_, tuple)| tuple) } else { None };
        self.count -= usize::from(forgotten.is_some());
        (id, forgotten)
    }

    /// The open tuple of that number.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut OpenTuple> {
        match id.checked_sub(self.first) {
            Some(place) => self.ring.get_mut(usize::try_from(place).ok()?)?.as_mut(),
            None => self.old.get_mut(&id),
        }
    }

    /// The open tuple of that number.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<&OpenTuple> {
        match id.checked_sub(self.first) {
            Some(place) => self.ring.get(usize::try_from(place).ok()?)?.as_ref(),
            None => self.old.get(&id),
        }
    }

    /// Takes a tuple out: it is answered.
    #[inline]
    pub(crate) fn remove(&mut self, id: u64) -> Option<OpenTuple> {
        let removed = match id.checked_sub(self.first) {
            Some(place) => {
                let removed = self.ring.get_mut(usize::try_from(place).ok()?)?.take();
                while let Some(None) = self.ring.front() {
                    self.ring.pop_front();
                    self.first += 1;
                }
                removed
            }
            None => self.old.remove(&id),
        };
        self.count -= usize::from(removed.is_some());
        removed
    }

    /// All were given so much later.
    pub(crate) fn put_off(&mut self, span: Duration) {
        for tuple in self.ring.iter_mut().flatten().chain(self.old.values_mut()) {
            tuple.since = tuple.since + span;
        }
    }

    /// All open tuples, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &OpenTuple)> {
        let ring = self.ring.iter().enumerate().filter_map(|(place, slot)| {
            let tuple = slot.as_ref()?;
            Some((self.first + place as u64, tuple))
        });
        self.old.iter().map(|(id, tuple)| (*id, tuple)).chain(ring)
    }

    /// The oldest open tuple's number.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.iter().next().map(|(id, _)| id)
    }

    /// Takes all out, oldest first.
    pub(crate) fn take_all(&mut self) -> Vec<(u64, OpenTuple)> {
        let mut all = Vec::with_capacity(self.count);
        while let Some(id) = self.oldest() {
            all.extend(self.remove(id).map(|tuple| (id, tuple)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn tuple() -> OpenTuple {
        OpenTuple {
            ticket: Ticket::default(),
            flags: Flags::default(),
            failed: false,
            since: Timestamp(0),
        }
    }

    proptest! {
        #[test]
        fn the_table_is_a_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0_u64..40), 0..200)) {
            let mut table = OpenTuples::new(1);
            let mut model = BTreeSet::new();
            for (add, id) in steps {
                if add {
                    model.insert(table.push(tuple()).0);
                } else {
                    prop_assert_eq!(table.remove(id).is_some(), model.remove(&id));
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.oldest(), model.first().copied());
            }
            let left: Vec<u64> = table.take_all().into_iter().map(|(id, _)| id).collect();
            prop_assert_eq!(left, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_tuple_held_for_long_costs_one_entry() {
        let mut table = OpenTuples::new(1);
        table.push(tuple());
        for _ in 0..300_000 {
            let (id, _) = table.push(tuple());
            table.remove(id);
        }
        assert_eq!(table.len(), 1);
        assert!(table.ring.len() <= RING);
        assert!(table.get(1).is_some());
        assert_eq!(table.remove(1).map(|_| table.len()), Some(0));
    }

    #[test]
    fn too_many_open_tuples_push_the_oldest_out() {
        let mut table = OpenTuples::new(1);
        let forgotten = (0..MAX_OPEN + 10).filter(|_| table.push(tuple()).1.is_some()).count();
        assert_eq!((forgotten, table.len()), (10, MAX_OPEN));
    }
}
