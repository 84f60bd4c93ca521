//! A spout that runs as a child process.
//!
//! It moves messages, acks and fails between the task's loop and one child, and never starts it
//! again. A message that the child sent in an earlier life is left to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{Timestamp, now};
use crate::component::{
    ComponentError, Context, EmitError, MessageId, Next, Progress, Replay, Spout, SpoutCollector,
    SpoutEmission, SpoutEmitter,
};

use super::lessons;
use super::options::CommandOptions;
use super::session::{SpoutSession, Wanted};
use super::shell::Life;

/// Message numbers are those of a life in the lower bits, and the life's own number above.
const LIFE_BITS: u32 = 40;

/// Counts the lives of all spout children in this process.
static LIVES: AtomicU64 = AtomicU64::new(1);

/// One life of a spout in a child process.
#[derive(Debug)]
pub struct ShellSpout {
    options: CommandOptions,
    /// From `open` until the child is gone.
    open: Option<Open>,
    active: bool,
    closing: bool,
}

#[derive(Debug)]
struct Open {
    context: Arc<Context>,
    life: Life,
    session: SpoutSession,
    /// The session's count of emissions when `next_batch` was last answered.
    told: u64,
}

impl ShellSpout {
    /// A spout that is not started yet.
    pub fn new(options: CommandOptions) -> Self {
        Self { options, open: None, active: false, closing: false }
    }

    fn turn(&mut self, at: Timestamp, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let result = open.turn(at, out);
        if result.is_err() {
            open.life.kill();
            self.open = None;
        }
        result
    }

    fn set_active(&mut self, active: bool) {
        self.active = active;
        if let Some(open) = &mut self.open {
            open.session.set_active(active);
            open.session.pump(now());
            open.life.send(open.session.outbox());
        }
    }
}

impl Open {
    fn turn(&mut self, at: Timestamp, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        let Self { context, life, session, .. } = self;
        while out.has_room() {
            let Some(chunk) = life.take_output() else { break };
            if let Err(error) = session.read(&chunk, at, out) {
                return Err(life.given_up(&error, session.desk().last_error()));
            }
        }
        if life.has_output() {
            session.pause(at);
        }
        if let Some(error) = life.ended(session.desk().last_error()) {
            session.finish();
            let suspicion = session.suspicion().filter(|_| !life.was_killed());
            lessons::learn(suspicion, session.has_worked(), context);
            return Err(error);
        }
        if let Err(error) = session.advance(at) {
            return Err(life.given_up(&error, session.desk().last_error()));
        }
        life.set_patient(session.is_patient());
        life.send(session.outbox());
        Ok(())
    }
}

/// Where a stopping spout's emissions go: nobody listens any more, and nothing of it was acked.
struct Late(u64);

impl SpoutEmitter for Late {
    fn emit(&mut self, _emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        self.0 += 1;
        Ok(())
    }
}

impl Spout for ShellSpout {
    fn open(&mut self, context: &Arc<Context>) -> Result<(), ComponentError> {
        let options = lessons::apply(&self.options, context);
        let (mut life, handshake) = Life::start(&options, context)?;
        let first_id = LIVES.fetch_add(1, Ordering::Relaxed) << LIFE_BITS;
        let mut session = SpoutSession::new(&options, context, &handshake, first_id, now());
        session.set_active(self.active);
        life.send(session.outbox());
        self.open = Some(Open { context: context.clone(), life, session, told: 0 });
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        self.next_batch(1, out)
    }

    fn next_batch(
        &mut self,
        max: usize,
        out: &mut SpoutCollector<'_>,
    ) -> Result<Next, ComponentError> {
        if !self.active {
            self.set_active(true);
        }
        let at = now();
        self.turn(at, out)?;
        let Some(open) = &mut self.open else {
            return Ok(Next::Idle);
        };
        let wanted = open.session.want(max, at);
        open.life.send(open.session.outbox());
        let emitted = open.session.emitted();
        let more = emitted > std::mem::replace(&mut open.told, emitted);
        Ok(match wanted {
            Wanted::Exhausted => Next::Exhausted,
            _ if more => Next::More,
            Wanted::Asked => Next::Idle, // Its answer rings.
            Wanted::NotBefore(time) => Next::IdleUntil(time),
        })
    }

    fn ack(&mut self, id: MessageId) {
        if let Some(open) = &mut self.open {
            open.session.ack(id);
            open.context.waker.ring(); // So that it goes out although no message may be wanted now.
        }
    }

    fn fail(&mut self, id: MessageId, _reason: &str) -> Replay {
        let Some(open) = &mut self.open else {
            return Replay::Engine;
        };
        open.context.waker.ring();
        open.session.fail(id)
    }

    fn wake(&mut self, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        self.turn(now(), out)
    }

    fn ready(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.session.ready() && open.life.has_room())
    }

    fn activate(&mut self) {
        self.set_active(true);
    }

    fn deactivate(&mut self) {
        self.set_active(false);
    }

    fn close(&mut self) -> Progress {
        if !self.closing {
            self.closing = true;
            if let Some(open) = &mut self.open {
                open.session.stop(now());
                open.life.send(open.session.outbox());
                open.life.stop();
            }
        }
        let Some(open) = &mut self.open else {
            return Progress::Done;
        };
        let mut late = Late(0);
        let ended = open.turn(now(), &mut SpoutCollector::new(&mut late)).is_err();
        for _ in 0..late.0 {
            open.session.desk().complain(
                "emitted_while_stopping",
                "the spout emitted while it was being stopped; this was not sent on",
            );
        }
        if ended {
            self.open = None;
            return Progress::Done;
        }
        Progress::Pending
    }
}
