//! What components say on its way to the supervisor: bounded, and what does not fit is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::base::TaskId;
use crate::component::{Level, Report};
use crate::control::FromWorker;

/// Lines that may wait for the control link.
const WAITING: usize = 4096;
/// Longest text of one line; the rest is cut off.
const MAX_TEXT: usize = 16 * 1024;

/// Gives each task its [`Report`].
#[derive(Clone, Debug)]
pub(super) struct Uplink {
    lines: Sender<FromWorker>,
    dropped: Arc<AtomicU64>,
}

impl Uplink {
    /// An uplink and the queue that it fills.
    pub(super) fn new() -> (Self, Receiver<FromWorker>) {
        let (lines, waiting) = mpsc::channel(WAITING);
        (Self { lines, dropped: Arc::default() }, waiting)
    }

    /// The report of one task.
    pub(super) fn task(&self, task: TaskId) -> Arc<dyn Report> {
        Arc::new(TaskReport { uplink: self.clone(), task })
    }

    /// How many lines did not fit since this was last asked.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Relaxed)
    }

    fn send(&self, line: FromWorker) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

struct TaskReport {
    uplink: Uplink,
    task: TaskId,
}

impl Report for TaskReport {
    fn log(&self, level: Level, message: &str) {
        let (task, text) = (self.task, cut(message));
        self.uplink.send(FromWorker::Log { task, level: level as u8, text });
    }

    fn error(&self, message: &str, detail: Option<&str>) {
        let (task, text, detail) = (self.task, cut(message), detail.map(cut));
        self.uplink.send(FromWorker::Error { task, text, detail });
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}… ({} bytes more)", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let (uplink, mut waiting) = Uplink::new();
        let report = uplink.task(TaskId(1));
        for _ in 0..WAITING + 5 {
            report.log(Level::Info, "x");
        }
        assert_eq!(uplink.take_dropped(), 5);
        assert!(waiting.try_recv().is_ok());
    }

    #[test]
    fn long_lines_are_cut_at_a_letter() {
        let text = cut(&"é".repeat(MAX_TEXT));
        assert!(text.ends_with("bytes more)"), "{}", &text[text.len() - 30..]);
    }
}
