//! What SIGHUP means: go on after a pause, or that the terminal is gone.

use std::fs::{self, OpenOptions};

use super::coordinator::Event;

/// What was so when the run started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hangup {
    /// The run was started to outlive its terminal (`nohup`).
    ignored: bool,
    /// It has a terminal.
    terminal: bool,
}

impl Hangup {
    /// Looks around; before SIGHUP is caught.
    pub(super) fn at_start() -> Self {
        Self { ignored: is_ignored(), terminal: has_terminal() }
    }

    /// What has just been asked for. A terminal that was closed ends the run as Ctrl-C does, unless it
    /// was started to outlive that.
    pub(super) fn meaning(self) -> Option<Event> {
        if !self.terminal || has_terminal() {
            Some(Event::Resume)
        } else if self.ignored {
            None
        } else {
            Some(Event::Interrupt)
        }
    }
}

fn has_terminal() -> bool {
    OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

/// Whether this process was started with SIGHUP ignored.
fn is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
