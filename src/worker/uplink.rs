//! What components say on its way to the supervisor: bounded, and what does not fit is counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::base::{TaskId, beginning, now};
use crate::component::{Level, Report};
use crate::control::FromWorker;

use super::log_gate::{Admission, LogGate};

/// Lines that may wait for the control link.
const WAITING: usize = 4096;
/// Longest text of one line; the rest is cut off.
const MAX_TEXT: usize = 16 * 1024;

/// Gives each task its [`Report`].
#[derive(Clone, Debug)]
pub(super) struct Uplink {
    lines: Sender<FromWorker>,
    tasks: Arc<Mutex<Vec<Arc<TaskReport>>>>,
}

impl Uplink {
    /// An uplink and the queue that it fills.
    pub(super) fn new() -> (Self, Receiver<FromWorker>) {
        let (lines, waiting) = mpsc::channel(WAITING);
        (Self { lines, tasks: Arc::default() }, waiting)
    }

    /// The report of one task.
    pub(super) fn task(&self, task: TaskId) -> Arc<dyn Report> {
        let gates = Mutex::new(Gates {
            details: LogGate::new(),
            lines: LogGate::new(),
            complaints: LogGate::new(),
        });
        let report = Arc::new(TaskReport { lines: self.lines.clone(), task, gates });
        lock(&self.tasks).push(report.clone());
        report
    }

    /// What each task said and was not passed on since this was last asked.
    pub(super) fn take_counts(&self) -> Vec<FromWorker> {
        let tasks = lock(&self.tasks);
        let counts = tasks.iter().filter_map(|report| {
            let (repeated, dropped) = lock(&report.gates).take_counts();
            let any = repeated + dropped > 0;
            any.then_some(FromWorker::LogDropped { task: report.task, repeated, dropped })
        });
        counts.collect()
    }
}

/// So that neither details nor prints can crowd out a complaint.
#[derive(Debug)]
struct Gates {
    /// Below `info`.
    details: LogGate,
    lines: LogGate,
    /// From `warn` on.
    complaints: LogGate,
}

impl Gates {
    fn of(&mut self, level: Level) -> &mut LogGate {
        match level {
            Level::Trace | Level::Debug => &mut self.details,
            Level::Info => &mut self.lines,
            Level::Warn | Level::Error => &mut self.complaints,
        }
    }

    fn take_counts(&mut self) -> (u64, u64) {
        let all = [&mut self.details, &mut self.lines, &mut self.complaints];
        all.into_iter()
            .map(LogGate::take_counts)
            .fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }
}

#[derive(Debug)]
struct TaskReport {
    lines: Sender<FromWorker>,
    task: TaskId,
    gates: Mutex<Gates>,
}

impl TaskReport {
    fn pass(&self, level: Level, text: &str, line: impl FnOnce() -> FromWorker) {
        let mut gates = lock(&self.gates);
        let gate = gates.of(level);
        let Admission::Passed { repeats } = gate.admit(text, now()) else {
            return;
        };
        if repeats > 0 {
            let (task, dropped) = (self.task, 0);
            self.send(gate, FromWorker::LogDropped { task, repeated: repeats, dropped });
        }
        self.send(gate, line());
    }

    fn send(&self, gate: &mut LogGate, line: FromWorker) {
        if self.lines.try_send(line).is_err() {
            gate.lost();
        }
    }
}

impl Report for TaskReport {
    fn log(&self, level: Level, message: &str) {
        let (task, text) = (self.task, cut(message));
        self.pass(level, &text, || FromWorker::Log {
            task,
            level: level as u8,
            text: text.clone(),
        });
    }

    fn error(&self, message: &str, detail: Option<&str>) {
        let (task, text) = (self.task, cut(message));
        self.pass(Level::Error, &text, || FromWorker::Error {
            task,
            text: text.clone(),
            detail: detail.map(cut),
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let shown = beginning(text, MAX_TEXT);
    format!("{shown}… ({} bytes more)", text.len() - shown.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_passed_on_is_counted_for_its_task() {
        let (uplink, mut waiting) = Uplink::new();
        let (loud, _quiet) = (uplink.task(TaskId(1)), uplink.task(TaskId(2)));
        let lines = WAITING * 2;
        for number in 0..lines {
            loud.log(Level::Info, &format!("line {number}"));
        }
        loud.error("heard through all that", None);
        let mut passed = 0;
        let mut heard = false;
        while let Ok(line) = waiting.try_recv() {
            heard |= matches!(line, FromWorker::Error { .. });
            passed += 1;
        }
        assert!(heard);
        let counts = uplink.take_counts();
        let dropped = (lines + 1 - passed) as u64;
        assert_eq!(counts, [FromWorker::LogDropped { task: TaskId(1), repeated: 0, dropped }]);
    }

    #[test]
    fn what_the_link_has_no_room_for_is_counted_too() {
        let (uplink, mut waiting) = Uplink::new();
        let tasks: Vec<_> = (1..=5).map(|task| uplink.task(TaskId(task))).collect();
        for number in 0..1_000 {
            for task in &tasks {
                task.log(Level::Info, &format!("line {number}"));
            }
        }
        let counts = uplink.take_counts();
        let dropped = |line: &FromWorker| match line {
            FromWorker::LogDropped { dropped, .. } => *dropped,
            _ => 0,
        };
        assert_eq!(counts.iter().map(dropped).sum::<u64>(), 5_000 - WAITING as u64);
        assert!(waiting.try_recv().is_ok());
    }

    #[test]
    fn long_lines_are_cut_at_a_letter() {
        let text = cut(&"é".repeat(MAX_TEXT));
        assert!(text.ends_with("bytes more)"), "{}", &text[text.len() - 30..]);
    }
}
