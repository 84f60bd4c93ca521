//! The bolt `null`: takes tuples and does nothing with them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, OptionProblem,
};
use crate::tuple::Tuple;

/// The bolt takes no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NullOptions {}

/// The kind `null`.
pub(super) struct NullKind;

impl BoltKind for NullKind {
    const NAME: &'static str = "null";
    const SUMMARY: &'static str = "takes tuples and does nothing with them";
    type Options = NullOptions;

    fn declare(_: &NullOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: NullOptions) -> Box<dyn Bolt> {
        Box::new(Null)
    }
}

struct Null;

impl Bolt for Null {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }
}
