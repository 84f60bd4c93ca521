//! A join for the benchmark of a diamond: waits for two tuples with one key, and emits one that is
//! anchored to both. Not for use elsewhere: it waits for ever.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::smallvec;

use crate::base::StreamIdx;
use crate::component::{
    Acking, Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring,
    OptionProblem, StreamDecl,
};
use crate::tuple::{Ticket, Tuple, Value, Values};

/// The bolt takes no options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PairOptions {}

/// The kind `bench-pair`.
pub(super) struct PairKind;

impl BoltKind for PairKind {
    const NAME: &'static str = "bench-pair";
    const SUMMARY: &'static str = "pairs tuples by their first value";
    type Options = PairOptions;

    fn declare(_: &PairOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration {
            streams: vec![StreamDecl::default_stream(["key"])],
            ..Declaration::default()
        })
    }

    fn build(_: PairOptions) -> Box<dyn Bolt> {
        Box::new(Pair::default())
    }
}

#[derive(Default)]
struct Pair {
    waiting: HashMap<i64, Ticket, foldhash::fast::RandomState>,
}

impl Bolt for Pair {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn acking(&self) -> Acking {
        Acking::Manual
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let key = tuple.values.first().and_then(Value::as_int);
        let key = key.ok_or_else(|| ComponentError::give_up("the first value is no integer"))?;
        let ticket = tuple.into_ticket();
        match self.waiting.remove(&key) {
            Some(first) => {
                out.emit_anchored(
                    &[&first, &ticket],
                    StreamIdx(0),
                    smallvec![Value::Int(key)] as Values,
                )
                .map_err(|error| ComponentError::give_up(error.to_string()))?;
                out.ack(first);
                out.ack(ticket);
            }
            None => drop(self.waiting.insert(key, ticket)),
        }
        Ok(())
    }
}
