//! The two traits that every component implements.

use std::sync::Arc;

use crate::base::Timestamp;
use crate::dead_letter::Letter;
use crate::tuple::Tuple;

use super::{Collector, ComponentError, Context, FailKind, MessageId, SpoutCollector};

/// What a spout's `next_batch` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Something was emitted, and there may be more at once.
    More,
    /// Nothing at the moment: ask again after a short back-off, or when the waker rings.
    Idle,
    /// Nothing before this time (or until the waker rings).
    IdleUntil(Timestamp),
    /// There will be no more input. `ack` and `fail` still come.
    Exhausted,
}

/// Whether a mark may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Done: the mark goes on.
    Done,
    /// Not yet: asked again after each event and when the waker rings.
    Pending,
}

/// Who gives a failed message out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The engine, from the values it kept, with the `retry` back-off.
    Engine,
    /// The spout emits it again itself, under the same id or another.
    Source,
}

/// Who acks a bolt's tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acking {
    /// The engine, when `execute` has returned; an error fails the tuple.
    Automatic,
    /// The bolt, with the ticket of each tuple.
    Manual,
}

/// What a bolt does at the moment, as far as it can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It is not up yet, which has a time-out of its own.
    Starting,
    /// It has begun with all that it was given.
    Free,
    /// It was given something that it is not known to have taken up, or has not got further than.
    Behind,
}

/// Takes what a component that was asked for its stacks has to show, at once or later; dropped where it
/// has nothing.
pub type TellStacks = Box<dyn FnOnce(String) + Send>;

/// A source of tuples. One value runs as one task; its methods are called by one loop, never at once.
pub trait Spout: Send {
    /// Starts. Called once in a life, before anything else but [`Spout::restore`].
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError>;

    /// Emits the next message, if there is one. Never blocks.
    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError>;

    /// Emits up to `max` messages. Override it where a message at a time is too slow.
    fn next_batch(
        &mut self,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        for _ in 0..max {
            match self.next_tuple(out)? {
                Next::More => {}
                other => return Ok(other),
            }
        }
        Ok(Next::More)
    }

    /// The message's tree is complete.
    fn ack(&mut self, _id: MessageId) {}

    /// The message's tree failed. The answer says who gives it out again.
    fn fail(&mut self, _id: MessageId, _reason: &str) -> Replay {
        Replay::Engine
    }

    /// The engine took over a message of an earlier life and its tree is complete, or the message
    /// was put aside as a dead letter. By default the same as `ack`.
    fn settle(&mut self, id: MessageId) {
        self.ack(id);
    }

    /// The dead letter that a message is the replay of, for one that fails again.
    fn letter(&self, _id: MessageId) -> Option<Arc<Letter>> {
        None
    }

    /// Called after the waker rang: what arrived from elsewhere may be emitted.
    fn wake(&mut self, _out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Whether `next_batch` may be called; rings the waker when that changes to true.
    fn ready(&self) -> bool {
        true
    }

    /// Where a later life should go on so that nothing unacked is missed: below it all is acked.
    /// Asked about every 100 ms and kept by the engine. `None`: nothing new, or nothing to keep.
    fn position(&mut self) -> Option<serde_json::Value> {
        None
    }

    /// Told before `open` in a later life, with the last position that was kept.
    fn restore(&mut self, _position: &serde_json::Value) {}

    /// Input is wanted (again).
    fn activate(&mut self) {}

    /// No input is wanted for now.
    fn deactivate(&mut self) {}

    /// The run is over for this task: what it holds is let go. `Pending` is asked again.
    fn close(&mut self) -> Progress {
        Progress::Done
    }
}

/// A consumer of tuples. One value runs as one task; its methods are called by one loop, never at once.
pub trait Bolt: Send {
    /// Starts. Called once in a life, before anything else.
    fn open(
        &mut self,
        context: &Arc<Context>,
        out: &mut Collector<'_>,
    ) -> Result<(), ComponentError>;

    /// Takes a tuple, which is in the collector's hand. With [`Acking::Automatic`] it is acked when this returns `Ok`;
    /// an `Err` fails the tuple, and the component goes on where the error's recovery
    /// is not a restart of it (see [`Bolt::execute_error_is_fatal`]).
    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError>;

    /// Whether an error of `execute` ends this life of the component (true for children and writers),
    /// or only fails the tuple.
    fn execute_error_is_fatal(&self) -> bool {
        false
    }

    /// Who acks. Asked once, after `open`.
    fn acking(&self) -> Acking {
        Acking::Automatic
    }

    /// Whether another tuple may be given now; rings the waker when that changes to true.
    fn ready(&self) -> bool {
        true
    }

    /// Whether [`Bolt::idle`] does anything. Where it does not, a task that has nothing more to do waits at once.
    fn has_idle_work(&self) -> bool {
        true
    }

    /// Called when no more input waits at the moment: write out, fsync, ack what that covers.
    fn idle(&mut self, _out: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Called after the waker rang.
    fn wake(&mut self, _out: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    /// Called every `tick`.
    fn tick(&mut self, _out: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    /// No more input is coming (replays may): finish and ack all that is held, and hold nothing from now on.
    /// The mark passes at the first `Done`.
    fn drain(&mut self, _out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        Ok(Progress::Done)
    }

    /// The drain mark has come once more, and `drain` is to be called again: something is held, or taken to be.
    fn drain_anew(&mut self) {}

    /// Every tuple of the run is done: emit final results. The mark passes at the first `Done`.
    fn end(&mut self, _out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        Ok(Progress::Done)
    }

    /// Whether the bolt keeps something in memory now that a restart would lose.
    fn holds_memory(&self) -> bool {
        false
    }

    /// How many tuples it holds that are neither acked nor failed.
    fn held(&self) -> usize {
        0
    }

    /// Whether something beside the task's loop works on what it was given: a child, a disk. Time in
    /// which it does is the task's busy time.
    fn works(&self) -> bool {
        self.held() > 0
    }

    /// Since when the oldest tuple waits inside that nothing has begun to work on (a child's pipe).
    fn waiting_since(&self) -> Option<Timestamp> {
        None
    }

    /// What it does.
    fn activity(&self) -> Activity {
        Activity::Free
    }

    /// It seems to have stopped: shows where, if it can. Must not wait for that.
    fn show_stacks(&mut self, _tell: TellStacks) {}

    /// This life ends without a clean stop (its worker goes on): fail what is held, kill children.
    fn abandon(&mut self, _kind: FailKind, _out: &mut Collector<'_>) {}

    /// The run is over for this task. `Pending` is asked again when the waker rings.
    fn close(&mut self, _out: &mut Collector<'_>) -> Progress {
        Progress::Done
    }
}
