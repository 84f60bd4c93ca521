//! Memory of a process and all that came of it, as `/proc` tells. Linux alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const MIB: f64 = 1024.0 * 1024.0;

/// The peaks of a run's processes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The peak of each process that was seen, in bytes.
    peaks: BTreeMap<u32, u64>,
    /// The greatest sum of the peaks of those that lived at once.
    together: u64,
}

impl Memory {
    /// Looks at the family of a process.
    pub(super) fn read(&mut self, ancestor: u32) {
        let mut sum = 0;
        for pid in family(ancestor) {
            if let Some(peak) = peak(pid) {
                self.peaks.insert(pid, peak);
                sum += peak;
            }
        }
        self.together = self.together.max(sum);
    }

    /// MiB of all processes that lived at once.
    pub(super) fn together(&self) -> f64 {
        self.together as f64 / MIB
    }

    /// MiB of the largest process.
    pub(super) fn largest(&self) -> f64 {
        self.peaks.values().copied().max().unwrap_or(0) as f64 / MIB
    }
}

/// A process, its children and theirs.
fn family(ancestor: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = BTreeSet::from([ancestor]);
    loop {
        let before = found.len();
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| found.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            return found;
        }
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// The most physical memory that a process has had, in bytes.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some() {
        let mut memory = Memory::default();
        memory.read(std::process::id());
        assert!(memory.largest() > 1.0);
        assert!(memory.together() >= memory.largest());
    }
}
