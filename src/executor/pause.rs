//! How a loop waits: for its doorbell, until a point in time, or both.

use std::time::Duration;

use crate::base::{Alarms, Signal, Timestamp, now};

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

/// Waits shorter than this need the fine clock.
const FINE: Duration = Duration::from_millis(20);

/// Waits for `signal`, at most until `deadline`. Whether it was rung; an alarm at the deadline counts.
pub(crate) async fn pause(signal: &Signal, deadline: Option<Timestamp>, alarms: &Alarms) -> bool {
    let Some(deadline) = deadline else {
        signal.wait().await;
        return true;
    };
    let span = deadline.since(now());
    if span.is_zero() {
        tokio::task::yield_now().await;
        return false;
    }
    if span < FINE {
        alarms.ring_at(deadline, signal);
        signal.wait().await;
        true
    } else {
        // The rest is waited for finely: a coarse timer rounds up by a millisecond or more.
        let coarse = span.saturating_sub(Duration::from_millis(5));
        tokio::select! {
            () = signal.wait() => true,
            () = tokio::time::sleep(coarse) => false,
        }
    }
}

/// The sooner of two deadlines, either of which may be missing.
pub(crate) fn sooner(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}
