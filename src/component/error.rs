//! How components fail, and how tuples do.

use std::io::{self, ErrorKind};

use nix::errno::Errno;

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

    /// An error of the system. One that may pass by itself (no space, no memory, no file descriptors)
    /// is worth another start; any other cannot be mended by one.
    pub fn of_system(message: impl Into<String>, error: &io::Error) -> Self {
        if may_pass(error) { Self::restart(message) } else { Self::give_up(message) }
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

fn may_pass(error: &io::Error) -> bool {
    const KINDS: [ErrorKind; 7] = [
        ErrorKind::FileTooLarge,
        ErrorKind::Interrupted,
        ErrorKind::OutOfMemory,
        ErrorKind::QuotaExceeded,
        ErrorKind::StorageFull,
        ErrorKind::TimedOut,
        ErrorKind::WouldBlock,
    ];
    let too_many_files = [Errno::EMFILE, Errno::ENFILE].map(|number| Some(number as i32));
    KINDS.contains(&error.kind()) || too_many_files.contains(&error.raw_os_error())
}

/// Why a bolt fails a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailKind {
    /// The component says so.
    Explicit,
    /// Its component died while holding it together with others.
    Died,
    /// The same, and not for the first time.
    DiedAgain,
    /// Its component died while holding it alone, or because of it alone.
    DiedAlone,
    /// The same, and not for the first time.
    DiedAloneAgain,
    /// Its component has to be started again, for a reason that is not the tuple's: a disk is full.
    Restarted,
}

impl FailKind {
    /// How a tuple with these marks fails that its component died of.
    pub fn of_death(flags: Flags) -> Self {
        if flags.contains(Flags::CONVICTED) { Self::DiedAloneAgain } else { Self::DiedAlone }
    }

    /// How a tuple with these marks fails that was there when its component died.
    pub fn beside_death(flags: Flags) -> Self {
        if flags.contains(Flags::WITNESS) { Self::DiedAgain } else { Self::Died }
    }
}

impl From<FailKind> for FailReason {
    fn from(kind: FailKind) -> Self {
        match kind {
            FailKind::Explicit => Self::Explicit,
            FailKind::Died | FailKind::DiedAgain => Self::Died,
            FailKind::DiedAlone | FailKind::DiedAloneAgain => Self::DiedAlone,
            FailKind::Restarted => Self::Restarted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_lacks_for_a_while_is_worth_another_start() {
        let recovery = |number: Errno| {
            let error = io::Error::from_raw_os_error(number as i32);
            ComponentError::of_system("could not open it", &error).recovery
        };
        for passing in [Errno::EMFILE, Errno::ENFILE, Errno::ENOSPC, Errno::EDQUOT, Errno::EFBIG] {
            assert_eq!(recovery(passing), Recovery::Restart, "{passing}");
        }
        for lasting in [Errno::EACCES, Errno::EISDIR, Errno::ENOENT, Errno::EROFS] {
            assert_eq!(recovery(lasting), Recovery::GiveUp, "{lasting}");
        }
    }
}
