//! One child that is a bolt: what it is given, what is awaited, when it is given up.
//!
//! Pure: tuples, messages and time come in; bytes go to the outbox, effects to the collector. It
//! never acks for the child, and never stops feeding it because of tuples that it has not acked.

use std::collections::VecDeque;

use crate::base::Timestamp;
use crate::component::{Activity, Collector, Context, FailKind};
use crate::tuple::{Flags, Ticket, Tuple};

use super::super::framing::{Framer, MAX_MESSAGE, Piece};
use super::super::lessons::Suspicion;
use super::super::options::CommandOptions;
use super::ahead::Ahead;
use super::answers::{heartbeat_id, tick_id};
use super::desk::Desk;
use super::due::{ALONE, CHECK, FORGET_AFTER};
use super::flow::Flow;
use super::handshake::seconds;
use super::listen::listen;
use super::liveness::Liveness;
use super::marks::Mark;
use super::open::{OpenTuple, OpenTuples};
use super::outbox::{Outbox, Sources};
use super::settings::{SessionError, Settings};
use super::streams::Streams;
use super::uptake::Uptake;

/// The number of the first tuple in a child's life.
const FIRST: u64 = 1;
/// Tuples in a child's pipe that keep it busy for longer than its output may gather.
const PLENTY: u64 = 64;
/// A suspect that the child has for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone {
    pub(super) id: u64,
    pub(super) taken: Option<Timestamp>,
}

/// The session of one life of one child.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts about the child, each true on its own")]
pub struct BoltSession {
    pub(super) framer: Framer,
    pub(super) settings: Settings,
    pub(super) outbox: Outbox,
    pub(super) desk: Desk,
    pub(super) streams: Streams,
    pub(super) open: OpenTuples,
    pub(super) flow: Flow,
    /// Answers that the child has before it asks, where it takes them.
    pub(super) ahead: Option<Ahead>,
    pub(super) alone: Option<Alone>,
    /// The one tuple that took too long.
    pub(super) overdue: Option<u64>,
    pub(super) drain: Mark,
    pub(super) end: Mark,
    /// The last message was an `error`: a `sync` behind it answers nothing.
    pub(super) after_error: bool,
    pub(super) ignored_sync: bool,
    /// It has answered a heartbeat in its life, so it knows what they are.
    pub(super) synced: bool,
    /// It was answered on request since this was last looked at.
    pub(super) asked: bool,
    /// It has answered the handshake.
    pub(super) answered: bool,
    /// It takes tuples.
    pub(super) greeted: bool,
    pub(super) keeps_memory: bool,
    /// The process that shows its stacks when it is asked.
    pub(super) shows_stacks: Option<u32>,
    sources: Sources,
    pub(super) liveness: Liveness,
    pub(super) started: Timestamp,
    pub(super) waiting: VecDeque<Tuple>,
    ticks: u64,
    /// Marks that were asked of a child of batch frames.
    own_ids: u64,
    pub(super) tick_due: bool,
    last_given: Timestamp,
    pub(super) last_marker: Timestamp,
    pub(super) last_advance: Timestamp,
    pub(super) last_check: Timestamp,
    pub(super) last_keepalive: Timestamp,
    pub(super) uptake: Uptake,
    /// Up to here tuples carry the time at which they were taken.
    pub(super) timed: u64,
}

impl BoltSession {
    /// A session that begins with `handshake` in its outbox.
    pub fn new(
        options: &CommandOptions,
        context: &Context,
        handshake: &[u8],
        now: Timestamp,
    ) -> Self {
        let settings = options.settings(context);
        let mut outbox = Outbox::new(settings.protocol, settings.numbers);
        outbox.message(handshake);
        Self {
            framer: Framer::new(settings.protocol, MAX_MESSAGE),
            outbox,
            desk: Desk::new(context.reporter.clone()),
            ahead: settings.ids_ahead.then(|| Ahead::new(context)),
            streams: Streams::new(context),
            sources: Sources::new(context),
            open: OpenTuples::new(FIRST),
            flow: Flow::new(FIRST),
            liveness: Liveness::new(now, CHECK * 4),
            alone: None,
            overdue: None,
            drain: Mark::Unasked,
            end: Mark::Unasked,
            after_error: false,
            ignored_sync: false,
            synced: false,
            asked: false,
            answered: false,
            greeted: false,
            keeps_memory: false,
            shows_stacks: None,
            started: now,
            waiting: VecDeque::new(),
            ticks: 0,
            own_ids: 0,
            tick_due: false,
            last_given: now,
            last_marker: now,
            last_advance: now,
            last_check: now,
            last_keepalive: now,
            uptake: Uptake::new(settings.message_timeout * FORGET_AFTER),
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
    pub fn ready(&self) -> bool {
        self.greeted
            && self.waiting.is_empty()
            && self.alone.is_none()
            && (!self.settings.heartbeat || self.flow.in_flight() < self.settings.max_in_flight)
    }

    /// Tuples that are neither acked nor failed.
    pub fn held(&self) -> usize {
        self.open.len() + self.waiting.len()
    }

    /// Whether the child has been given a tuple that it is not known to have taken up. What it keeps
    /// unacked beyond that, as a join does, is no work.
    pub fn works(&self) -> bool {
        self.flow.in_flight() > 0 || !self.waiting.is_empty() || self.alone.is_some()
    }

    /// Since when the oldest tuple waits behind the one that the child has in hand.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        let in_hand = self.flow.taken() + 1;
        let behind = in_hand + 1..=self.flow.taken() + self.flow.in_flight();
        behind.filter_map(|id| self.open.get(id)).map(|tuple| tuple.since).next()
    }

    /// Whether it is up, and has taken what it was given. Without heartbeats nobody can tell.
    pub fn activity(&self) -> Activity {
        if !self.greeted {
            Activity::Starting
        } else if self.settings.heartbeat && self.flow.in_flight() > 0 {
            Activity::Behind
        } else {
            Activity::Free
        }
    }

    /// The process that shows its stacks when it is asked.
    pub fn shows_stacks(&self) -> Option<u32> {
        self.shows_stacks
    }

    /// Whether the child takes batch frames, and with them marks.
    pub fn is_batch(&self) -> bool {
        self.outbox.batch()
    }

    /// Whether the child says that it keeps something in memory.
    pub fn keeps_memory(&self) -> bool {
        self.keeps_memory
    }

    /// Gives a tuple; a suspect waits until it can be given alone.
    pub fn give(&mut self, tuple: Tuple, now: Timestamp) {
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
        let Tuple { values, anchors, source, stream, flags } = tuple;
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
        if suspect {
            self.outbox.tuple_alone(&mut self.sources, (source, stream), id, &values);
        } else {
            self.outbox.tuple(&mut self.sources, (source, stream), id, &values);
        }
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
        let marker = self.flow.mark();
        let id = heartbeat_id(marker);
        let text = format!(
            "{{\"id\":\"-{id}\",\"comp\":null,\"stream\":\"__heartbeat\",\"task\":-1,\"tuple\":[]}}"
        );
        self.outbox.message(text.as_bytes());
        self.last_marker = now;
        marker
    }

    pub(super) fn own_id(&mut self) -> u64 {
        self.own_ids += 1;
        self.own_ids
    }

    /// A tick is due. It is written at once, or with the next chance; ticks that pile up are one.
    pub fn tick(&mut self, room: bool) {
        self.tick_due = true;
        if !self.greeted || !room {
            return;
        }
        self.tick_due = false;
        self.ticks += 1;
        let id = tick_id(self.ticks);
        let period = seconds(self.settings.tick.unwrap_or_default().as_secs_f64());
        let text = format!(
            "{{\"id\":\"-{id}\",\"comp\":\"__system\",\"stream\":\"__tick\",\"task\":-1,\"tuple\":[{period}]}}"
        );
        self.outbox.message(text.as_bytes());
    }

    /// The bytes to write to the child: first those of the urgent lane, then the others.
    pub fn take_bytes(&mut self) -> (Vec<u8>, Vec<u8>) {
        (self.outbox.take_urgent(), self.outbox.take_data())
    }

    /// Handles bytes that the child wrote, as far as they are whole messages.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub fn read(
        &mut self,
        chunk: &[u8],
        now: Timestamp,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        self.liveness.heard(now);
        let mut framer = std::mem::take(&mut self.framer);
        let result = listen(&mut framer, chunk, |heard| match heard.for_session(&mut self.desk) {
            Some(message) => self.hear(message, now, out),
            None => Ok(()),
        });
        self.framer = framer;
        self.refill(out);
        self.send_waiting(now);
        result
    }

    /// Tells the child more task ids before it asks; a child of batch frames does not wait for any.
    fn refill(&mut self, out: &mut Collector<'_>) {
        let Some(ahead) = self.ahead.as_mut().filter(|_| self.greeted) else {
            return;
        };
        let fills = !self.outbox.batch()
            && ahead.refill(&mut self.outbox, |stream, tasks| out.choose_ahead(stream, tasks));
        if !fills {
            self.ahead = None;
        }
    }

    /// The child's output is not read for now, so its silence says nothing.
    pub fn pause(&mut self, now: Timestamp) {
        self.liveness.paused(now);
    }

    /// The child will write no more: what it left unfinished is text.
    pub fn finish(&mut self) {
        if let Some(Piece::Stray(text) | Piece::Frame(text)) = self.framer.finish() {
            self.desk.stray(&text);
        }
    }

    /// Whether the child has plenty to do and waits for no answer; asked once a turn.
    pub(crate) fn is_patient(&mut self) -> bool {
        let asked = std::mem::replace(&mut self.asked, false);
        !asked && self.flow.in_flight() >= PLENTY && self.waiting.is_empty()
    }

    /// Whether the child has taken any tuple.
    pub(crate) fn has_worked(&self) -> bool {
        self.flow.taken() >= FIRST
    }

    /// What the child may have ended on, by what it was sent and did not answer.
    pub(crate) fn suspicion(&self) -> Option<Suspicion> {
        let marked = self.flow.before_marker()?;
        let dealt_with = self.open.oldest().is_none_or(|oldest| oldest > marked);
        let unknown = !self.synced && !self.outbox.batch() && !self.desk.is_stopping();
        (dealt_with && unknown).then_some(Suspicion::Heartbeat)
    }

    /// The child is gone: everything it held fails at once. `detail` is what more there is to say of
    /// the tuple that is to blame, where that is known.
    pub fn died(&mut self, reason: &str, detail: Option<&str>, out: &mut Collector<'_>) {
        let only = self.open.oldest().filter(|_| self.open.len() == 1);
        let culprit = self.overdue.or(only).or(self.alone.take().map(|alone| alone.id));
        for (id, tuple) in self.open.take_all() {
            let to_blame = culprit == Some(id);
            let kind = if to_blame {
                FailKind::of_death(tuple.flags)
            } else {
                FailKind::beside_death(tuple.flags)
            };
            if tuple.failed {
                continue;
            }
            match detail.filter(|_| to_blame) {
                Some(detail) => out.fail_as(tuple.ticket, kind, &format!("{reason}\n{detail}")),
                None => out.fail_as(tuple.ticket, kind, reason),
            }
        }
        self.give_back(FailKind::Died, reason, out);
    }

    /// The child is taken away: everything it held fails for that reason.
    pub fn abandon(&mut self, kind: FailKind, reason: &str, out: &mut Collector<'_>) {
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
        let kind = if kind == FailKind::Explicit { kind } else { FailKind::Died };
        for tuple in self.waiting.drain(..) {
            out.fail_as(tuple.into_ticket(), kind, reason);
        }
    }
}
