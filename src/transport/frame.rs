//! The bytes of frames. Pure; garbage is an error and never costs more memory than it has bytes.
//!
//! Every frame begins: `GW`, version, kind, the sending worker's boot id, the taking worker's boot id,
//! connection epoch and sequence number (eight bytes each, little-endian), plan version (varint),
//! header fields (a count, then tag, length and bytes of each, so that an old reader can skip what it
//! does not know). All other numbers are varints.
//!
//! | kind | on its way | sequence number | then |
//! |---|---|---|---|
//! | 1 hello | forward | 0 | slot, incarnation |
//! | 2 batch | forward | its own | count of parts; lane byte, task, length of each; their bytes in the body |
//! | 3 ping | forward | the last batch's on this connection, 0 before there is one | nothing |
//! | 4 welcome | back | last taken | count; task and total of all credit given back |
//! | 5 reply | back | last taken | the same, for tasks whose total changed |
//! | 6 refuse | back | last taken | a byte for the reason |
//!
//! The bytes are pinned by tests: change them only together with [`VERSION`].

use uuid::Uuid;

use crate::base::{BootId, Incarnation, TaskId, WorkerSlot};
use crate::tuple::wire::{Reader, WireError, put_varint};

use super::Lane;
use super::credit::Returned;
use super::link::Frame;

/// The version that this build speaks.
pub(super) const VERSION: u8 = 2;

const MAGIC: [u8; 2] = *b"GW";

/// Why a frame cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a message that is not a frame came")]
    NotOurs,
    #[error("a frame of version {0} came, but this build speaks version {VERSION}")]
    Version(u8),
    #[error("a frame of unknown kind {0} came")]
    Kind(u8),
    #[error("a frame is broken: {0}")]
    Wire(#[from] WireError),
    #[error("a batch's parts do not add up to its bytes")]
    Lengths,
}

/// Which link and connection a frame belongs to; the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The worker that sends parts.
    pub(super) sender: BootId,
    /// The worker that takes them.
    pub(super) taker: BootId,
}

/// What every frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The link.
    pub(super) pair: Pair,
    /// The connection; a greater one is newer.
    pub(super) epoch: u64,
    /// Forward: the batch's number, or the last one's before a ping. Back: the last number taken.
    pub(super) sequence: u64,
}

/// Why a receiver does not go on with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub(super) enum Refusal {
    /// The hello names another life of the receiver.
    #[error("another process answers at the peer's address")]
    WrongTaker = 1,
    /// A newer life of the sender is known, or the receiver was told that this one is dead.
    #[error("the peer takes this worker for replaced")]
    Replaced = 2,
    /// A number is missing.
    #[error("the peer missed a batch")]
    Gap = 3,
    /// The numbers or totals cannot be.
    #[error("the peer could not follow what came")]
    Confused = 4,
}

/// What a frame is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Hello { slot: WorkerSlot, incarnation: Incarnation },
    Batch(Vec<PartHead>),
    Ping,
    Welcome(Vec<Returned>),
    Reply(Vec<Returned>),
    Refuse(Refusal),
}

/// One part's line in a batch's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartHead {
    pub(super) lane: Lane,
    pub(super) task: TaskId,
    pub(super) length: usize,
}

fn put_header(kind: u8, header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.push(kind);
    out.extend_from_slice(header.pair.sender.0.as_bytes());
    out.extend_from_slice(header.pair.taker.0.as_bytes());
    out.extend_from_slice(&header.epoch.to_le_bytes());
    out.extend_from_slice(&header.sequence.to_le_bytes());
    put_varint(0, out); // plan version
    put_varint(0, out); // header fields: none yet
}

/// A part's line in a batch's table.
pub(super) fn put_part_head(part: PartHead, table: &mut Vec<u8>) {
    table.push(part.lane as u8);
    put_varint(u64::from(part.task.0), table);
    put_varint(part.length as u64, table);
}

/// The head of a batch frame from its table, which holds `count` lines.
pub(super) fn batch_head(header: &Header, count: u32, table: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(64 + table.len());
    put_header(2, header, &mut head);
    put_varint(u64::from(count), &mut head);
    head.extend_from_slice(table);
    head
}

/// A frame of any kind but batch, which [`batch_head`] writes.
pub(super) fn encode(header: &Header, message: &Message) -> Frame {
    let mut head = Vec::with_capacity(80);
    match message {
        Message::Hello { slot, incarnation } => {
            put_header(1, header, &mut head);
            put_varint(u64::from(slot.0), &mut head);
            put_varint(u64::from(incarnation.0), &mut head);
        }
        Message::Batch(parts) => {
            let mut table = Vec::new();
            for &part in parts {
                put_part_head(part, &mut table);
            }
            head = batch_head(header, parts.len() as u32, &table);
        }
        Message::Ping => put_header(3, header, &mut head),
        Message::Welcome(credits) => put_credits(4, header, credits, &mut head),
        Message::Reply(credits) => put_credits(5, header, credits, &mut head),
        Message::Refuse(why) => {
            put_header(6, header, &mut head);
            head.push(*why as u8);
        }
    }
    Frame::bare(head)
}

fn put_credits(kind: u8, header: &Header, credits: &[Returned], out: &mut Vec<u8>) {
    put_header(kind, header, out);
    put_varint(credits.len() as u64, out);
    for back in credits {
        put_varint(u64::from(back.task.0), out);
        put_varint(back.total, out);
    }
}

/// Reads a frame. A batch's lengths are checked against its body.
pub(super) fn decode(frame: &Frame) -> Result<(Header, Message), FrameError> {
    let mut reader = Reader::new(&frame.head);
    if reader.bytes(2).map_err(|_| FrameError::NotOurs)? != MAGIC {
        return Err(FrameError::NotOurs);
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let kind = reader.byte()?;
    let header = read_header(&mut reader)?;
    let message = match kind {
        1 => Message::Hello {
            slot: WorkerSlot(
                u16::try_from(reader.varint()?).map_err(|_| WireError::Malformed("slot"))?,
            ),
            incarnation: Incarnation(reader.u32()?),
        },
        2 => Message::Batch(read_table(&mut reader, frame.body.len())?),
        3 => Message::Ping,
        4 => Message::Welcome(read_credits(&mut reader)?),
        5 => Message::Reply(read_credits(&mut reader)?),
        6 => Message::Refuse(match reader.byte()? {
            1 => Refusal::WrongTaker,
            2 => Refusal::Replaced,
            3 => Refusal::Gap,
            _ => Refusal::Confused,
        }),
        other => return Err(FrameError::Kind(other)),
    };
    Ok((header, message))
}

fn read_header(reader: &mut Reader<'_>) -> Result<Header, WireError> {
    let pair = Pair { sender: read_boot(reader)?, taker: read_boot(reader)? };
    let header = Header { pair, epoch: reader.u64()?, sequence: reader.u64()? };
    let _plan = reader.varint()?;
    for _ in 0..reader.count()? {
        let _tag = reader.varint()?;
        let length = reader.count()?;
        reader.bytes(length)?;
    }
    Ok(header)
}

fn read_boot(reader: &mut Reader<'_>) -> Result<BootId, WireError> {
    let bytes = reader.bytes(16)?;
    Ok(BootId(Uuid::from_slice(bytes).map_err(|_| WireError::Malformed("boot id"))?))
}

fn read_table(reader: &mut Reader<'_>, body: usize) -> Result<Vec<PartHead>, FrameError> {
    let count = reader.count()?;
    read_part_heads(reader, count, body)
}

/// A batch's table: `count` lines for `body` bytes.
pub(super) fn read_part_heads(
    reader: &mut Reader<'_>,
    count: usize,
    body: usize,
) -> Result<Vec<PartHead>, FrameError> {
    let mut parts = Vec::with_capacity(count);
    let mut left = body;
    for _ in 0..count {
        let lane = Lane::from_byte(reader.byte()?).ok_or(WireError::Malformed("lane"))?;
        let task = TaskId(reader.u32()?);
        let length = usize::try_from(reader.varint()?).map_err(|_| FrameError::Lengths)?;
        left = left.checked_sub(length).ok_or(FrameError::Lengths)?;
        parts.push(PartHead { lane, task, length });
    }
    if left == 0 { Ok(parts) } else { Err(FrameError::Lengths) }
}

fn read_credits(reader: &mut Reader<'_>) -> Result<Vec<Returned>, WireError> {
    let count = reader.count()?;
    let mut credits = Vec::with_capacity(count);
    for _ in 0..count {
        credits.push(Returned { task: TaskId(reader.u32()?), total: reader.varint()? });
    }
    Ok(credits)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            pair: Pair { sender: BootId(Uuid::from_u128(1)), taker: BootId(Uuid::from_u128(2)) },
            epoch: 3,
            sequence: 4,
        }
    }

    fn with_start(kind: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![b'G', b'W', 2, kind];
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0, 0]); // plan version, header fields
        bytes.extend_from_slice(rest);
        bytes
    }

    fn credits() -> Vec<Returned> {
        vec![Returned { task: TaskId(300), total: 9 }]
    }

    #[test]
    fn bytes_on_the_wire_are_pinned() {
        let hello = Message::Hello { slot: WorkerSlot(5), incarnation: Incarnation(6) };
        let parts = vec![
            PartHead { lane: Lane::Ack, task: TaskId(1), length: 2 },
            PartHead { lane: Lane::Data, task: TaskId(300), length: 1 },
        ];
        let frames: [(Message, Vec<u8>, &'static [u8]); 6] = [
            (hello, with_start(1, &[5, 6]), b""),
            (Message::Batch(parts), with_start(2, &[2, 1, 1, 2, 0, 0xac, 2, 1]), b"xyz"),
            (Message::Ping, with_start(3, &[]), b""),
            (Message::Welcome(credits()), with_start(4, &[1, 0xac, 2, 9]), b""),
            (Message::Reply(credits()), with_start(5, &[1, 0xac, 2, 9]), b""),
            (Message::Refuse(Refusal::Gap), with_start(6, &[3]), b""),
        ];
        for (message, bytes, body) in frames {
            let mut frame = encode(&header(), &message);
            assert_eq!(frame.head, bytes, "{message:?}");
            frame.body = Bytes::from_static(body);
            assert_eq!(decode(&frame), Ok((header(), message)));
        }
    }

    #[test]
    fn unknown_header_fields_are_skipped() {
        let mut bytes = with_start(3, &[]);
        bytes.truncate(bytes.len() - 1);
        bytes.extend_from_slice(&[1, 9, 2, 7, 7]);
        assert_eq!(decode(&Frame::bare(bytes)), Ok((header(), Message::Ping)));
    }

    #[test]
    fn another_version_and_lengths_that_do_not_add_up_are_refused() {
        let mut other = with_start(3, &[]);
        other[2] = 9;
        assert_eq!(decode(&Frame::bare(other)), Err(FrameError::Version(9)));
        for table in [
            &[1, 0, 1, 4][..],
            &[1, 0, 1, 2],
            &[1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            let frame =
                Frame { head: with_start(2, table).into(), body: Bytes::from_static(b"abc") };
            assert_eq!(decode(&frame), Err(FrameError::Lengths));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_never_a_panic(
            kind in 0..8_u8,
            rest in prop::collection::vec(any::<u8>(), 0..64),
            cut in 0..120_usize,
            body in prop::collection::vec(any::<u8>(), 0..16),
        ) {
            let mut head = with_start(kind, &rest);
            head.truncate(head.len().saturating_sub(cut));
            let frame = Frame { head: head.into(), body: body.into() };
            if let Ok((_, Message::Batch(parts))) = decode(&frame) {
                let sum: usize = parts.iter().map(|part| part.length).sum();
                prop_assert_eq!(sum, frame.body.len());
            }
            let _ = decode(&Frame::bare(rest));
        }
    }
}
