//! A spout task's outgoing side: opens roots, keeps messages, sends.

use crate::ack::{Ledger, Touched};
use crate::base::{StreamIdx, TaskId, Timestamp};
use crate::component::{EmitError, MessageId, SpoutEmission, SpoutEmitter, Tasks};
use crate::tuple::{Anchors, Flags};

use super::emit::Output;
use super::replay::Kept;
use super::tracked::Sending;

/// A spout task's view of its output for the time of one call into the component.
pub(crate) struct SpoutOutput<'a> {
    pub(crate) task: TaskId,
    pub(crate) output: &'a mut Output,
    pub(crate) ledger: &'a mut Ledger<Kept>,
    /// Whether roots are tracked at all.
    pub(crate) tracking: bool,
    pub(crate) now: Timestamp,
    /// Which life of the component is emitting.
    pub(crate) life: u32,
    /// Messages that were done as soon as they were sent.
    pub(crate) done: &'a mut Vec<MessageId>,
    /// Messages that a full input shed, and which task's.
    pub(crate) shed: &'a mut Vec<(Kept, TaskId)>,
}

impl SpoutOutput<'_> {
    /// Sends a message under a new root.
    pub(crate) fn send_kept(&mut self, kept: Kept, tasks: Tasks<'_>) -> Result<(), EmitError> {
        match self.output.send_root(self.task, self.ledger, kept, self.now, tasks)? {
            Sending::OnItsWay => {}
            Sending::Done(id) => self.done.push(id),
            Sending::Shed(kept, task) => self.shed.push((*kept, task)),
        }
        Ok(())
    }
}

impl SpoutEmitter for SpoutOutput<'_> {
    fn has_room(&self) -> bool {
        self.output.has_room()
    }

    fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.output.routes.choose_ahead(stream, tasks)
    }

    #[inline]
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        let SpoutEmission { stream, direct, id, values, tasks } = emission;
        if let (Some(id), true) = (id, self.tracking) {
            let kept = Kept::fresh(id, (stream, direct), values, self.now, self.life);
            return self.send_kept(kept, tasks);
        }
        let stamp = |_: Touched| Anchors::new();
        let flags = Flags::default();
        let sent = self.output.routes.send(stream, direct, values, flags, stamp, tasks)?;
        self.output.count_sent(sent);
        self.done.extend(id);
        Ok(())
    }
}
