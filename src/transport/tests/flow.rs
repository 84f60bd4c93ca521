//! What a link carries, and what it holds back.

use crate::base::{Signal, Spawner, TaskId, now};

use super::super::link::{Frame, Link};
use super::super::zmq::Dealer;
use super::super::{
    EndpointKind, Lane, Refused, Transport, TransportError, TransportEvent, TransportOptions,
};
use super::harness::{Node, Recorder, fill, introduce, options, pair, part, send, until, within};

const TASK: TaskId = TaskId(4);
const OTHER: TaskId = TaskId(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_arrive_once_and_in_order_over_both_kinds_of_sockets() {
    const PARTS: u64 = 5_000;
    for kind in [EndpointKind::Ipc, EndpointKind::Tcp] {
        let dir = tempfile::tempdir().unwrap();
        let with_kind = |slot| TransportOptions { kind, ..options(slot, 0, dir.path()) };
        let left = Node::quick(with_kind(0)).await;
        let right = Node::quick(with_kind(1)).await;
        introduce(&left, &right);
        for (from, to) in [(&left, &right), (&right, &left)] {
            let outbound = from.outbound(to);
            for number in 0..PARTS {
                let task = if number % 2 == 0 { TASK } else { OTHER };
                send(&outbound, Lane::Data, task, part(number, number as usize % 2_000)).await;
            }
            assert!(from.flushed().await);
            for (task, first) in [(TASK, 0), (OTHER, 1)] {
                let sent: Vec<u64> = (first..PARTS).step_by(2).collect();
                assert_eq!(to.recorder.numbers(task, Lane::Data), sent);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_task_bounds_its_sender_and_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let small = |slot| TransportOptions { credit: 100_000, ..options(slot, 0, dir.path()) };
    let sender = Node::quick(small(0)).await;
    let taker = Node::slow(small(1)).await;
    introduce(&sender, &taker);
    let outbound = sender.outbound(&taker);
    let bell = Signal::new();
    assert_eq!(fill(&outbound, TASK, 0, 1_000, &bell), 100);
    until(|| taker.recorder.count(TASK, Lane::Data) == 100).await;
    assert_eq!(fill(&outbound, TASK, 100, 1_000, &bell), 0, "a delivery gives no credit");
    assert_eq!(sender.stats(taker.slot()).spent_credit_bytes, 100_000);
    assert_eq!(taker.stats(sender.slot()).held_bytes, 100_000);

    send(&outbound, Lane::Ack, TASK, part(7, 8)).await;
    send(&outbound, Lane::Data, OTHER, part(8, 8)).await;
    until(|| taker.recorder.count(TASK, Lane::Ack) == 1).await;
    until(|| taker.recorder.count(OTHER, Lane::Data) == 1).await;

    taker.transport.return_credit(sender.slot(), TASK, 1_000);
    within(bell.wait()).await;
    assert_eq!(fill(&outbound, TASK, 100, 1_000, &bell), 1);
    until(|| taker.recorder.count(TASK, Lane::Data) == 101).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_larger_than_credit_and_window_goes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, taker) = pair(dir.path()).await;
    let outbound = sender.outbound(&taker);
    for number in 0..6 {
        let length = if number % 2 == 0 { 8 << 20 } else { 100 };
        send(&outbound, Lane::Data, TASK, part(number, length)).await;
    }
    assert!(sender.flushed().await);
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [0, 1, 2, 3, 4, 5]);
    let bell = Signal::new();
    for wrong in [Vec::new(), vec![0; (64 << 20) + 1]] {
        let refused = outbound.try_send(TASK, wrong, &bell);
        assert!(matches!(refused, Err(Refused::BadSize(_))));
    }
}

#[tokio::test]
async fn parts_that_wait_for_a_link_become_full_batches() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, taker) = pair(dir.path()).await;
    let outbound = sender.outbound(&taker);
    // Nothing else runs on this thread before the first wait.
    for number in 0..1_000 {
        outbound.try_send(TASK, part(number, 100), &Signal::new()).unwrap();
    }
    assert!(sender.flushed().await);
    let stats = sender.stats(taker.slot());
    assert_eq!((stats.sent_parts, stats.sent_batches), (1_000, 2));
    assert_eq!(stats.sent_bytes, 100_000);
}

#[tokio::test]
async fn a_full_ack_queue_refuses_and_rings_when_it_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, taker) = pair(dir.path()).await;
    let outbound = sender.outbound(&taker);
    let bell = Signal::new();
    let window = options(0, 0, dir.path()).ack_window;
    outbound.try_send_acks(TASK, part(0, window), &bell).unwrap();
    let refused = outbound.try_send_acks(TASK, part(1, 8), &bell);
    assert_eq!(refused, Err(Refused::Full(part(1, 8))));
    within(bell.wait()).await;
    outbound.try_send_acks(TASK, part(1, 8), &bell).unwrap();
    until(|| taker.recorder.numbers(TASK, Lane::Ack) == [0, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flush_waits_for_the_tasks_and_not_for_the_link_alone() {
    let dir = tempfile::tempdir().unwrap();
    let sender = Node::quick(options(0, 0, dir.path())).await;
    let taker = Node::slow(options(1, 0, dir.path())).await;
    introduce(&sender, &taker);
    send(&sender.outbound(&taker), Lane::Data, TASK, part(0, 100)).await;
    until(|| taker.recorder.count(TASK, Lane::Data) == 1).await;
    assert!(!sender.transport.flush(now()).await);
    taker.transport.return_credit(sender.slot(), TASK, 100);
    assert!(sender.flushed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_socket_is_told_counted_and_harmless() {
    use tokio::io::AsyncWriteExt;

    let dir = tempfile::tempdir().unwrap();
    let (sender, mut taker) = pair(dir.path()).await;
    let endpoint = taker.transport.address().endpoint;
    let path = endpoint.strip_prefix("ipc://").unwrap();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0; 200]] {
        let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        taker.event(is_nameless_error).await;
    }
    let timeout = options(0, 0, dir.path()).connect_timeout;
    let mut stranger = Dealer::connect(&endpoint, timeout).await.unwrap();
    let hello = taker.transport.address().boot.0.as_bytes().to_vec();
    for head in [Vec::new(), b"GW".to_vec(), b"GW\x01\x02".to_vec(), vec![7; 1000], hello] {
        stranger.send(Frame::bare(head)).await.unwrap();
        taker.event(is_nameless_error).await;
    }
    drop(stranger);
    assert!(taker.transport.stats().garbage >= 8);
    send(&sender.outbound(&taker), Lane::Data, TASK, part(0, 100)).await;
    assert!(sender.flushed().await);
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [0]);
}

fn is_nameless_error(event: &TransportEvent) -> bool {
    matches!(event, TransportEvent::ProtocolError { slot: None, .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_free_again_once_its_transport_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let bind = || {
        Transport::bind(
            options(0, 0, dir.path()),
            std::sync::Arc::new(Recorder::default()),
            |_| {},
            Spawner::current(),
        )
    };
    for _ in 0..3 {
        let transport = bind().await.unwrap();
        let refused = bind().await.unwrap_err();
        assert!(matches!(refused, TransportError::Bind(_)), "{refused}");
        transport.close().await;
    }
}
