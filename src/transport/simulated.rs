//! One worker's transport for the simulator: the real peers, inboxes and frames without sockets.
//!
//! What the loops would write comes out as parcels, and what they would read goes in. It loses, delays
//! and decides nothing: that is the simulator's.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Signal, TaskId, WorkerSlot, now};

use super::frame::{Header, Message, encode};
use super::inbound::InboundLoop;
use super::link::{ConnectionKey, Frame, Hub, HubEvent, Link, LinkError};
use super::outbound::{Connection, OutboundLoop, Watch};
use super::replies::Due;
use super::service::Shared;
use super::{Inbound, Outbound, PeerAddress, TransportEvent, TransportOptions};

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel(Frame);

impl Parcel {
    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.head.len() + self.0.body.len()
    }
}

/// A batch on its way: its number, the bytes of its parts, and the frame.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) sequence: u64,
    pub(crate) bytes: usize,
    pub(crate) parcel: Parcel,
}

/// Answers for connections, and whether more may be said a moment later.
pub(crate) type Answers = (Vec<(u64, Parcel)>, bool);

/// The receiving end's socket: what is sent is put here.
#[derive(Default)]
struct Tray(Vec<(ConnectionKey, Frame)>);

impl Hub for Tray {
    async fn recv(&mut self) -> Result<HubEvent, LinkError> {
        pending().await
    }

    async fn send(&mut self, to: &ConnectionKey, frame: Frame) -> Result<(), LinkError> {
        self.0.push((to.clone(), frame));
        Ok(())
    }

    async fn close(self) {}
}

/// The sending end's socket: the simulator writes for it.
struct NoWire;

impl Link for NoWire {
    async fn connect(_: &str, _: Duration) -> Result<Self, LinkError> {
        pending().await
    }

    async fn send(&mut self, _: Frame) -> Result<(), LinkError> {
        pending().await
    }

    async fn recv(&mut self) -> Result<Frame, LinkError> {
        pending().await
    }
}

/// Runs what never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the simulated socket never waits"),
    }
}

fn rings(signal: &Signal) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(signal.wait()).poll(&mut context).is_ready()
}

struct OutLink {
    owner: OutboundLoop,
    watch: Watch,
    line: Option<Line>,
}

#[derive(Clone, Copy)]
struct Line {
    header: Header,
    welcomed: bool,
}

/// The transport of one life of one worker.
pub(crate) struct Node {
    shared: Arc<Shared>,
    inbound: InboundLoop<Tray>,
    links: BTreeMap<WorkerSlot, OutLink>,
}

impl Node {
    pub(crate) fn new(
        options: TransportOptions,
        inbound: Arc<dyn Inbound>,
        events: impl Fn(TransportEvent) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::new(options, Arc::new(events)));
        let hub = Tray::default();
        let inbound =
            InboundLoop { hub, shared: Arc::clone(&shared), inbound, senders: HashMap::new() };
        Self { shared, inbound, links: BTreeMap::new() }
    }

    /// Names a peer's life; true where a link to it has to be made.
    pub(crate) fn set_peer(&mut self, address: PeerAddress) -> bool {
        let slot = address.slot;
        let Ok((_, Some(owner))) = self.shared.set_peer(address) else {
            return false;
        };
        let watch = Watch::new(&owner.options);
        self.links.insert(slot, OutLink { owner, watch, line: None });
        true
    }

    pub(crate) fn remove_peer(&mut self, slot: WorkerSlot) {
        self.shared.remove_peer(slot);
        self.links.remove(&slot);
    }

    pub(crate) fn outbound(&self, slot: WorkerSlot) -> Outbound {
        Outbound(self.shared.peer(slot))
    }

    /// Gives credit back, as [`super::Transport::return_credit`] does.
    pub(crate) fn credit_door(&self) -> impl Fn(WorkerSlot, TaskId, usize) + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |slot, task, bytes| shared.return_credit(slot, task, bytes)
    }

    pub(crate) fn peers(&self) -> Vec<WorkerSlot> {
        self.links.keys().copied().collect()
    }

    /// Whether the link's loop would wake up.
    pub(crate) fn link_rung(&self, slot: WorkerSlot) -> bool {
        self.links.get(&slot).is_some_and(|link| rings(&link.owner.wake))
    }

    pub(crate) fn answers_rung(&self) -> bool {
        rings(&self.shared.answers)
    }

    pub(crate) fn is_connected(&self, slot: WorkerSlot) -> bool {
        self.links.get(&slot).is_some_and(|link| link.line.is_some())
    }

    /// Begins a connection: the hello to send on it.
    pub(crate) fn connect(&mut self, slot: WorkerSlot) -> Option<Parcel> {
        let link = self.links.get_mut(&slot)?;
        let epoch = link.owner.peer.connect(link.owner.boot)?;
        link.watch.vigil.connected(now());
        let header = link.owner.header(epoch);
        link.line = Some(Line { header, welcomed: false });
        let options = &link.owner.options;
        let hello = Message::Hello { slot: options.slot, incarnation: options.incarnation };
        Some(Parcel(encode(&header, &hello)))
    }

    /// The connection is gone.
    pub(crate) fn disconnect(&mut self, slot: WorkerSlot) {
        if let Some(link) = self.links.get_mut(&slot) {
            link.line = None;
            link.owner.peer.disconnect(link.owner.boot);
        }
    }

    /// The next batch for a connection.
    pub(crate) fn next(&mut self, slot: WorkerSlot) -> Option<Batch> {
        let OutLink { owner, line, .. } = self.links.get_mut(&slot)?;
        let line = (*line)?;
        let outgoing = owner.peer.next(owner.boot)?;
        let (sequence, bytes) = (outgoing.numbered.sequence, outgoing.numbered.batch.body.len());
        let Line { header, welcomed } = line;
        let connection = Connection { owner, link: NoWire, header, welcomed };
        Some(Batch { sequence, bytes, parcel: Parcel(connection.batch(outgoing)) })
    }

    /// A heartbeat is due: the ping, or `Err` where the connection is to be given up.
    pub(crate) fn tick(&mut self, slot: WorkerSlot) -> Result<Option<Parcel>, String> {
        let Some(link) = self.links.get_mut(&slot) else { return Ok(None) };
        let heartbeat = link.owner.options.heartbeat;
        let silent = link.owner.judge(&mut link.watch, heartbeat);
        let Some(Line { header, welcomed }) = link.line else { return Ok(None) };
        let connection = Connection { owner: &link.owner, link: NoWire, header, welcomed };
        match silent {
            Some(span) => Err(format!("silent for {span:?}")),
            None => Ok(Some(Parcel(connection.ping()))),
        }
    }

    /// What came back on a connection; `Err` where it is to be given up.
    pub(crate) fn answered(&mut self, slot: WorkerSlot, parcel: &Parcel) -> Result<(), String> {
        let Some(OutLink { owner, watch, line }) = self.links.get_mut(&slot) else {
            return Ok(());
        };
        let Some(Line { header, welcomed }) = *line else { return Ok(()) };
        let mut connection = Connection { owner, link: NoWire, header, welcomed };
        let taken = connection.take(&parcel.0, watch);
        *line = Some(Line { header, welcomed: connection.welcomed });
        taken.map_err(|broken| broken.to_string())
    }

    /// Takes a frame that came on a connection to this worker.
    pub(crate) fn take(&mut self, connection: u64, parcel: Parcel) -> Answers {
        let key = ConnectionKey(Bytes::copy_from_slice(&connection.to_le_bytes()));
        let due = at_once(self.inbound.take(HubEvent::Frame(key, parcel.0)));
        self.collect(due)
    }

    /// Answers all peers: those to whom it is due, or with `late` also those who could wait.
    pub(crate) fn answer_all(&mut self, late: bool) -> Answers {
        let least = if late { Due::Soon } else { Due::Now };
        let due = at_once(self.inbound.answer_all(least));
        self.collect(due)
    }

    fn collect(&mut self, due: Due) -> Answers {
        let sent = std::mem::take(&mut self.inbound.hub.0).into_iter();
        let mut sent: Vec<_> = sent
            .map(|(key, frame)| {
                let bytes = key.0[..].try_into().expect("keys are numbers of connections");
                (u64::from_le_bytes(bytes), Parcel(frame))
            })
            .collect();
        sent.sort_by_key(|(connection, _)| *connection);
        (sent, due == Due::Soon)
    }
}
