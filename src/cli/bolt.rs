//! `galewire bolt`: one component of a topology alone, between standard input and output.
//!
//! No worker is started and nothing is routed: what the component emits is printed.

mod drive;
mod events;
mod feed;
mod lines;
mod printer;
mod setting;
mod spout;
mod watch;

use crate::base::ExitCode;
use crate::component::{Component, Registry, Role};

use super::log::start_log;
use super::output::Output;
use super::topology_file::{TopologyFile, exit_code, show_problems};

use setting::Setting;

const EXAMPLES: &str = r#"Examples:
  echo '["to be or not"]' | galewire bolt hello.toml split
  galewire bolt hello.toml lines --max 5 | galewire bolt hello.toml split
  galewire bolt hello.toml split --trace-protocol < tuples.jsonl

Input, one tuple a line: {"word": "x"} by the field names of the component's first input, or
["x"] in their order. In an object, "$component" and "$stream" choose another input.
Output, one emission a line: an object by field names; "$stream" names the stream where it is not
the default one, and "$task" the task of a direct emission.
Exit code 0: every tuple was acked; 1: a tuple failed, or the component died.

Debuggers: --inspect starts Node.js with --inspect-brk. In Python, add
  import debugpy; debugpy.listen(5678); debugpy.wait_for_client()
to the file and run with --no-timeouts, so that a stopped component is not given up."#;

/// The arguments of `galewire bolt`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that users write by its name")]
pub(super) struct BoltArguments {
    #[command(flatten)]
    file: TopologyFile,
    /// The bolt; or a spout, with `--max`
    component: String,
    /// End after this many tuples of input, or messages of a spout
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Show what goes over the pipes of a component with a program: `>` to it, `<` from it
    #[arg(long)]
    trace_protocol: bool,
    /// Start Node.js with --inspect-brk and wait for a debugger; implies --no-timeouts
    #[arg(long)]
    inspect: bool,
    /// Let everything take as long as it likes
    #[arg(long)]
    no_timeouts: bool,
    /// Events as JSON, one object a line, on standard error
    #[arg(long)]
    json: bool,
    /// Log level of the engine itself: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

pub(super) fn run(
    arguments: &BoltArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let checked = arguments.file.load(registry);
    show_problems(&checked, output);
    let code = exit_code(&checked);
    let Some(plan) = checked.plan else { return Ok(code) };
    start_log(&arguments.log, false);
    let setting = match Setting::new(plan, arguments) {
        Ok(setting) => setting,
        Err(refusal) => {
            output.message(&format!("galewire: {refusal}\n"));
            return Ok(refusal.code());
        }
    };
    let made = setting.make(registry)?;
    let code = match (made, arguments.max) {
        (Component::Bolt(bolt), max) => drive::run(bolt, &setting, max, output),
        (Component::Spout(spout), Some(max)) => spout::run(spout, &setting, max, output),
        (Component::Spout(_), None) => {
            let name = &arguments.component;
            output.message(&format!(
                "galewire: `{name}` is a {}: say how many messages to take of it, such as --max 10\n",
                Role::Spout
            ));
            return Ok(ExitCode::Usage);
        }
    };
    setting.leave();
    code
}
