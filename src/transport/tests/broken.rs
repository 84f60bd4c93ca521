//! Connections that break, stall and deliver late between two living processes.

use std::path::Path;

use crate::base::TaskId;

use super::super::{EndpointKind, Lane, PeerAddress, TransportEvent, TransportOptions};
use super::harness::{Node, options, part, send, until};
use super::proxy::Proxy;

const TASK: TaskId = TaskId(4);

fn tcp(slot: u16, dir: &Path) -> TransportOptions {
    TransportOptions { kind: EndpointKind::Tcp, ..options(slot, 0, dir) }
}

async fn through_proxy(dir: &Path) -> (Node, Node, Proxy) {
    let sender = Node::quick(tcp(0, dir)).await;
    let taker = Node::quick(tcp(1, dir)).await;
    let address = taker.transport.address();
    let proxy = Proxy::before(&address.endpoint).await;
    let address = PeerAddress { endpoint: proxy.endpoint.clone(), ..address };
    sender.transport.set_peer(address).unwrap();
    (sender, taker, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_repeat_and_reorder_nothing() {
    const PARTS: u64 = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let (sender, taker, proxy) = through_proxy(dir.path()).await;
    let outbound = sender.outbound(&taker);
    let mut cuts = 0;
    for number in 0..PARTS {
        send(&outbound, Lane::Data, TASK, part(number, 700)).await;
        if number % 3 == 0 {
            send(&outbound, Lane::Ack, TASK, part(number, 20)).await;
        }
        if number % 2_500 == 2_499 {
            // Each cut hits a connection that carries something.
            let connected = cuts + 1;
            until(|| sender.stats(taker.slot()).connections >= connected).await;
            proxy.cut();
            cuts += 1;
        }
    }
    assert!(sender.flushed().await);
    until(|| taker.recorder.count(TASK, Lane::Ack) as u64 == PARTS.div_ceil(3)).await;
    let data: Vec<u64> = (0..PARTS).collect();
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), data);
    let acks: Vec<u64> = (0..PARTS).step_by(3).collect();
    assert_eq!(taker.recorder.numbers(TASK, Lane::Ack), acks);
    let stats = sender.stats(taker.slot());
    assert_eq!(stats.connections, cuts + 1);
    assert_eq!(stats.sent_parts, PARTS + PARTS.div_ceil(3));
    assert_eq!((stats.protocol_errors, stats.dropped_parts), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_connection_is_noticed_and_its_late_delivery_does_no_harm() {
    const PARTS: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let (mut sender, taker, proxy) = through_proxy(dir.path()).await;
    let outbound = sender.outbound(&taker);
    sender.event(|event| matches!(event, TransportEvent::Connected { .. })).await;
    send(&outbound, Lane::Data, TASK, part(0, 700)).await;
    assert!(sender.flushed().await);
    proxy.stall();
    for number in 1..1_000 {
        send(&outbound, Lane::Data, TASK, part(number, 700)).await;
    }
    sender.event(|event| matches!(event, TransportEvent::Unresponsive { .. })).await;
    sender.event(|event| matches!(event, TransportEvent::Connected { .. })).await;
    assert!(sender.flushed().await);
    assert!(sender.stats(taker.slot()).resent_batches > 0);
    assert_eq!(taker.stats(sender.slot()).repeated_batches, 0);
    proxy.resume();
    until(|| taker.stats(sender.slot()).repeated_batches > 0).await;
    for number in 1_000..PARTS {
        send(&outbound, Lane::Data, TASK, part(number, 700)).await;
    }
    assert!(sender.flushed().await);
    let numbers: Vec<u64> = (0..PARTS).collect();
    assert_eq!(taker.recorder.numbers(TASK, Lane::Data), numbers);
}
