//! One peer as this worker sends to it: queue, credit and what is under way.
//!
//! Executors put parts in, the link's loop takes batches out; both under a short lock. Nothing here
//! waits or knows a socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::{BootId, Signal, TaskId, WorkerSlot};

use super::credit::{CreditError, Returned, SenderCredit};
use super::queue::{Batch, Part, PartQueue};
use super::sequence::{Outgoing, SenderSequence, SequenceError};
use super::stats::{Counters, PeerStats, Undelivered};
use super::{AddressError, Lane, PeerAddress, Refused, TransportOptions};

/// What went wrong with a peer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Credit(#[from] CreditError),
}

/// One slot, over all lives of its worker.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) slot: WorkerSlot,
    pub(super) counters: Counters,
    limits: Limits,
    state: Mutex<State>,
    /// Told whenever everything sent has been taken and given back.
    settled: Arc<Notify>,
}

/// What [`Peer::next`] found to do.
enum Step {
    Nothing,
    /// A batch that waits to be carried (again).
    Again(Outgoing),
    /// Parts to join, and who waited for their room.
    Join {
        parts: Vec<(Lane, Part)>,
        rung: Vec<Signal>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    window: usize,
    ack_window: usize,
    batch: usize,
    credit: usize,
    part: usize,
}

#[derive(Debug, Default)]
struct State {
    life: Option<Life>,
    ended: Option<BootId>,
    /// Acks that no life has taken: some may be for roots of the next one.
    acks: Vec<Part>,
}

#[derive(Debug)]
struct Life {
    address: PeerAddress,
    wake: Signal,
    queue: PartQueue,
    credit: SenderCredit,
    sequence: SenderSequence,
    /// Parts have left the queue and are not yet a batch.
    joining: bool,
    waiting: HashMap<TaskId, Vec<Signal>>,
    waiting_acks: Vec<Signal>,
}

impl State {
    /// Ends the current life, where there is one; what was lost with it.
    fn end_life(&mut self) -> Undelivered {
        let Some(old) = self.life.take() else { return Undelivered::default() };
        self.ended = Some(old.address.boot);
        old.end(&mut self.acks)
    }

    /// Queues for the current life what former ones have not taken; whom to tell.
    fn hand_acks_on(&mut self) -> Option<Signal> {
        let life = self.life.as_mut()?;
        for part in self.acks.drain(..) {
            life.queue.push(Lane::Ack, part);
        }
        Some(life.wake.clone())
    }
}

impl Undelivered {
    /// Data is lost, acks are kept.
    fn add(&mut self, parts: impl IntoIterator<Item = (Lane, Part)>, acks: &mut Vec<Part>) {
        for (lane, part) in parts {
            match lane {
                Lane::Ack => acks.push(part),
                Lane::Data => {
                    self.parts += 1;
                    self.bytes += part.bytes.len() as u64;
                }
            }
        }
    }
}

impl Life {
    fn new(address: PeerAddress, limits: &Limits) -> Self {
        Self {
            address,
            wake: Signal::new(),
            queue: PartQueue::default(),
            credit: SenderCredit::new(limits.credit),
            sequence: SenderSequence::new([limits.window, limits.ack_window]),
            joining: false,
            waiting: HashMap::new(),
            waiting_acks: Vec::new(),
        }
    }

    /// Ends this life: whoever waits or works for it is woken, and the data that it had is counted. Acks
    /// are kept, those that may have been taken too: a ledger that does not know them drops them.
    fn end(mut self, acks: &mut Vec<Part>) -> Undelivered {
        for waiter in self.waiting.values().flatten().chain(&self.waiting_acks) {
            waiter.ring();
        }
        self.wake.ring();
        self.sequence.disconnect();
        let mut lost = Undelivered::default();
        lost.add(self.sequence.kept().flat_map(Batch::split), acks);
        lost.add(self.queue.drain(), acks);
        lost
    }

    fn is_settled(&self) -> bool {
        self.queue.is_empty()
            && !self.joining
            && self.sequence.is_settled()
            && self.credit.outstanding() == 0
    }

    fn await_room(&mut self, lane: Lane, task: TaskId, waiter: &Signal) {
        let waiters = match lane {
            Lane::Data => self.waiting.entry(task).or_default(),
            Lane::Ack => &mut self.waiting_acks,
        };
        if !waiters.iter().any(|other| other.is_same(waiter)) {
            waiters.push(waiter.clone());
        }
    }
}

impl Peer {
    /// A peer that nothing can be sent to yet.
    pub(super) fn new(slot: WorkerSlot, options: &TransportOptions, settled: Arc<Notify>) -> Self {
        Self {
            slot,
            counters: Counters::default(),
            limits: Limits {
                window: options.window,
                ack_window: options.ack_window,
                batch: options.batch_bytes,
                credit: options.credit,
                part: options.max_frame,
            },
            state: Mutex::default(),
            settled,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `address` the peer's current life; the doorbell is for the loop that will serve it, and
    /// there is none where this life is current already.
    pub(super) fn begin_life(
        &self,
        address: PeerAddress,
    ) -> Result<(Option<Signal>, Undelivered), AddressError> {
        let mut state = self.lock();
        if state.ended == Some(address.boot) {
            return Err(AddressError::Ended { slot: self.slot });
        }
        if let Some(life) = &mut state.life
            && life.address.boot == address.boot
        {
            life.address = address;
            return Ok((None, Undelivered::default()));
        }
        let lost = state.end_life();
        state.life = Some(Life::new(address, &self.limits));
        let wake = state.hand_acks_on();
        drop(state);
        self.count_lost(lost);
        Ok((wake, lost))
    }

    /// Ends the current life; sending is refused from now on. Which life ended last, and what was lost
    /// now.
    pub(super) fn end_life(&self) -> (Option<BootId>, Undelivered) {
        let mut state = self.lock();
        let lost = state.end_life();
        let ended = state.ended;
        drop(state);
        self.count_lost(lost);
        (ended, lost)
    }

    fn count_lost(&self, lost: Undelivered) {
        Counters::add(&self.counters.dropped_parts, lost.parts);
        Counters::add(&self.counters.dropped_bytes, lost.bytes);
        self.settled.notify_waiters();
    }

    /// Queues a part where credit or room allows it; otherwise the waiter is noted.
    pub(super) fn offer(
        &self,
        lane: Lane,
        task: TaskId,
        part: Vec<u8>,
        waiter: &Signal,
    ) -> Result<(), Refused> {
        let length = part.len();
        if length == 0 || length > self.limits.part {
            return Err(Refused::BadSize(part));
        }
        let mut state = self.lock();
        let Some(life) = &mut state.life else {
            return Err(Refused::Gone(part));
        };
        let queued = life.queue.bytes(lane);
        let fits = match lane {
            Lane::Data => life.credit.try_spend(task, length),
            Lane::Ack => queued == 0 || queued + length <= self.limits.ack_window,
        };
        if !fits {
            life.await_room(lane, task, waiter);
            return Err(Refused::Full(part));
        }
        life.queue.push(lane, Part { task, bytes: part });
        // The loop needs to know of the first part, and of the one that makes a batch full; between
        // them it is waiting for an answer anyway.
        let full = self.limits.batch;
        let rings = queued == 0 || (queued < full && queued + length >= full);
        let wake = rings.then(|| life.wake.clone());
        drop(state);
        if let Some(wake) = wake {
            wake.ring();
        }
        Ok(())
    }

    fn with_life<T>(&self, boot: BootId, act: impl FnOnce(&mut Life) -> T) -> Option<T> {
        let mut state = self.lock();
        let life = state.life.as_mut()?;
        (life.address.boot == boot).then(|| act(life))
    }

    /// Whether a life is current.
    pub(super) fn is_current(&self, boot: BootId) -> bool {
        self.with_life(boot, |_| ()).is_some()
    }

    /// Where a life is to be found now.
    pub(super) fn endpoint(&self, boot: BootId) -> Option<String> {
        self.with_life(boot, |life| life.address.endpoint.clone())
    }

    /// Begins a connection; its epoch.
    pub(super) fn connect(&self, boot: BootId) -> Option<u64> {
        self.with_life(boot, |life| life.sequence.connect())
    }

    /// The number of the last batch that the connection carries.
    pub(super) fn last_carried(&self, boot: BootId) -> u64 {
        self.with_life(boot, |life| life.sequence.last_carried()).unwrap_or_default()
    }

    /// The connection is gone.
    pub(super) fn disconnect(&self, boot: BootId) {
        self.with_life(boot, |life| life.sequence.disconnect());
    }

    /// The peer has answered a hello.
    pub(super) fn welcome(
        &self,
        boot: BootId,
        last_taken: u64,
        credits: &[Returned],
    ) -> Result<(), AnswerError> {
        let opened = self.with_life(boot, |life| life.sequence.welcome(last_taken));
        if opened.transpose()?.is_some() {
            Counters::add(&self.counters.connections, 1);
        }
        self.answer(boot, last_taken, credits)
    }

    /// The peer says what it has taken, and what its tasks have given back.
    pub(super) fn answer(
        &self,
        boot: BootId,
        last_taken: u64,
        credits: &[Returned],
    ) -> Result<(), AnswerError> {
        let mut rung = Vec::new();
        let settled = self.with_life(boot, |life| {
            life.sequence.taken(last_taken)?;
            for &back in credits {
                if life.credit.give_back(back)?
                    && let Some(waiters) = life.waiting.remove(&back.task)
                {
                    rung.extend(waiters);
                }
            }
            Ok::<_, AnswerError>(life.is_settled())
        });
        for waiter in rung {
            waiter.ring();
        }
        if settled.transpose()? == Some(true) {
            self.settled.notify_waiters();
        }
        Ok(())
    }

    /// The next batch for the connection, where one may go now.
    pub(super) fn next(&self, boot: BootId) -> Option<Outgoing> {
        let step = self.with_life(boot, |life| match life.sequence.next() {
            Some(outgoing) => Step::Again(outgoing),
            None => self.take_parts(life),
        })?;
        let outgoing = match step {
            Step::Again(outgoing) => outgoing,
            Step::Nothing => return None,
            Step::Join { parts, rung } => {
                for waiter in rung {
                    waiter.ring();
                }
                self.begin_batch(boot, Batch::join(parts))?
            }
        };
        self.count_sent(&outgoing);
        Some(outgoing)
    }

    fn take_parts(&self, life: &mut Life) -> Step {
        let queued = [life.queue.bytes(Lane::Data), life.queue.bytes(Lane::Ack)];
        let next = [life.queue.next_length(Lane::Data), life.queue.next_length(Lane::Ack)];
        let Some(room) = life.sequence.may_begin(queued, next, self.limits.batch) else {
            return Step::Nothing;
        };
        let parts = life.queue.take(self.limits.batch, room);
        let rung = if life.queue.bytes(Lane::Ack) < queued[Lane::Ack as usize] {
            std::mem::take(&mut life.waiting_acks)
        } else {
            Vec::new()
        };
        life.joining = true;
        Step::Join { parts, rung }
    }

    /// Joining was done without the lock, so the life may have ended meanwhile.
    fn begin_batch(&self, boot: BootId, batch: Batch) -> Option<Outgoing> {
        let mut state = self.lock();
        match &mut state.life {
            Some(life) if life.address.boot == boot => {
                life.joining = false;
                life.sequence.push(batch);
                life.sequence.next()
            }
            _ => {
                let mut lost = Undelivered::default();
                lost.add(batch.split(), &mut state.acks);
                let wake = state.hand_acks_on();
                drop(state);
                wake.inspect(Signal::ring);
                Counters::add(&self.counters.dropped_parts, lost.parts);
                Counters::add(&self.counters.dropped_bytes, lost.bytes);
                None
            }
        }
    }

    fn count_sent(&self, outgoing: &Outgoing) {
        if outgoing.again {
            Counters::add(&self.counters.resent_batches, 1);
            return;
        }
        let batch = &outgoing.numbered.batch;
        Counters::add(&self.counters.sent_batches, 1);
        Counters::add(&self.counters.sent_parts, u64::from(batch.parts));
        Counters::add(&self.counters.sent_bytes, batch.body.len() as u64);
    }

    /// Whether all that was sent to this peer has been taken by its tasks.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().life.as_ref().is_none_or(Life::is_settled)
    }

    /// Adds this side's numbers.
    pub(super) fn fill(&self, stats: &mut PeerStats) {
        self.counters.fill(stats);
        if let Some(life) = &self.lock().life {
            stats.boot = Some(life.address.boot);
            stats.queued_bytes = Lane::ALL.map(|lane| life.queue.bytes(lane) as u64).iter().sum();
            stats.in_flight_bytes = life.sequence.bytes_in_flight() as u64;
            stats.spent_credit_bytes = life.credit.outstanding();
        }
    }
}
