//! The loop that owns a link to one life of one peer: connects, sends, listens to answers, and begins
//! again when anything goes wrong. It ends when that life does.
//!
//! Nothing is lost here: what was sent and not taken stays with the peer's [`Peer`] until it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::base::{Backoff, BootId, Signal, now};

use super::TransportOptions;
use super::event::{Events, TransportEvent};
use super::frame::{FrameError, Header, Message, Pair, Refusal, batch_head, decode, encode};
use super::heartbeat::Vigil;
use super::link::{Frame, Link, LinkError};
use super::peer::{AnswerError, Peer};
use super::sequence::Outgoing;
use super::stats::Counters;

/// Delays between attempts to connect.
const LEAST_DELAY: Duration = Duration::from_millis(10);
const GREATEST_DELAY: Duration = Duration::from_millis(500);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Socket(#[from] LinkError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("nothing was heard for {:.1}s", .0.as_secs_f64())]
    Silent(Duration),
    /// The answer to the hello has vanished, and nothing may be sent before it.
    #[error("the peer's welcome did not come")]
    Unwelcome,
    /// The life that this loop serves is over.
    #[error("the peer was replaced")]
    Ended,
}

/// Serves one life of one peer.
pub(super) struct OutboundLoop {
    pub(super) peer: Arc<Peer>,
    pub(super) boot: BootId,
    pub(super) wake: Signal,
    pub(super) options: Arc<TransportOptions>,
    pub(super) events: Arc<Events>,
}

/// What outlives a connection.
pub(super) struct Watch {
    pub(super) vigil: Vigil,
    backoff: Backoff,
    last_error: Option<String>,
}

impl Watch {
    pub(super) fn new(options: &TransportOptions) -> Self {
        Self {
            vigil: Vigil::new(options.dead_after, now()),
            backoff: Backoff::new(LEAST_DELAY, GREATEST_DELAY),
            last_error: None,
        }
    }
}

impl OutboundLoop {
    /// Runs until the life is over.
    pub(super) async fn run<L: Link>(self) {
        let mut watch = Watch::new(&self.options);
        while let Some(endpoint) = self.peer.endpoint(self.boot) {
            let timeout = self.options.connect_timeout;
            let connected = L::connect(&endpoint, timeout).await;
            self.judge(&mut watch, timeout + self.options.heartbeat);
            let broken = match connected {
                Ok(link) => self.serve(link, &mut watch).await,
                Err(error) => Broken::Socket(error),
            };
            if matches!(broken, Broken::Ended) {
                return;
            }
            tracing::debug!(peer = %self.peer.slot, %broken, "no link to peer");
            watch.last_error = Some(broken.to_string());
            let delay = watch.backoff.next_delay(fastrand::f64());
            self.pause(delay, &mut watch).await;
        }
    }

    /// Serves one connection until it breaks.
    async fn serve<L: Link>(&self, link: L, watch: &mut Watch) -> Broken {
        let Some(epoch) = self.peer.connect(self.boot) else {
            return Broken::Ended;
        };
        watch.vigil.connected(now());
        let mut connection =
            Connection { owner: self, link, header: self.header(epoch), welcomed: false };
        let broken = match connection.run(watch).await {
            Ok(never) => match never {},
            Err(broken) => broken,
        };
        self.peer.disconnect(self.boot);
        if connection.welcomed {
            self.tell(TransportEvent::Disconnected {
                slot: self.peer.slot,
                boot: self.boot,
                reason: broken.to_string(),
            });
        }
        broken
    }

    /// Waits before the next attempt, and goes on watching the silence.
    async fn pause(&self, delay: Duration, watch: &mut Watch) {
        let until = now() + delay;
        while now() < until {
            let step = until.since(now()).min(self.options.heartbeat);
            select! {
                () = sleep(step) => {}
                () = self.wake.wait() => {
                    if !self.peer.is_current(self.boot) {
                        return;
                    }
                }
            }
            self.judge(watch, self.options.heartbeat);
        }
    }

    /// Looks whether the peer has been silent for too long, and tells; whether to give the present
    /// connection up.
    pub(super) fn judge(&self, watch: &mut Watch, planned: Duration) -> Option<Duration> {
        let pulse = watch.vigil.tick(now(), planned);
        if pulse.report && self.peer.is_current(self.boot) {
            self.tell(TransportEvent::Unresponsive {
                slot: self.peer.slot,
                boot: self.boot,
                silent_for: pulse.silent_for,
                last_error: watch.last_error.clone(),
            });
        }
        pulse.give_up.then_some(pulse.silent_for)
    }

    pub(super) fn header(&self, epoch: u64) -> Header {
        Header { pair: Pair { sender: self.options.boot, taker: self.boot }, epoch, sequence: 0 }
    }

    fn tell(&self, event: TransportEvent) {
        (self.events)(event);
    }

    fn misbehaved(&self, error: impl std::fmt::Display) {
        Counters::add(&self.peer.counters.protocol_errors, 1);
        self.tell(TransportEvent::ProtocolError {
            slot: Some(self.peer.slot),
            message: error.to_string(),
        });
    }
}

/// A type without values: the connection's loop ends only by breaking.
enum Never {}

/// One connection of a link.
pub(super) struct Connection<'a, L> {
    pub(super) owner: &'a OutboundLoop,
    pub(super) link: L,
    pub(super) header: Header,
    pub(super) welcomed: bool,
}

impl<L: Link> Connection<'_, L> {
    async fn run(&mut self, watch: &mut Watch) -> Result<Never, Broken> {
        let owner = self.owner;
        let hello =
            Message::Hello { slot: owner.options.slot, incarnation: owner.options.incarnation };
        self.link.send(encode(&self.header, &hello)).await?;
        let mut ticks = ticks(owner.options.heartbeat);
        loop {
            while let Some(outgoing) = owner.peer.next(owner.boot) {
                let frame = self.batch(outgoing);
                self.link.send(frame).await?;
            }
            select! {
                frame = self.link.recv() => self.take(&frame?, watch)?,
                () = owner.wake.wait() => {
                    if !owner.peer.is_current(owner.boot) {
                        return Err(Broken::Ended);
                    }
                }
                _ = ticks.tick() => {
                    if let Some(silent) = owner.judge(watch, owner.options.heartbeat) {
                        return Err(Broken::Silent(silent));
                    }
                    let ping = self.ping();
                    self.link.send(ping).await?;
                }
            }
        }
    }

    pub(super) fn batch(&self, outgoing: Outgoing) -> Frame {
        let header = Header { sequence: outgoing.numbered.sequence, ..self.header };
        let batch = outgoing.numbered.batch;
        Frame { head: batch_head(&header, batch.parts, &batch.table).into(), body: batch.body }
    }

    /// Asks for a sign of life. It names the last batch, so that the receiver misses one that vanished
    /// although no other comes behind it.
    pub(super) fn ping(&self) -> Frame {
        let sequence = self.owner.peer.last_carried(self.owner.boot);
        encode(&Header { sequence, ..self.header }, &Message::Ping)
    }

    /// Handles what came back. Only the peer's own answers count as signs of life: a refusal may come
    /// from another process at its address.
    pub(super) fn take(&mut self, frame: &Frame, watch: &mut Watch) -> Result<(), Broken> {
        let owner = self.owner;
        let (header, message) = decode(frame).inspect_err(|error| owner.misbehaved(error))?;
        if header.pair != self.header.pair || header.epoch != self.header.epoch {
            owner.misbehaved("an answer for another connection came");
            return Ok(());
        }
        let taken = match &message {
            Message::Welcome(credits) => {
                let taken = owner.peer.welcome(owner.boot, header.sequence, credits);
                if taken.is_ok() && !self.welcomed {
                    self.welcomed = true;
                    watch.backoff.reset();
                    owner.tell(TransportEvent::Connected {
                        slot: owner.peer.slot,
                        boot: owner.boot,
                    });
                }
                taken
            }
            Message::Reply(_) if !self.welcomed => return Err(Broken::Unwelcome),
            Message::Reply(credits) => owner.peer.answer(owner.boot, header.sequence, credits),
            Message::Refuse(why) => return Err((*why).into()),
            Message::Hello { .. } | Message::Batch(_) | Message::Ping => {
                owner.misbehaved("a receiver sent what only senders send");
                return Ok(());
            }
        };
        taken.inspect_err(|error| owner.misbehaved(error))?;
        watch.vigil.heard(now());
        Ok(())
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
