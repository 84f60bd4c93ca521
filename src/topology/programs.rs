//! The programs that a plan needs, and which versions will do.
//!
//! Pure: whoever starts processes asks each program for its version and hands the answer in.

use std::fmt;
use std::path::PathBuf;

use super::command::Language;
use super::plan::{Plan, PlannedComponent};

/// A version's first two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The least Python that the SDK runs in.
const PYTHON: Version = Version(3, 9);
/// The least Node.js that the SDK runs in.
const NODE: Version = Version(18, 19);

/// A program that a component needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramNeed {
    /// Who needs it.
    pub component: String,
    /// The program, as it is started.
    pub program: String,
    /// Where it is started.
    pub dir: PathBuf,
    /// What it is needed for: "to run split.py:split".
    pub why: String,
    /// The least version that will do; without it any will. `PROGRAM --version` tells.
    pub minimum: Option<Version>,
    /// The Debian package that brings it, where that is known.
    pub debian_package: Option<&'static str>,
}

/// Why a program will not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramProblem {
    /// It could not be started, or did not say its version.
    #[error("{component} needs {program} {why}, which cannot be run{}", hint(*.debian_package))]
    Missing {
        /// Who needs it.
        component: String,
        /// The program.
        program: String,
        /// What for.
        why: String,
        /// What brings it.
        debian_package: Option<&'static str>,
    },
    /// It is older than needed.
    #[error("{component} needs {program} {minimum} or newer {why}; this is {found}")]
    TooOld {
        /// Who needs it.
        component: String,
        /// The program.
        program: String,
        /// What for.
        why: String,
        /// What is needed.
        minimum: Version,
        /// What is there.
        found: Version,
    },
}

fn hint(debian_package: Option<&str>) -> String {
    debian_package.map_or_else(String::new, |package| {
        format!(" (on Debian and Ubuntu: apt install {package})")
    })
}

impl ProgramNeed {
    /// Judges by what the program printed when asked for its version; `None` where it did not run.
    ///
    /// # Errors
    /// The program is missing or too old.
    pub fn judge(&self, printed: Option<&str>) -> Result<(), ProgramProblem> {
        let found = printed.and_then(parse_version);
        match (self.minimum, found) {
            (None, _) if printed.is_some() => Ok(()),
            (Some(minimum), Some(found)) if found >= minimum => Ok(()),
            (Some(minimum), Some(found)) => Err(ProgramProblem::TooOld {
                component: self.component.clone(),
                program: self.program.clone(),
                why: self.why.clone(),
                minimum,
                found,
            }),
            _ => Err(ProgramProblem::Missing {
                component: self.component.clone(),
                program: self.program.clone(),
                why: self.why.clone(),
                debian_package: self.debian_package,
            }),
        }
    }
}

/// The first two numbers with a dot between them: of "Python 3.11.7" and of "v20.20.2".
fn parse_version(printed: &str) -> Option<Version> {
    let start = printed.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = printed[start..].split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(Version(major, minor))
}

/// The programs that a plan's components are run by, one a component that has one. Only those that
/// must have a certain version are named: `check` has seen that the others are there.
pub fn programs(plan: &Plan) -> Vec<ProgramNeed> {
    plan.components.iter().filter_map(need).collect()
}

fn need(component: &PlannedComponent) -> Option<ProgramNeed> {
    let program = component.program.as_ref()?;
    let (interpreter, arguments) = program.command.split_first()?;
    let handler = program.command.last()?;
    let language = match arguments {
        [flag, module, ..] if flag == "-m" && module == "galewire" => Language::Python,
        [script, ..] if script.starts_with("{sdk}/node/") => Language::Node,
        _ => return None,
    };
    let (minimum, package) = match language {
        Language::Python => (PYTHON, "python3"),
        Language::Node => (NODE, "nodejs"),
    };
    Some(ProgramNeed {
        component: component.name.clone(),
        program: interpreter.clone(),
        dir: program.dir.clone(),
        why: format!("to run {handler}"),
        minimum: Some(minimum),
        debian_package: Some(package),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(minimum: Version) -> ProgramNeed {
        ProgramNeed {
            component: "split".to_owned(),
            program: "python3".to_owned(),
            dir: PathBuf::new(),
            why: "to run split.py:split".to_owned(),
            minimum: Some(minimum),
            debian_package: Some("python3"),
        }
    }

    #[test]
    fn versions_are_read_from_what_programs_print() {
        assert_eq!(parse_version("Python 3.11.7\n"), Some(Version(3, 11)));
        assert_eq!(parse_version("v20.20.2"), Some(Version(20, 20)));
        assert_eq!(parse_version("node v18"), Some(Version(18, 0)));
        assert_eq!(parse_version("none"), None);
    }

    #[test]
    fn old_and_missing_programs_are_told_apart() {
        assert_eq!(need(PYTHON).judge(Some("Python 3.9.0")), Ok(()));
        let old = need(PYTHON).judge(Some("Python 3.6.1")).unwrap_err();
        assert_eq!(
            old.to_string(),
            "split needs python3 3.9 or newer to run split.py:split; this is 3.6"
        );
        let missing = need(PYTHON).judge(None).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "split needs python3 to run split.py:split, which cannot be run \
             (on Debian and Ubuntu: apt install python3)"
        );
    }
}
