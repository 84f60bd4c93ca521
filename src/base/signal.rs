//! A task's doorbell: any thread may ring it, one loop waits for it.

use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

use atomic_waker::AtomicWaker;

/// Wakes one waiting loop; a ring that comes while nobody waits is kept (once).
#[derive(Clone, Debug, Default)]
pub struct Signal(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    /// Who waited first. Mostly nobody else ever does, so it is kept, and neither to wait nor to ring takes more
    /// than a look at it.
    first: OnceLock<Waker>,
    /// Who waits for the first time, or beside the first.
    other: AtomicWaker,
    has_other: AtomicBool,
}

impl Bell {
    fn take(&self) -> bool {
        self.rung.load(SeqCst) && self.rung.swap(false, SeqCst)
    }

    fn ring(&self) {
        // Whoever rang first wakes it for both.
        if self.rung.swap(true, SeqCst) {
            return;
        }
        // Seen by whoever finds what a wait of the first one has taken.
        if let Some(first) = self.first.get() {
            first.wake_by_ref();
        }
        if self.has_other.load(SeqCst) {
            self.other.wake();
        }
    }

    /// Has this waker woken from now on; whether a ring may have come just before.
    fn register(&self, waker: &Waker) -> bool {
        if self.first.get().is_some_and(|first| first.will_wake(waker)) {
            if self.has_other.load(Relaxed) {
                self.has_other.store(false, SeqCst);
            }
            return false;
        }
        self.first.get_or_init(|| waker.clone());
        self.has_other.store(true, SeqCst);
        self.other.register(waker);
        true
    }
}

impl Signal {
    /// A new doorbell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the loop, now or as soon as it waits.
    pub fn ring(&self) {
        self.0.ring();
    }

    /// Whether both are the same doorbell.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for a ring. Dropping the future loses no ring. One loop may wait at a time.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.0.take() {
                return Poll::Ready(());
            }
            let rung = self.0.register(context.waker()) && self.0.take();
            if rung { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_ring_is_kept_once() {
        let signal = Signal::new();
        signal.ring();
        signal.clone().ring();
        signal.wait().await;
        let mut waits = std::pin::pin!(signal.wait());
        assert!(poll(waits.as_mut()).is_pending());
        signal.ring();
        waits.await;
    }

    #[tokio::test]
    async fn any_of_several_waiters_is_woken() {
        let signal = Signal::new();
        for _ in 0..3 {
            for _ in 0..2 {
                let waiting = signal.clone();
                let waiter = tokio::spawn(async move { waiting.wait().await });
                tokio::task::yield_now().await;
                signal.ring();
                waiter.await.unwrap();
            }
            let mut own = std::pin::pin!(signal.wait());
            assert!(poll(own.as_mut()).is_pending());
            signal.ring();
            own.await;
        }
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(Waker::noop()))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_ring_is_lost_between_threads() {
        const COUNT: u64 = 200_000;
        let (there, back) = (Signal::new(), Signal::new());
        let done = Arc::new(AtomicU64::new(0));
        let echo = {
            let (there, back, done) = (there.clone(), back.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                for _ in 0..COUNT {
                    there.wait().await;
                    done.fetch_add(1, Relaxed);
                    back.ring();
                }
            })
        };
        for number in 1..=COUNT {
            there.ring();
            back.wait().await;
            assert_eq!(done.load(Relaxed), number);
        }
        echo.await.unwrap();
    }
}
