//! What a child may take of the machine: the kernel's limits, set before its program starts.
//!
//! Each process has them for itself, and what a child starts inherits them. It never measures anything:
//! the kernel does.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use std::os::unix::process::ExitStatusExt as _;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{ByteSize, show_duration};

/// Seconds of processor time between the signal that asks a process to end and the one that ends it.
const CPU_GRACE: u64 = 5;

/// What programs say when they get no memory.
const NO_MEMORY: &[&str] = &[
    "MemoryError",
    "out of memory",
    "Out of memory",
    "bad_alloc",
    "Cannot allocate memory",
    "Allocation failed",
    "failed to allocate",
];

/// What programs say when they get no file.
const NO_FILES: &[&str] = &["Too many open files", "EMFILE"];

/// Limits of each of a child's processes; what is absent is as this process has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory for data: heap and stacks. Neither code, nor files that are mapped, nor address
    /// space that is only reserved counts.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Seconds of processor time.
    #[serde(default)]
    pub cpu: Option<u64>,
    /// Open files, pipes and sockets.
    #[serde(default)]
    pub files: Option<u64>,
}

impl fmt::Display for Limits {
    /// `memory 512MiB, cpu 10m, files 256`; nothing without limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = |seconds| show_duration(Duration::from_secs(seconds));
        let parts = [
            self.memory.map(|bytes| format!("memory {}", ByteSize(bytes))),
            self.cpu.map(|seconds| format!("cpu {}", cpu(seconds))),
            self.files.map(|files| format!("files {files}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

impl Limits {
    /// The limits as the kernel takes them. They never exceed what this process may set, which
    /// only holds a child more tightly.
    ///
    /// # Errors
    /// Where the kernel does not say what this process may set.
    pub(super) fn prepare(&self) -> io::Result<Prepared> {
        let mut all = [None; 4];
        if let Some(bytes) = self.memory {
            // RLIMIT_AS would count what Node.js and Go merely reserve, which is many gigabytes.
            all[0] = Some(both(Resource::RLIMIT_DATA, bytes)?);
        }
        if let Some(seconds) = self.cpu {
            let (_, most) = getrlimit(Resource::RLIMIT_CPU)?;
            let hard = (seconds + CPU_GRACE).min(most);
            all[1] = Some((Resource::RLIMIT_CPU, seconds.min(hard), hard));
        }
        if let Some(files) = self.files {
            all[2] = Some(both(Resource::RLIMIT_NOFILE, files)?);
        }
        // A dump would hold what the tuples and the environment held. Who wants one raises it again.
        let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
        all[3] = Some((Resource::RLIMIT_CORE, 0, most));
        Ok(Prepared(all))
    }

    /// Which limit a death comes of, as far as that can be known, to stand behind how it ended;
    /// `words` are the child's last.
    pub(super) fn explain(&self, status: ExitStatus, words: [&str; 2]) -> Option<String> {
        let said = |phrases: &[&str]| {
            phrases.iter().any(|phrase| words.iter().any(|text| text.contains(phrase)))
        };
        if let Some(seconds) = self.cpu
            && status.signal() == Some(Signal::SIGXCPU as i32)
        {
            let limit = show_duration(Duration::from_secs(seconds));
            return Some(format!(": it had used its cpu limit of {limit}"));
        }
        if let Some(bytes) = self.memory.filter(|_| said(NO_MEMORY)) {
            return Some(format!(": its memory limit is {}", ByteSize(bytes)));
        }
        let files = self.files.filter(|_| said(NO_FILES))?;
        Some(format!(": its limit of files is {files}"))
    }
}

fn both(resource: Resource, limit: rlim_t) -> io::Result<(Resource, rlim_t, rlim_t)> {
    let (_, most) = getrlimit(resource)?;
    let limit = limit.min(most);
    Ok((resource, limit, limit))
}

/// Limits that are known to be allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared([Option<(Resource, rlim_t, rlim_t)>; 4]);

impl Prepared {
    /// Sets them for this process. Allocates nothing and takes no locks.
    pub(super) fn set(&self) -> io::Result<()> {
        for (resource, soft, hard) in self.0.iter().flatten() {
            setrlimit(*resource, *soft, *hard)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Limits = Limits { memory: Some(512 << 20), cpu: Some(600), files: Some(256) };

    #[test]
    fn limits_are_shown_in_the_units_of_the_file() {
        assert_eq!(ALL.to_string(), "memory 512MiB, cpu 10m, files 256");
        assert_eq!(Limits::default().to_string(), "");
    }

    #[test]
    fn a_death_is_laid_to_a_limit_only_where_something_says_so() {
        let aborted = ExitStatus::from_raw(6);
        let cpu = ExitStatus::from_raw(Signal::SIGXCPU as i32);
        let explain = |status, words: &str| ALL.explain(status, [words, ""]).unwrap_or_default();
        assert_eq!(explain(cpu, ""), ": it had used its cpu limit of 10m");
        assert_eq!(explain(aborted, "std::bad_alloc"), ": its memory limit is 512MiB");
        assert_eq!(explain(aborted, "Too many open files"), ": its limit of files is 256");
        assert_eq!(explain(aborted, "assertion failed"), "");
        assert_eq!(Limits::default().explain(cpu, ["MemoryError", ""]), None);
    }

    #[test]
    fn no_limit_exceeds_what_this_process_may_set() {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let limits = Limits { files: Some(u64::MAX), ..Limits::default() };
        let Prepared(all) = limits.prepare().unwrap();
        assert!(
            matches!(all[2], Some((Resource::RLIMIT_NOFILE, soft, hard)) if soft == most && hard == most)
        );
    }
}
