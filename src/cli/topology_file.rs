//! The arguments of every command that reads a topology file, and what they have in common.

use std::path::PathBuf;

use crate::base::ExitCode;
use crate::component::Registry;
use crate::topology::{Checked, Environment, Overrides, load};

use super::output::Output;

/// A topology file, and what is changed of it for this once.
#[derive(Debug, clap::Args)]
pub(crate) struct TopologyFile {
    /// The topology file
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Change a value, such as `--set topology.workers=2`; the value is TOML, or else a string
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl TopologyFile {
    /// A file with overrides.
    pub(crate) fn new(path: PathBuf, overrides: Vec<String>) -> Self {
        Self { path, overrides }
    }

    /// The same with one more override, which stands last.
    pub(crate) fn with(mut self, setting: String) -> Self {
        self.overrides.push(setting);
        self
    }

    /// Reads and checks the file in this process's environment.
    pub(crate) fn load(&self, registry: &Registry) -> Checked {
        let overrides = Overrides(self.overrides.clone());
        let environment = Environment::of_process();
        load(&self.path, &overrides, &environment, registry)
    }
}

/// Writes what is wrong, if anything, for people.
pub(crate) fn show_problems(checked: &Checked, output: &mut Output) {
    output.message(&checked.render());
}

/// What a check came to.
pub(crate) fn exit_code(checked: &Checked) -> ExitCode {
    if !checked.diagnostics.has_errors() {
        ExitCode::Success
    } else if checked.diagnostics.only_programs_missing() {
        ExitCode::MissingProgram
    } else {
        ExitCode::BadTopology
    }
}
