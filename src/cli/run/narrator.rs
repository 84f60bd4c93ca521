//! Tells a run's events on the terminal, in one of four styles.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::{ByteSize, ExitCode, TaskId, Timestamp, now};
use crate::supervisor::{Finish, Outcome, RunEvent, Totals};
use crate::topology::{OnStall, Plan};

use super::super::output::Output;
use super::rates::{Rates, grouped};
use super::repeats::Repeats;
use super::{json, table};

/// How a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A table that is drawn again and again; log lines above it.
    Live,
    /// A line now and then.
    Plain,
    /// JSON objects.
    Json,
    /// Errors only.
    Quiet,
}

impl Style {
    /// How often progress is wanted.
    pub(super) fn progress_every(self) -> Duration {
        match self {
            Self::Live => Duration::from_millis(500),
            Self::Json => Duration::from_secs(1),
            Self::Plain | Self::Quiet => Duration::from_secs(5),
        }
    }
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Levels of component log lines that are shown.
const SHOWN_LEVEL: u8 = 2;

pub(super) struct Narrator<'a> {
    style: Style,
    output: &'a mut Output,
    bar: Option<ProgressBar>,
    rates: Rates,
    repeats: Repeats,
    /// The last error that each task reported.
    last_errors: HashMap<TaskId, String>,
    worker_lost: bool,
    /// Why the run is paused, where it is.
    paused: Option<String>,
    name: String,
    started: Timestamp,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(plan: &Plan, style: Style, output: &'a mut Output) -> Self {
        let bar = (style == Style::Live).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let shape = ProgressStyle::with_template("{msg}");
            bar.set_style(shape.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        let name = plan.name.clone();
        Self {
            style,
            output,
            bar,
            rates: Rates::default(),
            repeats: Repeats::default(),
            last_errors: HashMap::new(),
            worker_lost: false,
            paused: None,
            name,
            started: now(),
        }
    }

    /// Tells one event.
    pub(super) fn event(&mut self, event: &RunEvent) {
        self.worker_lost |= matches!(event, RunEvent::WorkerLost { .. });
        match event {
            RunEvent::Paused { culprit, .. } => {
                self.paused = Some(format!("{culprit} failed; {}", how_to_go_on()));
            }
            RunEvent::Resumed => self.paused = None,
            _ => {}
        }
        match (self.style, event) {
            (Style::Json, _) => {
                let mut told = json::event(event);
                told["elapsed"] = now().since(self.started).as_secs_f64().into();
                self.line(&told.to_string());
            }
            (Style::Live, RunEvent::Progress(totals)) => self.draw(totals),
            (Style::Plain, RunEvent::Progress(totals)) => {
                let rates = self.rates.since_last(totals, now());
                // The first look has no rates yet.
                if !rates.is_empty() {
                    let seconds = now().since(self.started).as_secs_f64();
                    let paused = if self.paused.is_some() { "paused  " } else { "" };
                    let counts = table::plain_line(totals, &rates);
                    self.line(&format!("{seconds:7.1} s  {paused}{counts}"));
                }
            }
            (Style::Quiet, RunEvent::Progress(_)) => {}
            (style, event) => {
                let told = self.already_told(event);
                if let Some((severity, text)) = sentence(event, told)
                    && (style != Style::Quiet || severity == Severity::Error)
                    && let Some(note) = self.note(severity, &text)
                {
                    self.line(&paint(severity, &format!("{text}{note}")));
                }
            }
        }
    }

    /// Whether a restart's details have just been told as an error of the same task.
    fn already_told(&mut self, event: &RunEvent) -> bool {
        match event {
            RunEvent::Error { task, text, .. } => {
                self.last_errors.insert(*task, text.clone());
                false
            }
            RunEvent::Restarted { task, detail: Some(detail), .. } => {
                self.last_errors.remove(task).is_some_and(|error| detail.contains(&error))
            }
            _ => false,
        }
    }

    /// What to add to a line; `None` where it has come too often to be told again.
    fn note(&mut self, severity: Severity, text: &str) -> Option<String> {
        match severity {
            Severity::Fine | Severity::Info => Some(String::new()),
            Severity::Warning | Severity::Error => self.repeats.note(text),
        }
    }

    /// Tells the end; the exit code for it.
    pub(super) fn finish(mut self, outcome: &Outcome) -> ExitCode {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = now().since(self.started).as_secs_f64();
        let code = outcome.finish.exit_code();
        if self.style == Style::Json {
            self.line(&json::finished(outcome, seconds).to_string());
            return code;
        }
        if self.style != Style::Quiet {
            let text = format!("\n{}\n", table::final_table(&outcome.totals));
            self.line(&text);
        }
        let mut summary = table::summary(&outcome.totals, seconds);
        if self.worker_lost || !matches!(outcome.finish, Finish::Complete | Finish::MemoryLost(_)) {
            summary.push_str(" (as last reported: what a lost worker did after that is not in it)");
        }
        let name = &self.name;
        match &outcome.finish {
            Finish::Complete | Finish::Unwanted { .. } if self.style == Style::Quiet => {}
            Finish::Unwanted { reason } => self.line(&format!("{name} ended: {reason}\n{summary}")),
            Finish::Complete => self.line(&format!("{GREEN}{name} is complete{PLAIN}: {summary}")),
            Finish::MemoryLost(components) => {
                let components = components.join(", ");
                self.line(&format!(
                    "{YELLOW}{name} is complete, but {components} lost what it kept in memory when \
                     it was restarted{PLAIN}: its results may be too low\n{summary}"
                ));
            }
            Finish::Failed { reason, detail } => {
                let detail = detail.as_deref().map(indent).unwrap_or_default();
                self.line(&format!("{RED}{name} failed{PLAIN}: {reason}{detail}\n{summary}"));
            }
            Finish::Killed => {
                let what = "killed before it had drained: unacked input was not finished";
                self.line(&format!("{RED}{name} was {what}{PLAIN}\n{summary}"));
            }
        }
        code
    }

    fn draw(&mut self, totals: &Totals) {
        let rates = self.rates.since_last(totals, now());
        let seconds = now().since(self.started).as_secs_f64();
        let memory = ByteSize(totals.rss);
        let mut head = format!("{}  {seconds:.0} s  workers use {memory}", self.name);
        if let Some(paused) = &self.paused {
            head.extend(["\nPAUSED: ", paused]);
        }
        if let Some(bar) = &self.bar {
            let text = format!("{head}\n{}", table::live_table(totals, &rates));
            bar.set_message(cut_lines(&text, self.output.message_width()));
            bar.tick();
        }
    }

    /// A line for people, above the live table where there is one.
    fn line(&mut self, text: &str) {
        let output = &mut *self.output;
        match &self.bar {
            Some(bar) => bar.suspend(|| output.message(&format!("{text}\n"))),
            None => output.message(&format!("{text}\n")),
        }
    }
}

/// Lines that would wrap could not be drawn over.
fn cut_lines(text: &str, width: Option<u16>) -> String {
    let width = width.map_or(usize::MAX, usize::from).saturating_sub(1);
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(width).collect()).collect();
    lines.join("\n")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Fine,
    Info,
    Warning,
    Error,
}

fn paint(severity: Severity, text: &str) -> String {
    let (colour, word) = match severity {
        Severity::Fine => (DIM, ""),
        Severity::Info => return text.to_owned(),
        Severity::Warning => (YELLOW, "warning: "),
        Severity::Error => (RED, "error: "),
    };
    match text.split_once('\n') {
        Some((first, rest)) => format!("{colour}{word}{first}{PLAIN}\n{rest}"),
        None => format!("{colour}{word}{text}{PLAIN}"),
    }
}

fn indent(detail: &str) -> String {
    detail.lines().flat_map(|line| ["\n    ", line]).collect()
}

fn with_detail(text: String, detail: Option<&str>) -> String {
    detail.map_or_else(|| text.clone(), |detail| format!("{text}{}", indent(detail)))
}

/// What a component said, without what would move a terminal's cursor or change its colours.
pub(in super::super) fn tame(text: &str) -> Cow<'_, str> {
    let wild = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let mut tamed = String::with_capacity(text.len() + 16);
    for letter in text.replace("\r\n", "\n").chars() {
        if wild(letter) {
            tamed.extend(letter.escape_default());
        } else {
            tamed.push(letter);
        }
    }
    Cow::Owned(tamed)
}

/// An event in words.
fn sentence(event: &RunEvent, already_told: bool) -> Option<(Severity, String)> {
    Some(match event {
        RunEvent::Started { workers, tasks } => {
            let workers = plural(*workers, "worker");
            (Severity::Fine, format!("{} on {workers}", plural(*tasks, "task")))
        }
        RunEvent::WorkerLost { slot, how, delay } => {
            let delay = delay.as_millis();
            (Severity::Warning, format!("worker {slot} was lost ({how}); replaced in {delay} ms"))
        }
        RunEvent::WorkerReplaced { slot, .. } => {
            (Severity::Info, format!("worker {slot} is back; what it had in hand is replayed"))
        }
        RunEvent::Restarted { component, task, reason, detail } => {
            let text = format!("{component} (task {task}) {reason}; it is started again");
            let detail = detail.as_deref().filter(|_| !already_told).map(tame);
            (Severity::Warning, with_detail(text, detail.as_deref()))
        }
        RunEvent::MemoryLost { component, task } => {
            let text = format!("{component} (task {task}) lost what it had kept in memory");
            (Severity::Warning, text)
        }
        RunEvent::Log { level, .. } if *level < SHOWN_LEVEL => return None,
        RunEvent::Log { component, task, level, text } => {
            let severity = match level {
                0..=2 => Severity::Info,
                3 => Severity::Warning,
                _ => Severity::Error,
            };
            (severity, format!("{component} (task {task}): {}", tame(text)))
        }
        RunEvent::Error { component, task, text, detail } => {
            let text = format!("{component} (task {task}): {}", tame(text));
            let detail = detail.as_deref().map(tame);
            (Severity::Error, with_detail(text, detail.as_deref()))
        }
        RunEvent::TimedOut { component, count, holding } => {
            (Severity::Warning, timed_out(component, *count, holding))
        }
        RunEvent::LogDropped { component, task, repeated, dropped } => {
            let what = left_out(*repeated, *dropped);
            (Severity::Info, format!("{component} (task {task}): ({what})"))
        }
        RunEvent::Draining { reason } => {
            let text = format!(
                "{reason}: no more input, finishing what is under way \
                                (Ctrl-C again kills)"
            );
            (Severity::Info, text)
        }
        RunEvent::Stalled { stack, .. } => {
            let text = stalled(event).unwrap_or_default();
            (Severity::Warning, with_detail(text, stack.as_deref().map(tame).as_deref()))
        }
        RunEvent::Paused { culprit, reason, detail } => {
            let text = format!(
                "the run is paused: {culprit} failed: {reason}\n\
                 no input is taken and what is open is kept; {}, Ctrl-C ends the run",
                how_to_go_on()
            );
            (Severity::Error, with_detail(text, detail.as_deref().map(tame).as_deref()))
        }
        RunEvent::Resumed => {
            (Severity::Info, "the run goes on: what had failed is started again".to_owned())
        }
        RunEvent::Progress(_) => return None,
    })
}

fn stalled(event: &RunEvent) -> Option<String> {
    let RunEvent::Stalled { component, task, from, span, queued_bytes, held, then, .. } = event
    else {
        return None;
    };
    let (span, from) = (span.as_secs(), from.join(", "));
    let waits = ByteSize(*queued_bytes);
    let then = match then {
        OnStall::Report => "",
        OnStall::Restart => "; it is to be started again",
        OnStall::Stop => "; the run ends",
    };
    Some(format!(
        "{component} (task {task}) has made no progress for {span} s while input waits \
         ({from} -> {component}: {waits} wait, {} in hand){then}",
        plural(*held as usize, "tuple")
    ))
}

/// For people whose run is paused.
fn how_to_go_on() -> String {
    format!("mend it, then `kill -CONT {}` goes on", std::process::id())
}

fn timed_out(component: &str, count: u64, holding: &[(String, u64)]) -> String {
    let holding: Vec<_> =
        holding.iter().map(|(bolt, held)| format!("{bolt} holds {}", grouped(*held))).collect();
    let hint = if holding.is_empty() {
        "no bolt holds any: one may forget to ack".to_owned()
    } else {
        holding.join(", ")
    };
    let messages = plural(count as usize, "message");
    format!("{messages} of {component} timed out before every bolt had acked them ({hint})")
}

/// What became of log lines that are not shown.
fn left_out(repeated: u64, dropped: u64) -> String {
    match (repeated, dropped) {
        (again, 0) => format!("said that {} more", times(again)),
        (0, many) => format!("{} came too fast and were left out", lines(many)),
        (again, many) => format!(
            "said that {} more, and {} came too fast and were left out",
            times(again),
            lines(many)
        ),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

fn lines(count: u64) -> String {
    plural(count as usize, "line")
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{} {word}s", grouped(count as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_says_cannot_drive_the_terminal() {
        assert_eq!(tame("a\tb\r\nnaïve \u{1b}[2J\0\r"), "a\tb\nnaïve \\u{1b}[2J\\u{0}\\r");
    }

    #[test]
    fn sentences_name_the_component_and_indent_what_it_said() {
        let event = RunEvent::Restarted {
            component: "split".to_owned(),
            task: TaskId(2),
            reason: "exited with status 1".to_owned(),
            detail: Some("Traceback\nValueError".to_owned()),
        };
        let (severity, text) = sentence(&event, false).unwrap();
        assert_eq!(severity, Severity::Warning);
        let expected = "split (task 2) exited with status 1; it is started again\
                        \n    Traceback\n    ValueError";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_bolt_that_never_acks_is_named() {
        let text = timed_out("lines", 40, &[("slow".to_owned(), 40)]);
        assert_eq!(
            text,
            "40 messages of lines timed out before every bolt had acked them (slow holds 40)"
        );
    }
}
