//! `galewire worker`: what the supervisor starts; not for people.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::base::{ExitCode, Incarnation, WorkerSlot};
use crate::component::Registry;
use crate::worker::{self, WorkerOptions};

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
}

pub(super) fn run(arguments: &WorkerArguments, registry: &Registry) -> ExitCode {
    start_log(&arguments.log);
    let options = WorkerOptions {
        run_dir: arguments.run_dir.clone(),
        slot: WorkerSlot(arguments.slot),
        incarnation: Incarnation(arguments.incarnation),
    };
    worker::run(options, registry.clone())
}

/// The engine's own log goes to stderr, one line an event.
pub(super) fn start_log(level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // A second start (a test in the same process) keeps the first.
    if log.with_target(false).try_init().is_err() {
        tracing::debug!("the log was started already");
    }
}
