//! How a run is stopped before its input ends.

use std::time::Duration;

use crate::base::Timestamp;
use crate::control::ToWorker;

use super::super::event::{Finish, RunEvent};
use super::{Coordinator, Effect, Phase};

/// Interrupts closer together than this are one.
const SAME_INTERRUPT: Duration = Duration::from_millis(300);

impl Coordinator {
    /// The first one drains, a later one kills. A terminal and a parent may both pass on one Ctrl-C.
    pub(super) fn interrupt(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if let Some(reason) = self.pause.reason() {
            let reason = format!("{reason}; interrupted while the run was paused for that");
            return self.finish(Finish::Failed { reason, detail: None }, effects);
        }
        let first = *self.interrupted.get_or_insert(now);
        if self.phase < Phase::Draining && !self.stop_at_start {
            self.stop_input("interrupted", now, effects);
        } else if now.since(first) >= SAME_INTERRUPT {
            self.finish(Finish::Killed, effects);
        }
    }

    pub(super) fn stop_input(
        &mut self,
        reason: &'static str,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        match self.phase {
            Phase::Starting if !self.stop_at_start => self.stop_at_start = true,
            Phase::Running => {
                self.phase = Phase::Draining;
                self.send_all(&ToWorker::StopInput, effects);
            }
            _ => return,
        }
        self.drain_deadline = Some(now + self.plan.settings.drain_timeout);
        effects.push(Effect::Notify(RunEvent::Draining { reason }));
    }
}
