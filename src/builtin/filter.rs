//! The bolt `filter`: lets tuples pass for which a condition holds. It changes none.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, OptionProblem,
    StreamDecl,
};
use crate::tuple::Tuple;

use super::expression::{Evaluator, Expression, ExpressionError, function_names};
use super::inputs::{missing_field, refused, same_fields, suggest};

/// Options of the bolt `filter`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterOptions {
    /// A CEL expression over the input's fields, such as "price > 10 && country == 'NO'". Tuples
    /// for which it is true pass.
    when: String,
}

/// The kind `filter`.
pub(super) struct FilterKind;

impl BoltKind for FilterKind {
    const NAME: &'static str = "filter";
    const SUMMARY: &'static str = "lets tuples pass for which a CEL expression is true";
    type Options = FilterOptions;

    fn declare(
        options: &FilterOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let at = |message: String| OptionProblem::at("when", message);
        let mut problems = check_expression(&options.when, declaring, at).err().unwrap_or_default();
        let fields = same_fields(declaring).unwrap_or_else(|message| {
            problems.push(OptionProblem::whole(message));
            Vec::new()
        });
        if problems.is_empty() {
            Ok(Declaration {
                streams: vec![StreamDecl::default_stream(fields)],
                keeps_memory: false,
            })
        } else {
            Err(problems)
        }
    }

    fn build(options: FilterOptions) -> Box<dyn Bolt> {
        Box::new(Filter { options, running: None })
    }
}

/// Reads an expression and checks that every input has the fields it names.
pub(super) fn check_expression(
    text: &str,
    declaring: &Declaring,
    at: impl Fn(String) -> OptionProblem,
) -> Result<Expression, Vec<OptionProblem>> {
    let expression = Expression::parse(text).map_err(|error| {
        let problem = at(error.to_string());
        vec![match &error.unknown_function {
            Some(name) => problem.with_help(function_help(name)),
            None => problem,
        }]
    })?;
    let mut problems = Vec::new();
    for name in expression.variables() {
        problems.extend(missing_field(&declaring.inputs, name, &at));
    }
    if problems.is_empty() { Ok(expression) } else { Err(problems) }
}

fn function_help(name: &str) -> String {
    suggest(name, &function_names()).replace("fields are", "functions are")
}

/// The component error for an expression that `declare` would have refused.
pub(super) fn bad_expression(error: &ExpressionError) -> ComponentError {
    ComponentError::give_up(format!("bad expression: {error}"))
}

struct Filter {
    options: FilterOptions,
    running: Option<(Expression, Evaluator)>,
}

impl Bolt for Filter {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let parsed = Expression::parse(&self.options.when);
        let expression = parsed.map_err(|error| bad_expression(&error))?;
        let evaluator = Evaluator::new([&expression], context);
        self.running = Some((expression, evaluator));
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let (expression, evaluator) = self.running.as_mut().expect("the bolt was opened");
        evaluator.bind(&tuple);
        let holds = evaluator.holds(expression).map_err(|message| {
            ComponentError::restart(format!("`{}`: {message}", self.options.when))
        })?;
        if holds {
            out.emit(tuple.values).map_err(refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt, bolt_context, bolt_problems, declaring};
    use crate::tuple::Value;

    #[test]
    fn only_what_the_condition_holds_for_passes() {
        let mut bolt = bolt::<FilterKind>(json!({"when": "price > 10 && name != 'x'"}));
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", &["name", "price"])]));
        for (name, price) in [("a", 11.0), ("b", 9.5), ("x", 99.0)] {
            out.give(bolt.as_mut(), [Value::from(name), Value::from(price)]).unwrap();
        }
        assert_eq!(out.texts(), ["\"a\" 11.0"]);
        let error = out.give(bolt.as_mut(), [Value::from("a"), Value::from("dear")]).unwrap_err();
        assert!(error.message.starts_with("`price > 10 && name != 'x'`: "), "{error}");
        assert!(!bolt.execute_error_is_fatal());
    }

    #[test]
    fn every_input_must_have_the_fields() {
        let inputs = declaring(&[("a", &["price", "name"]), ("b", &["prize", "name"])], 1);
        let problems = bolt_problems::<FilterKind>(json!({"when": "price > 1"}), &inputs);
        assert_eq!(problems[0].message, "input \"b\" has no field \"price\"");
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `prize`?"));
        assert!(problems[1].message.starts_with("inputs have different fields"));
        let problems = bolt_problems::<FilterKind>(json!({"when": "sizw(name) > 1"}), &inputs);
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `size`?"));
    }
}
