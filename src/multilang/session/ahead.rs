//! Task ids that a child is told before it asks for them. Pure.
//!
//! A client that waits for the answer to each emit reads answers that came early from a queue of its
//! own, so it need not wait. Each answer is a promise: the emission that it answers goes just there.
//! It never promises what depends on an emission's values.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::base::{StreamIdx, TaskId};
use crate::component::{Context, Tasks};

use super::outbox::Outbox;

/// Answers that a child has in stock: enough for what it emits until more arrive.
const STOCK: usize = 1024;

/// One answer.
type Answer = SmallVec<[TaskId; 4]>;

/// The answers that one child has in stock.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The stream that they are for. The answers for others, if any, are always the same ones.
    stream: StreamIdx,
    promised: VecDeque<Answer>,
}

impl Ahead {
    /// An empty stock for the first stream of a component whose emissions may be answered.
    pub(crate) fn new(context: &Context) -> Self {
        let place = context.outputs.iter().position(|output| !output.decl.direct);
        Self { stream: StreamIdx(place.unwrap_or_default() as u16), promised: VecDeque::new() }
    }

    /// Fills the stock, once a quarter of it is used. False where `choose` cannot say what gets an
    /// emission to come.
    pub(crate) fn refill(
        &mut self,
        outbox: &mut Outbox,
        mut choose: impl FnMut(StreamIdx, &mut Vec<TaskId>) -> bool,
    ) -> bool {
        if self.promised.len() > STOCK - STOCK / 4 {
            return true;
        }
        let mut tasks = Vec::new();
        while self.promised.len() < STOCK {
            tasks.clear();
            if !choose(self.stream, &mut tasks) {
                return false;
            }
            outbox.task_ids(&tasks);
            self.promised.push_back(Answer::from_slice(&tasks));
        }
        true
    }

    /// The child has used the oldest answer. `None` where it has asked without reading any.
    pub(crate) fn take(&mut self) -> Option<Answer> {
        self.promised.pop_front()
    }

    /// Who chooses the tasks of an emission on `stream`: what was promised is for one stream only.
    pub(crate) fn on<'a>(&self, stream: StreamIdx, tasks: Tasks<'a>) -> Tasks<'a> {
        match tasks {
            Tasks::Chosen(_) if stream != self.stream => Tasks::Any,
            other => other,
        }
    }
}
