//! The ledger of one spout task: which roots are still open.
//!
//! Entries stand in a slab, so that memory is bounded by what is in flight, and hang in a list in
//! the order in which they fall due: all share one time-out, so the list is exact where a timing
//! wheel would round. A root id is a slot and the slot's generation, so that an id is never used twice.
//! No I/O and no clock: time comes in with the events.

use std::ops::{Index, IndexMut};
use std::time::Duration;

use crate::base::{RootId, Timestamp};

use super::{AckEntry, Touched};

const NIL: u32 = u32::MAX;
/// Entries of a block. Blocks stay where they are as the slab grows: to move ten million open roots would hold
/// up their spout for a second.
const BLOCK: usize = 4096;

#[derive(Debug)]
struct Entry<P> {
    /// `None`: the slot is free, and `next` is the next free one.
    payload: Option<P>,
    xor: u64,
    touched: Touched,
    /// When the time-out last started.
    since: Timestamp,
    generation: u32,
    previous: u32,
    next: u32,
}

impl<P> Entry<P> {
    #[inline]
    fn is_of(&self, root: RootId) -> bool {
        self.payload.is_some() && u64::from(self.generation) == root.0 >> 32
    }
}

/// All entries, by slot.
#[derive(Debug)]
struct Slab<P>(Vec<Vec<Entry<P>>>);

impl<P> Slab<P> {
    #[inline]
    fn get(&self, slot: u32) -> Option<&Entry<P>> {
        self.0.get(slot as usize / BLOCK)?.get(slot as usize % BLOCK)
    }

    #[inline]
    fn get_mut(&mut self, slot: u32) -> Option<&mut Entry<P>> {
        self.0.get_mut(slot as usize / BLOCK)?.get_mut(slot as usize % BLOCK)
    }

    /// Adds an entry; its slot.
    fn push(&mut self, entry: Entry<P>) -> u32 {
        if self.0.last().is_none_or(|block| block.len() == BLOCK) {
            self.0.push(Vec::with_capacity(BLOCK));
        }
        let block = self.0.len() - 1;
        self.0[block].push(entry);
        (block * BLOCK + self.0[block].len() - 1) as u32
    }
}

impl<P> Index<u32> for Slab<P> {
    type Output = Entry<P>;

    #[inline]
    fn index(&self, slot: u32) -> &Entry<P> {
        &self.0[slot as usize / BLOCK][slot as usize % BLOCK]
    }
}

impl<P> IndexMut<u32> for Slab<P> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Entry<P> {
        &mut self.0[slot as usize / BLOCK][slot as usize % BLOCK]
    }
}

/// What an ack came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled<P> {
    /// The tree is complete; the root is closed.
    Done(P),
    /// Edges are still open.
    Open,
    /// Edges are open that went to a worker that was lost meanwhile; the root is closed.
    Lost(P),
    /// No such root is open: acked, failed or timed out before, or of an earlier life.
    Unknown,
}

/// Open roots, each with a payload of the spout loop.
#[derive(Debug)]
pub struct Ledger<P> {
    entries: Slab<P>,
    free: u32,
    oldest: u32,
    newest: u32,
    open: usize,
    /// Where the generations of new slots start; random, so that ids of an earlier life of this
    /// task are unknown to this one.
    first_generation: u32,
}

impl<P> Ledger<P> {
    /// An empty ledger; `seed` is random.
    pub fn new(seed: u32) -> Self {
        let (free, oldest, newest) = (NIL, NIL, NIL);
        Self { entries: Slab(Vec::new()), free, oldest, newest, open: 0, first_generation: seed }
    }

    /// How many roots are open.
    pub fn len(&self) -> usize {
        self.open
    }

    /// Whether no root is open.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Opens a root, before any of its tuples leaves.
    pub fn open(&mut self, payload: P, now: Timestamp) -> RootId {
        let (payload, touched) = (Some(payload), Touched::default());
        let (since, previous, next) = (now, self.newest, NIL);
        let (slot, generation) = if self.free == NIL {
            let generation = self.first_generation.wrapping_add(1);
            let xor = 0;
            let fresh = Entry { payload, xor, touched, since, generation, previous, next };
            (self.entries.push(fresh), generation)
        } else {
            let slot = self.free;
            let entry = &mut self.entries[slot];
            self.free = entry.next;
            let generation = entry.generation.wrapping_add(1);
            *entry = Entry { payload, xor: 0, touched, since, generation, previous, next };
            (slot, generation)
        };
        self.open += 1;
        self.note_newest(slot);
        RootId(u64::from(generation) << 32 | u64::from(slot))
    }

    /// XORs edges that the spout itself sent into a root, and closes it where nobody got any.
    ///
    /// # Panics
    /// Where the root is not open: the spout loop sends right after it opens.
    pub fn sent(&mut self, root: RootId, xor: u64, touched: Touched) -> Settled<P> {
        let settled = self.ack(&AckEntry { root, xor, touched }, Touched::default());
        assert!(!matches!(settled, Settled::Unknown), "a root is open while its edges are sent");
        settled
    }

    /// XORs what a bolt reports into its root. `replaced`: workers that were replaced since the bolt saw
    /// them; what it sent there is lost.
    #[inline]
    pub fn ack(&mut self, ack: &AckEntry, replaced: Touched) -> Settled<P> {
        let slot = ack.root.0 as u32;
        let Some(entry) = self.entries.get_mut(slot).filter(|entry| entry.is_of(ack.root)) else {
            return Settled::Unknown;
        };
        entry.xor ^= ack.xor;
        entry.touched = entry.touched.union(ack.touched);
        let is_done = entry.xor == 0;
        if !is_done && !ack.touched.meets(replaced) {
            return Settled::Open;
        }
        let payload = self.close(slot);
        if is_done { Settled::Done(payload) } else { Settled::Lost(payload) }
    }

    /// Closes a root that failed.
    pub fn fail(&mut self, root: RootId) -> Option<P> {
        self.slot_of(root).map(|slot| self.close(slot))
    }

    /// The payload of an open root.
    pub fn get(&self, root: RootId) -> Option<&P> {
        self.slot_of(root).and_then(|slot| self.entries[slot].payload.as_ref())
    }

    /// Starts a root's time-out again; false where it is not open.
    pub fn reset_timeout(&mut self, root: RootId, now: Timestamp) -> bool {
        let Some(slot) = self.slot_of(root) else {
            return false;
        };
        let Entry { previous, next, .. } = self.entries[slot];
        self.join(previous, next);
        self.append(slot, now);
        true
    }

    /// Starts the time-outs of all open roots again.
    pub fn reset_timeouts(&mut self, now: Timestamp) {
        let mut slot = self.oldest;
        while let Some(entry) = self.entries.get_mut(slot) {
            entry.since = now;
            slot = entry.next;
        }
    }

    /// The root that falls due first, where its time is up.
    pub fn due(&self, now: Timestamp, timeout: Duration) -> Option<RootId> {
        let entry = self.entries.get(self.oldest)?;
        let up = now.since(entry.since) >= timeout && entry.since + timeout <= now;
        up.then(|| RootId(u64::from(entry.generation) << 32 | u64::from(self.oldest)))
    }

    /// When the next root falls due.
    pub fn next_due(&self, timeout: Duration) -> Option<Timestamp> {
        self.entries.get(self.oldest).map(|entry| entry.since + timeout)
    }

    /// Closes every root that has touched one of these workers, oldest first.
    pub fn fail_touched(&mut self, lost: Touched) -> Vec<(RootId, P)> {
        let mut failed = Vec::new();
        let mut slot = self.oldest;
        while slot != NIL {
            let entry = &self.entries[slot];
            let next = entry.next;
            if entry.touched.meets(lost) {
                let root = RootId(u64::from(entry.generation) << 32 | u64::from(slot));
                failed.push((root, self.close(slot)));
            }
            slot = next;
        }
        failed
    }

    #[inline]
    fn slot_of(&self, root: RootId) -> Option<u32> {
        let slot = root.0 as u32;
        self.entries.get(slot)?.is_of(root).then_some(slot)
    }

    /// Puts a slot that is in no list behind all others.
    fn append(&mut self, slot: u32, now: Timestamp) {
        let newest = self.newest;
        let entry = &mut self.entries[slot];
        (entry.previous, entry.next, entry.since) = (newest, NIL, now);
        self.note_newest(slot);
    }

    /// The slot's own entry knows its place already.
    fn note_newest(&mut self, slot: u32) {
        match self.entries.get_mut(self.newest) {
            Some(before) => before.next = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    /// Joins the two that an entry stood between.
    #[inline]
    fn join(&mut self, previous: u32, next: u32) {
        match self.entries.get_mut(previous) {
            Some(before) => before.next = next,
            None => self.oldest = next,
        }
        match self.entries.get_mut(next) {
            Some(after) => after.previous = previous,
            None => self.newest = previous,
        }
    }

    #[inline]
    fn close(&mut self, slot: u32) -> P {
        let entry = &mut self.entries[slot];
        let (previous, next) = (entry.previous, entry.next);
        entry.next = self.free;
        let payload = entry.payload.take().expect("only open roots are closed");
        self.free = slot;
        self.open -= 1;
        self.join(previous, next);
        payload
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use crate::base::{EdgeId, WorkerSlot};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const NONE: Touched = Touched(0);

    fn ack(root: RootId, xor: u64) -> AckEntry {
        AckEntry { root, xor, touched: Touched::default() }
    }

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000_000)
    }

    #[test]
    fn a_root_that_nobody_got_is_done_at_once() {
        let mut ledger = Ledger::new(0);
        let root = ledger.open("m", second(0));
        assert_eq!(ledger.sent(root, 0, Touched::default()), Settled::Done("m"));
        assert!(ledger.is_empty());
    }

    #[test]
    fn an_id_is_never_used_twice() {
        let mut ledger = Ledger::new(7);
        let first = ledger.open(1, second(0));
        assert_eq!(ledger.fail(first), Some(1));
        let second_root = ledger.open(2, second(0));
        assert_ne!(first, second_root);
        assert_eq!(ledger.ack(&ack(first, 5), NONE), Settled::Unknown);
        assert_eq!(ledger.len(), 1);
        let mut later_life = Ledger::new(8_000);
        later_life.open(3, second(0));
        assert_eq!(later_life.ack(&ack(second_root, 5), NONE), Settled::Unknown);
    }

    #[test]
    fn roots_fall_due_in_order_and_a_reset_starts_again() {
        let mut ledger = Ledger::new(0);
        let roots: Vec<_> = (0..3).map(|n| ledger.open(n, second(n))).collect();
        assert_eq!(ledger.due(second(29), TIMEOUT), None);
        assert_eq!(ledger.due(second(30), TIMEOUT), Some(roots[0]));
        assert!(ledger.reset_timeout(roots[0], second(30)));
        assert_eq!(ledger.due(second(30), TIMEOUT), None);
        assert_eq!(ledger.next_due(TIMEOUT), Some(second(31)));
        assert_eq!(ledger.due(second(31), TIMEOUT), Some(roots[1]));
        ledger.fail(roots[1]);
        ledger.fail(roots[2]);
        assert_eq!(ledger.next_due(TIMEOUT), Some(second(60)));
    }

    #[test]
    fn all_time_outs_can_be_started_again() {
        let mut ledger = Ledger::new(0);
        let roots: Vec<_> = (0..3).map(|n| ledger.open(n, second(n))).collect();
        ledger.fail(roots[1]);
        ledger.reset_timeouts(second(100));
        assert_eq!(ledger.due(second(129), TIMEOUT), None);
        assert_eq!(ledger.due(second(130), TIMEOUT), Some(roots[0]));
        ledger.fail(roots[0]);
        assert_eq!(ledger.due(second(130), TIMEOUT), Some(roots[2]));
    }

    #[test]
    fn a_lost_worker_fails_just_the_roots_that_touched_it() {
        let mut ledger = Ledger::new(0);
        let roots: Vec<_> = (0..4).map(|n| ledger.open(n, second(n))).collect();
        for (number, &root) in roots.iter().enumerate() {
            let touched = Touched::worker(WorkerSlot(number as u16 % 2));
            ledger.sent(root, 99, touched);
        }
        let failed = ledger.fail_touched(Touched::worker(WorkerSlot(1)));
        assert_eq!(failed, [(roots[1], 1), (roots[3], 3)]);
        assert_eq!(ledger.len(), 2);
    }

    #[test]
    fn what_was_sent_to_a_worker_that_was_replaced_since_is_lost() {
        let mut ledger = Ledger::new(0);
        let root = ledger.open("m", second(0));
        ledger.sent(root, 1, Touched::default());
        let (lost, other) = (Touched::worker(WorkerSlot(1)), Touched::worker(WorkerSlot(2)));
        let child = AckEntry { touched: lost, ..ack(root, 1 ^ 2) };
        assert_eq!(ledger.ack(&child, other), Settled::Open);
        let child = AckEntry { touched: lost, ..ack(root, 4) };
        assert_eq!(ledger.ack(&child, lost), Settled::Lost("m"));
        assert!(ledger.is_empty());
    }

    /// A tree that grows at random: each step acks an open edge and sends some children, and the
    /// reports of the steps reach the ledger in any order.
    fn steps(fan_outs: &[usize]) -> (u64, Vec<u64>) {
        let first = EdgeId::random().0;
        let mut open = vec![first];
        let mut reports = Vec::new();
        for &fan_out in fan_outs {
            let Some(edge) = open.pop() else { break };
            let children: Vec<_> = (0..fan_out).map(|_| EdgeId::random().0).collect();
            reports.push(children.iter().fold(edge, |sum, child| sum ^ child));
            open.splice(0..0, children);
        }
        reports.extend(open);
        (first, reports)
    }

    proptest! {
        #[test]
        fn no_root_completes_early_and_none_is_forgotten(
            trees in prop::collection::vec(prop::collection::vec(0_usize..4, 0..12), 1..20),
            shuffle in any::<u64>(),
        ) {
            let mut ledger = Ledger::new(3);
            let mut waiting = HashMap::new();
            let mut reports = Vec::new();
            for (number, tree) in trees.iter().enumerate() {
                let (first, tree_reports) = steps(tree);
                let root = ledger.open(number, second(0));
                prop_assert_eq!(ledger.sent(root, first, Touched::default()), Settled::Open);
                waiting.insert(root, tree_reports.len());
                reports.extend(tree_reports.into_iter().map(|xor| (root, xor)));
            }
            fastrand::Rng::with_seed(shuffle).shuffle(&mut reports);
            for (root, xor) in reports {
                let left = waiting.get_mut(&root).unwrap();
                *left -= 1;
                match ledger.ack(&ack(root, xor), NONE) {
                    Settled::Done(_) => prop_assert_eq!(*left, 0),
                    Settled::Open => prop_assert_ne!(*left, 0),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(ledger.is_empty());
        }

        #[test]
        fn any_mix_of_events_keeps_list_and_slab_in_step(
            events in prop::collection::vec((0_u8..5, 0_usize..40), 0..300),
        ) {
            let mut ledger = Ledger::new(0);
            let mut open: Vec<RootId> = Vec::new();
            for (tick, (event, pick)) in events.into_iter().enumerate() {
                let now = second(tick as u64);
                match (event, open.len()) {
                    (0 | 1, _) | (_, 0) => open.push(ledger.open(tick, now)),
                    (2, count) => {
                        let root = open.remove(pick % count);
                        prop_assert!(ledger.fail(root).is_some());
                    }
                    (3, count) => {
                        let root = open.remove(pick % count);
                        open.push(root);
                        prop_assert!(ledger.reset_timeout(root, now));
                    }
                    (_, count) => {
                        // XOR of nothing sent: complete.
                        let root = open.remove(pick % count);
                        prop_assert!(matches!(ledger.ack(&ack(root, 0), NONE), Settled::Done(_)));
                    }
                }
                prop_assert_eq!(ledger.len(), open.len());
                let far = second(10_000);
                prop_assert_eq!(ledger.due(far, TIMEOUT), open.first().copied());
            }
            let slots: usize = ledger.entries.0.iter().map(Vec::len).sum();
            prop_assert!(slots <= 300);
        }
    }
}
