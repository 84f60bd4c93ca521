//! Sends a tuple that is the root of a tree.

use crate::ack::{Ledger, Settled, Touched};
use crate::base::{EdgeId, TaskId, Timestamp};
use crate::component::{EmitError, MessageId, Tasks};
use crate::tuple::{Anchor, Anchors, Values};

use super::emit::Output;
use super::replay::{Kept, Particulars};

/// What has become of a root that was just sent.
pub(crate) enum Sending {
    OnItsWay,
    /// Nobody got it.
    Done(MessageId),
    /// That task's full input shed it.
    Shed(Box<Kept>, TaskId),
}

impl Output {
    /// Sends what is kept under a new root of `task`, whose ledger this is.
    // One function for spouts and bolts, so that all it calls is written into it.
    #[inline(never)]
    pub(crate) fn send_root(
        &mut self,
        task: TaskId,
        ledger: &mut Ledger<Kept>,
        kept: Kept,
        now: Timestamp,
        tasks: Tasks<'_>,
    ) -> Result<Sending, EmitError> {
        let (stream, id) = (kept.stream, kept.id);
        let &Particulars { direct, flags, .. } = kept.particulars();
        let values = copy(&kept.values);
        let root = ledger.open(kept, now);
        let (mut xor, mut touched_all) = (0, Touched::default());
        let stamp = |touched: Touched| {
            let edge = EdgeId::random();
            xor ^= edge.0;
            touched_all = touched_all.union(touched);
            Anchors::one(Anchor { root, edge, spout: task })
        };
        match self.routes.send(stream, direct, values, flags, stamp, tasks) {
            Ok(sent) => {
                self.count_sent(sent);
                if let Some(task) = sent.shed {
                    let kept = ledger.fail(root).expect("the root was open just now");
                    return Ok(Sending::Shed(Box::new(kept), task));
                }
                match ledger.sent(root, xor, touched_all) {
                    Settled::Done(_) => Ok(Sending::Done(id)),
                    _ => Ok(Sending::OnItsWay),
                }
            }
            Err(error) => {
                ledger.fail(root);
                Err(error)
            }
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
