//! A task's doorbell: any thread may ring it, one loop waits for it.

use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

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
    fn take(&self, waker: &Waker) -> bool {
        let taken = self.rung.load(SeqCst) && self.rung.swap(false, SeqCst);
        // Who rings from now on has seen that, and so who is first.
        if taken && self.has_other.load(Relaxed) && self.is_first(waker) {
            self.has_other.store(false, SeqCst);
        }
        taken
    }

    fn is_first(&self, waker: &Waker) -> bool {
        self.first.get().is_some_and(|first| first.will_wake(waker))
    }

    fn ring(&self) {
        // Whoever rang first wakes it for both.
        if self.rung.swap(true, SeqCst) {
            return;
        }
        if let Some(first) = self.first.get() {
            first.wake_by_ref();
        }
        if self.has_other.load(SeqCst) {
            self.other.wake();
        }
    }

    /// Has this waker woken from now on.
    fn register(&self, waker: &Waker) {
        if self.is_first(waker) {
            return;
        }
        self.first.get_or_init(|| waker.clone());
        self.has_other.store(true, SeqCst);
        self.other.register(waker);
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
        poll_fn(|context| self.poll(context)).await;
    }

    /// Waits for a ring, but ends the task's turn in any case: others have theirs before it goes on.
    pub async fn wait_a_turn(&self) {
        let mut has_ended = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_ended, true) {
                return self.poll(context);
            }
            self.0.register(context.waker());
            if self.0.rung.load(SeqCst) {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let waker = context.waker();
        if self.0.take(waker) {
            return Poll::Ready(());
        }
        self.0.register(waker);
        if self.0.take(waker) { Poll::Ready(()) } else { Poll::Pending }
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
    async fn a_wait_of_a_turn_ends_the_turn_and_keeps_the_ring() {
        let signal = Signal::new();
        signal.ring();
        let mut waits = std::pin::pin!(signal.wait_a_turn());
        assert!(poll(waits.as_mut()).is_pending());
        assert!(poll(waits.as_mut()).is_ready());
        signal.ring();
        signal.wait_a_turn().await;
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
        future.poll(&mut Context::from_waker(Waker::noop()))
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
