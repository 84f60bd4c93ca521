//! A task's subscriptions: from an emission to the lanes of the tasks that get it.

use smallvec::SmallVec;

use crate::ack::Touched;
use crate::base::{Signal, StreamIdx, TaskId, Timestamp, WorkerSlot};
use crate::component::{EmitError, StreamDecl, Tasks};
use crate::grouping::Chooser;
use crate::topology::OnFull;
use crate::tuple::{Anchors, Flags, Tuple, Value, Values};

use super::Mark;
use super::lane::Lane;
use super::overload::{Full, Overload};
use super::runs::Runs;

/// Makes the anchors of a copy that touches these workers.
pub(crate) trait Stamp {
    fn stamp(&mut self, touched: Touched) -> Anchors;
}

impl<F: FnMut(Touched) -> Anchors> Stamp for F {
    #[expect(clippy::inline_always, reason = "what it makes is written where it stays")]
    #[inline(always)]
    fn stamp(&mut self, touched: Touched) -> Anchors {
        self(touched)
    }
}

/// One subscription to one of the task's streams.
pub(crate) struct Route {
    pub(crate) chooser: Chooser,
    /// The lane of each of the chooser's targets.
    pub(crate) lanes: Vec<usize>,
    pub(crate) on_full: OnFull,
}

pub(crate) struct StreamRoutes {
    pub(crate) decl: StreamDecl,
    pub(crate) routes: Vec<Route>,
    /// The one lane that every tuple goes on.
    sole: Option<usize>,
}

/// A lane that an emission goes on, under the policy of the subscription that chose it.
#[derive(Clone, Copy)]
struct Pick {
    lane: u32,
    on_full: OnFull,
}

/// The lanes that one emission goes on.
type Picked = SmallVec<[Pick; 8]>;

/// What became of an emission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// How many copies went.
    pub(crate) copies: usize,
    /// The task on whose full input it was shed: its tree fails.
    pub(crate) shed: Option<TaskId>,
}

impl Route {
    fn pick(&self, index: usize) -> Pick {
        Pick { lane: self.lanes[index] as u32, on_full: self.on_full }
    }

    /// Lets the grouping choose. Where tuples may be dropped, a task whose budget is not spent does
    /// as long as no other has room at once.
    #[inline]
    fn choose(&mut self, values: &[Value], lanes: &[Lane], picked: &mut Picked) {
        if !self.on_full.blocks() {
            return self.choose_not_spent(values, lanes, picked);
        }
        let Self { chooser, lanes: own, on_full } = self;
        let on_full = *on_full;
        let room = |index: usize| lanes[own[index]].has_room();
        chooser
            .choose(values, room, |index| picked.push(Pick { lane: own[index] as u32, on_full }));
    }

    #[inline(never)]
    fn choose_not_spent(&mut self, values: &[Value], lanes: &[Lane], picked: &mut Picked) {
        let Self { chooser, lanes: own, on_full } = self;
        let on_full = *on_full;
        let has_room = |index: usize| lanes[own[index]].has_room();
        let one_has = (0..own.len()).any(has_room);
        let room = |index: usize| has_room(index) || !one_has && !lanes[own[index]].is_spent();
        chooser
            .choose(values, room, |index| picked.push(Pick { lane: own[index] as u32, on_full }));
    }
}

impl StreamRoutes {
    pub(crate) fn new(decl: StreamDecl, routes: Vec<Route>) -> Self {
        let sole = match routes.as_slice() {
            [Route { chooser, lanes, on_full }] if on_full.blocks() && !decl.direct => {
                (lanes.len() == 1 && chooser.choices() == 1).then(|| lanes[0])
            }
            _ => None,
        };
        Self { decl, routes, sole }
    }

    /// Lets each subscription's grouping choose.
    #[inline]
    fn pick(&mut self, values: &[Value], lanes: &[Lane], picked: &mut Picked) {
        for route in &mut self.routes {
            route.choose(values, lanes, picked);
        }
    }

    /// Takes what was chosen ahead: tasks in the order of the subscriptions.
    fn pick_chosen(&self, mut chosen: &[TaskId], lanes: &[Lane], picked: &mut Picked) {
        for route in &self.routes {
            let (mine, others) = chosen.split_at(route.chooser.choices().min(chosen.len()));
            let lane_of = |task: &TaskId| {
                let place = route.lanes.iter().position(|&at| lanes[at].task() == *task);
                place.map(|index| route.pick(index))
            };
            picked.extend(mine.iter().filter_map(lane_of));
            chosen = others;
        }
    }

    fn pick_direct(&self, task: TaskId, picked: &mut Picked) {
        for route in &self.routes {
            picked.extend(route.chooser.direct(task).map(|index| route.pick(index)));
        }
    }
}

/// All ways out of a task.
pub(crate) struct Routes {
    task: TaskId,
    streams: Vec<StreamRoutes>,
    lanes: Vec<Lane>,
    /// Lanes that have something on them, and perhaps some that have no more.
    laden: Vec<u32>,
    is_laden: Vec<bool>,
    /// Bytes that may wait on the lanes before the task stops working.
    budget: usize,
    /// Where a full batch is flushed at once; rung when lanes have room again.
    waiter: Signal,
    /// Whether any lane was refused when last flushed.
    stuck: bool,
    /// Whether tuples have left since the last flush of all lanes.
    left_early: bool,
    /// Tuples for workers that are gone.
    dropped: usize,
    /// Tuples for full inputs.
    overload: Overload,
    /// Parts that no link takes.
    too_large: Vec<Vec<u8>>,
    runs: Runs,
    picked: Picked,
}

impl Routes {
    pub(crate) fn new(
        task: TaskId,
        streams: Vec<StreamRoutes>,
        lanes: Vec<Lane>,
        budget: usize,
        runs: Runs,
        waiter: Signal,
    ) -> Self {
        let (picked, overload) = (Picked::new(), Overload::new(lanes.len()));
        Self {
            task,
            streams,
            laden: Vec::with_capacity(lanes.len()),
            is_laden: vec![false; lanes.len()],
            lanes,
            budget,
            waiter,
            stuck: false,
            left_early: false,
            dropped: 0,
            overload,
            too_large: Vec::new(),
            runs,
            picked,
        }
    }

    /// A turn of the task begins: shuffling stays with a task as long as is good at this rate.
    pub(crate) fn turn(&mut self, at: Timestamp) {
        self.runs.turn(at);
        self.stay();
    }

    /// The task has nothing to do.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        self.runs.rest(now);
    }

    /// So many tuples have come together for the task.
    pub(crate) fn take(&mut self, tuples: usize) {
        self.runs.take(tuples);
        self.stay();
    }

    fn stay(&mut self) {
        let with_choice = self.streams.iter_mut().filter(|stream| stream.sole.is_none());
        for route in with_choice.flat_map(|stream| &mut stream.routes) {
            route.chooser.stay(self.runs.length(route.lanes.len()));
        }
    }

    /// Sends a tuple to every task that its stream's subscriptions choose. `stamp` makes the
    /// anchors of each copy, told which worker it touches. A copy for a full input goes the way of its
    /// policy.
    ///
    /// # Errors
    /// An emission that does not fit the stream; nothing was sent.
    #[inline]
    pub(crate) fn send(
        &mut self,
        stream: StreamIdx,
        direct: Option<TaskId>,
        values: Values,
        flags: Flags,
        mut stamp: impl Stamp,
        tasks: Tasks<'_>,
    ) -> Result<Sent, EmitError> {
        let Self { streams, lanes, picked, .. } = self;
        let routes = streams.get_mut(stream.index()).ok_or(EmitError::UnknownStream { stream })?;
        check(&routes.decl, direct, &values)?;
        if let Some(at) = routes.sole.filter(|at| !lanes[*at].needs_care(OnFull::Block)) {
            let lane = &mut lanes[at];
            let anchors = stamp.stamp(lane.touched());
            if let Tasks::Tell(told) = tasks {
                told.push(lane.task());
            }
            let full = lane.push(Tuple { values, anchors, source: self.task, stream, flags });
            self.note_laden(at);
            if full {
                self.flush_lane(at);
            }
            return Ok(Sent { copies: 1, shed: None });
        }
        self.runs.sent();
        picked.clear();
        match (direct, &tasks) {
            (Some(task), _) => routes.pick_direct(task, picked),
            (None, Tasks::Chosen(chosen)) => routes.pick_chosen(chosen, lanes, picked),
            (None, _) => routes.pick(&values, lanes, picked),
        }
        if let (Some(task), true) = (direct, picked.is_empty())
            && !routes.routes.is_empty()
        {
            return Err(EmitError::NotSubscribed { task, stream: routes.decl.name.clone() });
        }
        let mut told = match tasks {
            Tasks::Tell(told) => Some(told),
            Tasks::Any | Tasks::Chosen(_) => None,
        };
        let copies = picked.len();
        let mut values = Some(values);
        let mut sent = Sent::default();
        for number in 0..copies {
            let Pick { lane: at, on_full } = self.picked[number];
            let at = at as usize;
            if self.lanes[at].needs_care(on_full) && !self.prepare(at, on_full, &mut sent) {
                continue;
            }
            let lane = &mut self.lanes[at];
            let values = if number + 1 == copies { values.take() } else { values.clone() };
            let values = values.expect("only the last copy takes the values");
            let anchors = stamp.stamp(lane.touched());
            let tuple = Tuple { values, anchors, source: self.task, stream, flags };
            sent.copies += 1;
            if let Some(told) = &mut told {
                told.push(lane.task());
            }
            let full = lane.push(tuple);
            self.note_laden(at);
            if full {
                self.flush_lane(at);
            }
        }
        Ok(sent)
    }

    /// Makes a lane ready for a tuple under a policy; whether the tuple may go.
    #[inline(never)]
    fn prepare(&mut self, at: usize, on_full: OnFull, sent: &mut Sent) -> bool {
        let lane = &mut self.lanes[at];
        if !on_full.blocks() && lane.is_spent() && !self.overload.make_room(lane, at, on_full) {
            sent.shed = sent.shed.or((on_full == OnFull::Shed).then_some(lane.task()));
            return false;
        }
        if !lane.fits(on_full) {
            self.flush_lane(at);
        }
        self.lanes[at].set_policy(on_full);
        true
    }

    #[inline]
    fn note_laden(&mut self, at: usize) {
        if !std::mem::replace(&mut self.is_laden[at], true) {
            self.laden.push(at as u32);
        }
    }

    /// A batch is full: it leaves without waiting for the rest of a turn.
    #[inline(never)]
    fn flush_lane(&mut self, at: usize) {
        self.left_early = true;
        let lane = &mut self.lanes[at];
        self.too_large.extend(lane.flush(&self.waiter).too_large);
        self.stuck |= !lane.has_room() && lane.blocking_bytes() > 0;
    }

    /// Chooses the tasks of an emission to come. False where that depends on its values.
    pub(crate) fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        let Self { streams, lanes, .. } = self;
        let Some(routes) = streams.get_mut(stream.index()) else {
            return false;
        };
        if !routes.routes.iter().all(|route| route.chooser.is_blind()) {
            return false;
        }
        let mut picked = Picked::new();
        routes.pick(&[], lanes, &mut picked);
        tasks.extend(picked.iter().map(|pick| lanes[pick.lane as usize].task()));
        true
    }

    /// Whether the task may go on: what waits on its lanes and blocks is within the budget.
    #[inline]
    pub(crate) fn have_room(&self) -> bool {
        !self.stuck || self.blocking_bytes() < self.budget
    }

    #[inline(never)]
    fn blocking_bytes(&self) -> usize {
        self.laden.iter().map(|at| self.lanes[*at as usize].blocking_bytes()).sum()
    }

    /// Whether tuples have left whose acks may not have.
    pub(crate) fn have_left_early(&self) -> bool {
        self.left_early
    }

    /// Notes whether all acks have left behind all tuples that have.
    pub(crate) fn note_acks(&mut self, have_left: bool) {
        self.left_early = !have_left;
    }

    /// The drops that have not been settled or counted yet.
    pub(crate) fn overload(&mut self) -> &mut Overload {
        &mut self.overload
    }

    /// What is to be told of full inputs.
    pub(crate) fn take_full(&mut self) -> Vec<Full> {
        self.overload.news(&self.lanes).collect()
    }

    /// The task that takes nothing at the moment, and so keeps this one from going on.
    pub(crate) fn blocked_on(&self) -> Option<TaskId> {
        if self.have_room() {
            return None;
        }
        let full = self.lanes.iter().filter(|lane| !lane.has_room());
        full.max_by_key(|lane| lane.waiting_bytes()).map(Lane::task)
    }

    /// Bytes that wait on the lanes.
    #[cfg(test)]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lanes.iter().map(Lane::waiting_bytes).sum()
    }

    /// Sends what the consuming tasks take; the waiter is rung when they take more.
    pub(crate) fn flush(&mut self) {
        self.left_early = true;
        let Self { laden, is_laden, lanes, waiter, too_large, stuck, .. } = self;
        *stuck = false;
        laden.retain(|at| {
            let lane = &mut lanes[*at as usize];
            too_large.extend(lane.offer(waiter).too_large);
            *stuck |= !lane.has_room() && lane.blocking_bytes() > 0;
            is_laden[*at as usize] = !lane.is_clear();
            is_laden[*at as usize]
        });
    }

    /// Whether everything has been taken.
    pub(crate) fn are_clear(&self) -> bool {
        self.lanes.iter().all(Lane::is_clear)
    }

    /// Sends a mark behind everything, to every task of every subscriber, once each.
    pub(crate) fn mark(&mut self, mark: Mark) {
        for at in 0..self.lanes.len() {
            self.lanes[at].push_mark(self.task, mark);
            self.note_laden(at);
        }
        self.flush();
    }

    /// Drops what waits for a worker that is gone.
    pub(crate) fn discard(&mut self, slot: WorkerSlot) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.remote() == Some(slot)) {
            self.dropped += lane.discard();
        }
    }

    /// Sends a mark again to the tasks of a worker that has been replaced.
    pub(crate) fn repeat_mark(&mut self, slot: WorkerSlot, mark: Mark) {
        for at in 0..self.lanes.len() {
            if self.lanes[at].remote() == Some(slot) {
                self.lanes[at].push_mark(self.task, mark);
                self.note_laden(at);
            }
        }
    }

    /// Parts that no link takes, since this was last asked.
    pub(crate) fn take_too_large(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.too_large)
    }

    /// How many tuples were dropped, because their worker is gone, since this was last asked.
    pub(crate) fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }
}

#[inline]
fn check(decl: &StreamDecl, direct: Option<TaskId>, values: &Values) -> Result<(), EmitError> {
    if values.len() != decl.fields.len() {
        return Err(EmitError::FieldCount {
            stream: decl.name.clone(),
            fields: decl.fields.join(", "),
            expected: decl.fields.len(),
            found: values.len(),
        });
    }
    if direct.is_some() != decl.direct {
        return Err(EmitError::Directness { stream: decl.name.clone(), direct: decl.direct });
    }
    Ok(())
}
