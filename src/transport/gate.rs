//! What a connection over TCP may say: the greeting of a worker, a hello that names this process, and
//! from then on frames of a bounded length. Pure: it judges bytes as they come and keeps none but the
//! beginning of the hello.
//!
//! The hello is a proof: the boot id is random, and only workers of the run are told it. The socket
//! behind the gate would take any length that is promised to it, whoever promises.

use crate::base::BootId;

/// How every connection begins (ZMTP 3.0, without a mechanism of its own).
const GREETING: usize = 64;
/// Longest frame before the hello has proved who speaks.
const STRANGERS: u64 = 512;
/// Where a hello ends that names its taker: mark, version, kind, two boot ids.
const NAMED: usize = 36;
/// Frames of one message: the head and the parts.
const PIECES: u8 = 2;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Intrusion {
    /// Somebody who does not speak to workers.
    #[error("a stranger connected that does not speak the protocol of workers")]
    Stranger,
    /// Somebody who does not know this process.
    #[error("a stranger connected that does not know this worker")]
    Unproven,
    /// A frame beyond the limit.
    #[error("a frame of {length} bytes was announced, and {limit} is the most")]
    TooLong {
        /// What was announced, in bytes.
        length: u64,
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// A message without end.
    #[error("a message of more than {PIECES} pieces came")]
    Pieces,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Greeting { seen: usize },
    Flags,
    Length { flags: u8, missing: u8, length: u64 },
    Body { flags: u8, left: u64 },
}

/// Judges one connection.
#[derive(Debug)]
pub(super) struct Gate {
    taker: BootId,
    largest: u64,
    step: Step,
    /// Whether the handshake's one command has come.
    ready: bool,
    hello: Vec<u8>,
    proven: bool,
    /// Frames of the present message so far.
    pieces: u8,
}

impl Gate {
    /// A connection that is about to begin. Frames of at most `largest` bytes pass.
    pub(super) fn new(taker: BootId, largest: usize) -> Self {
        Self {
            taker,
            largest: largest as u64,
            step: Step::Greeting { seen: 0 },
            ready: false,
            hello: Vec::new(),
            proven: false,
            pieces: 0,
        }
    }

    /// Whether its hello has named this process.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether these bytes, behind those before, may pass.
    ///
    /// # Errors
    /// They may not, and nothing behind them.
    pub(super) fn judge(&mut self, mut bytes: &[u8]) -> Result<(), Intrusion> {
        while let Some(&byte) = bytes.first() {
            match self.step {
                Step::Greeting { seen } => {
                    greeting(seen, byte)?;
                    bytes = &bytes[1..];
                    let seen = seen + 1;
                    self.step = if seen < GREETING { Step::Greeting { seen } } else { Step::Flags };
                }
                Step::Flags => {
                    bytes = &bytes[1..];
                    self.begin(byte)?;
                }
                Step::Length { flags, missing, length } => {
                    bytes = &bytes[1..];
                    let length = length << 8 | u64::from(byte);
                    self.step = Step::Length { flags, missing: missing - 1, length };
                    if missing == 1 {
                        self.announced(flags, length)?;
                    }
                }
                Step::Body { flags, left } => {
                    let count = left.min(bytes.len() as u64);
                    let (body, rest) = bytes.split_at(count as usize);
                    bytes = rest;
                    self.step = Step::Body { flags, left: left - count };
                    self.body(flags, body, left == count)?;
                }
            }
        }
        Ok(())
    }

    /// A frame begins.
    fn begin(&mut self, flags: u8) -> Result<(), Intrusion> {
        let is_command = flags & COMMAND != 0;
        // The handshake is one command, and there are no others.
        if flags & !(MORE | LONG | COMMAND) != 0 || is_command == self.ready {
            return Err(Intrusion::Stranger);
        }
        if !is_command {
            self.pieces += 1;
            if self.pieces > PIECES {
                return Err(Intrusion::Pieces);
            }
        }
        let missing = if flags & LONG == 0 { 1 } else { 8 };
        self.step = Step::Length { flags, missing, length: 0 };
        Ok(())
    }

    fn announced(&mut self, flags: u8, length: u64) -> Result<(), Intrusion> {
        let limit = if self.proven { self.largest } else { STRANGERS };
        if length > limit {
            return Err(Intrusion::TooLong { length, limit });
        }
        self.step = Step::Body { flags, left: length };
        if length == 0 { self.body(flags, &[], true) } else { Ok(()) }
    }

    fn body(&mut self, flags: u8, body: &[u8], ends: bool) -> Result<(), Intrusion> {
        if !self.proven && flags & COMMAND == 0 {
            let missing = NAMED - self.hello.len().min(NAMED);
            self.hello.extend(body.iter().take(missing));
        }
        if !ends {
            return Ok(());
        }
        self.step = Step::Flags;
        if flags & COMMAND != 0 {
            self.ready = true;
            return Ok(());
        }
        if !self.proven {
            let names = self.hello.get(NAMED - 16..NAMED) == Some(&self.taker.0.as_bytes()[..]);
            if !names {
                return Err(Intrusion::Unproven);
            }
            self.proven = true;
            self.hello = Vec::new();
        }
        if flags & MORE == 0 {
            self.pieces = 0;
        }
        Ok(())
    }
}

/// The bytes of a greeting that are the same whatever the version.
fn greeting(at: usize, byte: u8) -> Result<(), Intrusion> {
    match (at, byte) {
        (0, 0xff) | (9, 0x7f) => Ok(()),
        (0 | 9, _) => Err(Intrusion::Stranger),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::base::{Incarnation, WorkerSlot};

    use super::super::frame::{Header, Message, Pair, encode};
    use super::*;

    const LARGEST: usize = 1 << 20;

    fn greeting() -> Vec<u8> {
        let mut greeting = vec![0; GREETING];
        (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
        greeting[12..16].copy_from_slice(b"NULL");
        greeting.extend(frame(COMMAND, b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"));
        greeting
    }

    fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = match u8::try_from(body.len()) {
            Ok(length) => vec![flags, length],
            Err(_) => [&[flags | LONG][..], &(body.len() as u64).to_be_bytes()].concat(),
        };
        frame.extend(body);
        frame
    }

    fn hello(taker: BootId) -> Vec<u8> {
        let pair = Pair { sender: BootId::random(), taker };
        let header = Header { pair, epoch: 1, sequence: 0 };
        let hello = Message::Hello { slot: WorkerSlot(1), incarnation: Incarnation(0) };
        frame(0, &encode(&header, &hello).head)
    }

    fn proven() -> (Gate, Vec<u8>) {
        let taker = BootId::random();
        (Gate::new(taker, LARGEST), [greeting(), hello(taker)].concat())
    }

    /// However the bytes are cut.
    fn judged(gate: &mut Gate, bytes: &[u8], cut: usize) -> Result<(), Intrusion> {
        bytes.chunks(cut).try_for_each(|chunk| gate.judge(chunk))
    }

    #[test]
    fn a_worker_of_the_run_may_send_frames_up_to_the_limit() {
        for cut in [1, 7, 64, 100_000] {
            let (mut gate, begin) = proven();
            assert_eq!(judged(&mut gate, &begin, cut), Ok(()));
            assert!(gate.is_proven());
            for _ in 0..3 {
                let message = [frame(MORE, &[1; 300]), frame(0, &vec![2; LARGEST])].concat();
                assert_eq!(judged(&mut gate, &message, cut), Ok(()));
            }
            let length = LARGEST as u64 + 1;
            let more = [&[LONG][..], &length.to_be_bytes()].concat();
            let refused = Intrusion::TooLong { length, limit: LARGEST as u64 };
            assert_eq!(judged(&mut gate, &more, cut), Err(refused));
        }
    }

    #[test]
    fn who_does_not_name_this_worker_gets_no_further_than_a_hello() {
        for cut in [1, 33, 10_000] {
            let after_greeting = |more: &[u8]| {
                let (mut gate, _) = proven();
                judged(&mut gate, &[&greeting(), more].concat(), cut)
            };
            assert_eq!(after_greeting(&hello(BootId::random())), Err(Intrusion::Unproven));
            assert_eq!(after_greeting(&frame(0, b"GW")), Err(Intrusion::Unproven));
            assert_eq!(after_greeting(&frame(0, b"")), Err(Intrusion::Unproven));
            assert_eq!(after_greeting(&frame(COMMAND, b"\x04PING")), Err(Intrusion::Stranger));
            let (length, limit) = (513, STRANGERS);
            let refused = Err(Intrusion::TooLong { length, limit });
            assert_eq!(after_greeting(&frame(0, &[0; 513])), refused);
            let length = 1_u64 << 62;
            let huge = [&[LONG][..], &length.to_be_bytes()].concat();
            assert_eq!(after_greeting(&huge), Err(Intrusion::TooLong { length, limit }));
        }
    }

    #[test]
    fn what_is_no_greeting_is_refused_at_its_first_byte() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0], b"\x16\x03\x01", &[0xff; 64]] {
            let (mut gate, _) = proven();
            assert_eq!(gate.judge(bytes), Err(Intrusion::Stranger));
        }
        let (mut gate, _) = proven();
        assert_eq!(gate.judge(&greeting()[..GREETING]), Ok(()));
        assert_eq!(gate.judge(&hello(gate.taker)), Err(Intrusion::Stranger), "no handshake");
    }

    #[test]
    fn a_message_of_pieces_without_end_is_refused() {
        let (mut gate, begin) = proven();
        gate.judge(&begin).unwrap();
        assert_eq!(gate.judge(&frame(MORE, &[1; 300]).repeat(2)), Ok(()));
        assert_eq!(gate.judge(&frame(MORE, b"")), Err(Intrusion::Pieces));
    }

    proptest! {
        #[test]
        fn garbage_is_judged_the_same_however_it_is_cut(
            rest in prop::collection::vec(any::<u8>(), 0..400), cut in 1..50_usize,
            known in any::<bool>(),
        ) {
            let (mut whole, begin) = proven();
            let begin = if known { begin } else { greeting() };
            let bytes = [begin, rest].concat();
            let mut cuts = Gate::new(whole.taker, LARGEST);
            prop_assert_eq!(whole.judge(&bytes), judged(&mut cuts, &bytes, cut));
        }
    }
}
