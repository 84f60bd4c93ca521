//! What the death of a child taught about its client, for the lives that follow in the same run.
//!
//! A client that dies of a message it does not know dies of it in every life. The lesson is an empty
//! file in the run's folder, so that it holds for every task and worker. It never asks for a switch
//! to be turned on again.

use std::fs;
use std::path::PathBuf;

use crate::component::{Context, Level};

/// A message that a component's client cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Clients older than Storm 0.9.3.
    Heartbeat,
    /// `activate` and `deactivate`: clients older than Storm 0.10.
    Activation,
}

impl Lesson {
    fn path(self, context: &Context) -> PathBuf {
        let kind = match self {
            Self::Heartbeat => "heartbeat",
            Self::Activation => "activation",
        };
        context.run_dir.join("lessons").join(format!("{}.{kind}", context.component))
    }

    /// Whether an earlier life of the component has taught it.
    pub(super) fn is_known(self, context: &Context) -> bool {
        self.path(context).exists()
    }

    /// Keeps it, and says so. Where it cannot be kept, the next life teaches it again.
    pub(super) fn keep(self, context: &Context) {
        let path = self.path(context);
        let kept = path.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = kept.and_then(|()| fs::write(&path, ""));
        let (what, switch) = match self {
            Self::Heartbeat => ("a heartbeat", "heartbeat = false"),
            Self::Activation => ("`activate`", "activation = false"),
        };
        let message = match kept {
            Ok(()) => format!(
                "the child died of {what}, which its client does not know: it gets none from now on \
                 (`{switch}` says so from the start)"
            ),
            Err(error) => format!("could not write {}: {error}", path.display()),
        };
        context.reporter.log(Level::Warn, &message);
    }
}
