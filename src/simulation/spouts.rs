//! A spout in Rust for the simulator, and the kind of spouts in child processes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{TaskId, WorkerSlot, now};
use crate::component::{
    ComponentError, Context, Declaration, Declaring, MessageId, Next, OptionProblem, Replay, Spout,
    SpoutCollector, SpoutKind,
};
use crate::multilang::{CommandOptions, ShellSpout};
use crate::tuple::Value;

use super::stage::{Shared, lock, present};

/// The kind of spouts in Rust.
pub(super) struct NativeSource;

/// The kind of spouts in children.
pub(super) struct ChildSource;

impl SpoutKind for NativeSource {
    const NAME: &'static str = "native";
    const SUMMARY: &'static str = "a spout of the simulator";
    type Options = serde_json::Value;

    fn declare(_: &Self::Options, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: Self::Options) -> Box<dyn Spout> {
        Box::new(NativeSpout {
            stage: present(),
            task: TaskId(0),
            slot: WorkerSlot(0),
            messages: Vec::new(),
            next: 0,
            acked: BTreeSet::new(),
            again: VecDeque::new(),
            restored: 0,
        })
    }
}

impl SpoutKind for ChildSource {
    const NAME: &'static str = "child";
    const SUMMARY: &'static str = "a spout in a simulated child";
    type Options = CommandOptions;

    fn declare(_: &Self::Options, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(options: Self::Options) -> Box<dyn Spout> {
        Box::new(ShellSpout::new(options))
    }
}

/// Gives out its messages in order, and goes on from a position below which all is acked.
struct NativeSpout {
    stage: Shared,
    task: TaskId,
    slot: WorkerSlot,
    messages: Vec<u64>,
    next: usize,
    acked: BTreeSet<usize>,
    /// Failed messages that it gives out again itself.
    again: VecDeque<u64>,
    restored: usize,
}

impl NativeSpout {
    fn emit(&self, message: u64, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        let mut stage = lock(&self.stage);
        stage.oracle.emitted(message);
        let number = stage.oracle.number();
        stage.say(|| format!("task {} emits message {message} as tuple {number}", self.task));
        drop(stage);
        let values = [message, number].map(|value| Value::Int(value as i64));
        out.emit(Some(MessageId(message)), values)
            .map_err(|error| ComponentError::give_up(error.to_string()))
    }

    fn place_of(&self, message: u64) -> usize {
        self.messages.iter().position(|own| *own == message).unwrap_or_default()
    }
}

impl Spout for NativeSpout {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let mut stage = lock(&self.stage);
        (self.task, self.slot) = (context.task, context.worker);
        self.messages = stage.messages_of(context.task);
        self.next = self.restored;
        let (messages, from) = (self.messages.clone(), self.restored);
        stage.oracle.reborn(&messages);
        stage.opened(context.task);
        stage.say(|| format!("task {} opens, from message {from} on", context.task));
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        if let Some(message) = self.again.pop_front() {
            self.emit(message, out)?;
            return Ok(Next::More);
        }
        let Some(&message) = self.messages.get(self.next) else {
            return Ok(Next::Exhausted);
        };
        let (dies, pause) = {
            let mut stage = lock(&self.stage);
            let habits = stage.habits;
            (stage.mischief(habits.die / 2), stage.dice.u64(..3))
        };
        if dies {
            lock(&self.stage).seen.child_deaths += 1;
            return Err(ComponentError::restart("the source broke"));
        }
        if pause == 0 {
            let millis = lock(&self.stage).dice.u64(1..250);
            return Ok(Next::IdleUntil(now() + Duration::from_millis(millis)));
        }
        self.emit(message, out)?;
        self.next += 1;
        Ok(Next::More)
    }

    fn ack(&mut self, id: MessageId) {
        let mut stage = lock(&self.stage);
        stage.say(|| format!("task {} hears that message {} is done", self.task, id.0));
        stage.oracle.done(id.0);
        drop(stage);
        self.acked.insert(self.place_of(id.0));
    }

    fn fail(&mut self, id: MessageId, reason: &str) -> Replay {
        let mut stage = lock(&self.stage);
        stage.failed(self.task, self.slot, id.0, reason);
        let own = stage.dice.u32(..4) == 0;
        if own {
            self.again.push_back(id.0);
            return Replay::Source;
        }
        Replay::Engine
    }

    fn wake(&mut self, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        while let Some(message) = self.again.pop_front() {
            self.emit(message, out)?;
        }
        Ok(())
    }

    fn position(&mut self) -> Option<serde_json::Value> {
        let mut below = self.restored;
        while self.acked.contains(&below) {
            below += 1;
        }
        Some(below.into())
    }

    fn restore(&mut self, position: &serde_json::Value) {
        self.restored = position.as_u64().unwrap_or_default() as usize;
    }
}
