//! The bolt `map`: sets fields by expressions, and keeps the others or some of them.
//!
//! Every expression sees the tuple as it came, never a field that another one sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FieldSlots,
    OptionProblem, PathSegment, StreamDecl,
};
use crate::tuple::{Tuple, Value, Values};

use super::expression::{Evaluator, Expression};
use super::filter::{bad_expression, check_expression};
use super::inputs::{missing_field, refused, same_fields};

/// Options of the bolt `map`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MapOptions {
    /// Fields to set, each to a CEL expression over the input's fields: { total = "price *
    /// amount" }. A field of the input keeps its place; a new one comes behind.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    set: serde_json::Map<String, Json>,
    /// The input's fields to emit, in this order (default: all of them).
    keep: Option<Vec<String>>,
}

/// The kind `map`.
pub(super) struct MapKind;

impl BoltKind for MapKind {
    const NAME: &'static str = "map";
    const SUMMARY: &'static str = "sets fields by CEL expressions and keeps the fields you name";
    type Options = MapOptions;

    fn declare(
        options: &MapOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        for (name, expression) in &options.set {
            let at = |message: String| {
                let mut problem = OptionProblem::at("set", message);
                problem.path.push(PathSegment::Key(name.clone()));
                problem
            };
            match expression.as_str() {
                Some(text) => {
                    problems
                        .extend(check_expression(text, declaring, at).err().into_iter().flatten());
                }
                None => problems.push(
                    at("expected an expression, as a string".to_owned())
                        .with_help(format!("write \"{expression}\"")),
                ),
            }
        }
        let keep = options.keep.clone().or_else(|| match same_fields(declaring) {
            Ok(fields) => Some(fields),
            Err(message) => {
                let problem = OptionProblem::whole(message);
                problems.push(problem.with_help("name the fields to emit in `keep`"));
                None
            }
        });
        let keep = keep.unwrap_or_default();
        for (index, name) in options.keep.iter().flatten().enumerate() {
            problems.extend(check_kept(options, declaring, index, name));
        }
        if keep.is_empty() && options.set.is_empty() {
            problems.push(OptionProblem::whole("nothing is set and nothing is kept"));
        }
        if problems.is_empty() {
            Ok(Declaration {
                streams: vec![StreamDecl::default_stream(emitted(options, &keep))],
                keeps_memory: false,
            })
        } else {
            Err(problems)
        }
    }

    fn build(options: MapOptions) -> Box<dyn Bolt> {
        Box::new(MapBolt { options, running: None })
    }
}

fn check_kept(
    options: &MapOptions,
    declaring: &Declaring,
    index: usize,
    name: &str,
) -> Vec<OptionProblem> {
    let at = |message: String| {
        let mut problem = OptionProblem::at("keep", message);
        problem.path.push(PathSegment::Index(index));
        problem
    };
    let before = options.keep.iter().flatten().take(index);
    if before.clone().any(|other| other == name) {
        return vec![at(format!("field \"{name}\" is kept twice"))];
    }
    if options.set.contains_key(name) {
        return Vec::new(); // It says where the field that is set stands.
    }
    missing_field(&declaring.inputs, name, at)
}

/// The fields to emit: the kept ones, then those that are set and not among them.
fn emitted(options: &MapOptions, keep: &[String]) -> Vec<String> {
    let new = options.set.keys().filter(|name| !keep.contains(name));
    keep.iter().chain(new).cloned().collect()
}

/// Where a field to emit comes from.
enum Origin {
    Kept(FieldSlots),
    Set(Expression),
}

struct MapBolt {
    options: MapOptions,
    running: Option<Running>,
}

struct Running {
    fields: Vec<(String, Origin)>,
    evaluator: Evaluator,
}

impl Bolt for MapBolt {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let keep = self.options.keep.clone().or_else(|| {
            let input = context.inputs.first()?;
            Some(input.decl.fields.clone())
        });
        let names = emitted(&self.options, &keep.unwrap_or_default());
        let mut fields = Vec::new();
        for name in names {
            let origin = match self.options.set.get(&name) {
                Some(text) => {
                    let parsed = Expression::parse(text.as_str().unwrap_or_default());
                    Origin::Set(parsed.map_err(|error| bad_expression(&error))?)
                }
                None => Origin::Kept(FieldSlots::new(context, &name)),
            };
            fields.push((name, origin));
        }
        let expressions = fields.iter().filter_map(|(_, origin)| match origin {
            Origin::Set(expression) => Some(expression),
            Origin::Kept(_) => None,
        });
        let evaluator = Evaluator::new(expressions, context);
        self.running = Some(Running { fields, evaluator });
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let running = self.running.as_mut().expect("the bolt was opened");
        running.evaluator.bind(&tuple);
        let mut values = Values::new();
        for (name, origin) in &running.fields {
            values.push(match origin {
                Origin::Kept(slots) => slots.of(&tuple).cloned().unwrap_or(Value::Null),
                Origin::Set(expression) => {
                    running.evaluator.value(expression).map_err(|message| {
                        ComponentError::restart(format!("field \"{name}\": {message}"))
                    })?
                }
            });
        }
        out.emit(values).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt, bolt_context, bolt_problems, declaring};

    const FIELDS: &[&str] = &["name", "price", "amount"];

    fn run(options: Json, values: [Value; 3]) -> (Vec<String>, Vec<String>) {
        let declared = MapKind::declare(
            &serde_json::from_value(options.clone()).unwrap(),
            &declaring(&[("in", FIELDS)], 1),
        );
        let mut bolt = bolt::<MapKind>(options);
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", FIELDS)]));
        out.give(bolt.as_mut(), values).unwrap();
        (declared.unwrap().streams[0].fields.clone(), out.texts())
    }

    #[test]
    fn set_fields_keep_their_place_and_new_ones_come_behind() {
        let options = json!({"set": {"total": "price * amount", "name": "name + '!'"}});
        let values = || [Value::from("a"), Value::from(2.5), Value::from(2_i64)];
        let (fields, texts) = run(options, values());
        assert_eq!(fields, ["name", "price", "amount", "total"]);
        assert_eq!(texts, ["\"a!\" 2.5 2 5.0"]);
        let options = json!({"set": {"total": "price * amount"}, "keep": ["total", "name"]});
        let (fields, texts) = run(options, values());
        assert_eq!(fields, ["total", "name"]);
        assert_eq!(texts, ["5.0 \"a\""]);
    }

    #[test]
    fn kept_json_is_not_touched() {
        let raw = Value::from_scanned_json("{\"k\": 1e400}");
        let values = [raw, Value::Null, Value::Null];
        assert_eq!(run(json!({"keep": ["name"]}), values).1, ["{\"k\": 1e400}"]);
    }

    #[test]
    fn problems_stand_at_their_key() {
        let inputs = declaring(&[("in", FIELDS)], 1);
        let options = json!({"set": {"x": "prise", "y": 5, "z": "1 +"}, "keep": ["nme", "nme"]});
        let problems = bolt_problems::<MapKind>(options, &inputs);
        let keys: Vec<_> = problems.iter().map(|problem| problem.path.last().unwrap()).collect();
        let key = |name: &str| PathSegment::Key(name.to_owned());
        let index = PathSegment::Index;
        assert_eq!(keys, [&key("x"), &key("y"), &key("z"), &index(0), &index(1)]);
        assert_eq!(problems[1].help.as_deref(), Some("write \"5\""));
    }
}
