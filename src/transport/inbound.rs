//! The loop that takes what all peers send, and answers them.
//!
//! It never waits for a task: a part goes to its mailbox at once, and the mailbox's bound is the
//! credit that the sender spent on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::select;
use tokio::time::sleep;

use crate::base::{BootId, WorkerSlot};

use super::frame::{Header, Message, PartHead, Refusal, decode, encode};
use super::inbox::Inbox;
use super::link::{ConnectionKey, Frame, Hub, HubEvent, LinkError};
use super::replies::Due;
use super::sequence::Verdict;
use super::service::Shared;
use super::stats::Counters;
use super::{EndpointKind, Inbound};

/// How long an answer that nobody needs at once may wait for more to say.
const REPLY_DELAY: Duration = Duration::from_millis(1);

/// After so many failures of the bound socket in a row the process is told to give up.
const MAX_FAILURES: u32 = 100;

/// Takes from all peers.
pub(super) struct InboundLoop<H> {
    pub(super) hub: H,
    pub(super) shared: Arc<Shared>,
    pub(super) inbound: Arc<dyn Inbound>,
    /// Which slot's inbox a sender's frames are for; one entry for each slot.
    pub(super) senders: HashMap<BootId, WorkerSlot>,
}

impl<H: Hub> InboundLoop<H> {
    /// Runs until the transport is closed, then frees the address.
    pub(super) async fn run(mut self) {
        let delay = sleep(Duration::ZERO);
        tokio::pin!(delay);
        let mut waiting = false;
        let mut failures = 0;
        loop {
            let due = select! {
                event = self.hub.recv() => match event {
                    Ok(event) => {
                        failures = 0;
                        self.take(event).await
                    }
                    Err(error) => {
                        failures += 1;
                        self.failed(&error, failures).await;
                        Due::Nothing
                    }
                },
                () = self.shared.answers.wait() => self.answer_all(Due::Now).await,
                () = &mut delay, if waiting => {
                    waiting = false;
                    self.answer_all(Due::Soon).await
                }
                () = self.shared.stop.wait() => break,
            };
            if due == Due::Soon && !waiting {
                waiting = true;
                delay.set(sleep(REPLY_DELAY));
            }
        }
        self.hub.close().await;
    }

    /// The bound socket itself failed, which it does only when it is being torn down.
    async fn failed(&self, error: &LinkError, failures: u32) {
        self.shared.garbage(None, format!("receiving failed: {error}"));
        assert!(failures < MAX_FAILURES, "the bound socket fails for ever: {error}");
        sleep(REPLY_DELAY).await;
    }

    /// Handles one event; what is due to the sender afterwards, `Now` being done already.
    pub(super) async fn take(&mut self, event: HubEvent) -> Due {
        let (connection, frame) = match event {
            HubEvent::Frame(connection, frame) => (connection, frame),
            // Behind a port the front has told of it already.
            HubEvent::Failed(error) if self.shared.options.kind == EndpointKind::Tcp => {
                tracing::debug!(error, "a connection failed");
                return Due::Nothing;
            }
            HubEvent::Failed(error) => {
                self.shared.garbage(None, format!("a connection failed: {error}"));
                return Due::Nothing;
            }
            HubEvent::Garbage(message) => {
                self.shared.garbage(None, message);
                return Due::Nothing;
            }
        };
        let largest = self.shared.options.max_frame.max(self.shared.options.batch_bytes);
        let (header, message) = match decode(&frame) {
            Ok(_) if frame.body.len() > largest => {
                let length = frame.body.len();
                self.shared.garbage(None, format!("a batch of {length} bytes came"));
                return Due::Nothing;
            }
            Ok(decoded) => decoded,
            Err(error) => {
                self.shared.garbage(None, error.to_string());
                return Due::Nothing;
            }
        };
        if header.pair.taker != self.shared.options.boot {
            if matches!(message, Message::Hello { .. }) {
                self.refuse(&connection, &header, Refusal::WrongTaker).await;
            }
            return Due::Nothing;
        }
        match message {
            Message::Hello { slot, incarnation } => {
                let inbox = self.shared.inbox(slot);
                if let Some(answer) = inbox.hello(&header, incarnation, &connection) {
                    // A life that is past and was refused must not stand for its successor.
                    if inbox.takes_from(header.pair.sender) {
                        self.note_sender(slot, header.pair.sender);
                    }
                    self.send(&inbox, &connection, answer).await;
                }
                Due::Nothing
            }
            Message::Batch(parts) => self.batch(&connection, &header, &parts, &frame.body).await,
            Message::Ping => self.ping(&connection, &header).await,
            Message::Welcome(_) | Message::Reply(_) | Message::Refuse(_) => {
                self.shared.garbage(None, "a sender sent what only receivers send".to_owned());
                Due::Nothing
            }
        }
    }

    fn note_sender(&mut self, slot: WorkerSlot, boot: BootId) {
        if self.senders.get(&boot) != Some(&slot) {
            self.senders.retain(|_, other| *other != slot);
            self.senders.insert(boot, slot);
        }
    }

    fn sender(&self, header: &Header) -> Option<Arc<Inbox>> {
        let slot = *self.senders.get(&header.pair.sender)?;
        Some(self.shared.inbox(slot))
    }

    async fn ping(&mut self, connection: &ConnectionKey, header: &Header) -> Due {
        let Some(inbox) = self.sender(header) else {
            return Due::Nothing;
        };
        match inbox.ping(header) {
            Verdict::Take | Verdict::Duplicate => self.answer(&inbox).await,
            Verdict::Stale => Due::Nothing,
            Verdict::Gap => {
                let missing = format!("batch {} never came", header.sequence);
                self.missed(&inbox, connection, header, missing).await
            }
        }
    }

    async fn batch(
        &mut self,
        connection: &ConnectionKey,
        header: &Header,
        parts: &[PartHead],
        body: &Bytes,
    ) -> Due {
        let Some(inbox) = self.sender(header) else {
            self.shared.garbage(None, "a batch came before its sender said hello".to_owned());
            return Due::Nothing;
        };
        let verdict = match inbox.batch(header, parts, body.len()) {
            Ok(verdict) => verdict,
            Err(error) => {
                self.shared.garbage(Some(&inbox), error.to_string());
                self.refuse(connection, header, Refusal::Confused).await;
                return Due::Nothing;
            }
        };
        match verdict {
            Verdict::Take => self.deliver(&inbox, parts, body),
            Verdict::Duplicate | Verdict::Stale => {
                Counters::add(&inbox.counters.repeated_batches, 1);
            }
            Verdict::Gap => {
                let missing = format!("batch {} came too early", header.sequence);
                return self.missed(&inbox, connection, header, missing).await;
            }
        }
        self.answer(&inbox).await
    }

    /// Something has vanished: the connection is to be made anew, and what is missing sent again.
    async fn missed(
        &mut self,
        inbox: &Inbox,
        connection: &ConnectionKey,
        header: &Header,
        what: String,
    ) -> Due {
        self.shared.garbage(Some(inbox), what);
        self.refuse(connection, header, Refusal::Gap).await;
        Due::Nothing
    }

    /// Copies each part out: a slice would keep the whole batch in memory.
    fn deliver(&self, inbox: &Inbox, parts: &[PartHead], body: &Bytes) {
        let mut rest = &body[..];
        for part in parts {
            let (bytes, after) = rest.split_at(part.length);
            rest = after;
            let bytes = Bytes::copy_from_slice(bytes);
            self.inbound.deliver(inbox.slot, part.task, part.lane, bytes);
        }
        Counters::add(&inbox.counters.received_batches, 1);
        Counters::add(&inbox.counters.received_parts, parts.len() as u64);
        Counters::add(&inbox.counters.received_bytes, body.len() as u64);
    }

    /// Answers one peer where that is due now; what is left to do otherwise.
    async fn answer(&mut self, inbox: &Inbox) -> Due {
        match inbox.due() {
            Due::Now => {
                self.answer_now(inbox).await;
                Due::Nothing
            }
            due => due,
        }
    }

    /// Answers all peers where that is due, at least so much; `Soon` where some can wait.
    pub(super) async fn answer_all(&mut self, least: Due) -> Due {
        let mut left = Due::Nothing;
        for inbox in self.shared.inboxes() {
            match inbox.due() {
                Due::Now => self.answer_now(&inbox).await,
                Due::Soon if least == Due::Soon => self.answer_now(&inbox).await,
                Due::Soon => left = Due::Soon,
                Due::Nothing => {}
            }
        }
        left
    }

    async fn answer_now(&mut self, inbox: &Inbox) {
        if let Some((connection, frame)) = inbox.answer() {
            self.send(inbox, &connection, frame).await;
        }
    }

    async fn refuse(&mut self, connection: &ConnectionKey, header: &Header, why: Refusal) {
        let frame = encode(header, &Message::Refuse(why));
        if let Err(error) = self.hub.send(connection, frame).await {
            tracing::debug!(%error, "a refused connection is gone already");
        }
    }

    async fn send(&mut self, inbox: &Inbox, connection: &ConnectionKey, frame: Frame) {
        if let Err(error) = self.hub.send(connection, frame).await {
            tracing::debug!(peer = %inbox.slot, %error, "the connection to answer on is gone");
            inbox.disconnected(connection);
        }
    }
}
