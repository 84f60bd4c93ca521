//! What goes wrong from outside, and when.

use std::time::Duration;

use crate::base::{Timestamp, WorkerSlot};

use super::queue::{Event, Queue};
use super::scenario::Scenario;

/// How long things go wrong.
pub(super) const TROUBLE: Duration = Duration::from_millis(1_500);

const BEGIN: Duration = Duration::from_millis(30);

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A worker's process is killed.
    Kill(WorkerSlot),
    /// A worker's process is killed when something is just on its way, and wires are slow from then on.
    Ambush(WorkerSlot, Moment, Duration),
    /// A worker's process stands still.
    Freeze(WorkerSlot, Duration),
    /// One of the connections breaks, at any byte of what is on it.
    Cut(usize),
    /// A batch of one of the connections vanishes, or an answer, after so many others.
    Lose(usize, bool, u32),
    /// A task's loop does not come round for a while.
    Stop(WorkerSlot, usize, Duration),
    /// A child is killed.
    KillChild(WorkerSlot, usize),
    /// Wires are slow for a while: what is delayed arrives behind a new connection's first frames.
    Delay(Duration),
    /// The supervisor is killed, and its workers with it; the run is started again.
    StartAgain,
}

/// What an ambush waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Somebody has sent it a batch. What the sender tells others of it comes when they know of the
    /// death: its ack names tuples that nobody will ever ack.
    Batch,
    /// It has said hello on a new connection. Its successor may do so before that hello comes.
    Hello,
    /// It is told that every message is done: final results follow.
    End,
}

/// Draws the faults of a run.
pub(super) fn plan(scenario: &Scenario, dice: &mut fastrand::Rng, queue: &mut Queue) {
    for _ in 0..scenario.faults {
        // Early rather than late, but not before the run has begun.
        let share = dice.f64() * dice.f64();
        let at = Timestamp(0) + BEGIN + TROUBLE.saturating_sub(BEGIN).mul_f64(share);
        let slot = WorkerSlot(dice.u16(..scenario.plan.settings.workers));
        let span = |dice: &mut fastrand::Rng, most: u64| Duration::from_millis(dice.u64(1..most));
        let fault = match dice.u32(..19) {
            0..3 => Fault::Kill(slot),
            3 => Fault::Freeze(slot, span(dice, 8_000)),
            4..6 => Fault::Cut(dice.usize(..16)),
            6 => Fault::Stop(slot, dice.usize(..8), span(dice, 4_000)),
            7..9 => Fault::KillChild(slot, dice.usize(..4)),
            9..11 => Fault::Lose(dice.usize(..16), dice.bool(), dice.u32(..5)),
            11..13 => Fault::Delay(span(dice, 400)),
            13..15 => Fault::Ambush(slot, Moment::Batch, span(dice, 60)),
            15 => Fault::Ambush(slot, Moment::Hello, span(dice, 60)),
            16..18 => Fault::Ambush(slot, Moment::End, span(dice, 60)),
            _ => Fault::StartAgain,
        };
        queue.put(at, Event::Fault(fault));
        if let Fault::Kill(slot) = fault {
            accompany(slot, at, dice, queue);
        }
    }
}

/// Deaths are worst while something is on its way: what a dead worker said, or said of it, comes late.
fn accompany(slot: WorkerSlot, at: Timestamp, dice: &mut fastrand::Rng, queue: &mut Queue) {
    let near = Duration::from_millis(dice.u64(..80));
    let before =
        Timestamp(at.0.saturating_sub(Duration::from_millis(dice.u64(..20)).as_nanos() as u64));
    match dice.u32(..4) {
        0 => queue.put(before, Event::Fault(Fault::Delay(near * 5))),
        1 => {
            for wire in 0..6 {
                queue.put(before, Event::Fault(Fault::Cut(wire)));
            }
        }
        2 => queue.put(at + near * 2, Event::Fault(Fault::Kill(slot))),
        _ => {}
    }
}
