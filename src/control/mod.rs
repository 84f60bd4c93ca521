//! What the supervisor and its workers say to each other, and the socket they say it over.
//!
//! One JSON object a line over a Unix socket in the run's private folder. A closed socket is seen at once, which is
//! what this link is for; it carries no tuples.

mod link;
mod message;

pub use link::{ControlError, Listener, Received, Sender, connect};
pub use message::{CONTROL_VERSION, FromWorker, RunState, TaskReport, ToWorker, WorkerAddress};
