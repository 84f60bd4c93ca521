//! A bolt that runs as a child process.
//!
//! It moves tuples and answers between the task's loop and one child. It never acks for the child, and
//! never starts it again: that is the loop's business, with a new value.

use std::sync::Arc;

use crate::base::{Timestamp, now};
use crate::component::{
    Acking, Activity, Bolt, Collector, ComponentError, Context, FailKind, Progress, TellStacks,
};
use crate::tuple::Tuple;

use super::lessons;
use super::options::CommandOptions;
use super::session::BoltSession;
use super::shell::Life;

/// One life of a bolt in a child process.
#[derive(Debug)]
pub struct ShellBolt {
    options: CommandOptions,
    /// From `open` until the child is gone.
    open: Option<Open>,
    closing: bool,
}

#[derive(Debug)]
struct Open {
    context: Arc<Context>,
    life: Life,
    session: BoltSession,
}

impl ShellBolt {
    /// A bolt that is not started yet.
    pub fn new(options: CommandOptions) -> Self {
        Self { options, open: None, closing: false }
    }

    /// Hears the child, does what is due, and sends what came of it.
    fn turn(&mut self, at: Timestamp, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let result = open.turn(at, out);
        if let Err(error) = &result {
            open.life.kill();
            open.session.died(&error.message, error.detail.as_deref(), out);
            self.open = None;
        }
        // A child that was told to stop may end as it likes.
        if self.closing { Ok(()) } else { result }
    }
}

impl Open {
    fn turn(&mut self, at: Timestamp, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let Self { context, life, session } = self;
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
        if let Err(error) = session.advance(at, life.has_room(), out) {
            return Err(life.given_up(&error, session.desk().last_error()));
        }
        life.set_patient(session.is_patient());
        life.send(session.outbox());
        Ok(())
    }
}

impl Bolt for ShellBolt {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _out: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let options = lessons::apply(&self.options, context);
        let (mut life, handshake) = Life::start(&options, context)?;
        let mut session = BoltSession::new(&options, context, &handshake, now());
        life.send(session.outbox());
        self.open = Some(Open { context: context.clone(), life, session });
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let Some(open) = &mut self.open else {
            out.fail_as(tuple.into_ticket(), FailKind::Died, "the child is gone");
            return Ok(());
        };
        open.session.give(tuple, now());
        if open.session.outbox().is_full() || !open.session.ready() {
            open.life.send(open.session.outbox());
        }
        Ok(())
    }

    fn execute_error_is_fatal(&self) -> bool {
        true
    }

    fn acking(&self) -> Acking {
        Acking::Manual
    }

    fn ready(&self) -> bool {
        !self.closing
            && self.open.as_ref().is_some_and(|open| open.session.ready() && open.life.has_room())
    }

    fn idle(&mut self, _out: &mut Collector<'_>) -> Result<(), ComponentError> {
        if let Some(open) = &mut self.open {
            open.life.send(open.session.outbox());
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        self.turn(now(), out)
    }

    fn tick(&mut self, _out: &mut Collector<'_>) -> Result<(), ComponentError> {
        if let Some(open) = &mut self.open {
            open.session.tick(open.life.has_room());
            open.life.send(open.session.outbox());
        }
        Ok(())
    }

    fn drain(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        if self.closing {
            return Ok(Progress::Done);
        }
        let at = now();
        self.turn(at, out)?;
        Ok(self.mark(|session| session.drain(at)))
    }

    fn drain_anew(&mut self) {
        if let Some(open) = &mut self.open {
            open.session.drain_anew();
        }
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        let at = now();
        self.turn(at, out)?;
        if !self.closing && self.mark(|session| session.end(at)) == Progress::Pending {
            return Ok(Progress::Pending);
        }
        // Storm's clients know no other end than that of their input, and some emit what they have
        // kept only then. So the mark passes behind all of it.
        let is_told = self.open.as_ref().is_none_or(|open| open.session.is_batch());
        Ok(if is_told && !self.closing { Progress::Done } else { self.close(out) })
    }

    fn holds_memory(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.session.keeps_memory())
    }

    fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.session.held())
    }

    fn works(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.session.works())
    }

    fn waiting_since(&self) -> Option<Timestamp> {
        self.open.as_ref().and_then(|open| open.session.waiting_since())
    }

    fn activity(&self) -> Activity {
        self.open.as_ref().map_or(Activity::Starting, |open| open.session.activity())
    }

    fn show_stacks(&mut self, tell: TellStacks) {
        if let Some(open) = &self.open
            && let Some(pid) = open.session.shows_stacks()
        {
            open.life.show_stacks(pid, &open.context, tell);
        }
    }

    fn abandon(&mut self, kind: FailKind, out: &mut Collector<'_>) {
        if let Some(mut open) = self.open.take() {
            open.life.kill();
            open.session.abandon(kind, "its component was stopped", out);
        }
    }

    fn close(&mut self, out: &mut Collector<'_>) -> Progress {
        if let Some(open) = self.open.as_mut().filter(|_| !self.closing) {
            open.session.desk().stopping();
            open.life.send(open.session.outbox());
            open.life.stop();
        }
        self.closing = true;
        // While closing, a turn's error is only that the child has ended.
        match self.turn(now(), out) {
            Ok(()) if self.open.is_some() => Progress::Pending,
            _ => Progress::Done,
        }
    }
}

impl ShellBolt {
    fn mark(&mut self, pass: impl FnOnce(&mut BoltSession) -> Progress) -> Progress {
        let Some(open) = &mut self.open else {
            return Progress::Pending;
        };
        let progress = pass(&mut open.session);
        open.life.send(open.session.outbox());
        progress
    }
}
