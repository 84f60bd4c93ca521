//! Ends what a dead worker has left behind: its children's processes.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::{RunMark, Spawner, end_groups, end_marked};

/// How long the processes that a dead worker had started may take to be gone.
const STRAYS_END: Duration = Duration::from_secs(1);

/// Where to look, and where to wait.
#[derive(Debug)]
pub(super) struct Strays {
    pub(super) run_dir: PathBuf,
    pub(super) io: Spawner,
}

impl Strays {
    /// Ends everything that a worker had started; `worker` is its process id.
    pub(super) async fn end(self, worker: u32) {
        let run_dir = self.run_dir;
        let ended = self.io.spawn_blocking(move || {
            end_groups(&run_dir, Some(worker));
            end_marked(&RunMark::of_run(&run_dir).worker(worker), STRAYS_END)
        });
        match ended.await {
            Ok(swept) => tracing::debug!(worker, ?swept, "what a dead worker had started"),
            Err(error) => {
                tracing::error!(worker, %error, "a dead worker's children were not ended");
            }
        }
    }
}
