//! Numbers of batches between two lives of two workers. Pure: frames and connections in, verdicts out.
//!
//! Numbers outlive connections: what was sent and not yet taken is kept, and sent again on the next
//! connection of the same pair. A connection has an epoch; what a former one still delivers is dropped.

use std::collections::VecDeque;

use super::Lane;
use super::queue::{Batch, PerLane, Room};

/// While so many batches of a lane are under way, a new one is begun only when it is full. The receiver
/// answers each [`super::replies::FRAMES_PER_REPLY`] batches, of which there must be at least one such
/// group less under way.
const BUSY_FRAMES: u32 = 8;

/// Why the receiver's number cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SequenceError {
    /// It names a batch that was never sent.
    #[error("the peer says it took batch {named}, but only {sent} were sent")]
    Future {
        /// The number named.
        named: u64,
        /// The greatest number sent.
        sent: u64,
    },
    /// It has forgotten what it said it took.
    #[error("the peer says it took only batch {named}, but it had acknowledged {acknowledged}")]
    Past {
        /// The number named.
        named: u64,
        /// The greatest number that it had acknowledged.
        acknowledged: u64,
    },
}

/// A batch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) sequence: u64,
    pub(super) batch: Batch,
}

/// A batch to put on the connection now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) numbered: Numbered,
    /// Whether a former connection carried it already.
    pub(super) again: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    frames: u32,
    bytes: usize,
}

/// The sender's end of a pair.
#[derive(Clone, Debug)]
pub(super) struct SenderSequence {
    windows: PerLane<usize>,
    epoch: u64,
    open: bool,
    /// The number of the first batch in `kept`, or of the next new one.
    first: u64,
    kept: VecDeque<Batch>,
    /// How many of `kept` this connection has carried.
    carried: usize,
    /// The greatest number that any connection has carried.
    ever_carried: u64,
    in_flight: PerLane<InFlight>,
}

impl SenderSequence {
    /// A pair that has sent nothing; `windows` in bytes, by lane.
    pub(super) fn new(windows: PerLane<usize>) -> Self {
        Self {
            windows,
            epoch: 0,
            open: false,
            first: 1,
            kept: VecDeque::new(),
            carried: 0,
            ever_carried: 0,
            in_flight: [InFlight::default(); 2],
        }
    }

    /// Begins a connection and says its epoch. Nothing can be sent before its welcome.
    pub(super) fn connect(&mut self) -> u64 {
        self.open = false;
        self.epoch += 1;
        self.epoch
    }

    /// The connection is gone.
    pub(super) fn disconnect(&mut self) {
        self.open = false;
    }

    /// The receiver has answered a hello; all that it has not taken will be sent again.
    pub(super) fn welcome(&mut self, last_taken: u64) -> Result<(), SequenceError> {
        self.taken(last_taken)?;
        if last_taken + 1 < self.first {
            return Err(SequenceError::Past { named: last_taken, acknowledged: self.first - 1 });
        }
        self.carried = 0;
        self.open = true;
        Ok(())
    }

    /// The receiver has taken all up to a number. What it said before is no news and no error.
    pub(super) fn taken(&mut self, last_taken: u64) -> Result<(), SequenceError> {
        if last_taken > self.ever_carried {
            return Err(SequenceError::Future { named: last_taken, sent: self.ever_carried });
        }
        while self.first <= last_taken {
            let batch = self.kept.pop_front().expect("what was carried and not taken is kept");
            self.first += 1;
            self.carried = self.carried.saturating_sub(1);
            for (flight, bytes) in self.in_flight.iter_mut().zip(batch.bytes) {
                flight.frames -= u32::from(bytes > 0);
                flight.bytes -= bytes;
            }
        }
        Ok(())
    }

    /// How much of each lane a new batch may hold, where one may be begun now; `queued` bytes wait.
    pub(super) fn may_begin(
        &self,
        queued: PerLane<usize>,
        next: PerLane<Option<usize>>,
        full: usize,
    ) -> Option<PerLane<Room>> {
        if !self.open || self.carried < self.kept.len() {
            return None;
        }
        let room = [self.room(Lane::Data), self.room(Lane::Ack)];
        let ready = |lane: usize| {
            next[lane].is_some_and(|length| match room[lane] {
                Room::Open(_) => true,
                Room::Left(left) => {
                    length <= left
                        && (queued[lane] >= full || self.in_flight[lane].frames < BUSY_FRAMES)
                }
            })
        };
        (ready(0) || ready(1)).then_some(room)
    }

    fn room(&self, lane: Lane) -> Room {
        let flight = self.in_flight[lane as usize];
        let window = self.windows[lane as usize];
        if flight.bytes == 0 {
            Room::Open(window)
        } else {
            Room::Left(window.saturating_sub(flight.bytes))
        }
    }

    /// Takes over a new batch.
    pub(super) fn push(&mut self, batch: Batch) {
        for (flight, bytes) in self.in_flight.iter_mut().zip(batch.bytes) {
            flight.frames += u32::from(bytes > 0);
            flight.bytes += bytes;
        }
        self.kept.push_back(batch);
    }

    /// The next batch to put on the connection.
    pub(super) fn next(&mut self) -> Option<Outgoing> {
        if !self.open {
            return None;
        }
        let batch = self.kept.get(self.carried)?.clone();
        let sequence = self.first + self.carried as u64;
        self.carried += 1;
        let again = sequence <= self.ever_carried;
        self.ever_carried = self.ever_carried.max(sequence);
        Some(Outgoing { numbered: Numbered { sequence, batch }, again })
    }

    /// The number of the last batch that the connection carries; 0 before its welcome.
    pub(super) fn last_carried(&self) -> u64 {
        if self.open { self.first - 1 + self.carried as u64 } else { 0 }
    }

    /// Bytes sent and not yet taken, in both lanes.
    pub(super) fn bytes_in_flight(&self) -> usize {
        self.in_flight.iter().map(|flight| flight.bytes).sum()
    }

    /// Batches and parts not yet taken.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Batch> {
        self.kept.iter()
    }

    /// Whether all that was sent has been taken.
    pub(super) fn is_settled(&self) -> bool {
        self.kept.is_empty()
    }
}

/// What to do with a batch that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one: take it.
    Take,
    /// It was taken already: drop it. Of a ping: nothing is missing.
    Duplicate,
    /// It came on a former connection: drop it.
    Stale,
    /// At least one is missing before it: the connection must be made anew.
    Gap,
}

/// The receiver's end of a pair.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiverSequence {
    epoch: u64,
    broken: bool,
    last: u64,
}

impl ReceiverSequence {
    /// A connection begins; false where a newer one has.
    pub(super) fn hello(&mut self, epoch: u64) -> bool {
        if epoch <= self.epoch {
            return false;
        }
        self.epoch = epoch;
        self.broken = false;
        true
    }

    /// Whether frames of this connection count.
    pub(super) fn is_current(&self, epoch: u64) -> bool {
        epoch == self.epoch && !self.broken
    }

    /// Judges a batch, and takes it where the verdict says so.
    pub(super) fn judge(&mut self, epoch: u64, sequence: u64) -> Verdict {
        if !self.is_current(epoch) {
            return Verdict::Stale;
        }
        if sequence <= self.last {
            return Verdict::Duplicate;
        }
        if sequence != self.last + 1 {
            self.broken = true;
            return Verdict::Gap;
        }
        self.last = sequence;
        Verdict::Take
    }

    /// Judges a ping, which says up to which number the connection has carried batches before it.
    pub(super) fn judge_ping(&mut self, epoch: u64, carried: u64) -> Verdict {
        if !self.is_current(epoch) {
            return Verdict::Stale;
        }
        if carried > self.last {
            self.broken = true;
            return Verdict::Gap;
        }
        Verdict::Duplicate
    }

    /// The last number taken.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The connection's epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

#[cfg(test)]
mod tests;
