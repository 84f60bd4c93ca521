//! One peer as this worker takes from it: which life of it counts, what came, what it may be told.
//!
//! The inbound loop asks, executors give credit back; both under a short lock. Nothing here waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::{BootId, Incarnation, TaskId, WorkerSlot};

use super::credit::{CreditError, ReceiverCredit};
use super::frame::{Header, Message, Pair, PartHead, Refusal, encode};
use super::link::{ConnectionKey, Frame};
use super::replies::{Due, Replies};
use super::sequence::{ReceiverSequence, Verdict};
use super::stats::{Counters, PeerStats};
use super::{Lane, PeerAddress, TransportOptions};

/// One slot, over all lives of its worker.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) slot: WorkerSlot,
    pub(super) counters: Counters,
    me: BootId,
    window: usize,
    credit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    life: Option<Life>,
    credit: ReceiverCredit,
}

/// The newest life of the peer that this worker has been told of, by itself or by the supervisor.
#[derive(Clone, Copy, Debug)]
struct Known {
    boot: BootId,
    incarnation: Incarnation,
    ended: bool,
}

#[derive(Debug)]
struct Life {
    boot: BootId,
    sequence: ReceiverSequence,
    replies: Replies,
    connection: Option<ConnectionKey>,
}

impl State {
    fn end_life(&mut self) {
        if self.life.take().is_some() {
            self.credit.begin_anew();
        }
    }

    fn due(&self) -> Due {
        match &self.life {
            Some(life) if life.connection.is_some() => life.replies.due(self.credit.unreported()),
            _ => Due::Nothing,
        }
    }
}

impl Inbox {
    /// A peer that nothing has come from.
    pub(super) fn new(slot: WorkerSlot, options: &TransportOptions) -> Self {
        Self {
            slot,
            counters: Counters::default(),
            me: options.boot,
            window: options.window,
            credit: options.credit,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The supervisor names the peer's current life. Where a later one has said hello already, that counts.
    pub(super) fn expect(&self, address: &PeerAddress) {
        let mut state = self.lock();
        if state.known.is_some_and(|known| known.incarnation > address.incarnation) {
            return;
        }
        state.known =
            Some(Known { boot: address.boot, incarnation: address.incarnation, ended: false });
        if state.life.as_ref().is_some_and(|life| life.boot != address.boot) {
            state.end_life();
        }
    }

    /// A life of the peer is known to be over; nothing of it counts any more. `None` names whichever
    /// life is known.
    pub(super) fn forget(&self, boot: Option<BootId>) {
        let mut state = self.lock();
        let Some(known) = &mut state.known else {
            return;
        };
        if boot.is_none_or(|boot| boot == known.boot) {
            known.ended = true;
            state.end_life();
        }
    }

    /// A connection begins; the answer, or `None` where a newer connection of this life has begun.
    pub(super) fn hello(
        &self,
        header: &Header,
        incarnation: Incarnation,
        connection: &ConnectionKey,
    ) -> Option<Frame> {
        let boot = header.pair.sender;
        let mut state = self.lock();
        let fits = state.known.is_none_or(|known| {
            incarnation > known.incarnation || (boot == known.boot && !known.ended)
        });
        if !fits {
            return Some(encode(header, &Message::Refuse(Refusal::Replaced)));
        }
        if state.life.as_ref().is_none_or(|life| life.boot != boot) {
            state.end_life();
            state.known = Some(Known { boot, incarnation, ended: false });
        }
        let State { life, credit, .. } = &mut *state;
        let life = life.get_or_insert_with(|| Life {
            boot,
            sequence: ReceiverSequence::default(),
            replies: Replies::new(self.window, self.credit),
            connection: None,
        });
        if !life.sequence.hello(header.epoch) {
            return None;
        }
        life.connection = Some(connection.clone());
        life.replies = Replies::new(self.window, self.credit);
        let answer = Header { sequence: life.sequence.last(), ..*header };
        Some(encode(&answer, &Message::Welcome(credit.full_report())))
    }

    /// Whether what this life of the peer sends is taken.
    pub(super) fn takes_from(&self, boot: BootId) -> bool {
        self.lock().life.as_ref().is_some_and(|life| life.boot == boot)
    }

    /// Judges a batch and books its parts where they are to be delivered.
    pub(super) fn batch(
        &self,
        header: &Header,
        parts: &[PartHead],
        bytes: usize,
    ) -> Result<Verdict, CreditError> {
        let mut state = self.lock();
        let State { life, credit, .. } = &mut *state;
        let Some(life) = life.as_mut().filter(|life| life.boot == header.pair.sender) else {
            return Ok(Verdict::Stale);
        };
        let verdict = life.sequence.judge(header.epoch, header.sequence);
        if verdict == Verdict::Take {
            for part in parts.iter().filter(|part| part.lane == Lane::Data) {
                credit.delivered(part.task, part.length)?;
            }
        }
        if matches!(verdict, Verdict::Take | Verdict::Duplicate) {
            life.replies.batch(bytes);
        }
        Ok(verdict)
    }

    /// The peer asks for a sign of life, and says what it has sent before.
    pub(super) fn ping(&self, header: &Header) -> Verdict {
        let mut state = self.lock();
        let Some(life) = state.life.as_mut().filter(|life| life.boot == header.pair.sender) else {
            return Verdict::Stale;
        };
        let verdict = life.sequence.judge_ping(header.epoch, header.sequence);
        if verdict == Verdict::Duplicate {
            life.replies.ping();
        }
        verdict
    }

    /// A task has taken a part; whether the loop must hear of it.
    pub(super) fn give_back(&self, task: TaskId, bytes: usize) -> Result<bool, CreditError> {
        let mut state = self.lock();
        let before = state.due();
        state.credit.take(task, bytes)?;
        let after = state.due();
        Ok(after != before && after != Due::Nothing)
    }

    /// Whether to answer.
    pub(super) fn due(&self) -> Due {
        self.lock().due()
    }

    /// The answer that is due.
    pub(super) fn answer(&self) -> Option<(ConnectionKey, Frame)> {
        let mut state = self.lock();
        if state.due() == Due::Nothing {
            return None;
        }
        let State { life, credit, .. } = &mut *state;
        let life = life.as_mut()?;
        let connection = life.connection.clone()?;
        let header = Header {
            pair: Pair { sender: life.boot, taker: self.me },
            epoch: life.sequence.epoch(),
            sequence: life.sequence.last(),
        };
        // An answer to a ping says all again: one before it may have vanished.
        let credits = if life.replies.is_asked() { credit.full_report() } else { credit.report() };
        life.replies.sent();
        let frame = encode(&header, &Message::Reply(credits));
        Some((connection, frame))
    }

    /// A connection turned out to be gone. Nothing is lost: the next one begins with all totals.
    pub(super) fn disconnected(&self, connection: &ConnectionKey) {
        if let Some(life) = &mut self.lock().life
            && life.connection.as_ref() == Some(connection)
        {
            life.connection = None;
        }
    }

    /// Adds this side's numbers.
    pub(super) fn fill(&self, stats: &mut PeerStats) {
        self.counters.fill(stats);
        stats.held_bytes = self.lock().credit.held();
    }
}
