//! The one place that reads a clock. Hard logic gets its time as an argument.

use std::cell::Cell;
use std::fmt;
use std::ops::{Add, Sub};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::ClockId;

/// A point in time: nanoseconds since this process first asked, monotonic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds.
    pub fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.0 as f64 / 1e9)
    }
}

/// What the monotonic clock showed when this process first asked.
static ORIGIN: OnceLock<u64> = OnceLock::new();

/// Nanoseconds of the system's monotonic clock. A turn of a task asks, so the shortest way is taken.
#[inline]
fn monotonic() -> u64 {
    let read = ClockId::CLOCK_MONOTONIC.now().expect("every system has a monotonic clock");
    (read.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(read.tv_nsec() as u64)
}

/// The monotonic time now.
#[inline]
pub fn now() -> Timestamp {
    #[cfg(test)]
    if let Some(time) = virtual_clock::time() {
        return time;
    }
    match STANDS_AT.get() {
        0 => {}
        at => return Timestamp(at),
    }
    let origin = *ORIGIN.get_or_init(monotonic);
    Timestamp(monotonic().saturating_sub(origin))
}

thread_local! {
    /// Where this thread's clock stands still; 0: it runs.
    static STANDS_AT: Cell<u64> = const { Cell::new(0) };
    /// What this thread has just read, for the next to need it; 0: nothing.
    static JUST_READ: Cell<u64> = const { Cell::new(0) };
}

/// Does something that takes no time worth a look at the clock: for it, it is `at`.
pub(super) fn standing<T>(at: Timestamp, what: impl FnOnce() -> T) -> T {
    STANDS_AT.set(at.0);
    let value = what();
    STANDS_AT.set(0);
    value
}

/// Hands on what was read just now to whoever needs it next on this thread.
pub fn hand_on(read: Timestamp) {
    JUST_READ.set(read.0);
}

/// The monotonic time now, as it was handed on just before, where it was.
pub fn just_now() -> Timestamp {
    match JUST_READ.take() {
        0 => now(),
        read => Timestamp(read),
    }
}

/// The wall clock now, in nanoseconds since 1970 (UTC).
pub fn unix_nanos() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// The wall clock now, in milliseconds since 1970 (UTC).
pub fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// The clock of a simulation: whoever asks on its thread is told the time that it has set.
#[cfg(test)]
pub(crate) mod virtual_clock {
    use std::cell::Cell;

    use super::Timestamp;

    thread_local! {
        static TIME: Cell<Option<Timestamp>> = const { Cell::new(None) };
    }

    /// Sets the time of this thread; `None` is the real time.
    pub(crate) fn set(time: Option<Timestamp>) {
        TIME.set(time);
    }

    pub(super) fn time() -> Option<Timestamp> {
        TIME.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards_and_subtraction_saturates() {
        let first = now();
        let second = now();
        assert!(second >= first);
        assert_eq!(first.since(second + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(Timestamp(5) - Duration::from_secs(1), Timestamp(0));
    }

    #[test]
    fn what_was_read_is_handed_on_once_and_a_clock_that_stood_still_runs_again() {
        let before = now();
        hand_on(Timestamp(1));
        assert_eq!(just_now(), Timestamp(1));
        assert!(just_now() >= before);
        assert_eq!(standing(Timestamp(2), now), Timestamp(2));
        assert!(now() >= before);
    }
}
