//! What a bolt task is told from outside, and what it shows without being asked.

use std::sync::atomic::Ordering::Relaxed;

use crate::base::{TaskId, Timestamp, now};
use crate::component::{Activity, ComponentError};

use super::super::housing::{TaskEvent, TaskState};
use super::super::mailbox::Control;
use super::{BoltTask, Life, Stage};

impl BoltTask {
    pub(in super::super) fn obey(&mut self) {
        for control in self.housing.mailbox.take_control() {
            match control {
                Control::PeerLost(slot, view) => self.output.peer_lost(slot, view),
                Control::PeerReplaced(slot) => self.output.peer_replaced(slot),
                Control::Pause => self.output.pause(),
                Control::Resume => self.resume(),
                Control::ShowStacks => self.show_stacks(),
                Control::Restart(reason) if matches!(self.life, Life::Open(..)) => {
                    self.failed(ComponentError::restart(reason), now());
                }
                Control::Restart(_) | Control::Activate | Control::StopInput | Control::End => {}
            }
        }
    }

    /// The run goes on after a pause.
    fn resume(&mut self) {
        self.restarts.renew();
        self.output.resume(now());
        if matches!(self.life, Life::Halted) {
            self.life = Life::Due(Timestamp::default());
            let working = self.stage == Stage::Working;
            self.housing.enter(if working { TaskState::Starting } else { TaskState::Drained });
        }
    }

    fn show_stacks(&mut self) {
        if let Life::Open(bolt, _) = &mut self.life {
            let (task, events) = (self.housing.context.task, self.housing.shop.events.clone());
            bolt.show_stacks(Box::new(move |text| {
                if events.send(TaskEvent::Stacks { task, text }).is_err() {
                    tracing::debug!(task = task.0, "the worker no longer listens");
                }
            }));
        }
    }

    pub(in super::super) fn show_backlog(&self) {
        let status = &self.housing.status;
        let counters = &self.housing.counters;
        counters.open_finals.store(self.output.open_finals() as u64, Relaxed);
        let Life::Open(bolt, _) = &self.life else {
            return status.is_up.store(false, Relaxed);
        };
        counters.pending.store(bolt.held() as u64, Relaxed);
        counters.keeps_memory.store(u64::from(bolt.holds_memory()), Relaxed);
        if self.taken.len() == 0 {
            let since = bolt.waiting_since().map_or(0, |since| since.0.max(1));
            status.inner_since.store(since, Relaxed);
        }
        let activity = bolt.activity();
        status.is_up.store(activity != Activity::Starting, Relaxed);
        status.is_behind.store(activity == Activity::Behind, Relaxed);
        let blocked = self.output.blocked_on().unwrap_or(TaskId(0));
        status.blocked_on.store(blocked.0, Relaxed);
    }
}
