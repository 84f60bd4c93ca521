//! Edge sums of one batch of work, coalesced per root before they travel.

use std::collections::HashMap;

use compact_str::CompactString;
use foldhash::fast::FixedState;

use crate::base::{RootId, TaskId, beginning};
use crate::metrics::FailReason;
use crate::tuple::{Anchor, Anchors};

use super::{AckBatch, AckEntry, FailEntry, Touched, WorkerView};

/// The longest message of a fail: a traceback, not a novel.
const MAX_MESSAGE: usize = 8 << 10;

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
    places: HashMap<RootId, usize, FixedState>,
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

    /// XORs an edge into its root: once when it is sent, once when it is acked.
    #[inline]
    pub fn add(&mut self, anchor: Anchor, touched: Touched) {
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
        let place = *open.places.entry(anchor.root).or_insert(acks.len());
        if place == acks.len() {
            acks.push(AckEntry { root: anchor.root, xor: anchor.edge.0, touched });
        } else {
            acks[place].xor ^= anchor.edge.0;
            acks[place].touched = acks[place].touched.union(touched);
        }
    }

    /// Acks a tuple.
    #[inline]
    pub fn ack(&mut self, anchors: &Anchors) {
        for anchor in anchors {
            self.add(*anchor, Touched::default());
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
            open.places.clear();
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
            self.spouts.push((spout, OpenBatch { batch, places: HashMap::default() }));
            self.spouts.len() - 1
        });
        &mut self.spouts[place].1
    }
}

impl AckBatch {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.fails.is_empty() && self.resets.is_empty()
    }
}

#[cfg(test)]
mod tests {
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
    fn fails_and_resets_count_towards_the_bound() {
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        let anchors = Anchors::from_iter([anchor(1, 5)]);
        sums.fail(&anchors, FailReason::Died, "gone");
        sums.reset_timeout(&anchors);
        assert_eq!(sums.len(), 2);
    }
}
