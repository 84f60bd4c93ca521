//! A spout task's outgoing side: opens roots, keeps messages, sends.

use crate::ack::{Ledger, Settled, Touched};
use crate::base::{EdgeId, StreamIdx, TaskId, Timestamp};
use crate::component::{EmitError, MessageId, SpoutEmission, SpoutEmitter, Tasks};
use crate::metrics::TaskCounters;
use crate::tuple::{Anchor, Anchors, Flags, Values};

use super::emit::Output;
use super::replay::Kept;
use super::routes::Sent;

/// A spout task's view of its output for the time of one call into the component.
pub(crate) struct SpoutOutput<'a> {
    pub(crate) task: TaskId,
    pub(crate) output: &'a mut Output,
    pub(crate) ledger: &'a mut Ledger<Kept>,
    pub(crate) counters: &'a TaskCounters,
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
        let (stream, direct, flags, id) = (kept.stream, kept.direct, kept.flags, kept.id);
        let values = copy(&kept.values);
        let root = self.ledger.open(kept, self.now);
        let (mut xor, mut touched_all) = (0, Touched::default());
        let spout = self.task;
        let stamp = |touched: Touched| {
            let edge = EdgeId::random();
            xor ^= edge.0;
            touched_all = touched_all.union(touched);
            Anchors::one(Anchor { root, edge, spout })
        };
        match self.output.routes.send(stream, direct, values, flags, stamp, tasks) {
            Ok(sent) => {
                self.count(sent);
                if let Some(task) = sent.shed {
                    let kept = self.ledger.fail(root).expect("the root was open just now");
                    self.shed.push((kept, task));
                } else if let Settled::Done(_) = self.ledger.sent(root, xor, touched_all) {
                    self.done.push(id);
                }
                Ok(())
            }
            Err(error) => {
                self.ledger.fail(root);
                Err(error)
            }
        }
    }

    fn count(&mut self, sent: Sent) {
        TaskCounters::add(&self.counters.emitted, 1);
        TaskCounters::add(&self.counters.transferred, sent.copies as u64);
        if self.output.routes.overload().has_recalled() {
            self.output.settle_recalled();
        }
    }
}

/// A copy, made a value at a time: most messages have one.
#[inline]
fn copy(values: &Values) -> Values {
    let mut all = Values::new();
    for value in values {
        all.push(value.clone());
    }
    all
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
            let flags = Flags::default();
            let (spent, failures, first, life) = (0, 0, self.now, self.life);
            let (history, is_letter) = (None, false);
            let kept = Kept {
                id,
                values,
                stream,
                direct,
                flags,
                spent,
                failures,
                first,
                life,
                history,
                is_letter,
            };
            return self.send_kept(kept, tasks);
        }
        let stamp = |_: Touched| Anchors::new();
        let flags = Flags::default();
        let sent = self.output.routes.send(stream, direct, values, flags, stamp, tasks)?;
        self.count(sent);
        self.done.extend(id);
        Ok(())
    }
}
