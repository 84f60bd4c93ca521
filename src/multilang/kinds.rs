//! The kinds that topologies name `command`: a spout and a bolt in a child process.
//!
//! Declaring looks at the options alone: whether the program exists is found out by starting it.

use crate::component::{
    Bolt, BoltKind, Declaration, Declaring, OptionProblem, Registry, Spout, SpoutKind,
};

use super::options::CommandOptions;
use super::shell_bolt::ShellBolt;
use super::shell_spout::ShellSpout;

/// The kind of bolts that run as a command.
#[derive(Debug)]
pub struct CommandBolt;

/// The kind of spouts that run as a command.
#[derive(Debug)]
pub struct CommandSpout;

impl BoltKind for CommandBolt {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str = "a bolt in any language, run as a child process";
    type Options = CommandOptions;

    fn declare(
        options: &CommandOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        declaration(options, declaring)
    }

    fn build(options: CommandOptions) -> Box<dyn Bolt> {
        Box::new(ShellBolt::new(options))
    }
}

impl SpoutKind for CommandSpout {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str = "a spout in any language, run as a child process";
    type Options = CommandOptions;

    fn declare(
        options: &CommandOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        declaration(options, declaring)
    }

    fn build(options: CommandOptions) -> Box<dyn Spout> {
        Box::new(ShellSpout::new(options))
    }
}

fn declaration(
    options: &CommandOptions,
    declaring: &Declaring,
) -> Result<Declaration, Vec<OptionProblem>> {
    let problems = options.problems();
    if problems.is_empty() {
        Ok(Declaration {
            streams: declaring.outputs.clone().unwrap_or_default(),
            keeps_memory: false,
        })
    } else {
        Err(problems)
    }
}

/// Adds the kinds of this module.
#[must_use]
pub fn register(registry: Registry) -> Registry {
    registry.spout::<CommandSpout>().bolt::<CommandBolt>()
}
