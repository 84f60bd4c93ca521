//! The loop of a lone bolt: feeds it, prints what it emits, ends it as a run would.
//!
//! A component that dies is not started again: its death is what one wants to see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::base::{EdgeId, ExitCode, RootId, Timestamp, now, panic_text, show_duration};
use crate::component::{
    Acking, Bolt, Collector, ComponentError, Context, Emitter as _, FailKind, Progress,
};
use crate::tuple::{Anchor, Tuple};

use super::super::output::Output;
use super::events::{Event, Events};
use super::feed::{Fed, Feed};
use super::lines;
use super::printer::Printer;
use super::setting::Setting;
use super::watch::{Interrupts, pause};

/// Tuples between two looks at everything else.
const TURN: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Feeding,
    /// There is no more input.
    Draining,
    /// Every tuple is answered.
    Ending,
    Closing,
    Closed,
}

/// Runs a bolt until its input has ended and it is closed.
pub(super) fn run(
    bolt: Box<dyn Bolt>,
    setting: &Setting,
    max: Option<u64>,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::watch(setting);
    let mut drive = Drive::new(bolt, setting, max);
    let mut result = drive.guarded(Drive::open);
    while result.is_ok() && drive.stage < Stage::Closed && interrupts.count() < 2 {
        if interrupts.count() > 0 && drive.stage == Stage::Feeding {
            drive.stop_feeding(now());
        }
        result = drive.guarded(|drive| drive.turn(now()));
        output.result(&drive.printer.take())?;
        output.message(&setting.events.take());
        if let Ok(false) = result {
            pause(setting, drive.deadline());
        }
    }
    let killed = drive.stage < Stage::Closed && result.is_ok();
    drive.finish(result.err());
    output.result(&drive.printer.take())?;
    output.message(&setting.events.take());
    Ok(if killed {
        ExitCode::Killed
    } else if drive.went_wrong {
        ExitCode::RunFailed
    } else {
        ExitCode::Success
    })
}

struct Drive {
    bolt: Box<dyn Bolt>,
    acking: Acking,
    context: Arc<Context>,
    events: Arc<Events>,
    printer: Printer,
    feed: Feed,
    stage: Stage,
    /// A tuple that was read while the bolt was not ready for it.
    next: Option<Tuple>,
    /// Number of the last line.
    line: u64,
    taken: u64,
    max: Option<u64>,
    next_tick: Option<Timestamp>,
    fed_until: Timestamp,
    idle: bool,
    went_wrong: bool,
}

impl Drive {
    fn new(bolt: Box<dyn Bolt>, setting: &Setting, max: Option<u64>) -> Self {
        let context = Arc::clone(&setting.context);
        Self {
            bolt,
            acking: Acking::Automatic,
            printer: Printer::new(&context, &setting.events),
            feed: Feed::start(&context.io, &context.waker),
            events: Arc::clone(&setting.events),
            context,
            stage: Stage::Feeding,
            next: None,
            line: 0,
            taken: 0,
            max,
            next_tick: None,
            fed_until: Timestamp::default(),
            idle: false,
            went_wrong: false,
        }
    }

    /// Calls the component; its panic is an error like another.
    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut Self) -> Result<T, ComponentError>,
    ) -> Result<T, ComponentError> {
        catch_unwind(AssertUnwindSafe(|| call(self))).unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            Err(ComponentError::restart(format!("panicked: {text}")))
        })
    }

    fn open(&mut self) -> Result<bool, ComponentError> {
        self.bolt.open(&self.context, &mut Collector::new(&mut self.printer))?;
        self.acking = self.bolt.acking();
        self.next_tick = self.context.tick.map(|every| now() + every);
        Ok(true)
    }

    /// Does what can be done now; true where there may be more at once.
    fn turn(&mut self, now: Timestamp) -> Result<bool, ComponentError> {
        self.bolt.wake(&mut Collector::new(&mut self.printer))?;
        let mut worked = 0;
        while worked < TURN && self.stage == Stage::Feeding && self.printer.has_room() {
            if !self.bolt.ready() || !self.read(now) {
                break;
            }
            worked += 1;
            self.execute()?;
        }
        self.tick(now)?;
        if worked > 0 {
            self.idle = false;
        } else if !std::mem::replace(&mut self.idle, true) {
            self.bolt.idle(&mut Collector::new(&mut self.printer))?;
        }
        let stage = self.stage;
        self.pass_stages(now)?;
        Ok(worked > 0 || self.stage != stage)
    }

    /// Reads the next tuple; false where there is none now.
    fn read(&mut self, now: Timestamp) -> bool {
        while self.next.is_none() {
            if self.max.is_some_and(|max| self.taken >= max) {
                self.stop_feeding(now);
                return false;
            }
            let line = match self.feed.take() {
                Fed::Line(line) => line,
                Fed::Wait => return false,
                Fed::End => {
                    self.stop_feeding(now);
                    return false;
                }
                Fed::Broken(problem) => {
                    self.went_wrong = true;
                    self.events.add(Event::Error { text: problem, detail: None });
                    self.stop_feeding(now);
                    return false;
                }
            };
            self.line += 1;
            match lines::read(&line, &self.context.inputs) {
                Ok(None) => {}
                Ok(Some(tuple)) => self.next = Some(tuple),
                Err(reason) => {
                    self.went_wrong = true;
                    self.events.add(Event::Rejected { line: self.line, reason });
                }
            }
        }
        true
    }

    fn stop_feeding(&mut self, now: Timestamp) {
        self.stage = Stage::Draining;
        self.fed_until = now;
    }

    fn execute(&mut self) -> Result<(), ComponentError> {
        let Some(mut tuple) = self.next.take() else { return Ok(()) };
        self.taken += 1;
        self.printer.given(self.line);
        let spout = tuple.source;
        let (root, edge) = (RootId(self.line), EdgeId(self.line));
        tuple.anchors.push(Anchor { root, edge, spout });
        let ticket = tuple.ticket();
        let flags = tuple.flags;
        let mut out = Collector::holding(&mut self.printer, &ticket.anchors, flags);
        match self.bolt.execute(tuple, &mut out) {
            Ok(()) if self.acking == Acking::Automatic => self.printer.ack(&ticket.anchors),
            Ok(()) => {}
            Err(error) => {
                self.printer.fail(&ticket.anchors, FailKind::Explicit, &error.message);
                if self.bolt.execute_error_is_fatal() {
                    return Err(error);
                }
                if let Some(detail) = error.detail {
                    self.events.add(Event::Error { text: error.message, detail: Some(detail) });
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), ComponentError> {
        let (Some(due), Some(every)) = (self.next_tick, self.context.tick) else {
            return Ok(());
        };
        if now >= due && self.stage < Stage::Closing && self.bolt.ready() {
            self.next_tick = Some(now + every);
            self.bolt.tick(&mut Collector::new(&mut self.printer))?;
        }
        Ok(())
    }

    /// Goes on towards the end as far as the bolt lets it.
    fn pass_stages(&mut self, now: Timestamp) -> Result<(), ComponentError> {
        let mut out = Collector::new(&mut self.printer);
        match self.stage {
            Stage::Draining => {
                let drained = self.bolt.drain(&mut out)? == Progress::Done;
                if drained && self.printer.open() == 0 {
                    self.stage = Stage::Ending;
                } else if now.since(self.fed_until) > self.context.message_timeout {
                    let limit = show_duration(self.context.message_timeout);
                    self.printer.fail_open(&format!("neither acked nor failed within {limit}"));
                    self.went_wrong = true;
                    self.stage = Stage::Ending;
                }
            }
            Stage::Ending if self.bolt.end(&mut out)? == Progress::Done => {
                self.stage = Stage::Closing;
            }
            Stage::Closing if self.bolt.close(&mut out) == Progress::Done => {
                self.stage = Stage::Closed;
            }
            _ => {}
        }
        Ok(())
    }

    /// When there is something to do although nobody rings.
    fn deadline(&self) -> Option<Timestamp> {
        self.next_tick.filter(|_| self.stage < Stage::Closing)
    }

    /// Tells how it ended. What a bolt that has died or was killed still held has failed.
    fn finish(&mut self, death: Option<ComponentError>) {
        if self.stage < Stage::Closed {
            self.went_wrong = true;
            let reason = death.as_ref().map_or("the run was killed", |error| &error.message);
            // A second panic, in a component that has panicked, says nothing new.
            let abandoned = self.guarded(|drive| {
                let mut out = Collector::new(&mut drive.printer);
                drive.bolt.abandon(FailKind::Died, &mut out);
                Ok(())
            });
            tracing::debug!(?abandoned, "the component was abandoned");
            self.printer.fail_open(reason);
        }
        if let Some(ComponentError { message, detail, .. }) = death {
            let text = format!("{} died: {message}", self.context.component);
            self.events.add(Event::Error { text, detail });
        }
        self.went_wrong |= self.printer.failed > 0;
        let metrics = self.context.reporter.metrics().snapshot();
        self.events.add(Event::Finished {
            taken: self.taken,
            acked: self.printer.acked,
            failed: self.printer.failed,
            emitted: self.printer.emitted,
            metrics: serde_json::to_value(metrics).unwrap_or_default(),
        });
    }
}
