//! Results as they are kept in a file, and read again to be compared with.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::figures::Sample;

/// The results of one program on one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    /// What was measured.
    pub(super) program: String,
    /// Where.
    pub(super) machine: Machine,
    /// What each case came to.
    pub(super) cases: Vec<CaseResults>,
}

/// What figures depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
}

/// The runs of one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CaseResults {
    pub(super) case: String,
    pub(super) runs: Vec<Sample>,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = model.and_then(|line| line.split(':').nth(1)).map(str::trim);
        Self {
            cpu: cpu.unwrap_or(std::env::consts::ARCH).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Results {
    /// None yet.
    pub(super) fn new(program: String) -> Self {
        Self { program, machine: Machine::here(), cases: Vec::new() }
    }

    /// The runs of a case.
    pub(super) fn runs(&self, case: &str) -> &[Sample] {
        let found = self.cases.iter().find(|results| results.case == case);
        found.map_or(&[], |results| &results.runs)
    }

    /// Adds a run of a case.
    pub(super) fn add(&mut self, case: &str, sample: Sample) {
        match self.cases.iter_mut().find(|results| results.case == case) {
            Some(results) => results.runs.push(sample),
            None => self.cases.push(CaseResults { case: case.to_owned(), runs: vec![sample] }),
        }
    }

    /// Reads what [`Results::save`] has written.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{} holds no results of `galewire bench --save`", path.display())
        })
    }

    /// Writes them to a file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::figures::Figure;

    #[test]
    fn what_is_saved_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let mut results = Results::new("galewire".to_owned());
        results.add("pass", Sample::from([(Figure::Rate, 4e6)]));
        results.add("pass", Sample::from([(Figure::Rate, 5e6)]));
        results.save(&path).unwrap();
        let read = Results::read(&path).unwrap();
        assert_eq!(read.runs("pass").len(), 2);
        assert_eq!(read.runs("pass")[1], Sample::from([(Figure::Rate, 5e6)]));
        assert_eq!(read.machine, results.machine);
        assert!(read.runs("other").is_empty());
        fs::write(&path, "[]").unwrap();
        let error = Results::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("holds no results of `galewire bench --save`"), "{error}");
    }
}
