//! A sink for the measurement of what open roots cost: acks a tuple when so many more have come.

use std::collections::VecDeque;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::{
    Acking, Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FailKind,
    OptionProblem, Progress,
};
use crate::tuple::{Ticket, Tuple};

/// Options of the bolt `bench-hold`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldOptions {
    /// How many tuples are held open.
    open: usize,
}

/// The kind `bench-hold`.
pub(super) struct HoldKind;

impl BoltKind for HoldKind {
    const NAME: &'static str = "bench-hold";
    const SUMMARY: &'static str = "acks a tuple when so many more have come";
    type Options = HoldOptions;

    fn declare(_: &HoldOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(options: HoldOptions) -> Box<dyn Bolt> {
        Box::new(Hold { open: options.open, tickets: VecDeque::new() })
    }
}

struct Hold {
    open: usize,
    tickets: VecDeque<Ticket>,
}

impl Hold {
    fn keep(&mut self, most: usize, out: &mut Collector<'_>) {
        while self.tickets.len() > most {
            if let Some(oldest) = self.tickets.pop_front() {
                out.ack(oldest);
            }
        }
    }
}

impl Bolt for Hold {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn acking(&self) -> Acking {
        Acking::Manual
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.tickets.push_back(tuple.into_ticket());
        self.keep(self.open, out);
        Ok(())
    }

    fn held(&self) -> usize {
        self.tickets.len()
    }

    fn works(&self) -> bool {
        false
    }

    fn drain(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.open = 0;
        self.keep(0, out);
        Ok(Progress::Done)
    }

    fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        for ticket in self.tickets.drain(..) {
            out.fail_as(ticket, kind, "held by a life that is over");
        }
    }
}
