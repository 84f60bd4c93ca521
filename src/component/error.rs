//! How components fail, and how tuples do.

use crate::metrics::FailReason;
use crate::tuple::Flags;

/// Whether a failed component is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// After a back-off, within its restart budget.
    Restart,
    /// Never: trying again cannot help (a missing program, an unwritable file).
    GiveUp,
    /// Never, and the run is over: nobody wants what it makes any more (`| head` has seen enough).
    EndRun,
}

/// Why a component cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ComponentError {
    /// One line, lower-case, fits behind "split failed: ".
    pub message: String,
    /// More lines: a traceback, the last lines of a child's stderr.
    pub detail: Option<String>,
    /// Whether to start it again.
    pub recovery: Recovery,
}

impl ComponentError {
    /// An error after which the component is started again.
    pub fn restart(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, recovery: Recovery::Restart }
    }

    /// An error that starting again cannot mend.
    pub fn give_up(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, recovery: Recovery::GiveUp }
    }

    /// An error that ends the run without making it a failure.
    pub fn end_run(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, recovery: Recovery::EndRun }
    }

    /// The same error with more lines.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Why a bolt fails a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailKind {
    /// The component says so.
    Explicit,
    /// Its component died while holding it together with others.
    Died,
    /// Its component died while holding it alone, or because of it alone.
    DiedAlone,
    /// The same, and not for the first time.
    DiedAloneAgain,
}

impl FailKind {
    /// How a tuple with these marks fails that its component died of.
    pub fn of_death(flags: Flags) -> Self {
        if flags.contains(Flags::CONVICTED) { Self::DiedAloneAgain } else { Self::DiedAlone }
    }
}

impl From<FailKind> for FailReason {
    fn from(kind: FailKind) -> Self {
        match kind {
            FailKind::Explicit => Self::Explicit,
            FailKind::Died => Self::Died,
            FailKind::DiedAlone | FailKind::DiedAloneAgain => Self::DiedAlone,
        }
    }
}
