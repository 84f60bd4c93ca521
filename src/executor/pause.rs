//! How a loop waits: for its doorbell, until a point in time, or both.

use crate::base::{Alarm, Signal, Timestamp};

/// What a loop does after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There may be more to do at once.
    Again,
    /// It waits for its doorbell, at most until then.
    Wait(Option<Timestamp>),
    /// It ends.
    Over,
}

/// Waits for `signal`, at most until `deadline`. Whether it was rung; its alarm at the deadline counts.
pub(crate) async fn pause(
    signal: &Signal,
    deadline: Option<Timestamp>,
    alarm: &mut Alarm,
    now: Timestamp,
) -> bool {
    if let Some(deadline) = deadline {
        if deadline <= now {
            tokio::task::yield_now().await;
            return false;
        }
        alarm.set(deadline, now);
    }
    signal.wait_a_turn().await;
    true
}

/// The sooner of two deadlines, either of which may be missing.
pub(crate) fn sooner(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}
