//! A bolt of one's own: the whole `galewire` command with one more kind of bolt.

use std::process::ExitCode;
use std::sync::Arc;

use galewire::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, OptionProblem,
    StreamDecl,
};
use galewire::tuple::{Tuple, Value, Values};
use schemars::JsonSchema;
use serde::Deserialize;

/// What stands under `config`; unknown keys and wrong types are reported with their place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FizzOptions {
    /// Which numbers are replaced: the multiples of this.
    every: i64,
    /// What they are replaced by.
    #[serde(default = "fizz")]
    word: String,
}

fn fizz() -> String {
    "fizz".to_owned()
}

struct Fizz(FizzOptions);

impl Bolt for Fizz {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let number = tuple.values[0]
            .as_int()
            .ok_or_else(|| ComponentError::restart("the first field is not a number"))?;
        let value = match number % self.0.every {
            0 => Value::from(self.0.word.as_str()),
            _ => Value::from(number),
        };
        // Anchored to the tuple in hand, which is acked when this returns.
        out.emit(Values::from_iter([value])).map_err(|e| ComponentError::restart(e.to_string()))
    }
}

impl BoltKind for Fizz {
    const NAME: &'static str = "fizz";
    const SUMMARY: &'static str = "replaces some numbers by a word";
    type Options = FizzOptions;

    fn declare(options: &FizzOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        if options.every < 1 {
            return Err(vec![OptionProblem::at("every", "must be at least 1")]);
        }
        let streams = vec![StreamDecl::default_stream(["value"])];
        Ok(Declaration { streams, keeps_memory: false })
    }

    fn build(options: FizzOptions) -> Box<dyn Bolt> {
        Box::new(Self(options))
    }
}

fn main() -> ExitCode {
    galewire::cli::main_with(galewire::builtin::registry().bolt::<Fizz>())
}
