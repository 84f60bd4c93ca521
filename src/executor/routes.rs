//! A task's subscriptions: from an emission to the lanes of the tasks that get it.

use smallvec::SmallVec;

use crate::ack::Touched;
use crate::base::{Signal, StreamIdx, TaskId, WorkerSlot};
use crate::component::{EmitError, StreamDecl, Tasks};
use crate::grouping::Chooser;
use crate::tuple::{Anchors, Flags, Tuple, Value, Values};

use super::Mark;
use super::lane::Lane;

/// One subscription to one of the task's streams.
pub(crate) struct Route {
    pub(crate) chooser: Chooser,
    /// The lane of each of the chooser's targets.
    pub(crate) lanes: Vec<usize>,
}

pub(crate) struct StreamRoutes {
    pub(crate) decl: StreamDecl,
    pub(crate) routes: Vec<Route>,
}

/// The lanes that one emission goes on.
type Picked = SmallVec<[usize; 8]>;

impl StreamRoutes {
    /// Lets each subscription's grouping choose.
    #[inline]
    fn pick(&mut self, values: &[Value], lanes: &[Lane], picked: &mut Picked) {
        for Route { chooser, lanes: own } in &mut self.routes {
            let room = |index: usize| lanes[own[index]].has_room();
            chooser.choose(values, room, |index| picked.push(own[index]));
        }
    }

    /// Takes what was chosen ahead: tasks in the order of the subscriptions.
    fn pick_chosen(&self, mut chosen: &[TaskId], lanes: &[Lane], picked: &mut Picked) {
        for Route { chooser, lanes: own } in &self.routes {
            let (mine, others) = chosen.split_at(chooser.choices().min(chosen.len()));
            let lane_of = |task: &TaskId| own.iter().copied().find(|&at| lanes[at].task() == *task);
            picked.extend(mine.iter().filter_map(lane_of));
            chosen = others;
        }
    }

    fn pick_direct(&self, task: TaskId, picked: &mut Picked) {
        for Route { chooser, lanes: own } in &self.routes {
            picked.extend(chooser.direct(task).map(|index| own[index]));
        }
    }
}

/// All ways out of a task.
pub(crate) struct Routes {
    task: TaskId,
    streams: Vec<StreamRoutes>,
    lanes: Vec<Lane>,
    /// Bytes that may wait on the lanes before the task stops working.
    budget: usize,
    /// Where a full batch is flushed at once; rung when lanes have room again.
    waiter: Signal,
    /// Whether any lane was refused when last flushed.
    stuck: bool,
    /// Tuples for workers that are gone.
    dropped: usize,
    /// Parts that no link takes.
    too_large: Vec<Vec<u8>>,
    picked: Picked,
}

impl Routes {
    pub(crate) fn new(
        task: TaskId,
        streams: Vec<StreamRoutes>,
        lanes: Vec<Lane>,
        budget: usize,
        waiter: Signal,
    ) -> Self {
        let picked = Picked::new();
        Self {
            task,
            streams,
            lanes,
            budget,
            waiter,
            stuck: false,
            dropped: 0,
            too_large: Vec::new(),
            picked,
        }
    }

    /// Sends a tuple to every task that its stream's subscriptions choose. `stamp` makes the
    /// anchors of each copy, told which worker it touches. Returns how many copies went.
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
        mut stamp: impl FnMut(Touched) -> Anchors,
        tasks: Tasks<'_>,
    ) -> Result<usize, EmitError> {
        let Self { streams, lanes, picked, .. } = self;
        let routes = streams.get_mut(stream.index()).ok_or(EmitError::UnknownStream { stream })?;
        check(&routes.decl, direct, &values)?;
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
        if let Tasks::Tell(told) = tasks {
            told.extend(picked.iter().map(|&lane| lanes[lane].task()));
        }
        let copies = picked.len();
        let mut values = Some(values);
        for number in 0..copies {
            let lane = &mut self.lanes[self.picked[number]];
            let values = if number + 1 == copies { values.take() } else { values.clone() };
            let values = values.expect("only the last copy takes the values");
            let anchors = stamp(lane.touched());
            if lane.push(Tuple { values, anchors, source: self.task, stream, flags }) {
                let flushed = lane.flush(&self.waiter);
                self.stuck |= !lane.has_room();
                self.too_large.extend(flushed.too_large);
            }
        }
        Ok(copies)
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
        tasks.extend(picked.iter().map(|&lane| lanes[lane].task()));
        true
    }

    /// Whether the task may go on: what waits on its lanes is within the budget.
    #[inline]
    pub(crate) fn have_room(&self) -> bool {
        !self.stuck || self.waiting_bytes() < self.budget
    }

    /// The task that takes nothing at the moment, and so keeps this one from going on.
    pub(crate) fn blocked_on(&self) -> Option<TaskId> {
        let full = self.lanes.iter().filter(|lane| !lane.has_room());
        full.max_by_key(|lane| lane.waiting_bytes()).filter(|_| !self.have_room()).map(Lane::task)
    }

    /// Bytes that wait on the lanes.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lanes.iter().map(Lane::waiting_bytes).sum()
    }

    /// Sends what the consuming tasks take.
    pub(crate) fn flush(&mut self) {
        self.stuck = false;
        for lane in &mut self.lanes {
            self.too_large.extend(lane.flush(&self.waiter).too_large);
            self.stuck |= !lane.has_room();
        }
    }

    /// Whether everything has been taken.
    pub(crate) fn are_clear(&self) -> bool {
        self.lanes.iter().all(|lane| lane.waiting_bytes() == 0 && lane.has_room())
    }

    /// Sends a mark behind everything, to every task of every subscriber, once each.
    pub(crate) fn mark(&mut self, mark: Mark) {
        for lane in &mut self.lanes {
            lane.push_mark(self.task, mark);
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
        for lane in self.lanes.iter_mut().filter(|lane| lane.remote() == Some(slot)) {
            lane.push_mark(self.task, mark);
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
