//! What the loops wait for: the component's bell, a time, Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::base::{Job, Timestamp, now};

use super::setting::Setting;

/// The longest that a loop waits without a look at everything.
const LOOK: Duration = Duration::from_millis(250);

/// How often Ctrl-C was pressed.
pub(super) struct Interrupts(Arc<AtomicU32>);

impl Interrupts {
    /// Counts from now on, and rings the loop each time.
    pub(super) fn watch(setting: &Setting) -> Self {
        let count = Arc::new(AtomicU32::new(0));
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let (count, bell) = (Arc::clone(&count), setting.context.waker.clone());
            let watching = async move {
                match signal(kind) {
                    Ok(mut signal) => {
                        while signal.recv().await.is_some() {
                            count.fetch_add(1, Relaxed);
                            bell.ring();
                        }
                    }
                    Err(error) => tracing::error!(%error, "signals cannot be caught"),
                }
            };
            setting.context.io.spawn(Job::Owned("signals"), watching);
        }
        Self(count)
    }

    pub(super) fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// Waits for the bell, at most until `deadline`.
pub(super) fn pause(setting: &Setting, deadline: Option<Timestamp>) {
    let span = deadline.map_or(LOOK, |deadline| deadline.since(now()).min(LOOK));
    let bell = &setting.context.waker;
    let rung = setting.context.io.block_on(async { tokio::time::timeout(span, bell.wait()).await });
    tracing::trace!(rung = rung.is_ok(), "the loop goes on");
}
