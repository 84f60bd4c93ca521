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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::component::{Role, StreamDecl};

    use super::*;

    #[test]
    fn a_plans_options_are_taken_whole() {
        let options = json!({
            "command": ["python3", "split.py"], "dir": "/dir", "env": {"K": "V"},
            "config": {"min": 3}, "language": "python", "protocol": "json", "heartbeat": true,
            "activation": true, "task_ids": "on_request", "max_in_flight": 1000,
            "timeout_ms": null, "handshake_timeout_ms": 60000, "heartbeat_timeout_ms": 60000,
            "stop_grace_ms": 5000, "utf8_locale": true, "path": "/bin", "pythonpath": null,
            "nodepath": null, "batch": true,
        });
        let registry = register(Registry::new());
        let outputs = vec![StreamDecl::default_stream(["word"])];
        let declaring = Declaring { outputs: Some(outputs.clone()), ..Declaring::default() };
        for role in [Role::Spout, Role::Bolt] {
            let kind = registry.get(role, "command").unwrap();
            assert_eq!(kind.declare(&options, &declaring).unwrap().streams, outputs);
            kind.build(&options).unwrap();
        }
    }

    #[test]
    fn all_problems_of_the_options_are_told_at_once() {
        let options = json!({"command": [], "max_in_flight": 0});
        let registry = register(Registry::new());
        let kind = registry.get(Role::Bolt, "command").unwrap();
        let problems = kind.declare(&options, &Declaring::default()).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["the program is missing", "at least 1 is needed"]);
    }
}
