//! Workers for tests: a transport, what it received and what it told.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::base::{BootId, Incarnation, Signal, Spawner, TaskId, WorkerSlot, now};

use super::super::{
    Inbound, Lane, Outbound, PeerStats, Refused, Transport, TransportEvent, TransportOptions,
};

/// Long enough for any condition on a busy machine; no test passes by waiting it out.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps the numbers of all parts, by task and lane.
#[derive(Default)]
pub(super) struct Recorder {
    parts: Mutex<HashMap<(TaskId, Lane), Vec<u64>>>,
    /// Data parts that are given back at once; without a transport they are kept.
    gives_back_to: OnceLock<Weak<Transport>>,
}

impl Inbound for Recorder {
    fn deliver(&self, from: WorkerSlot, task: TaskId, lane: Lane, part: Bytes) {
        let number = u64::from_le_bytes(part[..8].try_into().unwrap());
        assert!(part[8..].iter().all(|&byte| byte == number as u8));
        let mut parts = self.parts.lock().unwrap();
        parts.entry((task, lane)).or_default().push(number);
        drop(parts);
        let transport = self.gives_back_to.get().and_then(Weak::upgrade);
        if let (Some(transport), Lane::Data) = (transport, lane) {
            transport.return_credit(from, task, part.len());
        }
    }
}

impl Recorder {
    pub(super) fn numbers(&self, task: TaskId, lane: Lane) -> Vec<u64> {
        let parts = self.parts.lock().unwrap();
        parts.get(&(task, lane)).cloned().unwrap_or_default()
    }

    pub(super) fn count(&self, task: TaskId, lane: Lane) -> usize {
        let parts = self.parts.lock().unwrap();
        parts.get(&(task, lane)).map_or(0, Vec::len)
    }
}

/// A worker without tasks.
pub(super) struct Node {
    pub(super) transport: Arc<Transport>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) events: UnboundedReceiver<TransportEvent>,
}

/// Options for a test: quick to notice silence.
pub(super) fn options(slot: u16, incarnation: u32, dir: &Path) -> TransportOptions {
    TransportOptions {
        heartbeat: Duration::from_millis(50),
        dead_after: Duration::from_millis(500),
        ..TransportOptions::new(
            WorkerSlot(slot),
            BootId::random(),
            Incarnation(incarnation),
            dir.join("links"),
        )
    }
}

impl Node {
    /// A worker whose tasks take at once what comes.
    pub(super) async fn quick(options: TransportOptions) -> Self {
        let node = Self::slow(options).await;
        let transport = Arc::downgrade(&node.transport);
        assert!(node.recorder.gives_back_to.set(transport).is_ok());
        node
    }

    /// A worker whose tasks take nothing until the test does.
    pub(super) async fn slow(options: TransportOptions) -> Self {
        let recorder = Arc::new(Recorder::default());
        let (tell, events) = unbounded_channel();
        let inbound = Arc::clone(&recorder);
        let transport = Transport::bind(
            options,
            inbound,
            move |event| drop(tell.send(event)),
            Spawner::current(),
        );
        Self { transport: Arc::new(transport.await.unwrap()), recorder, events }
    }

    pub(super) fn outbound(&self, to: &Node) -> Outbound {
        self.transport.peer(to.slot())
    }

    pub(super) fn slot(&self) -> WorkerSlot {
        self.transport.address().slot
    }

    pub(super) fn stats(&self, of: WorkerSlot) -> PeerStats {
        let stats = self.transport.stats();
        let peer = stats.peers.into_iter().find(|peer| peer.slot == of);
        peer.unwrap_or_default()
    }

    /// The next event that fits; others before it are skipped.
    pub(super) async fn event(&mut self, fits: impl Fn(&TransportEvent) -> bool) -> TransportEvent {
        let next = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if fits(&event) {
                    return event;
                }
            }
        };
        timeout(PATIENCE, next).await.expect("the event comes")
    }

    /// Waits until everything sent has been taken by its tasks.
    pub(super) async fn flushed(&self) -> bool {
        self.transport.flush(now() + PATIENCE).await
    }
}

/// Two workers that know each other; the first sends.
pub(super) async fn pair(dir: &Path) -> (Node, Node) {
    let sender = Node::quick(options(0, 0, dir)).await;
    let taker = Node::quick(options(1, 0, dir)).await;
    introduce(&sender, &taker);
    (sender, taker)
}

pub(super) fn introduce(left: &Node, right: &Node) {
    left.transport.set_peer(right.transport.address()).unwrap();
    right.transport.set_peer(left.transport.address()).unwrap();
}

/// A part that says its number and has a length.
pub(super) fn part(number: u64, length: usize) -> Vec<u8> {
    let mut part = number.to_le_bytes().to_vec();
    part.resize(length.max(8), number as u8);
    part
}

/// Sends, and waits wherever the link says so.
pub(super) async fn send(to: &Outbound, lane: Lane, task: TaskId, mut part: Vec<u8>) {
    let bell = Signal::new();
    loop {
        let sent = match lane {
            Lane::Data => to.try_send(task, part, &bell),
            Lane::Ack => to.try_send_acks(task, part, &bell),
        };
        match sent {
            Ok(()) => return,
            Err(Refused::Full(back)) => part = back,
            Err(refused) => panic!("refused for good: {refused:?}"),
        }
        within(bell.wait()).await;
    }
}

/// Sends until the link takes no more; how many it took, from number `first`.
pub(super) fn fill(to: &Outbound, task: TaskId, first: u64, length: usize, bell: &Signal) -> u64 {
    for sent in 0.. {
        match to.try_send(task, part(first + sent, length), bell) {
            Ok(()) => {}
            Err(Refused::Full(_)) => return sent,
            Err(refused) => panic!("refused for good: {refused:?}"),
        }
    }
    unreachable!("a link takes no end of parts")
}

/// Waits for a condition that nothing announces.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Waits, but not for ever.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it comes to pass")
}
