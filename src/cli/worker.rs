//! `galewire worker`: what the supervisor starts; not for people.

use std::path::PathBuf;

use crate::base::{ExitCode, Incarnation, WorkerSlot};
use crate::component::Registry;
use crate::worker::{self, WorkerOptions};

use super::log::start_log;

/// The arguments of `galewire worker`.
#[derive(Debug, clap::Args)]
pub(super) struct WorkerArguments {
    /// The run's private folder
    #[arg(long)]
    run_dir: PathBuf,
    /// The worker's slot
    #[arg(long)]
    slot: u16,
    /// Which of the slot's workers it is
    #[arg(long)]
    incarnation: u32,
    /// Log level
    #[arg(long, default_value = "warn")]
    log: String,
    /// Log as JSON objects
    #[arg(long)]
    log_json: bool,
}

pub(super) fn run(arguments: &WorkerArguments, registry: &Registry) -> ExitCode {
    start_log(&arguments.log, arguments.log_json);
    let options = WorkerOptions {
        run_dir: arguments.run_dir.clone(),
        slot: WorkerSlot(arguments.slot),
        incarnation: Incarnation(arguments.incarnation),
    };
    worker::run(options, registry.clone())
}
