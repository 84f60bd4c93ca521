//! A worker process: binds its transport, runs its tasks, reports to the supervisor, ends with it.

mod conf;
mod inbox;
mod log_gate;
mod outlet;
mod positions;
mod report;
mod rss;
mod serve;
mod uplink;

pub use conf::storm_conf;
#[cfg(test)]
pub(crate) use outlet::Outlet;
#[cfg(test)]
pub(crate) use report::{REPORT_EVERY, report, run_state};
pub use serve::{WorkerOptions, run};
