//! Runs tasks: each one a loop with a mailbox in front and lanes to its consumers behind.
//!
//! A loop never waits inside a component and a component never waits inside a loop: the loop calls
//! `execute` or `next_batch` only when the outputs fit, and takes acks meanwhile.

mod bolt_task;
mod dead_letter;
mod emit;
mod finals;
mod history;
mod hours;
mod housing;
mod lane;
mod life;
mod mailbox;
mod mark;
mod overload;
mod pause;
mod replay;
mod routes;
mod runs;
mod spout_emit;
mod spout_task;
mod tracked;
mod wiring;

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

pub use housing::{
    Congestion, CreditReturn, PositionStore, TaskEvent, TaskHandle, TaskState, Workshop,
};
pub use lane::{Refused, RemoteLink};
pub use mailbox::{Control, Delivery, Mailbox};
pub use mark::Mark;
pub use wiring::{Wiring, context_input, context_outputs, start_tasks};
