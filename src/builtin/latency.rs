//! The bolt `latency`: how old tuples are when they arrive, by a field that says when each was to be
//! emitted. It keeps a histogram, never the tuples.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{parse_duration, unix_nanos};
use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FieldSlots,
    OptionProblem, Progress, StreamDecl,
};
use crate::metrics::Latency;
use crate::tuple::{Tuple, Value, Values};

use super::inputs::{missing_field, refused};

/// What is emitted: how many tuples, then microseconds.
const FIELDS: [&str; 6] = ["count", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"];

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Options of the bolt `latency`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LatencyOptions {
    /// The field that holds the time since 1970, as `emit_time` of the spout `generate` makes it
    /// (default "emit_time").
    #[serde(default = "emit_time")]
    field: String,
    /// The field's unit: "ms", "us" or "ns" (default).
    #[serde(default)]
    unit: Unit,
    /// How long from the first tuple none is counted, a duration such as "1s" (default "0s").
    #[serde(default = "no_time")]
    warm_up: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    #[default]
    Ns,
}

impl Unit {
    fn nanos(self) -> u64 {
        match self {
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        }
    }
}

fn emit_time() -> String {
    "emit_time".to_owned()
}

fn no_time() -> String {
    "0s".to_owned()
}

/// The kind `latency`.
pub(super) struct LatencyKind;

impl BoltKind for LatencyKind {
    const NAME: &'static str = "latency";
    const SUMMARY: &'static str = "measures how old tuples are, by the time in a field";
    type Options = LatencyOptions;

    fn declare(
        options: &LatencyOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = missing_field(&declaring.inputs, &options.field, |message| {
            OptionProblem::at("field", message)
        });
        if let Err(error) = parse_duration(&options.warm_up) {
            problems.push(OptionProblem::at("warm_up", error.to_string()));
        }
        if problems.is_empty() {
            let streams = vec![StreamDecl::default_stream(FIELDS)];
            Ok(Declaration { streams, keeps_memory: true })
        } else {
            Err(problems)
        }
    }

    fn build(options: LatencyOptions) -> Box<dyn Bolt> {
        Box::new(Measure::new(&options))
    }
}

struct Measure {
    name: String,
    unit: Unit,
    /// Nanoseconds.
    warm_up: u64,
    /// When counting begins, in nanoseconds since 1970; known from the first tuple on.
    counts_from: Option<u64>,
    field: Option<FieldSlots>,
    seen: Latency,
    /// Nanoseconds.
    greatest: u64,
    count: u64,
}

impl Measure {
    fn new(options: &LatencyOptions) -> Self {
        let warm_up = parse_duration(&options.warm_up).unwrap_or_default();
        Self {
            name: options.field.clone(),
            unit: options.unit,
            warm_up: u64::try_from(warm_up.as_nanos()).unwrap_or(u64::MAX),
            counts_from: None,
            field: None,
            seen: Latency::default(),
            greatest: 0,
            count: 0,
        }
    }

    fn record(&mut self, emitted: u64, now: u64) {
        let counts_from = *self.counts_from.get_or_insert(now.saturating_add(self.warm_up));
        if now < counts_from {
            return;
        }
        let age = now.saturating_sub(emitted.saturating_mul(self.unit.nanos()));
        self.seen.record(Duration::from_nanos(age), 1);
        self.greatest = self.greatest.max(age);
        self.count += 1;
    }

    fn figures(&self) -> Values {
        let micros = |nanos: u128| Value::Float(nanos as f64 / 1e3);
        let summary = self.seen.summary();
        // A bucket's upper end may lie beyond all that is in it.
        let quantile = |part: &f64| {
            let end = summary.quantile(*part).map_or(0, |span| span.as_nanos());
            micros(end.min(u128::from(self.greatest)))
        };
        let count = Value::Int(self.count as i64);
        let quantiles = QUANTILES.iter().map(quantile);
        [count].into_iter().chain(quantiles).chain([micros(self.greatest.into())]).collect()
    }
}

impl Bolt for Measure {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        self.field = Some(FieldSlots::new(context, &self.name));
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        let slots = self.field.as_ref().expect("the bolt was opened");
        let value = slots.of(&tuple);
        let emitted = value.and_then(Value::as_int).and_then(|time| u64::try_from(time).ok());
        let Some(emitted) = emitted else {
            let found = value.map_or_else(|| "nothing".to_owned(), Value::to_json);
            return Err(ComponentError::give_up(format!(
                "field \"{}\" holds {found}, not a time since 1970",
                self.name
            )));
        };
        self.record(emitted, unix_nanos());
        Ok(())
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        out.emit(self.figures()).map_err(refused)
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        out.emit(self.figures()).map_err(refused)?;
        Ok(Progress::Done)
    }

    fn holds_memory(&self) -> bool {
        self.count > 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt, bolt_context, bolt_problems, declaring};

    fn measure(unit: Unit) -> Measure {
        Measure::new(&LatencyOptions { field: emit_time(), unit, warm_up: no_time() })
    }

    #[test]
    fn ages_are_told_in_microseconds_whatever_the_unit_of_the_field() {
        let mut measure = measure(Unit::Us);
        for age in 1..=1000_u64 {
            measure.record(5_000_000 - age, 5_000_000_000);
        }
        let figures: Vec<_> = measure.figures().iter().filter_map(Value::as_float).collect();
        for (found, exact) in figures[1..5].iter().zip([500.0, 900.0, 990.0, 999.0]) {
            assert!((exact..=exact * 1.125).contains(found), "{figures:?}");
        }
        assert_eq!(vec![figures[0], figures[5]], [1000.0, 1000.0]);
    }

    #[test]
    fn no_quantile_is_greater_than_the_greatest_age() {
        let mut measure = measure(Unit::Ns);
        measure.record(0, 1_000_001);
        let figures: Vec<_> = measure.figures().iter().filter_map(Value::as_float).collect();
        assert_eq!(figures, [1.0, 1000.001, 1000.001, 1000.001, 1000.001, 1000.001]);
    }

    #[test]
    fn a_warm_up_begins_with_the_first_tuple_and_is_not_counted() {
        let mut bolt = bolt::<LatencyKind>(json!({"warm_up": "1h"}));
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", &["emit_time"])]));
        out.give(bolt.as_mut(), [Value::Int(0)]).unwrap();
        assert!(!bolt.holds_memory());

        let warm_up = "2us".to_owned();
        let mut measure =
            Measure::new(&LatencyOptions { field: emit_time(), unit: Unit::Ns, warm_up });
        for now in [10_000, 11_999, 12_000, 13_000] {
            measure.record(now - 1_000, now);
        }
        assert_eq!(measure.count, 2);
    }

    #[test]
    fn what_is_no_time_fails_its_tuple_and_nothing_else() {
        let mut bolt = bolt::<LatencyKind>(json!({"field": "at", "unit": "ms"}));
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", &["at"])]));
        let error = out.give(bolt.as_mut(), [Value::from("soon")]).unwrap_err();
        assert_eq!(error.message, "field \"at\" holds \"soon\", not a time since 1970");
        assert!(!bolt.holds_memory());
        out.give(bolt.as_mut(), [Value::Int(1)]).unwrap();
        assert!(bolt.holds_memory());
        bolt.end(&mut Collector::new(&mut out)).unwrap();
        assert_eq!(out.emitted[0][0], Value::Int(1));
    }

    #[test]
    fn a_missing_field_is_told() {
        let problems =
            bolt_problems::<LatencyKind>(json!({}), &declaring(&[("in", &["emit_tim"])], 1));
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `emit_tim`?"));
        let options = json!({"warm_up": "soon"});
        let problems =
            bolt_problems::<LatencyKind>(options, &declaring(&[("in", &["emit_time"])], 1));
        assert_eq!(problems.len(), 1);
    }
}
