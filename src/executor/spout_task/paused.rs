//! What a spout task does while the run waits for somebody to mend it, and when it goes on.
//!
//! Nothing is given out meanwhile and nothing times out; acks and fails are taken as ever.

use crate::base::Timestamp;

use super::super::housing::TaskState;
use super::{Life, SpoutTask, Stage};

/// Whether messages are to be given out.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// The run wants input.
    pub(super) active: bool,
    /// The run waits for somebody to mend something: nothing is given out and nothing times out.
    pub(super) paused: bool,
}

impl Input {
    /// Whether the spout is to produce.
    pub(super) fn flows(&self) -> bool {
        self.active && !self.paused
    }
}

impl SpoutTask {
    /// No input for now.
    pub(super) fn pause(&mut self) {
        if self.input.flows() {
            self.tell(|spout| spout.deactivate());
        }
        self.input.paused = true;
    }

    /// The run goes on. The time of the pause counts for no message.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.restarts.renew();
        self.ledger.reset_timeouts(now);
        if std::mem::take(&mut self.input.paused) && self.input.active {
            self.tell(|spout| spout.activate());
        }
        self.ask_at = Timestamp::default();
        if matches!(self.life, Life::Halted) {
            self.life = Life::Due(Timestamp::default());
            self.housing.enter(match self.stage {
                Stage::Producing => TaskState::Starting,
                Stage::Exhausted => TaskState::Running,
                Stage::Closing | Stage::Closed => TaskState::Drained,
            });
        }
    }
}
