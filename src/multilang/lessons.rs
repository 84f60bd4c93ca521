//! What the earlier lives of a task's child have taught: messages that it ended on.
//!
//! Some clients are older than heartbeats, and some know no `activate`: they end, or take them for
//! something else. A child that ends on one of these is started again without, and so are its
//! successors as long as that helps. It never keeps a child from being started.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::base::TaskId;
use crate::component::{Context, Level};

use super::options::CommandOptions;

/// A message that a client may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It ended on its first heartbeat.
    Heartbeat,
    /// It ended on `activate`.
    Activation,
}

/// What the lives of one task may not be sent.
type Lessons = HashMap<(PathBuf, TaskId), Suspicion>;

static LESSONS: Mutex<Option<Lessons>> = Mutex::new(None);

fn with<R>(act: impl FnOnce(&mut Lessons) -> R) -> R {
    let mut lessons = LESSONS.lock().unwrap_or_else(PoisonError::into_inner);
    act(lessons.get_or_insert_default())
}

fn key(context: &Context) -> (PathBuf, TaskId) {
    (context.run_dir.clone(), context.task)
}

/// The options with what was learned.
pub(super) fn apply(options: &CommandOptions, context: &Context) -> CommandOptions {
    let mut options = options.clone();
    match with(|lessons| lessons.get(&key(context)).copied()) {
        Some(Suspicion::Heartbeat) => options.heartbeat = false,
        Some(Suspicion::Activation) => options.activation = false,
        None => {}
    }
    options
}

/// A life has ended; what its session suspects, and whether it had done any work.
pub(super) fn learn(suspicion: Option<Suspicion>, worked: bool, context: &Context) {
    let key = key(context);
    if with(|lessons| lessons.contains_key(&key)) {
        if !worked {
            with(|lessons| lessons.remove(&key));
        }
        return;
    }
    let Some(suspicion) = suspicion else { return };
    let (message, switch) = match suspicion {
        Suspicion::Heartbeat => ("a heartbeat", "heartbeat"),
        Suspicion::Activation => ("`activate`", "activation"),
    };
    let text = format!(
        "the child ended on {message}, which its client may not know; the next one is sent none \
         (`{switch} = false` in the file does that from the start)"
    );
    context.reporter.log(Level::Warn, &text);
    with(|lessons| lessons.insert(key, suspicion));
}
