//! What happens, as lines for people or JSON objects. They are gathered here from any thread and
//! written by the one loop; this writes nothing itself.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::base::Signal;
use crate::component::{Level, Report};
use crate::multilang::TRACE_PREFIX;

/// Events that may wait; the loop writes them whenever it turns.
const MOST: usize = 100_000;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Json,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Acked { line: u64 },
    Failed { line: u64, reason: String },
    Rejected { line: u64, reason: String },
    Log { level: Level, text: String },
    Error { text: String, detail: Option<String> },
    Frame { text: String },
    Finished { taken: u64, acked: u64, failed: u64, emitted: u64, metrics: Value },
}

/// The events that were not written yet.
pub(super) struct Events {
    form: Form,
    waiting: Mutex<Waiting>,
    waker: Signal,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    dropped: u64,
}

impl Events {
    pub(super) fn new(form: Form, waker: Signal) -> Self {
        Self { form, waiting: Mutex::default(), waker }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event and rings the loop.
    pub(super) fn add(&self, event: Event) {
        let mut waiting = self.lock();
        if waiting.events.len() < MOST {
            waiting.events.push_back(event);
        } else {
            waiting.dropped += 1;
        }
        drop(waiting);
        self.waker.ring();
    }

    /// Takes what waits, as text.
    pub(super) fn take(&self) -> String {
        let Waiting { events, dropped } = std::mem::take(&mut *self.lock());
        let mut text: String = events.iter().filter_map(|event| self.show(event)).collect();
        if dropped > 0 {
            let message = format!("{dropped} more lines came too fast to be shown");
            let event = Event::Log { level: Level::Warn, text: message };
            text.extend(self.show(&event));
        }
        text
    }

    fn show(&self, event: &Event) -> Option<String> {
        match self.form {
            Form::Plain => plain(event),
            Form::Json => Some(format!("{}\n", as_json(event))),
        }
    }
}

impl Report for Events {
    fn log(&self, level: Level, message: &str) {
        self.add(match message.strip_prefix(TRACE_PREFIX).filter(|_| level == Level::Trace) {
            Some(frame) => Event::Frame { text: frame.to_owned() },
            None => Event::Log { level, text: message.to_owned() },
        });
    }

    fn error(&self, message: &str, detail: Option<&str>) {
        self.add(Event::Error { text: message.to_owned(), detail: detail.map(str::to_owned) });
    }
}

fn plain(event: &Event) -> Option<String> {
    Some(match event {
        Event::Acked { line } => format!("acked line {line}\n"),
        Event::Failed { line, reason } => format!("failed line {line}: {reason}\n"),
        Event::Rejected { line, reason } => format!("line {line} is no tuple: {reason}\n"),
        Event::Log { level: Level::Trace | Level::Debug, .. } => return None,
        Event::Log { level, text } => format!("{}: {text}\n", word(*level)),
        Event::Error { text, detail } => {
            let lines = detail.iter().flat_map(|detail| detail.lines());
            format!("error: {text}\n{}", lines.map(|l| format!("  {l}\n")).collect::<String>())
        }
        Event::Frame { text } => format!("{text}\n"),
        Event::Finished { taken, acked, failed, emitted, metrics } => {
            let metrics = metrics.as_object().into_iter().flatten();
            let metrics = metrics.map(|(name, value)| format!("metric {name}: {value}\n"));
            format!(
                "{}{taken} taken: {acked} acked, {failed} failed; {emitted} emitted\n",
                metrics.collect::<String>()
            )
        }
    })
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warning",
        Level::Error => "error",
    }
}

fn as_json(event: &Event) -> Value {
    match event {
        Event::Acked { line } => json!({"event": "acked", "line": line}),
        Event::Failed { line, reason } => {
            json!({"event": "failed", "line": line, "reason": reason})
        }
        Event::Rejected { line, reason } => {
            json!({"event": "rejected", "line": line, "reason": reason})
        }
        Event::Log { level, text } => json!({"event": "log", "level": level, "text": text}),
        Event::Error { text, detail } => json!({"event": "error", "text": text, "detail": detail}),
        Event::Frame { text } => {
            let (direction, text) = text.split_once(' ').unwrap_or(("", text));
            let direction = if direction == ">" { "to" } else { "from" };
            json!({"event": "frame", "direction": direction, "text": text})
        }
        Event::Finished { taken, acked, failed, emitted, metrics } => json!({
            "event": "finished", "taken": taken, "acked": acked, "failed": failed,
            "emitted": emitted, "metrics": metrics
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_come_too_fast_are_counted() {
        let events = Events::new(Form::Plain, Signal::new());
        for line in 0..=MOST as u64 {
            events.add(Event::Acked { line });
        }
        let text = events.take();
        assert!(text.ends_with("warning: 1 more lines came too fast to be shown\n"));
        assert_eq!(events.take(), "");
    }

    #[test]
    fn frames_are_told_from_what_a_component_logs() {
        let events = Events::new(Form::Plain, Signal::new());
        events.log(Level::Trace, &format!("{TRACE_PREFIX}> {{}}"));
        events.log(Level::Trace, "> mine");
        events.error("no", Some("a\nb"));
        assert_eq!(events.take(), "> {}\nerror: no\n  a\n  b\n");
    }
}
