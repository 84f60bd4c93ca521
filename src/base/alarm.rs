//! Rings doorbells at points in time, finer than the millisecond of tokio's timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Signal, Timestamp, now};

/// One thread that sleeps until the next point in time that somebody asked for.
#[derive(Clone, Debug)]
pub struct Alarms(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    signal: Signal,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Alarms {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ringer = Arc::clone(&shared);
        thread::Builder::new().name("alarms".to_owned()).spawn(move || ringer.run())?;
        Ok(Self(shared))
    }

    /// Rings `signal` at `at`, or very soon where that has passed.
    pub fn ring_at(&self, at: Timestamp, signal: &Signal) {
        let mut queue = self.0.lock();
        let sooner = queue.heap.peek().is_none_or(|Reverse(next)| at < next.at);
        queue.heap.push(Reverse(Entry { at, signal: signal.clone() }));
        if sooner {
            self.0.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut queue = self.lock();
        while !queue.closed {
            let now = now();
            while queue.heap.peek().is_some_and(|Reverse(next)| next.at <= now) {
                if let Some(Reverse(entry)) = queue.heap.pop() {
                    entry.signal.ring();
                }
            }
            queue = match queue.heap.peek() {
                Some(Reverse(next)) => {
                    let span = next.at.since(now);
                    let waited = self.changed.wait_timeout(queue, span);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn alarms_ring_in_order_and_not_before_their_time() {
        let alarms = Alarms::start().unwrap();
        let (late, soon) = (Signal::new(), Signal::new());
        let start = now();
        alarms.ring_at(start + Duration::from_millis(4), &late);
        alarms.ring_at(start + Duration::from_micros(500), &soon);
        soon.wait().await;
        assert!(now() >= start + Duration::from_micros(500));
        late.wait().await;
        assert!(now() >= start + Duration::from_millis(4));
        alarms.stop();
    }
}
