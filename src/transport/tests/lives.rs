//! Peers that are removed, replaced and come back from the dead.

use crate::base::{Incarnation, Signal, TaskId, WorkerSlot};

use super::super::{AddressError, Lane, PeerAddress, Refused, TransportEvent, Undelivered};
use super::harness::{Node, fill, introduce, options, pair, part, send, until, within};

const TASK: TaskId = TaskId(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_to_a_removed_peer_is_refused_and_its_waiters_are_rung() {
    let dir = tempfile::tempdir().unwrap();
    let sender = Node::quick(options(0, 0, dir.path())).await;
    let taker = Node::slow(options(1, 0, dir.path())).await;
    introduce(&sender, &taker);
    let outbound = sender.outbound(&taker);
    let bell = Signal::new();
    assert!(fill(&outbound, TASK, 0, 50_000, &bell) > 0);
    sender.transport.remove_peer(taker.slot());
    within(bell.wait()).await;
    let refused = outbound.try_send(TASK, part(0, 8), &bell);
    assert_eq!(refused, Err(Refused::Gone(part(0, 8))));
    let back = sender.transport.set_peer(taker.transport.address());
    assert_eq!(back, Err(AddressError::Ended { slot: taker.slot() }));
    assert!(sender.flushed().await, "nothing is waited for any more");
}

#[tokio::test]
async fn what_a_removed_peer_had_not_taken_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, taker) = pair(dir.path()).await;
    let outbound = sender.outbound(&taker);
    for number in 0..10 {
        outbound.try_send(TASK, part(number, 100), &Signal::new()).unwrap();
    }
    let lost = sender.transport.remove_peer(taker.slot());
    assert_eq!(lost, Undelivered { parts: 10, bytes: 1_000 });
    let stats = sender.stats(taker.slot());
    assert_eq!((stats.dropped_parts, stats.dropped_bytes), (10, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_for_a_life_that_is_gone_go_to_its_successor() {
    // Some may be for roots of the successor: it may be known to others sooner than to this worker.
    let dir = tempfile::tempdir().unwrap();
    let (sender, old) = pair(dir.path()).await;
    let outbound = sender.outbound(&old);
    send(&outbound, Lane::Ack, TASK, part(0, 100)).await;
    until(|| old.recorder.count(TASK, Lane::Ack) == 1).await;
    assert!(sender.flushed().await);
    let slot = old.slot();
    drop(old);
    for number in 1..10 {
        send(&outbound, Lane::Ack, TASK, part(number, 100)).await;
    }
    outbound.try_send(TASK, part(10, 100), &Signal::new()).unwrap();
    let lost = sender.transport.remove_peer(slot);
    assert_eq!(lost, Undelivered { parts: 1, bytes: 100 }, "tuples are the ledgers' business");
    let elsewhere = tempfile::tempdir().unwrap();
    let new = Node::quick(options(1, 1, elsewhere.path())).await;
    introduce(&sender, &new);
    until(|| new.recorder.count(TASK, Lane::Ack) == 9).await;
    assert_eq!(new.recorder.numbers(TASK, Lane::Ack), (1..10).collect::<Vec<_>>());
    assert!(sender.flushed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_was_removed_is_not_listened_to() {
    let dir = tempfile::tempdir().unwrap();
    let (mut sender, taker) = pair(dir.path()).await;
    let outbound = sender.outbound(&taker);
    send(&outbound, Lane::Data, TASK, part(0, 100)).await;
    assert!(sender.flushed().await);
    taker.transport.remove_peer(sender.slot());
    send(&outbound, Lane::Data, TASK, part(1, 100)).await;
    let event = sender.event(|event| matches!(event, TransportEvent::Unresponsive { .. }));
    let TransportEvent::Unresponsive { slot, .. } = event.await else {
        unreachable!("asked for");
    };
    assert_eq!(slot, taker.slot());
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_life_of_a_sender_ends_the_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let taker = Node::slow(options(1, 0, dir.path())).await;
    let old = Node::quick(options(0, 0, dir.path())).await;
    introduce(&old, &taker);
    send(&old.outbound(&taker), Lane::Data, TASK, part(0, 100)).await;
    until(|| taker.recorder.count(TASK, Lane::Data) == 1).await;

    // The newer one has another address, so that the old one lives on beside it.
    let elsewhere = tempfile::tempdir().unwrap();
    let new = Node::quick(options(0, 1, elsewhere.path())).await;
    new.transport.set_peer(taker.transport.address()).unwrap();
    let outbound = new.outbound(&taker);
    let bell = Signal::new();
    let sent = fill(&outbound, TASK, 10, 100_000, &bell);
    until(|| taker.recorder.count(TASK, Lane::Data) as u64 == 1 + sent).await;
    send(&old.outbound(&taker), Lane::Data, TASK, part(1, 100)).await;

    // What the task takes of the old life's gives the new life no credit.
    taker.transport.return_credit(WorkerSlot(0), TASK, 100);
    taker.transport.return_credit(WorkerSlot(0), TASK, 100_000);
    within(bell.wait()).await;
    assert_eq!(fill(&outbound, TASK, 10 + sent, 100_000, &bell), 1);
    until(|| taker.recorder.count(TASK, Lane::Data) as u64 == 2 + sent).await;
    let numbers: Vec<u64> = std::iter::once(0).chain(10..=10 + sent).collect();
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), numbers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_at_the_peer_s_address_gets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sender = Node::quick(options(0, 0, dir.path())).await;
    let mut taker = Node::quick(options(1, 1, dir.path())).await;
    let mut sender = sender;
    let wrong = PeerAddress {
        incarnation: Incarnation(0),
        boot: crate::base::BootId::random(),
        ..taker.transport.address()
    };
    sender.transport.set_peer(wrong).unwrap();
    let outbound = sender.outbound(&taker);
    send(&outbound, Lane::Data, TASK, part(0, 100)).await;
    let event = sender.event(|event| matches!(event, TransportEvent::Unresponsive { .. }));
    let TransportEvent::Unresponsive { last_error, .. } = event.await else {
        unreachable!("asked for");
    };
    let reason = "another process answers at the peer's address";
    assert_eq!(last_error.as_deref(), Some(reason));
    let lost = sender.transport.set_peer(taker.transport.address()).unwrap();
    assert_eq!(lost, Undelivered { parts: 1, bytes: 100 });
    send(&outbound, Lane::Data, TASK, part(1, 100)).await;
    assert!(sender.flushed().await);
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [1]);
    assert!(taker.events.try_recv().is_err(), "nothing to tell there");
}
