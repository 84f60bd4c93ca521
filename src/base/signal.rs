//! A task's doorbell: any thread may ring it, one loop waits for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};
use std::task::Poll;

use atomic_waker::AtomicWaker;

/// Wakes one waiting loop; a ring that comes while nobody waits is kept (once).
#[derive(Clone, Debug, Default)]
pub struct Signal(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    waiter: AtomicWaker,
}

impl Bell {
    fn take(&self) -> bool {
        self.rung.swap(false, AcqRel)
    }
}

impl Signal {
    /// A new doorbell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the loop, now or as soon as it waits.
    pub fn ring(&self) {
        // Whoever rang first wakes it for both.
        if !self.0.rung.swap(true, AcqRel) {
            self.0.waiter.wake();
        }
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
            self.0.waiter.register(context.waker());
            if self.0.take() { Poll::Ready(()) } else { Poll::Pending }
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

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
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
