//! How the marks `drain` and `end` pass a child: after all that it was given before them. Pure.

use crate::base::Timestamp;
use crate::component::Progress;

use super::bolt::BoltSession;
use super::due::HEARTBEAT;

/// A mark's way past the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It has not come.
    Unasked,
    /// The child was asked in so many words; the number of the question.
    Asked(u64),
    /// It passes with the heartbeat of that number, last written at that time.
    Behind(u64, Timestamp),
    /// It passes when nothing is open.
    WhenEmpty,
    /// It is past.
    Passed,
}

impl Mark {
    /// The mark after the child's answer to the question of that number.
    pub(super) fn answered(self, id: &str) -> Self {
        match self {
            Self::Asked(asked) if id.parse() == Ok(asked) => Self::Passed,
            other => other,
        }
    }
}

impl BoltSession {
    /// Lets the drain mark pass.
    pub fn drain(&mut self, now: Timestamp) -> Progress {
        self.drain = self.advance_mark(self.drain, "drain", now);
        progress(self.drain)
    }

    /// The drain mark has come once more.
    pub fn drain_anew(&mut self) {
        if self.drain == Mark::Passed {
            self.drain = Mark::Unasked;
        }
    }

    /// Lets the end mark pass.
    pub fn end(&mut self, now: Timestamp) -> Progress {
        self.end = self.advance_mark(self.end, "end", now);
        progress(self.end)
    }

    fn advance_mark(&mut self, mark: Mark, command: &str, now: Timestamp) -> Mark {
        match mark {
            Mark::Unasked if !self.greeted || !self.waiting.is_empty() => Mark::Unasked,
            Mark::Unasked if self.outbox.batch() => {
                let id = self.own_id();
                let text = format!("{{\"command\":\"{command}\",\"id\":\"{id}\"}}");
                self.outbox.message(text.as_bytes());
                Mark::Asked(id)
            }
            Mark::Unasked if self.settings.heartbeat => Mark::Behind(self.mark(now), now),
            Mark::Unasked | Mark::WhenEmpty if self.open.len() == 0 => Mark::Passed,
            Mark::Unasked => Mark::WhenEmpty,
            Mark::Behind(marker, _) if self.flow.is_answered(marker) => Mark::Passed,
            Mark::Behind(marker, asked) if self.ignored_sync && now.since(asked) >= HEARTBEAT => {
                self.mark(now); // The answer may be the one that was taken for an echo of an error.
                Mark::Behind(marker, now)
            }
            other => other,
        }
    }
}

fn progress(mark: Mark) -> Progress {
    if mark == Mark::Passed { Progress::Done } else { Progress::Pending }
}
