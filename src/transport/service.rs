//! The transport of one worker process: its bound socket, its peers, and the loops that serve them.
//!
//! Looks into no part, and decides nothing about a peer's life: that is the supervisor's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::base::{Budget, Job, Signal, Spawner, TaskId, Timestamp, WorkerSlot, now};

use super::endpoint::{Reserved, check, reserve};
use super::event::Events;
use super::front::Front;
use super::inbound::InboundLoop;
use super::inbox::Inbox;
use super::outbound::OutboundLoop;
use super::peer::Peer;
use super::stats::Counters;
use super::zmq::{Dealer, Router};
use super::{
    AddressError, BindError, EndpointKind, Inbound, Outbound, PeerAddress, PeerStats,
    TransportEvent, TransportOptions, TransportStats, Undelivered,
};

/// How many protocol errors are told within [`TOLD_WITHIN`]; all are counted.
const TOLD_ERRORS: u32 = 10;
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Why a transport could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The runtime that should bind it is shutting down.
    #[error("the process is ending")]
    Ending,
}

/// What the loops and the callers share.
pub(super) struct Shared {
    pub(super) options: Arc<TransportOptions>,
    /// Rung when an executor's returned credit should be told.
    pub(super) answers: Signal,
    /// Rung once, at the end.
    pub(super) stop: Signal,
    events: Arc<Events>,
    settled: Arc<Notify>,
    peers: Mutex<HashMap<WorkerSlot, Arc<Peer>>>,
    inboxes: Mutex<HashMap<WorkerSlot, Arc<Inbox>>>,
    garbage: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(options: TransportOptions, events: Arc<Events>) -> Self {
        let told = Mutex::new(Budget::new(TOLD_ERRORS, TOLD_WITHIN));
        Self {
            options: Arc::new(options),
            answers: Signal::new(),
            stop: Signal::new(),
            events: limit_errors(events, told),
            settled: Arc::default(),
            peers: Mutex::default(),
            inboxes: Mutex::default(),
            garbage: AtomicU64::new(0),
        }
    }

    /// A peer as taken from.
    pub(super) fn inbox(&self, slot: WorkerSlot) -> Arc<Inbox> {
        let mut inboxes = lock(&self.inboxes);
        let inbox =
            inboxes.entry(slot).or_insert_with(|| Arc::new(Inbox::new(slot, &self.options)));
        Arc::clone(inbox)
    }

    /// All peers as taken from.
    pub(super) fn inboxes(&self) -> Vec<Arc<Inbox>> {
        lock(&self.inboxes).values().cloned().collect()
    }

    pub(super) fn peer(&self, slot: WorkerSlot) -> Arc<Peer> {
        let mut peers = lock(&self.peers);
        let peer = peers
            .entry(slot)
            .or_insert_with(|| Arc::new(Peer::new(slot, &self.options, Arc::clone(&self.settled))));
        Arc::clone(peer)
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.peers).values().cloned().collect()
    }

    /// See [`Transport::set_peer`]; the loop to be run where this life was not known.
    pub(super) fn set_peer(
        &self,
        address: PeerAddress,
    ) -> Result<(Undelivered, Option<OutboundLoop>), AddressError> {
        check(&address.endpoint)?;
        let peer = self.peer(address.slot);
        let boot = address.boot;
        let (begun, lost) = peer.begin_life(address.clone())?;
        self.inbox(address.slot).expect(&address);
        let outbound = begun.map(|wake| OutboundLoop {
            peer,
            boot,
            wake,
            options: Arc::clone(&self.options),
            events: Arc::clone(&self.events),
        });
        Ok((lost, outbound))
    }

    /// See [`Transport::remove_peer`].
    pub(super) fn remove_peer(&self, slot: WorkerSlot) -> Undelivered {
        let (boot, lost) = self.peer(slot).end_life();
        self.inbox(slot).forget(boot);
        lost
    }

    /// See [`Transport::return_credit`].
    pub(super) fn return_credit(&self, slot: WorkerSlot, task: TaskId, bytes: usize) {
        let inbox = self.inbox(slot);
        match inbox.give_back(task, bytes) {
            Ok(true) => self.answers.ring(),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%slot, %task, bytes, %error, "credit was given back twice");
                self.garbage(Some(&inbox), error.to_string());
            }
        }
    }

    /// See [`Transport::stats`].
    pub(super) fn stats(&self) -> TransportStats {
        let mut peers: HashMap<WorkerSlot, PeerStats> = HashMap::new();
        let named = |slot| PeerStats { slot, ..PeerStats::default() };
        for peer in self.peers() {
            let slot = peer.slot;
            peer.fill(peers.entry(slot).or_insert_with(|| named(slot)));
        }
        for inbox in self.inboxes() {
            let slot = inbox.slot;
            inbox.fill(peers.entry(slot).or_insert_with(|| named(slot)));
        }
        let mut peers: Vec<_> = peers.into_values().collect();
        peers.sort_by_key(|stats| stats.slot);
        TransportStats { peers, garbage: self.garbage.load(Relaxed) }
    }

    /// Counts and tells what came and should not have.
    pub(super) fn garbage(&self, from: Option<&Inbox>, message: String) {
        match from {
            Some(inbox) => Counters::add(&inbox.counters.protocol_errors, 1),
            None => {
                self.garbage.fetch_add(1, Relaxed);
            }
        }
        (self.events)(TransportEvent::ProtocolError {
            slot: from.map(|inbox| inbox.slot),
            message,
        });
    }
}

/// Lets only so many protocol errors through: a flood of them must not become a flood of events.
fn limit_errors(events: Arc<Events>, told: Mutex<Budget>) -> Arc<Events> {
    Arc::new(move |event| {
        let limited = matches!(event, TransportEvent::ProtocolError { .. });
        if !limited || lock(&told).spend(now()) {
            events(event);
        }
    })
}

/// One worker's links to and from all other workers.
///
/// Dropping it stops all at once; [`Self::close`] also waits until the address is free.
pub struct Transport {
    shared: Arc<Shared>,
    address: PeerAddress,
    io: Spawner,
    jobs: Mutex<Vec<JoinHandle<Option<()>>>>,
}

impl Transport {
    /// Binds this worker's socket and begins to take what peers send. Sockets and loops live on `io`.
    /// `events` is called from those loops and must not wait; a panic in it or in `inbound` ends the
    /// process.
    ///
    /// # Errors
    /// The folder is not private, the address is in use, or the socket cannot be bound.
    pub async fn bind(
        options: TransportOptions,
        inbound: Arc<dyn Inbound>,
        events: impl Fn(TransportEvent) + Send + Sync + 'static,
        io: Spawner,
    ) -> Result<Self, TransportError> {
        let shared = Arc::new(Shared::new(options, Arc::new(events)));
        let binding = bind_socket(Arc::clone(&shared), io.clone());
        let (hub, endpoint, held) = io
            .spawn(Job::Owned("bind transport"), binding)
            .await
            .ok()
            .flatten()
            .ok_or(TransportError::Ending)??;
        let address = PeerAddress {
            slot: shared.options.slot,
            incarnation: shared.options.incarnation,
            boot: shared.options.boot,
            endpoint,
        };
        let inbound =
            InboundLoop { hub, shared: Arc::clone(&shared), inbound, senders: HashMap::new() };
        let job = io.spawn(Job::Vital("links from peers"), async move {
            inbound.run().await;
            let (reserved, front) = held;
            if let Some(front) = front {
                front.close().await;
            }
            drop(reserved);
        });
        Ok(Self { shared, address, io, jobs: Mutex::new(vec![job]) })
    }

    /// Where others find this process.
    pub fn address(&self) -> PeerAddress {
        self.address.clone()
    }

    /// Begins to send to a life of a peer, and takes only from it or a newer one. Where it is another
    /// life than before, all that was queued for the old one is dropped (and counted in what is given
    /// back), credits start anew and waiters are rung.
    ///
    /// # Errors
    /// An address that is not on this machine, or a life that has ended already; nothing is changed then.
    pub fn set_peer(&self, address: PeerAddress) -> Result<Undelivered, AddressError> {
        let (lost, outbound) = self.shared.set_peer(address)?;
        if let Some(outbound) = outbound {
            let mut jobs = lock(&self.jobs);
            jobs.retain(|job| !job.is_finished());
            jobs.push(self.io.spawn(Job::Vital("link to a peer"), outbound.run::<Dealer>()));
        }
        Ok(lost)
    }

    /// A peer is known to be dead: what was queued for it is dropped, sending to it is refused until
    /// [`Self::set_peer`] names another life, and nothing that still comes from it counts.
    pub fn remove_peer(&self, slot: WorkerSlot) -> Undelivered {
        self.shared.remove_peer(slot)
    }

    /// A handle to send to a slot, whichever life of its worker is current.
    pub fn peer(&self, slot: WorkerSlot) -> Outbound {
        Outbound(self.shared.peer(slot))
    }

    /// A task has taken a part of the data lane (or it was dropped): its sender may send as much again.
    pub fn return_credit(&self, slot: WorkerSlot, task: TaskId, bytes: usize) {
        self.shared.return_credit(slot, task, bytes);
    }

    /// Waits until the tasks of all peers have taken everything that was sent, so that this process can
    /// end without loss; false where that was not so by `deadline`.
    pub async fn flush(&self, deadline: Timestamp) -> bool {
        loop {
            let settled = self.shared.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.shared.peers().iter().all(|peer| peer.is_settled()) {
                return true;
            }
            let left = deadline.since(now());
            if left.is_zero() || timeout(left, settled).await.is_err() {
                return self.shared.peers().iter().all(|peer| peer.is_settled());
            }
        }
    }

    /// Ends all links at once, and waits until the address is free. What is still queued is dropped;
    /// see [`Self::flush`].
    pub async fn close(self) {
        self.stop();
        let jobs = std::mem::take(&mut *lock(&self.jobs));
        for job in jobs {
            if job.await.is_err() {
                tracing::debug!("a link's loop ended with its runtime");
            }
        }
    }

    fn stop(&self) {
        for peer in self.shared.peers() {
            peer.end_life();
        }
        self.shared.stop.ring();
    }

    /// What has been carried so far.
    pub fn stats(&self) -> TransportStats {
        self.shared.stats()
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn bind_socket(
    shared: Arc<Shared>,
    io: Spawner,
) -> Result<(Router, String, (Reserved, Option<Front>)), BindError> {
    let reserved = reserve(&shared.options)?;
    let failed =
        |endpoint: &str, reason| BindError::Socket { endpoint: endpoint.to_owned(), reason };
    let hub =
        Router::bind(&reserved.path).await.map_err(|error| failed(&reserved.endpoint, error.0))?;
    if shared.options.kind == EndpointKind::Ipc {
        return Ok((hub, reserved.endpoint.clone(), (reserved, None)));
    }
    let front = Front::open(reserved.path.clone(), shared, &io)
        .await
        .map_err(|error| failed("tcp://127.0.0.1:0", error.to_string()))?;
    Ok((hub, front.endpoint.clone(), (reserved, Some(front))))
}
