//! A target for fuzzing: frames of a hostile or broken peer, on both ends of a link.
//!
//! Compiled for tests and fuzzing alone.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::base::{BootId, Incarnation, Signal, TaskId, WorkerSlot};

use super::frame::{Message, decode};
use super::gate::Gate;
use super::inbox::Inbox;
use super::link::{ConnectionKey, Frame};
use super::peer::Peer;
use super::sequence::Verdict;
use super::{Lane, PeerAddress, TransportOptions};

const ME: BootId = BootId(Uuid::from_u128(2));
const OTHER: BootId = BootId(Uuid::from_u128(1));

/// What happens to the two ends of a link, one thing behind the other: a byte for what, lengths as
/// two bytes, bytes.
///
/// # Panics
/// Where an end of the link does, which is what is looked for.
pub fn link(mut data: &[u8]) {
    // As they are, they are what a stranger sends to a port.
    let mut gate = Gate::new(ME, 1 << 20);
    let _ = data.chunks(7).try_for_each(|chunk| gate.judge(chunk));
    let options = TransportOptions::new(WorkerSlot(1), ME, Incarnation(0), PathBuf::new());
    let inbox = Inbox::new(WorkerSlot(0), &options);
    let peer = Peer::new(WorkerSlot(0), &options, Arc::new(Notify::new()));
    let address = PeerAddress {
        slot: WorkerSlot(0),
        incarnation: Incarnation(0),
        boot: OTHER,
        endpoint: "ipc:///nowhere".to_owned(),
    };
    peer.begin_life(address).expect("a first life");
    peer.connect(OTHER);
    while let Some(what) = take(&mut data, 1).first() {
        match what % 4 {
            0 => to_receiver(&inbox, &frame(&mut data)),
            1 => to_sender(&peer, &frame(&mut data)),
            2 => {
                let lane = if what & 4 == 0 { Lane::Data } else { Lane::Ack };
                let length = usize::from(number(&mut data));
                let task = TaskId(u32::from(number(&mut data)));
                let _ = peer.offer(lane, task, vec![0; length], &Signal::new());
                while peer.next(OTHER).is_some() {}
            }
            _ => {
                let (task, bytes) = (number(&mut data), number(&mut data));
                let _ = inbox.give_back(TaskId(task.into()), bytes.into());
                let _ = inbox.answer();
            }
        }
    }
    let (_, lost) = peer.end_life();
    assert!(lost.parts <= lost.bytes, "a part has at least one byte");
}

/// As the loop of the receiving worker does.
fn to_receiver(inbox: &Inbox, frame: &Frame) {
    let Ok((header, message)) = decode(frame) else {
        return;
    };
    let connection = ConnectionKey(Bytes::from_static(b"one"));
    match message {
        Message::Hello { incarnation, .. } => {
            let _ = inbox.hello(&header, incarnation, &connection);
        }
        Message::Batch(parts) => {
            if inbox.batch(&header, &parts, frame.body.len()) == Ok(Verdict::Take) {
                let mut rest = &frame.body[..];
                for part in &parts {
                    rest = rest.split_at(part.length).1;
                }
                assert!(rest.is_empty());
            }
        }
        Message::Ping => {
            let _ = inbox.ping(&header);
        }
        Message::Welcome(_) | Message::Reply(_) | Message::Refuse(_) => {}
    }
    let _ = inbox.due();
}

/// As the loop of the sending worker does, but that it goes on after an error.
fn to_sender(peer: &Peer, frame: &Frame) {
    let Ok((header, message)) = decode(frame) else {
        return;
    };
    let _ = match &message {
        Message::Welcome(credits) => peer.welcome(OTHER, header.sequence, credits),
        Message::Reply(credits) => peer.answer(OTHER, header.sequence, credits),
        _ => return,
    };
    while peer.next(OTHER).is_some() {}
}

fn take<'a>(data: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = data.split_at(count.min(data.len()));
    *data = rest;
    taken
}

fn number(data: &mut &[u8]) -> u16 {
    take(data, 2).iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn frame(data: &mut &[u8]) -> Frame {
    let mut piece = || {
        let length = number(data);
        Bytes::copy_from_slice(take(data, length.into()))
    };
    Frame { head: piece(), body: piece() }
}

/// Conversations that are right, from our own encoder.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    use super::credit::Returned;
    use super::frame::{Header, Pair, PartHead, Refusal, encode};

    let add = |seed: &mut Vec<u8>, what: u8, header: &Header, message: &Message, body: &[u8]| {
        let head = encode(header, message).head;
        seed.push(what);
        for piece in [&head[..], body] {
            seed.extend((piece.len() as u16).to_be_bytes());
            seed.extend(piece);
        }
    };
    let credits = || vec![Returned { task: TaskId(7), total: 3 }];
    let mut receiving = Vec::new();
    let there = |sequence| Header { pair: Pair { sender: OTHER, taker: ME }, epoch: 1, sequence };
    let hello = Message::Hello { slot: WorkerSlot(0), incarnation: Incarnation(0) };
    add(&mut receiving, 0, &there(0), &hello, b"");
    for sequence in 1..4 {
        let parts = [(Lane::Data, 7, 3), (Lane::Ack, 1, 2)];
        let parts = parts.map(|(lane, task, length)| PartHead { lane, task: TaskId(task), length });
        add(&mut receiving, 0, &there(sequence), &Message::Batch(parts.into()), b"abcde");
        receiving.extend([3, 0, 7, 0, 3]);
    }
    add(&mut receiving, 0, &there(3), &Message::Ping, b"");
    add(&mut receiving, 0, &there(4), &Message::Ping, b"");
    let mut sending = Vec::new();
    let back = |sequence| Header { pair: Pair { sender: ME, taker: OTHER }, epoch: 1, sequence };
    add(&mut sending, 1, &back(0), &Message::Welcome(credits()), b"");
    sending.extend([2, 0, 200, 0, 7, 6, 0, 9, 0, 7]);
    add(&mut sending, 1, &back(1), &Message::Reply(credits()), b"");
    add(&mut sending, 1, &back(1), &Message::Refuse(Refusal::Gap), b"");
    vec![receiving.clone(), sending.clone(), [receiving, sending].concat()]
}
