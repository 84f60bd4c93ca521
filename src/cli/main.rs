//! From the command line to an exit code. A thin hall with a door per command.

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};

use crate::base::ExitCode;
use crate::component::Registry;
use crate::topology::DEFAULTS_TOML;

use super::arguments::{self, Arguments, Command, HelpArguments};
use super::output::Output;
use super::{
    bolt, check, components, conformance, dlq, guard, new, plan, run, schema, sdk, worker,
};

/// The `galewire` command with these components; what a `main` calls and returns.
pub fn main_with(registry: Registry) -> std::process::ExitCode {
    let mut output = Output::of_process();
    main_from(std::env::args_os(), &registry, &mut output).into()
}

/// The same with a command line given, program name first.
pub fn main_from(
    command_line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    registry: &Registry,
    output: &mut Output,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(command_line) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, output),
    };
    match dispatch(arguments.command, registry, output) {
        Ok(code) => code,
        Err(error) => {
            output.message(&format!("galewire: {error:#}\n"));
            ExitCode::RunFailed
        }
    }
}

fn dispatch(
    command: Command,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(arguments) => run::run(arguments, registry, output),
        Command::Bolt(arguments) => bolt::run(&arguments, registry, output),
        Command::Worker(arguments) => Ok(worker::run(&arguments, registry)),
        Command::Guard => Ok(guard::run()),
        Command::Check(arguments) => check::run(&arguments, registry, output),
        Command::Plan(arguments) => plan::run(&arguments, registry, output),
        Command::Schema => schema::run(registry, output),
        Command::Components(arguments) => components::run(&arguments, registry, output),
        Command::Conformance(arguments) => conformance::run(&arguments, output),
        Command::Dlq(arguments) => dlq::run(arguments, registry, output),
        Command::Sdk(arguments) => sdk::run(&arguments, output),
        Command::New(arguments) => new::run(&arguments, output),
        Command::Help(arguments) => help(&arguments, output),
    }
}

/// What clap has to say: help and versions are results, mistakes are messages.
fn usage(error: &clap::Error, output: &mut Output) -> ExitCode {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        output.message(&text);
        ExitCode::Usage
    } else if output.result(&text).is_ok() {
        ExitCode::Success
    } else {
        ExitCode::RunFailed
    }
}

fn help(arguments: &HelpArguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut command = Arguments::command();
    command.build();
    let text = match arguments.topic.as_deref() {
        None => command.render_help().ansi().to_string(),
        Some("exit-codes") => arguments::exit_codes(),
        Some("settings") => DEFAULTS_TOML.to_owned(),
        Some(topic) => {
            let Some(found) = command.find_subcommand_mut(topic) else {
                output.message(&format!("galewire: there is no help on `{topic}`\n"));
                return Ok(ExitCode::Usage);
            };
            found.render_long_help().ansi().to_string()
        }
    };
    output.result(&text)?;
    Ok(ExitCode::Success)
}
