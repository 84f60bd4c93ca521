//! What is counted, and by which name. Nothing here prints or sends.

mod latency;
mod names;
mod task;
mod user;

pub use latency::{Latency, LatencySummary};
pub use names::{DropReason, FailReason};
pub use task::{TaskCounters, TaskSnapshot};
pub use user::{UserMetric, UserMetrics};
