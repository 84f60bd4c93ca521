//! A task's outgoing side: stamps edges, routes, sums acks, and counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ack::{AckBatch, EdgeSums, Touched, WorkerView};
use crate::base::{EdgeId, Signal, StreamIdx, TaskId, Timestamp, WorkerSlot};
use crate::component::{Emission, EmitError, Emitter, FailKind, Level, Reporter};
use crate::metrics::{DropReason, FailReason, TaskCounters};
use crate::tuple::{Anchor, Anchors};

use super::finals::Finals;
use super::lane::{Opened, Refused, RemoteLink, open_part};
use super::life::Blame;
use super::mailbox::Mailbox;
use super::mark::Mark;
use super::overload::Full;
use super::routes::{Routes, Sent, Stamp};

/// The ways to every task that has a ledger, which are spouts and bolts with final results; none where
/// nothing is tracked.
pub(crate) type AckWays = Arc<BTreeMap<TaskId, AckWay>>;

/// How a task's ledger is reached.
pub(crate) enum AckWay {
    Local(Arc<Mailbox>),
    Remote(Arc<dyn RemoteLink>),
}

/// Whether acks wake the task that they are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ring {
    Now,
    /// Others follow, and do.
    Later,
}

/// Roots that may be summed before a flush is due.
const SUMS_LIMIT: usize = 4096;

/// Everything that leaves a task.
pub(crate) struct Output {
    pub(crate) routes: Routes,
    sums: EdgeSums,
    ack_ways: AckWays,
    /// Encoded acks that a link had no room for, oldest first. Bounded: while it is not empty, new
    /// sums stay sums, which coalesce.
    refused: Vec<(TaskId, Vec<u8>)>,
    pub(super) counters: Arc<TaskCounters>,
    pub(super) reporter: Reporter,
    /// Every task's component, by name.
    tasks: Arc<Vec<(TaskId, String)>>,
    waiter: Signal,
    sent_mark: Option<Mark>,
    /// When the loop's present turn began.
    pub(super) turn_at: Timestamp,
    /// A bolt's final results, once it gives them out.
    pub(super) finals: Option<Box<Finals>>,
    /// The run is paused: no final result is given out again, and none times out.
    pub(super) paused: bool,
    /// Why the component has just died, where one tuple is to blame.
    blame: Blame,
    /// Where edges come from.
    random: fastrand::Rng,
}

impl Output {
    /// Notes when the loop's present turn began, and since when there was something to do.
    pub(crate) fn begin_turn(&mut self, now: Timestamp, since: Timestamp) {
        self.turn_at = now;
        self.routes.turn(since);
    }

    /// Notes that the task has nothing to do.
    pub(crate) fn rest(&mut self) {
        self.routes.rest(self.turn_at);
    }

    /// Notes that so many tuples have come together.
    pub(crate) fn take(&mut self, tuples: usize) {
        self.routes.take(tuples);
    }

    /// What the task knows of the workers.
    pub(crate) fn view(&self) -> &WorkerView {
        self.sums.view()
    }
}

impl Output {
    pub(crate) fn new(
        routes: Routes,
        sums: EdgeSums,
        ack_ways: AckWays,
        counters: Arc<TaskCounters>,
        reporter: Reporter,
        tasks: Arc<Vec<(TaskId, String)>>,
        waiter: Signal,
    ) -> Self {
        let refused = Vec::new();
        Self {
            routes,
            sums,
            ack_ways,
            refused,
            counters,
            reporter,
            tasks,
            waiter,
            sent_mark: None,
            turn_at: Timestamp::default(),
            finals: None,
            paused: false,
            blame: Blame::Unknown,
            random: fastrand::Rng::new(),
        }
    }

    /// What the death is to be blamed on that was told of just now.
    pub(crate) fn take_blame(&mut self) -> Blame {
        std::mem::take(&mut self.blame)
    }

    /// Whether a component may be called.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.routes.have_room() && self.sums.len() < SUMS_LIMIT
    }

    /// The task that keeps this one from going on.
    pub(crate) fn blocked_on(&self) -> Option<TaskId> {
        self.routes.blocked_on()
    }

    /// Sends tuples and acks. True where that made room: nobody will ring for it.
    pub(crate) fn flush(&mut self) -> bool {
        let had_room = self.has_room();
        if !self.routes.have_left_early() && self.sums.go_on() {
            // The tuples are behind these acks, so theirs come later, and a spout need not wake before.
            self.flush_acks(Ring::Later);
        }
        self.routes.flush();
        for part in self.routes.take_too_large() {
            self.refuse_part(&part);
        }
        self.flush_acks(Ring::Now);
        self.routes.note_acks(self.sums.is_empty());
        let dropped = self.routes.take_dropped();
        if dropped > 0 {
            self.counters.count_dropped(DropReason::WorkerGone, dropped as u64);
        }
        if let Some(dropped) = self.routes.overload().take_fresh() {
            for (reason, count) in DropReason::ALL.iter().zip(dropped) {
                self.counters.count_dropped(*reason, count);
            }
            for full in self.routes.take_full() {
                self.tell(full);
            }
        }
        !had_room && self.has_room()
    }

    /// `sink (task 3)`
    pub(super) fn place(&self, task: TaskId) -> String {
        let name = self.tasks.iter().find(|(other, _)| *other == task);
        format!("{} (task {task})", name.map_or("", |(_, name)| name))
    }

    fn tell(&self, Full { task, count, reason }: Full) {
        let tuples = if count == 1 { "1 tuple" } else { &format!("{count} tuples") };
        let (place, policy) = (self.place(task), reason.as_str());
        let text = format!("{place} is full: {tuples} for it dropped so far ({policy})");
        self.reporter.log(Level::Warn, &text);
    }

    /// Counts an emission, and completes the trees of tuples that were taken back from full lanes for it.
    #[inline]
    pub(crate) fn count_sent(&mut self, sent: Sent) {
        TaskCounters::add(&self.counters.emitted, 1);
        TaskCounters::add(&self.counters.transferred, sent.copies as u64);
        if self.routes.overload().has_recalled() {
            self.settle_recalled();
        }
    }

    /// Acks a tuple that no component gets.
    pub(crate) fn complete(&mut self, anchors: &Anchors) {
        self.sums.ack(anchors);
    }

    fn settle_recalled(&mut self) {
        let Self { routes, sums, .. } = self;
        for tuple in routes.overload().take_recalled() {
            sums.take_back(&tuple.anchors);
        }
    }

    /// Fails what a tuple was anchored to that was shed.
    fn shed(&mut self, anchors: &[&Anchors], task: TaskId) {
        let text = self.shed_at(task);
        for anchors in anchors {
            self.sums.fail(anchors, FailReason::Shed, &text);
        }
    }

    /// Why a tuple's tree fails that was shed.
    pub(crate) fn shed_at(&self, task: TaskId) -> String {
        format!("the input of {} is full", self.place(task))
    }

    /// Fails the roots of tuples that no link takes: they would only time out.
    fn refuse_part(&mut self, part: &[u8]) {
        let bytes = part.len();
        let text = format!("a tuple of {bytes} bytes is larger than a link between workers takes");
        self.reporter.error(&text, None);
        if let Ok(Opened::Tuples(tuples)) = open_part(part) {
            self.counters.count_dropped(DropReason::TooLarge, tuples.len() as u64);
            for tuple in &tuples {
                self.sums.fail(&tuple.anchors, FailReason::Explicit, &text);
            }
        }
    }

    /// Whether nothing waits on this side.
    pub(crate) fn is_clear(&self) -> bool {
        self.routes.are_clear() && self.sums.is_empty() && self.refused.is_empty()
    }

    fn flush_acks(&mut self, ring: Ring) {
        let Self { sums, ack_ways, refused, waiter, .. } = self;
        let waiting = std::mem::take(refused);
        for (spout, part) in waiting {
            if let Some(AckWay::Remote(link)) = ack_ways.get(&spout)
                && let Err(Refused::Full(part)) = link.try_send_acks(spout, part, waiter)
            {
                refused.push((spout, part));
            }
        }
        if !refused.is_empty() || sums.is_empty() {
            return;
        }
        let mut unknown = 0;
        for (spout, batch) in sums.take() {
            match ack_ways.get(&spout) {
                Some(AckWay::Local(mailbox)) if ring == Ring::Later => mailbox.leave_acks(batch),
                Some(AckWay::Local(mailbox)) => mailbox.push_acks(batch),
                Some(AckWay::Remote(link)) => {
                    let mut part = Vec::new();
                    batch.encode(&mut part);
                    if let Err(Refused::Full(part)) = link.try_send_acks(spout, part, waiter) {
                        refused.push((spout, part));
                    }
                }
                None => unknown += batch.acks.len() + batch.fails.len(),
            }
        }
        if unknown > 0 {
            self.counters.count_dropped(DropReason::UnknownTask, unknown as u64);
        }
    }

    /// Sends a mark to every consuming task.
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.sent_mark = self.sent_mark.max(Some(mark));
        self.routes.mark(mark);
    }

    /// Learns that a worker is gone: what waited for it is dropped and its roots fail in their
    /// ledgers. What is emitted from now on waits for the successor, and so do acks: some may be for
    /// roots of the successor, which may have begun before this task heard of it.
    pub(crate) fn peer_lost(&mut self, slot: WorkerSlot, view: WorkerView) {
        self.routes.discard(slot);
        self.use_view(view);
        // Acks that were left without a ring may name the lost worker.
        for way in self.ack_ways.values() {
            if let AckWay::Local(mailbox) = way {
                mailbox.ring_for_acks();
            }
        }
        self.finals_lost(Touched::worker(slot));
    }

    /// Learns that a worker has been replaced: its tasks know no marks yet.
    pub(crate) fn peer_replaced(&mut self, slot: WorkerSlot) {
        if let Some(mark) = self.sent_mark {
            self.routes.repeat_mark(slot, mark);
        }
    }

    /// Sums made under the old view leave under it, as encoded parts where a link is full.
    fn use_view(&mut self, view: WorkerView) {
        self.flush_acks(Ring::Now);
        if !self.sums.is_empty() {
            for (spout, batch) in self.sums.take() {
                match self.ack_ways.get(&spout) {
                    Some(AckWay::Local(mailbox)) => mailbox.push_acks(batch),
                    _ => self.refused.push((spout, encoded(&batch))),
                }
            }
        }
        self.sums.set_view(view);
    }
}

fn encoded(batch: &AckBatch) -> Vec<u8> {
    let mut part = Vec::new();
    batch.encode(&mut part);
    part
}

/// Anchors for the copies of one emission: an edge of its own for each, summed as sent.
struct Stamps<'a> {
    sums: &'a mut EdgeSums,
    random: &'a mut fastrand::Rng,
    anchors: &'a [&'a Anchors],
    /// The only anchor, where there is one.
    single: Option<&'a Anchor>,
}

impl Stamp for Stamps<'_> {
    // Otherwise loads wait for the stores before them.
    #[expect(clippy::inline_always, reason = "what it makes is written where it stays")]
    #[inline(always)]
    fn stamp(&mut self, touched: Touched) -> Anchors {
        match self.single {
            Some(anchor) => {
                let own = Anchor { edge: EdgeId::drawn(self.random), ..*anchor };
                self.sums.add(own, touched);
                Anchors::one(own)
            }
            None => self.stamp_all(touched),
        }
    }
}

impl Stamps<'_> {
    #[inline(never)]
    fn stamp_all(&mut self, touched: Touched) -> Anchors {
        let mut stamped = Anchors::new();
        for anchor in self.anchors.iter().copied().flatten() {
            let same = |done: &Anchor| (done.root, done.spout) == (anchor.root, anchor.spout);
            if !stamped.iter().any(same) {
                let own = Anchor { edge: EdgeId::drawn(self.random), ..*anchor };
                self.sums.add(own, touched);
                stamped.push(own);
            }
        }
        stamped
    }
}

impl Emitter for Output {
    #[inline]
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        let single = match emission.anchors {
            [anchors] => anchors.single(),
            _ => None,
        };
        if single.is_none() && self.is_final(&emission) {
            return self.emit_final(emission);
        }
        let Emission { stream, direct, anchors, values, flags, tasks } = emission;
        let stamp = Stamps { sums: &mut self.sums, random: &mut self.random, anchors, single };
        let sent = self.routes.send(stream, direct, values, flags, stamp, tasks)?;
        self.count_sent(sent);
        if let Some(task) = sent.shed {
            self.shed(anchors, task);
        }
        Ok(())
    }

    fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.routes.choose_ahead(stream, tasks)
    }

    fn held_since(&mut self, since: Timestamp) {
        self.counters.latency.record(self.turn_at.since(since), 1);
    }

    fn has_room(&self) -> bool {
        Self::has_room(self)
    }

    #[inline]
    fn ack(&mut self, anchors: &Anchors) {
        TaskCounters::add(&self.counters.acked, 1);
        self.sums.ack(anchors);
    }

    fn fail(&mut self, anchors: &Anchors, kind: FailKind, reason: &str) {
        TaskCounters::add(&self.counters.failed, 1);
        match kind {
            FailKind::DiedAlone => self.blame = Blame::Tuple,
            FailKind::DiedAloneAgain => self.blame = Blame::SameTuple,
            // One that is to blame is known, or there are many.
            FailKind::DiedAgain if self.blame == Blame::Unknown => self.blame = Blame::Crowd,
            FailKind::Explicit | FailKind::Died | FailKind::DiedAgain | FailKind::Restarted => {}
        }
        self.sums.fail(anchors, kind.into(), reason);
    }

    fn reset_timeout(&mut self, anchors: &Anchors) {
        self.sums.reset_timeout(anchors);
    }
}
