//! Takes letters out of a file in groups, by a blocking job beside the task.
//!
//! A crash before a group is out has its letters replayed once more; none is lost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Signal, Spawner, now};
use crate::dead_letter::{LetterId, remove};

/// How long letters are gathered at least, and at most where the file is large.
const GATHER_LEAST: Duration = Duration::from_millis(50);
const GATHER_MOST: Duration = Duration::from_secs(5);
/// Removing may take this part of the time.
const SHARE: u32 = 10;
/// How often removing is tried at the end.
const LAST_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct State {
    gathered: BTreeMap<LetterId, u32>,
    running: bool,
    closing: bool,
    /// Why the last try failed.
    trouble: Option<String>,
    /// Tries that failed since the end.
    last_tries: u32,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    closing: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, though not once the end has come.
    fn wait(&self, span: Duration) {
        let state = self.lock();
        let open = |state: &mut State| !state.closing;
        drop(self.closing.wait_timeout_while(state, span, open));
    }
}

/// How far the end has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything is out of the file.
    Done,
    /// The waker rings.
    Pending,
    /// So many letters could not be taken out, and why.
    Left(usize, String),
}

/// Gathers letters that are done and takes them out.
pub(super) struct Remover {
    shared: Arc<Shared>,
    path: PathBuf,
    io: Spawner,
    waker: Signal,
}

impl Remover {
    pub(super) fn new(path: PathBuf, io: Spawner, waker: Signal) -> Self {
        Self { shared: Arc::default(), path, io, waker }
    }

    /// A letter is done, after so many replays.
    pub(super) fn done(&self, id: LetterId, replays: u32) {
        let mut state = self.shared.lock();
        state.gathered.insert(id, replays);
        if std::mem::replace(&mut state.running, true) {
            return;
        }
        let (shared, path) = (Arc::clone(&self.shared), self.path.clone());
        let waker = self.waker.clone();
        // It ends when nothing is gathered; `end` waits for that.
        drop(self.io.spawn_blocking(move || {
            run(&shared, &path);
            waker.ring();
        }));
    }

    /// Why letters cannot be taken out, where that is new.
    pub(super) fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble.take()
    }

    /// Hurries, and says how far it is.
    pub(super) fn end(&self) -> End {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.closing.notify_all();
        match (state.running, state.gathered.len()) {
            (true, _) => End::Pending,
            (false, 0) => End::Done,
            (false, left) => End::Left(left, state.trouble.take().unwrap_or_default()),
        }
    }
}

fn run(shared: &Shared, path: &std::path::Path) {
    let mut gather = GATHER_LEAST;
    let mut told = String::new();
    loop {
        shared.wait(gather);
        let group = std::mem::take(&mut shared.lock().gathered);
        let start = now();
        let removed = remove(path, &group);
        gather = (now().since(start) * SHARE).clamp(GATHER_LEAST, GATHER_MOST);
        let mut state = shared.lock();
        if let Err(error) = removed {
            for (id, replays) in group {
                state.gathered.entry(id).or_insert(replays);
            }
            state.last_tries += u32::from(state.closing);
            let text = error.to_string();
            if state.last_tries >= LAST_TRIES {
                state.trouble = Some(text);
                state.running = false;
                return;
            }
            if told != text {
                told.clone_from(&text);
                state.trouble = Some(text);
            }
            drop(state);
            std::thread::sleep(PAUSE);
        } else if state.gathered.is_empty() {
            state.running = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{context_in, until};
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_told_of_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let context = context_in(folder.path());
        let path = folder.path().join("dead.jsonl");
        let remover = Remover::new(path, context.io.clone(), context.waker.clone());
        assert_eq!(remover.end(), End::Done);
        remover.done(LetterId::random(), 0);
        let mut end = End::Pending;
        until("the last try", || {
            end = remover.end();
            end != End::Pending
        });
        assert!(matches!(end, End::Left(1, why) if why.contains("No such file")));
    }
}
