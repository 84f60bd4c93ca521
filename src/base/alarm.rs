//! Points in time at which loops are to be rung, finer than the millisecond of tokio's timers.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Signal, Timestamp};

/// The alarms of a process's loops. Whoever has time rings them.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    due: Mutex<Due>,
    /// The first of them, in nanoseconds.
    next: AtomicU64,
    /// One was set that is sooner than all others, and whoever sleeps may not know.
    news: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self { due: Mutex::default(), next: AtomicU64::new(u64::MAX), news: AtomicBool::default() }
    }
}

#[derive(Debug, Default)]
struct Due {
    signals: BTreeMap<(Timestamp, u64), Signal>,
    count: u64,
}

/// One loop's alarm: the doorbell rings at the time that was set last, or sooner.
#[derive(Debug)]
pub struct Alarm {
    alarms: Alarms,
    signal: Signal,
    set: Option<(Timestamp, u64)>,
}

impl Alarms {
    /// An alarm that rings this doorbell; not set yet.
    pub fn alarm(&self, signal: &Signal) -> Alarm {
        Alarm { alarms: self.clone(), signal: signal.clone(), set: None }
    }

    /// When the next one is to be rung.
    pub(super) fn next(&self) -> Option<Timestamp> {
        Some(Timestamp(self.0.next.load(Acquire))).filter(|next| next.0 < u64::MAX)
    }

    /// Whether an alarm was set that is sooner than all others, since this was last asked.
    pub(super) fn take_news(&self) -> bool {
        self.0.news.load(Relaxed) && self.0.news.swap(false, AcqRel)
    }

    /// Rings all whose time has come.
    pub(super) fn ring_due(&self, now: Timestamp) {
        if self.next().is_none_or(|next| now < next) {
            return;
        }
        let mut due = self.0.lock();
        let later = due.signals.split_off(&(Timestamp(now.0 + 1), 0));
        let rung = std::mem::replace(&mut due.signals, later);
        self.0.note_next(&due);
        drop(due);
        for signal in rung.values() {
            signal.ring();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_next(&self, due: &Due) {
        let next = due.signals.first_key_value().map_or(u64::MAX, |((at, _), _)| at.0);
        self.next.store(next, Release);
    }
}

impl Alarm {
    /// Rings at `at`, or sooner where it was to ring sooner already.
    pub fn set(&mut self, at: Timestamp, now: Timestamp) {
        if self.set.is_some_and(|(set, _)| set <= at && set > now) {
            return;
        }
        let shared = &self.alarms.0;
        let mut due = shared.lock();
        if let Some(set) = self.set {
            due.signals.remove(&set);
        }
        due.count += 1;
        let entry = (at, due.count);
        due.signals.insert(entry, self.signal.clone());
        self.set = Some(entry);
        let was_next = shared.next.load(Acquire);
        shared.note_next(&due);
        if at.0 < was_next {
            shared.news.store(true, Release);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(set) = self.set {
            let mut due = self.alarms.0.lock();
            due.signals.remove(&set);
            self.alarms.0.note_next(&due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::super::now;
    use super::*;

    fn rung(signal: &Signal) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(signal.wait()).poll(&mut context).is_ready()
    }

    #[test]
    fn an_alarm_rings_once_and_the_sooner_of_two_times() {
        let alarms = Alarms::default();
        let signals = [Signal::new(), Signal::new()];
        let mut own = signals.each_ref().map(|signal| alarms.alarm(signal));
        let start = now();
        own[0].set(start, start);
        own[1].set(start + Duration::from_secs(60), start);
        assert!(alarms.take_news());
        assert!(!alarms.take_news());
        alarms.ring_due(now());
        assert!(rung(&signals[0]) && !rung(&signals[1]));
        assert_eq!(alarms.next(), Some(start + Duration::from_secs(60)));
        own[1].set(start + Duration::from_secs(90), start);
        assert_eq!(alarms.next(), Some(start + Duration::from_secs(60)), "it was to ring sooner");
        own[1].set(start + Duration::from_secs(30), start);
        assert_eq!(alarms.next(), Some(start + Duration::from_secs(30)));
        assert!(alarms.take_news());
        alarms.ring_due(now());
        assert!(!rung(&signals[0]) && !rung(&signals[1]));
        drop(own);
        assert_eq!(alarms.next(), None);
    }
}
