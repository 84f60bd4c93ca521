//! Evaluates expressions on tuples. It keeps nothing from one tuple to the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::ExecutionError;
use cel::extractors::This;

use crate::component::{Context, FieldSlots};
use crate::tuple::{Tuple, Value};

use super::convert::{from_cel, to_cel};
use super::parse::{Expression, lower_first};

type Answer = Result<cel::Value, ExecutionError>;

/// Evaluates expressions on tuples of a bolt's inputs.
pub(in crate::builtin) struct Evaluator {
    context: cel::Context<'static>,
    fields: Vec<(String, FieldSlots)>,
}

impl Evaluator {
    /// An evaluator for these expressions.
    pub(in crate::builtin) fn new<'a>(
        expressions: impl IntoIterator<Item = &'a Expression>,
        context: &Context,
    ) -> Self {
        let names: BTreeSet<_> = expressions.into_iter().flat_map(Expression::variables).collect();
        let slot = |name: &str| (name.to_owned(), FieldSlots::new(context, name));
        Self { context: root_context(), fields: names.into_iter().map(slot).collect() }
    }

    /// Takes the fields that the expressions name from a tuple.
    pub(in crate::builtin) fn bind(&mut self, tuple: &Tuple) {
        for (name, slots) in &self.fields {
            let value = slots.of(tuple).map_or(cel::Value::Null, to_cel);
            match &mut self.context {
                cel::Context::Root { variables, .. } | cel::Context::Child { variables, .. } => {
                    if let Some(place) = variables.get_mut(name) {
                        *place = value;
                    } else {
                        variables.insert(name.clone(), value);
                    }
                }
            }
        }
    }

    /// The value of an expression on the bound tuple.
    ///
    /// # Errors
    /// Why it has none, lower-case.
    pub(in crate::builtin) fn value(&self, expression: &Expression) -> Result<Value, String> {
        from_cel(&self.answer(expression)?)
    }

    /// Whether a condition holds on the bound tuple.
    ///
    /// # Errors
    /// Why it is neither true nor false, lower-case.
    pub(in crate::builtin) fn holds(&self, expression: &Expression) -> Result<bool, String> {
        match self.answer(expression)? {
            cel::Value::Bool(holds) => Ok(holds),
            other => Err(format!("expected true or false, found {}", other.type_of())),
        }
    }

    fn answer(&self, expression: &Expression) -> Result<cel::Value, String> {
        self.context.resolve(&expression.tree).map_err(|error| {
            let mut message = lower_first(&error.to_string());
            if let Some((end, _)) = message.char_indices().nth(200) {
                message.truncate(end);
                message.push('…');
            }
            message
        })
    }
}

fn root_context() -> cel::Context<'static> {
    let mut context = cel::Context::default();
    let number = |operate: fn(cel::Value, cel::Value) -> Answer| {
        move |left: cel::Value, right: cel::Value| -> Answer {
            let (left, right) = same_kind(left, right);
            operate(left, right)
        }
    };
    context.add_function("@add", number(|left, right| left + right));
    context.add_function("@subtract", number(|left, right| left - right));
    context.add_function("@multiply", number(|left, right| left * right));
    context.add_function("@divide", number(|left, right| left / right));
    context.add_function("@modulo", number(|left, right| left % right));
    context.add_function("@negate", negate);
    context.add_function("@items", items);
    context.add_function("lowerAscii", |This(text): This<Arc<String>>| text.to_ascii_lowercase());
    context.add_function("upperAscii", |This(text): This<Arc<String>>| text.to_ascii_uppercase());
    context.add_function("trim", |This(text): This<Arc<String>>| text.trim().to_owned());
    context.add_function(
        "replace",
        |This(text): This<Arc<String>>, old: Arc<String>, new: Arc<String>| {
            text.replace(old.as_str(), &new)
        },
    );
    context
}

/// Two numbers of different kinds as numbers of one kind.
fn same_kind(left: cel::Value, right: cel::Value) -> (cel::Value, cel::Value) {
    use cel::Value::{Float, Int, UInt};
    match (left, right) {
        (Float(left), Int(right)) => (Float(left), Float(right as f64)),
        (Int(left), Float(right)) => (Float(left as f64), Float(right)),
        (Float(left), UInt(right)) => (Float(left), Float(right as f64)),
        (UInt(left), Float(right)) => (Float(left as f64), Float(right)),
        other => other,
    }
}

fn negate(value: cel::Value) -> Answer {
    match value {
        cel::Value::Int(number) => number
            .checked_neg()
            .map(cel::Value::Int)
            .ok_or(ExecutionError::Overflow("minus", number.into(), 0.into())),
        cel::Value::Float(number) => Ok(cel::Value::Float(-number)),
        other => Err(ExecutionError::UnsupportedUnaryOperator("minus", other)),
    }
}

fn items(value: cel::Value) -> Answer {
    match value {
        cel::Value::List(_) | cel::Value::Map(_) => Ok(value),
        other => Err(other.error_expected_type(cel::objects::ValueType::List)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::testing::{bolt_context, tuple};

    fn eval(text: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let context = bolt_context(&[("in", &names)]);
        let expression = Expression::parse(text).map_err(|error| error.to_string())?;
        let mut evaluator = Evaluator::new([&expression], &context);
        evaluator.bind(&tuple(fields.iter().map(|(_, json)| Value::from_scanned_json(json))));
        evaluator.value(&expression).map(|value| value.to_json())
    }

    #[test]
    fn numbers_mix_and_json_is_looked_into() {
        let fields = [("price", "2.5"), ("amount", "4"), ("o", "{\"l\":[1,2],\"s\":\"a\\u0062\"}")];
        assert_eq!(eval("price * amount", &fields), Ok("10.0".to_owned()));
        assert_eq!(eval("amount / 3", &fields), Ok("1".to_owned()));
        assert_eq!(eval("o.l[1] + amount", &fields), Ok("6".to_owned()));
        assert_eq!(eval("o.s == 'ab' && has(o.l)", &fields), Ok("true".to_owned()));
        assert_eq!(eval("o.l.map(x, x * 2)", &fields), Ok("[2,4]".to_owned()));
        assert_eq!(eval("o.l.exists(x, x > amount)", &fields), Ok("false".to_owned()));
        assert_eq!(eval("{'b': 1, 'a': -amount}", &fields), Ok("{\"a\":-4,\"b\":1}".to_owned()));
        assert_eq!(eval("o.s.upperAscii().replace('B', 'x')", &fields), Ok("\"Ax\"".to_owned()));
        assert_eq!(eval("price > 2 ? 'dear' : 'cheap'", &fields), Ok("\"dear\"".to_owned()));
    }

    #[test]
    fn what_fails_at_run_time_is_an_error_never_a_panic() {
        let fields = [("s", "\"x\""), ("n", "-9223372036854775808")];
        for text in
            ["s + 1", "-n", "s.all(x, x)", "n / 0", "s.a", "1 % 0", "s[0]", "size(n)", "b'x'"]
        {
            let error = eval(text, &fields).unwrap_err();
            assert!(!error.starts_with(char::is_uppercase), "{text}: {error}");
        }
    }
}
