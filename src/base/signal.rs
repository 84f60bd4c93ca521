//! A task's doorbell: any thread may ring it, one loop waits for it.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes one waiting loop; a ring that comes while nobody waits is kept (once).
#[derive(Clone, Debug, Default)]
pub struct Signal(Arc<Notify>);

impl Signal {
    /// A new doorbell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the loop, now or as soon as it waits.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Whether both are the same doorbell.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for a ring. Dropping the future loses no ring.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}
