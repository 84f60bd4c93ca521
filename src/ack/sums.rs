//! Edge sums of one batch of work, coalesced per root before they travel.

use compact_str::CompactString;

use crate::base::{RootId, TaskId, beginning};
use crate::metrics::FailReason;
use crate::tuple::{Anchor, Anchors};

use super::{AckBatch, AckEntry, FailEntry, Touched, WorkerView};

/// The longest message of a fail: a traceback, not a novel.
const MAX_MESSAGE: usize = 8 << 10;
/// Sums that room is taken for at once, at most.
const SUMS_AT_ONCE: usize = 1024;

/// What a task has to say to spout tasks and has not said yet.
#[derive(Debug)]
pub struct EdgeSums {
    task: TaskId,
    view: WorkerView,
    /// One open batch per spout task; few, so a list.
    spouts: Vec<(TaskId, OpenBatch)>,
}

#[derive(Debug)]
struct OpenBatch {
    batch: AckBatch,
    /// How many sums the batch before this one held.
    before: usize,
    places: Places,
    /// Each root in it has an edge in it that was sent: by these sums alone no tree is complete.
    goes_on: bool,
}

/// Where in the open batch the sums of some roots are: for each value of a root's lowest bits, which are
/// the number of its slot in the ledger, where the last one was. What stands there may be long gone or
/// another root, so it is looked at; what is not found becomes a sum of its own, and the ledger adds
/// it up. No larger than it has to be: each task has one.
#[derive(Debug)]
struct Places(Box<[u16; Self::COUNT]>);

impl Places {
    const COUNT: usize = 256;

    #[inline]
    fn of(&mut self, root: RootId) -> &mut u16 {
        &mut self.0[root.0 as usize % Self::COUNT]
    }
}

impl EdgeSums {
    /// Sums of the task `task`, which knows the workers by `view`.
    pub fn new(task: TaskId, view: WorkerView) -> Self {
        Self { task, view, spouts: Vec::new() }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.spouts.iter().all(|(_, open)| open.batch.is_empty())
    }

    /// How many things there are to say.
    pub fn len(&self) -> usize {
        let count = |batch: &AckBatch| batch.acks.len() + batch.fails.len() + batch.resets.len();
        self.spouts.iter().map(|(_, open)| count(&open.batch)).sum()
    }

    /// Whether each root that there are sums of has an edge among them that was sent. Where those tuples
    /// leave behind these sums, no tree is complete by them: what is said of the tuples comes later.
    pub fn go_on(&self) -> bool {
        self.spouts.iter().all(|(_, open)| {
            let AckBatch { acks, fails, resets, .. } = &open.batch;
            fails.is_empty() && resets.is_empty() && (open.goes_on || acks.is_empty())
        })
    }

    /// XORs an edge that was sent into its root.
    #[inline]
    pub fn add(&mut self, anchor: Anchor, touched: Touched) {
        self.sum(anchor, touched, true);
    }

    #[inline]
    fn sum(&mut self, anchor: Anchor, touched: Touched, was_sent: bool) {
        let open = self.open(anchor.spout);
        let acks = &mut open.batch.acks;
        // The edges of a tuple's children follow each other.
        if let Some(last) = acks.last_mut()
            && last.root == anchor.root
        {
            last.xor ^= anchor.edge.0;
            last.touched = last.touched.union(touched);
            return;
        }
        let place = open.places.of(anchor.root);
        if let Some(entry) = acks.get_mut(usize::from(*place))
            && entry.root == anchor.root
        {
            entry.xor ^= anchor.edge.0;
            entry.touched = entry.touched.union(touched);
            return;
        }
        // Beyond what fits another sum stands at the place, and is seen not to be the root's.
        *place = acks.len() as u16;
        open.goes_on &= was_sent;
        if acks.len() == acks.capacity() {
            grow(acks, open.before);
        }
        acks.push(AckEntry { root: anchor.root, xor: anchor.edge.0, touched });
    }

    /// Acks a tuple.
    #[inline]
    pub fn ack(&mut self, anchors: &Anchors) {
        for anchor in anchors {
            self.sum(*anchor, Touched::default(), false);
        }
    }

    /// Acks a tuple that may be one of those that were just sent.
    pub fn take_back(&mut self, anchors: &Anchors) {
        self.ack(anchors);
        for anchor in anchors {
            self.open(anchor.spout).goes_on = false;
        }
    }

    /// Fails a tuple's roots. The first line of the message says why; what is far too long is cut.
    pub fn fail(&mut self, anchors: &Anchors, reason: FailReason, message: &str) {
        let task = self.task;
        for anchor in anchors {
            let fails = &mut self.open(anchor.spout).batch.fails;
            // The first one decides, and one tuple can fail in many ways at once.
            if fails.last().is_none_or(|last| last.root != anchor.root) {
                let message = CompactString::new(beginning(message, MAX_MESSAGE));
                fails.push(FailEntry { root: anchor.root, task, reason, message });
            }
        }
    }

    /// Starts the time-out of a tuple's roots again.
    pub fn reset_timeout(&mut self, anchors: &Anchors) {
        for anchor in anchors {
            self.open(anchor.spout).batch.resets.push(anchor.root);
        }
    }

    /// Takes what there is to say, by spout task.
    pub fn take(&mut self) -> impl Iterator<Item = (TaskId, AckBatch)> {
        self.spouts.iter_mut().filter(|(_, open)| !open.batch.is_empty()).map(|(spout, open)| {
            open.before = open.batch.acks.len();
            open.goes_on = true;
            let next = AckBatch::new(open.batch.view.clone());
            (*spout, std::mem::replace(&mut open.batch, next))
        })
    }

    /// Uses another view from now on.
    ///
    /// # Panics
    /// Where something summed under the old view has not been taken.
    pub fn set_view(&mut self, view: WorkerView) {
        assert!(self.is_empty(), "sums are taken before the view changes");
        for (_, open) in &mut self.spouts {
            open.batch.view = view.clone();
        }
        self.view = view;
    }

    /// What the task knows of the workers.
    pub fn view(&self) -> &WorkerView {
        &self.view
    }

    #[inline]
    fn open(&mut self, spout: TaskId) -> &mut OpenBatch {
        let place = self.spouts.iter().position(|(task, _)| *task == spout);
        let place = place.unwrap_or_else(|| {
            let batch = AckBatch::new(self.view.clone());
            let places = Places(Box::new([0; Places::COUNT]));
            self.spouts.push((spout, OpenBatch { batch, before: 0, places, goes_on: true }));
            self.spouts.len() - 1
        });
        &mut self.spouts[place].1
    }
}

/// Room is taken when it is needed, and then for as much as came the last time: what is free again is
/// still in the caches, while room that is kept by a thousand tasks is not.
#[inline(never)]
fn grow(acks: &mut Vec<AckEntry>, before: usize) {
    let first = before.next_power_of_two().clamp(4, SUMS_AT_ONCE);
    acks.reserve_exact(if acks.is_empty() { first } else { acks.len() });
}

impl AckBatch {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.fails.is_empty() && self.resets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::base::{EdgeId, Incarnation};

    use super::*;

    fn anchor(root: u64, edge: u64) -> Anchor {
        Anchor { root: RootId(root), edge: EdgeId(edge), spout: TaskId(1) }
    }

    #[test]
    fn sums_of_one_root_travel_as_one_entry() {
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        for (root, edge) in [(1, 5), (1, 6), (2, 9), (1, 7)] {
            sums.add(anchor(root, edge), Touched(1));
        }
        let batches: Vec<_> = sums.take().collect();
        assert_eq!(batches.len(), 1);
        let entry = |root, xor| AckEntry { root: RootId(root), xor, touched: Touched(1) };
        assert_eq!(batches[0].1.acks, [entry(1, 5 ^ 6 ^ 7), entry(2, 9)]);
        assert!(sums.is_empty());
    }

    #[test]
    fn what_travels_adds_up_to_the_sums_whatever_the_order() {
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20 {
            let (mut expected, mut found) = (HashMap::new(), HashMap::new());
            for _ in 0..random.usize(..3_000) {
                let (root, edge) = (random.u64(..1_500), random.u64(..));
                *expected.entry(RootId(root)).or_default() ^= edge;
                sums.add(anchor(root, edge), Touched::default());
            }
            for (_, batch) in sums.take() {
                for entry in batch.acks {
                    *found.entry(entry.root).or_insert(0) ^= entry.xor;
                }
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn sums_go_on_where_each_root_has_an_edge_that_was_sent() {
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        let (parent, child) = (Anchors::one(anchor(1, 5)), anchor(1, 6));
        assert!(sums.go_on());
        sums.add(child, Touched::default());
        sums.ack(&parent);
        assert!(sums.go_on());
        // The child is taken back: the tree is complete.
        sums.take_back(&Anchors::one(child));
        assert!(!sums.go_on());
        assert_eq!(sums.take().count(), 1);
        // A leaf.
        sums.add(child, Touched::default());
        sums.ack(&Anchors::one(anchor(2, 7)));
        assert!(!sums.go_on());
        assert_eq!(sums.take().count(), 1);
        assert!(sums.go_on());
        sums.reset_timeout(&parent);
        assert!(!sums.go_on());
    }

    #[test]
    fn fails_and_resets_count_towards_the_bound() {
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        let anchors = Anchors::from_iter([anchor(1, 5)]);
        sums.fail(&anchors, FailReason::Died, "gone");
        sums.reset_timeout(&anchors);
        assert_eq!(sums.len(), 2);
    }
}
