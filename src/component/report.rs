//! What a component tells people: log lines, errors, metrics.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metrics::UserMetrics;

/// Storm's log levels, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 0
    Trace,
    /// 1
    Debug,
    /// 2
    Info,
    /// 3
    Warn,
    /// 4
    Error,
}

/// Takes what components report; the engine gives one to every task.
pub trait Report: Send + Sync {
    /// A line (or more) for the log.
    fn log(&self, level: Level, message: &str);
    /// An entry for the topology's list of errors; `detail` may be a traceback.
    fn error(&self, message: &str, detail: Option<&str>);
}

/// A task's line to people. Cheap to clone.
#[derive(Clone)]
pub struct Reporter {
    report: Arc<dyn Report>,
    metrics: Arc<UserMetrics>,
}

impl Reporter {
    /// A reporter that hands everything to `report` and keeps metrics in `metrics`.
    pub fn new(report: Arc<dyn Report>, metrics: Arc<UserMetrics>) -> Self {
        Self { report, metrics }
    }

    /// Logs a message.
    pub fn log(&self, level: Level, message: &str) {
        self.report.log(level, message);
    }

    /// Adds to the topology's list of errors.
    pub fn error(&self, message: &str, detail: Option<&str>) {
        self.report.error(message, detail);
    }

    /// The component's own metrics.
    pub fn metrics(&self) -> &UserMetrics {
        &self.metrics
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}
