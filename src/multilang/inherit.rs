//! Which of the engine's environment variables a child inherits.
//!
//! Their values never go through the plan: they are taken from this process when a child is started, and
//! are written nowhere.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// What no program does without: where programs are, and how text is written.
const ALWAYS: &[&str] = &["PATH", "LANG", "LANGUAGE", "LC_*"];

/// A choice of variables by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inherited(Option<Vec<String>>);

impl Inherited {
    /// All variables, or those that are named; `NAME*` names all that begin so.
    pub(super) fn new(patterns: Option<&[String]>) -> Self {
        Self(patterns.map(<[String]>::to_vec))
    }

    /// Whether a variable is inherited.
    pub(super) fn has(&self, name: impl AsRef<OsStr>) -> bool {
        let name = name.as_ref().as_bytes();
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning.as_bytes()),
            None => name == pattern.as_bytes(),
        };
        let Some(patterns) = &self.0 else {
            return true;
        };
        ALWAYS.iter().copied().chain(patterns.iter().map(String::as_str)).any(fits)
    }

    /// The variables to start from, where they are not simply all of this process.
    pub(super) fn variables(&self) -> Option<Vec<(OsString, OsString)>> {
        self.0.is_some().then(|| std::env::vars_os().filter(|(name, _)| self.has(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_beginnings_choose_variables() {
        let some = ["HOME", "AWS_*"].map(str::to_owned);
        let some = Inherited::new(Some(&some));
        for name in ["HOME", "AWS_REGION", "AWS_", "PATH", "LC_ALL", "LANG"] {
            assert!(some.has(name), "{name}");
        }
        for name in ["HOMES", "home", "XAWS_", "AWS", "SECRET", "PATHS"] {
            assert!(!some.has(name), "{name}");
        }
        assert!(!Inherited::new(Some(&[])).has("HOME"));
        assert!(Inherited::new(Some(&["*".to_owned()])).has("HOME"));
        assert!(Inherited::new(None).has("SECRET"));
        assert_eq!(Inherited::new(None).variables(), None);
    }
}
