//! Hostile and confused peers at a worker's address, in one process.

use std::path::Path;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::base::{BootId, Incarnation, TaskId, WorkerSlot};

use super::super::frame::{Header, Message, Pair, PartHead, batch_head, encode, put_part_head};
use super::super::link::{Frame, Link};
use super::super::zmq::Dealer;
use super::super::{EndpointKind, Lane, TransportEvent, TransportOptions};
use super::harness::{Node, introduce, options, part, send, within};

const TASK: TaskId = TaskId(4);
const MOST: usize = 64 << 20;

fn tcp(slot: u16, dir: &Path) -> TransportOptions {
    TransportOptions { kind: EndpointKind::Tcp, ..options(slot, 0, dir) }
}

/// A confused peer that says hello as worker 7, and then sends one part of this length.
async fn send_one_part(taker: &Node, length: usize) -> Dealer {
    let address = taker.transport.address();
    let timeout = options(0, 0, Path::new("")).connect_timeout * 50;
    let mut peer = Dealer::connect(&address.endpoint, timeout).await.unwrap();
    let pair = Pair { sender: BootId::random(), taker: address.boot };
    let header = |sequence| Header { pair, epoch: 1, sequence };
    let hello = Message::Hello { slot: WorkerSlot(7), incarnation: Incarnation(0) };
    peer.send(encode(&header(0), &hello)).await.unwrap();
    within(peer.recv()).await.unwrap();
    let mut table = Vec::new();
    put_part_head(PartHead { lane: Lane::Data, task: TASK, length }, &mut table);
    let body = Bytes::from(part(0, length));
    let _ = peer.send(Frame { head: batch_head(&header(1), 1, &table).into(), body }).await;
    peer
}

async fn error(taker: &mut Node) -> String {
    let event = taker.event(|event| matches!(event, TransportEvent::ProtocolError { .. })).await;
    let TransportEvent::ProtocolError { message, .. } = event else { unreachable!() };
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_64_mebibytes_is_taken_and_one_byte_more_dropped_and_told() {
    let dir = tempfile::tempdir().unwrap();
    for options in [options(0, 0, dir.path()), tcp(1, dir.path())] {
        let kind = options.kind;
        let mut taker = Node::quick(options).await;
        let mut peer = send_one_part(&taker, MOST).await;
        within(peer.recv()).await.unwrap();
        assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [0]);
        assert_eq!(taker.transport.stats().garbage, 0);
        let _kept = send_one_part(&taker, MOST + 1).await;
        let told = match kind {
            EndpointKind::Ipc => "a batch of 67108865 bytes came",
            EndpointKind::Tcp => {
                "a frame of 67108865 bytes was announced, and 67108864 is the most"
            }
        };
        assert_eq!(error(&mut taker).await, told);
        assert_eq!(taker.transport.stats().garbage, 1);
        assert_eq!(taker.recorder.numbers(TASK, Lane::Data), [0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_at_a_port_are_told_counted_and_hung_up_on() {
    let dir = tempfile::tempdir().unwrap();
    let sender = Node::quick(tcp(0, dir.path())).await;
    let mut taker = Node::quick(tcp(1, dir.path())).await;
    introduce(&sender, &taker);
    let address = taker.transport.address();
    let port = address.endpoint.strip_prefix("tcp://").unwrap();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0; 200]] {
        let mut stranger = TcpStream::connect(port).await.unwrap();
        stranger.write_all(garbage).await.unwrap();
        assert!(error(&mut taker).await.contains("does not speak the protocol of workers"));
        let mut rest = Vec::new();
        // The end or a reset: what counts is that it does not last.
        let _ = within(stranger.read_to_end(&mut rest)).await;
    }
    // One of these keeps quiet, and holds up nobody.
    let _quiet = TcpStream::connect(port).await.unwrap();
    let timeout = options(0, 0, dir.path()).connect_timeout * 50;
    let mut stranger = Dealer::connect(&address.endpoint, timeout).await.unwrap();
    stranger.send(Frame::bare(b"GW".to_vec())).await.unwrap();
    assert!(error(&mut taker).await.contains("does not know this worker"));
    assert!(within(stranger.recv()).await.is_err(), "hung up on");
    assert_eq!(taker.transport.stats().garbage, 4);
    for number in 0..100 {
        send(&sender.outbound(&taker), Lane::Data, TASK, part(number, 5_000)).await;
    }
    assert!(sender.flushed().await);
    assert_eq!(taker.recorder.count(TASK, Lane::Data), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_closed_with_its_transport() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::slow(tcp(0, dir.path())).await;
    let endpoint = node.transport.address().endpoint;
    let port = endpoint.strip_prefix("tcp://").unwrap().to_owned();
    drop(TcpStream::connect(&port).await.unwrap());
    let transport = std::sync::Arc::into_inner(node.transport).unwrap();
    within(transport.close()).await;
    assert!(TcpStream::connect(&port).await.is_err());
}
