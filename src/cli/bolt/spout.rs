//! The loop of a lone spout: takes so many messages, acks each, and closes it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{ExitCode, Timestamp, now, panic_text};
use crate::component::{ComponentError, Level, Next, Progress, Spout, SpoutCollector};

use super::super::output::Output;
use super::events::Event;
use super::printer::{Printer, Taker};
use super::setting::Setting;
use super::watch::{Interrupts, pause};

/// Messages that are asked for at a time.
const BATCH: u64 = 256;
/// How long a spout that has nothing at the moment is left alone.
const IDLE: Duration = Duration::from_millis(5);

/// What the loop does next.
enum Then {
    /// More at once.
    Go,
    /// When the bell rings, or at a time.
    Wait(Option<Timestamp>),
    /// No more messages are wanted or to be had.
    Enough,
}

/// Runs a spout until it has given `max` messages or has no more, and closes it.
pub(super) fn run(
    mut spout: Box<dyn Spout>,
    setting: &Setting,
    max: u64,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::watch(setting);
    let printer = Printer::new(&setting.context, &setting.events);
    let mut taker = Taker { printer, left: max, to_ack: Vec::new(), beyond: 0 };
    let mut acked = 0;
    let mut result = guarded(|| {
        spout.open(&setting.context)?;
        spout.activate();
        Ok(Then::Go)
    });
    while let Ok(then) = &result {
        let over = interrupts.count() > 0 || matches!(then, Then::Enough);
        output.result(&taker.printer.take())?;
        output.message(&setting.events.take());
        match then {
            _ if over => break,
            Then::Wait(until) => pause(setting, *until),
            _ => {}
        }
        result = guarded(|| turn(spout.as_mut(), &mut taker, &mut acked));
    }
    let mut death = result.err();
    while death.is_none() && interrupts.count() < 2 {
        let closed = guarded(|| {
            spout.deactivate();
            Ok(spout.close())
        });
        output.message(&setting.events.take());
        match closed {
            Ok(Progress::Done) => break,
            Ok(Progress::Pending) => pause(setting, None),
            Err(error) => death = Some(error),
        }
    }
    let died = death.is_some();
    tell_end(setting, &taker, max, acked, death);
    output.result(&taker.printer.take())?;
    output.message(&setting.events.take());
    Ok(match (died, interrupts.count()) {
        (true, _) => ExitCode::RunFailed,
        (false, 0 | 1) => ExitCode::Success,
        _ => ExitCode::Killed,
    })
}

fn turn(spout: &mut dyn Spout, taker: &mut Taker, acked: &mut u64) -> Result<Then, ComponentError> {
    spout.wake(&mut SpoutCollector::new(taker))?;
    let mut next = None;
    if taker.left > 0 && spout.ready() {
        let most = taker.left.min(BATCH) as usize;
        next = Some(spout.next_batch(most, &mut SpoutCollector::new(taker))?);
    }
    for id in std::mem::take(&mut taker.to_ack) {
        spout.ack(id);
        *acked += 1;
    }
    if taker.left == 0 {
        return Ok(Then::Enough);
    }
    Ok(match next {
        Some(Next::Exhausted) => Then::Enough,
        Some(Next::More) => Then::Go,
        Some(Next::IdleUntil(time)) => Then::Wait(Some(time)),
        Some(Next::Idle) => Then::Wait(Some(now() + IDLE)),
        None => Then::Wait(None),
    })
}

/// Calls the component; its panic is an error like another.
fn guarded<T>(call: impl FnOnce() -> Result<T, ComponentError>) -> Result<T, ComponentError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        Err(ComponentError::restart(format!("panicked: {}", panic_text(panic.as_ref()))))
    })
}

fn tell_end(setting: &Setting, taker: &Taker, max: u64, acked: u64, death: Option<ComponentError>) {
    let (context, events) = (Arc::clone(&setting.context), &setting.events);
    if taker.beyond > 0 {
        let text = format!("{} more messages were emitted and left unacked", taker.beyond);
        events.add(Event::Log { level: Level::Info, text });
    }
    if let Some(ComponentError { message, detail, .. }) = death {
        let text = format!("{} died: {message}", context.component);
        events.add(Event::Error { text, detail });
    }
    events.add(Event::Finished {
        taken: max - taker.left,
        acked,
        failed: 0,
        emitted: taker.printer.emitted,
        metrics: serde_json::to_value(context.reporter.metrics().snapshot()).unwrap_or_default(),
    });
}
