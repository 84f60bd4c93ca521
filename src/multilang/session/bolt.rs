//! One child that is a bolt: what it is given, what is awaited, when it is given up.
//!
//! Pure: tuples, messages and time come in; bytes go to the outbox, effects to the collector. It
//! never acks for the child, and never stops feeding it because of tuples that it has not acked.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Timestamp;
use crate::component::{Collector, Context, FailKind, Progress, Reporter};
use crate::tuple::{Flags, Ticket, Tuple};

use super::desk::Desk;
use super::flow::Flow;
use super::handshake::seconds;
use super::liveness::Liveness;
use super::open::{OpenTuple, OpenTuples};
use super::outbox::{Outbox, Sources};
use super::settings::{SessionError, Settings};
use super::streams::Streams;

/// The number of the first tuple in a child's life.
const FIRST: u64 = 1;
/// A heartbeat is sent when none was for this long.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often what takes long is looked for.
const CHECK: Duration = Duration::from_millis(500);
/// How long a suspect stays alone after the child has taken it without an answer.
const ALONE: Duration = Duration::from_secs(2);
/// A tuple that is not answered is forgotten after so many message time-outs: its root is long
/// gone, or was put off a few times.
const FORGET_AFTER: u32 = 4;

/// A suspect that the child has for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone {
    pub(super) id: u64,
    taken: Option<Timestamp>,
}

/// A mark's way past the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It has not come.
    Unasked,
    /// The child was asked in so many words; the number of the question.
    Asked(u64),
    /// It passes with the heartbeat of that number, last written at that time.
    Behind(u64, Timestamp),
    /// It passes when nothing is open.
    WhenEmpty,
    /// It is past.
    Passed,
}

/// The session of one life of one child.
#[derive(Debug)]
pub(crate) struct BoltSession {
    pub(super) settings: Settings,
    pub(super) outbox: Outbox,
    pub(super) desk: Desk,
    pub(super) streams: Streams,
    pub(super) open: OpenTuples,
    pub(super) flow: Flow,
    pub(super) alone: Option<Alone>,
    pub(super) drain: Mark,
    pub(super) end: Mark,
    /// The last message was an `error`: a `sync` behind it answers nothing.
    pub(super) after_error: bool,
    pub(super) ignored_sync: bool,
    pub(super) greeted: bool,
    pub(super) keeps_memory: bool,
    sources: Sources,
    liveness: Liveness,
    started: Timestamp,
    waiting: VecDeque<Tuple>,
    own_ids: u64,
    tick_due: bool,
    last_given: Timestamp,
    last_marker: Timestamp,
    last_check: Timestamp,
    last_keepalive: Timestamp,
    /// Up to here tuples carry the time at which they were taken.
    timed: u64,
}

impl BoltSession {
    /// A session that begins with `handshake` in its outbox.
    pub(crate) fn new(
        settings: Settings,
        context: &Context,
        reporter: Reporter,
        handshake: &[u8],
        now: Timestamp,
    ) -> Self {
        let mut outbox = Outbox::new(settings.numbers);
        outbox.message(handshake);
        Self {
            outbox,
            desk: Desk::new(reporter),
            streams: Streams::new(context),
            sources: Sources::new(context),
            open: OpenTuples::new(FIRST),
            flow: Flow::new(FIRST),
            liveness: Liveness::new(now, CHECK * 4),
            alone: None,
            drain: Mark::Unasked,
            end: Mark::Unasked,
            after_error: false,
            ignored_sync: false,
            greeted: false,
            keeps_memory: false,
            started: now,
            waiting: VecDeque::new(),
            own_ids: 0,
            tick_due: false,
            last_given: now,
            last_marker: now,
            last_check: now,
            last_keepalive: now,
            timed: FIRST - 1,
            settings,
        }
    }

    /// The bytes to write.
    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What the child says to people.
    pub(crate) fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// Whether another tuple may be given.
    pub(crate) fn ready(&self) -> bool {
        self.greeted
            && self.waiting.is_empty()
            && self.alone.is_none()
            && (!self.settings.heartbeat || self.flow.in_flight() < self.settings.max_in_flight)
    }

    /// Tuples that are neither acked nor failed.
    pub(crate) fn held(&self) -> usize {
        self.open.len() + self.waiting.len()
    }

    /// Whether the child says that it keeps something in memory.
    pub(crate) fn keeps_memory(&self) -> bool {
        self.keeps_memory
    }

    /// Gives a tuple; a suspect waits until it can be given alone.
    pub(crate) fn give(&mut self, tuple: Tuple, now: Timestamp) {
        if self.greeted && self.waiting.is_empty() && self.may_send(&tuple, now) {
            self.send(tuple, now);
        } else {
            self.waiting.push_back(tuple);
            self.send_waiting(now);
        }
    }

    fn may_send(&self, tuple: &Tuple, now: Timestamp) -> bool {
        if !tuple.flags.contains(Flags::SUSPECT) {
            return self.alone.is_none();
        }
        // Without heartbeats a child that acks late, or never, says nothing of what it has taken.
        let long_ago = !self.settings.heartbeat && now.since(self.last_given) >= ALONE;
        self.alone.is_none() && (self.flow.in_flight() == 0 || long_ago)
    }

    fn send(&mut self, tuple: Tuple, now: Timestamp) {
        let suspect = tuple.flags.contains(Flags::SUSPECT);
        let Tuple {
            values,
            anchors,
            source,
            stream,
            flags,
        } = tuple;
        let (id, forgotten) = self.open.push(OpenTuple {
            ticket: Ticket { anchors },
            flags,
            failed: false,
            since: now,
        });
        if forgotten.is_some() {
            self.desk.complain(
                "tuples_forgotten",
                "the child answers too few of its tuples: the oldest are left to time out",
            );
        }
        self.outbox
            .tuple(&mut self.sources, (source, stream), id, &values);
        self.flow.give(id);
        self.last_given = now;
        if suspect {
            self.alone = Some(Alone { id, taken: None });
        }
        let quarter = (self.settings.max_in_flight / 4).max(1);
        if self.settings.heartbeat && (suspect || self.flow.unmarked() >= quarter) {
            self.mark(now);
        }
    }

    /// Sends what waited, as far as it may go; asks the child how far it is where that is unknown.
    pub(super) fn send_waiting(&mut self, now: Timestamp) {
        while self.greeted {
            let Some(next) = self.waiting.front() else {
                return;
            };
            if !self.may_send(next, now) {
                let unasked = self.alone.is_none() && self.flow.unmarked() > 0;
                if self.settings.heartbeat && unasked {
                    self.mark(now);
                }
                return;
            }
            if let Some(tuple) = self.waiting.pop_front() {
                self.send(tuple, now);
            }
        }
    }

    /// Writes a heartbeat.
    pub(super) fn mark(&mut self, now: Timestamp) -> u64 {
        let id = self.own_id();
        let text = format!(
            "{{\"id\":\"-{id}\",\"comp\":null,\"stream\":\"__heartbeat\",\"task\":-1,\"tuple\":[]}}"
        );
        self.outbox.message(text.as_bytes());
        self.last_marker = now;
        self.flow.mark()
    }

    fn own_id(&mut self) -> u64 {
        self.own_ids += 1;
        self.own_ids
    }

    /// A tick is due. It is written at once, or with the next chance; ticks that pile up are one.
    pub(crate) fn tick(&mut self, room: bool) {
        self.tick_due = true;
        if !self.greeted || !room {
            return;
        }
        self.tick_due = false;
        let id = self.own_id();
        let period = seconds(self.settings.tick.unwrap_or_default().as_secs_f64());
        let text = format!(
            "{{\"id\":\"-{id}\",\"comp\":\"__system\",\"stream\":\"__tick\",\"task\":-1,\"tuple\":[{period}]}}"
        );
        self.outbox.message(text.as_bytes());
    }

    /// Lets the drain mark pass.
    pub(crate) fn drain(&mut self, now: Timestamp) -> Progress {
        self.drain = self.advance_mark(self.drain, "drain", now);
        progress(self.drain)
    }

    /// Lets the end mark pass.
    pub(crate) fn end(&mut self, now: Timestamp) -> Progress {
        self.end = self.advance_mark(self.end, "end", now);
        progress(self.end)
    }

    fn advance_mark(&mut self, mark: Mark, command: &str, now: Timestamp) -> Mark {
        match mark {
            Mark::Unasked if !self.greeted || !self.waiting.is_empty() => Mark::Unasked,
            Mark::Unasked if self.outbox.batch() => {
                let id = self.own_id();
                let text = format!("{{\"command\":\"{command}\",\"id\":\"{id}\"}}");
                self.outbox.message(text.as_bytes());
                Mark::Asked(id)
            }
            Mark::Unasked if self.settings.heartbeat => Mark::Behind(self.mark(now), now),
            Mark::Unasked | Mark::WhenEmpty if self.open.len() == 0 => Mark::Passed,
            Mark::Unasked => Mark::WhenEmpty,
            Mark::Behind(marker, _) if self.flow.is_answered(marker) => Mark::Passed,
            Mark::Behind(marker, asked) if self.ignored_sync && now.since(asked) >= HEARTBEAT => {
                self.mark(now); // The answer may be the one that was taken for an echo of an error.
                Mark::Behind(marker, now)
            }
            other => other,
        }
    }

    /// Output came from the child.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.liveness.heard(now);
    }

    /// Does what is due. Called after output was handled, and at least twice a second; `room`
    /// says whether the pipe takes more.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub(crate) fn advance(
        &mut self,
        now: Timestamp,
        room: bool,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        let silent = self.liveness.listened(now);
        if !self.greeted {
            let limit = self.settings.handshake_timeout;
            return if now.since(self.started) > limit {
                Err(SessionError::NoHandshake(limit))
            } else {
                Ok(())
            };
        }
        if self.tick_due {
            self.tick(room);
        }
        if self.settings.heartbeat {
            let limit = self.silence_limit();
            if silent > limit && (self.flow.is_marked() || !room) {
                return Err(SessionError::Silent(limit));
            }
            if room && !self.flow.is_marked() && now.since(self.last_marker) >= HEARTBEAT {
                self.mark(now);
            }
        }
        self.note_taken(now);
        if now.since(self.last_check) >= CHECK {
            self.last_check = now;
            self.check(now, out)?;
        }
        self.send_waiting(now);
        Ok(())
    }

    /// A child that works on a tuple within that tuple's own time-out may be silent for as long.
    fn silence_limit(&self) -> Duration {
        let limit = self.settings.heartbeat_timeout;
        match self.settings.tuple_timeout {
            Some(timeout) if self.open.len() > 0 => limit.max(timeout),
            _ => limit,
        }
    }

    /// A tuple's own time-out runs from when the child may have begun with it.
    fn note_taken(&mut self, now: Timestamp) {
        let taken = self.flow.taken();
        if self.settings.tuple_timeout.is_some() && taken > self.timed {
            for id in self.timed + 1..=taken + 1 {
                if let Some(tuple) = self.open.get_mut(id) {
                    tuple.since = now;
                }
            }
            self.timed = taken;
        }
        if let Some(alone) = &mut self.alone {
            if alone.taken.is_none() && taken >= alone.id {
                alone.taken = Some(now);
            }
        }
    }

    fn check(&mut self, now: Timestamp, out: &mut Collector<'_>) -> Result<(), SessionError> {
        self.release_alone(now);
        let Some(timeout) = self.settings.tuple_timeout else {
            self.forget(now);
            return Ok(());
        };
        let in_hand = self.flow.taken() + 1;
        let hangs =
            |(id, tuple): (u64, &OpenTuple)| id <= in_hand && now.since(tuple.since) > timeout;
        if self.open.iter().any(hangs) {
            return Err(SessionError::TupleTimeout(timeout));
        }
        if now.since(self.last_keepalive) >= self.settings.message_timeout / 3 {
            self.last_keepalive = now;
            for (_, tuple) in self.open.iter().filter(|(_, tuple)| !tuple.failed) {
                out.reset_timeout(&tuple.ticket);
            }
        }
        Ok(())
    }

    /// A suspect that was taken and neither answered nor deadly for a while need not be alone.
    fn release_alone(&mut self, now: Timestamp) {
        let over = self.alone.is_some_and(|alone| {
            let waited = alone.taken.or_else(|| {
                // Without heartbeats nobody says that it was taken.
                let since = self.open.get(alone.id).map(|tuple| tuple.since);
                since.filter(|_| !self.settings.heartbeat)
            });
            waited.is_some_and(|since| now.since(since) >= ALONE)
        });
        if over {
            self.alone = None;
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let limit = self.settings.message_timeout * FORGET_AFTER;
        while let Some(oldest) = self.open.oldest() {
            let since = self.open.get(oldest).map_or(now, |tuple| tuple.since);
            if now.since(since) <= limit {
                return;
            }
            self.open.remove(oldest);
            self.desk.complain(
                "tuples_never_answered",
                "a tuple was neither acked nor failed; its time-out has taken care of it",
            );
        }
    }

    /// The child is gone: everything it held fails at once.
    pub(crate) fn died(&mut self, reason: &str, out: &mut Collector<'_>) {
        let only = self.open.len() == 1;
        let alone = self.alone.take().map(|alone| alone.id);
        for (id, tuple) in self.open.take_all() {
            let kind = if only || alone == Some(id) {
                FailKind::DiedAlone
            } else {
                FailKind::Died
            };
            if !tuple.failed {
                out.fail_as(tuple.ticket, kind, reason);
            }
        }
        self.give_back(FailKind::Died, reason, out);
    }

    /// The child is taken away: everything it held fails for that reason.
    pub(crate) fn abandon(&mut self, kind: FailKind, reason: &str, out: &mut Collector<'_>) {
        self.alone = None;
        for (_, tuple) in self.open.take_all() {
            if !tuple.failed {
                out.fail_as(tuple.ticket, kind, reason);
            }
        }
        self.give_back(kind, reason, out);
    }

    fn give_back(&mut self, kind: FailKind, reason: &str, out: &mut Collector<'_>) {
        // What the child never got cannot have killed it.
        let kind = if kind == FailKind::DiedAlone {
            FailKind::Died
        } else {
            kind
        };
        for tuple in self.waiting.drain(..) {
            out.fail_as(tuple.into_ticket(), kind, reason);
        }
    }
}

fn progress(mark: Mark) -> Progress {
    if mark == Mark::Passed {
        Progress::Done
    } else {
        Progress::Pending
    }
}
