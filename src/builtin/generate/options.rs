//! The options of the spout `generate`, as written and as checked.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::component::{
    Declaration, Declaring, OptionProblem, PathSegment, Spout, SpoutKind, StreamDecl,
};
use crate::tuple::Value;

use super::field::{Field, TimeUnit};
use super::schedule::Schedule;
use super::spout::GenerateSpout;
use super::template::{FORMS, Template};

/// Options of the spout `generate`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::builtin) struct GenerateOptions {
    /// The fields to emit, in this order, and how each is made: a list goes round, a plain value
    /// stays, and a table with one key says `choose`, `counter`, `random`, `template` or
    /// `emit_time`.
    #[schemars(with = "BTreeMap<String, Spec>")]
    fields: Specs,
    /// Messages per second, of all tasks together. Without it, as fast as they are taken.
    rate: Option<f64>,
    /// How many messages to make, all tasks together. Without it, there is no end.
    count: Option<u64>,
    /// Random values are the same for the same seed (default 0).
    #[serde(default)]
    seed: u64,
}

/// Specs in the order they are written.
#[derive(Clone, Debug)]
struct Specs(Vec<(String, Spec)>);

impl<'de> Deserialize<'de> for Specs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Specs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of fields, such as { word = [\"a\", \"b\"] }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Specs, A::Error> {
                let mut specs = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    specs.push(entry);
                }
                Ok(Specs(specs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// How a field is made.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
enum Spec {
    /// Values to go round.
    Cycle(Vec<serde_json::Value>),
    /// A way to make values.
    Made(Made),
    /// Always this value.
    Constant(serde_json::Value),
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Array(values) => Ok(Self::Cycle(values)),
            table @ serde_json::Value::Object(_) => {
                serde_json::from_value(table).map(Self::Made).map_err(D::Error::custom)
            }
            constant => Ok(Self::Constant(constant)),
        }
    }
}

/// A way to make values.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Made {
    /// Draws from a list.
    Choose(Vec<serde_json::Value>),
    /// Counts: { start = 0, step = 1 }.
    Counter(Counter),
    /// Draws a number: integers where both ends are integers (both are drawn), floats otherwise.
    Random(Range),
    /// Text with placeholders: {counter}, {choose:a|b}, {cycle:a|b}, {random:1..6}, {time:ms}.
    Template(String),
    /// When the message was to be emitted, since 1970, in this unit.
    EmitTime(Unit),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Counter {
    /// The first value.
    #[serde(default)]
    start: i64,
    /// What is added for each message.
    #[serde(default = "one")]
    step: i64,
}

fn one() -> i64 {
    1
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    /// The least value.
    min: serde_json::Number,
    /// The greatest value.
    max: serde_json::Number,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

/// The options, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) names: Vec<String>,
    pub(super) fields: Vec<Field>,
    pub(super) schedule: Option<Schedule>,
    pub(super) count: Option<u64>,
    pub(super) seed: u64,
}

impl GenerateOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// All problems at once.
    pub(super) fn check(&self) -> Result<Settings, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        let mut fields = Vec::new();
        for (name, spec) in &self.fields.0 {
            match spec.check() {
                Ok(field) => fields.push(field),
                Err((message, help)) => {
                    let mut problem = OptionProblem::at("fields", message);
                    problem.path.push(PathSegment::Key(name.clone()));
                    problem.help = help;
                    problems.push(problem);
                }
            }
        }
        if self.fields.0.is_empty() {
            let problem = OptionProblem::at("fields", "no field is named");
            problems.push(problem.with_help("for example `fields = { word = [\"a\", \"b\"] }`"));
        }
        let schedule = self.rate.map(Schedule::new);
        if schedule == Some(None) {
            let message = "expected a number of messages per second greater than zero";
            problems.push(OptionProblem::at("rate", message));
        }
        if problems.is_empty() {
            Ok(Settings {
                names: self.fields.0.iter().map(|(name, _)| name.clone()).collect(),
                fields,
                schedule: schedule.flatten(),
                count: self.count,
                seed: self.seed,
            })
        } else {
            Err(problems)
        }
    }
}

type Complaint = (String, Option<String>);

impl Spec {
    fn check(&self) -> Result<Field, Complaint> {
        let plain = |message: &str| (message.to_owned(), None);
        let values = |values: &[serde_json::Value]| {
            if values.is_empty() {
                return Err(plain("the list is empty"));
            }
            Ok(values.iter().map(Value::from).collect())
        };
        match self {
            Self::Constant(value) => Ok(Field::Constant(Value::from(value))),
            Self::Cycle(list) => Ok(Field::Cycle(values(list)?)),
            Self::Made(Made::Choose(list)) => Ok(Field::Choose(values(list)?)),
            Self::Made(Made::Counter(Counter { start, step })) => {
                Ok(Field::Counter { start: *start, step: *step })
            }
            Self::Made(Made::Random(range)) => {
                range.check().ok_or_else(|| plain("expected `min` not greater than `max`"))
            }
            Self::Made(Made::Template(text)) => Template::parse(text)
                .map(Field::Template)
                .map_err(|error| (error.to_string(), Some(FORMS.to_owned()))),
            Self::Made(Made::EmitTime(unit)) => Ok(Field::EmitTime(match unit {
                Unit::Ms => TimeUnit::Millis,
                Unit::Us => TimeUnit::Micros,
                Unit::Ns => TimeUnit::Nanos,
            })),
        }
    }
}

impl Range {
    fn check(&self) -> Option<Field> {
        if let (Some(min), Some(max)) = (self.min.as_i64(), self.max.as_i64()) {
            return (min <= max).then_some(Field::Ints { min, max });
        }
        let (min, max) = (self.min.as_f64()?, self.max.as_f64()?);
        let fine = min <= max && (max - min).is_finite();
        fine.then_some(Field::Floats { min, max })
    }
}

/// The kind `generate`.
pub(in crate::builtin) struct GenerateKind;

impl SpoutKind for GenerateKind {
    const NAME: &'static str = "generate";
    const SUMMARY: &'static str = "makes up tuples: lists, counters, random values, templates";
    type Options = GenerateOptions;

    fn declare(
        options: &GenerateOptions,
        _: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let settings = options.check()?;
        Ok(Declaration {
            streams: vec![StreamDecl::default_stream(settings.names)],
            keeps_memory: false,
        })
    }

    fn build(options: GenerateOptions) -> Box<dyn Spout> {
        Box::new(GenerateSpout::new(options))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(options: serde_json::Value) -> Result<Settings, Vec<OptionProblem>> {
        serde_json::from_value::<GenerateOptions>(options).unwrap().check()
    }

    #[test]
    fn fields_keep_their_order() {
        let settings = check(json!({"fields": {"z": 1, "a": [1], "m": {"counter": {}}}})).unwrap();
        assert_eq!(settings.names, ["z", "a", "m"]);
        assert_eq!(settings.fields[2], Field::Counter { start: 0, step: 1 });
    }

    #[test]
    fn each_problem_stands_at_its_field() {
        let problems = check(json!({
            "fields": {
                "a": [], "b": {"random": {"min": 2, "max": 1.5}}, "c": {"template": "{x}"},
            },
            "rate": 0,
        }))
        .unwrap_err();
        let keys: Vec<_> = problems.iter().filter_map(|problem| problem.path.last()).collect();
        let expected = ["a", "b", "c", "rate"].map(|key| PathSegment::Key(key.to_owned()));
        assert_eq!(keys, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_way_lists_the_known() {
        let bad = json!({"fields": {"a": {"chose": [1]}}});
        let error = serde_json::from_value::<GenerateOptions>(bad).unwrap_err().to_string();
        assert!(error.contains("unknown variant `chose`, expected one of `choose`"), "{error}");
    }
}
