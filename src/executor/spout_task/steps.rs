//! A spout task's loop, a step at a time: the only part of it that waits.

use crate::base::{Timestamp, hand_on, just_now, now};

use super::super::hours::Occupation;
use super::super::housing::TaskState;
use super::super::pause::{Step, pause};
use super::{Life, SpoutTask, Stage};

impl SpoutTask {
    /// Runs until the task has ended or is given up.
    pub(crate) async fn run(mut self) {
        let signal = self.housing.mailbox.signal().clone();
        let mut alarm = self.housing.shop.alarms.alarm(&signal);
        loop {
            let at = just_now();
            self.housing.turn_to(Occupation::Busy, at);
            match self.step(at) {
                Step::Again => tokio::task::yield_now().await,
                Step::Wait(deadline) => {
                    let at = now();
                    self.housing.turn_to(self.waits_for(), at);
                    hand_on(at);
                    if pause(&signal, deadline, &mut alarm, at).await {
                        self.rung();
                    }
                }
                Step::Over => return self.housing.close_hours(),
            }
        }
    }

    /// Obeys and takes a turn; what is to be done then.
    pub(in crate::executor) fn step(&mut self, now: Timestamp) -> Step {
        self.obey(now);
        let worked = self.turn(now);
        if matches!(self.life, Life::GivenUp) {
            return Step::Over;
        }
        if worked {
            return Step::Again;
        }
        if self.stage == Stage::Closed && self.output.is_clear() {
            self.housing.enter(TaskState::Ended);
            if self.housing.is_alone() {
                return Step::Over;
            }
            self.life = Life::Over;
        }
        Step::Wait(self.deadline())
    }

    /// The doorbell has rung, perhaps before the spout was to be asked: something may have arrived.
    pub(in crate::executor) fn rung(&mut self) {
        self.ask_at = Timestamp::default();
    }

    /// What it is at while its loop waits.
    pub(in crate::executor) fn waits_for(&self) -> Occupation {
        let Life::Open(spout) = &self.life else {
            return Occupation::Idle;
        };
        let producing = self.input.active && self.stage == Stage::Producing;
        if !self.output.has_room() || producing && self.pending() >= self.housing.max_pending {
            Occupation::Blocked
        } else if producing && !spout.ready() {
            // Its child has been asked.
            Occupation::Busy
        } else {
            Occupation::Idle
        }
    }
}
