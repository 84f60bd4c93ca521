//! Bolts in Rust for the simulator, and the watch over bolts in child processes.

use std::sync::Arc;

use crate::base::{StreamIdx, TaskId, Timestamp, WorkerSlot};
use crate::component::{
    Acking, Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FailKind,
    OptionProblem, Progress,
};
use crate::multilang::{CommandOptions, ShellBolt};
use crate::tuple::{Anchors, Ticket, Tuple, Value};

use super::stage::{Deed, Given, Shared, lock, present};

/// The kind of bolts in Rust.
pub(super) struct Native;

/// The kind of bolts in children.
pub(super) struct Child;

impl BoltKind for Native {
    const NAME: &'static str = "native";
    const SUMMARY: &'static str = "a bolt of the simulator";
    type Options = serde_json::Value;

    fn declare(_: &Self::Options, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(options: Self::Options) -> Box<dyn Bolt> {
        Box::new(NativeBolt {
            stage: present(),
            place: None,
            held: Vec::new(),
            automatic: options["automatic"] == true,
            drained: false,
        })
    }
}

impl BoltKind for Child {
    const NAME: &'static str = "child";
    const SUMMARY: &'static str = "a bolt in a simulated child";
    type Options = CommandOptions;

    fn declare(_: &Self::Options, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(options: Self::Options) -> Box<dyn Bolt> {
        Box::new(Watched { stage: present(), place: None, bolt: ShellBolt::new(options) })
    }
}

#[derive(Clone)]
struct Place {
    component: String,
    task: TaskId,
    slot: WorkerSlot,
}

impl Place {
    fn of(context: &Context) -> Self {
        Self { component: context.component.clone(), task: context.task, slot: context.worker }
    }
}

struct Held {
    ticket: Ticket,
    message: u64,
}

/// Emits at least one tuple for each of its own (where anybody listens) and acks; or does not.
struct NativeBolt {
    stage: Shared,
    place: Option<Place>,
    held: Vec<Held>,
    automatic: bool,
    drained: bool,
}

impl NativeBolt {
    fn place(&self) -> Place {
        self.place.clone().expect("open comes first")
    }

    /// Emits anchored to all of these.
    fn emit(&self, inputs: &[Held], out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let place = self.place();
        let tickets: Vec<&Ticket> = inputs.iter().map(|held| &held.ticket).collect();
        let anchors: Vec<Anchors> = tickets.iter().map(|ticket| ticket.anchors.clone()).collect();
        let count = {
            let mut stage = lock(&self.stage);
            if stage.is_sink(&place.component) { 0 } else { 1 + stage.dice.u64(..4) / 3 }
        };
        for _ in 0..count {
            let number = lock(&self.stage).made(&place.component, &anchors);
            let values = [inputs[0].message, number].map(|value| Value::Int(value as i64));
            out.emit_anchored(&tickets, StreamIdx(0), values)
                .map_err(|error| ComponentError::give_up(error.to_string()))?;
        }
        Ok(())
    }

    fn note_acked(&self, held: &Held) {
        let place = self.place();
        let mut stage = lock(&self.stage);
        let at_sink = stage.is_sink(&place.component);
        stage.oracle.acked(&held.ticket.anchors, held.message, at_sink);
        stage.say(|| format!("task {} acks message {}", place.task, held.message));
    }

    /// Deals with these together.
    fn act(&self, inputs: Vec<Held>, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.emit(&inputs, out)?;
        for held in inputs {
            self.note_acked(&held);
            out.ack(held.ticket);
        }
        Ok(())
    }

    fn release(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        for held in std::mem::take(&mut self.held) {
            self.act(vec![held], out)?;
        }
        Ok(())
    }
}

impl Bolt for NativeBolt {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        self.place = Some(Place::of(context));
        lock(&self.stage).opened(context.task);
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let place = self.place();
        let (message, deed) = {
            let mut stage = lock(&self.stage);
            let (message, _) = stage.executed(place.task, place.slot, &tuple);
            (message, stage.deed(&place.component, message))
        };
        let held = Held { ticket: tuple.into_ticket(), message };
        match deed {
            Deed::Die if lock(&self.stage).dice.bool() => {
                return Err(ComponentError::restart("died"));
            }
            Deed::Die => panic!("died"),
            Deed::Fail if self.automatic => return Err(ComponentError::restart("would not")),
            Deed::Fail => {
                lock(&self.stage).seen.fails += 1;
                out.fail(held.ticket, "would not");
            }
            Deed::Forget if !self.automatic => lock(&self.stage).seen.forgotten += 1,
            Deed::Hold if !self.automatic && !self.drained => self.held.push(held),
            _ if self.automatic => {
                self.emit(std::slice::from_ref(&held), out)?;
                self.note_acked(&held);
            }
            _ => {
                let joined = lock(&self.stage).dice.bool();
                let mut inputs: Vec<Held> =
                    if joined { self.held.pop().into_iter().collect() } else { Vec::new() };
                inputs.push(held);
                self.act(inputs, out)?;
            }
        }
        Ok(())
    }

    fn execute_error_is_fatal(&self) -> bool {
        true
    }

    fn acking(&self) -> Acking {
        if self.automatic { Acking::Automatic } else { Acking::Manual }
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.release(out)
    }

    fn drain(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.drained = true;
        self.release(out)?;
        Ok(Progress::Done)
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        let place = self.place();
        let of = (place.component.as_str(), place.task, place.slot);
        let finals = lock(&self.stage).finished(of);
        for (message, number) in finals {
            out.emit([message, number].map(|value| Value::Int(value as i64)))
                .map_err(|error| ComponentError::give_up(error.to_string()))?;
        }
        Ok(Progress::Done)
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        // Some bolts leave what they held to its time-out.
        let tells = {
            let mut stage = lock(&self.stage);
            stage.dice.bool() || stage.patient
        };
        for held in self.held.drain(..).filter(|_| tells) {
            out.fail_as(held.ticket, kind, "abandoned");
        }
    }
}

/// A bolt in a child; what the child is given is noted for it.
struct Watched {
    stage: Shared,
    place: Option<Place>,
    bolt: ShellBolt,
}

impl Bolt for Watched {
    fn open(
        &mut self,
        context: &Arc<Context>,
        out: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        self.place = Some(Place::of(context));
        let mut stage = lock(&self.stage);
        stage.given.insert(context.task, Vec::new());
        stage.opened(context.task);
        drop(stage);
        self.bolt.open(context, out)
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let place = self.place.clone().expect("open comes first");
        let mut stage = lock(&self.stage);
        let (message, _) = stage.executed(place.task, place.slot, &tuple);
        let given = Given { anchors: tuple.anchors.clone(), message };
        stage.given.entry(place.task).or_default().push(given);
        drop(stage);
        self.bolt.execute(tuple, out)
    }

    fn execute_error_is_fatal(&self) -> bool {
        self.bolt.execute_error_is_fatal()
    }

    fn acking(&self) -> Acking {
        self.bolt.acking()
    }

    fn ready(&self) -> bool {
        self.bolt.ready()
    }

    fn idle(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.bolt.idle(out)
    }

    fn wake(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.bolt.wake(out)
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.bolt.tick(out)
    }

    fn drain(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.bolt.drain(out)
    }

    fn drain_anew(&mut self) {
        self.bolt.drain_anew();
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.bolt.end(out)
    }

    fn held(&self) -> usize {
        self.bolt.held()
    }

    fn waiting_since(&self) -> Option<Timestamp> {
        self.bolt.waiting_since()
    }

    fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        self.bolt.abandon(kind, out);
    }

    fn close(&mut self, out: &mut Collector<'_>) -> Progress {
        self.bolt.close(out)
    }
}
