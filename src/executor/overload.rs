//! What is dropped where a lane that does not block its producer is full, and what is told of it.
//!
//! It decides and counts; trees are completed or failed by who sends.

use crate::base::TaskId;
use crate::metrics::DropReason;
use crate::topology::OnFull;
use crate::tuple::Tuple;

use super::lane::Lane;

/// Drops on one lane.
#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u64,
    /// The count at which it is told next.
    next: u64,
    /// Under which policy something was dropped last.
    last: DropReason,
}

/// Something to be told of one lane, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// The consuming task.
    pub(crate) task: TaskId,
    /// Tuples dropped on the way to it so far.
    pub(crate) count: u64,
    pub(crate) reason: DropReason,
}

/// The drops of one producing task.
#[derive(Debug)]
pub(crate) struct Overload {
    /// By lane.
    tallies: Vec<Tally>,
    /// Dropped after they were sent: their edges are still to be acked.
    recalled: Vec<Tuple>,
    /// Since this was last asked, by the place of the reason.
    fresh: [u64; DropReason::ALL.len()],
}

impl Overload {
    pub(crate) fn new(lanes: usize) -> Self {
        let none = Tally { count: 0, next: 1, last: DropReason::DropNewest };
        Self { tallies: vec![none; lanes], recalled: Vec::new(), fresh: [0; DropReason::ALL.len()] }
    }

    /// Sees to a tuple for a lane whose budget is spent; whether there is room for it now.
    #[inline(never)]
    pub(crate) fn make_room(&mut self, lane: &mut Lane, at: usize, on_full: OnFull) -> bool {
        let (dropped, room) = match on_full {
            OnFull::Block => return true,
            OnFull::DropNewest | OnFull::Shed => (1, false),
            OnFull::DropOldest => self.recall(lane),
        };
        let reason = match on_full {
            OnFull::Shed => DropReason::Shed,
            OnFull::DropOldest => DropReason::DropOldest,
            OnFull::DropNewest | OnFull::Block => DropReason::DropNewest,
        };
        self.fresh[reason as usize] += dropped;
        let tally = &mut self.tallies[at];
        tally.count += dropped;
        tally.last = reason;
        room
    }

    /// Takes back what has waited longest, until there is room. Where another input's tuples alone
    /// fill the lane, the new one has to go.
    fn recall(&mut self, lane: &mut Lane) -> (u64, bool) {
        let before = self.recalled.len();
        while lane.is_spent() {
            let Some(oldest) = lane.take_oldest() else {
                return ((self.recalled.len() - before) as u64 + 1, false);
            };
            self.recalled.extend(oldest);
        }
        ((self.recalled.len() - before) as u64, true)
    }

    /// Whether there are tuples whose edges are to be acked.
    #[inline]
    pub(crate) fn has_recalled(&self) -> bool {
        !self.recalled.is_empty()
    }

    pub(crate) fn take_recalled(&mut self) -> std::vec::Drain<'_, Tuple> {
        self.recalled.drain(..)
    }

    /// Drops by reason since this was last asked.
    pub(crate) fn take_fresh(&mut self) -> Option<[u64; DropReason::ALL.len()]> {
        let any = self.fresh.iter().any(|&count| count > 0);
        any.then(|| std::mem::replace(&mut self.fresh, [0; DropReason::ALL.len()]))
    }

    /// What is to be told: of each lane its first drop, and then each tenfold of that.
    pub(crate) fn news<'a>(&'a mut self, lanes: &'a [Lane]) -> impl Iterator<Item = Full> + 'a {
        let tallies = self.tallies.iter_mut().zip(lanes);
        tallies.filter(|(tally, _)| tally.count >= tally.next).map(|(tally, lane)| {
            while tally.next <= tally.count {
                tally.next = tally.next.saturating_mul(10);
            }
            Full { task: lane.task(), count: tally.count, reason: tally.last }
        })
    }
}
