//! `galewire guard`: what `galewire run` starts to clean up behind itself; not for people.

use crate::base::ExitCode;
use crate::supervisor;

pub(super) fn run() -> ExitCode {
    match supervisor::guard() {
        Ok(()) => ExitCode::Success,
        Err(_) => ExitCode::RunFailed, // It has no place to say why.
    }
}
